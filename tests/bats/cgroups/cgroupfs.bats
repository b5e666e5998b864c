#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cgroups: every limit binds, with both drivers
#
# One file, run twice: its name, or that of the link systemd.bats, is the
# driver.

load ../lib/common
load bundle

setup()
{
	need_root
	need_program jq perl
	driver=$(basename "$BATS_TEST_FILENAME" .bats)
	[ "$driver" != systemd ] || need_systemd
}

# --- memory ------------------------------------------------------------------

# shellcheck disable=SC2016 # for the shell inside
hog='x=0123456789abcdef; while :; do x=$x$x; done'

@test "who takes more memory than he may is killed" {
	need_controller memory
	run run_bundle hog '{ "memory": { "limit": 33554432, "swap": 33554432 } }' \
		sh -c "$hog"
	[[ $status -eq 137 ]]
}

@test "the kill is reported while the container lives" {
	need_controller memory
	start_bundle hog '{ "memory": { "limit": 33554432, "swap": 33554432 } }' \
		sh -c "while [ ! -e /host/go ]; do sleep 0.05; done
			sh -c '$hog'; sleep 1000"
	oci events --interval 60s "hog-$test_id" \
		>"$BATS_TEST_TMPDIR/events" 3>&- &
	wait_for 10 grep -q stats "$BATS_TEST_TMPDIR/events"
	touch "$BATS_TEST_TMPDIR/go"
	wait_for 20 grep -q '"type":"oom"' "$BATS_TEST_TMPDIR/events"
	[[ $(number hog oom_kill) -ge 1 ]]
	oci delete --force "hog-$test_id"
}

@test "the kill of the last process is reported, though its group is gone" {
	need_controller memory
	local watcher
	make_bundle hog '{ "memory": { "limit": 33554432, "swap": 33554432 } }' \
		sh -c "$hog"
	oci create --bundle "$BATS_TEST_TMPDIR/hog" "hog-$test_id" \
		</dev/null >/dev/null 2>&1 3>&-
	oci events --interval 60s "hog-$test_id" \
		>"$BATS_TEST_TMPDIR/events" 3>&- &
	watcher=$!
	wait_for 10 grep -q stats "$BATS_TEST_TMPDIR/events"
	oci start "hog-$test_id"
	wait "$watcher"
	[[ $(grep -c '"type":"oom"' "$BATS_TEST_TMPDIR/events") -eq 1 ]]
}

# --- cpu ---------------------------------------------------------------------

# Microseconds; sets a variable: a fork takes long in the machine, and the hogs
# go on meanwhile.
usage_of() # VARIABLE FILE
{
	local word number

	read -r word number _ <"$2"
	[ "$word" = usage_usec ] || number=$((word / 1000))
	printf -v "$1" %s "$number"
}

# Where the CPU time of a container with one process stands. v1 counts it for
# the group when it is asked to; for the process it stands in procfs.
usage_file() # NAME
{
	local file

	for file in $(group_files "$1" cpu.stat); do
		if grep -q usage_usec "$file"; then
			echo "$file"
			return
		fi
	done
	echo "/proc/$(oci state "$1-$test_id" | jq .pid)/schedstat"
}

has_used() # FILE MICROSECONDS
{
	local has

	usage_of has "$1"
	[ "$has" -ge "$2" ]
}

# Both are always hungry, so whoever else wants the CPU takes from both; what
# one number is read later than the other is little of six seconds.
share_by_weight() # FILE-ONE FILE-THREE
{
	local one three one_later three_later

	usage_of one "$1"
	usage_of three "$2"
	wait_for 60 has_used "$2" $((three + 6000000))
	usage_of one_later "$1"
	usage_of three_later "$2"
	one=$((one_later - one))
	three=$((three_later - three))
	within 5 $((3 * one)) "$three"
}

@test "two that want all of a CPU share it by weight" {
	need_controller cpu
	need_controller cpuset
	start_bundle one '{ "cpu": { "shares": 1024, "cpus": "0" } }' \
		sh -c 'while :; do :; done'
	start_bundle three '{ "cpu": { "shares": 3072, "cpus": "0" } }' \
		sh -c 'while :; do :; done'
	local one three
	one=$(usage_file one)
	three=$(usage_file three)
	one_of_three share_by_weight "$one" "$three"
}

# A machine that is busy elsewhere may spoil a measurement, not three.
one_of_three() # COMMAND...
{
	"$@" || "$@" || "$@"
}

# Microseconds; sets a variable, as a fork takes long in the machine.
now() # VARIABLE
{
	local up

	read -r up _ </proc/uptime
	printf -v "$1" %s "${up/./}0000"
}

# The time is longer than that of the use: from before until after. With less
# than the quota others may have kept it from what it was given.
use_quota() # FILE
{
	local began ended before used given

	now began
	usage_of before "$1"
	wait_for 60 has_used "$1" $((before + 1500000))
	usage_of used "$1"
	now ended
	used=$((used - before))
	given=$(((ended - began) * 30 / 100))
	at_most 5 "$used" "$given" || exceeded=yes
	[ -z "${MOAT_TEST_MACHINE:-}" ] || within 5 "$used" "$given"
}

@test "nobody gets more of a CPU than his quota" {
	need_controller cpu
	local exceeded='' file
	start_bundle half '{ "cpu": { "quota": 30000, "period": 100000 } }' \
		sh -c 'while :; do :; done'
	file=$(usage_file half)
	wait_for 10 has_used "$file" 100000
	one_of_three use_quota "$file"
	[ -z "$exceeded" ]
}

# --- processes ---------------------------------------------------------------

@test "forks stop at the limit of processes" {
	need_controller pids
	# shellcheck disable=SC2016 # for perl
	start_bundle bomb '{ "pids": { "limit": 20 } }' perl -e '
		while (defined($p = fork)) { sleep if !$p }
		open F, ">/host/full"; close F; sleep'
	wait_for 20 test -e "$BATS_TEST_TMPDIR/full"
	[[ $(pids_of bomb) -eq 20 ]]
	[[ $(number bomb limit) -eq 20 ]]
	oci delete --force "bomb-$test_id"
	no_leftover_groups
}

pids_of() # NAME
{
	oci ps --format json "$1-$test_id" | jq length
}

@test "a fork bomb of 500 processes is frozen and killed at the first try" {
	need_controller pids
	start_bundle bomb '{ "pids": { "limit": 500 } }' perl -e 'fork while 1'
	wait_for 60 many_pids bomb 490
	oci pause "bomb-$test_id"
	[[ $(oci state "bomb-$test_id" | jq -r .status) == paused ]]
	oci kill --all "bomb-$test_id" KILL
	oci delete --force "bomb-$test_id"
	no_leftover_groups
}

is_stopped() # NAME
{
	[ "$(oci state "$1-$test_id" | jq -r .status)" = stopped ]
}

@test "a paused program ends by KILL and by delete --force" {
	need_controller pids
	start_bundle still '{ "pids": { "limit": 20 } }' sleep 1000
	oci pause "still-$test_id"
	oci kill "still-$test_id" KILL
	wait_for 20 is_stopped still
	oci delete "still-$test_id"
	start_bundle quiet '{ "pids": { "limit": 20 } }' sleep 1000
	oci pause "quiet-$test_id"
	oci delete --force "quiet-$test_id"
	no_leftover_groups
}

many_pids() # NAME NUMBER
{
	[ "$(pids_of "$1")" -ge "$2" ]
}

# --- io ----------------------------------------------------------------------

# The disk below a folder, as major:minor of the whole of it.
disk_of() # FOLDER
{
	local dev

	dev=$(findmnt -n -o MAJ:MIN -T "$1" | tr -d ' ')
	[ ! -e "/sys/dev/block/$dev/partition" ] ||
		dev=$(cat "/sys/dev/block/$dev/../dev")
	[ -e "/sys/dev/block/$dev/queue" ] || return 1
	echo "$dev"
}

@test "writing is bounded by the rate for its disk" {
	[ -d /sys/fs/cgroup/blkio ] || need_controller io
	local dev began ended
	dev=$(disk_of "$BATS_TEST_TMPDIR") ||
		skip_or_fail "needs a disk under $BATS_TEST_TMPDIR"
	now began
	run_bundle writer "{ \"blockIO\": { \"throttleWriteBpsDevice\": [
		{ \"major\": ${dev%:*}, \"minor\": ${dev#*:}, \"rate\": 2097152 }
		] } }" \
		dd if=/dev/zero of=/host/file bs=256k count=32 oflag=direct
	now ended
	# 8 MiB at 2 MiB/s; the first piece is free.
	[[ $((ended - began)) -ge 3500000 ]]
}

# --- devices -----------------------------------------------------------------

# Everybody may write to it, as far as capabilities go.
kmsg=', { "destination": "/dev/kmsg", "source": "/dev/kmsg", "type": "bind",
	"options": [ "bind" ] }'

@test "a device that no rule allows cannot be opened" {
	export more_mounts=$kmsg
	run run_bundle dev '{ "devices": [
		{ "allow": false, "access": "rwm" } ] }' sh -c '
		head -c 1 /dev/zero >/dev/null && echo zero
		: >/dev/kmsg'
	[[ $output == *zero* ]]
	[[ $output == *kmsg*"Operation not permitted"* ]]
	run run_bundle dev '{ "devices": [
		{ "allow": false, "access": "rwm" },
		{ "allow": true, "type": "c", "major": 1, "minor": 11, "access": "r" }
		] }' sh -c ': >/dev/kmsg'
	[[ $output == *"Operation not permitted"* ]]
	run_bundle dev '{ "devices": [
		{ "allow": false, "access": "rwm" },
		{ "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" }
		] }' sh -c ': >/dev/kmsg'
}

@test "an update replaces the rules for devices" {
	export more_mounts=$kmsg
	start_bundle dev '{ "devices": [
		{ "allow": false, "access": "rwm" } ] }' sleep 1000
	oci_fails exec "dev-$test_id" sh -c ': >/dev/kmsg'
	echo '{ "devices": [ { "allow": true, "access": "rwm" } ] }' |
		oci update --resources - "dev-$test_id"
	oci exec "dev-$test_id" sh -c ': >/dev/kmsg'
}

@test "with v1 a hook adds rules for devices in the file that it knows" {
	local allow

	export more_mounts=$kmsg
	[[ -d /sys/fs/cgroup/devices ]] || skip "the controller is not v1's"
	start_bundle dev '{ "devices": [
		{ "allow": false, "access": "rwm" } ] }' sleep 1000
	[[ $(group_file dev devices.list) != *"a *:* rwm"* ]]
	allow=$(group_files dev devices.allow)
	echo "c 1:11 w" >"$allow"
	oci exec "dev-$test_id" sh -c ': >/dev/kmsg'
}

# --- numbers -----------------------------------------------------------------

@test "what no limit bounds is counted all the same" {
	need_controller memory
	need_controller pids
	start_bundle box '{}' sleep 1000
	oci events --stats "box-$test_id" |
		jq -e '.data | .pids.current == 1 and .memory.usage.usage > 0
			and .memory.usage.limit > 9000000000000000000
			and .cpu.usage.total > 0
			and .intel_rdt == {} and has("network_interfaces")'
	oci delete --force "box-$test_id"
	no_leftover_groups
}

@test "without any limit it has a group in each hierarchy, and sees them all" {
	local id controllers path n=0
	local more_mounts=', { "destination": "/sys/fs/cgroup", "type": "cgroup",
		"source": "cgroup", "options": [ "ro" ] }'

	start_bundle box '{}' sleep 1000
	while IFS=: read -r id controllers path; do
		echo "$id:$controllers:$path"
		controllers=${controllers#name=}
		if [[ $id == 0 ]]; then
			[[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]] || continue
		else
			[[ -d /sys/fs/cgroup/$controllers ]] || continue
		fi
		[[ $path == *"moat-"*"$test_id"* ]]
		oci exec "box-$test_id" \
			grep -q . "/sys/fs/cgroup/$controllers/cgroup.procs"
		n=$((n + 1))
	done <"/proc/$(oci state "box-$test_id" | jq .pid)/cgroup"
	[[ $n -gt 0 ]]
}

# --- update ------------------------------------------------------------------

@test "an update sets all of its limits" {
	need_controller pids
	need_controller memory
	start_bundle box '{ "pids": { "limit": 50 } }' sleep 1000
	oci update --pids-limit 60 --memory 67108864 "box-$test_id"
	[[ $(group_file box pids.max) == 60 ]]
	[[ $(group_file box memory.max memory.limit_in_bytes) == 67108864 ]]
}

# Options, a file of v2 and one of v1, what they say afterwards: in order, for
# some depend on those before. systemd forgets the period of a quota of -1 when
# it next writes, so that one is the last.
updates()
{
	cat <<-'END'
	--cpu-share=512			cpu.weight cpu.shares		50|512
	--cpu-idle=1			cpu.idle			1
	--cpu-idle=0			cpu.idle			0
	--cpu-share=2048		cpu.weight cpu.shares		200|2048
	--cpu-quota=40000		cpu.max cpu.cfs_quota_us	40000*
	--cpu-period=50000		cpu.max cpu.cfs_period_us	*50000
	--cpu-burst=1000		cpu.max.burst cpu.cfs_burst_us	1000
	--cpuset-cpus=0			cpuset.cpus			0
	--cpuset-mems=0			cpuset.mems			0
	--memory=90m			memory.max memory.limit_in_bytes	94371840
	--memory-reservation=20m	memory.low memory.soft_limit_in_bytes	20971520
	--pids-limit=30			pids.max			30
	--pids-limit=-1			pids.max			max
	--memory=-1			memory.swap.max memory.memsw.limit_in_bytes	max|9223372036854771712
	--memory-reservation=0		memory.low memory.soft_limit_in_bytes	0
	--cpu-quota=-1			cpu.max cpu.cfs_quota_us	max*|-1
	END
}

@test "each option of an update reaches its file, and no later one undoes it" {
	local option files want bad=''
	need_controller pids
	need_controller memory
	start_bundle box '{ "cpu": { "quota": 50000, "period": 100000 },
		"memory": { "limit": 67108864 } }' sleep 1000
	while IFS=$'\t' read -r option files want; do
		oci update "$option" "box-$test_id"
		# shellcheck disable=SC2086 # two names
		is_now "$want" $files || bad+="$option: $files is not $want "
	done < <(updates | tr -s '\t')
	# shellcheck disable=SC2086 # two names
	while IFS=$'\t' read -r option files want; do
		[[ $option == --cpu-share=512 || $option == *-idle=1 ||
			$option == --pids-limit=30 || $option == --cpu-quota* ||
			$option == --memory*[0-9]m ]] ||
			is_now "$want" $files || bad+="later: $option "
	done < <(updates | tr -s '\t')
	[ -z "$bad" ] || {
		echo "$bad" >&2
		return 1
	}
}

is_now() # WANT FILE...: one of those that WANT has
{
	local want=$1 got

	shift
	got=$(group_file box "$@")
	# shellcheck disable=SC2053 # patterns
	[[ $got == ${want%|*} || $got == ${want#*|} ]]
}

@test "an update that the kernel refuses changes nothing and names what it was" {
	need_controller pids
	need_controller cpu
	start_bundle box '{ "pids": { "limit": 50 },
		"cpu": { "quota": 50000, "period": 100000 } }' sleep 1000
	oci_fails update --pids-limit 60 --cpu-quota 10 "box-$test_id"
	[[ $output == *"cpu."*"refuses '10"* ]]
	[[ $(group_file box pids.max) == 50 ]]
	[[ $(group_file box cpu.max cpu.cfs_quota_us) == 50000* ]]
}

@test "a refused update puts back the weight that idle takes away" {
	need_controller cpu
	start_bundle box '{ "cpu": { "shares": 2048, "quota": 50000 } }' sleep 1000
	oci_fails update --cpu-idle 1 --cpu-quota 10 "box-$test_id"
	[[ $output == *"cpu."*"refuses '10"* ]]
	is_now "200|2048" cpu.weight cpu.shares
	is_now 0 cpu.idle
}

@test "a limit that was not asked for at first binds who is in already" {
	need_controller pids
	start_bundle box '{}' sleep 1000
	oci exec --detach "box-$test_id" sleep 1000 3>&-
	oci update --pids-limit 3 "box-$test_id"
	oci exec "box-$test_id" true
	# shellcheck disable=SC2016 # for the shell inside
	oci_fails exec "box-$test_id" sh -c 'sleep 1 & sleep 1 & wait $!'
}

# --- what is refused ---------------------------------------------------------

@test "CPUs that the host does not have are refused" {
	need_controller cpuset
	make_bundle box '{ "cpu": { "cpus": "0,4000" } }' true
	oci_fails run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	[[ $output == *"cpuset.cpus"*"4000"* ]]
	no_leftover_groups
}

@test "a controller that the host lacks is named" {
	make_bundle box '{ "rdma": { "nothing": { "hcaHandles": 3 } } }' true
	oci_fails run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	[[ $output == *rdma* ]]
	no_leftover_groups
}

@test "a group in use is refused" {
	start_bundle box '{}' sleep 1000
	cp -a "$BATS_TEST_TMPDIR/box" "$BATS_TEST_TMPDIR/other"
	oci_fails run --bundle "$BATS_TEST_TMPDIR/other" "other-$test_id"
	echo "$output"
	[[ $output == *"holds processes already"* || $output == *"exists already"* ]]
	oci exec "box-$test_id" true
}

# --- coming and going --------------------------------------------------------

# A thousand groups: tests/unit/cgroups-live.
@test "thirty containers come and go and leave no group behind" {
	local i

	make_bundle box '{ "pids": { "limit": 50 } }' true
	for ((i = 0; i < 30; i++)); do
		oci run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	done
	no_leftover_groups
}

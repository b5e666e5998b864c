#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cgroups: what cannot be done is refused with a sentence, and nothing stays
#
# Also natively on hosts with cgroup v1; what only one version refuses says so.

load ../lib/common
load bundle

setup()
{
	need_root
	need_program jq
	driver=cgroupfs
	need_controller memory
	need_controller cpu
	need_controller cpuset
	need_controller pids
}

# RESOURCES, a tab or more, words of the message in their order
refusals()
{
	cat <<-'END'
	{"memory":{"limit":-2}}				limit*-2
	{"memory":{"limit":9223372036854775808}}	limit
	{"memory":{"limit":1e30}}			limit
	{"memory":{"limit":"5"}}			limit
	{"memory":{"limit":4194304,"swap":4194303}}	swap*4194303
	{"memory":{"swap":67108864}}			memory*swap
	{"memory":{"limit":67108864,"reservation":67108865}}	reservation*67108865
	{"memory":{"swappiness":101}}			swappiness*101
	{"cpu":{"shares":1}}				cpu_shares*1*2..262144
	{"cpu":{"shares":262145}}			cpu_shares*262145
	{"cpu":{"shares":-1}}				shares
	{"cpu":{"quota":-2}}				quota*-2
	{"cpu":{"quota":999}}				cpu.*999
	{"cpu":{"period":999}}				period*999
	{"cpu":{"period":1000001}}			period*1000001
	{"cpu":{"quota":50000,"burst":50001}}		burst*50001
	{"cpu":{"idle":2}}				idle*2
	{"cpu":{"cpus":"0,4000"}}			cpuset.cpus*4000
	{"cpu":{"cpus":"none"}}				cpu*none
	{"cpu":{"mems":"0,900"}}			cpuset.mems*900
	{"pids":{"limit":-2}}				pids*-2
	{"pids":{"limit":4194305000000}}		pids.max*4194305000000
	{"blockIO":{"weight":9}}			weight*9*10..1000
	{"blockIO":{"weight":1001}}			weight*1001
	{"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":9,"rate":1}]}}	4000:9
	{"hugepageLimits":[{"pageSize":"3MB","limit":5}]}	hugetlb.3MB
	{"hugepageLimits":[{"pageSize":"../x","limit":5}]}	../x
	{"rdma":{"nothing":{"hcaHandles":3}}}		rdma
	{"unified":{"nothing.max":"1"}}			nothing.max
	{"unified":{"../memory.max":"1"}}		memory.max
	{"unified":{"cgroup.procs":"1"}}		cgroup.procs
	{"unified":{"misc.max":"nothing 5"}}		misc
	{"devices":[{"allow":true,"type":"x","access":"r"}]}	type
	{"devices":[{"allow":true,"type":"c","access":"rx"}]}	access
	END
}

@test "every limit that cannot be is refused by name, with every driver" {
	local resources words bad='' drivers=cgroupfs
	[ ! -d /run/systemd/system ] || drivers+=' systemd'
	for driver in $drivers; do
		while IFS=$'\t' read -r resources words; do
			words=${words##*$'\t'}
			make_bundle box "$resources" true
			run oci run --bundle "$BATS_TEST_TMPDIR/box" \
				"box-$test_id"
			# shellcheck disable=SC2053 # a pattern
			[[ $status -ne 0 && $output == *$words* ]] ||
				bad+="$driver: $resources: $status $output"$'\n'
			[[ $(wc -l <<<"$output") -eq 1 ]] ||
				bad+="$resources: more than a line"$'\n'
		done < <(refusals)
	done
	[ -z "$bad" ] || {
		echo "$bad" >&2
		return 1
	}
	no_leftover_groups
	[[ -z $(ls "$BATS_TEST_TMPDIR/oci") ]]
}

@test "a group that is frozen is refused, and stays frozen" {
	make_bundle box '{}' true
	start_bundle box '{}' sleep 1000
	oci pause "box-$test_id"
	cp -a "$BATS_TEST_TMPDIR/box" "$BATS_TEST_TMPDIR/other"
	oci_fails run --bundle "$BATS_TEST_TMPDIR/other" "other-$test_id"
	[[ $output == *"holds processes already"* ]]
	[[ $(oci state "box-$test_id" | jq -r .status) == paused ]]
	oci resume "box-$test_id"
	oci delete --force "box-$test_id"
	no_leftover_groups
}

@test "a group that somebody else made frozen is refused" {
	local group file
	for group in /sys/fs/cgroup/freezer /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[ ! -e "$group/cgroup.procs" ] || break
	done
	[ ! -e /sys/fs/cgroup/unified ] || group=/sys/fs/cgroup/unified
	mkdir -p "$group/moat-$test_id/box"
	file=$group/moat-$test_id/box/cgroup.freeze
	[ -e "$file" ] || skip_or_fail "needs a v2 tree"
	echo 1 >"$file"
	make_bundle box '{}' true
	oci_fails run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	[[ $output == *"is frozen"* ]]
	[[ $(cat "$file") == 1 ]]
	# It is not ours, and neither is its parent.
	rmdir "$group/moat-$test_id/box" "$group/moat-$test_id"
	no_leftover_groups
}

@test "a limit below what is in use is refused when it is to be checked" {
	# shellcheck disable=SC2016 # for perl
	start_bundle box '{ "memory": { "limit": 134217728 } }' perl -e '
		$x = "x" x (48 << 20); open F, ">/host/full"; close F; sleep'
	wait_for 20 test -e "$BATS_TEST_TMPDIR/full"
	run oci update --resources - "box-$test_id" <<<'{ "memory": {
		"limit": 16777216, "checkBeforeUpdate": true } }'
	[[ $status -ne 0 ]]
	[[ $output == *"is below"*"in use"* ]]
	oci exec "box-$test_id" true
	[[ $(group_file box memory.max memory.limit_in_bytes) == 134217728 ]]
}

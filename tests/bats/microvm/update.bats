#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# micro-VM: limits changed while it runs, its numbers, its pauses
#
# One guest serves all tests; what makes it is in setup_file.
#
# runs: native machine
# snapshot: kvm

load ../lib/common

bats_require_minimum_version 1.5.0

RAM=$((256 << 20))

setup_file()
{
	have_all || return 0
	vm=$(unique upd)
	export vm
	mkdir -p "$BATS_FILE_TMPDIR/bundle/rootfs" "$BATS_FILE_TMPDIR/scratch"
	make_bundle
	oci create --bundle "$BATS_FILE_TMPDIR/bundle" \
		--pid-file "$BATS_FILE_TMPDIR/pid" "$vm" \
		>"$BATS_FILE_TMPDIR/out" 2>&1 </dev/null 3>&-
	oci start "$vm"
}

teardown_file()
{
	oci delete --force "${vm:-none}"
	return 0
} >/dev/null 2>&1

have_all()
{
	[ "$(id -u)" -eq 0 ] && compgen -G '/boot/vmlinuz-*' &&
		command -v qemu-system-x86_64 jq &&
		has_controller memory && has_controller cpu
} >/dev/null

has_controller() # NAME
{
	grep -qsw "$1" /sys/fs/cgroup/cgroup.controllers ||
		[ -d "/sys/fs/cgroup/$1" ]
}

setup()
{
	need_root
	need_program qemu-system-x86_64 jq
	need_controller memory
	need_controller cpu
	need_kernel
}

oci()
{
	"$MOAT_BUILD/moat-oci" --root "$BATS_FILE_TMPDIR/oci" "$@"
}

make_bundle()
{
	cat >"$BATS_FILE_TMPDIR/bundle/config.json" <<-END
	{ "ociVersion": "1.0.2",
	  "process": { "args": [ "sleep", "1000" ], "cwd": "/",
	    "user": { "uid": 0, "gid": 0 },
	    "env": [ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" ] },
	  "root": { "path": "rootfs" },
	  "mounts": [
	    { "destination": "/proc", "type": "proc", "source": "proc" },
	    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
	    { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup" } ],
	  "annotations": { "moat.isolation": "vm", "moat.rootfs.layers": "/",
	    "moat.rootfs.scratch": "$BATS_FILE_TMPDIR/scratch" },
	  "linux": { "cgroupsPath": "/$vm",
	    "resources": { "memory": { "limit": $RAM },
	      "cpu": { "quota": 100000, "period": 100000 }, "pids": { "limit": 50 } },
	    "namespaces": [ { "type": "mount" }, { "type": "pid" },
	    { "type": "network" }, { "type": "ipc" }, { "type": "cgroup" } ] } }
	END
}

# A file of the environment's group on the host, by its names on v2 and v1.
host_limit() # CONTROLLER V2 V1
{
	if [ -e "/sys/fs/cgroup/$vm/$2" ]; then
		cat "/sys/fs/cgroup/$vm/$2"
	else
		cat "/sys/fs/cgroup/$1/$vm/$3"
	fi
}

in_guest() # FILE: of the program's own group
{
	oci exec "$vm" cat "/sys/fs/cgroup/$1" </dev/null
}

is_status() # STATUS
{
	[[ $(oci state "$vm" | jq -r .status) == "$1" ]]
}

@test "the host's group has room for the RAM and the overhead, the guest's for the limit" {
	overhead=$(((192 << 20) + RAM / 128))
	[[ $(host_limit memory memory.max memory.limit_in_bytes) -eq \
		$((RAM + overhead)) ]]
	[[ $(in_guest memory.max) -eq $RAM ]]
	[[ $(in_guest pids.max) -eq 50 ]]
}

@test "memory and processes are bounded anew in the guest" {
	before=$(host_limit memory memory.max memory.limit_in_bytes)
	oci update --memory 200m --pids-limit 30 "$vm"
	[[ $(in_guest memory.max) -eq $((200 << 20)) ]]
	[[ $(in_guest pids.max) -eq 30 ]]
	[[ $(host_limit memory memory.max memory.limit_in_bytes) -eq $before ]]
	oci update --memory -1 "$vm"
	[[ $(in_guest memory.max) == max ]]
}

@test "CPU time is bounded anew on the host" {
	oci update --cpu-quota 50000 "$vm"
	[[ $(host_limit cpu cpu.max cpu.cfs_quota_us) == 50000* ]]
	oci update --cpu-quota 100000 "$vm"
}

@test "more RAM or CPUs than the machine has are refused" {
	run oci update --memory 1g "$vm"
	[[ $status -ne 0 ]]
	[[ $output == *"the micro-VM has $RAM bytes of RAM"* ]]
	run oci update --cpu-quota 200000 "$vm"
	[[ $status -ne 0 ]]
	[[ $output == *"the micro-VM has 1 vCPUs"* ]]
	[[ $(host_limit cpu cpu.max cpu.cfs_quota_us) == 100000* ]]
}

@test "a limit that the guest's kernel refuses is an error with its words" {
	echo '{ "unified": { "no.such": "1" } }' >"$BATS_TEST_TMPDIR/limits"
	run oci update --resources "$BATS_TEST_TMPDIR/limits" "$vm"
	[[ $status -ne 0 ]]
	[[ $output == *no.such* ]]
	is_status running
}

@test "ps lists what serves the guest, its init first" {
	[[ $(oci ps --format json "$vm" | jq length) -ge 2 ]]
	[[ $(oci ps --format json "$vm" | jq ".[] | select(. == $(cat "$BATS_FILE_TMPDIR/pid"))") ]]
}

@test "events --stats counts the whole machine" {
	oci events --stats "$vm" >"$BATS_TEST_TMPDIR/stats"
	# A kernel and its initramfs are in it, and no more than the limit.
	jq -e '.data.memory.usage | .usage > 30000000 and .usage <= .limit' \
		"$BATS_TEST_TMPDIR/stats"
	jq -e '.data.cpu.usage.total > 0' "$BATS_TEST_TMPDIR/stats"
}

@test "a paused machine stands still and goes on" {
	oci pause "$vm"
	is_status paused
	run oci update --memory 100m "$vm"
	[[ $status -ne 0 ]]
	[[ $output == *"a paused guest cannot be asked"* ]]
	# What concerns the host alone can be done.
	oci update --cpu-quota 90000 "$vm"
	run oci exec "$vm" true </dev/null
	[[ $status -ne 0 ]]
	oci resume "$vm"
	is_status running
	oci exec "$vm" true </dev/null
}

@test "the clock is set after a pause" {
	oci pause "$vm"
	paused=$(date +%s)
	wait_for 20 is_later_than $((paused + 4))
	resumed=$(date +%s)
	oci resume "$vm"
	[[ $(oci exec "$vm" date +%s </dev/null) -ge $resumed ]]
}

is_later_than() # SECONDS
{
	[[ $(date +%s) -gt $1 ]]
}

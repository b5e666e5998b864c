#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cgroups: where a group may be, whose it is, and who is disturbed
#
# runs: machine

load ../lib/common
load bundle

setup()
{
	need_root
	need_cgroup2 cpu memory pids
	need_program jq perl
	driver=cgroupfs
	top=/sys/fs/cgroup/moat-$test_id
}

teardown()
{
	[ ! -e /sys/fs/cgroup/init.scope/cgroup.freeze ] ||
		echo 0 >/sys/fs/cgroup/init.scope/cgroup.freeze
	remove_leftovers
}

# change NAME FILTER [jq options]: its config.json
change()
{
	local file=$BATS_TEST_TMPDIR/$1/config.json filter=$2

	shift 2
	jq "$@" "$filter" "$file" >"$file.new"
	mv "$file.new" "$file"
}

run_in() # GROUP COMMAND...: as a member of it
{
	local group=$1

	shift
	# shellcheck disable=SC2016 # for the shell inside
	bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}

# --- neighbours --------------------------------------------------------------

@test "a neighbour keeps its processes and its controllers" {
	local pid
	mkdir -p "$top/neighbour"
	tail -f /dev/null 3>&- &
	pid=$!
	echo "$pid" >"$top/neighbour/cgroup.procs"
	run_bundle box '{ "pids": { "limit": 50 }, "cpu": { "shares": 512 },
		"memory": { "limit": 67108864 } }' true
	[[ $(cat "$top/neighbour/cgroup.procs") == "$pid" ]]
	[[ $(cat "$top/neighbour/cgroup.type") == domain ]]
	[[ $(cat "$top/neighbour/pids.max") == max ]]
	# The parent was there before.
	[[ ! -e $top/box && -d $top ]]
}

@test "beside threads of another process a container is refused" {
	mkdir -p "$top/threads"
	echo threaded >"$top/threads/cgroup.type"
	[[ $(cat "$top/cgroup.type") == "domain threaded" ]]
	make_bundle box '{}' true
	oci_fails run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	[[ $output == *"it lies below threads of another process"* ]]
	[[ ! -e $top/box ]]
	[[ $(cat "$top/threads/cgroup.type") == threaded ]]
}

@test "threads elsewhere in the tree are no hindrance" {
	mkdir -p "$top-threads/threads"
	echo threaded >"$top-threads/threads/cgroup.type"
	run_bundle box '{ "pids": { "limit": 50 },
		"memory": { "limit": 67108864 } }' true
	[[ $(cat "$top-threads/threads/cgroup.type") == threaded ]]
	[[ ! -e $top ]]
}

@test "a group that holds processes cannot be divided, and that is said" {
	mkdir "$top"
	tail -f /dev/null 3>&- &
	echo $! >"$top/cgroup.procs"
	make_bundle box '{ "pids": { "limit": 50 } }' true
	oci_fails run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	[[ $output == *"'$top' holds processes"*"'pids'"* ]]
	[[ ! -e $top/box && $(cat "$top/cgroup.procs") == "$!" ]]
}

# --- below the caller --------------------------------------------------------

@test "a relative path begins beside the caller when there are limits" {
	mkdir -p "$top/own"
	make_bundle box '{ "pids": { "limit": 50 } }' \
		sh -c 'cat /proc/self/cgroup'
	change box '.linux.cgroupsPath = "nested/box"'
	run_in "$top/own" "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id" \
		>"$BATS_TEST_TMPDIR/out"
	[[ $(cat "$BATS_TEST_TMPDIR/out") == "0::/moat-$test_id/nested/box" ]]
	[[ -d $top/own && ! -e $top/nested ]]
}

@test "where the caller may not make groups, limits are refused" {
	make_bundle box '{ "pids": { "limit": 50 } }' true
	change box '.linux.cgroupsPath = "/moat-'"$test_id"'/box"
		| .linux.namespaces += [ { "type": "user" } ]
		| .linux.uidMappings = [ { "containerID": 0, "hostID": 65534, "size": 1 } ]
		| .linux.gidMappings = .linux.uidMappings'
	chmod 755 "$BATS_TEST_TMPDIR"/../.. "$BATS_TEST_TMPDIR"
	mkdir -m 777 "$BATS_TEST_TMPDIR/oci"
	run setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci/nobody" \
		run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	[[ $status -ne 0 ]]
	[[ $output == *"make cgroup '$top"*"Permission denied"* ]]
}

# --- delegation --------------------------------------------------------------

@test "the user of a container may divide its group, and change no limit" {
	local more_mounts=', { "destination": "/sys/fs/cgroup", "type": "cgroup",
		"source": "cgroup", "options": [ "rw", "nosuid", "nodev" ] }'
	make_bundle box '{ "pids": { "limit": 50 } }' sh -c '
		cd /sys/fs/cgroup && mkdir a b && echo 1 >a/cgroup.procs &&
		echo +pids >cgroup.subtree_control && echo 10 >a/pids.max &&
		echo divided >/host/said
		echo 100 >pids.max || echo kept >>/host/said
		while [ ! -e /host/done ]; do sleep 0.05; done'
	change box '.linux.namespaces += [ { "type": "user" }, { "type": "cgroup" } ]
		| .linux.uidMappings = [ { "containerID": 0, "hostID": 100000, "size": 10 } ]
		| .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 "$BATS_TEST_TMPDIR/box/rootfs"
	chmod 777 "$BATS_TEST_TMPDIR"
	oci create --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id" \
		</dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
	[[ $(stat -c %u "$top/box" "$top/box/cgroup.procs" \
		"$top/box/cgroup.subtree_control" "$top/box/cgroup.threads" |
		sort -u) == 100000 ]]
	[[ $(stat -c %u "$top/box/pids.max" "$top/box/memory.max" \
		"$top/box/cgroup.freeze" "$top" | sort -u) == 0 ]]
	oci start "box-$test_id"
	wait_for 20 grep -q kept "$BATS_TEST_TMPDIR/said"
	grep -q divided "$BATS_TEST_TMPDIR/said"
	[[ $(cat "$top/box/pids.max" "$top/box/a/pids.max") == 50*10 ]]
	# Its groups below go with it.
	oci delete --force "box-$test_id"
	no_leftover_groups
}

@test "a group has every controller that the host has" {
	local driver
	for driver in cgroupfs systemd; do
		start_bundle "$driver" '{}' sleep 1000
		[[ $(group_file "$driver" cgroup.controllers) == \
			"$(cat /sys/fs/cgroup/cgroup.controllers)" ]]
		oci delete --force "$driver-$test_id"
	done
}

# Where exec's program is; the driver is cgroupfs.
joins() # FOLDER
{
	[[ $(oci exec "box-$test_id" cat /proc/self/cgroup) == "0::$1" ]]
}

@test "exec joins the container's group, or its init's where that is divided" {
	local box=$top/box
	make_bundle box '{}' sleep 1000
	change box '.linux.namespaces += [ { "type": "cgroup" } ]'
	oci create --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id" \
		</dev/null >/dev/null 2>&1 3>&-
	oci start "box-$test_id"
	joins /
	mkdir "$box/inner"
	cat "$box/cgroup.procs" >"$box/inner/cgroup.procs"
	joins /
	echo +memory >"$box/cgroup.subtree_control"
	joins /inner
	echo -memory >"$box/cgroup.subtree_control"
	joins /
	oci delete --force "box-$test_id"
	no_leftover_groups
}

# --- systemd of a user -------------------------------------------------------

@test "without root the user's systemd gives a group with limits" {
	local uid
	useradd --create-home "u$test_id"
	uid=$(id -u "u$test_id")
	loginctl enable-linger "u$test_id"
	wait_for 60 test -S "/run/user/$uid/systemd/private"
	# shellcheck disable=SC2016 # for the shell inside
	make_bundle box '{ "pids": { "limit": 33 },
		"memory": { "limit": 67108864, "swap": 67108864 } }' \
		sh -c 'cat /proc/self/cgroup; while [ ! -e /host/done ]; do sleep 0.05; done
			x=0123456789abcdef; while :; do x=$x$x; done'
	# shellcheck disable=SC2016 # for jq
	change box '.linux.cgroupsPath = ":moat:'"$test_id"'"
		| .linux.namespaces += [ { "type": "user" } ]
		| .linux.uidMappings = [ { "containerID": 0, "hostID": $u, "size": 1 } ]
		| .linux.gidMappings = .linux.uidMappings' --argjson u "$uid"
	chown -R "$uid:$uid" "$BATS_TEST_TMPDIR"
	chmod 755 "$BATS_TEST_TMPDIR"/../.. "$BATS_TEST_TMPDIR"
	setpriv --reuid "$uid" --regid "$uid" --init-groups \
		env XDG_RUNTIME_DIR="/run/user/$uid" \
		"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		--systemd-cgroup run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id" \
		</dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	local runner=$! scope
	wait_for 30 grep -q "0::" "$BATS_TEST_TMPDIR/out"
	scope=/sys/fs/cgroup$(sed -n 's/^0:://p' "$BATS_TEST_TMPDIR/out")
	[[ $scope == */user@"$uid".service/*/moat-"$test_id".scope ]]
	[[ $(cat "$scope/pids.max" "$scope/memory.max") == 33*67108864 ]]
	systemctl --user --machine "u$test_id@" daemon-reload
	[[ $(cat "$scope/pids.max" "$scope/memory.max") == 33*67108864 ]]
	touch "$BATS_TEST_TMPDIR/done"
	wait "$runner" || true
	wait_for 30 test ! -e "$scope"
	loginctl disable-linger "u$test_id"
}

# --- frozen groups -----------------------------------------------------------

# Cloned into one, the container would not take its first step.
@test "in a frozen group no container is started, with both drivers" {
	local group
	for driver in cgroupfs systemd; do
		make_bundle box '{}' true
		group=$top
		[[ $driver == cgroupfs ]] ||
			group=/sys/fs/cgroup/system.slice/moat-box-$test_id.scope
		mkdir "$group"
		echo 1 >"$group/cgroup.freeze"
		run timeout -k 1 100 "$MOAT_BUILD/moat-oci" \
			--root "$BATS_TEST_TMPDIR/oci" --cgroup-manager "$driver" \
			run --bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
		[[ $status -eq 1 ]]
		[[ $output == *"cgroup '$group' is frozen"* ]]
		[[ $driver == systemd || ! -e $group/box ]]
		rmdir "$group" || wait_for 10 test ! -e "$group"
	done
}

@test "a container in a frozen group counts as paused, and nobody joins it" {
	mkdir "$top"
	start_bundle box '{}' sleep 1000
	echo 1 >"$top/cgroup.freeze"
	wait_for 10 grep -q "frozen 1" "$top/box/cgroup.events"
	[[ $(oci state "box-$test_id" | jq -r .status) == paused ]]
	oci_fails exec "box-$test_id" true
	[[ $output == *"is paused"* ]]
	echo 0 >"$top/cgroup.freeze"
	oci exec "box-$test_id" true
}

# --- a systemd that does not answer ------------------------------------------

ended_with_1() # PID
{
	local status=0

	wait "$1" || status=$?
	[[ $status -eq 1 ]]
}

# PID 1 cannot be stopped by a signal; its group can be frozen.
@test "a systemd that does not answer is an error, not a wait without end" {
	local one two
	driver=systemd
	start_bundle box '{ "pids": { "limit": 50 } }' sleep 1000
	make_bundle other '{}' true
	echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze
	timeout 200 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		--systemd-cgroup run --bundle "$BATS_TEST_TMPDIR/other" \
		"other-$test_id" >"$BATS_TEST_TMPDIR/run.out" 2>&1 3>&- &
	one=$!
	timeout 200 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		update --pids-limit 60 "box-$test_id" \
		>"$BATS_TEST_TMPDIR/update.out" 2>&1 3>&- &
	two=$!
	ended_with_1 "$one"
	ended_with_1 "$two"
	grep -q "systemd does not answer" "$BATS_TEST_TMPDIR/run.out"
	grep -q "systemd does not answer" "$BATS_TEST_TMPDIR/update.out"
	# What was written before systemd was asked is as it was.
	[[ $(group_file box pids.max) == 50 ]]
	[[ ! -e $BATS_TEST_TMPDIR/oci/other-$test_id ]]
	echo 0 >/sys/fs/cgroup/init.scope/cgroup.freeze
	oci exec "box-$test_id" true
}

@test "without systemd's sockets its driver says where it looked" {
	export driver=systemd
	make_bundle box '{}' true
	run unshare --mount sh -c '
		mount -t tmpfs none /run/systemd && mount -t tmpfs none /run/dbus &&
		exec "$@"' - "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" --systemd-cgroup run \
		--bundle "$BATS_TEST_TMPDIR/box" "box-$test_id"
	[[ $status -ne 0 ]]
	[[ $output == *"systemd is not to be reached"*"cgroupfs driver"* ]]
	[[ ! -e $BATS_TEST_TMPDIR/oci/box-$test_id ]]
}

# --- pages -------------------------------------------------------------------

@test "huge pages stop at their limit" {
	need_cgroup2 hugetlb
	export more_mounts=', { "destination": "/tmp", "type": "hugetlbfs",
		"source": "none", "options": [ "pagesize=2M" ] }'
	echo 8 >/proc/sys/vm/nr_hugepages
	[[ $(cat /proc/sys/vm/nr_hugepages) -eq 8 ]]
	run_bundle box '{ "hugepageLimits": [ { "pageSize": "2MB", "limit": 4194304 } ] }' \
		fallocate -l 4M /tmp/file
	run run_bundle box '{ "hugepageLimits": [ { "pageSize": "2MB", "limit": 4194304 } ] }' \
		fallocate -l 6M /tmp/file
	[[ $status -ne 0 ]]
	[[ $output == *"No space left"* ]]
	echo 0 >/proc/sys/vm/nr_hugepages
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What a test leaves is removed after it, and nothing else is.

bats_require_minimum_version 1.5.0
load ../lib/common

setup()
{
	need_root
	mine=$BATS_TEST_TMPDIR/mine other=$BATS_TEST_TMPDIR/other
	mkdir -p "$mine/a b/c" "$other"
}

sweep()
{
	"$MOAT_HELPERS/tests/bats/lib/sweep" "$mine" "$(unique mine)"
}

is_tail() # PID: not the shell any more that it was
{
	grep -qs '^Name:[[:space:]]*tail' "/proc/$1/status"
}

# wait_for: a process that was killed
ended() # PID
{
	! grep -qs '^State:[[:space:]]*[^Z]' "/proc/$1/status"
}

@test "processes on files of the folder are killed, others are not" {
	cp "$(type -P tail)" "$mine/tail"
	"$mine/tail" -f /dev/null 3>&- & # its program, and its words
	first=$!
	(cd "$mine/a b" && exec tail -f /dev/null 3>&-) & # its folder
	second=$!
	touch "$mine/file"
	tail -f "$mine/file" 3>&- & # its words alone
	third=$!
	(cd "$other" && exec tail -f /dev/null 3>&-) &
	foreign=$!
	for pid in "$first" "$second" "$third" "$foreign"; do
		wait_for 5 is_tail "$pid"
	done
	sweep
	for pid in "$first" "$second" "$third"; do
		wait_for 5 ended "$pid"
	done
	is_tail "$foreign"
	kill "$foreign"
}

@test "mounts below the folder go, the upper first, others stay" {
	mount -t tmpfs mine "$mine/a b"
	mkdir "$mine/a b/c"
	mount -t tmpfs mine "$mine/a b/c"
	mount -t tmpfs other "$other"
	sweep
	grep -qF "$other" /proc/self/mountinfo
	run ! grep -F "$mine" /proc/self/mountinfo
}

@test "cgroups of the name go with those in them" {
	group=/sys/fs/cgroup
	[ -e $group/cgroup.procs ] || group=$group/pids
	[ -e $group/cgroup.procs ] || skip_or_fail "needs cgroups"
	mkdir -p "$group/$(unique mine)/below" "$group/$(unique other)"
	tail -f /dev/null 3>&- &
	pid=$!
	echo $pid >"$group/$(unique mine)/below/cgroup.procs"
	sweep
	[ ! -d "$group/$(unique mine)" ]
	[ -d "$group/$(unique other)" ]
	wait_for 5 ended "$pid"
}

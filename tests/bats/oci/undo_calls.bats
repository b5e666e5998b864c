#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# undo_calls: commands that fail or are killed at whatever system call
#
# They are run under strace, which takes too long in the machine.
#
# runs: native
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

# A test is some hundred commands.
export BATS_TEST_TIMEOUT=400

setup()
{
	need_root
	need_program strace nsenter unshare
	host_of_few_hierarchies
	bundle
	need_controller pids
	edit '.linux.resources.pids.limit = 99'
}

teardown()
{
	remove_leftovers
	[[ -z ${host-} ]] || kill "$host"
}

no_processes_left()
{
	local file

	# Those that nobody has reaped yet have no command line.
	while read -r file; do
		[ -z "$(tr -d '\0' <"${file%/cgroup}/cmdline")" ] || return 1
	done < <(grep -lsF "$id" /proc/[0-9]*/cgroup)
} 2>/dev/null

# Which of them are tried: one of each kind that a create is made of, and what a
# run has besides.
create_calls="openat openat2 mkdirat mkdir renameat clone3 socketpair recvmsg sendmsg
	fsopen fsmount move_mount open_tree mount_setattr mount pivot_root
	epoll_ctl capset prctl close_range"
run_calls="mkdirat clone3 socketpair recvmsg sendmsg epoll_ctl epoll_wait
	signalfd4 rmdir"

# Of the hierarchies of cgroup v1 a few are enough: what goes on in the others
# is the same once more, and there would be more calls than are tried. The
# runtime's host is a mount namespace without them, which $host holds.
host_of_few_hierarchies()
{
	unshare --mount --propagation private bash -c '
		umount -l /sys/fs/cgroup/{blkio,cpu,cpuacct,devices,freezer,systemd} \
			2>/dev/null
		: >"$1"
		exec sleep 1000' - "$BATS_TEST_TMPDIR/host" \
		</dev/null >/dev/null 2>&1 3>&- &
	host=$!
	wait_for 10 test -e "$BATS_TEST_TMPDIR/host"
}

on_host() # COMMAND...
{
	nsenter --mount --target "$host" -- "$@"
}

moat_oci()
{
	on_host "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" "$@"
}

# The nth call of a kind goes wrong, in the runtime or in the child it makes.
# strace is not waited for: a container that was created is its business too.
with_fault() # CALL FAULT N COMMAND...
{
	local call=$1 fault=$2 n=$3

	shift 3
	status=0
	on_host timeout -k 5 100 \
		strace -D -f -qq -o "$bundle/trace" -e trace="$call" \
		-e inject="$call:$fault:when=$n" "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" "$@" \
		</dev/null >"$bundle/said" 2>&1 3>&- || status=$?
}

# There were so many calls; known when all that strace looks at has ended, but
# for a container.
was_injected()
{
	is created || wait_for 10 not_traced
	grep -q -e INJECTED -e 'killed by SIGKILL' "$bundle/trace"
}

not_traced()
{
	! pgrep -f "^strace .*$bundle/trace" >/dev/null
}

gone_after_delete() # WHAT
{
	moat_oci delete --force "$id" 3>&-
	if ! nothing_left || grep -F " $bundle/" "/proc/$host/mountinfo" ||
		! wait_for 10 no_processes_left; then
		echo "left behind: $1" >&2
		return 1
	fi
}

# Each of the calls, as often as the command makes it. What is to be there is
# made before each, and is gone after it.
each_call() # FAULT CHECK PREPARE CALLS COMMAND...
{
	local fault=$1 check=$2 prepare=$3 calls=$4 call n tried=0

	shift 4
	for call in $calls; do
		for n in {1..40}; do
			"$prepare"
			with_fault "$call" "$fault" "$n" "$@"
			was_injected || break
			tried=$((tried + 1))
			"$check" "$call $n" || {
				cat "$bundle/said" >&2
				return 1
			}
			gone_after_delete "$call $n"
		done
		gone_after_delete "$call at last"
	done
	echo "$tried calls"
	[[ $tried -gt 10 ]]
}

# Some can be done without, and that is no failure.
says_so() # WHAT
{
	[[ $status -ne 124 && $status -lt 128 ]] || {
		echo "$1: status $status" >&2
		return 1
	}
	[[ $status -eq 0 ]] || grep -q "^moat-oci: " "$bundle/said" || {
		echo "$1: status $status, and not a word" >&2
		return 1
	}
}

is_over() # WHAT
{
	[[ $status -ne 124 ]] || {
		echo "$1: it hangs" >&2
		return 1
	}
}

nothing()
{
	:
}

created()
{
	create 3>&-
}

running()
{
	program sleep 1000
	start 3>&-
}

@test "whatever system call fails, a run ends with a sentence" {
	each_call error=ENOMEM says_so nothing "$run_calls" \
		run --bundle "$bundle" "$id"
}

@test "whatever system call it is killed in, a run can be deleted" {
	each_call signal=SIGKILL is_over nothing "$run_calls" \
		run --bundle "$bundle" "$id"
}

# All of it or nothing.
is_created_or_not() # WHAT
{
	says_so "$1" || return
	if [[ $status -eq 0 ]]; then
		is created
	else
		nothing_left
	fi || {
		echo "half of it is there: $1" >&2
		return 1
	}
}

@test "whatever system call fails, a create ends with a sentence" {
	each_call error=ENOMEM is_created_or_not nothing "$create_calls" \
		create --bundle "$bundle" "$id"
}

@test "whatever system call it is killed in, a create can be deleted" {
	each_call signal=SIGKILL is_over nothing "$create_calls" \
		create --bundle "$bundle" "$id"
}

@test "whatever system call it is killed in, no mount is left on the host" {
	no_namespace mount
	each_call signal=SIGKILL is_over nothing "move_mount mkdirat chroot openat
		openat2" create --bundle "$bundle" "$id"
}

@test "whatever system call it is killed in, a start can be deleted" {
	each_call signal=SIGKILL is_over created \
		"openat openat2 read write renameat pidfd_open flock poll" \
		start "$id"
}

@test "whatever system call it is killed in, a delete can be repeated" {
	each_call signal=SIGKILL is_over running \
		"openat openat2 unlinkat rmdir write renameat pidfd_open
		pidfd_send_signal flock poll" delete --force "$id"
}

# The container goes on, and takes the next one.
takes_another() # WHAT
{
	is_over "$1" && [[ $(state) == running ]] && in_it true
}

@test "whatever system call an exec is killed in, the container goes on" {
	each_call signal=SIGKILL takes_another running \
		"openat clone3 setns socketpair recvmsg sendmsg prctl capset
		close_range" exec "$id" true
}

# All of it or nothing.
old_or_new() # WHAT
{
	local now

	says_so "$1"
	now=$(group_value pids.max)/$(group_value memory.limit_in_bytes memory.max)
	if [[ $status -eq 0 ]]; then
		[[ $now == 55/134217728 ]]
	else
		[[ $now == 99/67108864 ]]
	fi || {
		echo "$1: status $status, $now" >&2
		return 1
	}
}

group_value() # FILE...: of the container's group
{
	local file

	for file; do
		find /sys/fs/cgroup -path "*$id/$file" -exec cat {} +
	done
}

@test "whatever system call fails, an update does all or nothing" {
	need_controller memory
	edit '.linux.resources.memory.limit = 67108864'
	each_call error=ENOMEM old_or_new running "openat openat2 write renameat" \
		update --cpuset-cpus 0 --pids-limit 55 --memory 134217728 "$id"
}

# It makes the child and tells its name; the child sends by sendmsg what is
# expected after that. (In a v1 group it would wait to be put there.)
@test "an intermediate process that is slow says its word before the child" {
	status=0
	namespace pid /proc/$$/ns/pid
	edit '.process.terminal = true | .mounts += [ { destination: "/dev/pts",
		type: "devpts", source: "devpts", options: [ "newinstance" ] } ]'
	timeout -k 5 60 strace -f -qq -o /dev/null -e trace=write \
		-e inject=write:delay_enter=300000 "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" --cgroup-manager disabled run --bundle "$bundle" "$id" \
		</dev/null >"$bundle/said" 2>&1 3>&- || status=$?
	cat "$bundle/said"
	[[ $status -eq 0 ]]
}

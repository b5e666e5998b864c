#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# undo_calls: a run that fails or is killed at whatever system call
#
# Some hundred runs under strace, which take minutes in the machine.
#
# runs: native
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

setup()
{
	need_root
	need_program strace
	bundle
	need_controller pids
	edit '.linux.resources.pids.limit = 99'
}

no_processes_left()
{
	local file

	# Those that nobody has reaped yet have no command line.
	while read -r file; do
		[ -z "$(tr -d '\0' <"${file%/cgroup}/cmdline")" ] || return 1
	done < <(grep -lsF "$id" /proc/[0-9]*/cgroup)
} 2>/dev/null

# Which of them are tried: one of each kind that a run is made of.
calls="openat openat2 mkdirat mkdir renameat clone3 socketpair recvmsg sendmsg
	fsopen fsmount move_mount open_tree mount_setattr mount pivot_root
	epoll_ctl capset prctl close_range"

# The nth call of a kind goes wrong, in the runtime or in the child it makes.
# False when there are not so many.
with_fault() # CALL FAULT N
{
	status=0
	timeout -k 5 100 strace -f -qq -o "$bundle/trace" -e trace="$1" \
		-e inject="$1:$2:when=$3" "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" run --bundle "$bundle" "$id" \
		</dev/null >"$bundle/said" 2>&1 3>&- || status=$?
	grep -q -e INJECTED -e 'killed by SIGKILL' "$bundle/trace"
}

gone_after_delete() # WHAT
{
	moat_oci delete --force "$id" 3>&-
	if ! nothing_left || ! wait_for 10 no_processes_left; then
		echo "left behind: $1" >&2
		return 1
	fi
}

each_call() # FAULT CHECK
{
	local call n tried=0

	for call in $calls; do
		for n in {1..40}; do
			with_fault "$call" "$1" "$n" || break
			tried=$((tried + 1))
			"$2" "$call $n" || {
				cat "$bundle/said" >&2
				return 1
			}
			gone_after_delete "$call $n"
		done
	done
	[[ $tried -gt 50 ]]
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

@test "whatever system call fails, a run ends with a sentence" {
	each_call error=ENOMEM says_so
}

@test "whatever system call it is killed in, a run can be deleted" {
	each_call signal=SIGKILL is_over
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

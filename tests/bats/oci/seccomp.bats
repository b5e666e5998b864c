#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# seccomp: what a profile forbids, and who is asked
#
# runs: native machine
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

setup()
{
	need_root
	bundle
}

# profile FILTER: all is allowed but what the jq filter says
profile()
{
	edit '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW" }'
	edit ".linux.seccomp |= (. + $1)"
}

# One rule for mkdir, which the busybox may call by either name.
rule()
{
	profile "{ syscalls: [ { names: [ \"mkdir\", \"mkdirat\" ] } + $1 ] }"
}

@test "an action refuses a system call, with the errno it names" {
	rule '{ action: "SCMP_ACT_ERRNO" }'
	run inside 'mkdir /made'
	says "Operation not permitted"
	rule '{ action: "SCMP_ACT_ERRNO", errnoRet: 74 }'
	run inside 'mkdir /made'
	says "Bad message"
	[[ ! -e $bundle/rootfs/made ]]
	grep -qx 'Seccomp:.2' <(inside 'grep ^Seccomp: /proc/self/status')
	edit 'del(.linux.seccomp)'
	inside 'mkdir /made'
}

@test "actions that kill do so" {
	no_namespace pid
	rule '{ action: "SCMP_ACT_KILL_PROCESS" }'
	program /bin/mkdir /made
	run run_container
	[[ $status -eq $((128 + 31)) ]]
	for action in SCMP_ACT_KILL SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP; do
		edit --arg a "$action" '.linux.seccomp.syscalls[0].action = $a'
		run run_container
		[[ $status -eq $((128 + 31)) ]]
	done
	edit '.linux.seccomp.syscalls[0].action = "SCMP_ACT_LOG"'
	run_container
	edit '.linux.seccomp.syscalls[0].action = "SCMP_ACT_TRACE"'
	rmdir "$bundle/rootfs/made"
	run run_container
	says "Function not implemented"
}

@test "a program is found under a profile that kills who looks at files" {
	profile '{ syscalls: [ { names: [ "stat", "lstat", "newfstatat", "statx",
		"faccessat", "faccessat2" ], action: "SCMP_ACT_KILL_PROCESS" } ] }'
	program true
	run_container
	program /bin/true
	run_container
}

@test "the default action is for all that has no rule" {
	# All a shell needs but mkdir.
	edit '.linux.seccomp = { defaultAction: "SCMP_ACT_ERRNO",
		defaultErrnoRet: 75, syscalls: [ { action: "SCMP_ACT_ALLOW", names:
		[ "access", "arch_prctl", "brk", "chdir", "clone", "close", "dup2",
		"execve", "exit", "exit_group", "fcntl", "fork", "fstat", "futex",
		"getcwd", "getegid", "geteuid", "getgid", "getpid", "getppid",
		"getrandom", "getuid", "ioctl", "lseek", "lstat", "mmap", "mprotect",
		"mremap", "munmap", "newfstatat", "open", "openat", "poll",
		"prlimit64", "read", "readlink", "readlinkat", "rseq",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sendmsg",
		"recvmsg", "setgid", "setgroups", "setuid", "setresuid", "setresgid",
		"set_robust_list", "set_tid_address", "sigaltstack", "stat", "statx",
		"umask", "vfork", "wait4", "write", "writev", "capset", "capget",
		"prctl", "fchown", "faccessat", "faccessat2" ] } ] }'
	run inside 'mkdir /made; echo end'
	says "Value too large"
	says end
}

@test "arguments are compared in every way" {
	local op

	# kill -0 PID does kill(2) with signal 0; kill -WINCH with 28 = 0x1c.
	while read -r op value two zero winch; do
		profile "{ syscalls: [ { names: [ \"kill\" ], errnoRet: 74,
			action: \"SCMP_ACT_ERRNO\", args: [ { index: 1, op: \"$op\",
			value: $value, valueTwo: $two } ] } ] }"
		run inside 'kill -0 $$ 2>/dev/null; echo $?
			kill -WINCH $$ 2>/dev/null; echo $?'
		[[ ${lines[0]} == "$zero" && ${lines[1]} == "$winch" ]] || {
			echo "$op $value $two: $output" >&2
			return 1
		}
	done <<-'END'
		SCMP_CMP_EQ 28 0 0 1
		SCMP_CMP_NE 28 0 1 0
		SCMP_CMP_LT 28 0 1 0
		SCMP_CMP_LE 28 0 1 1
		SCMP_CMP_GT 0 0 0 1
		SCMP_CMP_GE 28 0 0 1
		SCMP_CMP_MASKED_EQ 12 12 0 1
	END
}

@test "several conditions on one argument are alternatives, as in runc" {
	profile '{ syscalls: [ { names: [ "kill" ], errnoRet: 74,
		action: "SCMP_ACT_ERRNO", args: [
		{ index: 1, op: "SCMP_CMP_EQ", value: 0 },
		{ index: 1, op: "SCMP_CMP_EQ", value: 28 } ] } ] }'
	run inside 'kill -0 $$ 2>/dev/null; echo $?
		kill -WINCH $$ 2>/dev/null; echo $?; kill -URG $$; echo $?'
	[[ $(xargs <<<"$output") == "1 1 0" ]]
}

# A number no kernel has: libseccomp of today does not know it, so that the
# profile cannot mean it.
@test "system calls newer than the profile answer ENOSYS" {
	need_program python3
	rule '{ action: "SCMP_ACT_ERRNO", errnoRet: 74 }'
	edit '.linux.seccomp.defaultAction = "SCMP_ACT_ERRNO" |
		.linux.seccomp.syscalls += [ { action: "SCMP_ACT_ALLOW", names:
		[ "read", "write", "close", "fstat", "lseek", "mmap", "mprotect",
		"munmap", "brk", "rt_sigaction", "rt_sigprocmask", "ioctl", "pread64",
		"access", "execve", "exit_group", "getpid", "prctl", "arch_prctl",
		"openat", "newfstatat", "futex", "set_tid_address", "readlink",
		"set_robust_list", "prlimit64", "getrandom", "rseq", "sysinfo",
		"getuid", "geteuid", "getgid", "getegid", "dup", "fcntl",
		"getdents64", "getcwd", "gettid", "stat", "lstat", "capset", "capget",
		"setgroups", "setresuid", "setresgid", "setuid", "setgid", "sendmsg",
		"recvmsg", "chdir", "fchown", "epoll_create1", "sigaltstack",
		"statx", "faccessat", "faccessat2", "poll", "umask" ] } ]'
	edit '.mounts += [ "/usr", "/lib", "/lib64" | { destination: .,
		source: ., type: "bind", options: [ "rbind", "ro" ] } ]'
	program /usr/bin/python3 -SsE -c 'import ctypes, errno
c = ctypes.CDLL(None, use_errno=True)
for n in (165, 600):
    c.syscall(n)
    print(errno.errorcode[ctypes.get_errno()])'
	[[ $(run_container | xargs) == "EPERM ENOSYS" ]]
}

@test "flags and architectures are taken, unknown ones refused" {
	rule '{ action: "SCMP_ACT_ERRNO", errnoRet: 74 }'
	edit '.linux.seccomp.flags = [ "SECCOMP_FILTER_FLAG_LOG",
		"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC" ] |
		.linux.seccomp.architectures = [ "SCMP_ARCH_X86_64",
		"SCMP_ARCH_X86", "SCMP_ARCH_X32" ]'
	run inside 'mkdir /made; grep Speculation_Store /proc/self/status'
	says "Bad message"
	[[ $output != *"force mitigated"* ]]
	refuses '.linux.seccomp.flags = [ "X" ]' "linux: seccomp: unknown flag 'X'"
	refuses '.linux.seccomp.architectures = [ "SCMP_ARCH_X" ]' \
		"linux: seccomp: "
	refuses '.linux.seccomp.defaultAction = "X"' "linux: seccomp: "
	refuses '.linux.seccomp.syscalls[0].action = "X"' \
		"linux: seccomp: "
	refuses '.linux.seccomp.syscalls[0].names = []' \
		"linux: seccomp: "
	refuses '.linux.seccomp.syscalls[0].args = [ { index: 6, value: 1,
		op: "SCMP_CMP_EQ" } ]' "linux: seccomp: "
	refuses '.linux.seccomp.syscalls[0].args = [ { index: 0, value: 1,
		op: "X" } ]' "linux: seccomp: "
}

@test "system calls that nobody knows are passed over" {
	profile '{ syscalls: [ { names: [ "of_tomorrow", "mkdir", "mkdirat" ],
		action: "SCMP_ACT_ERRNO", errnoRet: 74 } ] }'
	run inside 'mkdir /made'
	says "Bad message"
}

@test "a profile holds for users, and after noNewPrivileges" {
	rule '{ action: "SCMP_ACT_ERRNO", errnoRet: 74 }'
	edit '.process.user.uid = 7'
	chmod 777 "$bundle/rootfs"
	run inside 'mkdir /made'
	says "Bad message"
	edit '.process.noNewPrivileges = true'
	run inside 'mkdir /made'
	says "Bad message"
}

@test "a listener answers, and knows whom" {
	need_program python3
	helper listener "$BATS_TEST_TMPDIR/socket" >"$bundle/said" 3>&- &
	receiver=$!
	wait_for 10 test -S "$BATS_TEST_TMPDIR/socket"
	rule '{ action: "SCMP_ACT_NOTIFY" }'
	edit --arg path "$BATS_TEST_TMPDIR/socket" '.annotations = { a: "b" } |
		.linux.seccomp |= (.listenerPath = $path |
		.listenerMetadata = "some words")'
	script 'mkdir /made; sleep 1000'
	start
	wait_for 10 has seccompFd "$bundle/said"
	jq -e --arg id "$id" --argjson pid "$(pid)" '.fds == [ "seccompFd" ] and
		.pid == $pid and .metadata == "some words" and .state.id == $id and
		.state.annotations == { a: "b" } and .state.status == "creating" and
		(.ociVersion | startswith("1."))' "$bundle/said"
	# 77 is EBADFD: it was the listener that answered.
	wait_for 10 has "descriptor in bad state" "$bundle/output"
	run in_it mkdir /made
	says "descriptor in bad state"
	moat_oci delete --force "$id"
	wait "$receiver"
}

@test "a listener that is not there is an error, and nothing stays" {
	rule '{ action: "SCMP_ACT_NOTIFY" }'
	edit --arg path "$BATS_TEST_TMPDIR/nobody" \
		'.linux.seccomp.listenerPath = $path'
	refused
	says "seccomp listener: "
	nothing_left
	refuses 'del(.linux.seccomp.listenerPath)' "linux: seccomp: "
}

# Not once only, for what is compiled is kept.
@test "an unknown system call is told where all else is let through" {
	local action

	for _ in 1 2; do
		profile '{ syscalls: [ { names: [ "no_such_call", "mkdir", "mkdirat" ],
			action: "SCMP_ACT_ERRNO" } ] }'
		run inside 'mkdir /made'
		says "warning: seccomp: unknown system call 'no_such_call' is left out"
		says "Operation not permitted"
	done
	for action in SCMP_ACT_ALLOW SCMP_ACT_LOG; do
		edit --arg a "$action" '.linux.seccomp.syscalls[0].action = $a'
		[[ -z $(inside true 2>&1) ]]
	done
}

@test "metadata without a listener is refused" {
	profile '{ listenerMetadata: "x" }'
	refused
	says "linux: seccomp: listenerMetadata without a listenerPath"
}

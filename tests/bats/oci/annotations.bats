#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# annotations: those of crun, "run.oci.*", that mean something here as well
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

note() # NAME VALUE: one more, of crun's
{
	edit --arg k "run.oci.$1" --arg v "$2" '.annotations[$k] = $v'
}

# As podman's --group-add keep-groups has it.
with_groups() # GROUPS COMMAND...
{
	local groups=$1

	shift
	setpriv --groups "$groups" "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" "$@"
}

@test "keep_original_groups leaves the program the groups of the caller" {
	need_program setpriv
	edit '.process.user.additionalGids = [ 5 ]'
	program /bin/id -G
	[[ $(with_groups 77,78 run --bundle "$bundle" "$id") == "0 5" ]]
	note keep_original_groups 0
	[[ $(with_groups 77,78 run --bundle "$bundle" "$id") == "0 5" ]]
	note keep_original_groups 1
	[[ $(with_groups 77,78 run --bundle "$bundle" "$id") == "0 77 78" ]]
}

@test "keep_original_groups holds for exec, with a process.json too" {
	need_program setpriv
	note keep_original_groups 1
	start_idle
	[[ $(with_groups 77 exec "$id" /bin/id -G) == "0 77" ]]
	echo '{ "args": [ "/bin/id", "-G" ], "cwd": "/",
		"user": { "uid": 0, "gid": 0, "additionalGids": [ 5 ] } }' \
		>"$bundle/process.json"
	[[ $(with_groups 78 exec --process "$bundle/process.json" "$id") == "0 78" ]]
}

hook() # KIND SCRIPT
{
	edit --arg kind "$1" --arg script "$2" '.hooks[$kind] += [ {
		path: "/bin/sh", args: [ "sh", "-c", $script ] } ]'
}

@test "hooks.stdout and hooks.stderr take what all hooks say" {
	local kind

	for kind in prestart createRuntime createContainer startContainer \
		poststart poststop; do
		hook "$kind" "echo $kind; echo no $kind >&2"
	done
	echo before >"$bundle/out"
	note hooks.stdout "$bundle/out"
	note hooks.stderr "$bundle/err"
	create
	moat_oci start "$id"
	moat_oci delete --force "$id"
	[[ $(xargs <"$bundle/out") == "before prestart createRuntime createContainer startContainer poststart poststop" ]]
	[[ $(xargs <"$bundle/err") == "no prestart no createRuntime no createContainer no startContainer no poststart no poststop" ]]
}

@test "what hooks would write to must be there, and be read" {
	hook createRuntime 'echo said'
	note hooks.stdout /no/such/folder/out
	refused
	says "output of hooks: open '/no/such/folder/out'"
	mkfifo "$bundle/fifo"
	note hooks.stdout "$bundle/fifo"
	refused
	says "output of hooks: open '$bundle/fifo'"
	note hooks.stdout relative
	refused
	says "run.oci.hooks.stdout: 'relative' is not an absolute path"
	nothing_left
}

@test "the program has no descriptor of the hooks' files" {
	hook startContainer 'echo said'
	note hooks.stdout "$bundle/out"
	[[ $(inside 'ls /proc/self/fd | wc -l') -eq 4 ]]
	[[ $(cat "$bundle/out") == said ]]
}

@test "seccomp_fail_unknown_syscall refuses what nobody knows" {
	edit '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{ names: [ "no_such_call" ], action: "SCMP_ACT_LOG" } ] }'
	run_container
	note seccomp_fail_unknown_syscall 0
	run_container
	note seccomp_fail_unknown_syscall 1
	refused
	says "seccomp: syscalls: [0]: unknown system call 'no_such_call'"
}

@test "seccomp.receiver is a listenerPath, where there is none" {
	need_program python3
	helper listener "$BATS_TEST_TMPDIR/socket" >"$bundle/said" 3>&- &
	receiver=$!
	wait_for 10 test -S "$BATS_TEST_TMPDIR/socket"
	edit '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ {
		names: [ "mkdir", "mkdirat" ], action: "SCMP_ACT_NOTIFY" } ] }'
	refused
	says "needs a listenerPath"
	note seccomp.receiver "$BATS_TEST_TMPDIR/socket"
	script 'mkdir /made'
	run run_container
	says "descriptor in bad state"
	wait "$receiver"
}

@test "seccomp_bpf_data is refused, for it would not be loaded" {
	note seccomp_bpf_data AAAA
	refused
	says "run.oci.seccomp_bpf_data: only linux.seccomp is a filter"
}

@test "timens_offset shifts a clock of the time namespace" {
	note timens_offset "boottime 1000000 0"
	refused
	says "run.oci.timens_offset: only a new time namespace can have it"
	namespace time
	inside 'cat /proc/self/timens_offsets' >"$bundle/said"
	grep -qE 'boottime +1000000 +0$' "$bundle/said"
	note timens_offset "1 172800 5"
	inside 'cat /proc/self/timens_offsets' >"$bundle/said"
	grep -qE 'monotonic +172800 +5$' "$bundle/said"
	note timens_offset "1 172800"
	refused
	says "'1 172800' is not CLOCK SECONDS NANOSECONDS"
	note timens_offset "realtime 1 0"
	refused
	says "'realtime' is not one of monotonic, boottime"
	edit '.linux.timeOffsets = { boottime: { secs: 1 } }'
	refused
	says "annotation run.oci.timens_offset says another one"
}

@test "pidfd_receiver gets a pidfd of the init, and none of an exec" {
	helper pidfd "$BATS_TEST_TMPDIR/socket" >"$bundle/got" 3>&- &
	receiver=$!
	wait_for 10 test -S "$BATS_TEST_TMPDIR/socket"
	note pidfd_receiver "$BATS_TEST_TMPDIR/socket"
	start_idle
	wait "$receiver"
	[[ $(cut -d ' ' -f 2 "$bundle/got") == "$(pid)" ]]
	# Nobody listens any more.
	in_it /bin/true
}

@test "handler krun is a micro-VM, unless isolation is said; others are refused" {
	note handler krun
	moat_oci plan --bundle "$bundle" | jq -e '.isolation == "vm"'
	edit '.annotations["moat.isolation"] = "container"'
	moat_oci plan --bundle "$bundle" | jq -e '.isolation == "container"'
	note handler wasm
	refused
	says "run.oci.handler: 'wasm' is not krun"
}

@test "others of crun are told to have no effect, and go on" {
	note mount_context_type context
	note delegate-cgroup sub
	note systemd.subgroup ""
	run run_container
	[[ $status -eq 0 && ${#lines[@]} -eq 2 ]]
	says "warning: annotation 'run.oci.mount_context_type' is not known and has no effect"
	says "warning: annotation 'run.oci.delegate-cgroup' is not known and has no effect"
	note systemd.subgroup container
	run run_container
	says "warning: annotation 'run.oci.systemd.subgroup': no group is made in the scope"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# undo: whatever fails or is killed leaves nothing, or what delete --force takes
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
	edit '.linux.resources.pids.limit = 99'
	need_controller pids
}

# Processes of the container, but for those that nobody has reaped yet.
processes_left()
{
	local file

	grep -lsF "$id" /proc/[0-9]*/cgroup | while read -r file; do
		[ -z "$(tr -d '\0' <"${file%/cgroup}/cmdline")" ] || echo "$file"
	done
} 2>/dev/null

cleaned()
{
	moat_oci delete --force "$id"
	nothing_left || return 1
	no_processes_left
	# The name is free again.
	edit 'del(.hooks)'
	program /bin/true
	run_container
	nothing_left
}

no_processes_left()
{
	[ -z "$(processes_left)" ]
}

# Hooks are moments at which the runtime is known to wait.
killed_in() # KIND
{
	edit --arg k "$1" '.hooks[$k] = [ { path: "/bin/sh",
		args: [ "sh", "-c", "kill -KILL $PPID; exec sleep 1000" ] } ]'
	run moat_oci "$2" --bundle "$bundle" "$id" </dev/null 3>&-
	[[ $status -ne 0 ]]
}

@test "create killed in a prestart hook can be deleted" {
	killed_in prestart create
	cleaned
}

@test "create killed in a createRuntime hook can be deleted" {
	killed_in createRuntime create
	cleaned
}

@test "run killed in a createRuntime hook can be deleted" {
	killed_in createRuntime run
	cleaned
}

@test "a child that is killed in a createContainer hook fails the create" {
	# An init is immune to those in its own namespace.
	no_namespace pid
	edit '.hooks.createContainer = [ { path: "/bin/sh",
		args: [ "sh", "-c", "kill -KILL $PPID" ] } ]'
	moat_oci_fails create --bundle "$bundle" "$id"
	says "killed by signal 9"
	nothing_left
	no_processes_left
}

@test "run killed while the program runs leaves a container to be deleted" {
	script 'echo up >/up; sleep 1000; :'
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" run \
		--bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&- &
	runtime=$!
	wait_for 10 test -s "$bundle/rootfs/up"
	kill -KILL "$runtime"
	wait "$runtime" || :
	[[ $(state) == running ]]
	cleaned
}

@test "an init that is killed leaves a stopped container" {
	start_idle
	kill -KILL "$(pid)"
	wait_for 10 is stopped
	moat_oci delete "$id"
	nothing_left
}

@test "a created container whose init is killed can be deleted" {
	create
	kill -KILL "$(pid)"
	wait_for 10 is stopped
	moat_oci_fails start "$id"
	moat_oci delete "$id"
	nothing_left
}

# At whatever moment it happens: the answer is the same.
@test "create killed anywhere can be deleted" {
	local ms

	program /bin/sleep 1000
	for ms in 1 2 3 4 5 6 7 8 9 10 12 14 17 20; do
		timeout -s KILL "0.0$(printf %02d "$ms")" "$MOAT_BUILD/moat-oci" \
			--root "$BATS_TEST_TMPDIR/oci" create --bundle "$bundle" "$id" \
			</dev/null >/dev/null 2>&1 3>&- || :
		moat_oci delete --force "$id"
		nothing_left
	done
	wait_for 10 no_processes_left
}

@test "delete killed anywhere can be repeated" {
	local ms

	program /bin/sleep 1000
	for ms in 1 2 3 4 5 6 8; do
		start
		timeout -s KILL "0.00$ms" "$MOAT_BUILD/moat-oci" --root \
			"$BATS_TEST_TMPDIR/oci" delete --force "$id" >/dev/null 2>&1 || :
		moat_oci delete --force "$id"
		nothing_left
	done
	wait_for 10 no_processes_left
}

@test "every failure of a create leaves nothing" {
	while read -r filter; do
		cp "$bundle/config.json" "$bundle/config.whole"
		edit "$filter"
		moat_oci_fails create --bundle "$bundle" "$id"
		nothing_left || {
			echo "left behind by $filter" >&2
			return 1
		}
		mv "$bundle/config.whole" "$bundle/config.json"
	done <<-'END'
		.mounts += [ { destination: "/a", type: "no-such-fs" } ]
		.mounts += [ { destination: "/bin/sh/x", type: "tmpfs" } ]
		.mounts += [ { destination: "/a", type: "bind", source: "nothing" } ]
		.process.args = [ "/no/such/program" ]
		.process.cwd = "/bin/sh"
		.linux.sysctl = { "kernel.msgmax": "x" }
		.linux.resources.unified = { "moon.max": "1" }
		.hooks.createRuntime = [ { path: "/bin/false" } ]
		.hooks.createContainer = [ { path: "/bin/false" } ]
		.linux.devices = [ { path: "/proc/x", type: "c", major: 1, minor: 1 } ]
		.linux.namespaces[0].path = "/proc/self/ns/net"
		.process.terminal = true
	END
	no_processes_left
}

@test "two creates of one id: one has it, the other is told" {
	program /bin/sleep 1000
	jobs=()
	for n in 1 2 3 4; do
		moat_oci create --bundle "$bundle" "$id" </dev/null \
			>"$bundle/said.$n" 2>&1 3>&- &
		jobs+=($!)
	done
	won=0
	for job in "${jobs[@]}"; do
		! wait "$job" || won=$((won + 1))
	done
	[[ $won -eq 1 ]]
	[[ $(grep -l "exists already" "$bundle"/said.* | wc -l) -eq 3 ]]
	[[ $(state) == created ]]
}

@test "two deletes of one id do not disturb each other" {
	start_idle
	jobs=()
	for n in 1 2 3; do
		moat_oci delete --force "$id" >"$bundle/said.$n" 2>&1 3>&- &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do
		wait "$job"
	done
	nothing_left
}

# Hooks inside see the root, those on the host the bundle: both find the file.
@test "run that is told to end while it is set up does so, and undoes it" {
	local kind sig runtime

	for kind in prestart createRuntime createContainer startContainer \
		poststart; do
		sig=TERM
		[[ $kind != createContainer ]] || sig=HUP
		edit --arg k "$kind" --arg b "$bundle/rootfs" '.hooks = { ($k): [ {
			path: "/bin/sh", args: [ "sh", "-c",
			"cd \($b) || cd /; echo >reached; exec sleep 1000" ] } ] }'
		program /bin/sleep 1000
		"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" run \
			--bundle "$bundle" "$id" </dev/null \
			>"$bundle/output" 2>&1 3>&- &
		runtime=$!
		wait_for 60 test -e "$bundle/rootfs/reached"
		kill -s "$sig" "$runtime"
		status=0
		wait "$runtime" || status=$?
		[[ $status -eq $((128 + $(kill -l "$sig"))) ]]
		has "called off by signal $(kill -l "$sig") while" \
			"$bundle/output"
		nothing_left
		wait_for 20 no_processes_left
		rm "$bundle/rootfs/reached"
	done
}

# --- criu --------------------------------------------------------------------

# In criu's place: what it does is all that matters here.
instead_of_criu() # SCRIPT
{
	mkdir -p "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/image"
	printf '#!/bin/sh\n%s\n' "$1" >"$BATS_TEST_TMPDIR/bin/criu"
	chmod +x "$BATS_TEST_TMPDIR/bin/criu"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	echo '{ "descriptors": [ "/dev/null" ] }' \
		>"$BATS_TEST_TMPDIR/image/descriptors.json"
}

# It has the socket open, on which the answer would come.
leaves_one="sleep 1000 </dev/null >/dev/null 2>&1 & echo \$! >\"\${0%/*}/left\""

in_time() # VERB [OPTION...]
{
	run timeout 100 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		"$1" --image-path "$BATS_TEST_TMPDIR/image" "${@:2}" "$id" 3>&-
}

@test "a criu that leaves others behind at its end is not waited for" {
	instead_of_criu "$leaves_one"
	start_idle
	in_time checkpoint
	[[ $status -eq 1 ]]
	says "criu failed: it ended early"
	[[ $(state) == running ]]
	kill "$(cat "$BATS_TEST_TMPDIR/bin/left")"
}

@test "what a criu that was killed had restored goes" {
	instead_of_criu "$leaves_one"
	in_time restore --bundle "$bundle"
	[[ $status -eq 1 ]]
	says "criu failed: it ended early"
	nothing_left
	wait_for 20 is_gone "$(cat "$BATS_TEST_TMPDIR/bin/left")"
}

is_gone() # PID
{
	! kill -0 "$1" 2>/dev/null
}

hangs='echo $$ >"${0%/*}/hung"; exec sleep 1000'

# By a criu that hangs, until it does. $pid is the runtime.
begin_restore()
{
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" restore \
		--bundle "$bundle" --image-path "$BATS_TEST_TMPDIR/image" "$id" \
		</dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
	pid=$!
	wait_for 20 test -s "$BATS_TEST_TMPDIR/bin/hung"
}

@test "a signal calls off a restore whose criu does not end" {
	local pid status=0

	instead_of_criu "$hangs"
	begin_restore
	kill -TERM "$pid"
	wait "$pid" || status=$?
	[[ $status -eq 143 ]]
	grep -q "called off by signal 15" "$BATS_TEST_TMPDIR/said"
	nothing_left
	is_gone "$(cat "$BATS_TEST_TMPDIR/bin/hung")"
}

@test "a restore that is killed can be deleted, with what its criu has made" {
	local pid

	instead_of_criu "$leaves_one; $hangs"
	begin_restore
	kill -KILL "$pid"
	wait "$pid" || :
	[[ $(state) == creating ]]
	moat_oci delete --force "$id"
	nothing_left
	wait_for 20 is_gone "$(cat "$BATS_TEST_TMPDIR/bin/hung")"
	wait_for 20 is_gone "$(cat "$BATS_TEST_TMPDIR/bin/left")"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# life: create, start, state, kill, delete, list, ps, pause
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

# --- create and start --------------------------------------------------------

@test "create sets all up, and the program waits for start" {
	script 'echo yes >/ran; exec sleep 1000'
	create
	[[ $(state) == created ]]
	[[ ! -e $bundle/rootfs/ran ]]
	moat_oci start "$id"
	wait_for 10 test -s "$bundle/rootfs/ran"
	[[ $(state) == running ]]
}

@test "the state tells what the specification wants, and where it is" {
	edit '.annotations = { "org.example.a": "b" }'
	start_idle
	moat_oci state "$id" >"$bundle/state"
	jq -e --arg id "$id" --arg bundle "$bundle" '
		.id == $id and .bundle == $bundle and .status == "running" and
		(.ociVersion | startswith("1.")) and
		.annotations == { "org.example.a": "b" } and
		.rootfs == $bundle + "/rootfs" and .owner == "0" and
		(.created | test("^2[0-9-]+T[0-9:.]+Z$"))' "$bundle/state"
	[[ $(readlink "/proc/$(pid)/exe") == /bin/busybox ]]
}

@test "a container can be started once" {
	start_idle
	moat_oci_fails start "$id"
	says "cannot start container '$id' in state 'running'"
	[[ $status -eq 1 && $(state) == running ]]
}

@test "a container whose program has ended is stopped, and keeps its state" {
	program /bin/true
	start
	wait_for 10 is stopped
	[[ $(pid) -eq 0 ]]
	moat_oci_fails start "$id"
	says stopped
	moat_oci_fails exec "$id" /bin/true
	says stopped
	moat_oci delete "$id"
	nothing_left
}

@test "an id that is taken is refused, and its owner is not harmed" {
	start_idle
	moat_oci_fails create --bundle "$bundle" "$id"
	says "container '$id' exists already"
	moat_oci_fails run --bundle "$bundle" "$id"
	[[ $(state) == running ]]
	in_it /bin/true
}

@test "a program that cannot be executed is told by create, and nothing stays" {
	program /bin/nothing
	moat_oci_fails create --bundle "$bundle" "$id"
	says "'/bin/nothing': no such file or directory"
	nothing_left
	program nothing
	moat_oci_fails create --bundle "$bundle" "$id"
	says "'nothing': executable file not found in \$PATH"
	nothing_left
	program /etc/passwd
	moat_oci_fails create --bundle "$bundle" "$id"
	says "'/etc/passwd': permission denied"
	nothing_left
	program /bin
	moat_oci_fails create --bundle "$bundle" "$id"
	says "'/bin': permission denied"
	nothing_left
}

@test "a program that vanishes before start is told by start" {
	cp "$bundle/rootfs/bin/busybox" "$bundle/rootfs/bin/mine"
	program /bin/mine true
	create
	rm "$bundle/rootfs/bin/mine"
	moat_oci_fails start "$id"
	says "'/bin/mine': no such file or directory"
	[[ $status -eq 1 ]]
	wait_for 10 is stopped
}

@test "the bundle is the current folder unless told otherwise" {
	cd "$bundle"
	moat_oci create "$id" </dev/null >output 2>&1 3>&-
	[[ $(moat_oci state "$id" | jq -r .bundle) == "$bundle" ]]
}

@test "--config reads another file, --bundle may be relative" {
	jq '.process.args = [ "/bin/echo", "other" ] | del(.x)' \
		"$bundle/config.json" >"$BATS_TEST_TMPDIR/other.json"
	rm "$bundle/config.json"
	cd "$BATS_TEST_TMPDIR"
	[[ $(moat_oci run --bundle bundle --config other.json "$id") == other ]]
	[[ $(moat_oci run -b bundle -f other.json "$id") == other ]]
}

@test "the pid file has the init's pid, relative to the caller's folder" {
	cd "$BATS_TEST_TMPDIR"
	program /bin/sleep 1000
	start --pid-file pid
	[[ $(cat pid) == "$(pid)" ]]
	[[ -z $(find . -maxdepth 1 -name '.*' -type f) ]]
}

@test "a pid file that cannot be written fails the create, and nothing stays" {
	moat_oci_fails create --bundle "$bundle" --pid-file /no/folder/pid "$id"
	says "pid file: "
	nothing_left
}

@test "--pidfd-socket sends a pidfd of the init" {
	helper pidfd "$BATS_TEST_TMPDIR/socket" >"$bundle/got" 3>&- &
	receiver=$!
	wait_for 10 test -S "$BATS_TEST_TMPDIR/socket"
	program /bin/sleep 1000
	create --pidfd-socket "$BATS_TEST_TMPDIR/socket"
	wait "$receiver"
	[[ $(cut -d ' ' -f 2 "$bundle/got") == "$(pid)" ]]
}

# --- run ---------------------------------------------------------------------

@test "run ends with the program's status, and deletes the container" {
	script 'exit 42'
	run run_container
	[[ $status -eq 42 ]]
	nothing_left
	no_namespace pid
	script 'kill -USR1 $$'
	run run_container
	[[ $status -eq $((128 + 10)) ]]
	nothing_left
}

@test "run hands on what is said and typed" {
	script 'tr a-z A-Z; echo err >&2'
	[[ $(echo hello | run_container 2>"$bundle/err") == HELLO ]]
	[[ $(cat "$bundle/err") == err ]]
}

@test "run --detach leaves the container running" {
	program /bin/sleep 1000
	moat_oci run --detach --pid-file "$bundle/pid" --bundle "$bundle" "$id" \
		</dev/null >/dev/null 2>&1 3>&-
	[[ $(state) == running && $(pid) == "$(cat "$bundle/pid")" ]]
}

@test "run --keep keeps the container when its program has ended" {
	script 'exit 3'
	run run_container --keep
	[[ $status -eq 3 && $(state) == stopped ]]
	moat_oci delete "$id"
	nothing_left
}

@test "run fails with 1 when the program cannot be executed" {
	program /bin/nothing
	refused
	says "moat-oci: run: "
	says "'/bin/nothing': no such file or directory"
	nothing_left
}

@test "run ends although its caller ignores SIGCHLD" {
	script 'exit 7'
	run helper ignore 17 "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" run --bundle "$bundle" "$id"
	[[ $status -eq 7 ]]
	edit '.hooks.createRuntime = [ { path: "/bin/true" } ]'
	run helper ignore 17 "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" run --bundle "$bundle" "$id"
	[[ $status -eq 7 ]]
}

@test "signals that the caller ignores or blocks are not the container's" {
	program /bin/grep -E '^Sig(Blk|Ign)' /proc/self/status
	run helper ignore 15 "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" run --bundle "$bundle" "$id"
	[[ $(grep -c '0000000000000000$' <<<"$output") -eq 2 ]]
}

# Signals reach run while it waits: $1 is its number.
passes_on()
{
	rm -f "$bundle/rootfs/up"
	script 'for s in 1 2 3 10 12 15 23 30 37; do
			trap "echo $s; exit 0" $s
		done
		touch /up
		while :; do sleep 1000 & wait; done'
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		run --bundle "$bundle" "$id" >"$bundle/said" 3>&- &
	runtime=$!
	wait_for 10 test -e "$bundle/rootfs/up"
	kill "-$1" "$runtime"
	wait "$runtime"
	[[ $(cat "$bundle/said") == "$1" ]] || {
		echo "signal $1: $(cat "$bundle/said")" >&2
		return 1
	}
}

@test "signals to run are the program's, real-time ones too" {
	for signal in 1 2 3 10 12 15 30 37; do
		passes_on "$signal"
	done
	nothing_left
}

@test "orphans of the program do not keep run" {
	no_namespace pid
	script '(sleep 1000 &) ; exit 5'
	run run_container </dev/null 3>&-
	[[ $status -eq 5 ]]
	nothing_left
}

@test "run looks at a container that another deletes meanwhile" {
	program /bin/sleep 1000
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		run --bundle "$bundle" "$id" >"$bundle/said" 2>&1 3>&- &
	runtime=$!
	wait_for 10 is running
	moat_oci delete --force "$id"
	status=0
	wait "$runtime" || status=$?
	[[ $status -eq 137 ]]
	[[ -z $(cat "$bundle/said") ]]
	nothing_left
}

@test "the poststop hooks run once, whoever deletes" {
	program /bin/sleep 1000
	edit --arg to "$bundle/stopped" '.hooks.poststop = [ { path: "/bin/sh",
		args: [ "sh", "-c", "echo once >>\($to)" ] } ]'
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		run --bundle "$bundle" "$id" >"$bundle/said" 2>&1 3>&- &
	runtime=$!
	wait_for 10 is running
	moat_oci delete --force "$id"
	wait "$runtime" || :
	[[ $(wc -l <"$bundle/stopped") -eq 1 ]]
}

# --- kill --------------------------------------------------------------------

@test "kill takes names, numbers and SIG, and TERM when there is none" {
	local signal

	script 'trap "echo term >>/got" TERM; trap "echo hup >>/got" HUP
		trap "echo usr >>/got" USR1; echo up >>/got
		while :; do sleep 1000 & wait; done'
	start
	wait_for 10 has up "$bundle/rootfs/got"
	for signal in '' TERM SIGTERM 15 sigterm; do
		: >"$bundle/rootfs/got"
		# shellcheck disable=SC2086 # none is none
		moat_oci kill "$id" $signal
		wait_for 10 has term "$bundle/rootfs/got"
	done
	moat_oci kill "$id" HUP
	wait_for 10 has hup "$bundle/rootfs/got"
	moat_oci_fails kill "$id" NONSENSE
	says "unknown signal 'NONSENSE'"
	moat_oci kill "$id" KILL
	wait_for 10 is stopped
}

@test "signal 0 asks whether there is somebody, and disturbs nobody" {
	script 'sleep 1001'
	start
	moat_oci kill "$id" 0
	moat_oci kill --all "$id" 0
	[[ $(moat_oci state "$id" | jq -r .status) == running ]]
	moat_oci kill "$id" KILL
	wait_for 10 is stopped
	moat_oci_fails kill "$id" 0
	says "container not running: '$id'"
	moat_oci_fails kill "$id" 00x
	says "unknown signal '00x'"
}

# systemd removes a scope whose processes have ended.
@test "in a stopped container whose group is gone nobody is, and nobody is to kill" {
	script 'sleep 1001'
	start
	moat_oci kill "$id" KILL
	wait_for 10 is stopped
	find /sys/fs/cgroup -depth -type d -path "*$id*" -exec rmdir {} +
	run moat_oci ps "$id"
	[[ $status -eq 0 && ${#lines[@]} -eq 1 && $output == *PID* ]]
	moat_oci ps --format json "$id" | jq -e '. == []'
	moat_oci kill --all "$id" 0
	moat_oci kill --all "$id" KILL
	moat_oci_fails kill "$id" KILL
	says "container not running: '$id'"
	moat_oci delete "$id"
}

@test "kill of what does not run names it" {
	create
	moat_oci kill "$id" KILL
	wait_for 10 is stopped
	moat_oci_fails kill "$id" KILL
	says "container not running: '$id'"
	moat_oci_fails kill nobody KILL
	says "container 'nobody' does not exist"
}

@test "kill --all reaches every process, without a pid namespace too" {
	no_namespace pid
	script 'sleep 1001 & sleep 1002 & echo up >/up; wait; sleep 1003'
	start
	wait_for 10 test -e "$bundle/rootfs/up"
	moat_oci ps --format json "$id" | jq -r '.[]' >"$bundle/pids"
	[[ $(wc -l <"$bundle/pids") -ge 3 ]]
	moat_oci kill --all "$id" KILL
	while read -r pid; do
		wait_for 10 gone "$pid"
	done <"$bundle/pids"
}

@test "KILL without a pid namespace of its own is for all, init gone or not" {
	local gone how

	no_namespace pid
	script 'sleep 1001 & sleep 1002 & echo up >/up; wait; sleep 1003'
	for how in init-there init-gone; do
		rm -f "$bundle/rootfs/up"
		start
		wait_for 10 test -e "$bundle/rootfs/up"
		moat_oci ps --format json "$id" | jq -r '.[]' >"$bundle/pids"
		[[ $(wc -l <"$bundle/pids") -ge 3 ]]
		if [[ $how == init-gone ]]; then
			kill -KILL "$(pid)"
			wait_for 10 is stopped
		fi
		moat_oci kill "$id" KILL
		while read -r gone; do
			wait_for 10 gone "$gone"
		done <"$bundle/pids"
		moat_oci delete --force "$id"
	done
}

@test "kill and delete --regex take all that match" {
	program /bin/sleep 1000
	for name in one two other; do
		id=$(unique "$name")
		start
	done
	moat_oci kill --regex "^(one|two)-" KILL
	wait_for 10 is stopped "$(unique one)"
	wait_for 10 is stopped "$(unique two)"
	[[ $(state "$(unique other)") == running ]]
	moat_oci delete --regex "^(one|two)-"
	[[ $(moat_oci list --quiet) == "$(unique other)" ]]
	moat_oci_fails kill --regex '(' KILL
	says "'(' is not a regular expression"
}

# --- delete ------------------------------------------------------------------

@test "a running container is not deleted without --force" {
	start_idle
	moat_oci_fails delete "$id"
	says "cannot delete container '$id' that is not stopped: running"
	[[ $(state) == running ]]
	pid=$(pid)
	moat_oci delete --force "$id"
	gone "$pid"
	nothing_left
}

@test "a container that was never started may be deleted" {
	create
	pid=$(pid)
	moat_oci delete "$id"
	gone "$pid"
	nothing_left
}

@test "delete --force of nothing is fine, delete is not" {
	moat_oci delete --force nobody
	moat_oci_fails delete nobody
	says "container 'nobody' does not exist"
	[[ $status -eq 1 ]]
}

@test "delete takes the processes that init has left behind" {
	no_namespace pid
	script 'sleep 1001 & echo $! >/left; exit 0'
	start
	wait_for 10 is stopped
	left=$(cat "$bundle/rootfs/left")
	kill -0 "$left"
	moat_oci delete "$id"
	wait_for 10 gone "$left"
	nothing_left
}

@test "a paused container can be deleted by force" {
	start_idle
	moat_oci pause "$id"
	moat_oci delete --force "$id"
	nothing_left
}

# --- list, ps ----------------------------------------------------------------

@test "list shows all containers, as a table, as JSON, as ids" {
	program /bin/sleep 1000
	start
	other=$(unique other)
	moat_oci create --bundle "$bundle" "$other" </dev/null >/dev/null 2>&1 3>&-
	[[ $(moat_oci list --quiet | sort | xargs) == "$id $other" ]]
	moat_oci list >"$bundle/table"
	[[ $(head -n 1 "$bundle/table") =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER ]]
	grep -E "^$id +$(pid) +running +$bundle +2.* 0$" "$bundle/table"
	moat_oci list --format json |
		jq -e --arg id "$id" '[ .[].status ] | sort == [ "created", "running" ]'
	[[ $(moat_oci --root "$BATS_TEST_TMPDIR/empty" list | wc -l) -eq 1 ]]
}

@test "ps shows the container's processes, with the options of ps" {
	need_program ps
	script 'sleep 1001 & sleep 1002; :'
	start
	wait_for 10 ps_has 3
	moat_oci ps --format json "$id" | jq -e --argjson pid "$(pid)" 'index($pid) == 0'
	moat_oci ps "$id" -o pid,args >"$bundle/table"
	[[ $(head -n 1 "$bundle/table") =~ PID\ +COMMAND ]]
	grep -c 'sleep 100[12]' "$bundle/table"
	moat_oci ps "$id" | grep -q 'sleep 1001'
	moat_oci_fails ps "$id" -o args
	says "these options of ps print no PID column"
}

ps_has() # NUMBER
{
	[ "$(moat_oci ps --format json "$id" | jq length)" -eq "$1" ]
}

# --- pause and resume --------------------------------------------------------

@test "a paused container stands still until it is resumed" {
	script 'while :; do echo x >/mark; done'
	start
	wait_for 10 test -e "$bundle/rootfs/mark"
	moat_oci pause "$id"
	[[ $(state) == paused ]]
	rm "$bundle/rootfs/mark"
	moat_oci_fails pause "$id"
	says "cannot pause container '$id': paused"
	[[ ! -e $bundle/rootfs/mark ]]
	moat_oci resume "$id"
	[[ $(state) == running ]]
	wait_for 10 test -e "$bundle/rootfs/mark"
	moat_oci_fails resume "$id"
	says "container '$id' is not paused"
}

@test "a stopped container cannot be paused" {
	program /bin/true
	start
	wait_for 10 is stopped
	moat_oci_fails pause "$id"
	says "cannot pause container '$id': stopped"
}

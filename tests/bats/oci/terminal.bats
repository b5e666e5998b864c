#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# terminal: ptys of containers, here and over sockets
#
# runs: native machine
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

setup()
{
	need_root
	need_program python3
	bundle
	edit '.process.terminal = true | .mounts += [ { destination: "/dev/pts",
		type: "devpts", source: "devpts", options: [ "newinstance",
		"ptmxmode=0666", "mode=0620" ] } ]'
	# A new terminal echoes: its output is then not what was said alone.
	quiet='stty -echo; echo ready;'
}

@test "what no terminal shows has lines that end in a line feed alone" {
	script 'echo one; echo two'
	run_container </dev/null | od -An -c | xargs >"$bundle/said"
	[[ $(cat "$bundle/said") == 'o n e n t w o n' ]]
}

@test "on a terminal, which is raw meanwhile, they begin at its left edge" {
	script 'echo one; echo two'
	on_terminal run --bundle "$bundle" "$id" </dev/null |
		od -An -c | xargs >"$bundle/said"
	[[ $(cat "$bundle/said") == 'o n e r n t w o r n' ]]
	edit '.process.terminal = false'
	start_idle
	on_terminal exec -t "$id" echo x </dev/null | od -An -c | xargs >"$bundle/said"
	[[ $(cat "$bundle/said") == 'x r n' ]]
}

@test "the program has a controlling terminal, which is its /dev/console" {
	script 'tty; test -t 0 && test -t 1 && test -t 2; echo $?
		echo tty >/dev/tty; echo console >/dev/console
		stat -c "%a %u" "$(tty)"'
	run run_container </dev/null
	[[ ${lines[0]} == /dev/pts/0 && ${lines[1]} == 0 ]]
	[[ ${lines[2]} == tty && ${lines[3]} == console ]]
	[[ ${lines[4]} == "620 0" ]]
}

@test "the terminal belongs to the program's user" {
	edit '.process.user = { uid: 7, gid: 8 }'
	script 'stat -c %u "$(tty)"; echo x >/dev/tty; echo y >/dev/stdout'
	[[ $(run_container </dev/null | xargs) == "7 x y" ]]
}

@test "consoleSize is the size of the terminal" {
	edit '.process.consoleSize = { height: 33, width: 111 }'
	script 'stty size'
	[[ $(run_container </dev/null) == "33 111" ]]
}

# As much as several buffers hold, and the end of the input right behind it.
@test "piped input arrives, all of it, and then its end" {
	script 'cat >/got'
	seq 20000 >"$bundle/numbers"
	run_container <"$bundle/numbers" >/dev/null
	cmp "$bundle/numbers" "$bundle/rootfs/got"
	# shellcheck disable=SC2002 # a pipe is what it is about
	cat "$bundle/numbers" | run_container >/dev/null
	cmp "$bundle/numbers" "$bundle/rootfs/got"
	printf 'no line' | run_container >/dev/null
	[[ $(cat "$bundle/rootfs/got") == 'no line' ]]
}

@test "run on a terminal passes on size and what is typed" {
	script 'stty size; stty -echo; echo ready; read line; echo "got $line"'
	mkfifo "$bundle/typed"
	on_terminal run --bundle "$bundle" "$id" \
		<"$bundle/typed" >"$bundle/said" 3>&- &
	runtime=$!
	exec 8>"$bundle/typed"
	wait_for 10 has ready "$bundle/said"
	echo hello >&8
	wait "$runtime"
	exec 8>&-
	[[ $(tr -d "\r" <"$bundle/said" | xargs) == "20 60 ready got hello" ]]
}

@test "the terminal follows when the caller's changes its size" {
	script 'until [ "$(stty size)" = "20 60" ]; do :; done
		trap "stty size; exit 0" WINCH; stty -echo; echo ready
		while :; do sleep 1000 & wait; done'
	mkfifo "$bundle/typed"
	on_terminal run --bundle "$bundle" "$id" \
		<"$bundle/typed" >"$bundle/said" 3>&- &
	runtime=$!
	exec 8>"$bundle/typed"
	wait_for 10 has ready "$bundle/said"
	echo RESIZE 44 99 >&8
	wait "$runtime"
	exec 8>&-
	[[ $(tr -d "\r" <"$bundle/said" | xargs) == "ready 44 99" ]]
}

@test "the caller's terminal is as it was, after run and after a failure" {
	script 'exit 3'
	helper on-terminal 20 60 sh -c 'stty -a >"$1/before"
		"$2" --root "$3" run --bundle "$1" "$4"; stty -a >"$1/after"' sh \
		"$bundle" "$MOAT_BUILD/moat-oci" "$BATS_TEST_TMPDIR/oci" "$id" \
		</dev/null
	grep -q -w icanon "$bundle/before"
	cmp "$bundle/before" "$bundle/after"
}

receive_console() # LINE...: in the background, its output in said
{
	helper console "$BATS_TEST_TMPDIR/socket" "$@" >"$bundle/said" 3>&- &
	receiver=$!
	wait_for 10 test -S "$BATS_TEST_TMPDIR/socket"
}

@test "create sends the terminal to --console-socket" {
	script "$quiet"'read line; echo "got $line"'
	receive_console 'hello\n'
	create --console-socket "$BATS_TEST_TMPDIR/socket"
	moat_oci start "$id"
	wait "$receiver"
	head -n 1 "$bundle/said" | grep -x 'name /dev/ptmx'
	# Whoever holds it decides whether lines end in \n alone.
	grep -qx $'got hello\r' "$bundle/said"
}

@test "run --detach and exec do so as well" {
	script "$quiet"'sleep 1000; :'
	receive_console
	first=$receiver
	moat_oci run -d --bundle "$bundle" "$id" \
		--console-socket "$BATS_TEST_TMPDIR/socket" </dev/null >/dev/null 3>&-
	wait_for 10 has ready "$bundle/said"
	rm "$BATS_TEST_TMPDIR/socket"
	receive_console 'x\n'
	moat_oci exec -t -d --console-socket "$BATS_TEST_TMPDIR/socket" "$id" \
		/bin/sh -c "$quiet"'tty; read l; echo "got $l"' </dev/null 3>&-
	wait "$receiver"
	grep -qx $'got x\r' "$bundle/said"
	grep -qx $'/dev/pts/1\r' "$bundle/said"
	moat_oci delete --force "$id"
	wait "$first"
}

@test "exec -t gives a terminal, whose lines end in a line feed alone" {
	edit '.process.terminal = false'
	start_idle
	moat_oci exec -t "$id" /bin/sh -c 'tty; echo x' </dev/null |
		od -An -c | xargs >"$bundle/said"
	[[ $(cat "$bundle/said") == '/ d e v / p t s / 0 n x n' ]]
	[[ $(echo hello | moat_oci exec -t "$id" /bin/sh -c \
		'stty -echo; read l; echo "got $l"' | tail -n 1) == "got hello" ]]
	run moat_oci exec -t "$id" /bin/sh -c 'exit 5' </dev/null
	[[ $status -eq 5 ]]
}

@test "a terminal nobody would hold is refused" {
	moat_oci_fails create --bundle "$bundle" "$id"
	says "process.terminal needs --console-socket"
	moat_oci_fails run --detach --bundle "$bundle" "$id"
	says "process.terminal needs --console-socket"
	moat_oci_fails run --bundle "$bundle" --console-socket \
		"$BATS_TEST_TMPDIR/nobody" "$id"
	says "console socket: "
	nothing_left
	edit '.process.terminal = false'
	moat_oci_fails run --bundle "$bundle" --console-socket \
		"$BATS_TEST_TMPDIR/nobody" "$id"
	says "--console-socket without process.terminal"
}

@test "a program that closes its terminal does not end run" {
	script 'exec </dev/null >/dev/null 2>&1; echo x >/up
		while [ ! -e /go ]; do sleep 0.05; done; exit 6'
	run_container </dev/null >/dev/null 3>&- &
	runtime=$!
	wait_for 10 test -s "$bundle/rootfs/up"
	touch "$bundle/rootfs/go"
	status=0
	wait "$runtime" || status=$?
	[[ $status -eq 6 ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# notify: a service manager hears from the container that it is ready
#
# runs: native machine

load ../lib/common

setup()
{
	need_root
	# One that is everybody's, for programs that are not root.
	python=/usr/bin/python3
	need_program "$python"
	heard="$BATS_TEST_TMPDIR/heard"
	export NOTIFY_SOCKET="$BATS_TEST_TMPDIR/manager.sock"
	mkdir -p "$BATS_TEST_TMPDIR/bundle/rootfs"
	id=$(unique notify)
	"$python" - "$NOTIFY_SOCKET" 3>&- >"$heard" <<-'EOF' &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		while True:
		    print(s.recv(4096).decode(), flush=True)
	EOF
	wait_for 10 test -S "$NOTIFY_SOCKET"
}

# bundle PYTHON: a container of the host's files in which say(TEXT) notifies
bundle()
{
	local say='import os, socket\ndef say(text):\n s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n s.sendto(text, os.environ[\"NOTIFY_SOCKET\"])\n'

	cat >"$BATS_TEST_TMPDIR/bundle/config.json" <<-EOF
		{ "ociVersion": "1.0.2", "root": { "path": "rootfs" },
		"annotations": { "moat.rootfs.layers": "/" },
		"process": { "cwd": "/", "user": { "uid": $1, "gid": 0 },
		"env": [ "NOTIFY_SOCKET=/no/such/socket" ],
		"args": [ "$python", "-c", "$say$2" ] },
		"mounts": [ { "destination": "/run", "type": "tmpfs", "source": "tmpfs" } ],
		"linux": { "namespaces": [ { "type": "pid" }, { "type": "mount" } ] } }
	EOF
}

pid_of()
{
	moat_oci state "$id" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'
}

@test "start returns when the program is ready, and names its process" {
	bundle 0 'say(b\"STATUS=soon\\nREADY=1\")\nimport time; time.sleep(1000)'
	moat_oci create --bundle "$BATS_TEST_TMPDIR/bundle" "$id" 3>&-
	[[ ! -s $heard ]]
	moat_oci start "$id"
	wait_for 10 grep -q MAINPID "$heard"
	grep -qx STATUS=soon "$heard"
	grep -qx READY=1 "$heard"
	grep -qx "MAINPID=$(pid_of)" "$heard"
}

@test "so does run --detach, for a program that is not root, too" {
	bundle 65534 'say(b\"READY=1\")\nimport time; time.sleep(1000)'
	moat_oci run --detach --bundle "$BATS_TEST_TMPDIR/bundle" "$id" 3>&-
	wait_for 10 grep -qx "MAINPID=$(pid_of)" "$heard"
	grep -qx READY=1 "$heard"
}

@test "run passes on what is said until the end, and stays the service" {
	bundle 0 'say(b\"READY=1\")\nsay(b\"WATCHDOG=1\")\nsay(b\"STOPPING=1\")\nimport sys; sys.exit(7)'
	run moat_oci run --bundle "$BATS_TEST_TMPDIR/bundle" "$id"
	[[ $status -eq 7 ]]
	wait_for 10 grep -qx STOPPING=1 "$heard"
	grep -qx READY=1 "$heard"
	[[ $(grep -c MAINPID "$heard") -eq 0 ]]
}

@test "what names processes or descriptors does not leave the container" {
	bundle 0 'say(b\"MAINPID=1\\nFDSTORE=1\\nBARRIER=1\\nREADY=1\\nNOTIFYACCESS=all\")\nimport time; time.sleep(1000)'
	moat_oci run --detach --bundle "$BATS_TEST_TMPDIR/bundle" "$id" 3>&-
	wait_for 10 grep -qx "MAINPID=$(pid_of)" "$heard"
	wait_for 10 grep -qx BARRIER=1 "$heard"
	[[ $(grep -c -e FDSTORE -e NOTIFYACCESS "$heard") -eq 0 ]]
	[[ $(grep -c MAINPID "$heard") -eq 1 && $(grep -c BARRIER "$heard") -eq 1 ]]
}

@test "a program that ends without a word ends the waiting" {
	bundle 0 'pass'
	moat_oci run --detach --bundle "$BATS_TEST_TMPDIR/bundle" "$id" 3>&-
	[[ ! -s $heard ]]
	moat_oci delete "$id"
}

@test "a manager that is not there is an error, and nothing is left" {
	bundle 0 'pass'
	NOTIFY_SOCKET=/no/such/socket moat_oci_fails run --bundle "$BATS_TEST_TMPDIR/bundle" "$id"
	[[ $output == *"NOTIFY_SOCKET: connect to '/no/such/socket': No such file"* ]]
	[[ -z $(moat_oci list --quiet) ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# checkpoint: a container is written to files, and goes on from there
#
# criu of Debian 12 cannot do it on every kernel; it can on the machine's.
#
# runs: machine

load ../lib/common

setup()
{
	need_root
	need_program criu busybox
	bundle="$BATS_TEST_TMPDIR/bundle"
	image="$BATS_TEST_TMPDIR/image"
	id=$(unique cr)
	mkdir -p "$bundle/rootfs/bin" "$BATS_TEST_TMPDIR/shared"
	cp "$(command -v busybox)" "$bundle/rootfs/bin"
	ln -s busybox "$bundle/rootfs/bin/sh"
	ln -s busybox "$bundle/rootfs/bin/mv"
	bundle_with "$count" ''
}

# What a restored program must still know is in its memory alone.
# shellcheck disable=SC2016 # the container's shell expands it
count='n=0; while :; do n=$((n + 1)); echo $n >/shared/m; mv /shared/m /shared/n; sleep 0.1; done'

bundle_with() # SCRIPT MEMBERS
{
	local script=${1//\"/\\\"}

	cat >"$bundle/config.json" <<-EOF
		{ "ociVersion": "1.2.0", "root": { "path": "rootfs" }, $2
		"process": { "cwd": "/", "user": { "uid": 0, "gid": 0 },
		"env": [ "PATH=/bin" ], "args": [ "/bin/sh", "-c", "$script" ] },
		"mounts": [
		{ "destination": "/proc", "type": "proc", "source": "proc" },
		{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": [ "mode=755" ] },
		{ "destination": "/shared", "type": "bind", "source": "$BATS_TEST_TMPDIR/shared", "options": [ "bind" ] } ],
		"linux": { "maskedPaths": [ "/proc/kcore" ], "readonlyPaths": [ "/proc/sys" ],
		"namespaces": [ { "type": "pid" }, { "type": "mount" }, { "type": "ipc" },
		{ "type": "uts" }, { "type": "network" }, { "type": "cgroup" } ] } }
	EOF
}

start()
{
	moat_oci run --detach --bundle "$bundle" "$id" \
		</dev/null >/dev/null 2>&1 3>&-
	wait_for 20 test -s "$BATS_TEST_TMPDIR/shared/n"
}

number()
{
	cat "$BATS_TEST_TMPDIR/shared/n"
}

beyond() # NUMBER
{
	[ "$(number)" -gt "$1" ] 2>/dev/null
}

status_of()
{
	moat_oci state "$id" | sed -n 's/.*"status": *"\(.*\)".*/\1/p'
}

dump_log()
{
	cat "$image/dump.log" "$image/restore.log" 2>/dev/null | tail -40
}

@test "a container goes on where its checkpoint was made" {
	start
	wait_for 20 beyond 10
	moat_oci checkpoint --image-path "$image" "$id" || { dump_log; false; }
	moat_oci_fails state "$id"
	local last
	last=$(number)
	[[ $last -gt 9 ]]
	moat_oci restore --detach --bundle "$bundle" --image-path "$image" \
		--pid-file "$BATS_TEST_TMPDIR/pid" "$id" \
		</dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/err"; dump_log; false; }
	wait_for 20 beyond "$last"
	[[ $(number) -lt $((last + 1000)) ]]
	[[ $(status_of) == running ]]
	[[ $(moat_oci ps --format json "$id") == *"$(cat "$BATS_TEST_TMPDIR/pid")"* ]]
	[[ $(moat_oci exec "$id" /bin/busybox cat /shared/n) -gt 9 ]]
	moat_oci delete --force "$id"
	[[ $(grep -c "$BATS_TEST_TMPDIR" /proc/self/mountinfo) -eq 0 ]]
}

restore() # OPTION...
{
	moat_oci restore --bundle "$bundle" --image-path "$image" "$@" "$id"
}

restore_detached()
{
	restore --detach "$@" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/err"; dump_log; false; }
}

@test "a container that is left running goes on, and its image can be restored" {
	local before

	start
	moat_oci checkpoint --leave-running --image-path "$image" \
		--work-path "$BATS_TEST_TMPDIR/work" "$id"
	[[ -s $BATS_TEST_TMPDIR/work/dump.log && ! -e $image/dump.log ]]
	before=$(number)
	[[ $(status_of) == running ]]
	wait_for 20 beyond "$((before + 3))"
	moat_oci delete --force "$id"
	restore_detached
	[[ $(status_of) == running ]]
}

@test "memory is written before, and then what has changed since" {
	start
	moat_oci checkpoint --pre-dump --image-path "$image/first" "$id"
	[[ $(status_of) == running ]]
	moat_oci checkpoint --parent-path ../first --image-path "$image/last" "$id"
	[[ $(readlink "$image/last/parent") == ../first ]]
	image=$image/last
	restore_detached
	[[ $(status_of) == running ]]
}

@test "a restore in the foreground has the program's output and its status" {
	# Its end is a pipe, as under containerd.
	# shellcheck disable=SC2016 # the container's shell expands it
	bundle_with 'n=0; until [ -e /shared/stop ]; do n=$((n + 1)); echo $n >/shared/m; mv /shared/m /shared/n; sleep 0.1; done; echo bye; exit 7' ''
	moat_oci run --detach --bundle "$bundle" "$id" </dev/null \
		> >(cat >/dev/null 3>&-) 2>&1 3>&-
	wait_for 20 test -s "$BATS_TEST_TMPDIR/shared/n"
	moat_oci checkpoint --image-path "$image" "$id" || { dump_log; false; }
	touch "$BATS_TEST_TMPDIR/shared/stop"
	run restore </dev/null
	[[ $status -eq 7 && $output == bye ]]
	moat_oci_fails state "$id"
}

@test "a container with a terminal has one again" {
	local script='import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1]); s.listen(1)
while True:
    c, _ = s.accept()
    _, fds, _, _ = socket.recv_fds(c, 64, 1)
    open(sys.argv[2], "a").write("%d\n" % os.isatty(fds[0]))
'
	need_program python3
	python3 -c "$script" "$BATS_TEST_TMPDIR/tty.sock" \
		"$BATS_TEST_TMPDIR/ttys" 3>&- >/dev/null 2>&1 &
	wait_for 20 test -S "$BATS_TEST_TMPDIR/tty.sock"
	sed -i 's/"process": {/"process": { "terminal": true,/; s/"mounts": \[/"mounts": [ { "destination": "\/dev", "type": "tmpfs", "source": "tmpfs" }, { "destination": "\/dev\/pts", "type": "devpts", "source": "devpts", "options": [ "newinstance", "ptmxmode=0666" ] },/; /"destination": "\/dev", .*mode=755/d' "$bundle/config.json"
	moat_oci run --detach --bundle "$bundle" --console-socket "$BATS_TEST_TMPDIR/tty.sock" "$id" 3>&-
	wait_for 20 test -s "$BATS_TEST_TMPDIR/shared/n"
	moat_oci checkpoint --image-path "$image" "$id" || { dump_log; false; }
	restore_detached --console-socket "$BATS_TEST_TMPDIR/tty.sock"
	wait_for 20 grep -c 1 "$BATS_TEST_TMPDIR/ttys"
	[[ $(status_of) == running && $(cat "$BATS_TEST_TMPDIR/ttys") == $'1\n1' ]]
}

@test "a network namespace by path is that of the restore" {
	ip netns add "$id"
	sed -i "s,\"type\": \"network\",&\, \"path\": \"/run/netns/$id\"," "$bundle/config.json"
	start
	moat_oci checkpoint --image-path "$image" "$id" || { dump_log; false; }
	ip netns del "$id"
	ip netns add "$id"
	restore_detached
	[[ $(stat -L -c %i "/proc/$(moat_oci ps --format json "$id" | tr -dc '0-9,' | cut -d , -f 1)/ns/net") == \
		$(stat -L -c %i "/run/netns/$id") ]]
	ip netns del "$id"
}

@test "when criu fails its words and its log are named, and all goes on" {
	local before

	# A file of the host, which is in no mount of the container's.
	moat_oci run --detach --bundle "$bundle" "$id" \
		</dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
	wait_for 20 test -s "$BATS_TEST_TMPDIR/shared/n"
	moat_oci_fails checkpoint --image-path "$image" "$id"
	[[ $output == *"checkpoint: criu failed: Error ("*"; its log is '$image/dump.log'" ]]
	before=$(number)
	wait_for 20 beyond "$before"
	moat_oci_fails restore --bundle "$bundle" --image-path "$image" "$id"
	[[ $output == *"already"* || $output == *exists* ]]
}

@test "a host without criu is told so" {
	start
	PATH=/no/such/folder run "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		checkpoint --image-path "$image" "$id"
	[[ $status -eq 1 && $output == *"the program criu, which does this, is not installed" ]]
	[[ $(status_of) == running ]]
}

@test "what cannot be is refused before anything is done" {
	moat_oci create --bundle "$bundle" "$id" 3>&- >/dev/null 2>&1
	moat_oci_fails checkpoint --image-path "$image" "$id"
	[[ $output == *"in state 'created'" ]]
	moat_oci delete "$id"
	start
	moat_oci_fails checkpoint --image-path "$image" --page-server nowhere "$id"
	[[ $output == *"'nowhere' is not ADDRESS:PORT" ]]
	moat_oci_fails checkpoint --image-path "$image" --empty-ns mount "$id"
	[[ $output == *"'mount' is not 'network'" ]]
	moat_oci_fails checkpoint --image-path "$image" --parent-path /abs "$id"
	moat_oci_fails checkpoint --image-path "$image" --status-fd 77 "$id"
	moat_oci delete --force "$id"
	mkdir -p "$image/none"
	moat_oci_fails restore --bundle "$bundle" --image-path "$image/none" "$id"
	[[ $output == *"is not a checkpoint"* ]]
	[[ -z $(moat_oci list --quiet) ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# checkpoint_options: what criu is asked for, each felt by what becomes of it
#
# runs: machine
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

setup()
{
	need_root
	need_program criu python3
	bundle
	image=$BATS_TEST_TMPDIR/image
	shared=$BATS_TEST_TMPDIR/shared
	mkdir "$shared"
	edit --arg s "$shared" '.mounts += [ { destination: "/shared", type: "bind",
		source: $s, options: [ "bind" ] } ]'
	namespace network
	namespace cgroup
}

# The program is Python's, of the machine itself.
python() # TEXT
{
	mkdir -p "$bundle/rootfs/usr"
	ln -sfn usr/lib "$bundle/rootfs/lib"
	ln -sfn usr/lib64 "$bundle/rootfs/lib64"
	edit '.mounts += [ { destination: "/usr", type: "bind", source: "/usr",
		options: [ "rbind", "ro" ] } ]'
	program /usr/bin/python3 -uc "$1"
}

# It counts in its memory and says so in /shared/n.
counts='n=0; while :; do n=$((n + 1)); echo $n >/shared/m
	mv /shared/m /shared/n; sleep 0.1; done'

# What criu finds open must be of the container's own.
start_it()
{
	moat_oci run --detach --bundle "$bundle" "$id" </dev/null >/dev/null \
		2>&1 3>&-
	wait_for 20 test -s "$shared/n"
}

beyond() # NUMBER
{
	[ "$(cat "$shared/n")" -gt "$1" ] 2>/dev/null
}

# A writer that truncates it first leaves nothing to read, for a moment.
has_number()
{
	number=$(cat "$shared/n") && [ -n "$number" ]
}

goes_on()
{
	wait_for 20 has_number
	wait_for 20 beyond "$number"
}

dump() # [OPTION...]
{
	moat_oci checkpoint --image-path "$image" "$@" "$id" || {
		grep Error "$image/dump.log" >&2
		return 1
	}
}

dump_fails() # WORDS [OPTION...]: criu refuses, and all goes on
{
	moat_oci_fails checkpoint --image-path "$image" "${@:2}" "$id"
	says "checkpoint: criu failed: Error ("
	says "$1"
	says "; its log is '$image/dump.log'"
	[[ ${#lines[@]} -eq 1 && $(state) == running ]]
}

restore() # [OPTION...]
{
	moat_oci restore --detach --bundle "$bundle" --image-path "$image" "$@" \
		"$id" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- || {
		cat "$BATS_TEST_TMPDIR/err" >&2
		grep Error "$image/restore.log" >&2
		return 1
	}
	[[ $(state) == running ]]
}

in_its_group() # the init is where the state says
{
	grep -q "/$(basename "$(groups_left | head -n 1)")\$" \
		"/proc/$(pid)/cgroup"
}

@test "the numbers of what is said to criu are criu's own" {
	local words

	words=$(find /usr/lib/python3 -path '*/pycriu/rpc_pb2.py')
	[[ $words ]] || skip_or_fail "needs criu's own description of its words"
	helper criu-numbers "$words" "$MOAT_SOURCE/src/runtime/criu_msg.h"
}

@test "a mount point behind a link of the image is found again" {
	mkdir -p "$bundle/rootfs/real" "$bundle/other"
	ln -s /real/point "$bundle/rootfs/point"
	echo here >"$bundle/other/file"
	edit '.mounts += [ { destination: "/point", type: "bind", source: "other",
		options: [ "bind" ] } ]'
	script "$counts"
	start_it
	dump
	restore
	[[ $(in_it cat /real/point/file) == here ]]
	goes_on
}

@test "a container with a user namespace and the host's devices goes on" {
	user_namespace
	chmod 777 "$shared"
	script "$counts"
	start_it
	dump
	restore
	goes_on
	[[ $(awk '{ print $2 }' "/proc/$(pid)/uid_map") == 100000 ]]
	[[ $(in_it sh -c 'echo x >/dev/null; head -c 1 /dev/zero | od -An -tx1') == " 00" ]]
}

@test "a device that the host lacks cannot be restored into a user namespace" {
	user_namespace
	chmod 777 "$shared"
	edit '.linux.devices = [ { path: "/dev/lack/null", type: "c", major: 1,
		minor: 3 } ]'
	script "$counts"
	start_it
	dump
	moat_oci_fails restore --detach --bundle "$bundle" --image-path "$image" \
		"$id"
	says "device '/dev/lack/null': no node of the host for criu to bind"
	nothing_left
}

@test "mount points within volumes are made again" {
	mkdir "$bundle/outer" "$bundle/inner"
	edit '.mounts += [ { destination: "/v", type: "bind", source: "outer",
		options: [ "bind" ] }, { destination: "/v/a/b", type: "bind",
		source: "inner", options: [ "bind" ] } ]'
	script "$counts"
	start_it
	dump
	rm -r "$bundle/outer/a"
	touch "$bundle/inner/seen"
	restore
	in_it test -e /v/a/b/seen
	goes_on
}

# --- memory ------------------------------------------------------------------

port=27311

@test "memory follows when it is used: --lazy-pages, --page-server, --status-fd" {
	local dumper pages first=$id byte

	script "$counts"
	start_it
	mkfifo "$BATS_TEST_TMPDIR/ready"
	exec 7<>"$BATS_TEST_TMPDIR/ready"
	moat_oci checkpoint --image-path "$image" --lazy-pages --status-fd 7 \
		--page-server 127.0.0.1:$port "$id" 3>&- &
	dumper=$!
	byte=$(timeout 30 head -c 1 <&7 | od -An -tx1)
	exec 7>&-
	[[ $byte == " 00" && -e $image/inventory.img ]]
	criu lazy-pages --page-server --address 127.0.0.1 --port $port \
		--images-dir "$image" --log-file lazy.log 3>&- &
	pages=$!
	id=$(unique other)
	restore --lazy-pages
	wait "$pages"
	wait "$dumper"
	goes_on
	in_its_group
	in_it true
	[[ ! -d $BATS_TEST_TMPDIR/oci/$first ]]
	[[ -z $(groups_left "$first") ]]
}

@test "memory is sent to a page server" {
	local server

	script "$counts"
	start_it
	mkdir "$BATS_TEST_TMPDIR/pages" "$image"
	criu page-server --images-dir "$BATS_TEST_TMPDIR/pages" --address 127.0.0.1 \
		--port $port --log-file server.log 3>&- &
	server=$!
	wait_for 20 listens $port
	dump --page-server 127.0.0.1:$port
	wait "$server"
	[[ -z $(compgen -G "$image/pages-*.img") ]]
	cp "$BATS_TEST_TMPDIR"/pages/page*.img "$image"
	restore
	goes_on
}

listens() # PORT
{
	ss -ltn | grep -q ":$1 "
}

# --- connections -------------------------------------------------------------

# What goes through the connection is counted at its other end.
talks='sleep 9999 | nc -l -p 5000 | { while read n; do echo $n >/shared/m
	mv /shared/m /shared/n; done; echo closed >/shared/closed; }'
talks="($talks) & sleep 1
	(n=0; while :; do n=\$((n + 1)); echo \$n; sleep 0.1; done) |
	nc 127.0.0.1 5000; sleep 1000"

with_nc()
{
	ln -sf busybox "$bundle/rootfs/bin/nc"
}

@test "connections live on with --tcp-established, and are refused without" {
	with_nc
	script "$talks"
	start_it
	dump_fails "Connected TCP socket, consider using --tcp-established"
	goes_on
	dump --tcp-established
	restore --tcp-established
	goes_on
	[[ ! -e $shared/closed ]]
}

@test "connections end with --tcp-close" {
	with_nc
	script "$talks"
	start_it
	dump --tcp-established
	restore --tcp-close
	wait_for 20 test -e "$shared/closed"
}

# nftables and a restore: criu 3.17 brings its own lock back with the network.
@test "connections live on whatever --network-lock names" {
	with_nc
	script "$talks"
	start_it
	dump --tcp-established --network-lock nftables --leave-running
	goes_on
	rm -r "$image"
	dump --tcp-established --network-lock iptables
	restore --tcp-established --network-lock iptables
	goes_on
}

connections() # PID STATE: there is one in its network
{
	nsenter -t "$1" -n ss -tan | grep -q "^$2 .*:5000 "
}

@test "connections that nobody has accepted are left out with --tcp-skip-in-flight" {
	local pid

	with_nc
	script "(nc -l -p 5000 >/dev/null &) ; $counts"
	start_it
	pid=$(pid)
	wait_for 20 connections "$pid" LISTEN
	in_it sh -c 'kill -STOP $(pidof nc)'
	nsenter -t "$pid" -n bash -c 'exec 5<>/dev/tcp/127.0.0.1/5000; sleep 1000' \
		3>&- &
	caller=$!
	wait_for 20 connections "$pid" ESTAB
	dump_fails "In-flight connection"
	dump --tcp-skip-in-flight --leave-running
	kill "$caller"
	goes_on
}

# Its peer is a process of the host's that knows the socket by the name that it
# has inside.
@test "sockets whose peer is outside: --ext-unix-sk" {
	no_namespace network
	python 'import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n = 0
while True:
    try: s.connect("/shared/socket"); break
    except OSError: time.sleep(0.1)
while True:
    n += 1; s.send(b"%d" % n); open("/shared/n", "w").write(str(n)); time.sleep(0.1)'
	moat_oci create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	nsenter -t "$(pid)" -m /usr/bin/python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("/shared/socket")
while True: open("/shared/heard", "wb").write(s.recv(99))' \
		</dev/null >/dev/null 2>&1 3>&- &
	peer=$!
	wait_for 20 test -S "$shared/socket"
	moat_oci start "$id"
	wait_for 20 test -s "$shared/n"
	dump_fails "Consider using --ext-unix-sk"
	dump --ext-unix-sk
	restore --ext-unix-sk
	rm "$shared/heard"
	wait_for 20 test -s "$shared/heard"
	kill "$peer"
}

# --- files -------------------------------------------------------------------

@test "locks on files are held again: --file-locks" {
	python 'import fcntl, time
f = open("/shared/lock", "w"); fcntl.flock(f, fcntl.LOCK_EX); n = 0
while True:
    n += 1; open("/shared/n", "w").write(str(n)); time.sleep(0.1)'
	start_it
	dump_fails "--file-locks"
	dump --file-locks
	flock -n "$shared/lock" true
	restore --file-locks
	goes_on
	run flock -n "$shared/lock" true
	[[ $status -ne 0 ]]
}

@test "a file whose name was removed but not its last is found: --link-remap" {
	python 'import os, time
f = open("/shared/a", "w+"); os.link("/shared/a", "/shared/b"); os.unlink("/shared/a")
n = 0
while True:
    n += 1; f.write("x"); f.flush(); open("/shared/n", "w").write(str(n)); time.sleep(0.1)'
	start_it
	dump_fails "Use link-remap option"
	dump --link-remap
	restore
	goes_on
	[[ $(wc -c <"$shared/b") -gt 1 ]]
	[[ -z $(find "$shared" -name 'link_remap*') ]]
}

# --- sessions ----------------------------------------------------------------

# Its program leads a session of its own; a shell job is what criu is told of
# besides, and both ends take it.
@test "a container is taken for a shell's job: --shell-job" {
	script "$counts"
	start_it
	dump --shell-job
	restore --shell-job
	goes_on
}

# --- groups ------------------------------------------------------------------

@test "each --manage-cgroups-mode, and a container restored under another name" {
	local mode

	script "$counts"
	start_it
	for mode in ignore soft full; do
		dump --manage-cgroups-mode "$mode"
		id=$(unique "$mode")
		restore --manage-cgroups-mode "$mode"
		goes_on
		in_its_group
		in_it true
		rm -r "$image"
	done
	# Strict: what exists is an error, and a runtime's own group does.
	dump --manage-cgroups-mode strict
	moat_oci_fails restore --detach --bundle "$bundle" --image-path "$image" \
		--manage-cgroups-mode strict "$id"
	says "Abort restore of existing cgroups"
	nothing_left
}

@test "groups that the container made are made again in its own" {
	edit '.mounts += [ { destination: "/sys/fs/cgroup", type: "cgroup",
		source: "cgroup" } ]'
	script "mkdir /sys/fs/cgroup/below; ($counts) & read p _ </proc/self/stat
		echo \$! >/sys/fs/cgroup/below/cgroup.procs; wait"
	start_it
	grep -q "/below$" "/proc/$(pgrep -P "$(pid)" | head -n 1)/cgroup"
	dump
	id=$(unique other)
	restore
	goes_on
	in_its_group
	grep -q "/$(basename "$(groups_left | head -n 1)")/below$" \
		"/proc/$(pgrep -P "$(pid)" | head -n 1)/cgroup"
	moat_oci delete --force "$id"
	nothing_left
}

# --- namespaces and labels ---------------------------------------------------

@test "an empty network namespace is somebody else's to fill: --empty-ns" {
	script "$counts"
	start_it
	nsenter -t "$(pid)" -n ip link add left type dummy
	dump --empty-ns network
	restore --empty-ns network
	goes_on
	[[ $(nsenter -t "$(pid)" -n ip -o link | wc -l) -eq 1 ]]
}

profile() # NAME
{
	echo "profile $1 flags=(attach_disconnected,mediate_deleted) {
		file, network, capability, mount, umount, pivot_root, signal, ptrace,
		unix, dbus, change_profile, userns, }" | sed 's/ userns,//' |
		apparmor_parser --replace --quiet
}

@test "another AppArmor profile at the restore: --lsm-profile" {
	need_apparmor
	profile "moat-$test_id-a"
	profile "moat-$test_id-b"
	edit --arg p "moat-$test_id-a" '.process.apparmorProfile = $p'
	script "$counts"
	start_it
	dump
	restore --lsm-profile "apparmor:moat-$test_id-b"
	goes_on
	[[ $(cat "/proc/$(pid)/attr/current") == "moat-$test_id-b "* ]]
}

@test "a context of mounts is taken, where mounts have one: --lsm-mount-context" {
	script "$counts"
	start_it
	dump
	restore --lsm-mount-context system_u:object_r:container_file_t:s0
	goes_on
}

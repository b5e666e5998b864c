#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# mounts: those of a running container can be added and taken away
#
# runs: native machine

load ../lib/common

setup()
{
	need_root
	need_program busybox
	bundle="$BATS_TEST_TMPDIR/bundle"
	mounts="$BATS_TEST_TMPDIR/mounts.json"
	mkdir -p "$bundle/rootfs/bin" "$bundle/rootfs/etc" "$BATS_TEST_TMPDIR/source"
	cp "$(command -v busybox)" "$bundle/rootfs/bin"
	ln -s busybox "$bundle/rootfs/bin/sh"
	echo one >"$BATS_TEST_TMPDIR/source/file"
	id=$(unique mounts)
}

# start [MEMBER-OF-LINUX]: a container that only waits
start()
{
	cat >"$bundle/config.json" <<-EOF
		{ "ociVersion": "1.0.2", "root": { "path": "rootfs" },
		"process": { "cwd": "/", "user": { "uid": 0, "gid": 0 },
		"args": [ "/bin/busybox", "sleep", "1000" ] },
		"mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" } ],
		"linux": { "namespaces": [ { "type": "pid" }, { "type": "mount" } $1 ] $2 } }
	EOF
	moat_oci run --detach --bundle "$bundle" "$id" >/dev/null
}

inside()
{
	moat_oci exec "$id" /bin/busybox "$@"
}

n_mounted() # -e TEXT...
{
	inside grep -c "$@" /proc/self/mountinfo
}

file_mounts() # LINE...
{
	(IFS=, && echo "[ $* ]") >"$mounts"
}

bind() # SOURCE DESTINATION
{
	echo "{ \"destination\": \"$2\", \"source\": \"$1\", \"options\": [ \"bind\", \"ro\" ] }"
}

tmpfs() # DESTINATION
{
	echo "{ \"destination\": \"$1\", \"type\": \"tmpfs\", \"source\": \"tmpfs\" }"
}

@test "a folder, a file and a tmpfs come, and go again" {
	start
	file_mounts "$(bind "$BATS_TEST_TMPDIR/source" /data)" \
		"$(bind "$BATS_TEST_TMPDIR/source/file" /etc/file)" \
		"$(tmpfs /scratch)"
	moat_oci mounts add "$id" "$mounts"
	[[ $(inside cat /data/file) == one ]]
	[[ $(inside cat /etc/file) == one ]]
	inside touch /scratch/new
	run inside touch /data/new
	[[ $status -ne 0 ]]
	# The host sees none of it.
	[[ $(grep -c "$bundle" /proc/self/mountinfo) -eq 0 ]]

	moat_oci mounts remove "$id" "$mounts"
	run inside ls /data
	[[ $status -eq 0 && -z $output ]]
	run inside cat /etc/file
	[[ -z $output ]]
	[[ $(n_mounted -e /data -e /etc/file -e /scratch) -eq 0 ]]
}

@test "a relative source is below the bundle, an object with mounts will do" {
	start
	mkdir "$bundle/here"
	echo two >"$bundle/here/file"
	echo "{ \"mounts\": [ $(bind here /here) ] }" >"$mounts"
	moat_oci mounts add "$id" "$mounts"
	[[ $(inside cat /here/file) == two ]]
}

@test "a container in a user namespace gets a tmpfs of its own" {
	local ids='[ { "containerID": 0, "hostID": 100000, "size": 65536 } ]'

	chmod -R a+rX "$bundle" && chown -R 100000:100000 "$bundle/rootfs"
	start ', { "type": "user" }' ", \"uidMappings\": $ids, \"gidMappings\": $ids"
	file_mounts "$(tmpfs /scratch)" "$(bind "$BATS_TEST_TMPDIR/source" /data)"
	moat_oci mounts add "$id" "$mounts"
	[[ $(inside stat -c %u /scratch) == 0 ]]
	inside touch /scratch/new
	[[ $(inside cat /data/file) == one ]]
	moat_oci mounts remove "$id" "$mounts"
	[[ $(n_mounted -e /data -e /scratch) -eq 0 ]]
}

@test "a link in the container does not lead a mount out of it" {
	start
	mkdir "$BATS_TEST_TMPDIR/outside"
	ln -s "$BATS_TEST_TMPDIR/outside" "$bundle/rootfs/link"
	file_mounts "$(tmpfs /link/in)"
	moat_oci mounts add "$id" "$mounts"
	[[ -z $(ls "$BATS_TEST_TMPDIR/outside") && $(n_mounted -e /outside/in) -eq 1 ]]
	[[ -d $bundle/rootfs/$BATS_TEST_TMPDIR/outside/in ]]
	moat_oci mounts remove "$id" "$mounts"
}

@test "when one mount fails none is made" {
	start
	file_mounts "$(tmpfs /scratch)" \
		'{ "destination": "/bad", "type": "nosuchfs", "source": "x" }'
	moat_oci_fails mounts add "$id" "$mounts"
	[[ $output == *"[1]: mount 'nosuchfs' on '/bad'"* ]]
	[[ $(n_mounted -e /scratch) -eq 0 ]]
}

@test "when something is not mounted nothing is taken away" {
	start
	file_mounts "$(tmpfs /scratch)"
	moat_oci mounts add "$id" "$mounts"
	file_mounts "$(tmpfs /scratch)" "$(tmpfs /etc)"
	moat_oci_fails mounts remove "$id" "$mounts"
	[[ $output == *"nothing is mounted on '/etc'"* ]]
	[[ $(n_mounted -e /scratch) -eq 1 ]]
}

@test "what cannot be is refused with its reason" {
	start
	file_mounts "$(tmpfs /proc/self)"
	moat_oci_fails mounts add "$id" "$mounts"
	[[ $output == *"mounts: [0]: destination: '/proc/self'"* ]]
	file_mounts "$(bind /no/such/folder /data)"
	moat_oci_fails mounts add "$id" "$mounts"
	[[ $output == *"/no/such/folder"* ]]
	file_mounts '{ "destination": "/cg", "type": "cgroup", "source": "cgroup" }'
	moat_oci_fails mounts add "$id" "$mounts"
	[[ $output == *"only be mounted when the container is created"* ]]
	file_mounts "$(tmpfs /)"
	moat_oci_fails mounts add "$id" "$mounts"
	[[ $output == *"destination: '/' can only be mounted when"* ]]
	moat_oci_fails mounts remove "$id" "$mounts"
	[[ $output == *"destination: '/' is what all others are in"* ]]
	moat_oci_fails mounts change "$id" "$mounts"
	[[ $output == *"'change' is not one of add, remove"* ]]
	moat_oci_fails mounts add "$(unique none)" "$mounts"
	[[ $output == *"does not exist"* ]]
}

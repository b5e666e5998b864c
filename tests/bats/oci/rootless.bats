#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# rootless: containers of a user who is not root
#
# runs: native machine
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

# A user of the test's own, who needs no entry in /etc/passwd.
user=54321

setup()
{
	need_root
	need_program setpriv unshare
	bundle
	# What he needs, where he may read it.
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	cp "$MOAT_BUILD/moat-oci" "$BATS_TEST_TMPDIR/runtime"
	mkdir "$BATS_TEST_TMPDIR/oci" "$BATS_TEST_TMPDIR/run"
	chown -hR "$user:$user" "$bundle" "$BATS_TEST_TMPDIR/oci" \
		"$BATS_TEST_TMPDIR/run"
	namespace user
	edit --argjson u "$user" '.linux.uidMappings = [ { containerID: 0,
		hostID: $u, size: 1 } ] | .linux.gidMappings = .linux.uidMappings'
}

# As he does it.
as_user() # COMMAND...
{
	chown -hR "$user:$user" "$bundle/config.json"
	setpriv --reuid "$user" --regid "$user" --clear-groups \
		env XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/run" "$@"
}

his()
{
	as_user "$BATS_TEST_TMPDIR/runtime" --root "$BATS_TEST_TMPDIR/oci" "$@"
}

@test "one's own id alone needs no help and no rights" {
	program /bin/sh -c 'id -u; cat /proc/self/uid_map /proc/self/gid_map
		cat /proc/self/setgroups; echo x >/made'
	[[ $(his run --bundle "$bundle" "$id" | xargs) == \
		"0 0 $user 1 0 $user 1 deny" ]]
	[[ $(stat -c %u "$bundle/rootfs/made") -eq $user ]]
	[[ -z $(ls "$BATS_TEST_TMPDIR/oci") ]]
}

@test "create, start, exec, kill and delete work" {
	program /bin/sleep 1000
	his create --bundle "$bundle" "$id" </dev/null >"$bundle/output" 2>&1 3>&-
	his start "$id"
	[[ $(his state "$id" | jq -r .status) == running ]]
	[[ $(his exec "$id" /bin/id -u) -eq 0 ]]
	[[ $(his list -q) == "$id" ]]
	his kill "$id" KILL
	wait_for 10 his_is stopped
	his delete "$id"
	[[ -z $(his list -q) ]]
}

his_is() # STATUS
{
	[ "$(his state "$id" | jq -r .status)" = "$1" ]
}

@test "devices are bound from the host, for to make them needs rights" {
	program /bin/sh -c 'echo x >/dev/null && head -c 1 /dev/zero | od -An -tx1'
	[[ $(his run --bundle "$bundle" "$id") == " 00" ]]
}

@test "a device that the host lacks is refused" {
	edit '.linux.devices = [ { path: "/dev/lack/null", type: "c", major: 1,
		minor: 3 } ]'
	run his run --bundle "$bundle" "$id"
	[[ $status -eq 1 && ${#lines[@]} -eq 1 ]]
	says "'/dev/lack/null': no right to make it, and no node of the host"
	[[ -z $(ls "$BATS_TEST_TMPDIR/oci") ]]
}

@test "the default root is in XDG_RUNTIME_DIR" {
	program /bin/sleep 1000
	as_user "$BATS_TEST_TMPDIR/runtime" create --bundle "$bundle" "$id" \
		</dev/null >/dev/null 2>&1 3>&-
	[[ -d $BATS_TEST_TMPDIR/run/moat/oci/$id ]]
	as_user "$BATS_TEST_TMPDIR/runtime" delete --force "$id"
	[[ ! -e $BATS_TEST_TMPDIR/run/moat/oci/$id ]]
}

# As podman calls its runtime: user 0 of a user namespace is the user.
as_root_of_namespace() # COMMAND...
{
	as_user unshare --user --map-root-user --mount "$@"
}

@test "root of a user namespace is not root of the host, unless by name" {
	no_namespace user
	edit 'del(.linux.uidMappings, .linux.gidMappings)'
	program /bin/sleep 1000
	as_root_of_namespace env -u USER "$BATS_TEST_TMPDIR/runtime" run --detach \
		--bundle "$bundle" "$id" </dev/null >"$bundle/output" 2>&1 3>&-
	[[ -d $BATS_TEST_TMPDIR/run/moat/oci/$id ]]
	as_root_of_namespace env USER=me "$BATS_TEST_TMPDIR/runtime" \
		delete --force "$id"
	[[ ! -e $BATS_TEST_TMPDIR/run/moat/oci/$id ]]
	run as_root_of_namespace env USER=root "$BATS_TEST_TMPDIR/runtime" \
		create --bundle "$bundle" "$id"
	says "/run/moat"
}

@test "what needs root is refused in a line" {
	no_namespace user
	edit 'del(.linux.uidMappings, .linux.gidMappings)'
	run his run --bundle "$bundle" "$id"
	[[ $status -eq 1 && ${#lines[@]} -eq 1 ]]
	says "no 'user': needed when not started by root"
	[[ -z $(ls "$BATS_TEST_TMPDIR/oci") ]]
}

@test "limits that he may not set are refused, none need no group" {
	edit '.linux.resources.pids.limit = 5'
	run his run --bundle "$bundle" "$id"
	[[ $status -eq 1 && ${#lines[@]} -eq 1 ]]
	says cgroup
	[[ -z $(ls "$BATS_TEST_TMPDIR/oci") ]]
}

@test "spec --rootless writes what he can run" {
	mkdir "$bundle/spec"
	chown "$user:$user" "$bundle/spec"
	his spec --rootless --bundle "$bundle/spec"
	jq '.process.args = [ "/bin/id", "-u" ] | .process.terminal = false |
		.root.path = "../rootfs" | .root.readonly = false' \
		<"$bundle/spec/config.json" >"$bundle/config.json"
	cp "$bundle/config.json" "$bundle/spec/config.json"
	jq -e '.mounts | map(.destination) | index("/sys/fs/cgroup")' \
		"$bundle/spec/config.json"
	[[ $(his run --bundle "$bundle/spec" "$id") -eq 0 ]]
}

# newuidmap reads the host's /etc: others of our own, seen by him alone.
with_helpers()
{
	echo "his:x:$user:$user:::" >"$bundle/passwd"
	echo "his:x:$user:" >"$bundle/group"
	echo "his:700000:1000" >"$bundle/subid"
	unshare --mount sh -c 'for f in subuid subgid; do
			mount --bind "$1/subid" /etc/$f
		done
		mount --bind "$1/passwd" /etc/passwd
		mount --bind "$1/group" /etc/group
		u=$2; shift 2
		exec setpriv --reuid "$u" --regid "$u" --clear-groups "$@"' sh \
		"$bundle" "$user" "$@"
}

@test "more ids come by newuidmap and newgidmap" {
	need_program newuidmap newgidmap
	[[ -e /etc/subuid && -e /etc/subgid ]] || skip_or_fail "needs /etc/subuid"
	edit --argjson u "$user" '.linux.uidMappings = [
		{ containerID: 0, hostID: $u, size: 1 },
		{ containerID: 1, hostID: 700000, size: 1000 } ] |
		.linux.gidMappings = .linux.uidMappings |
		.process.user = { uid: 5, gid: 6, additionalGids: [ 7 ] }'
	script 'id -u; id -G; cat /proc/self/uid_map'
	[[ $(with_helpers "$BATS_TEST_TMPDIR/runtime" \
		--root "$BATS_TEST_TMPDIR/oci" run --bundle "$bundle" "$id" | xargs) \
		== "5 6 7 0 $user 1 1 700000 1000" ]]
	edit '.linux.uidMappings[1].hostID = 800000'
	run with_helpers "$BATS_TEST_TMPDIR/runtime" \
		--root "$BATS_TEST_TMPDIR/oci" run --bundle "$bundle" "$id"
	[[ $status -eq 1 && ${#lines[@]} -eq 1 ]]
	says "map users"
	[[ -z $(ls "$BATS_TEST_TMPDIR/oci") ]]
}

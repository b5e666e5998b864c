#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# hooks: all six kinds, when they run, what they see, and when they fail
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
	log=$bundle/log
}

# hook KIND SCRIPT [MEMBERS]: one more hook, a shell script with $log as $1.
hook()
{
	edit --arg kind "$1" --arg script "$2" --arg log "$log" \
		".hooks[\$kind] += [ { path: \"/bin/sh\", args: [ \"sh\", \"-c\",
			\$script, \"sh\", \$log ] } + ${3:-null} ]"
}

# Those inside have other paths: the log lies in the root for them.
inside_hook() # SCRIPT
{
	log=/log hook startContainer "$@"
}

@test "hooks of all kinds run in the order of the specification" {
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook "$kind" "echo $kind >>\$1"
	done
	inside_hook 'echo startContainer >>$1'
	script 'echo program; sleep 1000'
	create
	[[ $(xargs <"$log") == "prestart createRuntime createContainer" ]]
	[[ ! -e $bundle/rootfs/log ]]
	moat_oci start "$id"
	[[ $(cat "$bundle/rootfs/log") == startContainer ]]
	[[ $(tail -n 1 "$log") == poststart ]]
	moat_oci delete --force "$id"
	[[ $(xargs <"$log") == \
		"prestart createRuntime createContainer poststart poststop" ]]
}

@test "run runs them as well, several of a kind in their order" {
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook "$kind" "echo $kind >>\$1"
		hook "$kind" "echo $kind 2 >>\$1"
	done
	run_container
	[[ $(xargs <"$log") == "prestart prestart 2 createRuntime createRuntime 2 createContainer createContainer 2 poststart poststart 2 poststop poststop 2" ]]
}

@test "each has the state on its stdin" {
	local kind

	edit '.annotations = { a: "b" }'
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook "$kind" "cat >\$1.$kind"
	done
	inside_hook 'cat >$1.startContainer'
	run_container
	mv "$bundle/rootfs/log.startContainer" "$bundle"
	while read -r kind status; do
		jq -e --arg id "$id" --arg status "$status" --arg b "$bundle" '
			.id == $id and .status == $status and .bundle == $b and
			(.pid > 0 or $status == "stopped") and
			.annotations == { a: "b" } and
			(.ociVersion | startswith("1."))' "$log.$kind" || {
			echo "$kind: $(cat "$log.$kind")" >&2
			return 1
		}
	done <<-'END'
		prestart creating
		createRuntime creating
		createContainer creating
		startContainer created
		poststart running
		poststop stopped
	END
}

@test "a hook without env has the runtime's on the host, the program's inside" {
	local kind

	edit '.process.env = [ "PATH=/bin", "MINE=inside" ]'
	for kind in prestart createRuntime poststart poststop; do
		edit --arg k "$kind" --arg f "$bundle/$kind" '.hooks[$k] = [ {
			path: "/bin/sh", args: [ "sh", "-c", "echo $MINE >" + $f ] } ]'
	done
	edit --arg f "$bundle/createContainer" '.hooks.createContainer = [ {
		path: "/bin/sh", args: [ "sh", "-c", "echo $MINE >" + $f ] } ] |
		.hooks.startContainer = [ { path: "/bin/sh",
			args: [ "sh", "-c", "echo $MINE >/work/said" ] } ]'
	MINE=host run_container
	for kind in prestart createRuntime poststart poststop; do
		[[ $(cat "$bundle/$kind") == host ]]
	done
	[[ $(cat "$bundle/createContainer") == inside ]]
	[[ $(cat "$bundle/rootfs/work/said") == inside ]]
	edit '.hooks.prestart[0].env = [ "A=x" ]'
	MINE=host run_container
	[[ $(cat "$bundle/prestart") == "" ]]
}

@test "args, env and the path are those of the hook" {
	printf '#!/bin/sh\necho "$0:$#:$1:$A:$HOME" >"$(dirname "$0")/said"\n' \
		>"$bundle/prog"
	chmod +x "$bundle/prog"
	edit --arg p "$bundle/prog" '.hooks.createRuntime = [ { path: $p,
		args: [ "name", "a b" ], env: [ "A=x", "PATH=/bin:/usr/bin" ] } ]'
	HOME=/mine run_container
	[[ $(cat "$bundle/said") == "$bundle/prog:1:a b:x:" ]]
	edit 'del(.hooks.createRuntime[0].args)'
	run_container
	[[ $(cat "$bundle/said") == "$bundle/prog:0::x:" ]]
	refuses '.hooks.createRuntime[0].path = "relative"' \
		"hooks: createRuntime: [0]: path"
	refuses '.hooks.createRuntime[0].timeout = 0' \
		"hooks: createRuntime: [0]: timeout"
	refuses '.hooks.createRuntime[0].env = [ "x" ]' \
		"hooks: createRuntime: [0]: env"
	refuses 'del(.hooks.createRuntime[0].path)' "hooks: createRuntime: [0]: path"
}

@test "a startContainer hook has the program's environment, and a HOME" {
	echo 'it:x:7:7::/home/it:/bin/sh' >>"$bundle/rootfs/etc/passwd"
	printf '#!/bin/sh\necho "$A:$HOME" >/said\n' >"$bundle/rootfs/prog"
	chmod +x "$bundle/rootfs/prog"
	chmod 777 "$bundle/rootfs"
	edit '.process.env = [ "A=x" ] | .process.user.uid = 7
		| .hooks.startContainer = [ { path: "/prog" } ]'
	HOME=/mine run_container
	[[ $(cat "$bundle/rootfs/said") == x:/home/it ]]
}

@test "createRuntime sees the container's namespaces made, and is outside" {
	namespace network
	hook createRuntime 'pid=$(sed "s/.*\"pid\":\([0-9]*\).*/\1/")
		readlink /proc/$pid/ns/net /proc/self/ns/net >$1'
	run_container
	[[ $(sed -n 1p "$log") != "$(readlink /proc/self/ns/net)" ]]
	[[ $(sed -n 2p "$log") == "$(readlink /proc/self/ns/net)" ]]
}

@test "createContainer runs in the container's namespaces, before the pivot" {
	hook createContainer 'readlink /proc/self/ns/mnt >$1
		grep -c " $2/rootfs/proc " /proc/self/mountinfo >>$1'
	edit --arg b "$bundle" '.hooks.createContainer[0].args += [ $b ]'
	run_container
	[[ $(sed -n 1p "$log") != "$(readlink /proc/self/ns/mnt)" ]]
	[[ $(sed -n 2p "$log") -eq 1 ]]
}

@test "startContainer runs in the container, as its user" {
	chmod 777 "$bundle/rootfs"
	edit '.process.user.uid = 7'
	inside_hook 'id -u >$1; ls / >>$1'
	run_container
	[[ $(sed -n 1p "$bundle/rootfs/log") -eq 7 ]]
	grep -qx work "$bundle/rootfs/log"
}

@test "hooks start in the bundle, the root, or the program's folder" {
	local kind

	for kind in prestart createRuntime createContainer poststart poststop; do
		hook "$kind" "pwd -P >\$1.$kind"
	done
	edit '.process.cwd = "/work"'
	inside_hook 'pwd -P >$1'
	run_container
	for kind in prestart createRuntime poststart poststop; do
		[[ $(cat "$log.$kind") == "$(realpath "$bundle")" ]]
	done
	[[ $(cat "$log.createContainer") == "$(realpath "$bundle/rootfs")" ]]
	[[ $(cat "$bundle/rootfs/log") == /work ]]
}

@test "createContainer hooks may fill the root by relative names" {
	hook createContainer 'echo filled >made-by-a-hook'
	[[ $(inside 'cat /made-by-a-hook') == filled ]]
}

@test "a poststop hook runs though the bundle is gone" {
	log=$BATS_TEST_TMPDIR/log
	hook poststop 'echo gone >$1'
	create
	mv "$bundle" "$bundle.away"
	moat_oci delete --force "$id"
	[[ $(cat "$log") == gone ]]
}

@test "a hook may ask the runtime" {
	hook createRuntime '"$2" --root "$3" state "$4" >$1'
	edit --arg m "$MOAT_BUILD/moat-oci" --arg r "$BATS_TEST_TMPDIR/oci" \
		--arg id "$id" '.hooks.createRuntime[0].args += [ $m, $r, $id ]'
	run_container
	jq -e '.status == "created" or .status == "creating" or .status == "running"' "$log"
}

@test "a hook that fails stops the create, with its last words" {
	local kind

	for kind in prestart createRuntime createContainer; do
		edit 'del(.hooks)'
		hook "$kind" 'echo "sorry, no" >&2; exit 3'
		hook poststop 'echo poststop >>$1'
		moat_oci_fails create --bundle "$bundle" "$id"
		[[ $status -eq 1 ]]
		says "$kind hook [0]: "
		says "sorry, no"
		nothing_left
	done
	[[ $(xargs <"$log") == "poststop poststop poststop" ]]
}

@test "poststop hooks run whatever stopped the create or the run" {
	local verb

	for verb in create run; do
		edit 'del(.hooks) | .process.args = [ "/no/such/program" ]'
		hook poststop 'cat >$1'
		moat_oci_fails "$verb" --bundle "$bundle" "$id"
		says "/no/such/program"
		jq -e --arg id "$id" '.id == $id and .status == "stopped"' "$log"
		rm "$log"
		nothing_left
	done
}

@test "no poststop hook runs for a container whose name is taken" {
	program /bin/sleep 1000
	create
	hook poststop 'echo poststop >>$1'
	moat_oci_fails create --bundle "$bundle" "$id"
	[[ ! -e $log ]]
}

@test "hooks inside see the pid that the container sees" {
	local kind

	for kind in own host; do
		edit 'del(.hooks)'
		hook createContainer 'cat >$1.createContainer'
		inside_hook 'cat >$1; echo $PPID >$1.parent'
		[[ $kind == own ]] || no_namespace pid
		run_container
		[[ $kind == host ]] || [[ $(jq .pid "$log.createContainer") -eq 1 ]]
		[[ $(jq .pid "$log.createContainer") -eq $(jq .pid "$bundle/rootfs/log") ]]
		[[ $(jq .pid "$bundle/rootfs/log") -eq $(cat "$bundle/rootfs/log.parent") ]]
	done
}

@test "a startContainer hook that fails stops the start" {
	inside_hook 'echo "sorry, no" >&2; exit 3'
	script 'echo program >/ran'
	create
	moat_oci_fails start "$id"
	says "startContainer hook [0]: "
	says "sorry, no"
	wait_for 10 is stopped
	[[ ! -e $bundle/rootfs/ran ]]
}

@test "a poststop hook that fails is told, and the rest goes on" {
	hook poststop 'exit 3'
	hook poststop 'echo second >>$1'
	run run_container
	[[ $status -eq 0 ]]
	says "poststop hook [0]: "
	[[ $(cat "$log") == second ]]
	nothing_left
}

@test "a poststart hook that fails is an error, and the container goes" {
	hook poststart 'exit 3'
	program /bin/sleep 1000
	moat_oci_fails run --detach --bundle "$bundle" "$id"
	says "poststart hook [0]: "
	nothing_left
}

@test "a poststart hook that fails stops what start has started" {
	local kind

	for kind in own shared; do
		edit 'del(.hooks)'
		hook poststart 'exit 3'
		hook poststop 'echo poststop >>$1'
		script 'sleep 1000 & exec sleep 1000'
		[[ $kind == own ]] || no_namespace pid
		create
		moat_oci_fails start "$id"
		says "poststart hook [0]: "
		is stopped
		moat_oci delete "$id"
		nothing_left
	done
	[[ $(xargs <"$log") == "poststop poststop" ]]
}

@test "a hook that takes too long is killed" {
	local kind

	for kind in prestart createRuntime createContainer; do
		edit 'del(.hooks)'
		hook "$kind" 'exec sleep 1000' '{ timeout: 1 }'
		refused
		says "$kind hook [0]: "
		says "/bin/sh"
		nothing_left
	done
}

@test "a hook that is not there is an error" {
	edit '.hooks.createRuntime = [ { path: "/no/such/hook" } ]'
	refused
	says "createRuntime hook [0]: "
	says "/no/such/hook"
	nothing_left
}

@test "signals are not blocked or ignored in hooks" {
	# exec: a shell that forks has them blocked for that moment.
	hook createRuntime 'exec grep -E "^Sig(Blk|Ign)" /proc/self/status >$1'
	run helper ignore 15 "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" run --bundle "$bundle" "$id"
	# Of 32 and 33 the C library makes its own use.
	[[ $(grep -c '0000000$' "$log") -eq 2 ]]
}

@test "hooks get no descriptors but stdio" {
	hook createRuntime 'ls /proc/self/fd >$1'
	hook createContainer 'ls /proc/self/fd >$1.2'
	run_container
	# ls has one for the folder, and the redirection none.
	[[ $(wc -l <"$log") -eq 4 && $(wc -l <"$log.2") -eq 4 ]]
}

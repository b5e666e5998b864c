#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# input: what is malformed, hostile or contradictory is refused in one line
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

# refuses_text WORDS <TEXT: config.json is that text
refuses_text()
{
	mv "$bundle/config.json" "$bundle/config.whole"
	cat >"$bundle/config.json"
	refused
	mv "$bundle/config.whole" "$bundle/config.json"
	says "$1"
}

# --- the text ----------------------------------------------------------------

@test "what is no JSON is refused, with its line" {
	local size whole

	refuses_text "config.json" </dev/null
	refuses_text "config.json: line 2" <<<$'{ "ociVersion": "1.0.0",\n "a": }'
	refuses_text "config.json" <<<'[]'
	refuses_text "config.json" <<<'"text"'
	refuses_text "config.json" <<<'{ "ociVersion": "1.0.0" } trailing'
	refuses_text "config.json" <<<$'{ "ociVersion": "1.0.0\x00" }'
	refuses_text "config.json" <<<'{ "ociVersion": "1.0.0\u0000" }'
	refuses_text "config.json" <<<$'{ "ociVersion": "1.0.0\xff\xfe" }'
	whole=$(cat "$bundle/config.json")
	for size in 1 50 200 400; do
		refuses_text "config.json" <<<"${whole:0:$size}"
	done
}

@test "keys that come twice are refused" {
	refuses_text "twice" <<<'{ "ociVersion": "1.0.0", "ociVersion": "1.0.1" }' ||
		refuses_text "duplicate" \
			<<<'{ "ociVersion": "1.0.0", "ociVersion": "1.0.1" }'
}

@test "what is nested too deeply, or too long, is refused" {
	{
		printf '{ "ociVersion": "1.0.0", "x": '
		printf '[%.0s' {1..5000}
	} | refuses_text "config.json"
	{
		printf '{ "ociVersion": "1.0.0", "hostname": "'
		head -c 20000000 /dev/zero | tr '\0' a
		printf '" }'
	} | refuses_text "config.json"
}

@test "a string of 10 MB is refused wherever it stands, in a line of bounded length" {
	local where

	head -c 10000000 /dev/zero | tr '\0' a >"$bundle/long"
	for where in .hostname .process.cwd '.process.args[0]' .root.path \
		'.linux.namespaces[0].path' .linux.cgroupsPath '.mounts[0].destination' \
		.ociVersion .linux.rootfsPropagation '.mounts[0].options[0]'; do
		cp "$bundle/config.json" "$bundle/config.whole"
		jq --rawfile long "$bundle/long" "$where = \$long" \
			<"$bundle/config.whole" >"$bundle/config.json"
		refused
		[[ ${#output} -lt 2000 ]]
		mv "$bundle/config.whole" "$bundle/config.json"
	done
	nothing_left
}

@test "every member has its type" {
	local where value

	while read -r where value words; do
		refuses "$where = $value" "config.json: $words"
	done <<-'END'
		.ociVersion 5 ociVersion: expected a string
		.process "x" process: expected an object
		.process.terminal "yes" process: terminal: expected
		.process.user [] process: user: expected an object
		.process.user.uid "root" process: user: uid: expected
		.process.user.uid 1.5 process: user: uid: expected
		.process.user.additionalGids {} process: user: additionalGids: expected
		.process.env {} process: env: expected
		.process.capabilities [] process: capabilities: expected an object
		.process.rlimits {} process: rlimits: expected
		.process.noNewPrivileges 1 process: noNewPrivileges: expected
		.root "rootfs" root: expected an object
		.root.readonly 1 root: readonly: expected
		.hostname {} hostname: expected a string
		.mounts {} mounts: expected
		.mounts[0] "x" mounts: [0]: expected an object
		.mounts[0].options "ro" mounts: [0]: options: expected
		.hooks [] hooks: expected an object
		.hooks.prestart {} hooks: prestart: expected
		.annotations [] annotations: expected
		.linux [] linux: expected an object
		.linux.namespaces {} linux: namespaces: expected
		.linux.uidMappings {} linux: uidMappings: expected
		.linux.devices "x" linux: devices: expected
		.linux.sysctl [] linux: sysctl: expected
		.linux.seccomp [] linux: seccomp: expected an object
		.linux.maskedPaths "x" linux: maskedPaths: expected
		.linux.resources [] linux: resources: expected an object
		.linux.resources.memory.limit "x" linux: resources: memory: limit: expected
		.linux.resources.memory.limit 1e400 linux: resources: memory: limit
		.linux.timeOffsets [] linux: timeOffsets: expected
	END
}

@test "the configuration must be there, and a file" {
	mv "$bundle/config.json" "$bundle/other"
	refused
	says "config.json"
	says "No such file or directory"
	mkdir "$bundle/config.json"
	refused
	says "config.json"
	rmdir "$bundle/config.json"
	moat_oci_fails run --bundle "$bundle/nothing" "$id"
	says "bundle '$bundle/nothing'"
	moat_oci_fails run --bundle "$bundle/other" "$id"
	says "$bundle/other"
}

# --- ids ---------------------------------------------------------------------

@test "ids that are no names of folders are refused, by every command" {
	local name verb

	for name in '' . .. a/b ../x /x 'a b' $'a\nb' 'a;b' 'é' "$(printf '%01100d' 0)"; do
		moat_oci_fails run --bundle "$bundle" -- "$name"
		[[ $status -eq 1 && ${#lines[@]} -eq 1 ]]
		says "container id"
	done
	for verb in start state delete pause resume ps events; do
		moat_oci_fails "$verb" ../x
		says "container id '../x'"
	done
	moat_oci_fails delete --force ../x
	says "container id '../x'"
	moat_oci_fails kill ../x KILL
	says "container id '../x'"
	moat_oci_fails exec ../x true
	says "container id '../x'"
	moat_oci_fails update --pids-limit 5 ../x
	says "container id '../x'"
	[[ -z $(ls -A "$BATS_TEST_TMPDIR/oci" 2>/dev/null) ]]
}

@test "ids with all letters that are allowed work" {
	for name in a A-b_c.d+e 0 -x; do
		moat_oci run --bundle "$bundle" -- "$name"
	done
	[[ -z $(moat_oci list -q) ]]
}

# --- names of things ---------------------------------------------------------

@test "paths with .. stay inside" {
	refuses '.linux.maskedPaths = [ "../etc" ]' "linux: maskedPaths: [0]"
	edit '.linux.cgroupsPath = "/../../../../escape"'
	start_idle
	moat_oci delete --force "$id"
	[[ -z $(find /sys/fs/cgroup -maxdepth 2 -name escape) ]]
}

@test "a cgroupsPath that leads upwards is refused or stays below" {
	edit --arg p "/moat-$test_id/a/../../../x-$test_id" \
		'.linux.cgroupsPath = $p'
	run run_container
	[[ -z $(find / -xdev -maxdepth 1 -name "x-$test_id") ]]
}

@test "a bundle given by a link is its folder" {
	ln -s "$bundle" "$BATS_TEST_TMPDIR/link"
	program /bin/sleep 1000
	moat_oci create --bundle "$BATS_TEST_TMPDIR/link" "$id" </dev/null \
		>/dev/null 2>&1 3>&-
	[[ $(moat_oci state "$id" | jq -r .bundle) == "$bundle" ]]
}

@test "a root that is a link to the host's own is refused" {
	local path

	ln -s / "$BATS_TEST_TMPDIR/link"
	ln -s ../../../../../../../../../.. "$BATS_TEST_TMPDIR/up"
	for path in "$BATS_TEST_TMPDIR/link" "$BATS_TEST_TMPDIR/up" \
		"$BATS_TEST_TMPDIR/link/proc/self/root"; do
		edit --arg path "$path" '.root.path = $path'
		refused
		says "root: path: '$path' is the host's own root"
	done
	edit '.root.path = "link"'
	ln -s rootfs "$bundle/link"
	run_container
}

@test "states that somebody has broken are an error, and can be deleted" {
	start_idle
	pid=$(pid)
	echo '{' >"$BATS_TEST_TMPDIR/oci/$id/state.json"
	moat_oci_fails state "$id"
	says "container '$id': state.json: "
	moat_oci_fails delete "$id"
	run moat_oci list -q
	[[ $status -eq 0 && ${#lines[@]} -eq 1 ]]
	says "warning: container '$id': state.json: "
	run moat_oci delete --force "$id"
	[[ $status -eq 0 ]]
	says "what is in its cgroup is killed"
	nothing_left
	gone "$pid"
}

@test "a broken state without a plan or a cgroup: what may be left is said" {
	local what

	for what in plan cgroup; do
		start_idle
		pid=$(pid)
		echo '{' >"$BATS_TEST_TMPDIR/oci/$id/state.json"
		if [[ $what == plan ]]; then
			rm "$BATS_TEST_TMPDIR/oci/$id/plan.json"
		else
			jq '.cgroup.driver = "disabled"' \
				<"$BATS_TEST_TMPDIR/oci/$id/plan.json" \
				>"$BATS_TEST_TMPDIR/plan"
			mv "$BATS_TEST_TMPDIR/plan" \
				"$BATS_TEST_TMPDIR/oci/$id/plan.json"
		fi
		run moat_oci delete --force "$id"
		[[ $status -eq 0 ]]
		says "no cgroup is known: processes of it may be left"
		! gone "$pid"
		kill -KILL "$pid"
		wait_for 20 gone "$pid"
		for left in $(groups_left); do
			wait_for 20 rmdir "$left"
		done
	done
}

@test "files among the states are no containers" {
	start_idle
	touch "$BATS_TEST_TMPDIR/oci/file"
	mkdir "$BATS_TEST_TMPDIR/oci/folder" "$BATS_TEST_TMPDIR/oci/a b"
	moat_oci list
	[[ $(moat_oci list --format json | jq length) -eq 1 ]]
	moat_oci_fails state file
	moat_oci_fails state folder
	says "'delete --force' removes it"
	moat_oci delete --force folder
	[[ ! -e $BATS_TEST_TMPDIR/oci/folder ]]
}

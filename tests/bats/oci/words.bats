#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# words: help, options, messages and logs of moat-oci
#
# runs: native machine
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/oci

setup()
{
	need_root
}

verbs()
{
	"$MOAT_BUILD/moat-oci" --help |
		awk '/^commands:$/ { on = 1; next } /^[^ ]/ || /^$/ { on = 0 }
			on && /^  [a-z]/ { print $1 }'
}

@test "every command has help, by -h, --help and help" {
	local verb

	[[ $(verbs | wc -l) -ge 16 ]]
	for verb in $(verbs); do
		run moat_oci "$verb" --help
		[[ $status -eq 0 && $output == *"moat-oci $verb"* ]]
		help=$output
		run moat_oci "$verb" -h
		[[ $status -eq 0 && $output == "$help" ]]
		run moat_oci help "$verb"
		[[ $status -eq 0 && $output == "$help" ]]
	done
}

@test "the program has help, and a version" {
	run moat_oci -h
	[[ $status -eq 0 && $output == *"create "* ]]
	run moat_oci
	[[ $status -eq 2 ]]
	run moat_oci --version
	[[ $status -eq 0 && $output =~ ^moat-oci\ version\ [0-9].*spec:\ 1\. ]]
	[[ $(moat_oci -v) == "$output" ]]
}

@test "what is not known is refused, and the nearest is named" {
	moat_oci_fails craete
	says "unknown command 'craete'; did you mean 'create'?"
	[[ $status -eq 2 ]]
	moat_oci_fails create --bundel x id
	says "--bundel"
	moat_oci_fails --no-such-option list
	says "--no-such-option"
	moat_oci_fails create
	[[ $status -eq 2 ]]
	moat_oci_fails state one two
	[[ $status -eq 2 ]]
}

@test "options stand before and after the id, in any spelling" {
	bundle
	for words in "--bundle $bundle $id" "$id --bundle $bundle" \
		"-b $bundle $id" "$id -b$bundle" "--bundle=$bundle $id" \
		"--keep=false $id --bundle $bundle" "-b $bundle -- $id"; do
		# shellcheck disable=SC2086 # words
		moat_oci run $words
	done
}

@test "--root keeps worlds apart" {
	bundle
	program /bin/sleep 1000
	start
	[[ $(moat_oci list -q) == "$id" ]]
	[[ -z $("$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/two" list -q) ]]
	run "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/two" state "$id"
	[[ $status -eq 1 ]]
	says "container '$id' does not exist"
}

@test "an error is one line on stderr, and in the log besides" {
	run --separate-stderr moat_oci --log "$BATS_TEST_TMPDIR/log" state nobody
	[[ $status -eq 1 && -z $output ]]
	# shellcheck disable=SC2154 # by bats
	[[ $stderr == "moat-oci: state: container 'nobody' does not exist" ]]
	[[ $(cat "$BATS_TEST_TMPDIR/log") =~ \
		^2[0-9-]+T[0-9:]+Z\ moat-oci:\ state:\ container\ \'nobody\' ]]
	moat_oci_fails --log "$BATS_TEST_TMPDIR/log" state nobody
	[[ $(wc -l <"$BATS_TEST_TMPDIR/log") -eq 2 ]]
	moat_oci_fails --log "$BATS_TEST_TMPDIR/no/log" state nobody
	says "open log '$BATS_TEST_TMPDIR/no/log'"
}

@test "a log in JSON is what containerd and podman read" {
	run --separate-stderr moat_oci --log "$BATS_TEST_TMPDIR/log" \
		--log-format json state nobody
	jq -e '.level == "error" and (.time | test("^2[0-9-]+T")) and
		.msg == "state: container '"'nobody'"' does not exist"' \
		"$BATS_TEST_TMPDIR/log"
	[[ $stderr == "moat-oci: state: container 'nobody' does not exist" ]]
	moat_oci_fails --log-format xml list
	says "xml"
}

@test "--debug and --log-level say more, the rest is silent" {
	bundle
	[[ -z $(run_container 2>&1) ]]
	moat_oci --debug run --bundle "$bundle" "$id" 2>"$bundle/said"
	grep -q 'debug: child: pivot' "$bundle/said"
	moat_oci --log-level debug --log "$bundle/log" run --bundle "$bundle" \
		"$id" 2>"$bundle/said"
	grep -q 'debug: child: pivot' "$bundle/log"
	[[ ! -s $bundle/said ]]
	moat_oci --log-level error run --bundle "$bundle" "$id" 2>"$bundle/said"
	[[ ! -s $bundle/said ]]
	moat_oci_fails --log-level loud list
	says "loud"
}

@test "output that cannot be written is an error" {
	run bash -c '"$MOAT_BUILD/moat-oci" features >/dev/full'
	[[ $status -eq 1 ]]
	says "write to stdout: No space left on device"
}

@test "spec writes what can be run, and overwrites nothing" {
	bundle
	mv "$bundle/config.json" "$bundle/mine.json"
	moat_oci spec --bundle "$bundle"
	jq -e '.ociVersion == "1.3.0" and .process.args == [ "sh" ]' \
		"$bundle/config.json"
	moat_oci_fails spec --bundle "$bundle"
	says exist
	edit '.process.terminal = false | .root.readonly = false |
		.linux.namespaces |= map(select(.type != "network")) |
		.process.args = [ "/bin/true" ]'
	run_container
	cd "$BATS_TEST_TMPDIR"
	moat_oci spec --rootless --config other.json
	jq -e '[ .linux.namespaces[].type ] | index("user")' other.json
}

@test "spec has a cgroup namespace where /sys/fs/cgroup is v2, each kind once" {
	local want=0 option

	[[ $(stat -f -c %T /sys/fs/cgroup) != cgroup2fs ]] || want=1
	cd "$BATS_TEST_TMPDIR"
	for option in "" --rootless; do
		moat_oci spec $option
		jq -e --argjson want "$want" '[ .linux.namespaces[].type ] |
			(map(select(. == "cgroup")) | length) == $want and
			(unique | length) == length' config.json
		rm config.json
	done
}

@test "plan prints what would be done, and does nothing" {
	bundle
	edit '.hostname = "somewhere"'
	moat_oci plan --bundle "$bundle" | jq -e '.hostname == "somewhere"'
	moat_oci plan "$bundle/config.json" --bundle "$bundle" |
		jq -e --arg path "$bundle/rootfs" '.root.path == $path'
	edit '.hostname = 5'
	moat_oci_fails plan --bundle "$bundle"
	says "plan: config.json: hostname: expected a string"
	[[ ! -e $BATS_TEST_TMPDIR/oci ]]
}

@test "features tells only what is true" {
	moat_oci features >"$BATS_TEST_TMPDIR/f"
	jq -e '.ociVersionMin == "1.0.0" and .ociVersionMax == "1.3.0" and
		(.hooks | length == 6) and (.mountOptions | index("rro")) and
		(.linux.namespaces | sort == [ "cgroup", "ipc", "mount", "network",
			"pid", "time", "user", "uts" ]) and
		(.linux.capabilities | index("CAP_SYS_ADMIN")) and
		(.linux.seccomp.actions | index("SCMP_ACT_NOTIFY")) and
		.linux.seccomp.enabled and .linux.mountExtensions.idmap.enabled' \
		"$BATS_TEST_TMPDIR/f"
}

# --- update ------------------------------------------------------------------

@test "update takes a file, stdin or options, not both" {
	need_controller pids
	bundle
	start_idle
	moat_oci update --pids-limit 50 "$id"
	echo '{ "pids": { "limit": 51 } }' >"$bundle/limits"
	moat_oci update -r "$bundle/limits" "$id"
	[[ $(find /sys/fs/cgroup -path "*$id*/pids.max" -exec cat {} +) == 51 ]]
	echo '{ "pids": { "limit": 52 } }' | moat_oci update "$id" -r -
	[[ $(find /sys/fs/cgroup -path "*$id*/pids.max" -exec cat {} +) == 52 ]]
	moat_oci_fails update -r "$bundle/limits" --pids-limit 3 "$id"
	says "--resources and single limits exclude each other"
	[[ $(find /sys/fs/cgroup -path "*$id*/pids.max" -exec cat {} +) == 52 ]]
	moat_oci_fails update "$id"
	says "no limit was given"
	echo '{ "pids": { "limit": "many" } }' >"$bundle/limits"
	moat_oci_fails update -r "$bundle/limits" "$id"
	says "$bundle/limits: pids: limit: expected a whole number"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# seccomp_cache: a profile is compiled once, and only we can have done it
#
# runs: native machine

load ../lib/common

setup()
{
	need_root
	need_program busybox
	mkdir -p "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
	cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
	cat >"$BATS_TEST_TMPDIR/bundle/config.json" <<-EOF
		{ "ociVersion": "1.0.2", "root": { "path": "rootfs" },
		"process": { "cwd": "/", "user": { "uid": 0, "gid": 0 },
		"args": [ "/bin/busybox", "mkdir", "/made" ] },
		"linux": { "namespaces": [ { "type": "pid" }, { "type": "mount" } ],
		"seccomp": { "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{ "names": [ "mkdir" ], "action": "SCMP_ACT_ERRNO", "errnoRet": 74 } ] } } }
	EOF
	cache="$BATS_TEST_TMPDIR/oci/.seccomp:cache"
}

# 74 is EBADMSG: it was the profile that refused.
refuses()
{
	run moat_oci run --bundle "$BATS_TEST_TMPDIR/bundle" "$(unique cache)"
	[[ $status -ne 0 && $output == *"Bad message"* ]]
}

@test "the second start takes the program that the first one compiled" {
	refuses
	[[ $(find "$cache" -type f | wc -l) -eq 1 ]]
	touch -d 2001-01-01 "$cache"/*
	refuses
	[[ $(find "$cache" -type f ! -newermt 2002-01-01 | wc -l) -eq 1 ]]
	[[ -z $(moat_oci list --quiet) ]]
}

@test "a folder in which others may write is not used" {
	refuses
	chmod 777 "$cache"
	rm "$cache"/*
	refuses
	[[ $(find "$cache" -type f | wc -l) -eq 0 ]]
}

@test "a folder that is a link is not followed" {
	mkdir -p "$BATS_TEST_TMPDIR/oci" "$BATS_TEST_TMPDIR/elsewhere"
	ln -s ../elsewhere "$cache"
	refuses
	[[ $(find "$BATS_TEST_TMPDIR/elsewhere" -type f | wc -l) -eq 0 ]]
	rm "$cache"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# intel_rdt: classes of resctrl; where there is none that is said
#
# The rest is in tests/unit/cgroups-rdt.c, on a tree of files: no machine of
# ours has a CPU with RDT.
#
# runs: native machine

load ../lib/common

setup()
{
	need_root
	need_program busybox
	id=$(unique rdt)
	mkdir -p "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
	cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
}

bundle() # MEMBERS
{
	cat >"$BATS_TEST_TMPDIR/bundle/config.json" <<-EOF
		{ "ociVersion": "1.3.0", "root": { "path": "rootfs" },
		"process": { "cwd": "/", "user": { "uid": 0, "gid": 0 },
		"args": [ "/bin/busybox", "sleep", "1000" ] },
		"linux": { $1 "namespaces": [ { "type": "pid" }, { "type": "mount" } ] } }
	EOF
}

@test "a host without resctrl refuses, and nothing is left" {
	[[ ! -e /sys/fs/resctrl/schemata ]] || skip "this host has resctrl"
	bundle '"intelRdt": { "enableMonitoring": true },'
	moat_oci_fails run --bundle "$BATS_TEST_TMPDIR/bundle" "$id"
	[[ $output == "moat-oci: run: linux: intelRdt: no resctrl is mounted on '/sys/fs/resctrl'"* ]]
	[[ -z $(moat_oci list --quiet) ]]
}

@test "update of a container without intelRdt says so" {
	bundle ''
	moat_oci run --detach --bundle "$BATS_TEST_TMPDIR/bundle" "$id" 3>&-
	moat_oci_fails update --l3-cache-schema 'L3:0=f' "$id"
	[[ $output == *"was created without intelRdt" ]]
	moat_oci_fails update --mem-bw-schema 'MB:0=50' "$id"
	[[ $output == *"was created without intelRdt" ]]
}

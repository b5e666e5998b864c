#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# self: the runtime's own binary cannot be written from inside (CVE-2019-5736)
#
# runs: native machine

load ../lib/common

setup()
{
	need_root
	need_program busybox
	# A copy, for one that is not protected would be written.
	cp "$MOAT_BUILD/moat-oci" "$BATS_TEST_TMPDIR/runtime"
	mkdir -p "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
	cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
}

runtime()
{
	"$BATS_TEST_TMPDIR/runtime" --root "$BATS_TEST_TMPDIR/oci" "$@"
}

bundle()
{
	cat >"$BATS_TEST_TMPDIR/bundle/config.json" <<-EOF
		{ "ociVersion": "1.0.2", "root": { "path": "rootfs" },
		"process": { "cwd": "/", "user": { "uid": 0, "gid": 0 },
		"args": [ "/bin/busybox", "true" ] }, "mounts": [],
		"linux": { "namespaces": [ { "type": "pid" }, { "type": "mount" } ] } }
	EOF
}

exe_of() # ID
{
	local pid

	pid=$(runtime state "$1" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
	echo "/proc/$pid/exe"
}

@test "who holds on to the runtime's binary cannot write it afterwards" {
	local id

	id=$(unique self)
	bundle
	runtime create --bundle "$BATS_TEST_TMPDIR/bundle" "$id"
	exec 9<"$(exe_of "$id")"
	cmp /proc/self/fd/9 "$MOAT_BUILD/moat-oci"
	runtime delete --force "$id"
	# Nobody executes it any more, and so it is not busy.
	run sh -c 'echo evil >/proc/self/fd/9'
	[[ $status -ne 0 ]]
	cmp "$BATS_TEST_TMPDIR/runtime" "$MOAT_BUILD/moat-oci"
}

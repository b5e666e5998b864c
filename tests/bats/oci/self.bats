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

run_cat() # ID
{
	rm -f "$BATS_TEST_TMPDIR/fifo"
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	env -i PATH="$PATH" A='one  two' LAST=z \
		"$BATS_TEST_TMPDIR/runtime" --root "$BATS_TEST_TMPDIR/oci" \
		run --bundle "$BATS_TEST_TMPDIR/bundle" "$1" \
		<"$BATS_TEST_TMPDIR/fifo" &
	pid=$!
	exec 9>"$BATS_TEST_TMPDIR/fifo"
	wait_for 20 is_running "$1"
}

is_running() # ID
{
	runtime state "$1" 2>/dev/null | grep -q '"status": *"running"'
}

lines_of() # FILE
{
	tr '\0' '\n' <"/proc/$pid/$1"
}

# It has been executed twice by then, the first time before its C library began.
@test "arguments and environment survive the protection" {
	local id pid guest expected

	bundle
	sed -i 's/"true"/"cat"/' "$BATS_TEST_TMPDIR/bundle/config.json"
	for guest in "" moat-guest; do
		id=$(unique "self$guest")
		expected=("A=one  two" LAST=z)
		if [[ $guest ]]; then
			# Beside it: so it was built here, and is told where.
			: >"$BATS_TEST_TMPDIR/$guest"
			expected+=("MOAT_LIBEXECDIR=$BATS_TEST_TMPDIR")
		fi
		run_cat "$id"
		diff <(lines_of environ | sort) \
			<(printf '%s\n' "${expected[@]}" "PATH=$PATH")
		diff <(lines_of cmdline) <(printf '%s\n' \
			"$BATS_TEST_TMPDIR/runtime" --root "$BATS_TEST_TMPDIR/oci" \
			run --bundle "$BATS_TEST_TMPDIR/bundle" "$id")
		[[ $(cat "/proc/$pid/comm") == runtime ]]
		exec 9>&-
		wait "$pid"
	done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# micro-VM: of a user who is not root
#
# On our own monitor in the test machine, where the user is in the group of
# /dev/kvm; natively on QEMU.
#
# runs: native machine
# snapshot: kvm
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

bats_require_minimum_version 1.5.0

# A user of the test's own, who needs no entry in /etc/passwd.
user=54321

setup()
{
	need_root
	need_program setpriv
	need_kernel
	groups=--clear-groups backend=qemu
	if [[ -n ${MOAT_TEST_MACHINE:-} ]]; then
		need_kvm
		groups=--groups=$(stat -c %g /dev/kvm) backend=kvm
	else
		need_program qemu-system-x86_64
	fi
	bundle
	make_home
	open_to_others "$user:$user"
	namespace user
	namespace network
	edit --argjson u "$user" --arg backend "$backend" '
		.linux.uidMappings = [ { containerID: 0, hostID: $u, size: 1 } ] |
		.linux.gidMappings = .linux.uidMappings |
		.annotations = { "moat.isolation": "vm",
			"moat.vm.backend": $backend }'
}

# What he needs, where he may read it. A kernel is unpacked once for all tests.
make_home()
{
	home=$BATS_FILE_TMPDIR/home
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/file" "$BATS_FILE_TMPDIR"
	[ ! -d "$home" ] || return 0
	mkdir -p "$home/bin" "$home/run"
	cp "$MOAT_BUILD"/moat-{oci,vmm,guest} "$home/bin"
	chown -hR "$user:$user" "$home"
}

teardown()
{
	his delete --force "$id" >/dev/null 2>&1 || :
	remove_leftovers
}

his() # VERB...
{
	setpriv --reuid "$user" --regid "$user" "$groups" \
		env XDG_RUNTIME_DIR="$home/run" XDG_DATA_HOME="$home/data" \
		"$home/bin/moat-oci" --root "$home/run/oci" "$@"
}

@test "it runs, with his rights on his files and no others" {
	script 'id -u; echo x >/made; chown 7 /made || echo refused; exit 3'
	run --separate-stderr his run --bundle "$bundle" "$id"
	echo "$stderr"
	[[ $status -eq 3 ]]
	[[ $output == $'0\nrefused' ]]
	[[ $(stat -c %u:%g "$bundle/rootfs/made") == "$user:$user" ]]
	[[ -z $(ls "$home/run/oci") ]]
}

@test "create, start, exec, kill and delete work" {
	program /bin/sleep 1000
	his create --bundle "$bundle" "$id" </dev/null >"$bundle/output" 2>&1 3>&-
	his start "$id"
	[[ $(his state "$id" | jq -r .status) == running ]]
	# The kernel is its own.
	inside=$(his exec "$id" /bin/cat /proc/sys/kernel/random/boot_id </dev/null)
	[[ -n $inside && $inside != "$(cat /proc/sys/kernel/random/boot_id)" ]]
	his kill "$id" KILL
	wait_for 20 is_stopped
	his delete "$id"
	[[ -z $(his list -q) ]]
}

is_stopped()
{
	[[ $(his state "$id" | jq -r .status) == stopped ]]
}

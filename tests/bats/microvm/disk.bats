#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# micro-VM: block devices and raw files of the host are disks of the guest
#
# On our own monitor in the test machine, by name; natively on QEMU.
#
# runs: native machine
# snapshot: kvm

load ../lib/common

bats_require_minimum_version 1.5.0

setup()
{
	need_root
	if [[ -n ${MOAT_TEST_MACHINE:-} ]]; then
		need_kvm
		backend=kvm
	else
		need_program qemu-system-x86_64
		backend=qemu
	fi
	need_kernel
	need_program jq python3
	vm=$(unique disk)
	bundle=$BATS_TEST_TMPDIR/bundle
	file=$BATS_TEST_TMPDIR/file.img
	fixed=$BATS_TEST_TMPDIR/fixed.img
	mkdir -p "$bundle/rootfs" "$bundle/scratch"
	truncate -s 4M "$file"
	truncate -s 2M "$fixed"
	loop='' holder=''
}

teardown()
{
	[ -z "$holder" ] || kill "$holder"
	remove_leftovers
	[ -z "$loop" ] || losetup -d "$loop"
}

# The loop device $loop of 3 MiB; its numbers are in $major and $minor.
need_loop()
{
	need_module loop
	truncate -s 3M "$BATS_TEST_TMPDIR/loop.img"
	loop=$(losetup --show -f "$BATS_TEST_TMPDIR/loop.img") ||
		skip_or_fail "needs a loop device"
	major=$((0x$(stat -c %t "$loop")))
	minor=$((0x$(stat -c %T "$loop")))
}

# The environment, with these keys of linux and annotations (JSON).
make_bundle() # LINUX ANNOTATIONS COMMAND...
{
	local linux=$1 notes=$2

	shift 2
	jq -n --arg bundle "$bundle" --arg backend "$backend" \
		--argjson linux "$linux" --argjson notes "$notes" '{
	  ociVersion: "1.0.2",
	  process: { args: $ARGS.positional, cwd: "/", user: { uid: 0, gid: 0 },
	    env: [ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" ] },
	  root: { path: "rootfs" },
	  mounts: [
	    { destination: "/proc", type: "proc", source: "proc" },
	    { destination: "/sys", type: "sysfs", source: "sysfs" },
	    { destination: "/dev", type: "tmpfs", source: "tmpfs" } ],
	  annotations: ({ "moat.isolation": "vm", "moat.vm.backend": $backend,
	    "moat.rootfs.layers": "/",
	    "moat.rootfs.scratch": ($bundle + "/scratch") } + $notes),
	  linux: ({ namespaces: [ { type: "mount" }, { type: "pid" },
	    { type: "network" }, { type: "ipc" } ] } + $linux) }' \
		--args -- "$@" >"$bundle/config.json"
}

# linux with the loop device as /dev/xvdf of root, and a rule for ACCESS.
with_loop() # ACCESS
{
	jq -n --argjson major "$major" --argjson minor "$minor" \
		--arg access "$1" '{
	  devices: [ { path: "/dev/xvdf", type: "b", major: $major,
	    minor: $minor, fileMode: 416, uid: 0, gid: 6 } ],
	  resources: { devices: [ { allow: false, access: "rwm" },
	    { allow: true, type: "b", major: $major, minor: $minor,
	      access: $access } ] } }'
}

run_vm()
{
	moat_oci run --bundle "$bundle" "$vm" </dev/null 2>&1
}

# In the guest: the size of each disk, then three bytes to each place.
# shellcheck disable=SC2016 # for the shell in the guest
look='stat -c "%A %u:%g %n" /dev/file /dev/fixed /dev/xvdf
	for d in file fixed xvdf; do
		wc -c </dev/$d
		printf "%s" $d | dd of=/dev/$d bs=1 seek=4096 conv=fsync 2>/dev/null ||
			echo "$d is not written to"
		tail -c +4097 /dev/$d | head -c 4 | tr "\0" 0; echo
	done'

@test "files and a device are disks under their names, and are written to" {
	need_loop
	make_bundle "$(with_loop rw)" \
		"{ \"moat.vm.disk.file\": \"$file\",
		   \"moat.vm.disk.fixed\": \"$fixed:ro\" }" sh -c "$look"
	run run_vm
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $output == "brw-rw---- 0:0 /dev/file
brw-rw---- 0:0 /dev/fixed
brw-r----- 0:6 /dev/xvdf
4194304
file
2097152
fixed is not written to
0000
3145728
xvdf" ]]
	[[ $(tail -c +4097 "$file" | head -c 4) == file ]]
	[[ $(tail -c +4097 "$loop" | head -c 4) == xvdf ]]
	cmp "$fixed" <(head -c 2M /dev/zero)
}

@test "a device that a rule lets be read alone is a read-only disk" {
	need_loop
	printf here | dd of="$loop" conv=fsync status=none
	# shellcheck disable=SC2016 # for the shell in the guest
	make_bundle "$(with_loop rm)" '{}' sh -c '
	head -c 4 /dev/xvdf; echo
	(: >/dev/xvdf) 2>/dev/null || echo no
	cat "/sys/dev/block/$(printf %d:%d $(stat -c "0x%t 0x%T" /dev/xvdf))/ro"'
	run run_vm
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $output == $'here\nno\n1' ]]
}

@test "a user namespace in the guest has the disk, too" {
	make_bundle '{ "uidMappings": [ { "containerID": 0, "hostID": 1000, "size": 10 } ],
	  "gidMappings": [ { "containerID": 0, "hostID": 1000, "size": 10 } ],
	  "namespaces": [ { "type": "mount" }, { "type": "pid" },
	    { "type": "network" }, { "type": "ipc" }, { "type": "user" } ] }' \
		"{ \"moat.vm.disk.file\": \"$file\" }" sh -c \
		'echo mine >/dev/file && stat -c %A:%u:%g /dev/file'
	run run_vm
	echo "$output"
	[[ $status -eq 0 && $output == brw-rw----:0:0 ]]
	[[ $(head -n 1 "$file" | tr -d '\0') == mine ]]
}

# In the machine's disk cache nothing is told apart from what was flushed, so
# the guest's own word for it has to do.
@test "the guest knows that its disk keeps what it is told until a flush" {
	make_bundle '{}' "{ \"moat.vm.disk.file\": \"$file\" }" \
		sh -c 'cat /sys/block/vd*/queue/write_cache'
	run run_vm
	[[ $status -eq 0 && $output == "write back" ]]
}

# By the guest's clock, and at least so long: what is read first is a burst.
# shellcheck disable=SC2016 # for the shell in the guest
@test "a disk is no faster than its rates" {
	local clock='now() { IFS=" ." read -r s c _ </proc/uptime
		echo $((s * 100 + 1$c - 100)); }
		timed() { t=$(now); "$@" || exit; echo $(($(now) - t)); }'

	make_bundle '{}' "{ \"moat.vm.disk.bytes\": \"$file:bps=1m:ro\",
		\"moat.vm.disk.ops\": \"$fixed:iops=20\" }" sh -c "$clock"'
		timed dd if=/dev/bytes of=/dev/null bs=64k 2>/dev/null
		timed dd if=/dev/ops of=/dev/null bs=4k count=80 iflag=direct 2>/dev/null'
	run run_vm
	echo "$output"
	[[ $status -eq 0 && ${#lines[@]} -eq 2 ]]
	# 4 MiB, 80 reads: 3 seconds' worth of each after the burst.
	[[ ${lines[0]} -ge 240 && ${lines[1]} -ge 240 ]]
}

@test "who writes to a disk is alone with it" {
	need_loop
	make_bundle '{}' "{ \"moat.vm.disk.a\": \"$file\" }" true
	exec 6<>"$file"
	flock 6
	moat_oci_fails run --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"disk '/dev/a': lock '$file': Resource temporarily unavailable"* ]]
	exec 6<&-
	make_bundle "$(with_loop rw)" '{}' true
	mkfifo "$BATS_TEST_TMPDIR/said"
	python3 -c 'import os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
print("held", flush=True)
time.sleep(1000)' "$loop" >"$BATS_TEST_TMPDIR/said" 3>&- &
	holder=$!
	read -r _ <"$BATS_TEST_TMPDIR/said"
	moat_oci_fails run --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"disk '/dev/xvdf': open '$loop' for itself alone: Device or resource busy"* ]]
	moat_oci_fails state "$vm"
}

@test "a disk that is none is named" {
	local path row

	mkfifo "$BATS_TEST_TMPDIR/fifo"
	for row in "missing:No such file" "fifo:Block device required" \
		"bundle:Block device required"; do
		path=$BATS_TEST_TMPDIR/${row%%:*}
		make_bundle '{}' "{ \"moat.vm.disk.a\": \"$path\" }" true
		moat_oci_fails run --bundle "$bundle" "$vm" </dev/null
		[[ $output == *"disk '/dev/a': '$path': ${row#*:}"* ]]
	done
	major=4095 minor=1048575
	make_bundle "$(with_loop rw)" '{}' true
	moat_oci_fails run --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"disk '/dev/xvdf': the host has no block device 4095:1048575"* ]]
}

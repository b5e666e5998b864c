#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# moat-vmm: the stock kernel boots under it, and how a guest ends is told
#
# runs: machine
# snapshot: kvm

load ../lib/common

setup()
{
	need_machine
	need_kvm
	need_program python3
	kernel=$(echo /boot/vmlinuz-*-cloud-*)
}

# guest PARAMETERS: the kernel's own 64-bit entry unpacks it; without an
# initramfs it panics for want of a root and asks for a restart.
guest()
{
	python3 - "$MOAT_BUILD/moat-vmm" "$kernel" "$1" <<-'END'
	import json, os, subprocess, sys
	program, kernel, parameters = sys.argv[1:]
	fd = os.open(kernel, os.O_RDONLY)
	config = os.memfd_create("config", 0)
	os.write(config, json.dumps({
	    "vcpus": 2, "memory": {"bytes": 256 << 20}, "kernelFd": fd,
	    "cmdline": parameters, "rng": True, "reportFd": 1, "jail": True,
	}).encode())
	os.lseek(config, 0, 0)
	sys.exit(subprocess.run([program, str(config)],
	    pass_fds=[fd, config], timeout=200).returncode)
	END
}

@test "a stock kernel without a root panics, and its last words are told" {
	run guest "console=ttyS0 reboot=k panic=-1 pci=off quiet"
	[[ $status -eq 66 ]]
	[[ $output == *'"how":"reset"'* ]]
	[[ $output == *"Kernel panic"* ]]
}

# A guest that waits until told; its parts are looked at meanwhile.
@test "moat run is served by it, with no other program and without a notice" {
	local pid monitor

	mkfifo "$BATS_TEST_TMPDIR/in"
	moat run --rm --isolation vm -i host sh -c 'echo up; cat' \
		<"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	exec 5>"$BATS_TEST_TMPDIR/in"
	wait_for 120 grep -qx up "$BATS_TEST_TMPDIR/out"
	monitor=$(pgrep -x moat-vmm)
	[[ -z $(pgrep qemu-system) && -z $(pgrep virtiofsd) ]]
	grep -qx "NoNewPrivs:	1" "/proc/$monitor/status"
	grep -qx "CapEff:	0000000000000000" "/proc/$monitor/status"
	[[ -z $(ls -A "/proc/$monitor/root/") ]]
	# The thread of the share alone has rights, and they are few.
	[[ $(grep -hx "CapEff:.*[1-9a-f].*" /proc/"$monitor"/task/*/status) == \
		"CapEff:	00000000880000db" ]]
	grep -L "^Seccomp:	2" /proc/"$monitor"/task/*/status >"$BATS_TEST_TMPDIR/open"
	[[ ! -s $BATS_TEST_TMPDIR/open ]]
	grep -L "^NoNewPrivs:	1" /proc/"$monitor"/task/*/status >"$BATS_TEST_TMPDIR/open"
	[[ ! -s $BATS_TEST_TMPDIR/open ]]
	# Its namespaces are the environment's.
	for kind in mnt pid net ipc uts; do
		[[ $(readlink "/proc/$monitor/ns/$kind") != $(readlink "/proc/self/ns/$kind") ]]
	done
	exec 5>&-
	wait "$pid"
	[[ ! -s $BATS_TEST_TMPDIR/err ]]
}

# start_guest OPTION...: a guest whose shell obeys what say() writes; its
# monitor's folder of /proc is in $monitor.
start_guest()
{
	mkfifo "$BATS_TEST_TMPDIR/in"
	moat run --rm --isolation vm -i "$@" host sh \
		<"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/err" 3>&- &
	guest=$!
	exec 5>"$BATS_TEST_TMPDIR/in"
	say 'echo up'
	wait_for 120 grep -qx up "$BATS_TEST_TMPDIR/out"
	monitor=/proc/$(pgrep -x moat-vmm)
}

say()
{
	echo "$1" >&5
}

end_guest()
{
	exec 5>&-
	wait "$guest"
}

# The flags of each mapping of the monitor that is larger than 64 MiB.
large_mappings()
{
	awk '$1 == "Size:" { large = $2 > 65536 }
		$1 == "VmFlags:" && large' "$monitor/smaps"
}

rss_below() # KIB
{
	[[ $(awk '/^VmRSS/ { print $2 }' "$monitor/status") -lt $1 ]]
}

@test "what a guest frees goes back to the host by itself" {
	start_guest -m 512m
	say "exec python3 -c 'x = b\"x\" * 200000000; print(\"full\", flush=True); input(); del x; input()'"
	wait_for 60 grep -qx full "$BATS_TEST_TMPDIR/out"
	run rss_below 200000
	[[ $status -ne 0 ]]
	say 'now free it'
	wait_for 60 rss_below 150000
	say 'and end'
	end_guest
}

@test "the memory of a guest is as its annotations say" {
	start_guest --annotation moat.vm.ksm=true \
		--annotation moat.vm.huge-pages=never \
		--annotation moat.vm.pin=0
	[[ $(large_mappings) == *" mg "* ]]
	[[ $(large_mappings) == *" nh "* ]]
	end_guest
}

@test "huge pages are reserved, all of them, or it is an error" {
	run moat run --isolation vm -m 128m \
		--annotation moat.vm.huge-pages=reserve host true
	[[ $status -eq 125 && $output == *"in huge pages: Cannot allocate memory"* ]]
	echo 70 >/proc/sys/vm/nr_hugepages
	start_guest -m 128m --annotation moat.vm.huge-pages=reserve
	[[ $(large_mappings) == *" ht "* ]]
	[[ $(awk '/^HugePages_Free/ { free = $2 } /^HugePages_Rsvd/ { print free - $2 }' \
		/proc/meminfo) -eq 6 ]]
	end_guest
}

@test "a vCPU on a CPU that the host does not have is an error" {
	run moat run --isolation vm --annotation moat.vm.pin=77 host true
	[[ $status -eq 125 ]]
	[[ $output == *"vCPU 0 on its host CPU 77: Invalid argument"* ]]
}

@test "an annotation is KEY=VALUE, and is not given twice" {
	moat_fails run --annotation moat.vm.ksm host true
	[[ $output == *"'moat.vm.ksm' is not KEY=VALUE"* ]]
	moat_fails run --isolation vm --annotation moat.isolation=container host true
	[[ $output == *"moat.isolation"* ]]
}

# The kernel without its 64-bit entry is entered as Xen does it, in 32 bits.
@test "a stock kernel boots by its PVH entry" {
	local vmlinux="$BATS_TEST_TMPDIR/vmlinux" id

	moat run --rm --isolation vm --kernel "$kernel" host true
	id=$(echo /var/lib/moat/kernels/vmlinux-*-cloud-*.id)
	cp "${id%.id}" "$vmlinux"
	# e_entry: where no segment is
	printf '\0\0\0\0\0\0\0\200' |
		dd of="$vmlinux" bs=1 seek=24 conv=notrunc status=none
	run moat run --rm --isolation vm --kernel "$vmlinux" host uname -r
	echo "$output"
	[[ $status -eq 0 && $output == *-cloud-amd64 ]]
}

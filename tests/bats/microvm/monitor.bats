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
	exec 5>&-
	wait "$pid"
	[[ ! -s $BATS_TEST_TMPDIR/err ]]
}

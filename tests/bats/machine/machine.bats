#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# machine: the test machine has what the tests run there for
#
# runs: machine
# snapshot: kvm

load ../lib/common

setup()
{
	need_machine
}

@test "the cpu, memory, io and pids controllers can be given to a child" {
	local group=/sys/fs/cgroup/$test_id name

	[[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]
	echo "+cpu +memory +io +pids" >/sys/fs/cgroup/cgroup.subtree_control
	mkdir "$group"
	for name in cpu.max memory.max io.max pids.max; do
		[[ -w $group/$name ]]
	done
	echo 7 >"$group/pids.max"
	[[ $(cat "$group/pids.max") == 7 ]]
}

# shellcheck disable=SC2016 # read by the inner shell
@test "systemd runs and starts units" {
	[[ $(cat /proc/1/comm) == systemd ]]
	[[ $(systemctl is-system-running) == running ]]
	[[ $(systemd-run --pipe --wait --quiet -p MemoryMax=64M sh -c \
		'cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max') \
		== 67108864 ]]
}

@test "AppArmor confines a program" {
	[[ $(cat /sys/module/apparmor/parameters/enabled) == Y ]]
	echo "profile $test_id { file, deny /etc/hostname r, }" |
		apparmor_parser -a
	run aa-exec -p "$test_id" -- cat /etc/hostname
	[[ $status -ne 0 ]]
	[[ $output == *"Permission denied"* ]]
	aa-exec -p "$test_id" -- cat /etc/hosts
}

@test "KVM makes a virtual machine that runs real mode code" {
	need_kvm
	python3 "$BATS_TEST_DIRNAME/kvm.py"
}

@test "root has every capability" {
	local last

	last=$(cat /proc/sys/kernel/cap_last_cap)
	[[ $(awk '/^CapEff/ { print $2 }' /proc/self/status) == \
		$(printf '%016x' $(((1 << (last + 1)) - 1))) ]]
}

@test "a dummy link, netem and nftables are there" {
	ip link add d0 type dummy
	tc qdisc add dev d0 root netem delay 10ms
	[[ $(tc qdisc show dev d0) == *"delay 10ms"* ]]
	nft add table ip "$test_id"
	nft list table ip "$test_id"
}

@test "two kernels for micro-VMs lie in /boot, with their modules" {
	local kernel module

	[[ -e /boot/vmlinuz-$(uname -r) ]]
	ls /boot/vmlinuz-*-cloud-amd64
	for kernel in /boot/vmlinuz-*; do
		for module in virtio_mmio virtio_blk virtio_net \
			virtio_balloon virtio_console virtio-rng \
			vmw_vsock_virtio_transport virtiofs overlay erofs \
			ext4 nf_tables veth bridge dummy sch_netem tun \
			vhost_vsock; do
			modprobe -n -S "${kernel#*vmlinuz-}" "$module"
		done
	done
}

@test "containers of podman, crun and runc start" {
	local runtime root=$BATS_TEST_TMPDIR/root

	mkdir -p "$root/bin"
	cp /bin/busybox "$root/bin/"
	for runtime in crun runc; do
		[[ $(podman --runtime "$runtime" run --rm --network none \
			--rootfs "$root" /bin/busybox echo "$runtime") == "$runtime" ]]
	done
}

@test "what is written to a shared folder arrives, programs there run" {
	[[ -e $MOAT_SOURCE/configure.ac ]]
	[[ $(findmnt -n -o FSTYPE -T "$MOAT_SOURCE") == 9p ]]
	"$MOAT_SOURCE/build-aux/install-deps" -h
}

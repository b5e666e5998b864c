# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the programs in tests/vm share: where the machine lies and which devices
# it has. This file is part of the recipe: changing it makes a new machine.
#
# The cache holds one folder for each recipe, so that work trees with
# different recipes do not disturb each other:
#
#	$MOAT_TEST_CACHE/KEY/vmlinux initrd disk.ext4	the machine
#	                     manifest			its packages, versions
#	                     snapshots/NAME/		saved states of it
#	$MOAT_TEST_CACHE/lock				held while building
#	$MOAT_TEST_CACHE/session.*			one per running machine
#
# Everything is built under another name (.new) and renamed when complete: an
# interrupted build is never taken for a finished one.

vm_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for those who source this
vm_top=$(cd "$vm_source/../.." && pwd)
vm_cache=${MOAT_TEST_CACHE:-/var/tmp/moat-test-machine}

# This many host folders can be shared at most: their devices are part of the
# saved state, used or not.
readonly vm_shares=4
readonly vm_memory=3072M

vm_say()
{
	echo "${0##*/}: $*" >&2
}

# 125: the machine failed, not what runs in it.
vm_die()
{
	vm_say "$@"
	exit 125
}

# The files that define the machine. All others here only use it.
vm_recipe()
{
	printf '%s\n' "$vm_source"/{machine.sh,build.sh,packages} \
		"$vm_source"/guest/*
}

vm_key()
{
	{
		uname -m
		# shellcheck source=/dev/null
		(. /etc/os-release && echo "$ID ${VERSION_CODENAME:-}")
		vm_recipe | xargs cat
	} | sha256sum | cut -c 1-16
}

vm_machine=$vm_cache/$(vm_key)

vm_exists()
{
	[ -d "$vm_machine" ]
}

# In a shared place such as /var/tmp somebody else may have been first, and
# what lies there decides what we run.
vm_own_cache()
{
	mkdir -p "$vm_cache" || vm_die "cannot make '$vm_cache'"
	[ -O "$vm_cache" ] || vm_die "'$vm_cache' belongs to another user:" \
		"set MOAT_TEST_CACHE"
}

# One builder at a time. The lock ends with this process.
vm_lock()
{
	[ -z "${vm_lock_fd:-}" ] || return 0
	exec {vm_lock_fd}>"$vm_cache/lock"
	flock -n "$vm_lock_fd" && return
	vm_say "another process builds; waiting for it"
	flock "$vm_lock_fd"
}

vm_unlock()
{
	exec {vm_lock_fd}>&-
	vm_lock_fd=
}

# The kernel's parameters. norandmaps: the same addresses each time, so that
# QEMU finds translated code again. tsc: the emulated clock is steady, spend no
# time on finding out.
vm_parameters()
{
	echo "console=ttyS0 panic=-1 reboot=t quiet systemd.unit=test.target" \
		"mitigations=off norandmaps no_timer_check tsc=reliable"
}

# The machine but for its memory and what is behind its devices, one argument
# to a line. Whoever saves a state and whoever resumes it must name the same
# devices in the same order.
#
# How both CPUs are served, by one host thread (single) or by one each (multi),
# is no part of a saved state.
vm_devices() # single|multi
{
	local i

	printf '%s\n' \
		-M q35,memory-backend=memory -m "$vm_memory" -smp 2 \
		-accel "tcg,thread=$1" -cpu qemu64,+svm,+npt \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$vm_machine/vmlinux" -initrd "$vm_machine/initrd" \
		-device isa-debug-exit,iobase=0xf4,iosize=0x04 \
		-device virtio-blk-pci,drive=disk \
		-device virtio-rng-pci \
		-device vmgenid,guid=auto \
		-device virtio-serial-pci \
		-device virtconsole,chardev=terminal \
		-device virtserialport,chardev=control,name=control \
		-device virtserialport,chardev=output,name=output \
		-device virtserialport,chardev=status,name=status
	for ((i = 0; i < vm_shares; i++)); do
		printf '%s\n' -device "virtio-9p-pci,fsdev=share$i,mount_tag=share$i"
	done
}

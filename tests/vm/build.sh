# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# How the machine is built, from Debian packages alone. Part of the recipe.
# build_machine, last in this file, has the steps in order; each may use what
# those before it left in $vm_machine.

readonly build_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# This host's own package sources where it is a Debian, else Debian's.
build_sources()
{
	if [ "$build_host" = debian ]; then
		cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
			/etc/apt/sources.list.d/*.sources 2>/dev/null || true
	else
		echo "deb [signed-by=$build_keyring]" \
			"http://deb.debian.org/debian $build_suite main"
	fi
}

# The ways by which this host reaches its sources: proxies, mirrors that stand
# still in time.
build_apt_options()
{
	apt-config dump --format '%f "%v";%n' Acquire::http Acquire::https \
		Acquire::Check-Valid-Until Acquire::Check-Date |
		sed -n '/"..*"/s/^/--aptopt=/p'
}

# The root file system, as a folder. Without documentation: half of the small
# files are there, and no test reads them.
build_root()
{
	local options packages log=$vm_machine/mmdebstrap.log

	mapfile -t options < <(build_apt_options)
	packages=$(sed 's/#.*//' "$vm_source/packages" | xargs)
	build_sources | mmdebstrap --mode=root --variant=minbase --include="$packages" \
		"${options[@]}" \
		--aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='force-unsafe-io' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="$vm_source/guest/fetch-kernels" \
		"$build_suite" "$build_root" - 2>"$log" || {
		tail -n 20 "$log" >&2
		vm_die "mmdebstrap failed; all it said is in $log"
	}
	chroot "$build_root" dpkg-query -W >"$vm_machine/manifest"
}

# build_field FILE OFFSET BYTES: an unsigned number out of a binary file.
build_field()
{
	od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# The kernel is given to QEMU unpacked: to unpack itself would take it seconds
# in emulation. Offsets: Documentation/arch/x86/boot.rst; the last four bytes
# of the payload are its size, not part of the stream.
build_kernel()
{
	local image payload length

	image=$build_root/boot/vmlinuz-$(<"$build_root/boot/generic")
	payload=$((($(build_field "$image" 0x1f1 1) + 1) * 512 +
		$(build_field "$image" 0x248 4)))
	length=$(($(build_field "$image" 0x24c 4) - 4))
	dd if="$image" iflag=skip_bytes,count_bytes,fullblock bs=1M \
		skip="$payload" count="$length" status=none |
		xz -dc >"$vm_machine/vmlinux"
}

# busybox, and the modules that reach the disk and the host.
build_initrd()
{
	local dir=$vm_machine/initrd.d kernel name module

	kernel=$(<"$build_root/boot/generic")
	mkdir -p "$dir"/{bin,dev,proc,sys,root,modules}
	cp "$build_root/bin/busybox" "$dir/bin/"
	for name in sh mount insmod switch_root sleep; do
		ln -s busybox "$dir/bin/$name"
	done
	for name in virtio_pci virtio_blk ext4 virtio_console virtio_rng \
		9pnet_virtio 9p overlay; do
		modprobe -d "$build_root" -S "$kernel" --show-depends "$name"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r module; do
			cp "$module" "$dir/modules/"
			basename "$module"
		done >"$dir/order"
	mv "$dir/order" "$dir/modules/"
	install -m 755 "$vm_source/guest/init" "$dir/init"
	(cd "$dir" && find . | cpio -o -H newc --quiet -R 0:0) \
		>"$vm_machine/initrd"
	rm -rf "$dir"
}

# The agent is the only thing that starts by itself. Daemons stay installed and
# can be started by tests.
build_units()
{
	local etc=$build_root/etc/systemd/system unit

	install -m 755 "$vm_source/guest/agent" "$build_root/usr/local/sbin/"
	install -m 644 "$vm_source"/guest/{agent.service,test.target} "$etc/"
	find "$etc" -type l \( -name 'docker*' -o -name 'containerd*' \
		-o -name 'podman*' -o -name 'iperf3*' -o -name 'nftables*' \
		-o -name 'cni-dhcp*' \) -delete
	grep -v '^#' "$vm_source/guest/masked" | while read -r unit; do
		ln -sf /dev/null "$etc/$unit"
	done
}

build_configuration()
{
	local etc=$build_root/etc

	echo testmachine >"$etc/hostname"
	echo '127.0.0.1 localhost testmachine' >"$etc/hosts"
	echo 0123456789abcdef0123456789abcdef >"$etc/machine-id"
	: >"$etc/fstab"
	: >"$etc/resolv.conf"
	mkdir -p "$etc/systemd/journald.conf.d"
	printf '[Journal]\nStorage=volatile\n' \
		>"$etc/systemd/journald.conf.d/test.conf"
	echo 'PS1="test machine:\w# "' >>"$build_root/root/.bashrc"
}

build_disk()
{
	truncate -s 12G "$vm_machine/disk.ext4"
	mke2fs -q -F -t ext4 -E lazy_itable_init=1,nodiscard -O ^has_journal \
		-d "$build_root" "$vm_machine/disk.ext4"
	rm -rf "$build_root"
}

# Says what takes how long.
build_step() # NAME WHAT
{
	local begin=$SECONDS

	"build_$1"
	vm_say "$2: $((SECONDS - begin)) s"
}

build_machine()
{
	# shellcheck source=/dev/null
	build_host=$(. /etc/os-release && echo "$ID")
	# shellcheck source=/dev/null
	build_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ "$build_host" = debian ] || build_suite=bookworm
	build_root=$vm_machine/root

	build_step root "root file system and kernels"
	build_step kernel "kernel unpacked"
	build_step initrd "initramfs"
	build_step units "services"
	build_step configuration "configuration"
	build_step disk "disk"
}

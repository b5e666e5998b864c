#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# mount_options: the mounts of config.json, what they do and where they lead
#
# runs: native machine
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

load ../lib/common
load ../lib/oci

setup()
{
	need_root
	bundle
	mkdir "$bundle/source"
	echo content >"$bundle/source/file"
}

# mounted TYPE SOURCE DESTINATION OPTION...: one more mount
mounted()
{
	edit '$ARGS.positional as $a | .mounts += [ { type: $a[0], source: $a[1],
		destination: $a[2], options: $a[3:] } ]' --args -- "$@"
}

bound() # SOURCE DESTINATION OPTION...
{
	mounted bind "$1" "$2" rbind "${@:3}"
}

# The options of a mount, as the container's mountinfo has them.
options_of() # DESTINATION [OPTION-OF-RUN...]
{
	local where=$1

	shift
	program /bin/cat /proc/self/mountinfo
	run_container "$@" | awk -v where="$where" '$5 == where {
		for (i = 7; $i != "-"; i++)
			;
		print $6 "," $(i + 3) }'
}

has_options() # DESTINATION OPTION...
{
	local got option

	got=,$(options_of "$1"),
	for option in "${@:2}"; do
		[[ $got == *",$option,"* ]] || {
			echo "$1: no $option in $got" >&2
			return 1
		}
	done
}

lacks_options() # DESTINATION OPTION...
{
	local got option

	got=,$(options_of "$1"),
	[[ $got != ,, ]]
	for option in "${@:2}"; do
		[[ $got != *",$option,"* ]] || {
			echo "$1: $option in $got" >&2
			return 1
		}
	done
}

# --- bind --------------------------------------------------------------------

@test "a source is bound, relative to the bundle too, over folders and files" {
	bound "$bundle/source" /absolute
	bound source /relative
	bound source/file /etc/passwd
	bound source/file /new/place/of/file
	[[ $(inside 'cat /absolute/file /relative/file /etc/passwd \
		/new/place/of/file' | sort -u) == content ]]
	[[ -f $bundle/rootfs/new/place/of/file ]]
	refuses '.mounts[2].source = "nothing"' "on '/absolute': bind '$bundle/nothing'"
}

# Nothing of it is there before the container's own mounts are.
@test "a source in the root is what the mounts before it made of it" {
	local root=$bundle/rootfs

	mkdir -p "$root/work/deep"
	mounted tmpfs tmpfs /work
	bound source /work/deep
	bound "$root/work/deep" /again
	bound "$root/work/deep/file" /one
	bound "$root" /all/of/it
	[[ $(inside 'cat /again/file /one /all/of/it/work/deep/file' |
		sort -u) == content ]]
	ln -s /etc "$root/link"
	mkdir "$root/etc/here"
	bound "$root/link" /linked
	[[ $(inside 'ls -d /linked/here') == /linked/here ]]
	edit '(.mounts[] | select(.source | endswith("/work/deep"))).options +=
		[ "idmap" ] | (.mounts[] | select(.options // [] | any(. == "idmap")))
		|= . + { uidMappings: [ { containerID: 0, hostID: 1000, size: 9 } ],
		gidMappings: [ { containerID: 0, hostID: 1000, size: 9 } ] }'
	[[ $(inside 'stat -c %u /again/file') == 1000 ]]
}

@test "a destination that begins as the root's path does is in the root" {
	bound source "$bundle/rootfs/within"
	[[ $(inside 'cat /within/file') == content ]]
	[[ ! -e $bundle/rootfs/$bundle ]]
}

@test "what is mounted on / is the root from then on" {
	local other=$bundle/other

	cp -a "$bundle/rootfs" "$other"
	echo other >"$other/name"
	edit --arg other "$other" '.mounts |= [ { destination: "/",
		source: $other, options: [ "bind" ] } ] + .'
	bound source /work
	[[ $(inside 'cat /name /work/file; ls /proc/self/comm') == \
		"other"$'\n'"content"$'\n'"/proc/self/comm" ]]
	edit '.root.readonly = true | .mounts[0].options += [ "nosuid" ] |
		.linux.maskedPaths = [ "/name" ]'
	[[ $(inside 'cat /name; ! touch /x && echo ro') == ro ]]
	[[ $(options_of /) == *ro*nosuid* || $(options_of /) == *nosuid*ro* ]]
	edit '.root.readonly = false | .mounts = [ { destination: "/",
		type: "tmpfs", source: "t" }, { destination: "/bin",
		source: "other/bin", options: [ "bind" ] } ]'
	[[ $(inside 'ls -d /bin/sh /etc 2>&1') == *"/etc: No such"*/bin/sh ]]
}

@test "type bind alone, and bind beside another type, bind" {
	edit '.mounts += [ { destination: "/a", source: "source", type: "bind" },
		{ destination: "/b", source: "source", type: "none",
		  options: [ "bind" ] },
		{ destination: "/c", source: "source", options: [ "rbind" ] } ]'
	[[ $(inside 'cat /a/file /b/file /c/file' | sort -u) == content ]]
	refuses '.mounts += [ { destination: "/d", source: "source" } ]' \
		"mounts: [5]: type: missing"
}

@test "rbind takes what is mounted below, bind does not" {
	mkdir "$bundle/source/below"
	mount -t tmpfs tmpfs "$bundle/source/below"
	touch "$bundle/source/below/deep"
	bound source /rec
	mounted bind source /flat bind
	run inside 'ls /rec/below; echo; ls /flat/below'
	umount "$bundle/source/below"
	[[ $output == deep$'\n' || $output == deep ]]
}

@test "options of a mount are those of the mount" {
	bound source /a ro nosuid nodev noexec noatime nosymfollow nodiratime
	bound source /b rw suid dev exec relatime symfollow
	bound source /c strictatime
	has_options /a ro nosuid nodev noexec noatime nosymfollow
	has_options /b rw relatime
	lacks_options /b nosuid nodev noexec nosymfollow
	lacks_options /c relatime noatime
	refuses '.mounts += [ { destination: "/d", source: "source", type: "bind",
		options: [ "r0" ] } ]' "'r0' is nothing that a bind mount knows"
}

@test "what is said of a bind's attributes is all of them" {
	local none=(nosuid nodev noexec nosymfollow)

	mount -t tmpfs tmpfs "$bundle/source"
	mount -o remount,bind,nosuid,nodev,noexec,nosymfollow,noatime \
		"$bundle/source"
	bound source /kept rprivate
	bound source /ro ro
	bound source /rw nodiratime rw
	bound source /deep rro
	has_options /kept "${none[@]}" noatime
	has_options /ro ro noatime
	lacks_options /ro "${none[@]}"
	has_options /rw rw nodiratime relatime
	lacks_options /rw "${none[@]}"
	has_options /deep ro "${none[@]}"
	namespace user
	edit '.linux.uidMappings = [ { containerID: 0, hostID: 100000, size: 10 } ]
		| .linux.gidMappings = .linux.uidMappings'
	has_options /ro ro nosuid nodev noexec noatime
	lacks_options /ro nosymfollow
	umount "$bundle/source"
}

@test "a read-only mount cannot be written, the last option counts" {
	bound source /a ro
	bound source /b ro rw
	run inside 'echo x >/b/made && echo x >/a/made'
	[[ $status -ne 0 && -e $bundle/source/made ]]
	says "/a/made"
}

@test "recursive options reach what is mounted below" {
	mkdir "$bundle/source/below"
	mount -t tmpfs tmpfs "$bundle/source/below"
	bound source /flat ro
	bound source /deep rro rnosuid rnodev rnoexec rnoatime rnosymfollow
	bound source /back rro rrw
	program /bin/cat /proc/self/mountinfo
	run_container >"$bundle/said"
	umount "$bundle/source/below"
	of() { awk -v where="$1" '$5 == where { print "," $6 "," }' "$bundle/said"; }
	[[ $(of /flat) == *,ro,* && $(of /flat/below) == *,rw,* ]]
	[[ $(of /back) == *,rw,* && $(of /back/below) == *,rw,* ]]
	for option in ro nosuid nodev noexec noatime nosymfollow; do
		[[ $(of /deep) == *",$option,"* ]]
		[[ $(of /deep/below) == *",$option,"* ]]
	done
}

@test "propagation is chosen by mount" {
	bound source /shared rshared
	bound source /slave rslave
	bound source /private rprivate
	bound source /unbindable unbindable
	program /bin/cat /proc/self/mountinfo
	run_container >"$bundle/said"
	grep -qE ' /shared .* shared:[0-9]+ ' "$bundle/said"
	grep -qE ' /unbindable .* unbindable ' "$bundle/said"
	grep -qE ' /private [^ ]* - ' "$bundle/said"
}

# --- file systems ------------------------------------------------------------

@test "a tmpfs has the size and mode it is given" {
	mounted tmpfs tmpfs /a nosuid mode=1770 size=64k
	has_options /a nosuid size=64k mode=1770
	[[ $(inside 'stat -c %a /a; dd if=/dev/zero of=/a/x bs=1k count=65 \
		2>/dev/null || echo full' | xargs) == "1770 full" ]]
	refuses '.mounts += [ { destination: "/b", type: "tmpfs", source: "x",
		options: [ "nonsense=1" ] } ]' "nonsense"
	refuses '.mounts += [ { destination: "/b", type: "no-such-fs" } ]' \
		"no-such-fs"
}

@test "a tmpfs has the mode of what it covers, or is for all where nothing was" {
	mkdir "$bundle/rootfs/there"
	chmod 710 "$bundle/rootfs/there"
	mounted tmpfs tmpfs /there
	mounted tmpfs tmpfs /made/for/it
	[[ $(inside 'stat -c %a /there /made /made/for/it' | xargs) == \
		"710 755 1777" ]]
	[[ $(stat -c %a "$bundle/rootfs/made/for/it") == 755 ]]
}

@test "tmpcopyup brings what lay there before" {
	mkdir "$bundle/rootfs/full"
	echo here >"$bundle/rootfs/full/file"
	ln -s file "$bundle/rootfs/full/link"
	chmod 640 "$bundle/rootfs/full/file"
	mounted tmpfs tmpfs /full tmpcopyup
	[[ $(inside 'cat /full/link; stat -c %a /full/file; echo x >/full/made
		ls /full' | xargs) == "here 640 file link made" ]]
	[[ ! -e $bundle/rootfs/full/made ]]
}

@test "mqueue, devpts, sysfs and shm are what they are" {
	namespace network
	mounted mqueue mqueue /dev/mqueue nosuid
	mounted devpts devpts /dev/pts newinstance ptmxmode=0666 mode=0620
	mounted sysfs sysfs /sys ro nosuid
	mounted tmpfs shm /dev/shm mode=1777
	[[ $(inside 'stat -f -c %T /dev/mqueue /dev/pts /sys /dev/shm
		ls /sys/class/net; readlink /dev/ptmx' | xargs) == *"lo pts/ptmx" ]]
}

@test "a cgroup mount shows the container's own groups" {
	need_controller pids
	mounted cgroup cgroup /sys/fs/cgroup ro nosuid
	edit '.linux.resources.pids.limit = 44'
	namespace cgroup
	[[ $(inside 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max \
		2>/dev/null') == 44 ]]
	run inside 'mkdir /sys/fs/cgroup/made /sys/fs/cgroup/pids/made'
	[[ $status -ne 0 ]]
	no_namespace cgroup
	[[ $(inside 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max \
		2>/dev/null') == 44 ]]
}

@test "a mount may be put into a read-only cgroup mount that lacks its folder" {
	[[ $(stat -f -c %T /sys/fs/cgroup) == tmpfs ]] ||
		skip "a cgroup mount of v2 alone has the kernel's folders"
	mounted cgroup cgroup /sys/fs/cgroup ro nosuid
	edit '.mounts += [ { destination: "/sys/fs/cgroup/other", type: "tmpfs",
		source: "tmpfs" } ]'
	[[ $(inside 'stat -f -c %T /sys/fs/cgroup/other
		mkdir /sys/fs/cgroup/made 2>/dev/null || echo read-only' |
		xargs) == "tmpfs read-only" ]]
}

@test "a mount over a read-only one is as it was asked for" {
	mounted tmpfs tmpfs /over ro
	edit '.mounts += [ { destination: "/over", type: "tmpfs",
		source: "tmpfs" } ]'
	[[ $(inside 'echo written >/over/file; cat /over/file') == written ]]
}

@test "a read-only mount stays so when it is remounted" {
	mounted tmpfs tmpfs /over ro
	edit '.mounts += [ { destination: "/over", type: "none",
		source: "none", options: [ "remount", "nosuid" ] } ]'
	[[ $(inside 'touch /over/file 2>/dev/null || echo read-only') == read-only ]]
}

@test "a read-only mount that lies below a later one is no more" {
	mounted tmpfs tmpfs /over/below ro
	edit '.mounts += [ { destination: "/over", type: "tmpfs",
		source: "tmpfs" } ]'
	[[ $(inside 'echo written >/over/file; cat /over/file') == written ]]
}

# --- ids ---------------------------------------------------------------------

idmapped() # OPTION: source with two files of different owners
{
	chown 1000:1000 "$bundle/source/file"
	bound source /a "$@"
}

@test "uidMappings and gidMappings of a mount map its owners" {
	idmapped
	edit '.mounts[-1] += { uidMappings: [ { containerID: 1000, hostID: 7,
		size: 1 } ], gidMappings: [ { containerID: 1000, hostID: 8, size: 1 } ] }'
	[[ $(inside 'stat -c "%u %g" /a/file') == "7 8" ]]
	[[ $(stat -c %u "$bundle/source/file") -eq 1000 ]]
	refuses 'del(.mounts[-1].gidMappings)' "mounts: [2]: gidMappings: missing"
}

@test "idmap maps by the user namespace, ridmap what is mounted below too" {
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	namespace user
	edit '.linux.uidMappings = [ { containerID: 0, hostID: 100000, size: 5000 } ]
		| .linux.gidMappings = .linux.uidMappings'
	chown -hR 100000:100000 "$bundle/rootfs"
	# No tmpfs: before 6.3 their owners cannot be mapped.
	mkdir "$bundle/source/below" "$bundle/other"
	mount --bind "$bundle/other" "$bundle/source/below"
	idmapped idmap
	bound source /rec ridmap
	run inside 'stat -c "%u %g" /a/file /rec/file /rec/below'
	umount "$bundle/source/below"
	[[ $(xargs <<<"$output") == "1000 1000 1000 1000 0 0" ]]
	no_namespace user
	edit 'del(.linux.uidMappings, .linux.gidMappings)'
	refuses . "idmap: neither mappings nor a user namespace"
}

@test "a source in the root is idmapped in a user namespace, and stays in the root" {
	local root=$bundle/rootfs

	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	namespace user
	edit '.linux.uidMappings = [ { containerID: 0, hostID: 100000, size: 5000 } ]
		| .linux.gidMappings = .linux.uidMappings'
	mkdir "$root/inner" "$root/etc/here"
	ln -s /etc "$root/link"
	chown -hR 100000:100000 "$root"
	touch "$root/inner/file"
	chown 7:8 "$root/inner/file"
	bound "$root/inner" /a idmap
	bound "$root/link" /linked idmap
	[[ $(inside 'stat -c "%u %g" /a/file; ls -d /linked/here' | xargs) == \
		"7 8 /linked/here" ]]
}

# --- where to ----------------------------------------------------------------

@test "a destination is resolved in the container's root" {
	ln -s /tmp "$bundle/rootfs/abs"
	ln -s ../../../../../../tmp "$bundle/rootfs/up"
	ln -s "$BATS_TEST_TMPDIR/outside" "$bundle/rootfs/out"
	mkdir "$BATS_TEST_TMPDIR/outside"
	bound source /abs/one
	bound source /up/two
	bound source /out/three
	bound source /../../four
	[[ $(inside 'cat /tmp/one/file /tmp/two/file /four/file /out/three/file' |
		sort -u) == content ]]
	[[ -z $(ls "$BATS_TEST_TMPDIR/outside") ]]
	[[ -d $bundle/rootfs/tmp/one && -d $bundle/rootfs/four ]]
}

@test "a later mount may lie in an earlier one" {
	mounted tmpfs tmpfs /a
	bound source /a/b/c
	[[ $(inside 'cat /a/b/c/file') == content ]]
}

@test "destinations that would hide or fake something are refused" {
	refuses '.mounts += [ { destination: "/", type: "none",
		options: [ "remount", "ro" ] } ]' \
		"destination: '/' is changed by root.readonly"
	refuses '.mounts += [ { destination: "/proc/self/attr", type: "tmpfs" } ]' \
		"lies inside /proc"
	refuses '.mounts += [ { destination: "", type: "tmpfs" } ]' \
		"mounts: [2]: destination: empty"
	refuses '.mounts += [ { type: "tmpfs" } ]' "mounts: [2]: destination"
	bound source/file /proc/uptime
	[[ $(inside 'cat /proc/uptime') == content ]]
}

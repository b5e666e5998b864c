#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# linux: namespaces, mappings, devices, paths, parameters of the kernel
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
}

# --- namespaces --------------------------------------------------------------

@test "a namespace that is listed is new, one that is not is the host's" {
	local name all='pid network ipc uts mount cgroup time' file

	for name in network cgroup time; do
		namespace "$name"
	done
	start_idle
	for name in $all; do
		file=$(sed 's/network/net/; s/mount/mnt/' <<<"$name")
		[[ $(readlink "/proc/$(pid)/ns/$file") != \
			"$(readlink "/proc/self/ns/$file")" ]]
	done
	moat_oci delete --force "$id"
	edit '.linux.namespaces = [ { type: "mount" } ]'
	start_idle
	for name in pid net ipc uts cgroup time user; do
		[[ $(readlink "/proc/$(pid)/ns/$name") == \
			"$(readlink "/proc/self/ns/$name")" ]]
	done
}

@test "namespaces by path are joined, of every kind" {
	local name one

	for name in network cgroup time; do
		namespace "$name"
	done
	start_idle
	one=$id
	for name in pid ipc uts network cgroup time; do
		namespace "$name" "/proc/$(pid "$one")/ns/${name/network/net}"
	done
	id=$(unique two)
	start
	for name in pid ipc uts net cgroup time; do
		[[ $(readlink "/proc/$(pid)/ns/$name") == \
			"$(readlink "/proc/$(pid "$one")/ns/$name")" ]]
	done
	[[ $(readlink "/proc/$(pid)/ns/mnt") != \
		"$(readlink "/proc/$(pid "$one")/ns/mnt")" ]]
	moat_oci delete --force "$id"
	[[ $(state "$one") == running ]]
}

mounts_here()
{
	grep -F " $bundle/rootfs" /proc/self/mountinfo || :
}

# A process with a mount namespace, and a file there that nobody else sees.
hold_mounts()
{
	mkfifo "$BATS_TEST_TMPDIR/there"
	mkdir "$BATS_TEST_TMPDIR/inside"
	unshare --mount sh -c 'mount -t tmpfs there "$1/inside" &&
		echo only there >"$1/inside/file" && echo $$ >"$1/there" &&
		exec tail -f /dev/null' - "$BATS_TEST_TMPDIR" 3>&- &
	read -r holder <"$BATS_TEST_TMPDIR/there"
}

@test "a mount namespace by path is joined, and the mounts are made there" {
	hold_mounts
	namespace mount "/proc/$holder/ns/mnt"
	edit --arg from "$BATS_TEST_TMPDIR/inside" '.root.readonly = true |
		.linux.maskedPaths = [ "/proc/keys" ] | .mounts += [
		{ destination: "/work", source: $from, options: [ "bind" ] } ]'
	start_idle
	[[ $(readlink "/proc/$(pid)/ns/mnt") == \
		"$(readlink "/proc/$holder/ns/mnt")" ]]
	[[ $(in_it cat /work/file) == "only there" ]]
	[[ $(in_it ls /) == "$(ls "$bundle/rootfs")" ]]
	[[ -z $(in_it cat /proc/keys) ]]
	run in_it touch /x
	[[ $output == *"Read-only"* && -z $(mounts_here) ]]
	grep -F "$bundle/rootfs/proc" "/proc/$holder/mountinfo"
	moat_oci delete --force "$id"
	kill "$holder"
}

@test "without a mount namespace the mounts are the host's, until it is deleted" {
	no_namespace mount
	edit '.linux.maskedPaths = [ "/proc/keys" ]'
	start_idle
	[[ $(readlink "/proc/$(pid)/ns/mnt") == \
		"$(readlink /proc/self/ns/mnt)" ]]
	[[ $(mounts_here | wc -l) -ge 3 ]]
	[[ $(in_it ls /) == "$(ls "$bundle/rootfs")" ]]
	[[ -z $(in_it cat /proc/keys) ]]
	in_it mkdir /made
	[[ -d $bundle/rootfs/made ]]
	moat_oci delete --force "$id"
	[[ -z $(mounts_here) && -d $bundle/rootfs/made ]]
	[[ $(inside 'cat /proc/self/comm') == cat ]]
	[[ -z $(mounts_here) ]]
}

@test "without linux all namespaces are the host's" {
	edit 'del(.linux)'
	[[ $(inside 'cd /proc/self/ns && for n in *; do readlink $n; done' |
		sort -u) == \
		"$(for n in cgroup ipc mnt net pid time user uts; do
			readlink "/proc/self/ns/$n"
		done | sort -u)" ]]
	[[ -z $(mounts_here) ]]
}

@test "without a mount namespace a root that was a mount stays one" {
	no_namespace mount
	mount --bind --make-private "$bundle/rootfs" "$bundle/rootfs"
	start_idle
	moat_oci delete --force "$id"
	[[ $(mounts_here | wc -l) -eq 1 ]]
	# It fails after its mounts were made.
	program /no/such/program
	refused
	[[ $(mounts_here | wc -l) -eq 1 ]]
	# Peers of what a mount lies on would lose it with ours.
	mount --make-shared "$bundle/rootfs"
	refused
	says "'$bundle/rootfs' is a shared mount"
	mount --make-private "$bundle/rootfs"
	# One of somebody's, later than ours, is left alone.
	start_idle
	mount -t tmpfs later "$bundle/rootfs"
	moat_oci delete --force "$id"
	mounts_here | grep -F "$bundle/rootfs rw" | grep later
}

@test "a user namespace by path is joined with its mappings" {
	local one

	user_namespace
	start_idle
	one=$id
	namespace user "/proc/$(pid)/ns/user"
	edit 'del(.linux.uidMappings, .linux.gidMappings)'
	id=$(unique two)
	start
	[[ $(readlink "/proc/$(pid)/ns/user") == \
		"$(readlink "/proc/$(pid "$one")/ns/user")" ]]
	[[ $(in_it id -u) -eq 0 ]]
	[[ $(stat -c %u "/proc/$(pid)") -eq 100000 ]]
}

@test "namespaces that make no sense are refused" {
	refuses '.linux.namespaces += [ { type: "pid" } ]' \
		"linux: namespaces: [4]: duplicate 'pid'"
	refuses '.linux.namespaces += [ { type: "moon" } ]' \
		"linux: namespaces: [4]: type: unknown namespace 'moon'"
	refuses '.linux.namespaces[0].path = "relative"' \
		"namespaces: [0]: path: 'relative' is not an absolute path"
	refuses '.linux.namespaces[0].path = "/proc/self/ns/net"' "/proc/self/ns/net"
	refuses '.linux.namespaces[0].path = "/no/such/namespace"' \
		"/no/such/namespace"
	refuses '.linux.namespaces[0].path = "/etc/passwd"' "/etc/passwd"
	refuses '.linux.namespaces |= map(select(.type != "mount")) +
			[ { type: "user" } ]' \
		"no 'mount'"
}

@test "a network namespace has its loopback up" {
	namespace network
	[[ $(inside 'ip -o addr show lo') == *"127.0.0.1/8"* ]]
	[[ $(inside 'ip -o link' | wc -l) -ge 1 ]]
}

# --- ids ---------------------------------------------------------------------

@test "uidMappings and gidMappings are those of the user namespace" {
	user_namespace
	program /bin/sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g
		stat -c "%u %g" /bin/busybox'
	[[ $(run_container | xargs) == \
		"0 100000 1000 0 200000 500 0 0 0 0" ]]
	edit '.process.user = { uid: 999, gid: 499 }'
	start_idle
	[[ $(stat -c '%u %g' "/proc/$(pid)") == "100999 200499" ]]
	moat_oci delete --force "$id"
	edit '.process.user.uid = 1000'
	refuses . "process: user: "
	edit '.process.user.uid = 0'
	refuses 'del(.linux.gidMappings)' "gidMappings: missing"
	refuses '.linux.uidMappings += .linux.uidMappings' "uidMappings"
	refuses '.linux.uidMappings[0].size = 0' "uidMappings"
	no_namespace user
	refuses . "uidMappings: there is no user namespace to map for"
}

@test "several mappings, as podman and Docker have them" {
	user_namespace
	edit '.linux.uidMappings = [ { containerID: 0, hostID: 100000, size: 1 },
		{ containerID: 1, hostID: 300000, size: 100 },
		{ containerID: 65534, hostID: 65534, size: 1 } ]'
	[[ $(inside 'cat /proc/self/uid_map' | xargs) == \
		"0 100000 1 1 300000 100 65534 65534 1" ]]
}

@test "a user namespace may have no root" {
	user_namespace
	edit '.linux.uidMappings = [ { containerID: 7, hostID: 100000, size: 1 } ]
		| .linux.gidMappings = [ { containerID: 8, hostID: 200000, size: 1 } ]
		| .process.user = { uid: 7, gid: 8 }'
	edit '(.mounts[] | select(.type == "devpts") | .options) |=
		map(select(startswith("gid=") | not))'
	[[ $(inside 'id -u; id -g; cat /proc/self/uid_map' | xargs) == \
		"7 8 7 100000 1" ]]
	start_idle
	[[ $(in_it id -u) == 7 ]]
}

@test "timeOffsets shift the clocks of the time namespace" {
	namespace time
	edit '.linux.timeOffsets = { monotonic: { secs: 172800, nanosecs: 5 },
		boottime: { secs: 1000000 } }'
	inside 'cat /proc/self/timens_offsets; cut -d . -f 1 /proc/uptime' \
		>"$bundle/said"
	grep -qE 'monotonic +172800 +5$' "$bundle/said"
	grep -qE 'boottime +1000000 +0$' "$bundle/said"
	[[ $(tail -n 1 "$bundle/said") -ge 1000000 ]]
	refuses '.linux.timeOffsets = { realtime: { secs: 1 } }' \
		"timeOffsets: 'realtime' is not one of"
	refuses '.linux.timeOffsets.monotonic.nanosecs = 1000000000' \
		"timeOffsets: monotonic: nanosecs"
	no_namespace time
	refuses . "timeOffsets: only a new time namespace"
}

@test "timeOffsets go with a user namespace" {
	user_namespace
	namespace time
	edit '.linux.timeOffsets.boottime.secs = 1000000'
	[[ $(inside 'cut -d . -f 1 /proc/uptime') -ge 1000000 ]]
}

# --- devices -----------------------------------------------------------------

@test "the default devices and links are there" {
	inside 'cd /dev && stat -c "%n %t:%T %a %u" null zero full random urandom tty
		for i in fd stdin stdout stderr; do readlink $i; done' >"$bundle/said"
	grep -qx 'null 1:3 666 0' "$bundle/said"
	grep -qx 'zero 1:5 666 0' "$bundle/said"
	grep -qx 'full 1:7 666 0' "$bundle/said"
	grep -qx 'random 1:8 666 0' "$bundle/said"
	grep -qx 'urandom 1:9 666 0' "$bundle/said"
	grep -qx 'tty 5:0 666 0' "$bundle/said"
	[[ $(tail -n 4 "$bundle/said" | xargs) == "/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2" ]]
	[[ $(inside 'head -c 3 /dev/zero | od -An -tx1; echo x >/dev/null') == " 00 00 00" ]]
}

@test "devices have the mode, the owner and the number they are given" {
	edit '.linux.devices = [
		{ path: "/dev/mine/null", type: "c", major: 1, minor: 3,
		  fileMode: 416, uid: 7, gid: 8 },
		{ path: "/dev/block", type: "b", major: 7, minor: 200 },
		{ path: "/dev/pipe", type: "p", fileMode: 384 },
		{ path: "/dev/unbuffered", type: "u", major: 1, minor: 5 } ]'
	inside 'cd /dev; stat -c "%F %t:%T %a %u %g" mine/null block pipe unbuffered' \
		>"$bundle/said"
	[[ $(sed -n 1p "$bundle/said") == "character special file 1:3 640 7 8" ]]
	[[ $(sed -n 2p "$bundle/said") == "block special file 7:c8 666 0 0" ]]
	[[ $(sed -n 3p "$bundle/said") == "fifo 0:0 600 0 0" ]]
	[[ $(sed -n 4p "$bundle/said") == "character special file 1:5 666 0 0" ]]
	refuses '.linux.devices[0].type = "x"' "linux: devices: [0]: type"
	refuses '.linux.devices[0].major = -1' "linux: devices: [0]: major"
	refuses '.linux.devices[0].path = "relative"' "linux: devices: [0]: path"
}

@test "devices in a user namespace are the host's" {
	user_namespace
	[[ $(inside 'head -c 1 /dev/zero | od -An -tx1; echo x >/dev/null &&
		echo ok') == $' 00\nok' ]]
}

@test "a user namespace has devices that the host lacks" {
	user_namespace
	edit '.linux.devices = [
		{ path: "/dev/lack/null", type: "c", major: 1, minor: 3,
		  fileMode: 434, uid: 7, gid: 8 },
		{ path: "/dev/disk", type: "b", major: 4000, minor: 7 } ]'
	inside 'cd /dev; stat -c "%F %t:%T %a %u %g" lack/null disk
		echo x >lack/null && echo wrote; ls /
		cut -d " " -f 4,5 /proc/self/mountinfo' >"$bundle/said"
	[[ $(sed -n 1p "$bundle/said") == "character special file 1:3 662 7 8" ]]
	[[ $(sed -n 2p "$bundle/said") == "block special file fa0:7 666 0 0" ]]
	grep -qx wrote "$bundle/said"
	# What they were made in lies on nothing, inside or outside.
	grep -qx bin "$bundle/said"
	[[ $(grep -cx '/ /' "$bundle/said") -eq 0 ]]
	[[ ! -e /dev/lack ]]
	refuses '.linux.devices[0].uid = 1000' \
		"device '/dev/lack/null': uid 1000 is not mapped"
}

# --- the root ----------------------------------------------------------------

@test "a read-only root cannot be written, its mounts can" {
	edit '.root.readonly = true'
	run inside 'echo x >/dev/made && echo dev; echo x >/made'
	[[ ${lines[0]} == dev && $status -ne 0 ]]
	says "Read-only file system"
	[[ ! -e $bundle/rootfs/made ]]
}

@test "the root may be absolute, or a link, and must be a folder" {
	edit --arg root "$bundle/rootfs" '.root.path = $root'
	run_container
	ln -s rootfs "$bundle/link"
	edit '.root.path = "link"'
	run_container
	refuses '.root.path = "nothing"' "$bundle/nothing"
	refuses '.root.path = "config.json"' "config.json' is not a folder"
	refuses '.root.path = "/"' "root: path: the host's own root"
	refuses 'del(.root)' "root: missing"
	refuses 'del(.root.path)' "root: path"
}

@test "--no-pivot moves the root, and nothing of the host is seen" {
	[[ $(script 'ls /; ls /..' && run_container --no-pivot | sort -u | xargs) \
		== "bin dev etc proc root sys tmp work" ]]
}

propagation() # NAME: of the root mount, as the container has it
{
	edit --arg p "$1" '.linux.rootfsPropagation = $p'
	inside 'grep " / / \| / [^ ]* \(.*\)" /proc/self/mountinfo' |
		awk '$5 == "/" { for (i = 7; $i != "-"; i++) printf "%s ", $i }'
}

@test "rootfsPropagation is that of the root mount" {
	[[ -z $(propagation private) ]]
	[[ $(propagation rprivate) == "" ]]
	[[ $(propagation shared) == *shared:* ]]
	[[ $(propagation rshared) == *shared:* ]]
	[[ $(propagation unbindable) == *unbindable* ]]
	propagation slave
	propagation rslave
	refuses '.linux.rootfsPropagation = "x"' \
		"linux: rootfsPropagation: unknown propagation 'x'"
}

@test "no mount of the container is seen on the host" {
	start_idle
	run grep "$bundle/rootfs" /proc/self/mountinfo
	[[ $status -eq 1 ]]
}

@test "maskedPaths are empty, readonlyPaths cannot be written" {
	echo secret >"$bundle/rootfs/etc/secret"
	mkdir "$bundle/rootfs/hidden"
	echo secret >"$bundle/rootfs/hidden/file"
	edit '.linux.maskedPaths = [ "/etc/secret", "/hidden", "/not/there",
		"/proc/timer_list" ] |
		.linux.readonlyPaths = [ "/etc", "/proc/sys", "/not/there" ]'
	run inside 'cat /etc/secret; ls /hidden; cat /proc/timer_list; echo end
		echo x >/etc/made; echo x >/proc/sys/kernel/hostname
		echo x >/hidden/made; umount /hidden; cat /hidden/file'
	[[ ${lines[0]} == end ]]
	[[ $(grep -c "Read-only file system" <<<"$output") -eq 3 ]]
	refuses '.linux.maskedPaths = [ "relative" ]' "linux: maskedPaths: [0]"
	refuses '.linux.readonlyPaths = [ "" ]' "linux: readonlyPaths: [0]"
}

@test "sysctl are those of the container's namespaces, others are refused" {
	namespace network
	edit '.linux.sysctl = { "net.ipv4.ip_forward": "1",
		"kernel.shm_rmid_forced": "1", "fs/mqueue/msg_max": "17" }'
	before=$(cat /proc/sys/kernel/shm_rmid_forced)
	[[ $(inside 'cat /proc/sys/net/ipv4/ip_forward \
		/proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max' |
		xargs) == "1 1 17" ]]
	[[ $(cat /proc/sys/kernel/shm_rmid_forced) == "$before" ]]
	refuses '.linux.sysctl["kernel.pid_max"] = "5"' "linux: sysctl: "
	refuses '.linux.sysctl["net.x/../../kernel/pid_max"] = "5"' "linux: sysctl"
	refuses '.linux.sysctl["net.ipv4.nothing"] = "5"' "net.ipv4.nothing"
	refuses '.linux.sysctl["kernel.msgmax"] = "x"' "kernel.msgmax"
	no_namespace network
	refuses . "net.ipv4.ip_forward"
}

# --- memory and personality --------------------------------------------------

@test "memoryPolicy is that of the program's memory" {
	[ -e /proc/self/numa_maps ] || skip_or_fail "needs NUMA in the kernel"
	edit '.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "0",
		flags: [ "MPOL_F_STATIC_NODES" ] }'
	program /bin/cat /proc/self/numa_maps
	run_container | grep -q 'bind=static:0'
	edit '.linux.memoryPolicy = { mode: "MPOL_INTERLEAVE", nodes: "0" }'
	run_container | grep -q 'interleave:0'
	refuses '.linux.memoryPolicy.mode = "MPOL_X"' "linux: memoryPolicy: "
	refuses '.linux.memoryPolicy.nodes = "x"' "linux: memoryPolicy: "
	refuses '.linux.memoryPolicy.flags = [ "X" ]' "linux: memoryPolicy: "
	start_idle
	in_it cat /proc/self/numa_maps | grep -q 'interleave:0'
}

@test "personality is the program's" {
	edit '.linux.personality = { domain: "LINUX" }'
	[[ $(inside 'uname -m; cat /proc/self/personality' | xargs) == \
		"x86_64 00000000" ]]
	edit '.linux.personality = { domain: "LINUX32" }'
	[[ $(inside 'uname -m; cat /proc/self/personality' | xargs) == \
		"i686 00000008" ]]
	refuses '.linux.personality.domain = "SUNOS"' "linux: personality: "
	refuses '.linux.personality.flags = [ "X" ]' "linux: personality: "
}

# --- cgroup ------------------------------------------------------------------

@test "pids.limit 0 was no limit before ociVersion 1.3" {
	edit '.linux.resources.pids.limit = 0 | .ociVersion = "1.0.2-dev"'
	[[ $(moat_oci plan --bundle "$bundle" | jq .limits.pidsMax) == -1 ]]
	edit '.ociVersion = "1.2.1"'
	[[ $(moat_oci plan --bundle "$bundle" | jq .limits.pidsMax) == -1 ]]
	edit '.ociVersion = "1.3.0"'
	[[ $(moat_oci plan --bundle "$bundle" | jq .limits.pidsMax) == 1 ]]
}

@test "cgroupsPath is where the group is made, and it goes with the container" {
	need_controller pids
	edit --arg p "/moat-$test_id/sub/group" '.linux.cgroupsPath = $p |
		.linux.resources.pids.limit = 33'
	start_idle
	grep -q "/moat-$test_id/sub/group$" "/proc/$(pid)/cgroup"
	[[ $(find /sys/fs/cgroup -path "*/moat-$test_id/sub/group/pids.max" \
		-exec cat {} +) == 33 ]]
	moat_oci delete --force "$id"
	[[ -z $(find /sys/fs/cgroup -path "*/moat-$test_id/sub/group") ]]
}

@test "a group with processes of somebody else is refused" {
	need_controller pids
	edit --arg p "/moat-$test_id/same" '.linux.cgroupsPath = $p |
		.linux.resources.pids.limit = 33'
	start_idle
	id=$(unique two)
	moat_oci_fails create --bundle "$bundle" "$id"
	says "/moat-$test_id/same"
	[[ ! -e $BATS_TEST_TMPDIR/oci/$id ]]
}

@test "limits that nobody can enforce are refused" {
	refuses '.linux.resources.unified = { "moon.max": "1" }' "moon.max"
	refuses '.linux.resources.pids.limit = "5"' \
		"linux: resources: pids: limit: expected a whole number"
	refuses '.linux.resources.cpu.cpus = "9999"' cpu
	nothing_left
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# escapes: ways out of containers that other runtimes had
#
# The way of CVE-2019-5736 is in self.bats.
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
	mkdir "$BATS_TEST_TMPDIR/host"
	echo secret >"$BATS_TEST_TMPDIR/host/file"
}

# --- descriptors (CVE-2024-21626) --------------------------------------------

@test "CVE-2024-21626: a cwd in a leaked descriptor of the host is refused" {
	local fd

	exec 7<"$BATS_TEST_TMPDIR/host"
	for fd in 3 4 5 6 7 8 9 10 11 12; do
		edit --arg c "/proc/self/fd/$fd" '.process.cwd = $c'
		script 'cat file; cat ../file; pwd'
		run run_container
		# The root itself is all that may be reached by such a name.
		[[ $output != *secret* ]]
		[[ $status -ne 0 || ${lines[-1]} == / ]]
	done
	exec 7<&-
}

@test "CVE-2024-21626: exec does not start in a leaked descriptor either" {
	local fd

	start_idle
	exec 7<"$BATS_TEST_TMPDIR/host"
	for fd in 3 4 5 6 7 8 9 10 11 12; do
		ln -sfn "/proc/self/fd/$fd" "$bundle/rootfs/link"
		run moat_oci exec --cwd /link "$id" /bin/sh -c 'cat file; pwd'
		[[ $output != *secret* && $status -eq 255 ]]
	done
	# One that is meant to be passed on is no way in as well.
	run moat_oci exec --preserve-fds 1 --cwd /proc/self/fd/3 "$id" \
		/bin/cat file 3<"$BATS_TEST_TMPDIR/host"
	[[ $output != *secret* && $status -eq 255 ]]
	says "outside the root"
	exec 7<&-
}

@test "no descriptor of the runtime or its caller is in the container" {
	exec 7<"$BATS_TEST_TMPDIR/host" 9<"$BATS_TEST_TMPDIR/host/file"
	script 'ls -l /proc/self/fd'
	run run_container
	[[ $output != *"$BATS_TEST_TMPDIR"* ]]
	[[ $(grep -c ' 64 .* [0-9]\+\( -> .*\)\?$' <<<"$output") -eq 4 ]]
	program /bin/sleep 1000
	start
	[[ $(find "/proc/$(pid)/fd" -mindepth 1 | wc -l) -eq 3 ]]
	exec 7<&- 9<&-
}

# Who joins a user namespace has all rights there before he becomes its root,
# and so has who waits for him. He is held where he has all of the runtime.
@test "CVE-2016-9962: the container cannot look into the runtime while it is joined" {
	need_program strace
	user_namespace
	capabilities CAP_SYS_PTRACE CAP_DAC_OVERRIDE
	start_idle
	moat_oci exec "$id" /bin/sh -c 'while [ ! -e /stop ]; do
		for p in /proc/[0-9]*; do
			read -r name <$p/comm && [ "$name" = moat-oci ] &&
				echo there && head -n 1 $p/maps
		done 2>/dev/null; done; exit 0' >"$bundle/said" 3>&- &
	watcher=$!
	strace -f -qq -o /dev/null -e trace=setresgid \
		-e inject=setresgid:delay_enter=2000000 \
		"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" exec "$id" true
	touch "$bundle/rootfs/stop"
	wait "$watcher"
	grep -q there "$bundle/said"
	# The program's memory may be looked at, which may have begun just then.
	[[ -z $(sed '/there/d; /busybox/d' "$bundle/said") ]]
}

# --- mounts through links (CVE-2021-30465, 2025-31133, 2025-52565) -----------

# Somebody swaps a folder and a link as fast as he can.
swap_for_ever() # FOLDER LINK
{
	python3 - "$1" "$2" 3>&- <<-'EOF' &
		import ctypes, sys
		c = ctypes.CDLL(None)
		a, b = (x.encode() for x in sys.argv[1:])
		while True:
		    c.renameat2(-100, a, -100, b, 2)
	EOF
	swapper=$!
}

# Wherever the link leads the mount to, it is a place inside: one outside could
# not be seen any more, and nothing new is on the host (CVE-2024-45310).
@test "CVE-2021-30465: a destination swapped for a link stays in the root" {
	local rounds=0

	need_program python3
	mkdir -p "$bundle/rootfs/a/x" "$bundle/source" "$BATS_TEST_TMPDIR/host/x"
	ln -s "$BATS_TEST_TMPDIR/host" "$bundle/rootfs/b"
	edit '.mounts += [ "x", "y/z" | { destination: "/a/\(.)", type: "bind",
		source: "source", options: [ "bind" ] } ]'
	script 'grep -c "/bundle/source /" /proc/self/mountinfo'
	PATH=/usr/bin:$PATH swap_for_ever "$bundle/rootfs/a" "$bundle/rootfs/b"
	while [ "$rounds" -lt 40 ]; do
		rounds=$((rounds + 1))
		run run_container
		# Who loses the race may fail, in a line.
		[[ $output == 2 || ($status -eq 1 && ${#lines[@]} -eq 1 &&
			$output == moat-oci:*) ]] || break
		[[ $(ls "$BATS_TEST_TMPDIR/host") == $'file\nx' ]] || break
	done
	kill "$swapper"
	printf '%s\n' "$output"
	[[ $rounds -eq 40 && $(ls "$BATS_TEST_TMPDIR/host") == $'file\nx' ]]
}

@test "CVE-2021-30465: links among the destinations lead nowhere else" {
	ln -s / "$bundle/rootfs/slash"
	ln -s "/proc/self/root/$BATS_TEST_TMPDIR/host" "$bundle/rootfs/magic"
	mkdir "$bundle/source"
	edit '.mounts += [ "/slash/made1", "/magic/made2" | { destination: .,
		type: "bind", source: "source", options: [ "bind" ] } ]'
	run run_container
	[[ ! -e /made1 && ! -e $BATS_TEST_TMPDIR/host/made2 ]]
}

@test "CVE-2025-31133: a /dev/null that is a link is no null device" {
	# Without a tmpfs on /dev, the image's own /dev/null is a link.
	ln -s /proc/sys/kernel/core_pattern "$bundle/rootfs/dev/null"
	edit '.linux.maskedPaths = [ "/etc/passwd", "/proc/keys" ]'
	refuses 'del(.mounts[1])' "device '/dev/null': something else is there"
}

# A /dev of the host's, which is not filled: what it has masks, or nothing does.
@test "CVE-2025-31133: a mask is the null device, or there is no container" {
	local before

	before=$(cat /proc/sys/kernel/core_pattern)
	mkdir "$bundle/dev"
	edit '.mounts[1] = { destination: "/dev", type: "bind", source: "dev",
		options: [ "bind" ] } | .linux.maskedPaths = [ "/etc/passwd" ]'
	ln -s /proc/sys/kernel/core_pattern "$bundle/dev/null"
	refuses . "'/dev/null' of the container is not the null device"
	rm "$bundle/dev/null"
	echo "$before" >"$bundle/dev/null"
	refuses . "'/dev/null' of the container is not the null device"
	rm "$bundle/dev/null"
	mknod "$bundle/dev/null" c 1 3
	[[ -z $(inside 'cat /etc/passwd') ]]
	[[ $(cat /proc/sys/kernel/core_pattern) == "$before" ]]
}

@test "CVE-2025-52565: a /dev/console that is a link gets no terminal" {
	need_program python3
	edit '.process.terminal = true | .mounts[1] = { destination: "/dev/pts",
		type: "devpts", source: "devpts", options: [ "newinstance" ] }'
	script 'grep -e console -e core_pattern /proc/self/mountinfo'
	touch "$bundle/rootfs/dev/console"
	run on_terminal run --bundle "$bundle" "$id" </dev/null
	says "/dev/console rw"
	for target in /proc/sys/kernel/core_pattern ../proc/sys/kernel/core_pattern; do
		ln -sf "$target" "$bundle/rootfs/dev/console"
		run on_terminal run --bundle "$bundle" "$id" </dev/null
		[[ $status -eq 1 ]]
		says "'/dev/console' of the container is neither a file nor a device"
	done
}

@test "CVE-2019-19921, 2023-27561: /proc and /sys are not mounted through links" {
	local name

	for name in proc sys; do
		rm -rf "$bundle/rootfs/$name"
		mkdir -p "$bundle/rootfs/elsewhere"
		ln -s elsewhere "$bundle/rootfs/$name"
		refuses ".mounts += [ { destination: \"/sys\", type: \"sysfs\" } ]" \
			"a part of '/$name' is a symbolic link"
		rm "$bundle/rootfs/$name"
	done
}

@test "a masked path that is a link masks what it names inside, at most" {
	ln -s "$BATS_TEST_TMPDIR/host/file" "$bundle/rootfs/etc/link"
	ln -s ../../../../../../../etc "$bundle/rootfs/up"
	edit '.linux.maskedPaths = [ "/etc/link", "/up/passwd" ] |
		.linux.readonlyPaths = [ "/up" ]'
	run run_container
	[[ $(cat "$BATS_TEST_TMPDIR/host/file") == secret ]]
	grep -q root /etc/passwd
}

# --- writes that go elsewhere (CVE-2025-52881) -------------------------------

@test "CVE-2025-52881: a fake /proc gets no labels and no sysctls" {
	refuses '.mounts[0] = { destination: "/proc/self/attr", type: "tmpfs" }' \
		"lies inside /proc"
	# The whole of /proc is somebody's tmpfs: writes go to the real one.
	namespace network
	mkdir -p "$bundle/fake/sys/net/ipv4" "$bundle/fake/self/attr"
	echo 0 >"$bundle/fake/sys/net/ipv4/ip_forward"
	edit '.mounts[0] = { destination: "/proc", type: "bind", source: "fake",
		options: [ "bind" ] } | .linux.sysctl = { "net.ipv4.ip_forward": "1" } |
		.process.oomScoreAdj = 77'
	program /bin/true
	refused
	says "only a procfs may be on '/proc'"
	[[ $(cat "$bundle/fake/sys/net/ipv4/ip_forward") == 0 ]]
	[[ ! -e $bundle/fake/self/oom_score_adj ]]
}

@test "CVE-2025-52881: links in a fake /proc do not redirect writes" {
	namespace network
	mkdir -p "$bundle/fake/sys/net/ipv4"
	ln -s "$BATS_TEST_TMPDIR/host/file" "$bundle/fake/sys/net/ipv4/ip_forward"
	mkdir -p "$bundle/rootfs/$BATS_TEST_TMPDIR/host"
	echo inside >"$bundle/rootfs/$BATS_TEST_TMPDIR/host/file"
	edit '.mounts[0] = { destination: "/proc", type: "bind", source: "fake",
		options: [ "bind" ] } | .linux.sysctl = { "net.ipv4.ip_forward": "1" }'
	program /bin/true
	refused
	says "only a procfs may be on '/proc'"
	[[ $(cat "$BATS_TEST_TMPDIR/host/file") == secret ]]
	[[ $(cat "$bundle/rootfs/$BATS_TEST_TMPDIR/host/file") == inside ]]
}

# --- what is inherited (CVE-2022-29162 and older) ----------------------------

@test "CVE-2022-29162: nothing is inheritable unless it is asked for" {
	capabilities CAP_CHOWN CAP_KILL
	program /bin/grep -E '^Cap(Inh|Amb)' /proc/self/status
	[[ $(run_container | grep -c 0000000000000000) -eq 2 ]]
}

@test "the program cannot reach the host through its root's parents" {
	[[ $(inside 'cd ../../../..; ls') == "$(ls "$bundle/rootfs")" ]]
	[[ $(inside 'ls /proc/1/root/') == "$(ls "$bundle/rootfs")" ]]
}

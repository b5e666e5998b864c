#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# refused: a table of configurations that are wrong, and what is said of each
#
# A row is a jq filter, blanks, "->", and what stands behind "config.json: ".
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
	whole=$BATS_TEST_TMPDIR/whole.json
	cp "$bundle/config.json" "$whole"
}

# The answer is one line that begins so, exit status 1, and nothing was made.
answers() # WHAT BEGINNING
{
	local said status=0

	said=$(timeout 60 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		run --bundle "$bundle" "$id" </dev/null 2>&1 3>&-) || status=$?
	if [[ $status -ne 1 || $said != "moat-oci: run: $2"* ||
		$said == *$'\n'* ]] || exists; then
		echo "$1: status $status, said: $said" "instead of: $2" >&2
		return 1
	fi
}

# All rows are tried, so that all that is wrong is told.
refuses_all()
{
	local filter words wrong=0

	while read -r line; do
		filter=${line%% -> *}
		words=${line#* -> }
		jq "$filter" <"$whole" >"$bundle/config.json"
		answers "$filter" "config.json: $words" || wrong=$((wrong + 1))
	done
	[[ -z $(groups_left) && $wrong -eq 0 ]]
}

@test "the parts that must be there" {
	refuses_all <<-'END'
		del(.ociVersion) -> ociVersion: is required
		.ociVersion = "" -> ociVersion: '' is not a version 1.x
		.ociVersion = "0.9.0" -> ociVersion: '0.9.0' is not a version 1.x
		.ociVersion = "2.0.0" -> ociVersion: '2.0.0' is not a version 1.x
		.ociVersion = "1.x" -> ociVersion: '1.x' is not a version 1.x
		.ociVersion = " 1.0.0" -> ociVersion: ' 1.0.0' is not a version 1.x
		del(.root) -> root: missing
		.root = null -> root: missing
		.root.path = "" -> root: path: empty, not a path
		.root.path = "/" -> root: path: the host's own root
		.root.path = "../../../../../.." -> root: path:
		.root.path = "nothing" -> root: path: '
		.root.path = "config.json" -> root: path: '
		.root.path = "/dev/null" -> root: path: '/dev/null' is not a folder
		.root.path = "config.json/x" -> root: path: '
		del(.process) -> process: missing
		del(.process.args) -> process: args: empty
		.process.args = [] -> process: args: empty
		.process.args = [""] -> process: args: [0]: empty
		del(.process.cwd) -> process: cwd: empty
		.process.cwd = "x" -> process: cwd: 'x' is not an absolute path
	END
}

@test "numbers, texts and types" {
	refuses_all <<-'END'
		.process.user.uid = -1 -> process: user: uid: expected an unsigned number
		.process.user.uid = 4294967296 -> process: user: uid: number over 4294967295
		.process.user.uid = 4294967295 -> process: user: uid: 4294967295 means no one
		.process.user.uid = 1.5 -> process: user: uid: expected a whole number
		.process.user.uid = 1e300 -> process: user: uid: expected a whole number
		.process.user.uid = "0" -> process: user: uid: expected
		.process.user.uid = [0] -> process: user: uid: expected
		.process.user.umask = 99999 -> process: user: umask: 0303237 is more than 0777
		.process.oomScoreAdj = 5000 -> process: oomScoreAdj: 5000 is not in -1000..1000
		.process.oomScoreAdj = -1001 -> process: oomScoreAdj: -1001 is not in -1000..1000
		.process.consoleSize = { width: -1, height: 5 } -> process: consoleSize: width: expected an unsigned number
		.process.args[1] = "a\u0000b" -> process: args: [1]: NUL in a string
		.process.env = [ "A\u0000=b" ] -> process: env: [0]: NUL in a string
		.process.env = [ "FOO" ] -> process: env: [0]: 'FOO' has no '='
		.process.env = [ "=x" ] -> process: env: [0]: '=x' has no name
		.process.env = [ 5 ] -> process: env: [0]: expected a string
		.process.cwd = "/\u0000" -> process: cwd: NUL in a string
		.root.path = "rootfs\u0000/x" -> root: path: NUL in a string
		.hostname = "\u0000" -> hostname: NUL in a string
		.hostname = "x" * 65 -> hostname: longer than 64 bytes
		.domainname = "x" * 65 -> domainname: longer than 64 bytes
		.annotations = { "a": 1 } -> annotations: a: expected a string
		.annotations = { "": "x" } -> annotations: an empty key
		.annotations = { "moat.isolatoin": "vm" } -> annotations: 'moat.isolatoin' is not an annotation of moat
		.mounts = [ range(70000) | { destination: "/m", type: "tmpfs" } ] -> mounts: [65536]: more than 65536 entries
		.x = reduce range(70) as $i (1; [.]) -> x: [0]: [0]
	END
}

@test "namespaces and what belongs to them" {
	refuses_all <<-'END'
		.linux.namespaces += [ { type: "pid" } ] -> linux: namespaces: [4]: duplicate 'pid'
		.linux.namespaces += [ { type: "moon" } ] -> linux: namespaces: [4]: type: unknown namespace 'moon'
		.linux.namespaces += [ { type: "network", path: "ns" } ] -> linux: namespaces: [4]: path: 'ns' is not an absolute path
		.linux.namespaces += [ {} ] -> linux: namespaces: [4]: type: is required
		.linux.namespaces = [ { type: "pid" }, { type: "user" } ] -> linux: namespaces: no 'mount'
		.linux.namespaces += [ { type: "user" } ] -> linux: uidMappings: missing for the new user namespace
		.linux.uidMappings = [ { containerID: 0, hostID: 0, size: 1 } ] -> linux: uidMappings: there is no user namespace
		.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ { containerID: 0, hostID: 0, size: 10 }, { containerID: 5, hostID: 90, size: 9 } ] -> linux: uidMappings: id mappings overlap at container id 5
		.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ { containerID: 0, hostID: 0, size: 10 }, { containerID: 50, hostID: 9, size: 9 } ] -> linux: uidMappings: id mappings overlap at host id 9
		.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ { containerID: 0, hostID: 0, size: 0 } ] -> linux: uidMappings: id mapping 0: empty
		.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ { containerID: 0, hostID: 4294967290, size: 9 } ] -> linux: uidMappings: id mapping 0: empty or beyond
		.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ range(0; 800; 2) | { containerID: ., hostID: ., size: 1 } ] -> linux: uidMappings: 400 id mappings, but the kernel takes 340
		.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ { containerID: 0, hostID: 0, size: 1 } ] -> linux: gidMappings: missing
		.linux.namespaces |= map(select(.type != "uts")) | .hostname = "x" -> hostname: needs a uts namespace
		.linux.namespaces |= map(select(.type != "uts")) | .domainname = "x" -> domainname: needs a uts namespace
		.linux.timeOffsets = { boottime: { secs: 1 } } -> linux: timeOffsets: only a new time namespace
		.linux.namespaces += [ { type: "time" } ] | .linux.timeOffsets = { moon: { secs: 1 } } -> linux: timeOffsets: 'moon' is not one of
		.linux.namespaces += [ { type: "time" } ] | .linux.timeOffsets = { boottime: { nanosecs: 1000000000 } } -> linux: timeOffsets:
		.linux.netDevices = { e: {} } -> linux: netDevices: needs a network namespace
		.linux.namespaces += [ { type: "network" } ] | .linux.netDevices = { "a/b": {} } -> linux: netDevices: 'a/b' cannot be
		.linux.namespaces |= map(select(.type != "ipc")) | .linux.sysctl = { "kernel.msgmax": "1" } -> linux: sysctl: sysctl 'kernel.msgmax' needs
		.linux.sysctl = { "kernel.panic": "1" } -> linux: sysctl: sysctl 'kernel.panic' belongs to no namespace
		.linux.sysctl = { "../../etc/x": "1" } -> linux: sysctl: sysctl '../../etc/x' is not a name
		.linux.sysctl = { "net/../kernel/panic": "1" } -> linux: sysctl: sysctl 'net/../kernel/panic' is not a name
	END
}

@test "mounts, devices and paths" {
	refuses_all <<-'END'
		.mounts += [ { destination: "", type: "tmpfs" } ] -> mounts: [2]: destination: empty
		.mounts += [ { destination: "/a/../..", type: "none", options: [ "remount" ] } ] -> mounts: [2]: destination: '/' is changed by root.readonly
		.mounts += [ { destination: "/a\u0000", type: "tmpfs" } ] -> mounts: [2]: destination: NUL in a string
		.mounts += [ { type: "tmpfs" } ] -> mounts: [2]: destination: is required
		.mounts += [ { destination: "/a" } ] -> mounts: [2]: type: missing
		.mounts += [ { destination: "/a", type: "bind", options: [ "bind" ] } ] -> mounts: [2]: source: empty
		.mounts += [ { destination: "/proc/sys", type: "tmpfs" } ] -> mounts: [2]:
		.linux.maskedPaths = [ "x" ] -> linux: maskedPaths: [0]: 'x' is not an absolute path
		.linux.readonlyPaths = [ "x" ] -> linux: readonlyPaths: [0]: 'x' is not an absolute path
		.linux.rootfsPropagation = "moon" -> linux: rootfsPropagation: unknown propagation 'moon'
		.linux.devices = [ { path: "/dev/x", type: "z", major: 1, minor: 1 } ] -> linux: devices: [0]: type: 'z' is not one of
		.linux.devices = [ { path: "x", type: "c", major: 1, minor: 1 } ] -> linux: devices: [0]: path: 'x' is not an absolute path
		.linux.devices = [ { path: "/dev/x", type: "c", major: -1, minor: 1 } ] -> linux: devices: [0]: major: -1 is not in
		.linux.devices = [ { path: "/dev/x", type: "c", major: 1, minor: 3 }, { path: "/dev/x", type: "c", major: 1, minor: 5 } ] -> linux: devices: duplicate path '/dev/x'
		.linux.cgroupsPath = "a\u0000b" -> linux: cgroupsPath: NUL in a string
		.linux.cgroupsPath = "/a\nb" -> linux: cgroupsPath: cgroup path holds control characters
		.linux.cgroupsPath = "/" -> linux: cgroupsPath: cgroup path '/' names no group of its own
		.hooks.prestart = [ { path: "x" } ] -> hooks: prestart: [0]: path: 'x' is not an absolute path
		.hooks.poststop = [ {} ] -> hooks: poststop: [0]: path: is required
		.hooks.prestart = [ { path: "/bin/true", timeout: 0 } ] -> hooks: prestart: [0]: timeout: 0 is not
		.hooks.prestart = [ { path: "/bin/true", timeout: -1 } ] -> hooks: prestart: [0]: timeout: -1 is not
		.linux.intelRdt = { closID: "../x" } -> linux: intelRdt: closID: '../x' is not the name of a class
	END
}

@test "what the program may do" {
	refuses_all <<-'END'
		.process.capabilities = { bounding: [ 1 ] } -> process: capabilities: bounding: [0]: expected a string
		.process.rlimits = [ { type: "RLIMIT_MOON", soft: 1, hard: 1 } ] -> process: rlimits: [0]: unknown resource limit 'RLIMIT_MOON'
		.process.rlimits = [ { type: "RLIMIT_CPU", soft: 1, hard: 1 }, { type: "RLIMIT_CPU", soft: 1, hard: 1 } ] -> process: rlimits: [1]: duplicate 'RLIMIT_CPU'
		.process.rlimits = [ { type: "RLIMIT_CPU", soft: 2, hard: 1 } ] -> process: rlimits: [0]: RLIMIT_CPU: the soft limit 2 is above
		.process.scheduler = { policy: "MOON" } -> process: scheduler: unknown scheduler policy 'MOON'
		.process.scheduler = { policy: "SCHED_OTHER", nice: 99 } -> process: scheduler: nice 99 is not in -20..19
		.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 9 } -> process: ioPriority: I/O priority 9 is not in 0..7
		.process.execCPUAffinity = { initial: "x" } -> process: execCPUAffinity: initial: 'x' is not a list of CPUs
		.linux.personality = { domain: "MOON" } -> linux: personality: unknown personality 'MOON'
		.linux.memoryPolicy = { mode: "MOON" } -> linux: memoryPolicy: unknown memory policy 'MOON'
		.linux.seccomp = {} -> linux: seccomp: defaultAction: is required
		.linux.seccomp = { defaultAction: "MOON" } -> linux: seccomp: defaultAction: unknown action 'MOON'
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: [ "MOON" ] } -> linux: seccomp: unknown architecture 'MOON'
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", flags: [ "MOON" ] } -> linux: seccomp: unknown flag 'MOON'
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerMetadata: "x" } -> linux: seccomp: listenerMetadata without a listenerPath
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: [], action: "SCMP_ACT_ERRNO" } ] } -> linux: seccomp: syscalls: [0]: no names
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: [ "read" ], action: "SCMP_ACT_ERRNO", errnoRet: 99999 } ] } -> linux: seccomp: syscalls: [0]: errno 99999 is too large
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: [ "read" ], action: "SCMP_ACT_ERRNO", args: [ { index: 6, value: 1, op: "SCMP_CMP_EQ" } ] } ] } -> linux: seccomp: syscalls: [0]: argument 6
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: [ "read" ], action: "SCMP_ACT_ERRNO", args: [ { index: 0, value: 1, op: "MOON" } ] } ] } -> linux: seccomp: syscalls: [0]: unknown operator 'MOON'
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: [ "read" ], action: "SCMP_ACT_NOTIFY" } ] } -> linux: seccomp: syscalls: [0]: SCMP_ACT_NOTIFY needs a listenerPath
		.linux.resources.pids.limit = "x" -> linux: resources: pids: limit: expected a whole number
		.linux.resources.memory.limit = -5 -> linux: resources: memory: limit: -5 is neither a size nor -1
		.linux.resources.memory = { limit: 10000000, swap: 5000000 } -> linux: resources: memory: swap: 5000000
		.linux.resources.cpu.cpus = "a-b" -> linux: resources: cpu: cpus: 'a-b' is not a list like 0-3,7
		.linux.resources.unified = { "../x": "1" } -> linux: resources: unified: '../x' is not the name of a cgroup file
	END
}

# --- what a shell can write, and jq cannot -----------------------------------

@test "texts that are no JSON, or say a thing twice" {
	local text row words wrong=0

	# shellcheck disable=SC2034 # the rows use it
	text=$(jq -c . "$whole")
	while read -r row words; do
		eval "$row" >"$bundle/config.json"
		answers "$row" "config.json: $words" || wrong=$((wrong + 1))
	done <<-'END'
		: line 1: parse error: premature EOF
		echo${IFS}$text$text line 1: parse error: trailing garbage
		echo${IFS}'{' line 2: parse error: premature EOF
		echo${IFS}${text%?},} line 1: parse error: invalid object key
		echo${IFS}//$text line 1: lexical error
		echo${IFS}${text//\"/\'} line 1: lexical error
		echo${IFS}${text/1.3.0/1\\u0000} ociVersion: NUL in a string
		echo${IFS}${text/1.3.0/1$'\xff\xfe'} ociVersion: invalid UTF-8
		echo${IFS}${text/1.3.0/\\ud800} ociVersion: half a surrogate pair
		echo${IFS}${text/\"uid\":0/\"uid\":1e999} process: user: uid: expected a whole number
		echo${IFS}${text/\"uid\":0/\"uid\":1.0} process: user: uid: expected a whole number
		echo${IFS}${text/\"uid\":0/\"uid\":-0} process: user: uid: expected an unsigned number
		echo${IFS}${text/\"uid\":0/\"uid\":NaN} line 1: lexical error
		echo${IFS}${text/\"uid\":0/\"uid\":0,\"uid\":5} process: user: duplicate key 'uid'
		echo${IFS}${text/\{/\{\"ociVersion\":\"1.0.0\",} duplicate key 'ociVersion'
		printf${IFS}"${text%?},\"x\":";printf${IFS}'[%.0s'${IFS}{1..9000} x: [0]: [0]
		truncate${IFS}-s${IFS}1M${IFS}$bundle/zeros;cat${IFS}$bundle/zeros line 1: lexical error
	END
	[[ $wrong -eq 0 ]]
}

# --- files that are none -----------------------------------------------------

# no_file NAME: it is there, and is not what one reads.
not_a_file() # PATH KIND
{
	rm -rf "$1"
	case $2 in
	fifo) mkfifo "$1" ;;
	folder) mkdir "$1" ;;
	socket) python3 -c 'import os, sys; os.mknod(sys.argv[1], 0o140600)' "$1" ;;
	zero) ln -s /dev/zero "$1" ;;
	terminal) ln -s /dev/tty "$1" ;;
	esac
}

complaint() # KIND PATH
{
	if [[ $1 == fifo ]]; then
		echo "nobody writes to the pipe '$2'"
	else
		echo "'$2' is not a regular file"
	fi
}

@test "a pipe that somebody writes to is a file like others" {
	run_container --config <(cat "$whole")
	start_idle
	moat_oci exec --process <(jq '.process | .args = [ "/bin/true" ]' "$whole") \
		"$id"
	moat_oci update --resources <(echo '{"pids":{"limit":64}}') "$id"
}

@test "a FIFO, a folder, a device or a socket is no configuration, and none waits for it" {
	local kind

	need_program python3
	for kind in fifo folder socket zero terminal; do
		not_a_file "$bundle/config.json" "$kind"
		answers "$kind" "$(complaint "$kind" config.json)"
	done
	rm "$bundle/config.json"
	truncate -s 1T "$bundle/config.json"
	answers sparse "'config.json' has more than 16777216 bytes"
	rm "$bundle/config.json"
	ln -s config.json "$bundle/config.json"
	answers loop "open 'config.json': Too many levels of symbolic links"
}

@test "nor is it anything else that is read by a name" {
	local f=$BATS_TEST_TMPDIR/file kind

	need_program python3
	start_idle
	for kind in fifo folder socket zero; do
		not_a_file "$f" "$kind"
		for args in "run --bundle $bundle --config $f other" \
			"exec --process $f $id" "update --resources $f $id" \
			"mounts add $id $f"; do
			# shellcheck disable=SC2086 # words
			run timeout 60 "$MOAT_BUILD/moat-oci" --root \
				"$BATS_TEST_TMPDIR/oci" $args
			says "$(complaint $kind "$f")"
			[[ $status -ne 0 && $status -ne 124 && ${#lines[@]} -eq 1 ]]
		done
	done
}

@test "a container's /etc/passwd that is none keeps nobody waiting" {
	local kind

	need_program python3
	script 'echo $HOME'
	for kind in fifo folder socket; do
		not_a_file "$bundle/rootfs/etc/passwd" "$kind"
		[[ $(timeout 60 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
			run --bundle "$bundle" "$id" </dev/null) == / ]]
	done
	start_idle
	[[ $(timeout 60 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		exec "$id" /bin/sh -c 'echo $HOME' </dev/null) == / ]]
}

@test "states that are no files are an error, and can be deleted" {
	local name pid

	for name in plan.json state.json; do
		start_idle
		pid=$(pid)
		not_a_file "$BATS_TEST_TMPDIR/oci/$id/$name" fifo
		run timeout 60 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
			exec "$id" /bin/true </dev/null
		says "'$name' is not a regular file"
		[[ $status -ne 0 && $status -ne 124 ]]
		timeout 60 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
			delete --force "$id"
		[[ ! -e $BATS_TEST_TMPDIR/oci/$id ]]
		gone "$pid"
	done
}

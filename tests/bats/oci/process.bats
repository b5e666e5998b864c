#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# process: what config.json says of the program
#
# runs: native machine
#
# shellcheck disable=SC2016 # '...' is for jq, and for shells inside

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/oci

setup()
{
	need_root
	bundle
}

status_of_program() # KEY: its line of /proc/self/status
{
	program /bin/grep "^$1:" /proc/self/status
	run_container | cut -f 2
}

# --- what, where, who --------------------------------------------------------

@test "args are handed on as they are" {
	program /bin/sh -c 'for i; do echo "<$i>"; done' sh 'a b' '' '*' $'x\ny'
	[[ $(run_container) == $'<a b>\n<>\n<*>\n<x\ny>' ]]
	refuses '.process.args = []' "config.json: process: args: empty"
	refuses '.process.args = [ "" ]' "process: args: [0]: empty"
	refuses 'del(.process.args)' "process: args: empty"
	refuses '.process.args = [ "a", 5 ]' "process: args: [1]: expected a string"
}

@test "a name without a slash is looked for in the container's PATH" {
	mkdir "$bundle/rootfs/one" "$bundle/rootfs/two"
	printf '#!/bin/sh\necho two\n' >"$bundle/rootfs/two/prog"
	cp "$bundle/rootfs/two/prog" "$bundle/rootfs/one/prog"
	chmod +x "$bundle/rootfs/two/prog"
	edit '.process.env = [ "PATH=/one:/two" ] | .process.args = [ "prog" ]'
	[[ $(run_container) == two ]]
	edit '.process.env = [] | .process.args = [ "true" ]'
	run_container
}

@test "env is the program's whole environment, the last of a name counts" {
	edit '.process.env = [ "A=1", "PATH=/bin", "B=x y", "A=2", "E=" ]'
	program /bin/env
	[[ $(run_container | sort | xargs) == "A=2 B=x y E= HOME=/root PATH=/bin" ]]
	refuses '.process.env = [ "A" ]' "process: env: [0]"
	refuses '.process.env = [ "=x" ]' "process: env: [0]"
}

@test "cwd is where it starts, made when it is missing" {
	edit '.process.cwd = "/work"'
	[[ $(inside pwd) == /work ]]
	edit '.process.cwd = "/not/yet"'
	[[ $(inside pwd) == /not/yet ]]
	refuses '.process.cwd = "relative"' "process: cwd: "
	refuses 'del(.process.cwd)' "process: cwd: "
	refuses '.process.cwd = "/bin/sh"' "chdir '/bin/sh': Not a directory"
}

@test "a cwd that is missing is made in a root that becomes read-only, too" {
	edit '.process.cwd = "/not/yet" | .root.readonly = true'
	[[ $(inside 'pwd; touch /x 2>&1') == /not/yet*"Read-only file system" ]]
	[[ -d $bundle/rootfs/not/yet ]]
}

@test "a cwd may be one that only the user may enter" {
	mkdir -m 700 "$bundle/rootfs/work/own"
	chown 7 "$bundle/rootfs/work/own"
	edit '.process.cwd = "/work/own" | .process.user = { uid: 7, gid: 7 }'
	[[ $(inside pwd) == /work/own ]]
}

@test "uid, gid, additionalGids and umask are the program's" {
	edit '.process.user = { uid: 7, gid: 8, additionalGids: [ 9, 4000000000 ],
		umask: 23 }'
	[[ $(inside 'id -u; id -g; id -G; umask' | xargs) == \
		"7 8 8 9 4000000000 0027" ]]
	[[ $(status_of_program Uid) == 7 ]]
	refuses '.process.user.uid = -1' "process: user: uid"
	refuses '.process.user.uid = 4294967296' "process: user: uid"
	refuses '.process.user.umask = 512' "process: user: umask"
}

@test "a user without capabilities has none" {
	capabilities CAP_KILL CAP_CHOWN
	edit '.process.user.uid = 7'
	[[ $(status_of_program CapEff) == 0000000000000000 ]]
	[[ $(status_of_program CapPrm) == 0000000000000000 ]]
}

@test "CAP_DAC_OVERRIDE executes what is another's" {
	mkdir "$bundle/rootfs/mine"
	cp "$bundle/rootfs/bin/busybox" "$bundle/rootfs/mine/id"
	chmod 744 "$bundle/rootfs/mine/id"
	edit '.process.user.uid = 7 | .process.args = [ "/mine/id", "-u" ]
		| .process.env = [ "PATH=/mine" ]'
	run ! run_container
	capabilities CAP_DAC_OVERRIDE
	[[ $(run_container) == 7 ]]
	edit '.process.args = [ "id", "-u" ]'
	[[ $(run_container) == 7 ]]
}

@test "stdio belongs to the user, for /dev/stdout to be opened" {
	edit '.process.user = { uid: 7, gid: 7 }'
	script 'echo x >/dev/stdout'
	[[ $(run_container | cat) == x ]]
}

# --- rights ------------------------------------------------------------------

@test "capabilities are those of the five lists" {
	edit '.process.capabilities = {
		bounding: [ "CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SETUID" ],
		permitted: [ "CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW" ],
		effective: [ "CAP_CHOWN", "CAP_KILL" ],
		inheritable: [ "CAP_CHOWN", "CAP_NET_RAW" ],
		ambient: [ "CAP_CHOWN" ] }'
	edit '.process.user.uid = 7'
	program /bin/grep ^Cap /proc/self/status
	run_container >"$bundle/said"
	# By execve of somebody who is not root, only ambient ones stay.
	grep -q '^CapBnd:.*00000000000020a1$' "$bundle/said"
	grep -q '^CapInh:.*0000000000002001$' "$bundle/said"
	grep -q '^CapPrm:.*0000000000000001$' "$bundle/said"
	grep -q '^CapEff:.*0000000000000001$' "$bundle/said"
	grep -q '^CapAmb:.*0000000000000001$' "$bundle/said"
}

@test "no capabilities means none, and unknown ones are no error" {
	edit '.process.capabilities = {}'
	[[ $(status_of_program CapEff) == 0000000000000000 ]]
	[[ $(status_of_program CapBnd) == 0000000000000000 ]]
	capabilities CAP_KILL CAP_OF_TOMORROW
	program /bin/grep ^CapEff: /proc/self/status
	run --separate-stderr run_container
	[[ $output == *0000000000000020 ]]
	[[ $stderr == *CAP_OF_TOMORROW* ]]
}

@test "noNewPrivileges is set when it is asked for" {
	[[ $(status_of_program NoNewPrivs) == 0 ]]
	edit '.process.noNewPrivileges = true'
	[[ $(status_of_program NoNewPrivs) == 1 ]]
}

@test "an AppArmor profile that is not loaded is an error" {
	need_apparmor
	edit '.process.apparmorProfile = "unconfined"'
	inside 'cat /proc/self/attr/current' | grep unconfined
	edit '.process.apparmorProfile = "no-such-profile"'
	refused
	says no-such-profile
}

@test "an AppArmor profile confines the program" {
	need_apparmor
	need_program apparmor_parser
	echo "profile moat-$test_id { /** rwlixm, deny /bin/hidden r, }" \
		>"$bundle/profile"
	apparmor_parser -a "$bundle/profile"
	echo secret >"$bundle/rootfs/bin/hidden"
	edit --arg p "moat-$test_id" '.process.apparmorProfile = $p'
	script 'cat /proc/self/attr/current; cat /bin/hidden'
	run run_container
	apparmor_parser -R "$bundle/profile"
	[[ ${lines[0]} == "moat-$test_id (enforce)" ]]
	says "Permission denied"
}

@test "an AppArmor profile where there is none is an error" {
	grep -qsx Y /sys/module/apparmor/parameters/enabled &&
		skip_or_fail "AppArmor is there"
	refuses '.process.apparmorProfile = "some"' AppArmor
}

@test "SELinux labels need SELinux" {
	[ ! -d /sys/fs/selinux/booleans ] || skip_or_fail "SELinux is there"
	refuses '.process.selinuxLabel = "a:b:c:s0"' SELinux
	refuses '.linux.mountLabel = "a:b:c:s0"' "option 'context'"
}

# --- limits and how it is scheduled ------------------------------------------

@test "rlimits are set, soft and hard" {
	edit '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
		{ type: "RLIMIT_CORE", soft: 0, hard: "MAX" },
		{ type: "RLIMIT_NPROC", soft: 3000, hard: 3000 } ]'
	program /bin/cat /proc/self/limits
	# More than jq can count.
	sed -i 's/"MAX"/18446744073709551615/' "$bundle/config.json"
	run_container >"$bundle/said"
	edit 'del(.process.rlimits[1])'
	grep -qE '^Max open files +100 +200 ' "$bundle/said"
	grep -qE '^Max core file size +0 +unlimited ' "$bundle/said"
	grep -qE '^Max processes +3000 +3000 ' "$bundle/said"
	refuses '.process.rlimits[0].type = "RLIMIT_X"' "rlimits: [0]: unknown resource limit"
	refuses '.process.rlimits[0].soft = 300' "process: rlimits: [0]"
	refuses '.process.rlimits += [ .process.rlimits[0] ]' \
		"process: rlimits: [2]: duplicate"
}

@test "few descriptors do not hinder the runtime" {
	edit '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 3, hard: 3 } ]'
	script 'ulimit -n'
	[[ $(run_container) == 3 ]]
}

@test "oomScoreAdj is the program's" {
	edit '.process.oomScoreAdj = 321'
	[[ $(inside 'cat /proc/self/oom_score_adj') == 321 ]]
	refuses '.process.oomScoreAdj = 1001' \
		"process: oomScoreAdj: 1001 is not in -1000..1000"
}

# Policy, flags, nice, priority, runtime, deadline, period of a container.
sched()
{
	start_idle
	helper sched "$(pid)"
	moat_oci delete --force "$id"
}

@test "the scheduler is chosen by policy" {
	need_program python3
	edit '.process.scheduler = { policy: "SCHED_BATCH", nice: 5 }'
	[[ $(sched) == "3 0 5 0 "* ]]
	edit '.process.scheduler = { policy: "SCHED_IDLE" }'
	[[ $(sched) == "5 0 0 0 "* ]]
	edit '.process.scheduler = { policy: "SCHED_OTHER", nice: 7,
		flags: [ "SCHED_FLAG_RESET_ON_FORK" ] }'
	[[ $(sched) == "0 1 7 0 "* ]]
	refuses '.process.scheduler.policy = "SCHED_X"' "process: scheduler: "
	refuses '.process.scheduler.nice = 20' "process: scheduler: "
	refuses '.process.scheduler.flags = [ "X" ]' "process: scheduler: "
	refuses '.process.scheduler.priority = 5' "process: scheduler: "
}

@test "real-time and deadline schedulers are given, or refused by name" {
	need_program python3
	edit '.process.scheduler = { policy: "SCHED_FIFO", priority: 3 }'
	if chrt -f 3 true 2>/dev/null; then
		[[ $(sched) == "1 0 0 3 "* ]]
		edit '.process.scheduler.policy = "SCHED_RR"'
		[[ $(sched) == "2 0 0 3 "* ]]
		edit '.process.scheduler = { policy: "SCHED_DEADLINE",
			runtime: 1000000, deadline: 5000000, period: 10000000 }'
		[[ $(sched) == "6 "*" 1000000 5000000 10000000" ]]
	else
		refused
		says SCHED_FIFO
	fi
	refuses '.process.scheduler = { policy: "SCHED_DEADLINE", runtime: 5,
		deadline: 3, period: 10 }' "process: scheduler: "
}

@test "ioPriority is the program's" {
	need_program ionice
	edit '.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 }'
	start_idle
	[[ $(ionice -p "$(pid)") == "best-effort: prio 6" ]]
	moat_oci delete --force "$id"
	edit '.process.ioPriority = { class: "IOPRIO_CLASS_IDLE" }'
	start_idle
	[[ $(ionice -p "$(pid)") == idle ]]
	moat_oci delete --force "$id"
	refuses '.process.ioPriority.class = "X"' "process: ioPriority: "
	refuses '.process.ioPriority.priority = 8' "process: ioPriority: "
}

@test "execCPUAffinity binds those that come later, in a moment and for good" {
	edit '.process.execCPUAffinity = { initial: "0", final: "1" }'
	[ "$(nproc)" -ge 2 ] || skip_or_fail "needs two CPUs"
	start_idle
	[[ $(in_it grep Cpus_allowed_list /proc/self/status | cut -f 2) == 1 ]]
	moat_oci delete --force "$id"
	edit '.process.execCPUAffinity = { initial: "1" }'
	start_idle
	[[ $(in_it grep Cpus_allowed_list /proc/self/status | cut -f 2) == 1 ]]
	moat_oci delete --force "$id"
	refuses '.process.execCPUAffinity.initial = "x"' \
		"process: execCPUAffinity: initial"
	refuses '.process.execCPUAffinity.final = "9-1"' \
		"process: execCPUAffinity: final"
}

@test "the caller's CPU affinity is not the container's" {
	[ "$(nproc)" -ge 2 ] || skip_or_fail "needs two CPUs"
	program /bin/nproc
	[[ $(taskset -c 0 "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		run --bundle "$bundle" "$id") == "$(nproc)" ]]
}

# --- the names ---------------------------------------------------------------

@test "hostname and domainname are those of the container's own namespace" {
	local before

	before=$(hostname)
	edit '.hostname = "inside" | .domainname = "example.org"'
	[[ $(inside 'hostname; cat /proc/sys/kernel/domainname' | xargs) == \
		"inside example.org" ]]
	[[ $(hostname) == "$before" ]]
	no_namespace uts
	refused
	says "hostname: needs a uts namespace"
	namespace uts
	refuses ".hostname = \"$(printf '%065d' 0)\"" "hostname: longer than 64"
}

@test "ociVersion may be any 1.x" {
	for version in 1.0.0 1.0.2-dev 1.1.0+dev 1.2.1 1.99.0; do
		edit --arg v "$version" '.ociVersion = $v'
		run_container
	done
	refuses '.ociVersion = "2.0.0"' "ociVersion: '2.0.0' is not a version 1.x"
	refuses '.ociVersion = "1.x"' "ociVersion: '1.x' is not"
	refuses 'del(.ociVersion)' "ociVersion"
}

@test "annotations are shown, and unknown ones of moat refused" {
	edit '.annotations = { "org.example.x": "y", "run.oci.z": "" }'
	start_idle
	moat_oci state "$id" | jq -e '.annotations ==
		{ "org.example.x": "y", "run.oci.z": "" }'
	moat_oci delete --force "$id"
	refuses '.annotations = { "moat.isolaton": "vm" }' \
		"annotations: 'moat.isolaton' is not an annotation of moat"
	refuses '.annotations = { "a": 5 }' "annotations: a: expected a string"
}

@test "objects of other systems are ignored" {
	edit '.windows = { layerFolders: [ "C:" ] } | .solaris = {} | .zos = {} |
		.freebsd = { jail: {} } | .unknown = [ 1 ]'
	run_container
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# exec: another program in a container
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

# exec [OPTION... --] SCRIPT: what a shell inside says
says_inside()
{
	local options=()

	while [ $# -gt 1 ]; do
		options+=("$1")
		shift
	done
	moat_oci exec "${options[@]}" "$id" /bin/sh -c "$1"
}

exec_fails() # WORDS OPTION...
{
	local words=$1

	shift
	moat_oci_fails exec "$@"
	says "$words"
	[[ $status -eq 255 ]] || {
		echo "status $status instead of 255" >&2
		return 1
	}
}

# --- where it runs -----------------------------------------------------------

@test "exec joins all namespaces of the container" {
	local ns

	namespace network
	namespace cgroup
	start_idle
	for ns in pid mnt ipc uts net cgroup; do
		[[ $(in_it readlink "/proc/self/ns/$ns") == \
			"$(readlink "/proc/$(pid)/ns/$ns")" ]]
		[[ $(in_it readlink "/proc/self/ns/$ns") != \
			"$(readlink "/proc/self/ns/$ns")" ]]
	done
	[[ $(in_it ls /) == "$(ls "$bundle/rootfs")" ]]
}

@test "exec joins a user and a time namespace" {
	namespace user
	namespace time
	edit '.linux.uidMappings = [ { containerID: 0, hostID: 100000, size: 10 } ]
		| .linux.gidMappings = .linux.uidMappings
		| .linux.timeOffsets.boottime.secs = 1000000'
	chown -hR 100000:100000 "$bundle/rootfs"
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	start_idle
	[[ $(in_it id -u) -eq 0 ]]
	[[ $(in_it cat /proc/self/uid_map | xargs) == "0 100000 10" ]]
	[[ $(in_it readlink /proc/self/ns/time) == \
		"$(readlink "/proc/$(pid)/ns/time")" ]]
	[[ $(in_it sed 's/[.].*//' /proc/uptime) -gt 1000000 ]]
}

@test "exec enters the container's cgroup" {
	start_idle
	says_inside 'cat /proc/self/cgroup' | sort >"$bundle/mine"
	sort "/proc/$(pid)/cgroup" | cmp - "$bundle/mine"
	grep -q "$id" "$bundle/mine"
}

@test "--cgroup takes a group below, by controller where it is on v1" {
	local dir

	need_controller pids
	edit '.linux.resources.pids.limit = 100'
	start_idle
	dir=$(find /sys/fs/cgroup -path "*$id/pids.max")
	dir=${dir%/pids.max}
	mkdir "$dir/below"
	case $dir in
	/sys/fs/cgroup/pids/*) word=pids:below ;;
	*) word=below ;;
	esac
	says_inside --cgroup "$word" 'cat /proc/self/cgroup' >"$bundle/mine"
	grep -q "$id/below$" "$bundle/mine"
	says_inside --cgroup "${word/below//below}" true
	exec_fails nothere --cgroup "${word/below/nothere}" "$id" /bin/true
	exec_fails controller --cgroup nonsense:below "$id" /bin/true
	says_inside --cgroup "${word/below/below/..}" 'cat /proc/self/cgroup' \
		>"$bundle/mine"
	grep -q "$id$" "$bundle/mine"
	exec_fails "not below the container's" --cgroup "${word/below/..}" \
		"$id" /bin/true
	exec_fails "not below the container's" \
		--cgroup "${word/below/below/../..}" "$id" /bin/true
	rmdir "$dir/below"
}

@test "exec is refused in a paused container, and waits with --ignore-paused" {
	start_idle
	moat_oci pause "$id"
	exec_fails "--ignore-paused" "$id" /bin/true
	moat_oci exec --ignore-paused "$id" /bin/sh -c 'echo x >/ran; exit 4' \
		>/dev/null 2>&1 3>&- &
	runtime=$!
	moat_oci resume "$id"
	status=0
	wait "$runtime" || status=$?
	[[ $status -eq 4 && -s $bundle/rootfs/ran ]]
}

@test "exec in a created container is possible, in a stopped one not" {
	program /bin/sleep 1000
	create
	[[ $(says_inside 'echo here') == here ]]
	moat_oci kill "$id" KILL
	wait_for 10 is stopped
	exec_fails "cannot exec in container '$id' in state 'stopped'" "$id" true
	exec_fails "container 'nobody' does not exist" nobody true
}

# --- what it is --------------------------------------------------------------

@test "exec hands on stdio and the exit status" {
	start_idle
	run says_inside 'exit 42'
	[[ $status -eq 42 ]]
	run says_inside 'kill -KILL $$'
	[[ $status -eq 137 ]]
	[[ $(echo in | says_inside 'tr a-z A-Z; echo err >&2' 2>"$bundle/err") == IN ]]
	[[ $(cat "$bundle/err") == err ]]
}

@test "what cannot be executed ends with 255" {
	start_idle
	exec_fails "'nothing': executable file not found" "$id" nothing
	exec_fails "'/etc/passwd': permission denied" "$id" /etc/passwd
	exec_fails "'/bin': permission denied" "$id" /bin
	exec_fails "what to execute?" "$id"
	exec_fails "'/no/folder': No such file" --cwd /no/folder "$id" true
	exec_fails "user 'root' is not UID[:GID]" --user root "$id" true
	exec_fails "group 'x' is not a number" --additional-gids x "$id" true
	exec_fails "--console-socket" --console-socket /no "$id" true
	exec_fails "--console-socket" --tty --detach "$id" true
}

@test "options end at the command, whose own are its own" {
	start_idle
	[[ $(in_it echo --tty -d --env) == "--tty -d --env" ]]
	[[ $(moat_oci exec "$id" -e A=7 /bin/sh -c 'echo $A') == 7 ]]
}

@test "--env adds and replaces, --cwd and --user choose" {
	edit '.process.env += [ "A=1", "B=2" ] | .process.cwd = "/tmp"'
	start_idle
	[[ $(says_inside -e A=7 --env C=3 'echo $A $B $C') == "7 2 3" ]]
	[[ $(says_inside pwd) == /tmp ]]
	[[ $(says_inside --cwd /work pwd) == /work ]]
	[[ $(says_inside --user 7 'id -u; id -g' | xargs) == "7 0" ]]
	[[ $(says_inside -u 7:8 'id -u; id -g' | xargs) == "7 8" ]]
	[[ $(says_inside -u 7:8 -g 20 --additional-gids 30 'id -G') == "8 20 30" ]]
}

@test "HOME is that of the user in the container's passwd" {
	echo me:x:7:7:me:/home/me:/bin/sh >>"$bundle/rootfs/etc/passwd"
	start_idle
	[[ $(says_inside 'echo $HOME') == /root ]]
	[[ $(says_inside -u 7 'echo $HOME') == /home/me ]]
	[[ $(says_inside -u 8 'echo $HOME') == / ]]
	[[ $(says_inside -u 7 -e HOME=/x 'echo $HOME') == /x ]]
	[[ $(says_inside -u 7 -e HOME= 'echo $HOME') == /home/me ]]
}

caps_inside() # SET OPTION...
{
	local set=$1

	shift
	says_inside "$@" "grep ^Cap$set: /proc/self/status" | cut -f 2
}

@test "--cap adds a capability, not to what others inherit" {
	capabilities CAP_KILL
	start_idle
	[[ $(caps_inside Eff --no-new-privs) == 0000000000000020 ]]
	[[ $(caps_inside Eff --cap CAP_CHOWN) == 0000000000000021 ]]
	[[ $(caps_inside Bnd --cap CAP_CHOWN) == 0000000000000021 ]]
	[[ $(caps_inside Inh --cap CAP_CHOWN) == 0000000000000000 ]]
	[[ $(caps_inside Amb -c CAP_CHOWN) == 0000000000000000 ]]
	[[ $(caps_inside Eff) == 0000000000000020 ]]
}

@test "--cap is ambient where the configuration lets it be inherited" {
	capabilities CAP_KILL
	edit '.process.capabilities.inheritable = [ "CAP_CHOWN" ]
		| .process.capabilities.bounding += [ "CAP_CHOWN" ]'
	start_idle
	[[ $(caps_inside Amb) == 0000000000000000 ]]
	[[ $(caps_inside Amb --cap CAP_CHOWN --cap CAP_SETUID) == \
		0000000000000001 ]]
	[[ $(caps_inside Eff --user 7 --cap CAP_CHOWN) == 0000000000000001 ]]
}

@test "--cap that nobody knows is warned of and left out" {
	capabilities CAP_KILL
	start_idle
	[[ $(caps_inside Eff --cap CAP_X --cap CAP_CHOWN 2>"$bundle/err") == \
		0000000000000021 ]]
	has "unknown capability 'CAP_X' is left out" "$bundle/err"
}

@test "--no-new-privs sets the flag" {
	start_idle
	[[ $(says_inside 'grep NoNewPrivs /proc/self/status') == *0 ]]
	[[ $(says_inside --no-new-privs 'grep NoNewPrivs /proc/self/status') == *1 ]]
}

@test "--process takes a whole process.json" {
	capabilities CAP_KILL CAP_CHOWN
	start_idle
	cat >"$bundle/process.json" <<-'EOF'
		{ "args": [ "/bin/sh", "/show" ],
		"user": { "uid": 5, "gid": 6, "additionalGids": [ 7 ], "umask": 55 },
		"cwd": "/tmp", "env": [ "PATH=/bin", "A=x" ], "oomScoreAdj": 500,
		"rlimits": [ { "type": "RLIMIT_NOFILE", "soft": 99, "hard": 99 } ],
		"capabilities": { "bounding": [ "CAP_KILL" ], "permitted": [ "CAP_KILL" ],
		"effective": [ "CAP_KILL" ], "inheritable": [ "CAP_KILL" ],
		"ambient": [ "CAP_KILL" ] } }
	EOF
	echo 'id -u; id -g; id -G; pwd; umask; echo $A $B; ulimit -n
		cat /proc/self/oom_score_adj; grep CapEff /proc/self/status' \
		>"$bundle/rootfs/show"
	moat_oci exec --process "$bundle/process.json" "$id" >"$bundle/said"
	[[ $(xargs <"$bundle/said") == \
		"5 6 6 7 /tmp 0067 x 99 500 CapEff: 0000000000000020" ]]
	exec_fails "exclude each other" -p "$bundle/process.json" "$id" /bin/true
	echo '{ "args": 5 }' >"$bundle/process.json"
	exec_fails "$bundle/process.json: args: " -p "$bundle/process.json" "$id"
	echo '{ "args": [ "a" ], "cwd": "relative" }' >"$bundle/process.json"
	exec_fails "$bundle/process.json: cwd" -p "$bundle/process.json" "$id"
	exec_fails "no.json" -p "$bundle/no.json" "$id"
}

@test "what is limited for the container is so for exec" {
	edit '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 77, hard: 88 } ]
		| .process.noNewPrivileges = true
		| .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{ names: [ "mkdir", "mkdirat" ], action: "SCMP_ACT_ERRNO", errnoRet: 74 } ] }'
	start_idle
	[[ $(says_inside 'ulimit -n; ulimit -Hn' | xargs) == "77 88" ]]
	[[ $(says_inside 'grep NoNewPrivs /proc/self/status') == *1 ]]
	run says_inside 'mkdir /made'
	says "Bad message"
}

# --- descriptors -------------------------------------------------------------

@test "no descriptor but stdio reaches the program" {
	start_idle
	exec 7</etc/passwd
	[[ $(says_inside 'ls /proc/self/fd | wc -l') -eq 4 ]]
	exec 7<&-
}

@test "--preserve-fds hands on as many, and refuses those that are closed" {
	start_idle
	echo four >"$bundle/file"
	exec 4<"$bundle/file"
	# shellcheck disable=SC2261 # bats has 3
	[[ $(moat_oci exec --preserve-fds 2 "$id" /bin/sh -c 'cat <&4' 3</dev/null) == four ]]
	exec 4<&-
	moat_oci_fails exec --preserve-fds 3 "$id" /bin/true 3</dev/null
	says "descriptor 4 is to be passed on (--preserve-fds) and is not open"
	[[ $status -eq 255 ]]
	moat_oci_fails exec --preserve-fds 4294967295 "$id" /bin/true 3</dev/null
	says "is not open"
}

@test "the log takes no descriptor that should be passed on" {
	start_idle
	moat_oci_fails --log "$bundle/log" exec --preserve-fds 1 "$id" \
		/bin/true 3>&-
	says "descriptor 3 is to be passed on"
}

# --- detached ----------------------------------------------------------------

@test "--detach does not wait, --pid-file says who it is" {
	start_idle
	moat_oci exec --detach --pid-file "$bundle/pid" "$id" /bin/sleep 1001 \
		</dev/null >/dev/null 2>&1 3>&-
	[[ $(tr '\0' ' ' <"/proc/$(cat "$bundle/pid")/cmdline") == "/bin/sleep 1001 " ]]
	moat_oci delete --force "$id"
	gone "$(cat "$bundle/pid")"
}

@test "--pidfd-socket sends a pidfd of the program" {
	start_idle
	helper pidfd "$BATS_TEST_TMPDIR/socket" >"$bundle/got" 3>&- &
	receiver=$!
	wait_for 10 test -S "$BATS_TEST_TMPDIR/socket"
	moat_oci exec -d --pid-file "$bundle/pid" \
		--pidfd-socket "$BATS_TEST_TMPDIR/socket" "$id" /bin/sleep 1001 \
		</dev/null >/dev/null 2>&1 3>&-
	wait "$receiver"
	[[ $(cut -d ' ' -f 2 "$bundle/got") == "$(cat "$bundle/pid")" ]]
}

@test "exec sees the end although its caller ignores SIGCHLD" {
	start_idle
	run helper ignore 17 "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" exec "$id" /bin/sh -c 'exit 9'
	[[ $status -eq 9 ]]
}

@test "signals to exec are the program's" {
	start_idle
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" exec "$id" \
		/bin/sh -c 'trap "echo term; exit 3" TERM; echo x >/up
		while :; do sleep 1000 & wait; done' >"$bundle/said" 3>&- &
	runtime=$!
	wait_for 10 test -s "$bundle/rootfs/up"
	kill "$runtime"
	status=0
	wait "$runtime" || status=$?
	[[ $status -eq 3 && $(cat "$bundle/said") == term ]]
}

@test "an exec that another ends by deleting the container ends, too" {
	start_idle
	"$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" exec "$id" \
		/bin/sh -c 'echo x >/up; sleep 1001; :' >"$bundle/said" 2>&1 3>&- &
	runtime=$!
	wait_for 10 test -s "$bundle/rootfs/up"
	moat_oci delete --force "$id"
	status=0
	wait "$runtime" || status=$?
	[[ $status -eq 137 ]]
}

@test "--apparmor gives the program a profile, an unknown one is an error" {
	need_apparmor
	start_idle
	[[ $(says_inside --apparmor unconfined 'cat /proc/self/attr/current') == \
		unconfined* ]]
	exec_fails no-such-profile --apparmor no-such-profile "$id" true
}

@test "--process-label needs SELinux" {
	[ ! -d /sys/fs/selinux/booleans ] || skip_or_fail "SELinux is there"
	start_idle
	exec_fails SELinux --process-label a:b:c:s0 "$id" true
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# parity: what one config.json says holds in a container and in a micro-VM
#
# One file, run twice: its name, or that of the link vm.bats, is the isolation.
# bats/run has the same for the flags of `moat run`. One environment serves
# most tests; what makes it is in setup_file. A network namespace "inside" with
# eth0 is its own, the other end is in "outside".
#
# runs: native machine
# snapshot: kvm

# Words in '...' are for shells inside.
# shellcheck disable=SC2016

load ../lib/common
load ../lib/net

bats_require_minimum_version 1.5.0

RAM=$((256 << 20))
BULK=100000000

setup_file()
{
	have_all || return 0
	env=$(unique par)
	export env
	make_namespaces
	make_volumes
	# It forks no more once it runs: a test lets nobody fork.
	program='
		{ id -u; id -g; id -G; umask; pwd; env; } >/vol/process
		cat /proc/self/status >/vol/status
		cat /proc/self/limits >/vol/limits
		cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax >/vol/sysctl
		for s in HUP USR1 USR2 WINCH CONT 40; do
			trap "echo $s >>/vol/signals" $s
		done
		mkfifo /tmp/never
		exec 3<>/tmp/never
		i=0; : >/vol/ready
		while :; do
			i=$((i + 1)); echo $i >/vol/count
			read -r -t 0.1 -u 3 _
		done'
	make_bundle "$env" "$program"
	oci create --bundle "$BATS_FILE_TMPDIR/$env" \
		--pid-file "$BATS_FILE_TMPDIR/pid" "$env" \
		>"$BATS_FILE_TMPDIR/out" 2>&1 </dev/null 3>&-
	oci start "$env"
	wait_for 20 test -e "$vol/ready"
}

teardown_file()
{
	oci delete --force "${env:-none}"
	umount "$BATS_FILE_TMPDIR/inside" "$BATS_FILE_TMPDIR/outside"
	return 0
} >/dev/null 2>&1

have_all()
{
	[ "$(id -u)" -eq 0 ] && command -v busybox ip jq python3 &&
		{ ! is_vm || { compgen -G '/boot/vmlinuz-*' &&
			command -v qemu-system-x86_64; }; }
} >/dev/null

setup()
{
	need_root
	need_program busybox ip jq python3
	if is_vm; then
		need_program qemu-system-x86_64
		need_kernel
	fi
	vol=$BATS_FILE_TMPDIR/vol
}

# What it said, and what killed it, is shown with a test that failed.
teardown()
{
	tail -n 5 "$BATS_FILE_TMPDIR/out"
	oci delete --force "second-$env" >/dev/null 2>&1 || :
	remove_leftovers
}

isolation()
{
	basename "$BATS_TEST_FILENAME" .bats
}

is_vm()
{
	[[ $(isolation) == vm ]]
}

oci()
{
	"$MOAT_BUILD/moat-oci" --root "$BATS_FILE_TMPDIR/oci" "$@"
}

inside() # COMMAND...
{
	oci exec "$env" "$@" </dev/null
}

make_namespaces()
{
	make_pair
	in_net inside ip route add default via 10.77.0.1
}

# The program is not root, and so are not those who may write here.
make_volumes()
{
	vol=$BATS_FILE_TMPDIR/vol
	mkdir -p "$vol" "$BATS_FILE_TMPDIR/ro"
	echo fixed >"$BATS_FILE_TMPDIR/ro/file"
	chown 1234:5678 "$vol" "$BATS_FILE_TMPDIR/ro/file"
}

make_bundle() # NAME SCRIPT
{
	local bundle=$BATS_FILE_TMPDIR/$1

	mkdir -p "$bundle/rootfs" "$bundle/scratch"
	jq --arg script "$2" --arg isolation "$(isolation)" \
		--arg scratch "$bundle/scratch" --arg group "/$1-$test_id" \
		--arg net "$BATS_FILE_TMPDIR/inside" --arg vol "$vol" \
		--arg ro "$BATS_FILE_TMPDIR/ro" --argjson ram $RAM \
		-n -f <(bundle_of) >"$bundle/config.json"
}

bundle_of()
{
	cat <<-'END'
	[ "CAP_CHOWN", "CAP_NET_RAW" ] as $caps |
	{ ociVersion: "1.0.2",
	  process: { args: [ "bash", "-c", $script ], cwd: "/usr/lib",
	    user: { uid: 1234, gid: 5678, umask: 23, additionalGids: [ 11, 22 ] },
	    env: [ "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "A=x y", "B=" ],
	    noNewPrivileges: true,
	    rlimits: [ { type: "RLIMIT_NOFILE", soft: 77, hard: 99 },
	      { type: "RLIMIT_CORE", soft: 0, hard: 0 } ],
	    capabilities: { bounding: $caps, permitted: $caps, effective: $caps,
	      inheritable: $caps, ambient: $caps } },
	  root: { path: "rootfs", readonly: true }, hostname: "inside",
	  mounts: [
	    { destination: "/proc", type: "proc", source: "proc" },
	    { destination: "/dev", type: "tmpfs", source: "tmpfs" },
	    { destination: "/dev/pts", type: "devpts", source: "devpts",
	      options: [ "newinstance", "ptmxmode=0666", "mode=620", "gid=5" ] },
	    { destination: "/tmp", type: "tmpfs", source: "tmpfs" },
	    { destination: "/vol", type: "bind", source: $vol,
	      options: [ "rbind" ] },
	    { destination: "/ro", type: "bind", source: $ro,
	      options: [ "rbind", "ro" ] } ],
	  annotations: { "moat.isolation": $isolation,
	    "moat.vm.memory": ($ram * 3 | tostring),
	    "moat.rootfs.layers": "/", "moat.rootfs.scratch": $scratch },
	  linux: { cgroupsPath: $group,
	    sysctl: { "net.ipv4.ip_forward": "1", "kernel.msgmax": "4321" },
	    maskedPaths: [ "/proc/keys" ], readonlyPaths: [ "/proc/sys" ],
	    resources: { memory: { limit: $ram, swap: $ram },
	      pids: { limit: 60 } },
	    seccomp: { defaultAction: "SCMP_ACT_ALLOW",
	      architectures: [ "SCMP_ARCH_X86_64" ], syscalls: [
	      { names: [ "symlink", "symlinkat" ], action: "SCMP_ACT_ERRNO",
	        errnoRet: 95 } ] },
	    namespaces: [ { type: "mount" }, { type: "pid" },
	      { type: "network", path: $net }, { type: "uts" },
	      { type: "ipc" } ] } }
	END
}

@test "user, groups, umask, folder and environment are the ones configured" {
	run cat "$vol/process"
	[[ ${lines[0]} == 1234 && ${lines[1]} == 5678 ]]
	[[ ${lines[2]} == "5678 11 22" ]]
	[[ ${lines[3]} == 0027 && ${lines[4]} == /usr/lib ]]
	[[ $output == *$'\nA=x y'* && $output == *$'\nB='* ]]
	[[ $output != *BATS_* ]]
}

@test "capabilities are the ones configured, and no more can be had" {
	for set in Inh Prm Eff Bnd Amb; do
		grep -qx "Cap$set:	0000000000002001" "$vol/status"
	done
	grep -qx "NoNewPrivs:	1" "$vol/status"
	inside chown 7:8 /vol/ready
	run ! inside hostname other
}

@test "a seccomp profile answers for the kernel, to what exec starts as well" {
	grep -qx "Seccomp:	2" "$vol/status"
	run ! inside ln -s a /tmp/link
	[[ $output == *"not supported"* ]]
	inside grep -qx "Seccomp:	2" /proc/self/status
}

@test "limits of a process and sysctls are set" {
	grep -Eq "^Max open files +77 +99 " "$vol/limits"
	grep -Eq "^Max core file size +0 +0 " "$vol/limits"
	[[ $(cat "$vol/sysctl") == $'1\n4321' ]]
}

@test "the root, masked and read-only paths take no writes" {
	for path in /new /usr/new /proc/sys/kernel/msgmax; do
		run ! oci exec --user 0:0 --cap CAP_DAC_OVERRIDE "$env" \
			sh -c "echo 1 >$path" </dev/null
		[[ $output == *"Read-only file system"* ]]
	done
	[[ -z $(inside cat /proc/keys) ]]
}

@test "the layer above the root holds nothing but mount points" {
	run find "$BATS_FILE_TMPDIR/$env/scratch" -type f -size +0
	[[ $status -eq 0 && $output == "" ]]
	run find "$BATS_FILE_TMPDIR/$env/rootfs" -mindepth 1
	[[ $status -eq 0 && $output == "" ]]
}

@test "volumes have the owners they have outside, written ones as well" {
	[[ $(inside stat -c %u:%g /ro/file) == 1234:5678 ]]
	[[ $(inside cat /ro/file) == fixed ]]
	run ! inside sh -c 'echo x >/ro/file'
	[[ $output == *"Read-only file system"* ]]
	[[ $(stat -c %u:%g:%a "$vol/process") == 1234:5678:640 ]]
	inside sh -c 'echo new >/vol/new; chown 21:34 /vol/new'
	[[ $(stat -c %u:%g "$vol/new") == 21:34 ]]
	[[ $(cat "$vol/new") == new ]]
}

@test "signals reach the program by name and by number" {
	for signal in HUP SIGUSR1 12 WINCH CONT 40; do
		oci kill "$env" $signal
		name=${signal#SIG}
		wait_for 20 grep -qx "${name/#12/USR2}" "$vol/signals"
	done
}

@test "a hundred megabytes pass through stdin and stdout unchanged" {
	# No two lines alike.
	seq -w 20000000 | head -c $BULK >"$BATS_TEST_TMPDIR/in"
	begin=$(date +%s%N)
	oci exec "$env" cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
	ms=$((($(date +%s%N) - begin) / 1000000))
	echo "# $(isolation): $BULK bytes in and out in $ms ms" >&3
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
}

@test "packets pass both ways, by IPv4 and IPv6" {
	inside busybox ping -c 1 -W 20 10.77.0.1
	inside busybox ping6 -c 1 -W 20 fd77::1
	in_net outside busybox ping -c 1 -W 20 10.77.0.2
	in_net outside busybox ping6 -c 1 -W 20 fd77::2
	# By its default route.
	in_net outside ip addr add 10.88.0.1/32 dev lo
	inside busybox ping -c 1 -W 20 10.88.0.1
	[[ $(inside cat /sys/class/net/eth0/mtu || inside ip link show eth0) == *1400* ]]
}

@test "programs on terminals of their own run at once, each of its size" {
	helper=$MOAT_SOURCE/tests/bats/lib/oci.py
	for i in 1 2 3; do
		python3 "$helper" on-terminal 2$i 7$i \
			"$MOAT_BUILD/moat-oci" --root "$BATS_FILE_TMPDIR/oci" \
			exec --tty "$env" sh -c 'trap "echo told" WINCH
				stty size; i=0
				while [ "$(stty size)" != "44 99" ]; do sleep 0.1
					[ $((i += 1)) -lt 100 ] || exit 4
				done
				exit 3' < <(resize_when_up $i) \
			>"$BATS_TEST_TMPDIR/tty.$i" 2>&1 3>&- &
		pids[i]=$!
	done
	for i in 1 2 3; do
		status=0
		wait "${pids[i]}" || status=$?
		echo "terminal $i ended with $status: $(cat -v "$BATS_TEST_TMPDIR/tty.$i")"
		[[ $status -eq 3 ]]
		grep -q "2$i 7$i" "$BATS_TEST_TMPDIR/tty.$i"
		grep -q told "$BATS_TEST_TMPDIR/tty.$i"
	done
}

resize_when_up() # NUMBER
{
	wait_for 40 grep -qs "2$1 7$1" "$BATS_TEST_TMPDIR/tty.$1"
	echo "RESIZE 44 99"
	read -r -t 5 _ <> <(:) || :
} 2>/dev/null

@test "nothing moves in a pause, and all goes on after it" {
	oci pause "$env"
	[[ $(oci state "$env" | jq -r .status) == paused ]]
	count=$(cat "$vol/count")
	run ! oci exec "$env" true </dev/null
	# Who runs counts ten times a second.
	wait_for 20 is_later_than $(($(date +%s) + 1))
	[[ $(cat "$vol/count") == "$count" ]]
	oci resume "$env"
	wait_for 20 counts_on "$count"
	[[ $(inside echo back) == back ]]
}

is_later_than() # SECONDS
{
	[[ $(date +%s) -gt $1 ]]
}

counts_on() # COUNT
{
	[[ $(cat "$vol/count") -gt $1 ]]
}

@test "a limit of processes holds" {
	need_controller pids
	# They last until they are too many, however slow the machine is.
	run inside sh -c 'trap "kill \$pids" EXIT; i=0
		while [ $i -lt 80 ]; do sleep 100 & pids="$pids $!" i=$((i + 1)); done'
	[[ $output == *[Cc]"annot fork"* ]]
}

@test "who takes more memory than the limit dies, and the others live" {
	need_controller memory
	status=0
	# In pieces: all at once would be refused, and nobody had to die. A
	# micro-VM has the RAM for it, and its program's group has not.
	inside python3 -c 'x = [bytearray(b"x") * (1 << 20) for _ in range(400)]' \
		2>/dev/null || status=$?
	[[ $status -eq 137 ]]
	[[ $(oci state "$env" | jq -r .status) == running ]]
	[[ $(inside echo alive) == alive ]]
}

@test "when its runtime is killed, delete --force removes all" {
	make_bundle "second-$env" 'echo up; exec tail -f /dev/null'
	# The link is taken.
	bundle=$BATS_FILE_TMPDIR/second-$env
	jq 'del(.linux.namespaces[].path, .linux.sysctl)' \
		<"$bundle/config.json" >"$bundle/new"
	mv "$bundle/new" "$bundle/config.json"
	oci run --bundle "$bundle" "second-$env" \
		</dev/null >"$BATS_TEST_TMPDIR/up" 2>/dev/null 3>&- &
	runtime=$!
	wait_for 40 grep -qx up "$BATS_TEST_TMPDIR/up"
	init=$(oci state "second-$env" | jq .pid)
	parts=$(parts_of "$init")
	kill -KILL "$runtime"
	oci delete --force "second-$env"
	for pid in $init $parts; do
		wait_for 20 is_dead "$pid"
	done
	run ! oci state "second-$env"
	[[ -z $(find /sys/fs/cgroup -type d -name "second-$env*") ]]
}

# Of a micro-VM: what is the machine. Without any there is nothing to be seen.
parts_of() # PID
{
	pgrep -P "$1" || ! is_vm
}

is_dead() # PID
{
	[[ ! -d /proc/$1 ]] || grep -q "^State:.Z" "/proc/$1/status"
}

@test "when its init is killed, it has stopped, and delete removes it" {
	init=$(cat "$BATS_FILE_TMPDIR/pid")
	parts=$(parts_of "$init")
	kill -KILL "$init"
	wait_for 20 is_stopped
	for pid in $init $parts; do
		wait_for 20 is_dead "$pid"
	done
	oci delete "$env"
	[[ -z $(find /sys/fs/cgroup -type d -name "$env*") ]]
	in_net inside busybox ping -c 1 -W 20 10.77.0.1
}

is_stopped()
{
	[[ $(oci state "$env" | jq -r .status) == stopped ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# micro-VM: its life through moat-oci, and what happens when parts of it die
#
# On our own monitor in the test machine, by name; natively on QEMU, which is
# all that a host without a whole KVM has.
#
# runs: native machine
# snapshot: kvm

load ../lib/common

bats_require_minimum_version 1.5.0

setup()
{
	need_root
	if [[ -n ${MOAT_TEST_MACHINE:-} ]]; then
		need_kvm
		backend=kvm monitor=moat-vmm parts=(moat-vmm)
	else
		need_program qemu-system-x86_64
		backend=qemu monitor=qemu parts=(qemu-system virtiofsd)
	fi
	need_kernel
	vm=$(unique vm)
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle/rootfs" "$bundle/scratch" "$bundle/vol"
}

# A bundle on the host's root; more keys of "linux" in $linux, mounts in
# $mounts, annotations in $notes.
make_bundle() # COMMAND...
{
	local args

	args=$(printf ',"%s"' "$@")
	cat >"$bundle/config.json" <<-END
	{ "ociVersion": "1.0.2",
	  "process": { "args": [${args#,}], "cwd": "/", "user": { "uid": 0, "gid": 0 },
	    "env": [ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" ],
	    "capabilities": { "bounding": [ "CAP_CHOWN" ], "permitted": [ "CAP_CHOWN" ],
	      "effective": [ "CAP_CHOWN" ] } },
	  "root": { "path": "rootfs" }, "hostname": "inside",
	  "mounts": [
	    { "destination": "/proc", "type": "proc", "source": "proc" },
	    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
	    { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
	      "options": [ "newinstance", "ptmxmode=0666", "gid=5" ] },
	    { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }${mounts:-} ],
	  "annotations": { "moat.isolation": "vm", "moat.vm.backend": "$backend",
	    "moat.rootfs.layers": "/",
	    "moat.rootfs.scratch": "$bundle/scratch"${notes:-} },
	  "linux": { "cgroupsPath": "/$vm", "namespaces": [ { "type": "mount" },
	    { "type": "pid" }, { "type": "network" }, { "type": "uts" },
	    { "type": "ipc" } ]${linux:-} } }
	END
}

start_vm() # COMMAND...: as a container that runs, its output in $out
{
	out=$BATS_TEST_TMPDIR/out
	make_bundle "$@"
	moat_oci create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" \
		"$vm" >"$out" 2>&1 </dev/null 3>&-
	moat_oci start "$vm"
	init=$(cat "$BATS_TEST_TMPDIR/pid")
	children=$(child_of_init .)
	[[ $(wc -w <<<"$children") -ge ${#parts[@]} ]]
}

is_status() # STATUS
{
	[[ $(moat_oci state "$vm") == *"\"status\": \"$1\""* ]]
}

child_of_init() # NAME
{
	pgrep -P "$init" "$1"
}

# Perhaps nobody has reaped it yet.
is_dead() # PID
{
	[[ ! -d /proc/$1 ]] || grep -q "^State:.Z" "/proc/$1/status"
}

nothing_is_left()
{
	is_dead "$init"
	for child in $children; do
		is_dead "$child"
	done
}

@test "create waits, start runs, kill reaches the program, delete removes" {
	make_bundle sh -c 'trap \"echo got it; exit 9\" TERM; echo up; while :; do sleep 0.1; done'
	out=$BATS_TEST_TMPDIR/out
	moat_oci create --bundle "$bundle" "$vm" >"$out" 2>&1 </dev/null 3>&-
	is_status created
	[[ ! -s $out ]]
	moat_oci start "$vm"
	is_status running
	wait_for 20 grep -q up "$out"
	moat_oci kill "$vm" TERM
	wait_for 20 is_status stopped
	grep -qx "got it" "$out"
	moat_oci delete "$vm"
	moat_oci_fails state "$vm"
}

@test "a program that is not there fails create, and leaves nothing" {
	make_bundle /no/such/program
	moat_oci_fails create --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"/no/such/program"* ]]
	moat_oci_fails state "$vm"
}

@test "exec: status, stdio, hostname and a program that is not there" {
	start_vm sleep 1000
	run moat_oci exec "$vm" sh -c 'uname -n; echo err >&2; exit 11'
	[[ $status -eq 11 ]]
	[[ $output == *inside* && $output == *err* ]]
	[[ $(head -c 300000 /dev/zero | moat_oci exec "$vm" wc -c) -eq 300000 ]]
	moat_oci_fails exec "$vm" no-such-program
	[[ $output == *no-such-program* ]]
}

@test "several programs run at once" {
	local pids=()

	start_vm sleep 1000
	for i in 1 2 3 4; do
		moat_oci exec "$vm" sh -c "echo $i; cat" </dev/null \
			>"$BATS_TEST_TMPDIR/out.$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		[[ $(cat "$BATS_TEST_TMPDIR/out.$i") == "$i" ]]
	done
}

@test "kill --all reaches what exec has started" {
	start_vm sh -c 'trap : TERM; while :; do sleep 0.1; done'
	moat_oci exec --detach --pid-file "$BATS_TEST_TMPDIR/exec" "$vm" \
		tail -f /dev/null 3>&-
	[[ -d /proc/$(cat "$BATS_TEST_TMPDIR/exec") ]]
	moat_oci kill --all "$vm" TERM
	wait_for 20 is_dead "$(cat "$BATS_TEST_TMPDIR/exec")"
	is_status running
}

@test "the death of what stands for an exec is the program's" {
	start_vm sleep 1000
	moat_oci exec --detach --pid-file "$BATS_TEST_TMPDIR/exec" "$vm" \
		sh -c 'echo $$ >/tmp/pid; exec sleep 1000' 3>&-
	wait_for 20 moat_oci exec "$vm" test -s /tmp/pid
	kill -KILL "$(cat "$BATS_TEST_TMPDIR/exec")"
	# shellcheck disable=SC2016
	wait_for 20 moat_oci exec "$vm" sh -c '! kill -0 "$(cat /tmp/pid)"'
}

@test "volumes are written through, or not at all" {
	echo before >"$bundle/vol/file"
	mounts=", { \"destination\": \"/tmp/rw\", \"type\": \"bind\",
		\"source\": \"$bundle/vol\", \"options\": [ \"rbind\", \"rw\" ] },
	{ \"destination\": \"/tmp/ro\", \"type\": \"bind\",
		\"source\": \"$bundle/vol\", \"options\": [ \"rbind\", \"ro\" ] },
	{ \"destination\": \"/tmp/one\", \"type\": \"bind\",
		\"source\": \"$bundle/vol/file\", \"options\": [ \"bind\" ] }"
	make_bundle sh -ec 'cat /tmp/rw/file /tmp/one; echo after >/tmp/rw/new; chown 12:34 /tmp/rw/new; ! touch /tmp/ro/x'
	run --separate-stderr moat_oci run --bundle "$bundle" "$vm" </dev/null
	[[ $status -eq 0 ]]
	[[ $output == $'before\nbefore' ]]
	[[ $(cat "$bundle/vol/new") == after ]]
	[[ $(stat -c %u:%g "$bundle/vol/new") == 12:34 ]]
	[[ ! -e $bundle/vol/x ]]
}

@test "a user namespace is the guest's: its lo is up, its files are its own" {
	linux=', "uidMappings": [ { "containerID": 0, "hostID": 1000, "size": 10 } ],
		"gidMappings": [ { "containerID": 0, "hostID": 1000, "size": 10 } ]'
	make_bundle sh -ec 'cat /proc/self/uid_map; cat /sys/class/net/lo/flags; touch /tmp/mine; stat -c %u /tmp/mine'
	sed -i 's/{ "type": "uts" },/& { "type": "user" },/;
		s/{ "destination": "\/proc",/{ "destination": "\/sys", "type": "sysfs", "source": "sysfs" }, &/' \
		"$bundle/config.json"
	run --separate-stderr moat_oci run --bundle "$bundle" "$vm" </dev/null
	echo "$output$stderr"
	[[ $status -eq 0 ]]
	[[ $(tr -s " " <<<"$output") == $' 0 1000 10\n0x9\n0' ]]
}

@test "a volume is mapped as the environment is, a link is bound as a link" {
	chown 7:8 "$bundle/vol"
	chmod 0777 "$bundle/vol"
	ln -s /proc/1/root "$bundle/link"
	linux=', "uidMappings": [ { "containerID": 0, "hostID": 100000, "size": 99 } ],
		"gidMappings": [ { "containerID": 0, "hostID": 200000, "size": 99 } ]'
	mounts=", { \"destination\": \"/tmp/vol\", \"type\": \"bind\",
		\"source\": \"$bundle/vol\", \"options\": [ \"bind\", \"idmap\" ] },
	{ \"destination\": \"/tmp/link\", \"type\": \"bind\",
		\"source\": \"$bundle/link\", \"options\": [ \"bind\", \"src-nofollow\" ] }"
	make_bundle sh -ec 'touch /tmp/vol/new; stat -c %u:%g /tmp/vol; readlink /tmp/link'
	sed -i 's/{ "type": "uts" },/& { "type": "user" },/' "$bundle/config.json"
	run --separate-stderr moat_oci run --bundle "$bundle" "$vm" </dev/null
	echo "$output$stderr"
	[[ $status -eq 0 && $output == $'7:8\n/proc/1/root' ]]
	[[ $(stat -c %u:%g "$bundle/vol/new") == 0:0 ]]
}

@test "without a namespace for names the guest has those of the host" {
	make_bundle sh -c 'cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname'
	sed -i 's/{ "type": "uts" },//; s/"hostname": "inside",//' "$bundle/config.json"
	run --separate-stderr moat_oci run --bundle "$bundle" "$vm" </dev/null
	echo "$output$stderr"
	[[ $status -eq 0 ]]
	[[ $output == $(cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname) ]]
}

# The root of whoever serves it, perhaps of one thread or of a child, is the
# share.
@test "nothing can be made in the share beside the root and the volumes" {
	local dir server share=

	start_vm sleep 1000
	server=$(child_of_init "${parts[-1]}")
	for dir in /proc/{"$server",$(pgrep -P "$server" || echo "$server")}/task/*/root; do
		[[ ! -d $dir/root/etc ]] || share=$dir
	done
	[[ -n $share ]]
	run touch "$share/x"
	[[ $status -ne 0 && $output == *"Read-only file system"* ]]
	touch "$share/root/$vm"
	[[ -n $(find "$bundle/scratch" -name "$vm") ]]
}

@test "a read-only root stays as it is" {
	make_bundle sh -c "touch /$vm; test ! -e /$vm"
	sed -i 's/"path": "rootfs"/&, "readonly": true/' "$bundle/config.json"
	moat_oci run --bundle "$bundle" "$vm" </dev/null
	[[ -z $(find "$bundle/scratch" -name "$vm") ]]
}

@test "when the monitor is killed, nothing is left" {
	start_vm sleep 1000
	kill -KILL "$(child_of_init "${parts[0]}")"
	wait_for 20 is_status stopped
	nothing_is_left
	grep -q "$monitor was killed by signal 9" "$out"
}

@test "when the one that serves its files is killed, nothing is left" {
	start_vm sleep 1000
	kill -KILL "$(child_of_init "${parts[-1]}")"
	wait_for 20 is_status stopped
	nothing_is_left
}

@test "a paused one is deleted by force, with what stands for an exec" {
	start_vm sleep 1000
	moat_oci exec "$vm" sh -c 'echo up; exec sleep 1000' </dev/null \
		>"$BATS_TEST_TMPDIR/up" 2>&1 3>&- &
	client=$!
	wait_for 40 grep -qx up "$BATS_TEST_TMPDIR/up"
	moat_oci pause "$vm"
	moat_oci delete --force "$vm"
	status=0
	wait "$client" || status=$?
	[[ $status -eq 137 ]]
	run ! moat_oci state "$vm"
	[[ -z $(find /sys/fs/cgroup -type d -name "$vm") ]]
}

@test "when the init is killed, nothing is left" {
	start_vm sleep 1000
	kill -KILL "$init"
	wait_for 20 is_status stopped
	nothing_is_left
}

@test "a monitor that dies while it is set up is an error with its words" {
	notes=', "moat.vm.cmdline": "loglevel=4 init=/no/such/init rdinit=/no/such/init"'
	make_bundle true
	moat_oci_fails create --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"said last: Kernel panic"* ]]
	moat_oci_fails state "$vm"
}

@test "a guest that panics while its program runs is an error with its words" {
	make_bundle sh -c 'echo up; echo c >/proc/sysrq-trigger; sleep 1000'
	run --separate-stderr moat_oci run --bundle "$bundle" "$vm" </dev/null
	echo "$output$stderr"
	[[ $status -eq 125 && $output == up ]]
	[[ $stderr == *"said last: Kernel panic - not syncing: sysrq triggered crash"* ]]
	moat_oci_fails state "$vm"
}

@test "a silent guest is given up" {
	notes=', "moat.vm.timeout": "1", "moat.vm.cmdline": "rdinit=/no/such/init root=/dev/none rootwait"'
	make_bundle true
	moat_oci_fails create --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"does not report"* ]]
	moat_oci_fails state "$vm"
}

# Words are measured, and say what a guest is spared: none may go unseen.
@test "a kernel's words are the same on every monitor, the user's come last" {
	local monitors=("$backend") words='quiet panic=-1 cryptomgr.notests 8250.nr_uarts=1'

	[[ $backend != kvm ]] || monitors+=(qemu)
	notes=', "moat.vm.cmdline": "moat.test=1"'
	for backend in "${monitors[@]}"; do
		make_bundle cat /proc/cmdline
		run --separate-stderr moat_oci run --bundle "$bundle" "$vm" </dev/null
		echo "$backend: $status: $output$stderr"
		[[ $status -eq 0 && $output == "console=ttyS0 "*" $words moat.test=1" ]]
	done
}

@test "a kernel that is none, and one that is cut off, are named" {
	echo "nothing" >"$BATS_TEST_TMPDIR/none"
	head -c 100000 "$(compgen -G "/boot/vmlinuz-*" | head -n 1)" \
		>"$BATS_TEST_TMPDIR/half"
	for kernel in none half missing; do
		notes=", \"moat.vm.kernel\": \"$BATS_TEST_TMPDIR/$kernel\""
		make_bundle true
		moat_oci_fails create --bundle "$bundle" "$vm" </dev/null
		[[ $output == *"$BATS_TEST_TMPDIR/$kernel"* ]]
	done
}

# In a /dev of its own, where /dev/kvm is what mknod is told, or not there.
create_with_kvm() # [TYPE MAJOR MINOR]
{
	# shellcheck disable=SC2016 # for the shell in there
	run unshare --mount sh -c 'mount -t tmpfs dev /dev &&
		mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/zero c 1 5 &&
		{ [ -z "$1" ] || mknod /dev/kvm $1; } && shift && exec "$@"' - \
		"$*" "$MOAT_BUILD/moat-oci" --root "$BATS_TEST_TMPDIR/oci" \
		create --bundle "$bundle" "$vm" </dev/null
	fails_if_ok create
	[[ -z $(ls -A "$BATS_TEST_TMPDIR/oci") ]]
}

@test "a KVM that is asked for and is not there, or is none, is told" {
	backend=kvm
	make_bundle true
	create_with_kvm
	[[ $output == *"no /dev/kvm: "*"modprobe kvm_intel"* ]]
	create_with_kvm c 1 3
	[[ $output == *"ask for KVM's version: Inappropriate ioctl"* ]]
}

@test "the host's network and devices cannot be had" {
	linux=', "devices": [ { "path": "/dev/kvm", "type": "c", "major": 10, "minor": 232 } ]'
	make_bundle true
	moat_oci_fails create --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"'/dev/kvm' is the host's"* ]]
	linux=
	make_bundle true
	sed -i 's/{ "type": "network" },//' "$bundle/config.json"
	moat_oci_fails create --bundle "$bundle" "$vm" </dev/null
	[[ $output == *"cannot share the host's"* ]]
}

@test "the monitor and the init have few rights" {
	start_vm sleep 1000
	grep -qx "CapEff:	0000000000000000" "/proc/$init/status"
	[[ -z $(ls -A "/proc/$init/root/") ]]
	monitor=/proc/$(child_of_init "${parts[0]}")
	if [[ $backend == qemu ]]; then
		grep -q "^Uid:	65534	65534" "$monitor/status"
	else
		grep -qx "CapEff:	0000000000000000" "$monitor/status"
		[[ -z $(ls -A "$monitor/root/") ]]
	fi
}

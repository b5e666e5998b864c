#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# micro-VM: its network is the one that a container would have
#
# A network namespace "inside" with eth0, whose other end is in "outside". One
# guest serves most of the tests; what makes it is in setup_file.
#
# runs: native machine
# snapshot: kvm

load ../lib/common
load ../lib/net

bats_require_minimum_version 1.5.0

setup_file()
{
	have_all || return 0
	vm=$(unique net)
	export vm
	make_namespaces
	make_bundle "$vm" "\"path\": \"$BATS_FILE_TMPDIR/inside\"" sleep 1000
	oci create --bundle "$BATS_FILE_TMPDIR/$vm" "$vm" \
		>"$BATS_FILE_TMPDIR/out" 2>&1 </dev/null 3>&-
	oci start "$vm"
}

teardown_file()
{
	oci delete --force "${vm:-none}"
	umount "$BATS_FILE_TMPDIR/inside" "$BATS_FILE_TMPDIR/outside"
	return 0
} >/dev/null 2>&1

have_all()
{
	[ "$(id -u)" -eq 0 ] && compgen -G '/boot/vmlinuz-*' &&
		command -v qemu-system-x86_64 busybox ip jq
} >/dev/null

setup()
{
	need_root
	need_program qemu-system-x86_64 busybox ip jq
	need_kernel
}

teardown()
{
	oci delete --force "second-$vm" >/dev/null 2>&1 || :
	remove_leftovers
}

oci()
{
	"$MOAT_BUILD/moat-oci" --root "$BATS_FILE_TMPDIR/oci" "$@"
}

make_namespaces()
{
	make_pair address 02:00:00:00:77:02
	in_net inside ip route add 169.254.1.1 dev eth0 scope link
	in_net inside ip route add default via 169.254.1.1 src 10.77.0.2
	in_net inside ip route add 10.99.0.0/16 via 10.77.0.1 metric 5
	in_net inside ip -6 route add default via fd77::1
	# Its own address by itself: it is complete when nobody else has it.
	wait_for 20 link_local_is_there
}

link_local_is_there()
{
	[[ -n $(in_net inside ip -6 -o addr show dev eth0 scope link -tentative) ]]
}

# NETWORK: what stands in "namespaces" for it, $isolation: container or vm
make_bundle() # NAME NETWORK COMMAND...
{
	local args bundle=$BATS_FILE_TMPDIR/$1 network=${2:+, $2}

	mkdir -p "$bundle/rootfs" "$bundle/scratch"
	shift 2
	args=$(jq -cn '$ARGS.positional' --args -- "$@")
	cat >"$bundle/config.json" <<-END
	{ "ociVersion": "1.0.2",
	  "process": { "args": $args, "cwd": "/", "user": { "uid": 0, "gid": 0 },
	    "env": [ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" ],
	    "capabilities": { "bounding": [ "CAP_NET_RAW" ],
	      "permitted": [ "CAP_NET_RAW" ], "effective": [ "CAP_NET_RAW" ] } },
	  "root": { "path": "rootfs" },
	  "mounts": [
	    { "destination": "/proc", "type": "proc", "source": "proc" },
	    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
	    { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" } ],
	  "annotations": { "moat.isolation": "${isolation:-vm}",
	    "moat.rootfs.layers": "/", "moat.rootfs.scratch": "$bundle/scratch" },
	  "hooks": { ${hooks:-} },
	  "linux": { "cgroupsPath": "/$(basename "$bundle")-$test_id",
	    "namespaces": [ { "type": "mount" }, { "type": "pid" },
	    { "type": "network"$network }, { "type": "ipc" } ] } }
	END
}

in_guest() # COMMAND...
{
	oci exec "$vm" "$@" </dev/null 2>&1
}

# What a program sees of its network, without what counts differently: numbers
# of links, who has made a route, how long a name was known.
see_network='ip -o link show eth0 | grep -oE "mtu [0-9]+|link/ether [0-9a-f:]+"
	ip -o addr show | tr -s " " | cut -d " " -f 2-4 | sort
	{ ip route; ip -6 route; } | sed "s/ proto [a-z]*//; s/ *$//" | sort'

@test "addresses, routes, names and sizes are those of a container" {
	isolation=container make_bundle "second-$vm" \
		"\"path\": \"$BATS_FILE_TMPDIR/inside\"" sh -c "$see_network"
	want=$(oci run --bundle "$BATS_FILE_TMPDIR/second-$vm" "second-$vm" \
		</dev/null)
	grep -qx 'link/ether 02:00:00:00:77:02' <<<"$want"
	grep -qx 'eth0 inet6 fd77::2/64' <<<"$want"
	grep -qx 'default via 169.254.1.1 dev eth0 src 10.77.0.2' <<<"$want"
	[[ $(in_guest sh -c "$see_network") == "$want" ]]
}

@test "the guest reaches the outside, and is reached" {
	in_guest busybox ping -c 1 -W 20 10.77.0.1
	in_guest busybox ping6 -c 1 -W 20 fd77::1
	in_net outside busybox ping -c 1 -W 20 10.77.0.2
	in_net outside busybox ping6 -c 1 -W 20 fd77::2
}

@test "five megabytes by TCP leave the guest unchanged" {
	# A listener whose stdin ends tells the other side to end, too.
	mkfifo "$BATS_TEST_TMPDIR/hold"
	in_net outside busybox nc -l -p 7001 <>"$BATS_TEST_TMPDIR/hold" \
		>"$BATS_TEST_TMPDIR/got" 3>&- &
	server=$!
	wait_for 20 in_net outside sh -c 'ss -Hltn | grep -q :7001'
	sum=$(in_guest sh -c 'head -c 5000000 /dev/urandom >/tmp/sent
		busybox nc 10.77.0.1 7001 </tmp/sent; md5sum </tmp/sent')
	wait "$server"
	[[ $(md5sum <"$BATS_TEST_TMPDIR/got") == "$sum" ]]
	[[ $(stat -c %s "$BATS_TEST_TMPDIR/got") -eq 5000000 ]]
}

@test "five megabytes by TCP come to the guest unchanged" {
	head -c 5000000 /dev/urandom >"$BATS_TEST_TMPDIR/sent"
	oci exec --detach "$vm" sh -c \
		'mkfifo /tmp/hold; busybox nc -l -p 7002 <>/tmp/hold >/tmp/got
		md5sum </tmp/got >/tmp/sum' \
		</dev/null >/dev/null 2>&1 3>&-
	wait_for 20 in_guest grep -q :1B5A /proc/net/tcp6 /proc/net/tcp
	in_net outside busybox nc 10.77.0.2 7002 <"$BATS_TEST_TMPDIR/sent"
	wait_for 20 in_guest test -s /tmp/sum
	[[ $(in_guest cat /tmp/sum) == $(md5sum <"$BATS_TEST_TMPDIR/sent") ]]
}

@test "the namespace's own programs are not reached instead" {
	nsenter --net="$BATS_FILE_TMPDIR/inside" busybox nc -l -p 7003 \
		>"$BATS_TEST_TMPDIR/got" 3>&- &
	server=$!
	wait_for 20 in_net inside sh -c 'ss -Hltn | grep -q :7003'
	run in_net outside busybox nc -w 5 10.77.0.2 7003 <<<"for the guest"
	[[ $status -ne 0 ]]
	kill "$server"
	[[ ! -s $BATS_TEST_TMPDIR/got ]]
}

@test "a second micro-VM on the same link is refused" {
	make_bundle "second-$vm" "\"path\": \"$BATS_FILE_TMPDIR/inside\"" true
	run oci run --bundle "$BATS_FILE_TMPDIR/second-$vm" "second-$vm" \
		</dev/null
	[[ $status -ne 0 ]]
	[[ $output == *"link 'eth0': another micro-VM has it"* ]]
	in_guest busybox ping -c 1 -W 20 10.77.0.1
}

@test "the link is the namespace's again when the guest is gone" {
	run ! in_net inside busybox ping -c 1 -W 1 10.77.0.1
	oci delete --force "$vm"
	in_net inside busybox ping -c 1 -W 20 10.77.0.1
	[[ -z $(in_net inside tc qdisc show dev eth0 ingress) ]]
	[[ $(in_net inside ip -o link | wc -l) -eq 2 ]]
}

@test "links that a hook has made are the guest's" {
	cat >"$BATS_TEST_TMPDIR/hook" <<-END
		#!/bin/sh
		set -e
		pid=\$(jq .pid)
		nsenter --net=/proc/\$pid/ns/net ip link add lan address \
			02:00:00:00:78:02 type veth peer name second
		nsenter --net=/proc/\$pid/ns/net ip link set second \
			netns $BATS_FILE_TMPDIR/outside
		nsenter --net=/proc/\$pid/ns/net ip link set lan up
		nsenter --net=/proc/\$pid/ns/net ip addr add 10.78.0.2/24 dev lan
		nsenter --net=$BATS_FILE_TMPDIR/outside ip link set second up
		nsenter --net=$BATS_FILE_TMPDIR/outside \
			ip addr add 10.78.0.1/24 dev second
	END
	chmod +x "$BATS_TEST_TMPDIR/hook"
	hooks="\"createRuntime\": [ { \"path\": \"$BATS_TEST_TMPDIR/hook\" } ]" \
		make_bundle "second-$vm" "" \
		sh -c 'ip -o -4 addr show lan; busybox ping -c 1 -W 20 10.78.0.1'
	run oci run --bundle "$BATS_FILE_TMPDIR/second-$vm" "second-$vm" \
		</dev/null
	[[ $status -eq 0 ]]
	[[ $output == *"inet 10.78.0.2/24"* ]]
}

@test "a namespace without links gives a guest with lo alone" {
	make_bundle "second-$vm" "" ip -o addr
	run --separate-stderr oci run --bundle "$BATS_FILE_TMPDIR/second-$vm" \
		"second-$vm" </dev/null
	[[ $status -eq 0 ]]
	[[ $output == *" 127.0.0.1/8 "* ]]
	run ! grep -v ' lo ' <<<"$output"
}

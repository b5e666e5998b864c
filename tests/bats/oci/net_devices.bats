#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# net_devices: devices of the host that become a container's
#
# runs: native machine

load ../lib/common

setup()
{
	need_root
	need_program busybox ip
	link=${test_id}a
	peer=${test_id}b
	id=$(unique netdev)
	mkdir -p "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
	cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/bundle/rootfs/bin"
	# the address comes with the link: udev gives one of its own to a link without
	ip link add "$link" address 02:00:00:00:00:17 mtu 1400 type veth peer name "$peer" ||
		skip_or_fail "needs virtual links of the kernel"
	ip address add 10.77.0.2/24 dev "$link"
}

teardown()
{
	ip link del "$peer" 2>/dev/null || :
	ip netns del "$id" 2>/dev/null || :
	remove_leftovers
}

# bundle DEVICES [NAMESPACE] [MORE]: a container that shows its links
bundle()
{
	cat >"$BATS_TEST_TMPDIR/bundle/config.json" <<-EOF
		{ "ociVersion": "1.3.0", "root": { "path": "rootfs" },
		"process": { "cwd": "/", "user": { "uid": 0, "gid": 0 },
		"args": [ "/bin/busybox", "ip", "address" ] },
		"linux": { "netDevices": { $1 },
		"namespaces": [ { "type": "pid" }, { "type": "mount" }, { "type": "network" $2 } ] $3 } }
	EOF
}

show()
{
	run moat_oci run --bundle "$BATS_TEST_TMPDIR/bundle" "$id"
	echo "$output"
}

@test "a device comes with its address, its mtu and its mac, and is up" {
	bundle "\"$link\": { \"name\": \"eth0\" }"
	show
	[[ $status -eq 0 ]]
	[[ $output == *" eth0@"*UP*"mtu 1400"*02:00:00:00:00:17*"inet 10.77.0.2/24"* ]]
}

@test "without a name it keeps its own" {
	bundle "\"$link\": { }"
	show
	[[ $status -eq 0 && $output == *" $link@"* ]]
}

@test "a namespace by path takes devices, too, and keeps them" {
	ip netns add "$id"
	bundle "\"$link\": { \"name\": \"eth0\" }" ", \"path\": \"/run/netns/$id\""
	show
	[[ $status -eq 0 && $output == *" eth0@"* ]]
	[[ $(ip netns exec "$id" ip address show eth0) == *10.77.0.2/24* ]]
}

@test "a container in a user namespace has its devices" {
	local ids='[ { "containerID": 0, "hostID": 100000, "size": 65536 } ]'

	chown -R 100000:100000 "$BATS_TEST_TMPDIR/bundle"
	bundle "\"$link\": { \"name\": \"eth0\" }" '}, { "type": "user"' \
		", \"uidMappings\": $ids, \"gidMappings\": $ids"
	show
	[[ $status -eq 0 && $output == *" eth0@"*10.77.0.2/24* ]]
}

@test "a create that fails gives the device back" {
	bundle "\"$link\": { \"name\": \"eth0\" }"
	sed -i 's,/bin/busybox,/bin/none,' "$BATS_TEST_TMPDIR/bundle/config.json"
	show
	[[ $status -ne 0 ]]
	[[ $(ip address show "$link") == *10.77.0.2/24* ]]
	[[ -z $(moat_oci list --quiet) ]]
}

@test "a device that is not there is named, and those before it come back" {
	bundle "\"$link\": { }, \"nosuch0\": { }"
	show
	[[ $status -eq 1 && $output == *"netDevices: move link 'nosuch0': look up link 'nosuch0': No such device"* ]]
	[[ $(ip address show "$link") == *10.77.0.2/24* ]]
}

@test "exec works in a container that took a device" {
	bundle "\"$link\": { \"name\": \"eth0\" }"
	sed -i 's/"ip", "address"/"sleep", "1000"/' "$BATS_TEST_TMPDIR/bundle/config.json"
	moat_oci run --detach --bundle "$BATS_TEST_TMPDIR/bundle" "$id" 3>&-
	[[ $(moat_oci exec "$id" /bin/busybox ip address) == *10.77.0.2/24* ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cgroups: limits of RDMA devices, of which the kernel makes one itself
#
# In a machine of its own, which ends with it: a kernel that removes the device
# may wait for ever.
#
# runs: machine

load ../lib/common
load bundle

setup()
{
	need_root
	need_controller rdma
	need_module rdma_rxe
	need_program jq perl rdma
}

# Opens contexts of a device until it is refused one, and says how many it has.
# shellcheck disable=SC2016 # it is Perl
contexts='
	while ($n < 5) {
		open my $f, "+<", "/dev/infiniband/uverbs0" or die "open: $!";
		my $answer = "\0" x 64;
		my $ask = pack("LSSQ", 0, 4, 2, unpack("J", pack("P", $answer)));
		syswrite($f, $ask) or last;
		push @held, $f;
		$n++;
	}
	print "$n: $!\n"'

@test "contexts of an RDMA device stop at their limit, with both drivers" {
	local devices='"devices": [ { "allow": true, "access": "rwm" } ]'
	ip link add rx0 type dummy
	ip link set rx0 up
	rdma link add rxe0 type rxe netdev rx0
	wait_for 10 test -c /dev/infiniband/uverbs0
	export more_mounts=', { "destination": "/dev/infiniband", "type": "bind",
		"source": "/dev/infiniband", "options": [ "bind" ] }'
	for driver in cgroupfs systemd; do
		run run_bundle box '{ '"$devices"',
			"rdma": { "rxe0": { "hcaHandles": 2 } } }' \
			perl -e "$contexts"
		echo "$driver: $output"
		[[ $output == "2: Resource temporarily unavailable" ]]
		[[ $(run_bundle box "{ $devices }" perl -e "$contexts") == 5:* ]]
	done
}

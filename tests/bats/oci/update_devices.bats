#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# update_devices: rules for devices change, those of every container stay
#
# runs: native machine

load ../lib/common
load ../lib/oci

setup()
{
	need_root
	bundle
}

@test "after an update that denies all devices null and zero still work" {
	edit '.mounts += [ { "destination": "/dev/kmsg", "source": "/dev/kmsg",
		"type": "bind", "options": [ "bind" ] } ]'
	start_idle
	echo '{ "devices": [ { "allow": false, "access": "rwm" } ] }' |
		moat_oci update --resources - "$id"
	[[ $(in_it /bin/sh -c 'cat /dev/null && head -c 3 /dev/zero | wc -c') -eq 3 ]]
	run in_it /bin/sh -c ': >/dev/kmsg'
	[[ $status -ne 0 && $output == *"Operation not permitted"* ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cgroups: systemd on hosts with cgroup v1 alone
#
# runs: machine
# snapshot: v1

load ../lib/common
load v1

@test "systemd's groups bind on a host without cgroup v2, too" {
	[ ! -e /sys/fs/cgroup/unified ]
	[[ $(stat -f -c %T /sys/fs/cgroup) == tmpfs ]]
	binds_with_v1
}

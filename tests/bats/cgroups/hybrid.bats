#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cgroups: systemd on hybrid hosts, which bind every controller to cgroup v1
#
# runs: machine
# snapshot: hybrid

load ../lib/common
load v1

@test "systemd's groups bind on a hybrid host, too" {
	[ -d /sys/fs/cgroup/unified ]
	binds_with_v1
}

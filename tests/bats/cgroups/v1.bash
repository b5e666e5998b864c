# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The tests of both drivers that say what a host with cgroup v1 can do; in the
# emulated machine a share of the CPU is too coarse a measure without cgroup v2.

binds_with_v1()
{
	local driver

	need_root
	need_systemd
	[[ -d /sys/fs/cgroup/memory && -d /sys/fs/cgroup/freezer ]]
	for driver in systemd cgroupfs; do
		run env --ignore-environment "PATH=${PATH//$BATS_LIBEXEC:/}" \
			"MOAT_BUILD=$MOAT_BUILD" "TMPDIR=$BATS_TEST_TMPDIR" \
			"MOAT_TEST_MACHINE=$MOAT_TEST_MACHINE" \
			"MOAT_TEST_PATIENCE=${MOAT_TEST_PATIENCE:-1}" TEST_STRICT=1 \
			bats --tap --filter \
			'who takes|hierarchy|forks stop|cannot be opened|rules for|counted|each option|refuses|lacks|in use|thirty' \
			"$BATS_TEST_DIRNAME/$driver.bats"
		echo "$output"
		[[ $status -eq 0 && $output == *"ok 10 "* ]]
	done
}

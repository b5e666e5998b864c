#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cgroups: hosts where every controller is bound to cgroup v1
#
# The tests of the cgroupfs driver once more, in a mount namespace that does
# not see the v2 tree of this host.
#
# runs: native

load ../lib/common

# One test here is a whole file of them.
export BATS_TEST_TIMEOUT=600

setup()
{
	need_root
	[[ -d /sys/fs/cgroup/memory && -d /sys/fs/cgroup/freezer ]] ||
		skip_or_fail "needs controllers that are bound to cgroup v1"
}

@test "every limit binds without cgroup v2, too" {
	# shellcheck disable=SC2016 # for the shell inside
	run unshare --mount --propagation private sh -c '
		[ ! -d /sys/fs/cgroup/unified ] ||
			mount -t tmpfs none /sys/fs/cgroup/unified || exit
		exec "$@"' - env --ignore-environment "PATH=${PATH//$BATS_LIBEXEC:/}" \
		"MOAT_BUILD=$MOAT_BUILD" "TMPDIR=$BATS_TEST_TMPDIR" \
		bats --tap "$BATS_TEST_DIRNAME/cgroupfs.bats"
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $output == *"ok 1 "* && $output != *"not ok"* ]]
	# Those which need v2 say so; the others ran.
	[[ $(grep -c "# skip" <<<"$output") -le 2 ]]
}

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Two network namespaces for a whole file, "inside" and "outside", and a pair of
# interfaces between them: eth0 with 10.77.0.2 and fd77::2, and peer with .1.

in_net() # NAMESPACE COMMAND...
{
	nsenter --net="$BATS_FILE_TMPDIR/$1" "${@:2}"
}

make_pair() # [WORD...]: what eth0 is made with
{
	local name

	for name in inside outside; do
		touch "$BATS_FILE_TMPDIR/$name"
		unshare --net="$BATS_FILE_TMPDIR/$name" true
		in_net $name ip link set lo up
	done
	in_net inside ip link add eth0 "$@" mtu 1400 type veth \
		peer name peer netns "$BATS_FILE_TMPDIR/outside"
	in_net outside ip link set peer mtu 1400 up
	in_net outside ip addr add 10.77.0.1/24 dev peer
	in_net outside ip addr add fd77::1/64 dev peer nodad
	in_net inside ip link set eth0 up
	in_net inside ip addr add 10.77.0.2/24 brd + dev eth0
	in_net inside ip addr add fd77::2/64 dev eth0 nodad
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

int net_loopback_up(struct err *e)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	autoclose int sock = -1;

	/*
	 * The old ioctl: three system calls, where a netlink conversation
	 * needs six. A new namespace's "lo" has no other flags to keep.
	 */
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return err_errno(e, "make a socket");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		return err_errno(e, "bring 'lo' up");
	return 0;
}

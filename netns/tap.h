/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A tap in the place of a link's own end:
 *
 *	         the environment's network namespace
 *	        +------------------------------------------+
 *	 peer --|-- link  <== traffic control ==>  tap ----|-- monitor's descriptor
 *	        +------------------------------------------+
 *
 * What comes in by the link leaves by the tap and the other way round, frame
 * by frame, before the namespace's own IP sees any of it. So whoever sits
 * behind the tap has the link's place in the network: its MAC, its addresses,
 * its peer's bridge, ports and rules; and the namespace has nothing that could
 * answer in his stead. (A bridge would need a second MAC, and give the
 * namespace's own stack a say. XDP knows no way to a tap.)
 *
 * It needs the kernel's ingress qdisc, cls_u32 and act_mirred, which all
 * distributions have; and CAP_NET_ADMIN over the namespace.
 *
 * The tap goes with its descriptor, and its half of the redirection with it.
 * The link's half would stay, and everything that comes in be lost: in a
 * namespace that outlives its guest net_tap_release() takes it away. One that
 * was forgotten is replaced by the next net_tap_join().
 */
#include "netns/config.h"

/* In the caller's network namespace. A descriptor of a tap whose packets have
 * virtio's header, non-blocking. -EBUSY: the link is another tap's. */
MUST_CHECK int net_tap_join(const struct net_link *l, struct err *e);

/* In the network namespace behind nsfd: what was left of taps that are gone. */
MUST_CHECK int net_tap_release(int nsfd, struct err *e);

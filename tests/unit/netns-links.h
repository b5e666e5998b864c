/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links for tests of netns: made by our own rtnetlink, in a world of their
 * own (namespaces-world.h). */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "base/cleanup.h"
#include "netns/nl_link.h"
#include "tests/unit/namespaces-world.h"

/* A pair, both ends here, down. */
static inline bool links_add_pair(const char *name, const char *peer)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifinfomsg head = { 0 };
	struct err e = { 0 };
	struct nl_msg m;

	if (!CHECK_OK(nl_open(&nl, &e), &e))
		return false;
	nl_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head,
		 sizeof(head));
	nl_put_str(&m, IFLA_IFNAME, name);
	NL_NEST(&m, IFLA_LINKINFO) {
		nl_put_str(&m, IFLA_INFO_KIND, "veth");
		NL_NEST(&m, IFLA_INFO_DATA) {
			NL_NEST(&m, VETH_INFO_PEER) {
				struct ifinfomsg other = { 0 };
				char *at = m.bytes + m.head.nlmsg_len;

				/* A head inside an attribute. */
				(void)memcpy(at, &other, sizeof(other));
				m.head.nlmsg_len += sizeof(other);
				nl_put_str(&m, IFLA_IFNAME, peer);
			}
		}
	}
	return CHECK_OK(nl_talk(&nl, &m, &e), &e);
}

static inline void links_up(const char *name)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct nl_link_change up = { .up = true };
	int index = (int)if_nametoindex(name);
	struct err e = { 0 };

	(void)CHECK_OK(nl_open(&nl, &e), &e);
	(void)CHECK_OK(nl_link_set(&nl, index, &up, &e), &e);
}

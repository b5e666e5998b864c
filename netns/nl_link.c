/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nl_link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

struct listing {
	nl_link_fn fn;
	void *arg;
};

static int take_link(void *arg, const struct nlmsghdr *h, struct err *e)
{
	const struct ifinfomsg *i = nl_head(h, sizeof(*i));
	const struct listing *l = arg;
	struct nl_link link = { 0 };
	const struct nlattr *a;

	if (!i || h->nlmsg_type != RTM_NEWLINK)
		return 0;
	link.index = i->ifi_index;
	link.flags = i->ifi_flags;
	link.mtu = nl_u32(nl_attr(h, sizeof(*i), IFLA_MTU, 4));
	link.master = nl_u32(nl_attr(h, sizeof(*i), IFLA_MASTER, 4));
	a = nl_attr(h, sizeof(*i), IFLA_IFNAME, 1);
	nl_text(a, link.name, sizeof(link.name));
	a = nl_attr(h, sizeof(*i), IFLA_LINKINFO, 0);
	nl_text(nl_inner(a, IFLA_INFO_KIND, 1), link.kind, sizeof(link.kind));
	a = nl_attr(h, sizeof(*i), IFLA_ADDRESS, sizeof(link.mac));
	if (a && i->ifi_type == ARPHRD_ETHER) {
		link.ethernet = true;
		(void)memcpy(link.mac, nl_data(a), sizeof(link.mac));
	}
	return l->fn(l->arg, &link, e);
}

int nl_link_each(struct nl *nl, nl_link_fn fn, void *arg, struct err *e)
{
	struct listing l = { .fn = fn, .arg = arg };
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nl_msg m;
	int r;

	nl_begin(&m, RTM_GETLINK, 0, &head, sizeof(head));
	r = nl_dump(nl, &m, take_link, &l, e);
	return r < 0 ? err_wrap(e, r, "list links") : 0;
}

int nl_link_set(struct nl *nl, int index, const struct nl_link_change *c,
		struct err *e)
{
	struct ifinfomsg head = { .ifi_index = index };
	struct nl_msg m;

	if (c->up)
		head.ifi_change = head.ifi_flags = IFF_UP;
	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	if (c->name)
		nl_put_str(&m, IFLA_IFNAME, c->name);
	if (c->mtu)
		nl_put_u32(&m, IFLA_MTU, c->mtu);
	return nl_talk(nl, &m, e);
}

int nl_link_no_auto(struct nl *nl, int index, struct err *e)
{
	struct ifinfomsg head = { .ifi_index = index };
	struct err why = { 0 };
	struct nl_msg m;
	int r;

	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	NL_NEST(&m, IFLA_AF_SPEC) {
		NL_NEST(&m, AF_INET6) {
			nl_put_u8(&m, IFLA_INET6_ADDR_GEN_MODE,
				  IN6_ADDR_GEN_MODE_NONE);
		}
	}
	r = nl_talk(nl, &m, &why);
	/* A kernel, or a link of too small an MTU, without IPv6. */
	if (r == -EAFNOSUPPORT || r == -EINVAL)
		return 0;
	return r < 0 ? err_set(e, r, "no IPv6 by itself: %s", err_text(&why))
		     : 0;
}

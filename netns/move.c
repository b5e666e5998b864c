/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "netns/link.h"
#include "netns/nl.h"

/* More than anybody gives one link by hand. */
#define ADDRESSES_MAX 1024

struct bytes {
	uint8_t v[16];
	size_t n; /* 0: there is none */
};

struct address {
	struct ifaddrmsg head;
	struct bytes local, address, broadcast;
	uint32_t flags;
};

struct addresses {
	int index; /* whose */
	struct address *v;
	size_t n;
};

/* --- links by name ---------------------------------------------------------*/

/* By the old ioctl: one system call, on any socket of the namespace. */
static int find_link(const struct nl *nl, const char *name, int *ret_index,
		     struct err *e)
{
	struct ifreq ifr = { 0 };

	(void)strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	if (ioctl(nl->fd, SIOCGIFINDEX, &ifr) < 0)
		return err_errno(e, "look up link '%s'", name);
	*ret_index = ifr.ifr_ifindex;
	return 0;
}

static int check_free(const struct nl *nl, const char *name, struct err *e)
{
	struct err ignored = { 0 };
	int index, r;

	r = find_link(nl, name, &index, &ignored);
	if (r == -ENODEV)
		return 0;
	return err_set(e, r < 0 ? r : -EEXIST,
		       r < 0 ? "look up link '%s'"
			     : "there is a link '%s' already",
		       name);
}

/* --- its addresses ---------------------------------------------------------*/

static void take(const struct nlmsghdr *h, uint16_t type, struct bytes *to)
{
	const struct nlattr *a = nl_attr(h, sizeof(struct ifaddrmsg), type, 4);

	if (!a || nl_len(a) > sizeof(to->v))
		return;
	to->n = nl_len(a);
	(void)memcpy(to->v, nl_data(a), to->n);
}

/*
 * What somebody has given it to be reached by from elsewhere. Of the others,
 * link-local ones are the kernel's to make anew, and what a DHCP client or a
 * router gave for a time would never be renewed.
 */
static bool is_lasting(const struct address *a)
{
	return a->head.ifa_scope == RT_SCOPE_UNIVERSE &&
	       (a->flags & IFA_F_PERMANENT);
}

static int on_address(void *arg, const struct nlmsghdr *h, struct err *e)
{
	struct addresses *all = arg;
	const struct ifaddrmsg *head = nl_head(h, sizeof(*head));
	const struct nlattr *flags;
	struct address a = { 0 }, *v;

	if (!head || h->nlmsg_type != RTM_NEWADDR ||
	    head->ifa_index != (unsigned int)all->index)
		return 0;
	a.head = *head;
	flags = nl_attr(h, sizeof(*head), IFA_FLAGS, 4);
	a.flags = flags ? nl_u32(flags) : head->ifa_flags;
	if (!is_lasting(&a))
		return 0;
	take(h, IFA_LOCAL, &a.local);
	take(h, IFA_ADDRESS, &a.address);
	take(h, IFA_BROADCAST, &a.broadcast);
	if (all->n >= ADDRESSES_MAX)
		return err_set(e, -E2BIG, "it has more than %d addresses",
			       ADDRESSES_MAX);
	v = reallocarray(all->v, all->n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	all->v = v;
	v[all->n++] = a;
	return 0;
}

static int read_addresses(struct nl *nl, struct addresses *all, struct err *e)
{
	const struct ifaddrmsg head = { .ifa_family = AF_UNSPEC };
	struct nl_msg m;
	int r;

	nl_begin(&m, RTM_GETADDR, 0, &head, sizeof(head));
	r = nl_dump(nl, &m, on_address, all, e);
	return r < 0 ? err_wrap(e, r, "read addresses") : 0;
}

static void put(struct nl_msg *m, uint16_t type, const struct bytes *b)
{
	if (b->n > 0)
		nl_put(m, type, b->v, b->n);
}

static int add_address(struct nl *nl, int index, const struct address *a,
		       struct err *e)
{
	const uint32_t kept = IFA_F_NODAD | IFA_F_HOMEADDRESS |
			      IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE |
			      IFA_F_MCAUTOJOIN;
	struct ifaddrmsg head = {
		.ifa_family = a->head.ifa_family,
		.ifa_prefixlen = a->head.ifa_prefixlen,
		.ifa_scope = a->head.ifa_scope,
		.ifa_index = (unsigned int)index,
	};
	struct nl_msg m;

	nl_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head,
		 sizeof(head));
	put(&m, IFA_LOCAL, &a->local);
	put(&m, IFA_ADDRESS, &a->address);
	put(&m, IFA_BROADCAST, &a->broadcast);
	nl_put_u32(&m, IFA_FLAGS, a->flags & kept);
	return nl_talk(nl, &m, e);
}

/* --- the move --------------------------------------------------------------*/

static int send_away(struct nl *nl, int index, const struct net_move *move,
		     struct err *e)
{
	const struct ifinfomsg head = {
		.ifi_index = index,
		.ifi_change = IFF_UP, /* down: some cannot be renamed else */
	};
	struct nl_msg m;

	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	nl_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)move->to);
	nl_put_str(&m, IFLA_IFNAME, move->name_there);
	return nl_talk(nl, &m, e);
}

static int bring_up(struct nl *nl, int index, struct err *e)
{
	const struct ifinfomsg head = {
		.ifi_index = index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	struct nl_msg m;
	int r;

	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	r = nl_talk(nl, &m, e);
	return r < 0 ? err_wrap(e, r, "bring it up") : 0;
}

static int settle(struct nl *nl, const struct net_move *move,
		  const struct addresses *all, struct err *e)
{
	int index = 0, r;

	r = find_link(nl, move->name_there, &index, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all->n; i++) {
		r = add_address(nl, index, &all->v[i], e);
		if (r < 0)
			return err_wrap(e, r, "give it its address");
	}
	return bring_up(nl, index, e);
}

/* Where it cannot be as it was asked for, it is not to stay. */
static void take_back(struct nl *there, struct nl *here,
		      const struct net_move *move, const struct addresses *all)
{
	const struct net_move back = {
		.to = move->from,
		.name_there = move->name,
	};
	struct err ignored = { 0 };
	int index;

	if (find_link(there, move->name_there, &index, &ignored) < 0 &&
	    find_link(there, move->name, &index, &ignored) < 0)
		return;
	if (send_away(there, index, &back, &ignored) < 0 ||
	    settle(here, &back, all, &ignored) < 0)
		log_warning("link '%s' is not as it was: %s", move->name,
			    err_text(&ignored));
}

static int move_link(const struct net_move *move, struct addresses *all,
		     struct err *e)
{
	_cleanup_(nl_close) struct nl here = NL_INIT, there = NL_INIT;
	int r;

	r = nl_open_in(&here, move->from, e);
	if (r >= 0)
		r = nl_open_in(&there, move->to, e);
	if (r >= 0)
		r = find_link(&here, move->name, &all->index, e);
	if (r >= 0)
		r = read_addresses(&here, all, e);
	/* Or it would have moved and could not be renamed. */
	if (r >= 0)
		r = check_free(&there, move->name_there, e);
	if (r >= 0)
		r = send_away(&here, all->index, move, e);
	if (r < 0)
		return r;
	r = settle(&there, move, all, e);
	if (r < 0)
		take_back(&there, &here, move, all);
	return r;
}

int net_link_move(const struct net_move *move, struct err *e)
{
	struct addresses all = { 0 };
	int r;

	r = move_link(move, &all, e);
	free(all.v);
	return r < 0 ? err_wrap(e, r, "move link '%s'", move->name) : 0;
}

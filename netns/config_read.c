/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/config.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "netns/nl_link.h"

/* What a guest is told fits into one frame of the wire. */
#define ADDRESSES_MAX  64
#define NEIGHBOURS_MAX 128
#define ROUTES_MAX     1024

struct reader {
	struct net_config *c;
	bool gateways; /* which of the routes it is the turn of */
};

/* One more in a vector, zeroed; NULL: out of memory, or more than max. */
#define GROW(vec, max, e)                                                      \
	({                                                                     \
		__typeof__((vec).v) v_ = NULL;                                 \
		if ((vec).n == (max))                                          \
			(void)err_set(e, -E2BIG, "more than %d", (max));       \
		else if (!(v_ = reallocarray((vec).v, (vec).n + 1,             \
					     sizeof(*v_))))                    \
			(void)err_nomem(e);                                    \
		else {                                                         \
			(vec).v = v_;                                          \
			v_ += (vec).n++;                                       \
			(void)memset(v_, 0, sizeof(*v_));                      \
		}                                                              \
		v_;                                                            \
	})

static int failed(const struct err *e)
{
	return e && e->code < 0 ? e->code : -ENOMEM;
}

static char *mac_text(const uint8_t m[6])
{
	return str_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
			  m[3], m[4], m[5]);
}

/* Of an attribute, or NULL; *ok is false when memory is short. */
static char *ip_text(int family, const struct nlattr *a, bool *ok)
{
	char text[INET6_ADDRSTRLEN];
	char *copy;

	if (!a || nl_len(a) < (family == AF_INET ? 4U : 16U) ||
	    !inet_ntop(family, nl_data(a), text, sizeof(text)))
		return NULL;
	copy = strdup(text);
	if (!copy)
		*ok = false;
	return copy;
}

static struct net_link *link_of(const struct reader *r, uint32_t index)
{
	for (size_t i = 0; i < r->c->links.n; i++)
		if ((uint32_t)r->c->links.v[i].index == index)
			return &r->c->links.v[i];
	return NULL;
}

/* --- links ----------------------------------------------------------------*/

/* A port is its bridge's; a tap leads to a program, such as another monitor. */
static bool is_wanted(const struct nl_link *l)
{
	return l->ethernet && (l->flags & IFF_UP) &&
	       !(l->flags & IFF_LOOPBACK) && !l->master &&
	       !str_eq(l->kind, "tun");
}

static int add_link(void *arg, const struct nl_link *from, struct err *e)
{
	struct reader *r = arg;
	struct net_link *l;

	if (!is_wanted(from))
		return 0;
	l = GROW(r->c->links, NET_LINKS_MAX, e);
	if (!l)
		return err_wrap(e, failed(e), "network links");
	l->index = from->index;
	l->mtu = from->mtu;
	l->name = strdup(from->name);
	l->mac = mac_text(from->mac);
	return l->name && l->mac ? 0 : err_nomem(e);
}

/* --- addresses and neighbours ---------------------------------------------*/

static int add_address(void *arg, const struct nlmsghdr *h, struct err *e)
{
	const struct ifaddrmsg *i = nl_head(h, sizeof(*i));
	struct net_link *l = i ? link_of(arg, i->ifa_index) : NULL;
	const struct nlattr *local, *address, *more;
	struct net_address *a;
	bool ok = true;

	if (!l || h->nlmsg_type != RTM_NEWADDR ||
	    (i->ifa_family != AF_INET && i->ifa_family != AF_INET6))
		return 0;
	/* IPv6 has a local one only where the other is the peer's. */
	address = nl_attr(h, sizeof(*i), IFA_ADDRESS, 4);
	local = nl_attr(h, sizeof(*i), IFA_LOCAL, 4);
	a = GROW(l->addresses, ADDRESSES_MAX, e);
	if (!a)
		return err_wrap(e, failed(e), "addresses of '%s'", l->name);
	a->local = ip_text(i->ifa_family, local ? local : address, &ok);
	a->prefix = i->ifa_prefixlen;
	a->scope = i->ifa_scope;
	a->no_route = nl_u32(nl_attr(h, sizeof(*i), IFA_FLAGS, 4)) &
		      IFA_F_NOPREFIXROUTE;
	a->broadcast = ip_text(i->ifa_family,
			       nl_attr(h, sizeof(*i), IFA_BROADCAST, 4), &ok);
	more = local ? address : NULL;
	a->peer = ip_text(i->ifa_family, more, &ok);
	if (str_eq(a->peer, a->local))
		free(steal_ptr(a->peer));
	return ok && a->local ? 0 : err_nomem(e);
}

static int add_neighbour(void *arg, const struct nlmsghdr *h, struct err *e)
{
	const struct ndmsg *i = nl_head(h, sizeof(*i));
	struct net_link *l = i ? link_of(arg, (uint32_t)i->ndm_ifindex) : NULL;
	const struct nlattr *mac, *ip;
	struct net_neighbour *n;
	bool ok = true;

	if (!l || h->nlmsg_type != RTM_NEWNEIGH ||
	    !(i->ndm_state & NUD_PERMANENT) || (i->ndm_flags & NTF_PROXY) ||
	    (i->ndm_family != AF_INET && i->ndm_family != AF_INET6))
		return 0;
	mac = nl_attr(h, sizeof(*i), NDA_LLADDR, 6);
	ip = nl_attr(h, sizeof(*i), NDA_DST, 4);
	if (!mac || !ip)
		return 0;
	n = GROW(l->neighbours, NEIGHBOURS_MAX, e);
	if (!n)
		return err_wrap(e, failed(e), "neighbours of '%s'", l->name);
	n->address = ip_text(i->ndm_family, ip, &ok);
	n->mac = mac_text(nl_data(mac));
	return ok && n->address && n->mac ? 0 : err_nomem(e);
}

/* --- routes ---------------------------------------------------------------*/

static bool refuses(const struct rtmsg *i)
{
	return i->rtm_type == RTN_BLACKHOLE || i->rtm_type == RTN_UNREACHABLE ||
	       i->rtm_type == RTN_PROHIBIT;
}

/* The kernel's own come with the addresses. */
static bool is_route(const struct nlmsghdr *h, const struct rtmsg *i)
{
	uint32_t table;

	if (!i || h->nlmsg_type != RTM_NEWROUTE ||
	    i->rtm_protocol == RTPROT_KERNEL || (i->rtm_flags & RTM_F_CLONED) ||
	    (i->rtm_type != RTN_UNICAST && !refuses(i)))
		return false;
	table = nl_u32(nl_attr(h, sizeof(*i), RTA_TABLE, 4));
	return (table ? table : i->rtm_table) == RT_TABLE_MAIN;
}

static char *any_of(int family)
{
	return strdup(family == AF_INET ? "0.0.0.0" : "::");
}

/* struct rtvia: the family, then the address. */
static char *via_text(const struct nlattr *via, bool *ok)
{
	char text[INET6_ADDRSTRLEN];
	uint16_t family;
	char *copy;

	(void)memcpy(&family, nl_data(via), sizeof(family));
	if (nl_len(via) < sizeof(family) + (family == AF_INET ? 4U : 16U) ||
	    !inet_ntop(family, (const char *)nl_data(via) + sizeof(family),
		       text, sizeof(text)))
		return NULL;
	copy = strdup(text);
	if (!copy)
		*ok = false;
	return copy;
}

static int fill_route(struct net_route *to, const struct nlmsghdr *h,
		      const struct rtmsg *i, struct err *e)
{
	const struct nlattr *gateway = nl_attr(h, sizeof(*i), RTA_GATEWAY, 4);
	const struct nlattr *via = nl_attr(h, sizeof(*i), RTA_VIA, 6);
	const struct nlattr *dst = nl_attr(h, sizeof(*i), RTA_DST, 4);
	const struct nlattr *metrics = nl_attr(h, sizeof(*i), RTA_METRICS, 0);
	int family = i->rtm_family;
	bool ok = true;

	to->to = dst ? ip_text(family, dst, &ok) : any_of(family);
	to->prefix = i->rtm_dst_len;
	to->type = i->rtm_type;
	to->scope = i->rtm_scope;
	to->onlink = i->rtm_flags & RTNH_F_ONLINK;
	to->metric = nl_u32(nl_attr(h, sizeof(*i), RTA_PRIORITY, 4));
	to->mtu = nl_u32(nl_inner(metrics, RTAX_MTU, 4));
	to->via = via ? via_text(via, &ok) : ip_text(family, gateway, &ok);
	to->source =
		ip_text(family, nl_attr(h, sizeof(*i), RTA_PREFSRC, 4), &ok);
	return ok && to->to ? 0 : err_nomem(e);
}

static int add_route(void *arg, const struct nlmsghdr *h, struct err *e)
{
	const struct rtmsg *i = nl_head(h, sizeof(*i));
	const struct net_link *l;
	struct reader *r = arg;
	struct net_route *to;
	bool gateway;

	if (!is_route(h, i))
		return 0;
	if (nl_attr(h, sizeof(*i), RTA_MULTIPATH, 0))
		return err_set(e, -EOPNOTSUPP,
			       "a route over several gateways cannot be taken");
	gateway = nl_attr(h, sizeof(*i), RTA_GATEWAY, 4) ||
		  nl_attr(h, sizeof(*i), RTA_VIA, 6);
	l = link_of(r, nl_u32(nl_attr(h, sizeof(*i), RTA_OIF, 4)));
	if (gateway != r->gateways || (!l && !refuses(i)))
		return 0;
	to = GROW(r->c->routes, ROUTES_MAX, e);
	if (!to)
		return err_wrap(e, failed(e), "routes");
	if (!refuses(i)) {
		to->link = strdup(l->name);
		if (!to->link)
			return err_nomem(e);
	}
	return fill_route(to, h, i, e);
}

static int read_routes(struct nl *nl, struct reader *r, int family,
		       struct err *e)
{
	struct rtmsg head = { .rtm_family = (uint8_t)family };
	struct nl_msg m;

	nl_begin(&m, RTM_GETROUTE, 0, &head, sizeof(head));
	return nl_dump(nl, &m, add_route, r, e);
}

/* --- all of it ------------------------------------------------------------*/

static int read_rest(struct nl *nl, struct reader *r, struct err *e)
{
	struct ifaddrmsg addresses = { .ifa_family = AF_UNSPEC };
	struct ndmsg neighbours = { .ndm_family = AF_UNSPEC };
	static const int families[] = { AF_INET, AF_INET6 };
	struct nl_msg m;
	int ret;

	nl_begin(&m, RTM_GETADDR, 0, &addresses, sizeof(addresses));
	ret = nl_dump(nl, &m, add_address, r, e);
	if (ret < 0)
		return ret;
	nl_begin(&m, RTM_GETNEIGH, 0, &neighbours, sizeof(neighbours));
	ret = nl_dump(nl, &m, add_neighbour, r, e);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(families) && ret == 0; i++) {
		r->gateways = i >= ARRAY_SIZE(families);
		ret = read_routes(nl, r, families[i % ARRAY_SIZE(families)], e);
	}
	return ret;
}

int net_config_read(struct net_config *ret, struct err *e)
{
	_cleanup_(net_config_done) struct net_config c = { 0 };
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct reader reader = { .c = &c };
	int r;

	r = nl_open(&nl, e);
	if (r == 0)
		r = nl_link_each(&nl, add_link, &reader, e);
	if (r == 0 && c.links.n > 0)
		r = read_rest(&nl, &reader, e);
	if (r < 0)
		return err_wrap(e, r, "read the network");
	*ret = c;
	c = (struct net_config){ 0 };
	return 0;
}

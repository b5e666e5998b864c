/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/config.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "netns/nl_link.h"

struct ip {
	uint8_t family;
	uint8_t len;
	uint8_t bytes[16];
};

static int parse_ip(const char *text, struct ip *ret, struct err *e)
{
	ret->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	ret->len = ret->family == AF_INET ? 4 : 16;
	if (inet_pton(ret->family, text, ret->bytes) != 1)
		return err_set(e, -EINVAL, "'%.64s' is no address", text);
	return 0;
}

static int parse_mac(const char *text, uint8_t ret[6], struct err *e)
{
	if (str_to_mac(text, ret) < 0)
		return err_set(e, -EINVAL, "'%.64s' is no link's address",
			       text);
	return 0;
}

/* An optional address as an attribute. */
static int put_ip(struct nl_msg *m, uint16_t type, const char *text,
		  struct err *e)
{
	struct ip ip;
	int r;

	if (!text)
		return 0;
	r = parse_ip(text, &ip, e);
	if (r == 0)
		nl_put(m, type, ip.bytes, ip.len);
	return r;
}

/* --- links ----------------------------------------------------------------*/

struct search {
	uint8_t mac[6];
	int index;
};

static int compare_mac(void *arg, const struct nl_link *l, struct err *e)
{
	struct search *s = arg;

	if (l->ethernet && memcmp(l->mac, s->mac, sizeof(s->mac)) == 0)
		s->index = l->index;
	return 0;
}

static int find_link(struct nl *nl, const struct net_link *l, struct err *e)
{
	struct search s = { 0 };
	int r = parse_mac(l->mac, s.mac, e);

	if (r == 0)
		r = nl_link_each(nl, compare_mac, &s, e);
	if (r < 0)
		return r;
	return s.index > 0 ? s.index
			   : err_set(e, -ENODEV, "there is no network card %s",
				     l->mac);
}

/* First out of each other's way: what is eth0 here may have to be eth1. */
static int rename_links(struct nl *nl, const struct net_config *c,
			const int *index, struct err *e)
{
	char name[IFNAMSIZ];
	int r = 0;

	for (size_t i = 0; i < c->links.n && r == 0; i++) {
		(void)snprintf(name, sizeof(name), "moat%u", (uint8_t)i);
		r = nl_link_set(nl, index[i],
				&(struct nl_link_change){ .name = name }, e);
	}
	for (size_t i = 0; i < c->links.n && r == 0; i++)
		r = nl_link_set(
			nl, index[i],
			&(struct nl_link_change){ .name = c->links.v[i].name },
			e);
	return r < 0 ? err_wrap(e, r, "name links") : 0;
}

/* --- addresses and neighbours ---------------------------------------------*/

/* The address was there, and nobody else's, when it was read: it is not
 * looked for once more, which would take a second before it can be used. */
static int add_address(struct nl *nl, int index, const struct net_address *a,
		       struct err *e)
{
	uint32_t flags = IFA_F_NODAD | (a->no_route ? IFA_F_NOPREFIXROUTE : 0);
	struct ifaddrmsg head = {
		.ifa_prefixlen = (uint8_t)a->prefix,
		.ifa_scope = (uint8_t)a->scope,
		.ifa_index = (uint32_t)index,
	};
	struct nl_msg m;
	struct ip ip;
	int r = parse_ip(a->local, &ip, e);

	if (r < 0)
		return r;
	head.ifa_family = ip.family;
	nl_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head,
		 sizeof(head));
	nl_put(&m, IFA_LOCAL, ip.bytes, ip.len);
	nl_put_u32(&m, IFA_FLAGS, flags);
	r = put_ip(&m, IFA_ADDRESS, a->peer ? a->peer : a->local, e);
	if (r == 0)
		r = put_ip(&m, IFA_BROADCAST, a->broadcast, e);
	return r < 0 ? r : nl_talk(nl, &m, e);
}

static int add_neighbour(struct nl *nl, int index,
			 const struct net_neighbour *n, struct err *e)
{
	struct ndmsg head = {
		.ndm_ifindex = index,
		.ndm_state = NUD_PERMANENT,
	};
	struct nl_msg m;
	uint8_t mac[6];
	struct ip ip;
	int r = parse_ip(n->address, &ip, e);

	if (r == 0)
		r = parse_mac(n->mac, mac, e);
	if (r < 0)
		return r;
	head.ndm_family = ip.family;
	nl_begin(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head,
		 sizeof(head));
	nl_put(&m, NDA_DST, ip.bytes, ip.len);
	nl_put(&m, NDA_LLADDR, mac, sizeof(mac));
	return nl_talk(nl, &m, e);
}

static int write_link(struct nl *nl, int index, const struct net_link *l,
		      struct err *e)
{
	struct nl_link_change c = { .mtu = l->mtu, .up = true };
	int r;

	/* All its addresses are in the list, that of the link as well. */
	r = nl_link_no_auto(nl, index, e);
	if (r == 0)
		r = nl_link_set(nl, index, &c, e);
	for (size_t i = 0; i < l->addresses.n && r == 0; i++) {
		r = add_address(nl, index, &l->addresses.v[i], e);
		if (r < 0)
			(void)err_wrap(e, r, "address '%s'",
				       l->addresses.v[i].local);
	}
	for (size_t i = 0; i < l->neighbours.n && r == 0; i++) {
		r = add_neighbour(nl, index, &l->neighbours.v[i], e);
		if (r < 0)
			(void)err_wrap(e, r, "neighbour '%s'",
				       l->neighbours.v[i].address);
	}
	return r < 0 ? err_wrap(e, r, "link '%s'", l->name) : 0;
}

/* --- routes ---------------------------------------------------------------*/

static int put_gateway(struct nl_msg *m, const struct net_route *r, int family,
		       struct err *e)
{
	struct {
		uint16_t family;
		uint8_t bytes[16];
	} via = { 0 };
	struct ip ip;
	int ret;

	if (!r->via)
		return 0;
	ret = parse_ip(r->via, &ip, e);
	if (ret < 0)
		return ret;
	via.family = ip.family;
	(void)memcpy(via.bytes, ip.bytes, ip.len);
	if (ip.family == family)
		nl_put(m, RTA_GATEWAY, ip.bytes, ip.len);
	else
		nl_put(m, RTA_VIA, &via, sizeof(via.family) + ip.len);
	return 0;
}

static int find_index(const struct net_config *c, const int *index,
		      const char *name, struct err *e)
{
	for (size_t i = 0; i < c->links.n; i++)
		if (str_eq(c->links.v[i].name, name))
			return index[i];
	return err_set(e, -ENODEV, "there is no link '%.32s'", name);
}

static int add_route(struct nl *nl, const struct net_route *from, int index,
		     struct err *e)
{
	struct rtmsg head = {
		.rtm_dst_len = (uint8_t)from->prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = (uint8_t)from->scope,
		.rtm_type = (uint8_t)from->type,
		.rtm_flags = from->onlink ? RTNH_F_ONLINK : 0,
	};
	struct nl_msg m;
	struct ip to;
	int r = parse_ip(from->to, &to, e);

	if (r < 0)
		return r;
	head.rtm_family = to.family;
	nl_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head,
		 sizeof(head));
	if (from->prefix > 0)
		nl_put(&m, RTA_DST, to.bytes, to.len);
	if (index > 0)
		nl_put_u32(&m, RTA_OIF, (uint32_t)index);
	if (from->metric)
		nl_put_u32(&m, RTA_PRIORITY, from->metric);
	if (from->mtu) {
		NL_NEST(&m, RTA_METRICS) {
			nl_put_u32(&m, RTAX_MTU, from->mtu);
		}
	}
	r = put_ip(&m, RTA_PREFSRC, from->source, e);
	if (r == 0)
		r = put_gateway(&m, from, to.family, e);
	return r < 0 ? r : nl_talk(nl, &m, e);
}

static int write_route(struct nl *nl, const struct net_config *c,
		       const struct net_route *from, const int *index,
		       struct err *e)
{
	int r = from->link ? find_index(c, index, from->link, e) : 0;

	if (r >= 0)
		r = add_route(nl, from, r, e);
	return r < 0 ? err_wrap(e, r, "route to '%.64s/%u'", from->to,
				from->prefix)
		     : 0;
}

/* --- all of it ------------------------------------------------------------*/

static int write_all(struct nl *nl, const struct net_config *c, struct err *e)
{
	int index[NET_LINKS_MAX];
	int r;

	for (size_t i = 0; i < c->links.n; i++) {
		index[i] = find_link(nl, &c->links.v[i], e);
		if (index[i] < 0)
			return index[i];
	}
	r = rename_links(nl, c, index, e);
	for (size_t i = 0; i < c->links.n && r == 0; i++)
		r = write_link(nl, index[i], &c->links.v[i], e);
	for (size_t i = 0; i < c->routes.n && r == 0; i++)
		r = write_route(nl, c, &c->routes.v[i], index, e);
	return r;
}

int net_config_write(const struct net_config *c, struct err *e)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	int r;

	if (c->links.n > NET_LINKS_MAX)
		return err_set(e, -E2BIG, "more than %d links", NET_LINKS_MAX);
	r = nl_open(&nl, e);
	if (r == 0)
		r = write_all(&nl, c, e);
	return r < 0 ? err_wrap(e, r, "network") : 0;
}

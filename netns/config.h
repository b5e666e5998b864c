/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a network namespace is made of, read in one and written in another: so
 * a guest gets the addresses that a container would have had.
 *
 *	namespace of the host			guest
 *	net_config_read() -> struct, as JSON -> net_config_write()
 *
 * Read are links of Ethernet's kind that are up, but for ports of a bridge and
 * taps; their addresses; the routes of the main table; neighbours that were
 * entered by hand. Not read: rules and other tables, kernel parameters, what
 * netfilter does.
 */
#include "base/json.h"

#define NET_LINKS_MAX 8

struct net_address {
	char *local; /* "10.0.0.2" */
	char *peer;  /* the other end of a point-to-point link, or NULL */
	char *broadcast;
	uint32_t prefix;
	uint32_t scope; /* RT_SCOPE_ */
	bool no_route;	/* it brings no route to its network along */
};

struct net_neighbour {
	char *address;
	char *mac;
};

struct net_link {
	char *name;
	char *mac; /* "02:00:00:00:00:01"; the guest finds the link by it */
	uint32_t mtu;
	JSON_VEC_OF(struct net_address) addresses;
	JSON_VEC_OF(struct net_neighbour) neighbours;
	int index; /* where it was read; goes nowhere */
};

struct net_route {
	char *to; /* "0.0.0.0" and prefix 0: everything */
	uint32_t prefix;
	uint32_t type;	/* RTN_: unicast, or one that refuses */
	char *link;	/* its name; NULL when there is none to it */
	char *via;	/* the gateway, perhaps of the other family */
	char *source;	/* the address preferred */
	uint32_t scope; /* RT_SCOPE_ */
	uint32_t metric;
	uint32_t mtu;
	bool onlink;
};

struct net_config {
	JSON_VEC_OF(struct net_link) links;
	/* Those without a gateway first: others need them. */
	JSON_VEC_OF(struct net_route) routes;
};
extern const struct json_table net_config_table;

/* Of the caller's network namespace. No link but "lo" is an empty one. */
MUST_CHECK int net_config_read(struct net_config *ret, struct err *e);
/* In the caller's network namespace, whose links have those MAC addresses. */
MUST_CHECK int net_config_write(const struct net_config *c, struct err *e);
void net_config_done(struct net_config *c);

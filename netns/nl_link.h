/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links by rtnetlink: listed and set. Private to netns. */
#include <net/if.h>

#include "netns/nl.h"

struct nl_link {
	int index;
	char name[IFNAMSIZ];
	char kind[IFNAMSIZ]; /* "veth", "bridge"; "" for a device */
	uint8_t mac[6];
	bool ethernet;	/* and mac is its address */
	uint32_t flags; /* IFF_ */
	uint32_t mtu;
	uint32_t master; /* of the bridge it is a port of, or 0 */
};

typedef int (*nl_link_fn)(void *arg, const struct nl_link *l, struct err *e);
MUST_CHECK int nl_link_each(struct nl *nl, nl_link_fn fn, void *arg,
			    struct err *e);

/* What is zero stays as it is. */
struct nl_link_change {
	const char *name;
	uint32_t mtu;
	bool up;
};
MUST_CHECK int nl_link_set(struct nl *nl, int index,
			   const struct nl_link_change *c, struct err *e);
/* The kernel gives it no IPv6 address by itself. */
MUST_CHECK int nl_link_no_auto(struct nl *nl, int index, struct err *e);

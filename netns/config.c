/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/config.h"

static const struct json_field address_fields[] = {
	JSON_STR(struct net_address, local, "local", .required = true),
	JSON_STR(struct net_address, peer, "peer"),
	JSON_STR(struct net_address, broadcast, "broadcast"),
	JSON_U32(struct net_address, prefix, "prefix"),
	JSON_U32(struct net_address, scope, "scope"),
	JSON_BOOL(struct net_address, no_route, "noRoute"),
};
static const struct json_table address_table =
	JSON_TABLE(struct net_address, address_fields);

static const struct json_field neighbour_fields[] = {
	JSON_STR(struct net_neighbour, address, "address", .required = true),
	JSON_STR(struct net_neighbour, mac, "mac", .required = true),
};
static const struct json_table neighbour_table =
	JSON_TABLE(struct net_neighbour, neighbour_fields);

static const struct json_field link_fields[] = {
	JSON_STR(struct net_link, name, "name", .required = true),
	JSON_STR(struct net_link, mac, "mac", .required = true),
	JSON_U32(struct net_link, mtu, "mtu"),
	JSON_VEC(struct net_link, addresses, "addresses", struct net_address,
		 address_table),
	JSON_VEC(struct net_link, neighbours, "neighbours",
		 struct net_neighbour, neighbour_table),
};
static const struct json_table link_table =
	JSON_TABLE(struct net_link, link_fields);

static const struct json_field route_fields[] = {
	JSON_STR(struct net_route, to, "to", .required = true),
	JSON_U32(struct net_route, prefix, "prefix"),
	JSON_U32(struct net_route, type, "type"),
	JSON_STR(struct net_route, link, "link"),
	JSON_STR(struct net_route, via, "via"),
	JSON_STR(struct net_route, source, "source"),
	JSON_U32(struct net_route, scope, "scope"),
	JSON_U32(struct net_route, metric, "metric"),
	JSON_U32(struct net_route, mtu, "mtu"),
	JSON_BOOL(struct net_route, onlink, "onlink"),
};
static const struct json_table route_table =
	JSON_TABLE(struct net_route, route_fields);

static const struct json_field config_fields[] = {
	JSON_VEC(struct net_config, links, "links", struct net_link,
		 link_table),
	JSON_VEC(struct net_config, routes, "routes", struct net_route,
		 route_table),
};
const struct json_table net_config_table =
	JSON_TABLE(struct net_config, config_fields);

void net_config_done(struct net_config *c)
{
	json_free(&net_config_table, c);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/config.h"

#include <net/if.h>

#include "base/json.h"
#include "base/json_out.h"
#include "tests/unit/netns-links.h"

/* --- what is written is read ----------------------------------------------*/

static const char whole[] =
	"{\"links\":[{\"name\":\"lan\",\"mac\":\"02:00:00:00:00:01\","
	"\"mtu\":1400,\"addresses\":["
	"{\"local\":\"10.1.0.2\",\"broadcast\":\"10.1.0.255\",\"prefix\":24},"
	"{\"local\":\"10.9.0.1\",\"peer\":\"10.9.0.2\",\"prefix\":32},"
	"{\"local\":\"10.8.0.1\",\"prefix\":24,\"noRoute\":true},"
	"{\"local\":\"fd00::2\",\"prefix\":64},"
	"{\"local\":\"fe80::42\",\"prefix\":64,\"scope\":253}],"
	"\"neighbours\":[{\"address\":\"10.1.0.9\",\"mac\":\"02:00:00:00:00:99\"}]},"
	"{\"name\":\"wan\",\"mac\":\"02:00:00:00:00:02\",\"mtu\":1500}],"
	"\"routes\":["
	"{\"to\":\"10.3.0.0\",\"prefix\":16,\"type\":7},"
	"{\"to\":\"169.254.1.1\",\"prefix\":32,\"type\":1,\"link\":\"lan\",\"scope\":253},"
	"{\"to\":\"0.0.0.0\",\"type\":1,\"link\":\"lan\",\"via\":\"169.254.1.1\","
	"\"source\":\"10.1.0.2\",\"metric\":7,\"mtu\":1300},"
	"{\"to\":\"10.4.0.0\",\"prefix\":16,\"type\":1,\"link\":\"lan\",\"via\":\"fe80::1\"},"
	"{\"to\":\"10.5.0.0\",\"prefix\":16,\"type\":1,\"link\":\"wan\",\"via\":\"10.6.0.1\",\"onlink\":true},"
	"{\"to\":\"::\",\"type\":1,\"link\":\"lan\",\"via\":\"fd00::1\",\"metric\":1024}]}";

/* A pair's end with that address; nothing is up. */
static void add_link(const char *name, uint8_t last)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, last };
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifinfomsg head = { 0 };
	char peer[IFNAMSIZ];
	struct err e = { 0 };
	struct nl_msg m;

	(void)snprintf(peer, sizeof(peer), "peer%u", last);
	if (!links_add_pair(name, peer))
		return;
	(void)CHECK_OK(nl_open(&nl, &e), &e);
	head.ifi_index = (int)if_nametoindex(name);
	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	nl_put(&m, IFLA_ADDRESS, mac, sizeof(mac));
	(void)CHECK_OK(nl_talk(&nl, &m, &e), &e);
}

static void write_and_read(void)
{
	_cleanup_(net_config_done) struct net_config in = { 0 }, out = { 0 };
	autofree char *text = NULL;
	struct err e = { 0 };
	size_t len = 0;

	/* In the wrong order: names are given by address. */
	add_link("wan", 1);
	add_link("lan", 2);
	(void)CHECK_OK(json_read(whole, strlen(whole), &net_config_table, &in,
				 "config", &e),
		       &e);
	if (!CHECK_OK(net_config_write(&in, &e), &e) ||
	    !CHECK_OK(net_config_read(&out, &e), &e))
		return;
	(void)CHECK_OK(
		json_write(&net_config_table, &out, false, &text, &len, &e),
		&e);
	(void)CHECK_STR(text, whole);
}

TEST(what_is_written_is_what_is_read)
{
	in_world(write_and_read);
}

static void read_nothing(void)
{
	_cleanup_(net_config_done) struct net_config c = { 0 };
	struct err e = { 0 };

	/* Neither what is down, nor "lo". */
	add_link("lan", 1);
	links_up("lo");
	(void)CHECK_OK(net_config_read(&c, &e), &e);
	(void)CHECK(c.links.n == 0 && c.routes.n == 0);
	(void)CHECK_OK(net_config_write(&c, &e), &e);
}

TEST(a_namespace_without_links_is_an_empty_network)
{
	in_world(read_nothing);
}

/* --- what cannot be -------------------------------------------------------*/

static const struct {
	const char *text;
	int want;
	const char *words;
} wrong[] = {
	{ "{\"links\":[{\"name\":\"a\",\"mac\":\"02:00:00:00:00:07\"}]}",
	  -ENODEV, "no network card 02:00:00:00:00:07" },
	{ "{\"links\":[{\"name\":\"a\",\"mac\":\"02:00:00:00:00\"}]}", -EINVAL,
	  "no link's address" },
	{ "{\"links\":[{\"name\":\"a\",\"mac\":\"02:00:00:00:00:01\","
	  "\"addresses\":[{\"local\":\"10.0.0\"}]}]}",
	  -EINVAL, "'10.0.0' is no address" },
	{ "{\"routes\":[{\"to\":\"10.0.0.0\",\"prefix\":8,\"type\":1,"
	  "\"link\":\"b\"}]}",
	  -ENODEV, "route to '10.0.0.0/8': there is no link 'b'" },
};

static void refuse(void)
{
	add_link("a", 1);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_(net_config_done) struct net_config c = { 0 };
		struct err e = { 0 };

		(void)CHECK_OK(json_read(wrong[i].text, strlen(wrong[i].text),
					 &net_config_table, &c, "config", &e),
			       &e);
		if (!CHECK_INT(net_config_write(&c, &e), wrong[i].want) ||
		    !CHECK(strstr(e.text, wrong[i].words) != NULL))
			tap_note("%s", e.text);
	}
}

TEST(what_cannot_be_set_is_named)
{
	in_world(refuse);
}

static const struct tap_test tests[] = {
	TAP(what_is_written_is_what_is_read),
	TAP(a_namespace_without_links_is_an_empty_network),
	TAP(what_cannot_be_set_is_named),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

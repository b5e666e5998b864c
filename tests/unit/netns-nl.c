/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nl.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sched.h>

#include "base/cleanup.h"
#include "tests/unit/namespaces-world.h"

/* --- messages in memory ---------------------------------------------------*/

TEST(a_message_has_the_bytes_that_the_kernel_wants)
{
	/* clang-format off */
	static const uint8_t want[] = {
		57, 0, 0, 0, 16, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		7, 0, 3, 0, 'a', 'b', 0, 0, /* a name and its padding */
		17, 0, 5, 0, 8, 0, 4, 0, 0x34, 0x12, 0, 0, 5, 0, 6, 0, 'x',
	};
	/* clang-format on */
	struct ifinfomsg head = { .ifi_index = 7 };
	struct nl_msg m;

	nl_begin(&m, RTM_NEWLINK, NLM_F_CREATE, &head, sizeof(head));
	nl_put_str(&m, IFLA_IFNAME, "ab");
	NL_NEST(&m, 5) {
		nl_put_u32(&m, 4, 0x1234);
		nl_put(&m, 6, "x", 1);
	}
	(void)CHECK(!m.full);
	(void)CHECK_INT(m.head.nlmsg_len, sizeof(want));
	(void)CHECK(memcmp(m.bytes, want, sizeof(want)) == 0);
}

TEST(what_is_put_is_found_again)
{
	struct ifinfomsg head = { .ifi_index = 7 };
	const struct nlattr *a;
	struct nl_msg m;
	char text[8];

	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	nl_put_u32(&m, IFLA_MTU, 1400);
	NL_NEST(&m, IFLA_LINKINFO) {
		nl_put_str(&m, IFLA_INFO_KIND, "a long kind");
	}
	a = nl_attr(&m.head, sizeof(head), IFLA_LINKINFO, 1);
	nl_text(nl_inner(a, IFLA_INFO_KIND, 1), text, sizeof(text));
	(void)CHECK_STR(text, "a long ");
	(void)CHECK_INT(nl_u32(nl_attr(&m.head, sizeof(head), IFLA_MTU, 4)),
			1400);
	/* Shorter than it must be is not there. */
	(void)CHECK(!nl_attr(&m.head, sizeof(head), IFLA_MTU, 5));
	(void)CHECK(!nl_attr(&m.head, sizeof(head), IFLA_TXQLEN, 0));
	(void)CHECK_INT(nl_u32(NULL), 0);
}

TEST(lengths_that_lead_out_of_a_message_are_not_followed)
{
	static const uint16_t lengths[] = { 0, 1, 3, 9, 64, 65535 };
	struct ifinfomsg head = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct nl_msg m;
		struct nlattr *a;

		nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
		nl_put_u32(&m, IFLA_MTU, 1);
		nl_put_u32(&m, IFLA_LINK, 2);
		a = (void *)(m.bytes + NLMSG_HDRLEN + sizeof(head));
		a->nla_len = lengths[i];
		(void)CHECK(!nl_attr(&m.head, sizeof(head), IFLA_LINK, 4));
	}
}

TEST(a_message_that_does_not_fit_is_not_sent)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifinfomsg head = { 0 };
	static char much[NL_ROOM];
	struct err e = { 0 };
	struct nl_msg m;

	REQUIRE_OK(nl_open(&nl, &e), &e);
	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	NL_NEST(&m, IFLA_LINKINFO) {
		nl_put(&m, 1, much, NL_ROOM - 39);
		(void)CHECK(m.full);
		nl_put_u32(&m, 2, 1);
	}
	(void)CHECK(m.full && m.head.nlmsg_len < 64);
	(void)CHECK_INT(nl_talk(&nl, &m, &e), -EMSGSIZE);
	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	nl_put(&m, 1, much, 65534);
	(void)CHECK(m.full);
}

/* --- and the kernel -------------------------------------------------------*/

static int note_lo(void *arg, const struct nlmsghdr *h, struct err *e)
{
	const struct ifinfomsg *i = nl_head(h, sizeof(*i));
	char name[IFNAMSIZ];

	nl_text(nl_attr(h, sizeof(*i), IFLA_IFNAME, 1), name, sizeof(name));
	if (i && strcmp(name, "lo") == 0)
		*(int *)arg = i->ifi_index;
	return 0;
}

static void ask_for_lo(void)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifinfomsg head = { 0 };
	struct err e = { 0 };
	struct nl_msg m;
	int index = 0;

	(void)CHECK_OK(nl_open(&nl, &e), &e);
	nl_begin(&m, RTM_GETLINK, 0, &head, sizeof(head));
	(void)CHECK_OK(nl_dump(&nl, &m, note_lo, &index, &e), &e);
	(void)CHECK_INT(index, 1);

	head.ifi_index = index;
	head.ifi_change = head.ifi_flags = IFF_UP;
	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	nl_put_u32(&m, IFLA_MTU, 1280);
	(void)CHECK_OK(nl_talk(&nl, &m, &e), &e);

	head.ifi_index = 4711;
	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	(void)CHECK_INT(nl_talk(&nl, &m, &e), -ENODEV);
	(void)CHECK(strstr(e.text, "No such device") == e.text);
}

TEST(links_are_listed_and_set_and_a_refusal_has_words)
{
	in_user_world(ask_for_lo);
}

static int fail(void *arg, const struct nlmsghdr *h, struct err *e)
{
	return err_set(e, -ECANCELED, "enough");
}

static void stop_a_dump(void)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifinfomsg head = { 0 };
	struct err e = { 0 };
	struct nl_msg m;
	int index = 0;

	(void)CHECK_OK(nl_open(&nl, &e), &e);
	nl_begin(&m, RTM_GETLINK, 0, &head, sizeof(head));
	(void)CHECK_INT(nl_dump(&nl, &m, fail, NULL, &e), -ECANCELED);
	/* What is left of the first answer does not become the second's. */
	nl_begin(&m, RTM_GETLINK, 0, &head, sizeof(head));
	(void)CHECK_OK(nl_dump(&nl, &m, note_lo, &index, &e), &e);
	(void)CHECK_INT(index, 1);
}

TEST(whoever_lists_may_stop)
{
	in_user_world(stop_a_dump);
}

static void look_elsewhere(void)
{
	_cleanup_(nl_close) struct nl there = NL_INIT, here = NL_INIT;
	autoclose int other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct ifinfomsg head = { .ifi_index = 1 };
	struct err e = { 0 };
	struct nl_msg m;

	(void)CHECK(unshare(CLONE_NEWNET) == 0);
	(void)CHECK_OK(nl_open_in(&there, other, &e), &e);
	(void)CHECK_OK(nl_open(&here, &e), &e);
	head.ifi_change = head.ifi_flags = IFF_UP;
	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
	(void)CHECK_OK(nl_talk(&there, &m, &e), &e);
	/* Ours is still down: an address without a link that is up. */
	(void)CHECK(fd_read_small_at(AT_FDCWD, "/proc/self/net/if_inet6",
				     (char[64]){ 0 }, 64) == 0);
}

TEST(another_namespace_is_reached_without_staying_there)
{
	in_user_world(look_elsewhere);
}

static const struct tap_test tests[] = {
	TAP(a_message_has_the_bytes_that_the_kernel_wants),
	TAP(what_is_put_is_found_again),
	TAP(lengths_that_lead_out_of_a_message_are_not_followed),
	TAP(a_message_that_does_not_fit_is_not_sent),
	TAP(links_are_listed_and_set_and_a_refusal_has_words),
	TAP(whoever_lists_may_stop),
	TAP(another_namespace_is_reached_without_staying_there),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

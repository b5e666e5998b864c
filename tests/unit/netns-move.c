/* SPDX-License-Identifier: Apache-2.0 */
/* Links that move between two network namespaces of the test's own. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "netns/link.h"
#include "netns/nl.h"
#include "tests/unit/namespaces-world.h"

static int here = -1, there = -1;

static int this_net(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void make_two(void)
{
	here = this_net();
	if (!CHECK(unshare(CLONE_NEWNET) == 0))
		return;
	there = this_net();
	(void)CHECK(here >= 0 && there >= 0 && setns(here, CLONE_NEWNET) == 0);
}

static void add_link(const char *name)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifinfomsg head = { 0 };
	struct err e = { 0 };
	struct nl_msg m;

	if (!CHECK_OK(nl_open(&nl, &e), &e))
		return;
	nl_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head,
		 sizeof(head));
	nl_put_str(&m, IFLA_IFNAME, name);
	NL_NEST(&m, IFLA_LINKINFO) {
		nl_put_str(&m, IFLA_INFO_KIND, "veth");
	}
	(void)CHECK_OK(nl_talk(&nl, &m, &e), &e);
}

static void add_address(const char *name, const char *text, uint8_t scope)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifaddrmsg head = { .ifa_prefixlen = 24, .ifa_scope = scope };
	struct err e = { 0 };
	struct nl_msg m;
	uint8_t to[16];

	head.ifa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	head.ifa_index = if_nametoindex(name);
	(void)CHECK_INT(inet_pton(head.ifa_family, text, to), 1);
	if (!CHECK_OK(nl_open(&nl, &e), &e))
		return;
	nl_begin(&m, RTM_NEWADDR, NLM_F_CREATE, &head, sizeof(head));
	nl_put(&m, IFA_LOCAL, to, head.ifa_family == AF_INET ? 4 : 16);
	(void)CHECK_OK(nl_talk(&nl, &m, &e), &e);
}

struct seen {
	char text[256]; /* "10.0.0.1/24 fd00::1/24 " */
};

static int see_address(void *arg, const struct nlmsghdr *h, struct err *e)
{
	const struct ifaddrmsg *head = nl_head(h, sizeof(*head));
	const struct nlattr *a = nl_attr(h, sizeof(*head), IFA_ADDRESS, 4);
	struct seen *s = arg;
	char text[INET6_ADDRSTRLEN] = "?";
	size_t n = strlen(s->text);

	/* Those of the link alone come and go as the kernel likes. */
	if (!head || !a || head->ifa_scope == RT_SCOPE_LINK)
		return 0;
	(void)inet_ntop(head->ifa_family, nl_data(a), text, sizeof(text));
	(void)snprintf(s->text + n, sizeof(s->text) - n, "%s/%u ", text,
		       head->ifa_prefixlen);
	return 0;
}

static const char *addresses_of(int nsfd, struct seen *s)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	const struct ifaddrmsg head = { 0 };
	struct err e = { 0 };
	struct nl_msg m;

	s->text[0] = '\0';
	if (!CHECK_OK(nl_open_in(&nl, nsfd, &e), &e))
		return "";
	nl_begin(&m, RTM_GETADDR, 0, &head, sizeof(head));
	(void)CHECK_OK(nl_dump(&nl, &m, see_address, s, &e), &e);
	return s->text;
}

/* Its flags, or -1 when there is none. */
static int flags_of(int nsfd, const char *name)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	struct ifreq ifr = { 0 };
	struct err e = { 0 };

	if (!CHECK_OK(nl_open_in(&nl, nsfd, &e), &e))
		return -1;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(nl.fd, SIOCGIFFLAGS, &ifr) < 0 ? -1 : ifr.ifr_flags;
}

static int move(const char *name, const char *name_there, struct err *e)
{
	const struct net_move m = {
		.from = here,
		.to = there,
		.name = name,
		.name_there = name_there,
	};

	return net_link_move(&m, e);
}

static void check_moved(void)
{
	struct err e = { 0 };
	struct seen s;

	make_two();
	add_link("v0");
	add_address("v0", "10.9.8.7", RT_SCOPE_UNIVERSE);
	add_address("v0", "fd00::7", RT_SCOPE_UNIVERSE);
	add_address("v0", "169.254.1.2", RT_SCOPE_LINK);
	if (!CHECK_OK(move("v0", "net0", &e), &e))
		return;
	(void)CHECK_INT(flags_of(here, "v0"), -1);
	(void)CHECK(flags_of(there, "net0") & IFF_UP);
	(void)CHECK_HAS(addresses_of(there, &s), "10.9.8.7/24 ");
	(void)CHECK_HAS(s.text, "fd00::7/24 ");
	(void)CHECK(!strstr(s.text, "169.254"));
}

TEST(a_link_moves_and_has_its_name_and_addresses_there)
{
	in_world(check_moved);
}

static void check_refused(void)
{
	struct err e = { 0 };

	make_two();
	(void)CHECK_INT(move("none", "net0", &e), -ENODEV);
	(void)CHECK_HAS(e.text, "move link 'none': look up link 'none'");
	/* Links of the namespace itself stay. */
	(void)CHECK(move("lo", "net0", &e) < 0);
	(void)CHECK(flags_of(here, "lo") >= 0);
}

TEST(a_link_that_is_not_there_or_may_not_move_is_refused)
{
	in_world(check_refused);
}

static void check_taken(void)
{
	struct err e = { 0 };

	make_two();
	add_link("v0");
	(void)CHECK_INT(move("v0", "lo", &e), -EEXIST);
	(void)CHECK_HAS(e.text, "there is a link 'lo' already");
	(void)CHECK(flags_of(here, "v0") >= 0);
	(void)CHECK_INT(flags_of(there, "v0"), -1);
}

TEST(a_name_that_is_taken_moves_nothing)
{
	in_world(check_taken);
}

static const struct tap_test tests[] = {
	TAP(a_link_moves_and_has_its_name_and_addresses_there),
	TAP(a_link_that_is_not_there_or_may_not_move_is_refused),
	TAP(a_name_that_is_taken_moves_nothing),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

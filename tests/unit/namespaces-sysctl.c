/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/sysctl.h"

#include "base/proc.h"
#include "tests/unit/namespaces-world.h"

#define ALL (~0U)

/* clang-format off */
static const struct {
	const char *key;
	unsigned int own;
	const char *says; /* NULL: fine */
} cases[] = {
	{ "net.ipv4.ip_forward",             1U << NS_NET,  NULL },
	{ "net/ipv4/ip_forward",             1U << NS_NET,  NULL },
	{ "net/ipv4/conf/eth0.100/rp_filter", 1U << NS_NET, NULL },
	{ "net.ipv4.conf.eth0/100.rp_filter", 1U << NS_NET, NULL },
	{ "kernel.msgmax",                   1U << NS_IPC,  NULL },
	{ "kernel/shm_rmid_forced",          1U << NS_IPC,  NULL },
	{ "kernel.sem",                      1U << NS_IPC,  NULL },
	{ "fs.mqueue.msg_max",               1U << NS_IPC,  NULL },
	{ "kernel.domainname",               1U << NS_UTS,  NULL },
	{ "user.max_user_namespaces",        1U << NS_USER, NULL },
	{ "net.ipv4.ip_forward",             ALL & ~(1U << NS_NET),  "needs the container's own network namespace" },
	{ "kernel.msgmax",                   ALL & ~(1U << NS_IPC),  "own ipc namespace" },
	{ "fs.mqueue.msg_max",               ALL & ~(1U << NS_IPC),  "own ipc namespace" },
	{ "kernel.domainname",               ALL & ~(1U << NS_UTS),  "own uts namespace" },
	{ "user.max_user_namespaces",        ALL & ~(1U << NS_USER), "own user namespace" },
	{ "kernel.hostname",                 ALL, "has 'hostname' for it" },
	{ "kernel.core_pattern",             ALL, "would change the host" },
	{ "kernel.msgmaxx",                  ALL, "would change the host" },
	{ "vm.swappiness",                   ALL, "would change the host" },
	{ "fs.mqueue",                       ALL, "would change the host" },
	{ "network.x",                       ALL, "would change the host" },
	{ "",                                ALL, "is not a name" },
	{ "net.",                            ALL, "is not a name" },
	{ ".net.x",                          ALL, "is not a name" },
	{ "net..x",                          ALL, "is not a name" },
	{ "net/../kernel/core_pattern",      ALL, "is not a name" },
	{ "net/./x",                         ALL, "is not a name" },
	{ "net.ipv4.//.x",                   ALL, "is not a name" },
	{ "/net/ipv4/ip_forward",            ALL, "is not a name" },
};
/* clang-format on */

TEST(only_parameters_of_own_namespaces_are_allowed)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = { 0 };
		int r = ns_sysctl_check(cases[i].key, cases[i].own, &e);
		bool held = cases[i].says
				    ? CHECK_INT(r, -EINVAL) &&
					      CHECK_HAS(e.text, cases[i].says)
				    : CHECK_OK(r, &e);

		if (!held)
			tap_note("key '%s'", cases[i].key);
	}
}

TEST(an_endless_key_is_refused)
{
	char key[4096];
	struct err e = { 0 };

	(void)memset(key, 'a', sizeof(key));
	(void)memcpy(key, "net.", 4);
	key[sizeof(key) - 1] = '\0';
	CHECK_INT(ns_sysctl_check(key, ALL, &e), -EINVAL);
	CHECK_INT(ns_sysctl_write(-1, key, "1", &e), -EINVAL);
}

static void check_write(void)
{
	struct err e = { 0 };
	int procfd = proc_open_fs(&e);

	REQUIRE_OK(procfd, &e);
	REQUIRE_OK(ns_sysctl_write(procfd, "net.ipv4.ip_forward", "1", &e), &e);
	CHECK_STR(world_text("/proc/sys/net/ipv4/ip_forward"), "1");
	REQUIRE_OK(
		ns_sysctl_write(procfd, "net/ipv4/conf/lo/forwarding", "0", &e),
		&e);
	CHECK_STR(world_text("/proc/sys/net/ipv4/conf/lo/forwarding"), "0");
	REQUIRE_OK(ns_sysctl_write(procfd, "kernel.msgmax", "9000", &e), &e);
	CHECK_STR(world_text("/proc/sys/kernel/msgmax"), "9000");
	REQUIRE_OK(
		ns_sysctl_write(procfd, "kernel.domainname", "moat.test", &e),
		&e);
	CHECK_STR(world_text("/proc/sys/kernel/domainname"), "moat.test");
	CHECK_INT(ns_sysctl_write(procfd, "net.ipv4.nothing", "1", &e),
		  -ENOENT);
	CHECK_STR(e.text, "this kernel has no sysctl 'net.ipv4.nothing'");
	CHECK(ns_sysctl_write(procfd, "net.ipv4.ip_forward", "x", &e) < 0);
	CHECK_HAS(e.text, "sysctl 'net.ipv4.ip_forward'");
}

TEST(a_parameter_is_written)
{
	in_world(check_write);
}

TEST(a_parameter_is_written_in_a_user_namespace)
{
	in_user_world(check_write);
}

/*
 * CVE-2025-52881: with something else mounted over the parameter, or over
 * /proc/sys, the runtime would write there.
 */
static void check_redirected(void)
{
	struct err e = { 0 };
	int procfd = proc_open_fs(&e);

	REQUIRE_OK(procfd, &e);
	world_file("/tmp/false", "untouched");
	REQUIRE(mount("/tmp/false", "/proc/sys/net/ipv4/ip_forward", NULL,
		      MS_BIND, NULL) == 0);
	CHECK(ns_sysctl_write(procfd, "net.ipv4.ip_forward", "1", &e) < 0);
	CHECK_STR(world_text("/tmp/false"), "untouched");

	world_dir("/tmp/sys/net/ipv4");
	world_file("/tmp/sys/net/ipv4/ip_forward", "untouched");
	REQUIRE(mount("/tmp/sys", "/proc/sys", NULL, MS_BIND, NULL) == 0);
	CHECK(ns_sysctl_write(procfd, "net.ipv4.ip_forward", "1", &e) < 0);
	CHECK_STR(world_text("/tmp/sys/net/ipv4/ip_forward"), "untouched");
}

TEST(what_is_mounted_over_a_parameter_is_not_written)
{
	in_world(check_redirected);
}

static const struct tap_test tests[] = {
	TAP(only_parameters_of_own_namespaces_are_allowed),
	TAP(an_endless_key_is_refused),
	TAP(a_parameter_is_written),
	TAP(a_parameter_is_written_in_a_user_namespace),
	TAP(what_is_mounted_over_a_parameter_is_not_written),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

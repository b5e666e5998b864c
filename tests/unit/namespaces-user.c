/* SPDX-License-Identifier: Apache-2.0 */
#include <grp.h>
#include <linux/capability.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "namespaces/caps.h"
#include "tests/unit/namespaces-world.h"

#define BIT(cap) ((uint64_t)1 << (cap))

TEST(names_lead_to_numbers_and_back)
{
	unsigned int cap = 99;

	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
		const char *name = ns_cap_name(i);

		REQUIRE(name);
		CHECK_INT(ns_cap_parse(name, &cap), 0);
		CHECK_INT(cap, i);
		CHECK_INT(ns_cap_parse(name + 4, &cap), 0);
		CHECK_INT(cap, i);
	}
	CHECK(!ns_cap_name(CAP_LAST_CAP + 1));
	CHECK_INT(ns_cap_parse("cap_sys_admin", &cap), 0);
	CHECK_INT(cap, CAP_SYS_ADMIN);
	CHECK_INT(ns_cap_parse("Chown", &cap), 0);
	CHECK_INT(cap, CAP_CHOWN);
}

TEST(names_nobody_knows_are_refused)
{
	static const char *const bad[] = { "",	      "CAP_",	"CAP_CAP_CHOWN",
					   "CAP_CHO", "CHOWN ", "7" };
	unsigned int cap = 99;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(ns_cap_parse(bad[i], &cap), -EINVAL))
			tap_note("name '%s'", bad[i]);
	CHECK_INT(cap, 99);
}

/* The kernel says its last one in a file as well. */
TEST(the_kernels_capabilities_are_found)
{
	const char *text = world_text("/proc/sys/kernel/cap_last_cap");
	uint64_t known = ns_caps_known();
	int last;

	if (!text[0])
		SKIP("no /proc/sys");
	last = (int)strtol(text, NULL, 10);
	CHECK(known == (last == 63 ? UINT64_MAX : BIT(last + 1) - 1));
}

/* --- becoming -------------------------------------------------------------*/

/* "CapEff:\t..." of ourselves. */
static uint64_t status_caps(const char *key)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t v = UINT64_MAX;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			v = strtoull(line + strlen(key) + 1, NULL, 16);
	if (f)
		(void)fclose(f);
	return v;
}

static const uint64_t some =
	BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE);

static struct ns_caps caps_of(uint64_t v)
{
	return (struct ns_caps){
		.set = true,
		.bounding = v,
		.effective = v,
		.inheritable = v,
		.permitted = v,
		.ambient = v,
	};
}

static void check_sets(const struct ns_caps *c)
{
	CHECK(status_caps("CapBnd") == c->bounding);
	CHECK(status_caps("CapEff") == c->effective);
	CHECK(status_caps("CapPrm") == c->permitted);
	CHECK(status_caps("CapInh") == c->inheritable);
	CHECK(status_caps("CapAmb") == c->ambient);
}

static void check_root(void)
{
	const struct ns_user u = { 0 };
	struct ns_caps c = caps_of(some);
	struct err e = { 0 };

	c.ambient = 0;
	c.inheritable = BIT(CAP_KILL);
	c.effective = BIT(CAP_KILL);
	REQUIRE_OK(ns_user_become(&u, &c, &e), &e);
	check_sets(&c);
}

TEST(root_keeps_exactly_the_five_sets)
{
	in_world(check_root);
}

TEST(root_of_a_user_namespace_keeps_exactly_the_five_sets)
{
	in_user_world(check_root);
}

static void check_user(void)
{
	uint32_t groups[] = { 10, 20, 4000000000 };
	const struct ns_user u = {
		.uid = 1234,
		.gid = 2345,
		.groups = { groups, ARRAY_SIZE(groups) },
		.umask = { .set = true, .v = 027 },
	};
	const struct ns_caps c = caps_of(some);
	struct err e = { 0 };
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid, got[8];

	REQUIRE_OK(ns_user_become(&u, &c, &e), &e);
	check_sets(&c);
	CHECK(getresuid(&ruid, &euid, &suid) == 0);
	CHECK(ruid == 1234 && euid == 1234 && suid == 1234);
	CHECK(getresgid(&rgid, &egid, &sgid) == 0);
	CHECK(rgid == 2345 && egid == 2345 && sgid == 2345);
	CHECK_INT(getgroups(ARRAY_SIZE(got), got), 3);
	CHECK_INT(got[2], 4000000000);
	CHECK_INT(umask(0), 027);
	/* No way back. */
	CHECK(setresuid(0, 0, 0) < 0);
}

TEST(another_user_keeps_ambient_capabilities)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_user);
}

static void check_nothing(void)
{
	const struct ns_user u = { .uid = 1234, .gid = 1234 };
	const struct ns_caps c = caps_of(0);
	struct err e = { 0 };
	gid_t got[8];

	REQUIRE(setgroups(1, (gid_t[]){ 77 }) == 0);
	REQUIRE_OK(ns_user_become(&u, &c, &e), &e);
	check_sets(&c);
	/* The caller's groups are not the container's. */
	CHECK_INT(getgroups(ARRAY_SIZE(got), got), 0);
	CHECK_INT(umask(0), 022);
}

TEST(nothing_is_left_of_the_callers_rights)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_nothing);
}

static void check_unset(void)
{
	const struct ns_user u = { 0 };
	const struct ns_caps c = { 0 };
	uint64_t before = status_caps("CapPrm");
	struct err e = { 0 };

	REQUIRE_OK(ns_user_become(&u, &c, &e), &e);
	CHECK(status_caps("CapPrm") == before);
}

TEST(without_sets_capabilities_stay)
{
	in_world(check_unset);
}

static void check_not_ours(void)
{
	const struct ns_user u = { 0 };
	struct ns_caps c = caps_of(some);
	struct err e = { 0 };

	/* First given up, then asked for. */
	c.ambient = 0;
	REQUIRE_OK(ns_user_become(&u, &c, &e), &e);
	c = caps_of(some | BIT(CAP_SYS_PTRACE));
	CHECK_INT(ns_user_become(&u, &c, &e), -EPERM);
	CHECK_HAS(e.text, "'CAP_SYS_PTRACE' is not ours to give");
}

TEST(a_capability_we_lack_is_named)
{
	in_world(check_not_ours);
}

static void check_odd_sets(void)
{
	const struct ns_user u = { 0 };
	struct ns_caps c = caps_of(some);
	struct err e = { 0 };

	c.permitted = BIT(CAP_KILL);
	CHECK_INT(ns_user_become(&u, &c, &e), -EPERM);
	CHECK_HAS(e.text, "must be permitted");
}

TEST(what_is_effective_must_be_permitted)
{
	in_world(check_odd_sets);
}

static void check_unmapped(void)
{
	uint32_t groups[] = { 10 };
	struct ns_user u = { .uid = 1 };
	const struct ns_caps c = { 0 };
	struct err e = { 0 };

	CHECK_INT(ns_user_become(&u, &c, &e), -EINVAL);
	CHECK_HAS(e.text, "uid 1 is not mapped");
	u = (struct ns_user){ .gid = 1 };
	CHECK_INT(ns_user_become(&u, &c, &e), -EINVAL);
	CHECK_HAS(e.text, "gid 1 is not mapped");
	/* setgroups is denied here: none is fine, one is not. */
	u = (struct ns_user){ 0 };
	CHECK_OK(ns_user_become(&u, &c, &e), &e);
	u.groups.v = groups;
	u.groups.n = 1;
	CHECK_INT(ns_user_become(&u, &c, &e), -EPERM);
	CHECK_HAS(e.text, "the user namespace forbids it");
}

TEST(ids_without_a_mapping_are_named)
{
	in_user_world(check_unmapped);
}

static const struct tap_test tests[] = {
	TAP(names_lead_to_numbers_and_back),
	TAP(names_nobody_knows_are_refused),
	TAP(the_kernels_capabilities_are_found),
	TAP(root_keeps_exactly_the_five_sets),
	TAP(root_of_a_user_namespace_keeps_exactly_the_five_sets),
	TAP(another_user_keeps_ambient_capabilities),
	TAP(nothing_is_left_of_the_callers_rights),
	TAP(without_sets_capabilities_stay),
	TAP(a_capability_we_lack_is_named),
	TAP(what_is_effective_must_be_permitted),
	TAP(ids_without_a_mapping_are_named),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

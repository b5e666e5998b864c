/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cgroups/check.h"
#include "cgroups/host.h"
#include "cgroups/place.h"
#include "tests/unit/tap.h"

static const char hybrid[] =
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup "
	"cgroup rw,cpu,cpuacct\n"
	"33 31 0:30 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup "
	"rw,memory\n"
	"34 31 0:31 / /odd\\040place/blkio rw - cgroup cgroup rw,blkio\n"
	"35 31 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
	"rw,xattr,release_agent=/x,name=systemd\n"
	"36 31 0:30 / /elsewhere rw - cgroup cgroup rw,memory\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	"42 31 0:39 / /broken - cgroup\n";

TEST(the_mount_table_tells_who_holds_what)
{
	_cleanup_(cg_host_done) struct cg_host h = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(cg_host_parse(hybrid, false, &h, &e), &e);
	CHECK_STR(h.v2, "/sys/fs/cgroup/unified");
	REQUIRE(h.v1.n == 4);
	CHECK_STR(h.v1.v[0].names, "cpu,cpuacct");
	CHECK_INT(h.v1.v[0].controllers,
		  CG_BIT(CG_CTL_CPU) | CG_BIT(CG_CTL_CPUACCT));
	CHECK_STR(h.v1.v[1].root, "/docker/x");
	CHECK_STR(h.v1.v[2].point, "/odd place/blkio");
	CHECK_INT(h.v1.v[2].controllers, CG_BIT(CG_CTL_IO));
	CHECK_STR(h.v1.v[3].names, "name=systemd");
	CHECK_INT(h.v1.v[3].controllers, CG_BIT(CG_CTL_SYSTEMD));
}

TEST(what_is_covered_by_another_mount_does_not_count)
{
	_cleanup_(cg_host_done) struct cg_host h = { 0 };
	struct err e = { 0 };

	/* None of these places is a cgroup file system to those who look. */
	REQUIRE_OK(cg_host_parse("1 1 0:1 / /tmp rw - cgroup2 cgroup2 rw\n"
				 "2 1 0:1 / /proc rw - cgroup cgroup "
				 "rw,memory\n",
				 true, &h, &e),
		   &e);
	CHECK(!h.v2);
	CHECK_INT(h.v1.n, 0);
}

TEST(our_own_v2_group_is_found)
{
	/* clang-format off */
	static const struct {
		const char *text, *path;
	} rows[] = {
		{ "0::/a/b\n", "/a/b" },
		{ "4:memory:/x\n0::/\n", "/" },
		{ "4:memory:/x\n", NULL },
		{ "0::/../outside\n", NULL },
		{ "0::/gone (deleted)\n", NULL },
		{ "", NULL },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *path = NULL;
		struct err e = { 0 };

		CHECK_OK(cg_host_v2_path(rows[i].text, &path, &e), &e);
		CHECK_STR(path, rows[i].path);
	}
}

/* --- cgroupsPath ----------------------------------------------------------*/

struct row {
	int driver;
	const char *path, *name;
	const char *want; /* path, or slice|unit; NULL: refused */
	bool relative;
};

/* clang-format off */
static const struct row rows[] = {
	{ CG_DRIVER_CGROUPFS, "/a/b",        "x",  "/a/b",      false },
	{ CG_DRIVER_CGROUPFS, "//a/./b/",    "x",  "/a/b",      false },
	{ CG_DRIVER_CGROUPFS, "/../a",       "x",  "/a",        false },
	{ CG_DRIVER_CGROUPFS, "a/b",         "x",  "a/b",       true },
	{ CG_DRIVER_CGROUPFS, "../a",        "x",  "a",         true },
	{ CG_DRIVER_CGROUPFS, NULL,          "x",  "x",         true },
	{ CG_DRIVER_CGROUPFS, "",            "x",  "x",         true },
	{ CG_DRIVER_CGROUPFS, NULL,          NULL, NULL,        false },
	{ CG_DRIVER_CGROUPFS, "/",           "x",  NULL,        false },
	{ CG_DRIVER_CGROUPFS, "/a/..",       "x",  NULL,        false },
	{ CG_DRIVER_CGROUPFS, ".",           "x",  NULL,        false },
	{ CG_DRIVER_CGROUPFS, "/a\nb",       "x",  NULL,        false },
	{ CG_DRIVER_CGROUPFS, "a:b:c",       "x",  "a:b:c",     true },
	{ CG_DRIVER_SYSTEMD,  "a.slice:p:n", "x",  "a.slice|p-n.scope", false },
	{ CG_DRIVER_SYSTEMD,  ":p:n",        "x",  "|p-n.scope", false },
	{ CG_DRIVER_SYSTEMD,  "a.slice::n",  "x",  "a.slice|n.scope", false },
	{ CG_DRIVER_SYSTEMD,  "a.slice:p:t.slice", "x", "a.slice|t.slice", false },
	{ CG_DRIVER_SYSTEMD,  NULL,          "x",  "|moat-x.scope", false },
	{ CG_DRIVER_SYSTEMD,  NULL,          "a+b", "|moat-a\\x2bb.scope", false },
	{ CG_DRIVER_SYSTEMD,  "/a/b",        "x",  NULL, false },
	{ CG_DRIVER_SYSTEMD,  "a:b",         "x",  NULL, false },
	{ CG_DRIVER_SYSTEMD,  "a:b:c:d",     "x",  NULL, false },
	{ CG_DRIVER_SYSTEMD,  "a:b:c",       "x",  NULL, false },
	{ CG_DRIVER_SYSTEMD,  ".slice:b:c",  "x",  NULL, false },
	{ CG_DRIVER_SYSTEMD,  "a.slice:b:",  "x",  NULL, false },
	{ CG_DRIVER_SYSTEMD,  "a.slice:b:c/d", "x", NULL, false },
	{ CG_DRIVER_SYSTEMD,  "a.slice:b:-.slice", "x", NULL, false },
	{ 99,                 "/a",          "x",  NULL, false },
};
/* clang-format on */

static char *told(const struct cg_place *p)
{
	if (p->unit)
		return str_printf("%s|%s", p->slice ? p->slice : "", p->unit);
	return strdup(p->path);
}

TEST(paths_are_taken_apart)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(cg_place_done) struct cg_place p = { 0 };
		autofree char *text = NULL;
		struct err e = { 0 };
		int r;

		r = cg_place_parse(rows[i].driver, rows[i].path, rows[i].name,
				   &p, &e);
		CHECK(e.text[0] != 0 || r == 0);
		text = r < 0 ? NULL : told(&p);
		if (!CHECK_STR(text, rows[i].want) ||
		    !CHECK_INT(p.relative, rows[i].relative))
			tap_note("'%s': %s", rows[i].path, e.text);
	}
}

TEST(very_long_paths_are_refused)
{
	char path[5000] = "/";
	struct err e = { 0 };

	memset(path + 1, 'x', 300);
	CHECK_INT(cg_path_check(CG_DRIVER_CGROUPFS, path, &e), -ENAMETOOLONG);
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 2 ? 'a' : '/';
	CHECK_INT(cg_path_check(CG_DRIVER_CGROUPFS, path, &e), -ENAMETOOLONG);
	(void)snprintf(path, sizeof(path), "a.slice:p:%0300d", 1);
	CHECK_INT(cg_path_check(CG_DRIVER_SYSTEMD, path, &e), -ENAMETOOLONG);
}

TEST(a_list_that_reaches_beyond_another_is_seen)
{
	CHECK_INT(cg_list_missing("0-3", "0-3"), -1);
	CHECK_INT(cg_list_missing("1,2", "0-3"), -1);
	CHECK_INT(cg_list_missing("0-4", "0-3"), 4);
	CHECK_INT(cg_list_missing("2-7", "0-3,7"), 4);
	CHECK_INT(cg_list_missing("2-7", "0-3,4-9"), -1);
	CHECK_INT(cg_list_missing("5", ""), 5);
	CHECK_INT(cg_list_missing("", "0"), -1);
	CHECK(cg_list_missing("x", "0") < -1);
	CHECK(cg_list_missing("3-1", "0-9") < -1);
}

static const struct tap_test tests[] = {
	TAP(the_mount_table_tells_who_holds_what),
	TAP(what_is_covered_by_another_mount_does_not_count),
	TAP(our_own_v2_group_is_found),
	TAP(paths_are_taken_apart),
	TAP(very_long_paths_are_refused),
	TAP(a_list_that_reaches_beyond_another_is_seen),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

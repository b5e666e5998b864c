/* SPDX-License-Identifier: Apache-2.0 */
/* resctrl on a tree of files; what the kernel makes of a mkdir, a thread of
 * the test would have to: so classes that are to be written stand there. */
#include "cgroups/rdt.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "tests/unit/scratch.h"

static const char schemata_there[] = "    MB:0=100;1=50\n    L3:0=0fffff;1=0ff";

static void make_class(const struct scratch *s, const char *name)
{
	autofree char *dir = str_printf("%s/%s", s->path, name);
	struct scratch class = SCRATCH_INIT;
	int n;

	REQUIRE(dir && (mkdir(dir, 0755) == 0 || errno == EEXIST));
	n = snprintf(class.path, sizeof(class.path), "%s", dir);
	REQUIRE(n > 0 && (size_t)n < sizeof(class.path));
	class.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)scratch_write(&class, "schemata", schemata_there);
	(void)scratch_write(&class, "tasks", "");
	(void)CHECK(mkdirat(class.fd, "mon_groups", 0755) == 0);
	(void)close(class.fd);
}

#define LINES(...) ((char *const[]){ __VA_ARGS__, NULL })
#define S(s)	   ((char *)(s))

TEST(a_class_that_is_there_must_say_what_is_asked_for)
{
	static const struct {
		const char *line;
		bool same;
	} rows[] = {
		{ "L3:0=fffff", true },	      { "L3:0=0FFFFF;1=ff", true },
		{ "L3:1=0ff", true },	      { "MB:0=100", true },
		{ "MB: 0=100; 1=50;", true }, { "L3:0=ffff", false },
		{ "L3:0=fffff;2=ff", false }, { "L3:0", false },
		{ "L2:0=ff", false },	      { "3:0=fffff", false },
		{ "MB:0=10", false },	      { "", false },
	};
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;

	REQUIRE(scratch_init(&s));
	make_class(&s, "gold");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cg_rdt r = {
			.root = s.path,
			.class = "gold",
			.name = "box",
			.schemata = LINES(S(rows[i].line)),
		};
		struct err e = { 0 };
		int got = cg_rdt_create(&r, &e);

		if (!CHECK_INT(got, rows[i].same ? 0 : -EEXIST))
			(void)CHECK_STR(rows[i].line, "");
		if (got < 0)
			(void)CHECK_HAS(e.text, "class 'gold' is there");
	}
	/* It was looked at, not written. */
	(void)scratch_holds(&s, "gold/schemata", schemata_there);
}

TEST(a_class_that_nothing_is_said_of_must_be_there)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct cg_rdt r = { .class = "gold", .name = "box" };
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	r.root = s.path;
	(void)CHECK_INT(cg_rdt_create(&r, &e), -ENOENT);
	(void)CHECK_HAS(e.text, "class 'gold'");
	make_class(&s, "gold");
	(void)CHECK_OK(cg_rdt_create(&r, &e), &e);
	/* Nor is it removed. */
	(void)CHECK_OK(cg_rdt_delete(&r, &e), &e);
	(void)CHECK(scratch_has(&s, "gold"));
}

TEST(processes_join_their_class_and_their_group)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct cg_rdt r = { .class = "gold", .name = "box" };
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	make_class(&s, "gold");
	r.root = s.path;
	r.monitoring = true;
	REQUIRE_OK(cg_rdt_check(&r, &e), &e);
	REQUIRE_OK(cg_rdt_create(&r, &e), &e);
	(void)CHECK(scratch_has(&s, "gold/mon_groups/box"));
	(void)CHECK_INT(cg_rdt_check(&r, &e), -EEXIST);
	(void)scratch_write(&s, "gold/mon_groups/box/tasks", "");
	REQUIRE_OK(cg_rdt_join(&r, 4711, &e), &e);
	(void)scratch_holds(&s, "gold/tasks", "4711");
	(void)scratch_holds(&s, "gold/mon_groups/box/tasks", "4711");
	(void)CHECK(unlinkat(s.fd, "gold/mon_groups/box/tasks", 0) == 0);
	(void)CHECK_OK(cg_rdt_delete(&r, &e), &e);
	(void)CHECK(!scratch_has(&s, "gold/mon_groups/box"));
	(void)CHECK(scratch_has(&s, "gold"));
	(void)CHECK_OK(cg_rdt_delete(&r, &e), &e);
}

TEST(without_a_name_the_class_is_the_containers_own)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct cg_rdt r = { .name = "box" };
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	r.root = s.path;
	REQUIRE_OK(cg_rdt_check(&r, &e), &e);
	REQUIRE_OK(cg_rdt_create(&r, &e), &e);
	(void)CHECK(scratch_has(&s, "box"));
	/* A second container of that name would share it. */
	(void)CHECK_INT(cg_rdt_check(&r, &e), -EEXIST);
	(void)CHECK_OK(cg_rdt_delete(&r, &e), &e);
	(void)CHECK(!scratch_has(&s, "box"));
}

TEST(what_the_kernel_refuses_leaves_no_class)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct cg_rdt r = { .class = "new", .name = "box" };
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	REQUIRE(mkdirat(s.fd, "info", 0755) == 0);
	(void)scratch_write(&s, "info/last_cmd_status", "mask is too small\n");
	r.root = s.path;
	r.schemata = LINES(S("L3:0=1"));
	/* A folder that is no class has no such file. */
	(void)CHECK_INT(cg_rdt_create(&r, &e), -ENOENT);
	(void)CHECK_HAS(e.text, "schemata");
	(void)CHECK_HAS(e.text, "mask is too small");
	(void)CHECK(!scratch_has(&s, "new"));
}

TEST(an_update_writes_the_lines)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct cg_rdt r = { .class = "/", .name = "box" };
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	make_class(&s, ".");
	r.root = s.path;
	(void)scratch_write(&s, "schemata", "");
	r.schemata = LINES(S("L3:0=f"));
	REQUIRE_OK(cg_rdt_update(&r, &e), &e);
	(void)scratch_holds(&s, "schemata", "L3:0=f");
}

/* What runc prints of such a tree, member by member. */
TEST(numbers_are_written_as_runc_writes_them)
{
	static const struct {
		const char *path, *text; /* NULL: a folder */
	} tree[] = {
		{ "info", NULL },
		{ "info/L3", NULL },
		{ "info/L3/cbm_mask", "fffff\n" },
		{ "info/L3/min_cbm_bits", "1\n" },
		{ "info/L3/num_closids", "16\n" },
		{ "info/MB", NULL },
		{ "info/MB/bandwidth_gran", "10\n" },
		{ "info/MB/delay_linear", "0\n" },
		{ "schemata", "    MB:0=100\n    L3:0=fffff\n" },
		{ "gold/mon_groups/box", NULL },
		{ "gold/mon_groups/box/mon_data", NULL },
		{ "gold/mon_groups/box/mon_data/mon_L3_01", NULL },
		{ "gold/mon_groups/box/mon_data/mon_L3_01/llc_occupancy",
		  "5\n" },
		{ "gold/mon_groups/box/mon_data/mon_L3_00", NULL },
		{ "gold/mon_groups/box/mon_data/mon_L3_00/llc_occupancy",
		  "Unavailable\n" },
		{ "gold/mon_groups/box/mon_data/mon_L3_00/mbm_total_bytes",
		  "70\n" },
		{ "gold/mon_groups/box/mon_data/mon_L3_00/mbm_local_bytes",
		  "60\n" },
	};
	static const char want[] =
		"{\"intel_rdt\":{\"l3_cache_info\":{\"cbm_mask\":\"fffff\","
		"\"min_cbm_bits\":1,\"num_closids\":16},"
		"\"l3_cache_schema_root\":\"L3:0=fffff\","
		"\"l3_cache_schema\":\"L3:0=0fffff;1=0ff\","
		"\"mem_bw_info\":{\"bandwidth_gran\":10},"
		"\"mem_bw_schema_root\":\"MB:0=100\","
		"\"mem_bw_schema\":\"MB:0=100;1=50\",\"mbm_stats\":"
		"[{\"mbm_total_bytes\":70,\"mbm_local_bytes\":60},{}],"
		"\"cmt_stats\":[{},{\"llc_occupancy\":5}]}}";
	_cleanup_(json_out_done) struct json_out o = { 0 };
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct cg_rdt r = { .class = "gold",
			    .name = "box",
			    .monitoring = true };
	autofree char *text = NULL;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	r.root = s.path;
	make_class(&s, "gold");
	for (size_t i = 0; i < ARRAY_SIZE(tree); i++)
		REQUIRE(tree[i].text
				? scratch_write(&s, tree[i].path, tree[i].text)
				: mkdirat(s.fd, tree[i].path, 0755) == 0);
	json_out_begin(&o, '{');
	cg_rdt_write(&r, &o);
	json_out_end(&o, '}');
	REQUIRE_OK(json_out_take(&o, &text, NULL, &e), &e);
	CHECK_STR(text, want);
}

TEST(a_host_without_resctrl_has_no_numbers)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };
	const struct cg_rdt r = { .root = "/no/such", .name = "box" };
	autofree char *text = NULL;
	struct err e = { 0 };

	json_out_begin(&o, '{');
	cg_rdt_write(&r, &o);
	json_out_end(&o, '}');
	REQUIRE_OK(json_out_take(&o, &text, NULL, &e), &e);
	CHECK_STR(text, "{\"intel_rdt\":{}}");
}

TEST(a_host_without_resctrl_is_named)
{
	const struct cg_rdt r = { .name = "box" };
	struct err e = { 0 };

	if (access("/sys/fs/resctrl/schemata", F_OK) == 0)
		SKIP("this host has it");
	(void)CHECK_INT(cg_rdt_create(&r, &e), -EOPNOTSUPP);
	(void)CHECK_HAS(e.text, "no resctrl is mounted on '/sys/fs/resctrl'");
	(void)CHECK_OK(cg_rdt_delete(&r, &e), &e);
}

static const struct tap_test tests[] = {
	TAP(a_class_that_is_there_must_say_what_is_asked_for),
	TAP(a_class_that_nothing_is_said_of_must_be_there),
	TAP(processes_join_their_class_and_their_group),
	TAP(without_a_name_the_class_is_the_containers_own),
	TAP(what_the_kernel_refuses_leaves_no_class),
	TAP(an_update_writes_the_lines),
	TAP(numbers_are_written_as_runc_writes_them),
	TAP(a_host_without_resctrl_has_no_numbers),
	TAP(a_host_without_resctrl_is_named),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

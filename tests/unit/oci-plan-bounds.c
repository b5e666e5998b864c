/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oci-plan-rows.h"

/* What is just within: the last that is accepted, and lists at their end. */

static void check_accepted(const struct row *rows, size_t n,
			   const struct plan_context *ctx)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		autofree char *text = row_text(&rows[i]);
		struct err e = { 0 };

		if (!CHECK_OK(test_parse(text, ctx, &p, &e), &e))
			tap_note("in %s", text);
	}
}

/* clang-format off */

TEST(the_last_that_is_accepted)
{
	static const struct row rows[] = {
		{ .top = "\"hostname\":\"" A10 A10 A10 A10 A10 A10 "aaaa\"" },
		{ .namespaces = NS("mount") "," NS("time"), .os = "\"timeOffsets\":{\"monotonic\":{\"nanosecs\":999999999}}" },
		{ .os = DEVICE("\"type\":\"c\",\"major\":4095,\"minor\":1048575") },
		{ .os = DEVICE("\"type\":\"b\",\"major\":0,\"minor\":0") },
		{ .os = RES("\"memory\":{\"limit\":10,\"swap\":10,\"reservation\":10,\"swappiness\":100,\"useHierarchy\":true}") },
		{ .os = RES("\"memory\":{\"limit\":-1,\"swap\":-1,\"reservation\":10}") },
		{ .os = RES("\"memory\":{\"reservation\":10}") },
		{ .os = RES("\"cpu\":{\"period\":1000,\"quota\":1000,\"burst\":1000,\"idle\":0}") },
		{ .os = RES("\"cpu\":{\"period\":1000000,\"quota\":-1,\"burst\":5,\"cpus\":\"\",\"mems\":\"\"}") },
		{ .os = RES("\"cpu\":{\"realtimeRuntime\":10,\"realtimePeriod\":10}") },
		{ .os = RES("\"cpu\":{\"realtimeRuntime\":-1,\"realtimePeriod\":10}") },
		{ .os = RES("\"pids\":{\"limit\":-1}") },
		{ .os = RES("\"pids\":{},\"network\":{\"classID\":0}") },
		{ .os = RES("\"memory\":{\"disableOOMKiller\":true}") },
		{ .os = "\"cgroupsPath\":\"\"" },
		{ .os = RES("\"blockIO\":{\"weight\":10,\"leafWeight\":1000}") },
		{ .os = RES("\"blockIO\":{\"weightDevice\":[{\"major\":4095,\"minor\":0,\"weight\":1000,\"leafWeight\":10}]}") },
		{ .os = RES("\"hugepageLimits\":[{\"pageSize\":\"1234567KB\",\"limit\":1}]") },
		{ .os = "\"intelRdt\":{\"closID\":\"/\"}" },
		{ .process = RUN ",\"terminal\":true,\"consoleSize\":{\"height\":65535,\"width\":65535}" },
		{ .process = RUN ",\"consoleSize\":{\"height\":4294967295,\"width\":0}" },
		{ .process = RUN ",\"user\":{\"umask\":511}" },
		{ .process = RUN ",\"oomScoreAdj\":-1000" },
		{ .process = RUN ",\"oomScoreAdj\":1000" },
		{ .top = HOOK("{\"path\":\"/h\",\"timeout\":2147483647}") },
		{ .top = NOTE("moat.vm.vcpus", "4") ",\"vm\":{}" },
		{ .top = "\"vm\":{\"hwConfig\":{\"memory\":134217728,\"dtdevs\":[],\"iomems\":[],\"irqs\":[]}}" },
		{ .top = "\"vm\":{\"hwConfig\":{\"memory\":8589934592}}" },
		{ .top = NOTE("moat.vm.timeout", "0.001") },
		{ .top = NOTE("moat.vm.pin", "0-1023") },
		{ .top = "\"annotations\":{\"moat.rootfs.layers\":\"/a\",\"moat.rootfs.scratch\":\"/b\"}" },
		{ .mounts = "{\"destination\":\"/m\",\"type\":\"devpts\",\"options\":[\"gid=5\"]}" },
		{ .namespaces = USER, .os = MAPS(MAP("0", "0", "1"), MAP("0", "0", "1")),
		  .mounts = "{\"destination\":\"/m\",\"type\":\"tmpfs\",\"options\":[\"gid=0\",\"uid=0\",\"size=1\",\"uid=x\"]}" },
		{ .top = NOTE("moat.vm.timeout", "2147483.647") },
	};

	check_accepted(rows, ARRAY_SIZE(rows), &test_machine);
}

/* clang-format on */

/* n entries, with their numbers in place of '#', and commas between. */
static char *repeat(const char *entry, char separator, size_t n)
{
	const char *hash = strchr(entry, '#');
	size_t size = n * (strlen(entry) + 16) + 1;
	char *list = calloc(1, size);

	if (!list)
		return NULL;
	for (size_t i = 0, at = 0; i < n; i++) {
		if (i > 0)
			list[at++] = separator;
		at += (size_t)snprintf(list + at, size - at, "%.*s%zu%s",
				       (int)(hash - entry), entry, i, hash + 1);
	}
	return list;
}

#define BEFORE                                                                 \
	"{\"ociVersion\":\"1.3.0\",\"process\":{" RUN                          \
	"},\"root\":{\"path\":\"r\"},"
#define LINUX BEFORE "\"linux\":{\"namespaces\":[" ALL "],"

struct many {
	const char *before, *entry, *after;
	char separator;
	size_t max;
};

static void check_count(const struct many *m, size_t n)
{
	_cleanup_(plan_done) struct plan p = { 0 };
	autofree char *list = repeat(m->entry, m->separator, n);
	autofree char *text = str_printf("%s%s%s", m->before, list, m->after);
	struct err e = { 0 };

	(void)test_parse(text, &test_machine, &p, &e);
	if (!CHECK_INT(e.code == 0, n == m->max))
		tap_note("%zu of %s: %s", n, m->entry, e.text);
}

TEST(so_many_are_accepted_and_one_more_is_not)
{
	/* clang-format off */
	static const struct many rows[] = {
		{ LINUX "\"netDevices\":{", "\"eth#\":{}", "}}}", ',', 256 },
		{ LINUX "\"intelRdt\":{\"schemata\":[", "\"L3:#=f\"", "]}}}", ',', 256 },
		{ LINUX "\"intelRdt\":{\"l3CacheSchema\":\"", "L3:#=f\\", "n\"}}}", 'n', 255 },
		{ BEFORE "\"linux\":{\"namespaces\":[" ALL "]},\"annotations\":{\"moat.rootfs.layers\":\"", "/#", "\"}}", ':', 500 },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		check_count(&rows[i], rows[i].max);
		check_count(&rows[i], rows[i].max + 1);
	}
}

TEST(names_are_as_long_as_files_names_may_be)
{
	for (int n = 255; n <= 256; n++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		autofree char *text = str_printf(
			LINUX "\"intelRdt\":{\"closID\":\"%0*d\"}}}", n, 7);
		struct err e = { 0 };

		(void)test_parse(text, &test_machine, &p, &e);
		(void)CHECK_INT(e.code == 0, n == 255);
	}
}

TEST(every_resource_may_be_limited_once)
{
	static const char *const names[] = {
		"AS",	   "CORE",     "CPU",	     "DATA",   "FSIZE", "LOCKS",
		"MEMLOCK", "MSGQUEUE", "NICE",	     "NOFILE", "NPROC", "RSS",
		"RTPRIO",  "RTTIME",   "SIGPENDING", "STACK",
	};
	_cleanup_(plan_done) struct plan p = { 0 };
	autofree char *list = strdup(""), *text = NULL;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *more = str_printf("%s%s{\"type\":\"RLIMIT_%s\","
					"\"soft\":0,\"hard\":0}",
					list, i > 0 ? "," : "", names[i]);

		free(list);
		list = more;
	}
	text = str_printf("{\"ociVersion\":\"1.3.0\",\"process\":{" RUN
			  ",\"rlimits\":[%s]},\"root\":{\"path\":\"r\"},"
			  "\"linux\":{\"namespaces\":[" ALL "]}}",
			  list);
	REQUIRE_OK(test_parse(text, &test_machine, &p, &e), &e);
	(void)CHECK_INT(p.process.rlimits.n, 16);
}

static const struct tap_test tests[] = {
	TAP(the_last_that_is_accepted),
	TAP(so_many_are_accepted_and_one_more_is_not),
	TAP(names_are_as_long_as_files_names_may_be),
	TAP(every_resource_may_be_limited_once),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

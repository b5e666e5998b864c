/* SPDX-License-Identifier: Apache-2.0 */
/* What annotations make of a plan, and versions of what they annotate. */
#include "tests/unit/oci-plan-rows.h"

static void make(const struct row *row, struct plan *p)
{
	autofree char *text = row_text(row);
	struct err e = { 0 };

	REQUIRE(text);
	(void)CHECK_OK(test_parse(text, &test_machine, p, &e), &e);
}

#define PLAN(p, ...)                                                           \
	_cleanup_(plan_done) struct plan p = { 0 };                            \
	make(&(const struct row){ __VA_ARGS__ }, &p)

TEST(groups_of_the_caller_are_kept_unless_it_says_0)
{
	PLAN(kept, .top = NOTE("run.oci.keep_original_groups", "1"));
	PLAN(not, .top = NOTE("run.oci.keep_original_groups", "0"));

	CHECK(kept.process.user.keep_groups);
	CHECK(!not .process.user.keep_groups);
}

TEST(hooks_write_where_they_are_told_to)
{
	PLAN(p, .top = "\"annotations\":{\"run.oci.hooks.stdout\":\"/o\","
		       "\"run.oci.hooks.stderr\":\"/e\"}");

	CHECK_STR(p.hooks_stdout, "/o");
	CHECK_STR(p.hooks_stderr, "/e");
}

#define SECCOMP                                                                \
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["     \
	"{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}"

TEST(a_receiver_of_seccomp_may_be_named_by_an_annotation)
{
	PLAN(p, .os = SECCOMP, .top = NOTE("run.oci.seccomp.receiver", "/r"));

	REQUIRE(p.seccomp);
	CHECK_STR(p.seccomp->listener_path, "/r");
}

#define UNKNOWN                                                                \
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["     \
	"{\"names\":[\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\"}]}"

TEST(an_unknown_system_call_fails_if_that_is_asked_for)
{
	PLAN(strict, .os = UNKNOWN,
	     .top = NOTE("run.oci.seccomp_fail_unknown_syscall", "1"));
	PLAN(lax, .os = UNKNOWN,
	     .top = NOTE("run.oci.seccomp_fail_unknown_syscall", "0"));

	REQUIRE(strict.seccomp && lax.seccomp);
	CHECK(strict.seccomp->strict);
	CHECK(!lax.seccomp->strict);
}

TEST(krun_is_a_virtual_machine_unless_isolation_says_otherwise)
{
	PLAN(vm, .top = NOTE("run.oci.handler", "krun"));
	PLAN(both, .top = "\"annotations\":{\"run.oci.handler\":\"krun\","
			  "\"moat.isolation\":\"container\"}");

	CHECK_INT(vm.isolation, PLAN_VM);
	CHECK_INT(both.isolation, PLAN_CONTAINER);
}

TEST(clocks_have_names_or_numbers)
{
	PLAN(boot, .namespaces = ALL "," NS("time"),
	     .top = NOTE("run.oci.timens_offset", "7 5 6"));
	PLAN(mono, .namespaces = ALL "," NS("time"),
	     .top = NOTE("run.oci.timens_offset", "1 -5 6"));
	PLAN(name, .namespaces = ALL "," NS("time"),
	     .top = NOTE("run.oci.timens_offset", "boottime 1 0"));

	REQUIRE(boot.time_offsets.n == 1 && mono.time_offsets.n == 1 &&
		name.time_offsets.n == 1);
	CHECK_STR(boot.time_offsets.v[0].clock, "boottime");
	CHECK_INT(boot.time_offsets.v[0].secs, 5);
	CHECK_INT(boot.time_offsets.v[0].nanosecs, 6);
	CHECK_STR(mono.time_offsets.v[0].clock, "monotonic");
	CHECK_INT(mono.time_offsets.v[0].secs, -5);
	CHECK_STR(name.time_offsets.v[0].clock, "boottime");
}

TEST(what_is_not_ours_changes_nothing)
{
	PLAN(plain, .top = NULL);
	PLAN(p, .top = "\"annotations\":{\"org.example.a\":\"1\","
		       "\"run.oci.unheard\":\"1\","
		       "\"run.oci.systemd.subgroup\":\"x\"}");

	CHECK_INT(p.isolation, plain.isolation);
	CHECK_STR(p.cgroup.path, plain.cgroup.path);
}

/* Older versions could not tell "no limit" from "not said"; there is no group
 * without a single task. */
TEST(a_limit_of_0_tasks_is_none_before_version_1_3)
{
	static const char *const versions[] = { "1.0.0", "1.2.1", "1.3.0" };
	static const int64_t limits[] = { -1, -1, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		autofree char *text = str_printf(
			"{\"ociVersion\":\"%s\",\"root\":{\"path\":\"r\"},"
			"\"process\":{%s},\"linux\":{\"namespaces\":[%s],%s}}",
			versions[i], RUN, ALL, RES("\"pids\":{\"limit\":0}"));
		_cleanup_(plan_done) struct plan p = { 0 };
		struct err e = { 0 };

		REQUIRE_OK(test_parse(text, &test_machine, &p, &e), &e);
		CHECK(p.limits.pids_max.set);
		CHECK_INT(p.limits.pids_max.v, limits[i]);
	}
}

TEST(a_configuration_needs_a_program_and_a_root_of_its_own)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
		  "\"linux\":{\"namespaces\":[" ALL "]}}",
		  "process: missing" },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"},"
		  "\"process\":{" RUN "},\"linux\":{\"namespaces\":[" ALL "]}}",
		  "root: path: the host's own root cannot be moved into" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		struct err e = { 0 };

		CHECK_INT(test_parse(rows[i].text, &test_machine, &p, &e),
			  -EINVAL);
		CHECK_HAS(e.text, rows[i].want);
	}
}

static const struct tap_test tests[] = {
	TAP(groups_of_the_caller_are_kept_unless_it_says_0),
	TAP(hooks_write_where_they_are_told_to),
	TAP(a_receiver_of_seccomp_may_be_named_by_an_annotation),
	TAP(an_unknown_system_call_fails_if_that_is_asked_for),
	TAP(krun_is_a_virtual_machine_unless_isolation_says_otherwise),
	TAP(clocks_have_names_or_numbers),
	TAP(what_is_not_ours_changes_nothing),
	TAP(a_limit_of_0_tasks_is_none_before_version_1_3),
	TAP(a_configuration_needs_a_program_and_a_root_of_its_own),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

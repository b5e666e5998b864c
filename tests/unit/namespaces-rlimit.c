/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/rlimit.h"

#include <sys/resource.h>

#include "base/proc.h"
#include "tests/unit/namespaces-world.h"

#define S(s) ((char *)(s))

static const char *const names[] = {
	"RLIMIT_AS",	  "RLIMIT_CORE",     "RLIMIT_CPU",
	"RLIMIT_DATA",	  "RLIMIT_FSIZE",    "RLIMIT_LOCKS",
	"RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_NICE",
	"RLIMIT_NOFILE",  "RLIMIT_NPROC",    "RLIMIT_RSS",
	"RLIMIT_RTPRIO",  "RLIMIT_RTTIME",   "RLIMIT_SIGPENDING",
	"RLIMIT_STACK",
};

TEST(all_sixteen_names_are_known)
{
	CHECK_INT(ARRAY_SIZE(names), RLIM_NLIMITS);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct ns_rlimit l = { S(names[i]), 0, 1 };
		struct err e = { 0 };

		CHECK_OK(ns_rlimit_check(&l, &e), &e);
	}
}

TEST(unknown_names_and_reversed_limits_are_refused)
{
	const struct ns_rlimit bad[] = {
		{ S("RLIMIT_FOO"), 1, 1 },
		{ S("NOFILE"), 1, 1 },
		{ S("rlimit_nofile"), 1, 1 },
		{ S(""), 1, 1 },
		{ NULL, 1, 1 },
		{ S("RLIMIT_CORE"), 2, 1 },
		{ S("RLIMIT_CORE"), UINT64_MAX, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = { 0 };

		if (!CHECK_INT(ns_rlimit_check(&bad[i], &e), -EINVAL))
			tap_note("case %zu", i);
	}
}

static void check_set(void)
{
	const struct ns_rlimit l = { S("RLIMIT_NOFILE"), 50, 100 };
	struct rlimit now;
	struct err e = { 0 };

	REQUIRE_OK(ns_rlimit_set(0, &l, &e), &e);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0);
	CHECK_INT(now.rlim_cur, 50);
	CHECK_INT(now.rlim_max, 100);
}

TEST(a_limit_is_set)
{
	in_world(check_set);
}

static void check_other(void)
{
	const struct ns_rlimit l = { S("RLIMIT_CORE"), 0, 0 };
	struct err e = { 0 };
	struct rlimit now;
	int ends[2], status = 0;
	pid_t pid;
	char x;

	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[1]);
		(void)!read(ends[0], &x, 1);
		(void)getrlimit(RLIMIT_CORE, &now);
		_exit(now.rlim_max != 0);
	}
	CHECK_OK(ns_rlimit_set(pid, &l, &e), &e);
	(void)close(ends[1]);
	(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
	CHECK_INT(status, 0);
}

TEST(a_limit_is_set_for_another_process)
{
	in_world(check_other);
}

static void check_refused(void)
{
	struct ns_rlimit l = { S("RLIMIT_CORE"), 0, 0 };
	struct err e = { 0 };

	/* In a user namespace nobody may raise what was given up. */
	REQUIRE_OK(ns_rlimit_set(0, &l, &e), &e);
	l.hard = 1;
	CHECK_INT(ns_rlimit_set(0, &l, &e), -EPERM);
	CHECK_STR(
		e.text,
		"set RLIMIT_CORE to 1: above our own limit needs CAP_SYS_RESOURCE");
	l.type = S("RLIMIT_NONE");
	CHECK_INT(ns_rlimit_set(0, &l, &e), -EINVAL);
}

TEST(a_limit_above_our_own_says_what_it_needs)
{
	in_user_world(check_refused);
}

static void check_oom(void)
{
	int procfd;
	struct err e = { 0 };

	procfd = proc_open_fs(&e);
	REQUIRE_OK(procfd, &e);
	REQUIRE_OK(ns_oom_score_set(procfd, 0, 500, &e), &e);
	CHECK_STR(world_text("/proc/self/oom_score_adj"), "500");
	REQUIRE_OK(ns_oom_score_set(procfd, getpid(), 600, &e), &e);
	CHECK_STR(world_text("/proc/self/oom_score_adj"), "600");
	CHECK(ns_oom_score_set(procfd, 0, 1001, &e) < 0);
	CHECK(ns_oom_score_set(procfd, 0, -1000, &e) < 0);
	CHECK_HAS(e.text, "needs CAP_SYS_RESOURCE");
}

TEST(the_oom_score_is_written_to_the_real_procfs)
{
	in_user_world(check_oom);
}

static const struct tap_test tests[] = {
	TAP(all_sixteen_names_are_known),
	TAP(unknown_names_and_reversed_limits_are_refused),
	TAP(a_limit_is_set),
	TAP(a_limit_is_set_for_another_process),
	TAP(a_limit_above_our_own_says_what_it_needs),
	TAP(the_oom_score_is_written_to_the_real_procfs),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

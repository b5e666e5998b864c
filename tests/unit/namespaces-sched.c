/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/sched.h"

#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/unit/namespaces-world.h"

#define S(s)	((char *)(s))
#define LIST(x) ((char *[]){ S(x), NULL })

/* clang-format off */
static const struct {
	struct ns_sched s;
	const char *says; /* NULL: fine */
} scheds[] = {
	{ { .policy = S("SCHED_OTHER"), .nice = 19 }, NULL },
	{ { .policy = S("SCHED_BATCH"), .nice = -20 }, NULL },
	{ { .policy = S("SCHED_IDLE") }, NULL },
	{ { .policy = S("SCHED_FIFO"), .priority = 99 }, NULL },
	{ { .policy = S("SCHED_RR"), .priority = 1, .flags = LIST("SCHED_FLAG_RESET_ON_FORK") }, NULL },
	{ { .policy = S("SCHED_DEADLINE"), .runtime = 1024, .deadline = 2000, .period = 3000 }, NULL },
	{ { .policy = S("SCHED_DEADLINE"), .runtime = 2000, .deadline = 2000 }, NULL },
	{ { .policy = NULL }, "unknown scheduler policy" },
	{ { .policy = S("SCHED_NORMAL") }, "unknown scheduler policy 'SCHED_NORMAL'" },
	{ { .policy = S("SCHED_ISO") }, "no kernel has it" },
	{ { .policy = S("SCHED_OTHER"), .nice = 20 }, "not in -20..19" },
	{ { .policy = S("SCHED_OTHER"), .nice = -21 }, "not in -20..19" },
	{ { .policy = S("SCHED_OTHER"), .priority = 1 }, "SCHED_FIFO and SCHED_RR only" },
	{ { .policy = S("SCHED_FIFO") }, "not in 1..99" },
	{ { .policy = S("SCHED_FIFO"), .priority = 100 }, "not in 1..99" },
	{ { .policy = S("SCHED_OTHER"), .flags = LIST("SCHED_FLAG_X") }, "unknown scheduler flag" },
	{ { .policy = S("SCHED_OTHER"), .runtime = 5000 }, "SCHED_DEADLINE only" },
	{ { .policy = S("SCHED_OTHER"), .period = 5000 }, "SCHED_DEADLINE only" },
	{ { .policy = S("SCHED_DEADLINE"), .runtime = 5000 }, "needs a deadline" },
	{ { .policy = S("SCHED_DEADLINE"), .runtime = 1023, .deadline = 5000 }, "below 1024 ns" },
	{ { .policy = S("SCHED_DEADLINE"), .runtime = 6000, .deadline = 5000 }, "does not hold" },
	{ { .policy = S("SCHED_DEADLINE"), .runtime = 2000, .deadline = 5000, .period = 4999 }, "does not hold" },
	{ { .policy = S("SCHED_DEADLINE"), .runtime = 2000, .deadline = 5000, .period = UINT64_MAX }, "does not hold" },
};

static const struct {
	struct ns_io_priority p;
	const char *says;
} io_priorities[] = {
	{ { S("IOPRIO_CLASS_BE"), 7 }, NULL },
	{ { S("IOPRIO_CLASS_IDLE"), 0 }, NULL },
	{ { S("IOPRIO_CLASS_RT"), 0 }, NULL },
	{ { S("IOPRIO_CLASS_NONE"), 0 }, "unknown I/O priority class" },
	{ { NULL, 0 }, "unknown I/O priority class" },
	{ { S("IOPRIO_CLASS_BE"), 8 }, "not in 0..7" },
	{ { S("IOPRIO_CLASS_BE"), -1 }, "not in 0..7" },
};

static const struct {
	struct ns_memory_policy p;
	const char *says;
} policies[] = {
	{ { S("MPOL_DEFAULT"), NULL, NULL }, NULL },
	{ { S("MPOL_LOCAL"), S(""), NULL }, NULL },
	{ { S("MPOL_BIND"), S("0"), LIST("MPOL_F_STATIC_NODES") }, NULL },
	{ { S("MPOL_BIND"), S("0-3,7"), LIST("MPOL_F_NUMA_BALANCING") }, NULL },
	{ { S("MPOL_PREFERRED"), NULL, NULL }, NULL },
	{ { S("MPOL_PREFERRED_MANY"), S("0"), LIST("MPOL_F_NUMA_BALANCING") }, NULL },
	{ { S("MPOL_WEIGHTED_INTERLEAVE"), S("0"), NULL }, NULL },
	{ { S("MPOL_ELSEWHERE"), NULL, NULL }, "unknown memory policy" },
	{ { S("MPOL_DEFAULT"), S("0"), NULL }, "takes no nodes" },
	{ { S("MPOL_LOCAL"), S("0"), NULL }, "takes no nodes" },
	{ { S("MPOL_BIND"), NULL, NULL }, "needs nodes" },
	{ { S("MPOL_INTERLEAVE"), S(""), NULL }, "needs nodes" },
	{ { S("MPOL_BIND"), S("x"), NULL }, "not a list of nodes" },
	{ { S("MPOL_BIND"), S("3-1"), NULL }, "not a list of nodes" },
	{ { S("MPOL_BIND"), S("1024"), NULL }, "not a list of nodes" },
	{ { S("MPOL_BIND"), S("0"), LIST("MPOL_F_X") }, "unknown memory policy flag" },
	{ { S("MPOL_BIND"), S("0"), ((char *[]){ S("MPOL_F_STATIC_NODES"), S("MPOL_F_RELATIVE_NODES"), NULL }) }, "exclude each other" },
	{ { S("MPOL_PREFERRED"), NULL, LIST("MPOL_F_STATIC_NODES") }, "takes no flags" },
	{ { S("MPOL_INTERLEAVE"), S("0"), LIST("MPOL_F_NUMA_BALANCING") }, "for MPOL_BIND" },
};
/* clang-format on */

static void check_answer(int r, const struct err *e, const char *says, size_t i)
{
	bool held = says ? CHECK_INT(r, -EINVAL) && CHECK_HAS(e->text, says)
			 : CHECK_OK(r, e);

	if (!held)
		tap_note("case %zu", i);
}

TEST(schedulers_are_checked_as_the_kernel_would)
{
	for (size_t i = 0; i < ARRAY_SIZE(scheds); i++) {
		struct err e = { 0 };

		check_answer(ns_sched_check(&scheds[i].s, &e), &e,
			     scheds[i].says, i);
	}
}

TEST(io_priorities_are_checked)
{
	for (size_t i = 0; i < ARRAY_SIZE(io_priorities); i++) {
		struct err e = { 0 };

		check_answer(ns_io_priority_check(&io_priorities[i].p, &e), &e,
			     io_priorities[i].says, i);
	}
}

TEST(memory_policies_are_checked_as_the_kernel_would)
{
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct err e = { 0 };

		check_answer(ns_memory_policy_check(&policies[i].p, &e), &e,
			     policies[i].says, i);
	}
}

/* What needs no right: everything that makes us humbler. */
static void check_set(void)
{
	const struct ns_sched batch = { .policy = S("SCHED_BATCH"), .nice = 5 };
	const struct ns_sched idle = {
		.policy = S("SCHED_IDLE"),
		.flags = LIST("SCHED_FLAG_RESET_ON_FORK"),
	};
	const struct ns_io_priority io = { S("IOPRIO_CLASS_BE"), 6 };
	struct err e = { 0 };

	REQUIRE_OK(ns_sched_set(0, &batch, &e), &e);
	CHECK_INT(sched_getscheduler(0), SCHED_BATCH);
	CHECK_INT(getpriority(PRIO_PROCESS, 0), 5);
	REQUIRE_OK(ns_sched_set(getpid(), &idle, &e), &e);
	CHECK_INT(sched_getscheduler(0), SCHED_IDLE | SCHED_RESET_ON_FORK);
	REQUIRE_OK(ns_io_priority_set(0, &io, &e), &e);
	CHECK_INT(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0),
		  IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6));
}

TEST(scheduler_and_io_priority_are_set)
{
	in_world(check_set);
}

static void check_refused(void)
{
	const struct ns_sched fifo = { .policy = S("SCHED_FIFO"),
				       .priority = 1 };
	const struct ns_sched deadline = { .policy = S("SCHED_DEADLINE"),
					   .runtime = 100000,
					   .deadline = 1000000 };
	const struct ns_io_priority io = { S("IOPRIO_CLASS_RT"), 0 };
	struct err e = { 0 };

	CHECK_INT(ns_sched_set(0, &fifo, &e), -EPERM);
	CHECK_HAS(e.text, "set SCHED_FIFO: needs CAP_SYS_NICE");
	CHECK_INT(ns_sched_set(0, &deadline, &e), -EPERM);
	CHECK_HAS(e.text, "CAP_SYS_NICE");
	CHECK_INT(ns_io_priority_set(0, &io, &e), -EPERM);
	CHECK_HAS(e.text, "CAP_SYS_NICE");
}

TEST(what_needs_a_right_says_so)
{
	in_user_world(check_refused);
}

/* --- CPUs -----------------------------------------------------------------*/

TEST(lists_of_cpus_are_checked)
{
	static const char *const good[] = { "0", "0-3,7", "8191", "1,0" };
	static const char *const bad[] = { "",	 "a",  "0-",   "3-1",
					   "0,", "-1", "8192", "0 1" };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_OK(ns_affinity_check(good[i], &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK(ns_affinity_check(bad[i], &e) < 0))
			tap_note("list '%s'", bad[i]);
}

static void check_affinity(void)
{
	struct err e = { 0 };
	char list[16];
	cpu_set_t all, one;
	int last = -1;

	REQUIRE(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all))
			last = i;
	(void)snprintf(list, sizeof(list), "%d", last);
	REQUIRE_OK(ns_affinity_set(0, list, &e), &e);
	REQUIRE(sched_getaffinity(0, sizeof(one), &one) == 0);
	CHECK(CPU_COUNT(&one) == 1 && CPU_ISSET(last, &one));
	/* As after taskset(1): all that the cgroup allows. */
	REQUIRE_OK(ns_affinity_reset(getpid(), &e), &e);
	REQUIRE(sched_getaffinity(0, sizeof(one), &one) == 0);
	CHECK(CPU_COUNT(&one) >= CPU_COUNT(&all));

	CHECK_INT(ns_affinity_set(0, "8000-8191", &e), -EINVAL);
	CHECK_HAS(e.text, "allows none of them");
}

TEST(affinity_is_set_and_reset)
{
	in_world(check_affinity);
}

/* --- memory, personality --------------------------------------------------*/

static void check_memory(void)
{
	const struct ns_memory_policy bind = {
		.mode = S("MPOL_BIND"),
		.nodes = S("0"),
		.flags = LIST("MPOL_F_STATIC_NODES"),
	};
	const struct ns_memory_policy none = { .mode = S("MPOL_DEFAULT") };
	const struct ns_memory_policy far = { .mode = S("MPOL_BIND"),
					      .nodes = S("1000") };
	struct err e = { 0 };
	int mode = -1, r;

	r = ns_memory_policy_set(&bind, &e);
	if (r == -ENOSYS)
		return; /* a kernel without NUMA, and it says so */
	REQUIRE_OK(r, &e);
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0);
	CHECK_INT(mode, MPOL_BIND | MPOL_F_STATIC_NODES);
	REQUIRE_OK(ns_memory_policy_set(&none, &e), &e);
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0);
	CHECK_INT(mode, MPOL_DEFAULT);
	CHECK_INT(ns_memory_policy_set(&far, &e), -EINVAL);
	CHECK_HAS(e.text, "none of the nodes '1000'");
}

TEST(a_memory_policy_is_set)
{
	in_world(check_memory);
}

static void check_personality(void)
{
	const struct ns_personality p32 = { S("LINUX32"),
					    LIST("ADDR_NO_RANDOMIZE") };
	const struct ns_personality p64 = { S("LINUX"), NULL };
	struct err e = { 0 };

	REQUIRE_OK(ns_personality_check(&p32, &e), &e);
	REQUIRE_OK(ns_personality_set(&p32, &e), &e);
	CHECK_INT(personality(0xffffffff), PER_LINUX32 | ADDR_NO_RANDOMIZE);
	REQUIRE_OK(ns_personality_set(&p64, &e), &e);
	CHECK_INT(personality(0xffffffff), PER_LINUX);
}

TEST(a_personality_is_set)
{
	in_world(check_personality);
}

TEST(unknown_personalities_are_refused)
{
	const struct ns_personality bad[] = {
		{ S("LINUX64"), NULL },
		{ NULL, NULL },
		{ S("LINUX"), LIST("ADDR_RANDOMIZE") },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(ns_personality_check(&bad[i], &e), -EINVAL);
}

static const struct tap_test tests[] = {
	TAP(schedulers_are_checked_as_the_kernel_would),
	TAP(io_priorities_are_checked),
	TAP(memory_policies_are_checked_as_the_kernel_would),
	TAP(scheduler_and_io_priority_are_set),
	TAP(what_needs_a_right_says_so),
	TAP(lists_of_cpus_are_checked),
	TAP(affinity_is_set_and_reset),
	TAP(a_memory_policy_is_set),
	TAP(a_personality_is_set),
	TAP(unknown_personalities_are_refused),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/unit/cgroups-live.h"

static void fork_many(void)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(errno == EAGAIN ? i : 200);
		if (pid == 0)
			for_ever();
	}
	_exit(100);
}

TEST(forks_stop_at_the_limit_of_processes)
{
	const struct cg_limits l = { .pids_max = SET(10) };
	struct cg *cg = NULL;
	struct err e = { 0 };
	int r, status;

	NEED_GROUPS();
	r = make(&l, false, &cg, &e);
	if (r == -EOPNOTSUPP)
		SKIP("%.200s", e.text);
	REQUIRE_OK(r, &e);
	status = ended(start(cg, fork_many));
	CHECK_INT(WEXITSTATUS(status), 9);
	delete_it(cg);
}
WITH_SYSTEMD(forks_stop_at_the_limit_of_processes)

static void eat_memory(void)
{
	const size_t size = 64 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096)
		p[i] = 1;
	_exit(0);
}

TEST(who_exceeds_his_memory_is_killed_and_counted)
{
	const struct cg_limits l = {
		.memory_max = SET(16 << 20),
		.memory_swap_total = SET(16 << 20),
	};
	struct pollfd p = { .events = POLLIN };
	struct cg *cg = NULL;
	struct err e = { 0 };
	uint64_t kills = 0;
	pid_t pid;
	int r;

	NEED_GROUPS();
	r = make(&l, false, &cg, &e);
	if (r == -EOPNOTSUPP)
		SKIP("%.200s", e.text);
	REQUIRE_OK(r, &e);
	p.fd = cg_oom_open(cg, &e);
	CHECK_OK(p.fd, &e);
	/* Somebody survives: systemd removes an empty group at once. */
	(void)start(cg, for_ever);
	pid = start(cg, eat_memory);
	while (kills == 0 && poll(&p, 1, WAIT_MS) > 0)
		REQUIRE_OK(cg_oom_read(cg, p.fd, &kills, &e), &e);
	CHECK_INT(kills, 1);
	CHECK_INT(ended(pid), SIGKILL);
	(void)close(p.fd);
	delete_it(cg);
}
WITH_SYSTEMD(who_exceeds_his_memory_is_killed_and_counted)

TEST(the_kill_of_the_last_one_is_counted_too)
{
	const struct cg_limits l = {
		.memory_max = SET(16 << 20),
		.memory_swap_total = SET(16 << 20),
	};
	struct cg *cg = NULL;
	struct err e = { 0 };
	uint64_t kills = 0;
	int r, fd;

	NEED_GROUPS();
	r = make(&l, false, &cg, &e);
	if (r == -EOPNOTSUPP)
		SKIP("%.200s", e.text);
	REQUIRE_OK(r, &e);
	fd = cg_oom_open(cg, &e);
	CHECK_OK(fd, &e);
	CHECK_INT(ended(start(cg, eat_memory)), SIGKILL);
	if (live_driver == CG_DRIVER_SYSTEMD) {
		for (int i = 0; i < WAIT_MS && access(cg_path(cg), F_OK) == 0;
		     i++)
			(void)poll(NULL, 0, 1);
	}
	CHECK_OK(cg_oom_read(cg, fd, &kills, &e), &e);
	CHECK_INT(kills, 1);
	(void)close(fd);
	delete_it(cg);
}
WITH_SYSTEMD(the_kill_of_the_last_one_is_counted_too)

TEST(lines_of_the_kernels_log_are_told_apart)
{
	static const struct {
		const char *line;
		bool ours;
	} rows[] = {
		{ "6,1,2,-;oom-kill:x,task_memcg=/s/a.scope,task=x", true },
		{ "6,1,2,-;oom-kill:x,task_memcg=/s/a.scope/b,task=x", true },
		{ "6,1,2,-;oom-kill:x,task_memcg=/s/a.scope2,task=x", false },
		{ "6,1,2,-;oom-kill:x,task_memcg=/s/aa.scope,task=x", false },
		{ "6,1,2,-;oom-kill:x,oom_memcg=/a.scope,task=x", false },
		{ "6,1,2,-;said:,task_memcg=/s/a.scope,task=x", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!CHECK_INT(cg_oom_line(rows[i].line, "/a.scope"),
			       rows[i].ours))
			tap_note("%s", rows[i].line);
	}
}

TEST(an_envelope_may_be_there_already)
{
	autofree char *path = group_path(""), *below = NULL;
	const struct cg_config outer = { .path = path, .envelope = true };
	const struct cg_limits l = { .pids_max = SET(50) };
	struct cg_config inner = { 0 };
	struct cg *tenant = NULL, *again = NULL, *cg = NULL;
	struct err e = { 0 };
	int r;

	NEED_GROUPS();
	below = str_printf("%s/a", path);
	inner.path = below;
	r = cg_create(&outer, &l, &tenant, &e);
	if (r == -EOPNOTSUPP)
		SKIP("%.200s", e.text);
	REQUIRE_OK(r, &e);
	REQUIRE_OK(cg_create(&inner, &l, &cg, &e), &e);
	(void)start(cg, for_ever);
	CHECK_OK(cg_create(&outer, &l, &again, &e), &e);
	cg_free(again);
	CHECK_INT(cg_delete(tenant, 10, &e), -EBUSY);
	delete_it(cg);
	delete_it(tenant);
}

TEST(an_update_is_all_or_nothing)
{
	const struct cg_limits first = {
		.pids_max = SET(50),
		.cpu_quota_us = SET(50000),
		.cpu_period_us = SET(100000),
	};
	/* A quota below a millisecond is refused by the kernel. */
	const struct cg_limits second = {
		.pids_max = SET(60),
		.cpu_quota_us = SET(10),
		.cpu_period_us = SET(100000),
	};
	const struct cg_limits third = { .pids_max = SET(70) };
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	struct cg *cg = NULL;
	struct err e = { 0 };
	int r;

	NEED_GROUPS();
	r = make(&first, false, &cg, &e);
	if (r == -EOPNOTSUPP)
		SKIP("%.200s", e.text);
	REQUIRE_OK(r, &e);
	CHECK_INT(cg_apply(cg, &second, &e), -EINVAL);
	CHECK_HAS(e.text, "cpu.");
	CHECK_HAS(e.text, "refuses");
	CHECK_OK(cg_stat_read(cg, &s, &e), &e);
	CHECK_INT(s.pids_max.v, 50);
	CHECK_OK(cg_apply(cg, &third, &e), &e);
	cg_stat_done(&s);
	CHECK_OK(cg_stat_read(cg, &s, &e), &e);
	CHECK_INT(s.pids_max.v, 70);
	delete_it(cg);
}
WITH_SYSTEMD(an_update_is_all_or_nothing)

TEST(a_limit_asked_for_later_binds_those_inside)
{
	const struct cg_limits l = { .pids_max = SET(3) };
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	struct cg *cg = NULL;
	struct err e = { 0 };
	int r;

	NEED_GROUPS();
	REQUIRE_OK(make(&no_limits, false, &cg, &e), &e);
	(void)start(cg, for_ever);
	(void)start(cg, for_ever);
	r = cg_apply(cg, &l, &e);
	if (r == -EOPNOTSUPP) {
		delete_it(cg);
		SKIP("%.200s", e.text);
	}
	CHECK_OK(r, &e);
	CHECK_OK(cg_stat_read(cg, &s, &e), &e);
	CHECK_INT(s.pids_current.v, 2);
	CHECK_INT(s.pids_max.v, 3);
	delete_it(cg);
}
WITH_SYSTEMD(a_limit_asked_for_later_binds_those_inside)

TEST(cpus_that_do_not_exist_are_refused)
{
	const struct cg_limits l = { .cpuset_cpus = (char *)"0,1000" };
	struct cg *cg = NULL;
	struct err e = { 0 };
	int r;

	NEED_GROUPS();
	r = make(&l, false, &cg, &e);
	if (r == -EOPNOTSUPP)
		SKIP("%.200s", e.text);
	CHECK(r == -EINVAL || r == -ERANGE);
	CHECK_HAS(e.text, "cpuset.cpus");
	CHECK_HAS(e.text, "0,1000");
}
WITH_SYSTEMD(cpus_that_do_not_exist_are_refused)

TEST(a_controller_the_host_lacks_is_named)
{
	struct cg_misc none = { (char *)"nothing", 1 };
	struct cg_limits l = { .misc = { &none, 1 } };
	struct cg *cg = NULL;
	struct err e = { 0 };
	int r;

	NEED_GROUPS();
	r = make(&l, false, &cg, &e);
	CHECK(r == -EOPNOTSUPP || r == -EINVAL);
	CHECK_HAS(e.text, "misc");
}

TEST(without_cgroups_limits_are_refused)
{
	const struct cg_config config = {
		.driver = CG_DRIVER_DISABLED,
		.name = (char *)"x",
	};
	const struct cg_limits l = { .pids_max = SET(1) };
	struct cg *cg = NULL;
	struct err e = { 0 };

	CHECK_INT(cg_create(&config, &l, &cg, &e), -EOPNOTSUPP);
	REQUIRE_OK(cg_create(&config, &no_limits, &cg, &e), &e);
	CHECK_INT(cg_clone_fd(cg), -1);
	CHECK_OK(cg_join(cg, getpid(), &e), &e);
	CHECK_INT(cg_kill(cg, &e), -EOPNOTSUPP);
	CHECK_OK(cg_delete(cg, 0, &e), &e);
	cg_free(cg);
}

/* --- devices --------------------------------------------------------------*/

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

/* What a process with the rules below may do. */
static void use_devices(void)
{
	bool good = try_open("/dev/null", O_RDWR) == 0 &&
		    try_open("/dev/zero", O_RDONLY) == 0 &&
		    try_open("/dev/zero", O_WRONLY) == EPERM &&
		    try_open("/dev/full", O_RDONLY) == EPERM;

	_exit(good ? 0 : 1);
}

static void use_full(void)
{
	_exit(try_open("/dev/full", O_RDONLY) == 0 &&
			      try_open("/dev/null", O_RDONLY) == EPERM
		      ? 0
		      : 1);
}

TEST(devices_are_denied_but_for_the_rules)
{
	/* clang-format off */
	struct cg_device_rule rules[] = {
		{ false, CG_DEVICE_ALL,  { 0 },  { 0 },  CG_DEVICE_ANY },
		{ true,  CG_DEVICE_CHAR, SET(1), SET(3), CG_DEVICE_ANY },
		{ true,  CG_DEVICE_CHAR, SET(1), SET(5), CG_DEVICE_READ },
	};
	struct cg_device_rule others[] = {
		{ true,  CG_DEVICE_CHAR, SET(1), SET(7), CG_DEVICE_READ },
	};
	/* clang-format on */
	const struct cg_limits first = { .devices = { rules, 3 } };
	const struct cg_limits second = { .devices = { others, 1 } };
	struct cg *cg = NULL;
	struct err e = { 0 };

	NEED_GROUPS();
	REQUIRE_OK(make(&first, false, &cg, &e), &e);
	(void)start(cg, for_ever);
	CHECK_INT(ended(start(cg, use_devices)), 0);
	CHECK_OK(cg_apply(cg, &first, &e), &e);
	CHECK_INT(ended(start(cg, use_devices)), 0);
	CHECK_OK(cg_apply(cg, &second, &e), &e);
	CHECK_INT(ended(start(cg, use_full)), 0);
	delete_it(cg);
}
WITH_SYSTEMD(devices_are_denied_but_for_the_rules)

/* --- numbers --------------------------------------------------------------*/

TEST(an_accounted_group_has_numbers_and_they_are_json)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	autofree char *text = NULL, *again = NULL;
	struct cg *cg = NULL;
	struct err e = { 0 };
	size_t len = 0;

	NEED_GROUPS();
	REQUIRE_OK(make(&no_limits, true, &cg, &e), &e);
	(void)start(cg, for_ever);
	REQUIRE_OK(cg_stat_read(cg, &s, &e), &e);
	CHECK(s.cpu_usage_us.set);
	CHECK(s.memory_current.set);
	CHECK_INT(s.pids_current.v, 1);
	json_out_begin(&o, '{');
	cg_stat_write(&s, &o);
	json_out_end(&o, '}');
	REQUIRE_OK(json_out_take(&o, &text, &len, &e), &e);
	CHECK_OK(json_reformat(text, len, false, &again, &e), &e);
	CHECK_HAS(text, "\"pids\":{\"current\":1");
	delete_it(cg);
}
WITH_SYSTEMD(an_accounted_group_has_numbers_and_they_are_json)

static const struct tap_test tests[] = {
	TAP(forks_stop_at_the_limit_of_processes),
	TAP(forks_stop_at_the_limit_of_processes_with_systemd),
	TAP(who_exceeds_his_memory_is_killed_and_counted),
	TAP(who_exceeds_his_memory_is_killed_and_counted_with_systemd),
	TAP(the_kill_of_the_last_one_is_counted_too),
	TAP(the_kill_of_the_last_one_is_counted_too_with_systemd),
	TAP(lines_of_the_kernels_log_are_told_apart),
	TAP(an_envelope_may_be_there_already),
	TAP(an_update_is_all_or_nothing),
	TAP(an_update_is_all_or_nothing_with_systemd),
	TAP(a_limit_asked_for_later_binds_those_inside),
	TAP(a_limit_asked_for_later_binds_those_inside_with_systemd),
	TAP(cpus_that_do_not_exist_are_refused),
	TAP(cpus_that_do_not_exist_are_refused_with_systemd),
	TAP(a_controller_the_host_lacks_is_named),
	TAP(without_cgroups_limits_are_refused),
	TAP(devices_are_denied_but_for_the_rules),
	TAP(devices_are_denied_but_for_the_rules_with_systemd),
	TAP(an_accounted_group_has_numbers_and_they_are_json),
	TAP(an_accounted_group_has_numbers_and_they_are_json_with_systemd),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

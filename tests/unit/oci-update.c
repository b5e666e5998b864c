/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oci-plan.h"

#include "base/json.h"

/* resources on their own, as `update` reads them. */

static int parse_limits(const char *text, struct cg_limits *l, struct err *e)
{
	struct spec_resources s = { 0 };
	int r;

	r = json_read(text, strlen(text), &spec_resources_table, &s, "-", e);
	if (r < 0)
		return r;
	r = plan_make_limits(&s, l, e);
	spec_resources_done(&s);
	return r;
}

TEST(what_is_not_named_is_not_changed)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(parse_limits("{\"pids\":{\"limit\":5}}", &l, &e), &e);
	(void)CHECK_INT(l.pids_max.v, 5);
	(void)CHECK(!l.memory_max.set && !l.cpu_quota_us.set);
	(void)CHECK_INT(l.devices.n, 0);
}

TEST(zero_is_not_asked_for)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(
		parse_limits(
			"{\"memory\":{\"limit\":0,\"swap\":0,\"reservation\":0,"
			"\"kernel\":0,\"kernelTCP\":0,"
			"\"disableOOMKiller\":false},"
			"\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0,"
			"\"realtimeRuntime\":0,\"realtimePeriod\":0},"
			"\"network\":{\"classID\":0},"
			"\"blockIO\":{\"weight\":0,\"leafWeight\":0}}",
			&l, &e),
		&e);
	(void)CHECK(!cg_limits_any(&l));
}

TEST(zero_is_meant_where_it_can_be)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(
		parse_limits("{\"memory\":{\"swappiness\":0,"
			     "\"disableOOMKiller\":true},"
			     "\"cpu\":{\"idle\":0,\"burst\":0},"
			     "\"blockIO\":{\"weightDevice\":[{\"major\":8,"
			     "\"minor\":1,\"weight\":0,\"leafWeight\":20}]}}",
			     &l, &e),
		&e);
	(void)CHECK(l.memory_swappiness.set && l.memory_no_oom_kill.v);
	(void)CHECK(l.cpu_idle.set && l.cpu_burst_us.set);
	REQUIRE(l.io_devices.n == 1);
	(void)CHECK(!l.io_devices.v[0].blkio_weight.set);
	(void)CHECK_INT(l.io_devices.v[0].blkio_leaf_weight.v, 20);
}

TEST(standard_input_is_a_file_too)
{
	char path[] = "/tmp/moat-update-XXXXXX";
	struct spec_resources s = { 0 };
	struct err e = { 0 };
	int fd = mkostemp(path, O_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, "{\"pids\":{}}", 11) == 11);
	(void)close(fd);
	(void)close(STDIN_FILENO);
	fd = open(path, O_RDONLY | O_CLOEXEC); /* the lowest number: stdin */
	(void)unlink(path);
	REQUIRE(fd == STDIN_FILENO);
	REQUIRE_OK(spec_resources_read(AT_FDCWD, "-", &s, &e), &e);
	(void)CHECK(s.pids && !s.pids->limit.set);
	spec_resources_done(&s);
	(void)CHECK(spec_resources_read(AT_FDCWD, "-", &s, &e) < 0);
	(void)CHECK_HAS(e.text, "standard input");
}

TEST(swap_may_change_without_memory)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(parse_limits("{\"memory\":{\"swap\":5}}", &l, &e), &e);
	(void)CHECK_INT(l.memory_swap_total.v, 5);
}

static bool has_null(const struct cg_device_rules *rules)
{
	for (size_t i = 1; i < rules->n; i++)
		if (rules->v[i].allow && rules->v[i].major.v == 1 &&
		    rules->v[i].minor.v == 3)
			return true;
	return false;
}

TEST(behind_device_rules_stand_those_that_every_container_has)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(parse_limits("{\"devices\":[{\"allow\":true}]}", &l, &e),
		   &e);
	REQUIRE(l.devices.n > 1);
	(void)CHECK(l.devices.v[0].type == CG_DEVICE_ALL &&
		    l.devices.v[0].allow);
	(void)CHECK(has_null(&l.devices));
}

TEST(what_is_wrong_is_told_and_nothing_is_left)
{
	static const struct cg_limits nothing;
	struct cg_limits l = { 0 };
	struct err e = { 0 };

	(void)CHECK_INT(parse_limits("{\"cpu\":{\"cpus\":\"0\"},"
				     "\"pids\":{\"limit\":-2}}",
				     &l, &e),
			-EINVAL);
	(void)CHECK_STR(e.text,
			"pids: limit: -2 is neither a number of tasks nor -1");
	(void)CHECK(memcmp(&l, &nothing, sizeof(l)) == 0);
}

TEST(without_a_limit_of_memory_swap_has_none_either)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 }, both = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(parse_limits("{\"memory\":{\"limit\":-1}}", &l, &e), &e);
	(void)CHECK(l.memory_swap_total.set);
	(void)CHECK_INT(l.memory_swap_total.v, -1);
	REQUIRE_OK(parse_limits("{\"memory\":{\"limit\":9,\"swap\":9}}", &both,
				&e),
		   &e);
	(void)CHECK_INT(both.memory_swap_total.v, 9);
}

static const struct tap_test tests[] = {
	TAP(what_is_not_named_is_not_changed),
	TAP(zero_is_not_asked_for),
	TAP(zero_is_meant_where_it_can_be),
	TAP(standard_input_is_a_file_too),
	TAP(swap_may_change_without_memory),
	TAP(without_a_limit_of_memory_swap_has_none_either),
	TAP(behind_device_rules_stand_those_that_every_container_has),
	TAP(what_is_wrong_is_told_and_nothing_is_left),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/limits.h"
#include "cgroups/set.h"
#include "tests/unit/scratch.h"

/* Folders of plain files stand for groups. */

static const char *get(const struct scratch *g, const char *file)
{
	static char text[256];

	if (fd_read_small_at(g->fd, file, text, sizeof(text)) < 0)
		return NULL;
	return text;
}

static const struct cg_set_how plainly;
static const struct cg_set_how undo = { .undo = true };

#define SET(x)                                                                 \
	{                                                                      \
		.set = true, .v = (x)                                          \
	}

static int write_weight(const struct cg_limits *l, const struct scratch *g,
			struct err *e)
{
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	int r = cg_io_add_weight(l, g->fd, &set, e);

	return r < 0 ? r : cg_set_write(&set, &plainly, e);
}

TEST(one_of_two_weight_files_is_enough)
{
	const struct cg_limits l = { .io_weight = SET(50) };
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&g));
	REQUIRE(scratch_write(&g, "io.weight", ""));
	CHECK_OK(write_weight(&l, &g, &e), &e);
	CHECK_STR(get(&g, "io.weight"), "default 50");
}

TEST(no_weight_file_at_all_is_an_error)
{
	const struct cg_limits l = { .io_weight = SET(50) };
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&g));
	CHECK_INT(write_weight(&l, &g, &e), -EOPNOTSUPP);
	CHECK_HAS(e.text, "io.weight");
}

TEST(one_missing_file_is_one_error_not_two)
{
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	struct err e = { 0 };

	REQUIRE(scratch_init(&g));
	REQUIRE(scratch_write(&g, "a", ""));
	(void)cg_set_add(&set, g.fd, CG_CTL_MISC, "a", "1");
	cg_set_add(&set, g.fd, CG_CTL_MISC, "b", "2")->optional = true;
	CHECK_OK(cg_set_write(&set, &plainly, &e), &e);
	(void)cg_set_add(&set, g.fd, CG_CTL_MISC, "c", "3");
	CHECK_INT(cg_set_write(&set, &plainly, &e), -EOPNOTSUPP);
	CHECK_HAS(e.text, "c:");
}

TEST(names_too_long_for_a_file_are_an_error)
{
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	struct err e = { 0 };
	char name[100];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	(void)cg_set_add(&set, -1, CG_CTL_MISC, name, "1");
	CHECK_INT(cg_set_write(&set, &plainly, &e), -ENAMETOOLONG);
}

static int n_enabled;

/* Makes the file, as a controller that is enabled does. */
static int enable(void *arg, enum cg_ctl ctl, struct err *e)
{
	n_enabled++;
	CHECK_INT(ctl, CG_CTL_PIDS);
	return scratch_write(arg, "pids.max", "old") ? 0 : -EIO;
}

TEST(a_controller_is_enabled_when_its_file_is_missing)
{
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	const struct cg_set_how how = {
		.undo = true,
		.enable = enable,
		.arg = &g,
	};
	struct err e = { 0 };

	n_enabled = 0;
	REQUIRE(scratch_init(&g));
	(void)cg_set_add(&set, g.fd, CG_CTL_PIDS, "pids.max", "new");
	CHECK_OK(cg_set_write(&set, &how, &e), &e);
	CHECK_STR(get(&g, "pids.max"), "new");
	CHECK_INT(n_enabled, 1);
	cg_set_undo(&set);
	CHECK_STR(get(&g, "pids.max"), "old");
}

/* --- all or none ----------------------------------------------------------*/

static int refuse(const struct cg_setting *s, struct err *e)
{
	return err_set(e, -EINVAL, "%s: refused", s->file);
}

/* Old texts are put back as they were, keyed files by line. */
TEST(a_refusal_puts_back_what_was_written)
{
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	struct err e = { 0 };
	struct cg_setting *s;

	REQUIRE(scratch_init(&g));
	(void)scratch_write(&g, "memory.max", "111\n");
	(void)scratch_write(&g, "io.max", "8:0 rbps=1\n9:0 rbps=2 wbps=3\n");
	(void)scratch_write(&g, "pids.max", "7\n");
	(void)cg_set_add(&set, g.fd, CG_CTL_MEMORY, "memory.max", "222");
	cg_setting_keyed(
		cg_set_add(&set, g.fd, CG_CTL_IO, "io.max", "%s", "9:0 rbps=9"),
		"rbps=max");
	s = cg_set_add(&set, g.fd, CG_CTL_PIDS, "pids.max", "8");
	s->check = refuse;
	CHECK_INT(cg_set_write(&set, &undo, &e), -EINVAL);
	CHECK_HAS(e.text, "pids.max");
	CHECK_STR(get(&g, "memory.max"), "111");
	/* A plain file has no lines by key: it begins with what was written
	 * last, the old line. */
	CHECK(str_starts(get(&g, "io.max"), "9:0 rbps=2 wbps=3"));
	CHECK(str_starts(get(&g, "pids.max"), "7"));
}

TEST(a_line_that_was_not_there_is_reset)
{
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	struct err e = { 0 };
	struct cg_setting *s;

	REQUIRE(scratch_init(&g));
	(void)scratch_write(&g, "io.latency", "");
	s = cg_set_add(&set, g.fd, CG_CTL_IO, "io.latency", "%s",
		       "8:0 target=5");
	cg_setting_keyed(s, "target=0");
	s->check = refuse;
	CHECK_INT(cg_set_write(&set, &undo, &e), -EINVAL);
	CHECK_STR(get(&g, "io.latency"), "8:0 target=0");
}

TEST(an_old_value_may_stand_behind_a_word)
{
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	struct err e = { 0 };
	struct cg_setting *s;

	REQUIRE(scratch_init(&g));
	(void)scratch_write(&g, "memory.oom_control",
			    "oom_kill_disable 0\nunder_oom 0\n");
	s = cg_set_add(&set, g.fd, CG_CTL_MEMORY, "memory.oom_control", "1");
	s->word = "oom_kill_disable";
	s->check = refuse;
	CHECK_INT(cg_set_write(&set, &undo, &e), -EINVAL);
	CHECK(str_starts(get(&g, "memory.oom_control"), "0"));
}

static const struct tap_test tests[] = {
	TAP(one_of_two_weight_files_is_enough),
	TAP(no_weight_file_at_all_is_an_error),
	TAP(one_missing_file_is_one_error_not_two),
	TAP(names_too_long_for_a_file_are_an_error),
	TAP(a_controller_is_enabled_when_its_file_is_missing),
	TAP(a_refusal_puts_back_what_was_written),
	TAP(a_line_that_was_not_there_is_reset),
	TAP(an_old_value_may_stand_behind_a_word),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

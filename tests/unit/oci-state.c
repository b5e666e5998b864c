/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"
#include "base/path.h"
#include "base/str.h"
#include "src/oci/plan.h"
#include "src/oci/state.h"
#include "tests/unit/tap.h"

/* --- ids -------------------------------------------------------------------*/

TEST(good_ids_are_accepted)
{
	static const char *const good[] = {
		"a", "0",   "web-1",	 "a.b",	   "a+b",
		"_", "...", "A_b-c.d+e", "azAZ09",
	};
	char longest[1025];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		(void)CHECK_INT(state_check_id(good[i], NULL), 0);
	(void)memset(longest, 'x', sizeof(longest) - 1);
	longest[1024] = '\0';
	(void)CHECK_INT(state_check_id(longest, NULL), 0);
}

TEST(bad_ids_are_told_why)
{
	/* clang-format off */
	static const struct {
		const char *id, *want;
	} rows[] = {
		{ NULL, "container id: empty" },
		{ "", "container id: empty" },
		{ ".", "container id '.': not the name of a folder" },
		{ "..", "container id '..': not the name of a folder" },
		{ "a/b", "container id 'a/b': only letters, digits and _.+- may be in it" },
		{ "../a", "container id '../a': only letters, digits and _.+- may be in it" },
		{ "a b", "container id 'a b': only letters, digits and _.+- may be in it" },
		{ "\xc3\xa4", "container id '\xc3\xa4': only letters, digits and _.+- may be in it" },
	};
	/* clang-format on */
	char longer[1026];
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)CHECK_INT(state_check_id(rows[i].id, &e), -EINVAL);
		(void)CHECK_STR(e.text, rows[i].want);
	}
	(void)memset(longer, 'x', sizeof(longer) - 1);
	longer[1025] = '\0';
	(void)CHECK_INT(state_check_id(longer, &e), -EINVAL);
	(void)CHECK_HAS(e.text, "longer than 1024");
}

/* --- folders ---------------------------------------------------------------*/

struct place {
	char root[64];
};

static void place_done(struct place *p)
{
	(void)!path_remove_tree(AT_FDCWD, p->root, NULL);
}

#define PLACE(p)                                                               \
	_cleanup_(place_done) struct place p = { "/tmp/moat-state-XXXXXX" };   \
	struct err e = { 0 };                                                  \
	REQUIRE(mkdtemp(p.root))

TEST(a_name_is_taken_once)
{
	autoclose int first = -1, again = -1;
	autofree char *deep = NULL;
	PLACE(p);

	deep = str_printf("%s/not/there/yet", p.root);
	first = state_reserve(deep, "web", &e);
	REQUIRE_OK(first, &e);
	(void)CHECK_INT(state_reserve(deep, "web", &e), -EEXIST);
	(void)CHECK_STR(e.text, "container 'web' exists already");
	again = state_open(deep, "web", &e);
	(void)CHECK_OK(again, &e);
	(void)CHECK_INT(state_reserve(deep, "../web", &e), -EINVAL);
}

TEST(what_is_not_there_does_not_exist)
{
	PLACE(p);

	(void)CHECK_INT(state_open(p.root, "web", &e), -ENOENT);
	(void)CHECK_STR(e.text, "container 'web' does not exist");
	(void)CHECK_INT(state_open("/nowhere/at/all", "web", &e), -ENOENT);
	(void)CHECK_STR(e.text, "container 'web' does not exist");
	(void)CHECK_INT(state_remove(p.root, "web", &e), 0);
	(void)CHECK_INT(state_remove("/nowhere/at/all", "web", &e), 0);
}

TEST(no_name_leads_out_of_the_root)
{
	autofree char *root = NULL;
	autoclose int fd = -1;
	PLACE(p);

	fd = state_reserve(p.root, "outside", &e);
	REQUIRE_OK(fd, &e);
	root = str_printf("%s/root", p.root);
	REQUIRE(mkdir(root, 0700) == 0);
	(void)CHECK_INT(state_open(root, "../outside", &e), -EINVAL);
	(void)CHECK_INT(state_open(root, "..", &e), -EINVAL);
	(void)CHECK_INT(state_remove(root, "../outside", &e), -EINVAL);
	(void)CHECK_INT(state_remove(root, "..", &e), -EINVAL);
	(void)CHECK_INT(access(root, F_OK), 0);
	(void)CHECK_OK(state_remove(p.root, "outside", &e), &e);
}

TEST(a_root_that_is_no_folder_is_told)
{
	autofree char *path = NULL;
	PLACE(p);

	path = str_printf("%s/file", p.root);
	REQUIRE_OK(fd_replace_at(AT_FDCWD, path, "", 0, 0600, false, &e), &e);
	(void)CHECK_INT(state_reserve(path, "a", &e), -ENOTDIR);
	(void)CHECK_HAS(e.text, path);
	(void)CHECK_INT(state_open(path, "a", &e), -ENOTDIR);
	(void)CHECK_INT(state_remove(path, "a", &e), -ENOTDIR);
}

TEST(a_link_is_nobodys_folder)
{
	autofree char *path = NULL;
	PLACE(p);

	path = str_printf("%s/web", p.root);
	REQUIRE(symlink("/etc", path) == 0);
	(void)CHECK(state_open(p.root, "web", &e) < 0);
	(void)CHECK_INT(state_reserve(p.root, "web", &e), -EEXIST);
	(void)CHECK_INT(state_remove(p.root, "web", &e), 0);
	(void)CHECK_INT(access("/etc/passwd", F_OK), 0);
}

TEST(a_folder_goes_with_all_that_is_in_it)
{
	autoclose int fd = -1;
	PLACE(p);

	fd = state_reserve(p.root, "web", &e);
	REQUIRE_OK(fd, &e);
	REQUIRE(mkfifoat(fd, "start", 0600) == 0);
	REQUIRE(mkdirat(fd, "sub", 0700) == 0);
	(void)CHECK_OK(state_remove(p.root, "web", &e), &e);
	(void)CHECK_INT(state_open(p.root, "web", &e), -ENOENT);
}

/* --- files -----------------------------------------------------------------*/

/* Literals where a state would have memory of its own. */
#define S(text) ((char *)(text))

static const struct state some = {
	.version = S("1.3.0"),
	.id = S("web"),
	.status = STATE_RUNNING,
	.pid = 4711,
	.start_time = UINT64_MAX,
	.bundle = S("/b"),
	.rootfs = S("/b/rootfs"),
	.created = S("2026-11-21T10:00:00.000000001Z"),
	.owner = S("root"),
	.isolation = PLAN_VM,
	.vm_pid = 4712,
};

TEST(a_state_is_read_as_it_was_written)
{
	autoclose int fd = -1;
	struct state s = { 0 };
	PLACE(p);

	fd = state_reserve(p.root, "web", &e);
	REQUIRE_OK(fd, &e);
	REQUIRE_OK(state_write(fd, &some, &e), &e);
	REQUIRE_OK(state_read(fd, &s, &e), &e);
	(void)CHECK_STR(s.id, some.id);
	(void)CHECK_INT(s.status, STATE_RUNNING);
	(void)CHECK_INT(s.pid, 4711);
	(void)CHECK(s.start_time == UINT64_MAX);
	(void)CHECK_STR(s.created, some.created);
	(void)CHECK_INT(s.isolation, PLAN_VM);
	(void)CHECK_INT(s.vm_pid, 4712);
	state_done(&s);
}

TEST(a_damaged_state_is_an_error_with_a_name)
{
	static const char *const bad[] = { "", "{", "{}", "[]",
					   "{\"id\":\"a\"}" };
	autoclose int fd = -1;
	PLACE(p);

	fd = state_reserve(p.root, "web", &e);
	REQUIRE_OK(fd, &e);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct state s = { 0 };

		REQUIRE_OK(fd_replace_at(fd, "state.json", bad[i],
					 strlen(bad[i]), 0600, false, &e),
			   &e);
		(void)CHECK(state_read(fd, &s, &e) < 0);
		(void)CHECK_HAS(e.text, "state.json: ");
	}
}

TEST(hooks_get_the_words_of_the_specification)
{
	autofree char *text = NULL;
	struct err e = { 0 };

	REQUIRE_OK(state_for_hooks(&some, STATE_CREATED, &text, &e), &e);
	(void)CHECK_STR(text, "{\"ociVersion\":\"1.3.0\",\"id\":\"web\","
			      "\"pid\":4711,\"status\":\"created\","
			      "\"bundle\":\"/b\"}");
	(void)CHECK_INT(some.status, STATE_RUNNING);
}

TEST(hooks_inside_get_the_same_with_their_own_pid)
{
	autofree char *text = NULL, *inside = NULL;
	struct err e = { 0 };

	REQUIRE_OK(state_for_hooks(&some, STATE_CREATING, &text, &e), &e);
	REQUIRE_OK(state_for_hooks_inside(text, 1, STATE_CREATED, &inside, &e),
		   &e);
	(void)CHECK_STR(inside, "{\"ociVersion\":\"1.3.0\",\"id\":\"web\","
				"\"pid\":1,\"status\":\"created\","
				"\"bundle\":\"/b\"}");
}

TEST(others_are_shown_what_runc_shows)
{
	autofree char *text = NULL;
	struct err e = { 0 };

	REQUIRE_OK(
		json_write(&state_shown_table, &some, false, &text, NULL, &e),
		&e);
	(void)CHECK_STR(text, "{\"ociVersion\":\"1.3.0\",\"id\":\"web\","
			      "\"pid\":4711,\"status\":\"running\","
			      "\"bundle\":\"/b\",\"rootfs\":\"/b/rootfs\","
			      "\"created\":\"2026-11-21T10:00:00.000000001Z\","
			      "\"owner\":\"root\"}");
}

static const struct tap_test tests[] = {
	TAP(good_ids_are_accepted),
	TAP(bad_ids_are_told_why),
	TAP(a_name_is_taken_once),
	TAP(what_is_not_there_does_not_exist),
	TAP(no_name_leads_out_of_the_root),
	TAP(a_root_that_is_no_folder_is_told),
	TAP(a_link_is_nobodys_folder),
	TAP(a_folder_goes_with_all_that_is_in_it),
	TAP(a_state_is_read_as_it_was_written),
	TAP(a_damaged_state_is_an_error_with_a_name),
	TAP(hooks_get_the_words_of_the_specification),
	TAP(hooks_inside_get_the_same_with_their_own_pid),
	TAP(others_are_shown_what_runc_shows),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

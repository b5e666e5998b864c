/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

TEST(joining_puts_one_slash_and_keeps_the_absolute)
{
	static const struct {
		const char *a, *b, *joined;
	} rows[] = {
		{ "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "/", "b", "/b" },
		{ "a", "/b", "/b" }, { "", "b", "b" },	   { "a", "", "a" },
		{ "", "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *joined = path_join(rows[i].a, rows[i].b);

		CHECK_STR(joined, rows[i].joined);
	}
}

TEST(a_clean_path_has_no_dots_and_no_double_slashes)
{
	static const struct {
		const char *path, *clean;
	} rows[] = {
		{ "/", "/" },
		{ "//", "/" },
		{ "", "." },
		{ ".", "." },
		{ "./.", "." },
		{ "a", "a" },
		{ "a/", "a" },
		{ "/a//b/", "/a/b" },
		{ "/a/./b/.", "/a/b" },
		{ "/a/../b", "/b" },
		{ "/a/b/../../c", "/c" },
		{ "a/b/../c", "a/c" },
		{ "a/..", "." },
		{ "/a/..", "/" },
		/* the top stays the top */
		{ "/..", "/" },
		{ "/../../a", "/a" },
		{ "/a/../../b", "/b" },
		{ "..", "." },
		{ "../a", "a" },
		{ "a/../../b", "b" },
		/* these are names */
		{ "/...", "/..." },
		{ "/..a/b..", "/..a/b.." },
		{ "/.a", "/.a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *clean = path_clean(rows[i].path);

		if (!CHECK_STR(clean, rows[i].clean))
			tap_note("'%s'", rows[i].path);
	}
}

TEST(below_means_whole_components)
{
	CHECK(path_below("/a", "/a") && path_below("/a/b", "/a"));
	CHECK(path_below("/a", "/") && path_below("/", "/"));
	CHECK(!path_below("/ab", "/a") && !path_below("/", "/a"));
	CHECK(!path_below("/b/a", "/a"));
}

TEST(what_mountinfo_escaped_is_put_back)
{
	static const struct {
		const char *text, *plain;
	} rows[] = {
		{ "/a\\040b\\011\\134", "/a b\t\\" },
		{ "\\", "\\" },
		{ "\\04", "\\04" },
		{ "\\049\\400", "\\049\\400" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "%s", rows[i].text);
		path_unescape(text);
		CHECK_STR(text, rows[i].plain);
	}
}

static bool is_dir(const struct scratch *s, const char *name, mode_t mode)
{
	struct stat st;

	return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode) && (st.st_mode & 0777) == mode;
}

TEST(missing_folders_are_made_and_present_ones_left)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autofree char *path = NULL;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	path = str_printf("%s/a//b/c/", s.path);
	REQUIRE(path);
	CHECK_OK(path_make_dirs(path, 0700, &e), &e);
	CHECK(is_dir(&s, "a", 0700) && is_dir(&s, "a/b/c", 0700));
	CHECK_OK(path_make_dirs(path, 0755, &e), &e);
	CHECK(is_dir(&s, "a/b/c", 0700));
	CHECK_OK(path_make_dirs("/", 0755, &e), &e);
}

TEST(a_file_in_the_way_of_a_folder_is_an_error)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autofree char *file = NULL, *below = NULL;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", ""));
	file = str_printf("%s/f", s.path);
	below = str_printf("%s/f/g", s.path);
	REQUIRE(file && below);
	CHECK_INT(path_make_dirs(file, 0755, &e), -ENOTDIR);
	CHECK_INT(path_make_dirs(below, 0755, &e), -ENOTDIR);
	CHECK_HAS(e.text, "make folder '");
	CHECK_INT(path_make_dirs("", 0755, &e), -ENOENT);
}

TEST(a_descriptor_has_a_path)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	char at[PATH_FD_MAX], target[256] = "";

	REQUIRE(scratch_init(&s));
	CHECK(readlink(path_of_fd(s.fd, at), target, sizeof(target) - 1) > 0);
	CHECK_STR(target, s.path);
}

static const struct tap_test tests[] = {
	TAP(joining_puts_one_slash_and_keeps_the_absolute),
	TAP(a_clean_path_has_no_dots_and_no_double_slashes),
	TAP(below_means_whole_components),
	TAP(what_mountinfo_escaped_is_put_back),
	TAP(missing_folders_are_made_and_present_ones_left),
	TAP(a_file_in_the_way_of_a_folder_is_an_error),
	TAP(a_descriptor_has_a_path),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/openat2.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

/*
 * scratch/secret		what nobody may reach
 * scratch/outside/		a folder of the host
 * scratch/root/		the container's root, with planted links
 */
struct fixture {
	struct scratch s;
	int root;
};

#define FIXTURE_INIT                                                           \
	{                                                                      \
		.s = SCRATCH_INIT, .root = -1                                  \
	}

static void fixture_done(struct fixture *f)
{
	if (f->root >= 0)
		(void)close(f->root);
	scratch_done(&f->s);
}

static const struct {
	const char *target, *name;
} links[] = {
	{ "/secret", "abs-file" },
	{ "../secret", "up-file" },
	{ "../../../../secret", "far-up-file" },
	{ "/outside", "abs-dir" },
	{ "../outside", "up-dir" },
	{ "/etc/new", "dangling" },
	{ "dangling", "chain" },
	{ "/../../../outside/x", "escape" },
	{ "loop", "loop" },
	{ "deep", "dir/side" },
	{ "/proc/self/root", "magic" },
};

static bool fixture_init(struct fixture *f)
{
	if (!scratch_init(&f->s) || !scratch_write(&f->s, "secret", "host"))
		return false;
	if (mkdirat(f->s.fd, "outside", 0755) < 0 ||
	    mkdirat(f->s.fd, "root", 0755) < 0)
		return false;
	f->root = openat(f->s.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->root < 0 || mkdirat(f->root, "dir", 0755) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].target, f->root, links[i].name) < 0)
			return false;
	return true;
}

#define FIXTURE                                                                \
	_cleanup_(fixture_done) struct fixture f = FIXTURE_INIT;               \
	REQUIRE(fixture_init(&f))

TEST(no_link_leads_out_of_the_root)
{
	static const char *const names[] = {
		"abs-file", "up-file",		"far-up-file",	"abs-dir",
		"up-dir",   "../secret",	"../../secret", "/../secret",
		"escape",   "dir/../../secret",
	};
	FIXTURE;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct err e = { 0 };
		autoclose int fd =
			path_open_in_root(f.root, names[i], O_RDONLY, 0, &e);

		if (!CHECK_INT(fd, -ENOENT))
			tap_note("'%s'", names[i]);
		CHECK_HAS(e.text, names[i]);
	}
}

TEST(magic_links_are_not_followed_and_others_may_be_forbidden)
{
	struct err e = { 0 };
	FIXTURE;

	CHECK_INT(path_open_in_root(f.root, "loop", O_PATH, 0, &e), -ELOOP);
	CHECK_INT(path_open_in_root(f.root, "dir/side", O_PATH,
				    RESOLVE_NO_SYMLINKS, &e),
		  -ELOOP);
	CHECK_INT(path_open_in_root(AT_FDCWD, "/proc/self/root", O_PATH, 0, &e),
		  -ENOENT); /* "/" is the working directory */
	if (chdir("/") == 0)
		CHECK_INT(path_open_in_root(AT_FDCWD, "/proc/self/root", O_PATH,
					    0, &e),
			  -ELOOP);
}

TEST(opened_descriptors_are_close_on_exec_and_may_create)
{
	struct err e = { 0 };
	autoclose int fd = -1;
	FIXTURE;

	fd = path_open_in_root(f.root, "/dir/../new",
			       O_WRONLY | O_CREAT | O_EXCL, 0, &e);
	REQUIRE_OK(fd, &e);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(scratch_has(&f.s, "root/new"));
}

struct made {
	const char *path;
	enum path_kind kind;
	const char *where; /* below scratch */
};

static void check_made(struct fixture *f, const struct made *m)
{
	struct err e = { 0 };
	autoclose int fd = path_make_in_root(f->root, m->path, m->kind, &e);
	struct stat opened, found;

	if (!CHECK_OK(fd, &e) ||
	    !CHECK(fstatat(f->s.fd, m->where, &found, AT_SYMLINK_NOFOLLOW) ==
		   0) ||
	    !CHECK(fstat(fd, &opened) == 0 && opened.st_ino == found.st_ino) ||
	    !CHECK_INT(S_ISDIR(opened.st_mode), m->kind == PATH_DIR)) {
		tap_note("'%s'", m->path);
		return;
	}
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(missing_places_are_made_below_the_root_wherever_links_lead)
{
	static const struct made rows[] = {
		{ "/a/b/c", PATH_DIR, "root/a/b/c" },
		{ "a/b/file", PATH_FILE, "root/a/b/file" },
		{ "x//y/", PATH_DIR, "root/x/y" },
		{ "/", PATH_DIR, "root" },
		/* what is there is taken */
		{ "/a/b/c", PATH_DIR, "root/a/b/c" },
		{ "/a/b/file", PATH_FILE, "root/a/b/file" },
		/* links that lead nowhere: their target is made, inside */
		{ "chain", PATH_FILE, "root/etc/new" },
		{ "abs-dir/sub", PATH_DIR, "root/outside/sub" },
		{ "up-file", PATH_FILE, "root/secret" },
		{ "escape/deep", PATH_DIR, "root/outside/x/deep" },
		{ "dir/side/z", PATH_FILE, "root/dir/deep/z" },
		{ "n/../m", PATH_DIR, "root/m" },
		{ "../../up", PATH_DIR, "root/up" },
	};
	FIXTURE;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_made(&f, &rows[i]);
	CHECK(scratch_holds(&f.s, "secret", "host"));
	CHECK(!scratch_has(&f.s, "outside/sub") &&
	      !scratch_has(&f.s, "outside/x") && !scratch_has(&f.s, "up"));
}

TEST(what_is_in_the_way_is_an_error)
{
	struct err e = { 0 };
	FIXTURE;

	REQUIRE(scratch_write(&f.s, "root/file", ""));
	CHECK_INT(path_make_in_root(f.root, "file/sub", PATH_DIR, &e),
		  -ENOTDIR);
	CHECK_HAS(e.text, "make 'file/sub'");
	CHECK_INT(path_make_in_root(f.root, "loop/sub", PATH_DIR, &e), -ELOOP);
	CHECK_INT(path_make_in_root(f.root, "", PATH_DIR, &e), -ENOENT);
}

/*
 * Each link needs a folder made before the next one is seen: the kernel's own
 * count of links begins anew each time, so ours must end it.
 */
static int make_by_links(struct fixture *f, int n, struct err *e)
{
	char name[32], target[64];
	int fd;

	for (int i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "l%d-%d", n, i);
		(void)snprintf(target, sizeof(target), "d%d-%d/../l%d-%d", n, i,
			       n, i + 1);
		if (symlinkat(target, f->root, name) < 0)
			return -errno;
	}
	(void)snprintf(name, sizeof(name), "l%d-0/x", n);
	fd = path_make_in_root(f->root, name, PATH_DIR, e);
	if (fd >= 0)
		(void)close(fd);
	return fd < 0 ? fd : 0;
}

TEST(links_that_go_on_and_on_are_given_up)
{
	struct err e = { 0 };
	FIXTURE;

	CHECK_OK(make_by_links(&f, 40, &e), &e);
	CHECK_INT(make_by_links(&f, 41, &e), -ELOOP);
}

TEST(a_deep_place_costs_no_stack)
{
	static char path[4000];
	struct err e = { 0 };
	autoclose int fd = -1;
	FIXTURE;

	for (size_t i = 0; i + 2 < sizeof(path); i += 2)
		(void)memcpy(path + i, "d/", 3);
	fd = path_make_in_root(f.root, path, PATH_DIR, &e);
	CHECK_OK(fd, &e);
}

TEST(the_parent_is_made_and_the_name_is_the_rest)
{
	struct err e = { 0 };
	const char *name = NULL;
	autoclose int fd = -1, top = -1;
	FIXTURE;

	fd = path_parent_in_root(f.root, "/p/q/name", &name, &e);
	REQUIRE_OK(fd, &e);
	CHECK_STR(name, "name");
	CHECK_INT(mkdirat(fd, name, 0755), 0);
	CHECK(scratch_has(&f.s, "root/p/q/name"));

	top = path_parent_in_root(f.root, "name", &name, &e);
	REQUIRE_OK(top, &e);
	CHECK_STR(name, "name");
	CHECK_INT(mkdirat(top, "here", 0755), 0);
	CHECK(scratch_has(&f.s, "root/here"));
}

TEST(a_parent_needs_a_name_behind_it)
{
	static const char *const bad[] = { "/",	  "",	"..",	 "a/..", ".",
					   "a/.", "a/", "../..", "//" };
	const char *name = "untouched";
	FIXTURE;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = { 0 };

		if (!CHECK_INT(path_parent_in_root(f.root, bad[i], &name, &e),
			       -EINVAL))
			tap_note("'%s'", bad[i]);
	}
	CHECK_STR(name, "untouched");
	CHECK(!scratch_has(&f.s, "root/a"));
}

static const struct tap_test tests[] = {
	TAP(no_link_leads_out_of_the_root),
	TAP(magic_links_are_not_followed_and_others_may_be_forbidden),
	TAP(opened_descriptors_are_close_on_exec_and_may_create),
	TAP(missing_places_are_made_below_the_root_wherever_links_lead),
	TAP(what_is_in_the_way_is_an_error),
	TAP(links_that_go_on_and_on_are_given_up),
	TAP(a_deep_place_costs_no_stack),
	TAP(the_parent_is_made_and_the_name_is_the_rest),
	TAP(a_parent_needs_a_name_behind_it),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

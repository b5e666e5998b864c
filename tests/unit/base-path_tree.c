/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

TEST(files_links_and_folders_go_alone)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", "x"));
	REQUIRE(symlinkat("f", s.fd, "link") == 0);
	REQUIRE(mkdirat(s.fd, "d", 0755) == 0);
	CHECK_OK(path_remove_tree(s.fd, "link", &e), &e);
	CHECK(scratch_has(&s, "f") && !scratch_has(&s, "link"));
	CHECK_OK(path_remove_tree(s.fd, "f", &e), &e);
	CHECK_OK(path_remove_tree(s.fd, "d", &e), &e);
	CHECK(!scratch_has(&s, "f") && !scratch_has(&s, "d"));
}

TEST(what_is_gone_is_fine)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	CHECK_OK(path_remove_tree(s.fd, "none", &e), &e);
	CHECK_OK(path_remove_tree(s.fd, "none/below", &e), &e);
	CHECK_INT(path_remove_tree(-1, "x", &e), -EBADF);
	CHECK_STR(e.text, "remove 'x': Bad file descriptor");
}

TEST(links_are_removed_not_followed)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && mkdirat(s.fd, "keep", 0755) == 0 &&
		scratch_write(&s, "keep/f", "x") &&
		mkdirat(s.fd, "tree", 0755) == 0 &&
		symlinkat("../keep", s.fd, "tree/link") == 0 &&
		symlinkat(s.path, s.fd, "tree/abs") == 0 &&
		symlinkat("tree", s.fd, "top") == 0);
	CHECK_OK(path_remove_tree(s.fd, "tree", &e), &e);
	CHECK(!scratch_has(&s, "tree") && scratch_has(&s, "keep/f"));
	CHECK_OK(path_remove_tree(s.fd, "top", &e), &e);
	CHECK(!scratch_has(&s, "top"));
}

/* width folders with width files each. */
static bool make_wide(int dirfd, const char *name, int width)
{
	autoclose int top = -1;
	char path[64];

	if (mkdirat(dirfd, name, 0755) < 0)
		return false;
	top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < width * width; i++) {
		(void)snprintf(path, sizeof(path), "d%d", i / width);
		if (i % width == 0 && mkdirat(top, path, 0755) < 0)
			return false;
		(void)snprintf(path, sizeof(path), "d%d/f%d", i / width, i);
		if (mknodat(top, path, S_IFREG | 0644, 0) < 0)
			return false;
	}
	return true;
}

TEST(a_wide_tree_goes_and_leaks_no_descriptor)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };
	int before;

	REQUIRE(scratch_init(&s) && make_wide(s.fd, "t", 60));
	before = open_fds();
	CHECK_OK(path_remove_tree(s.fd, "t", &e), &e);
	CHECK(!scratch_has(&s, "t"));
	CHECK_INT(open_fds(), before);
}

/* Each level with a file and an empty folder beside the next level. */
static bool make_deep(int dirfd, const char *name, int depth)
{
	autoclose int at = openat(dirfd, ".", O_RDONLY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		const char *next = i == 0 ? name : "n";
		int below;

		if (mkdirat(at, next, 0755) < 0 ||
		    (i > 0 && (mkdirat(at, ".deep.0", 0755) < 0 ||
			       mknodat(at, "z", S_IFREG | 0644, 0) < 0)))
			return false;
		below = openat(at, next, O_RDONLY | O_CLOEXEC);
		(void)close(at);
		at = below;
	}
	return at >= 0;
}

TEST(depth_costs_neither_stack_nor_descriptors)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct rlimit old, few = { 64, 64 };
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && make_deep(s.fd, "t", 3000));
	REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few.rlim_max = old.rlim_max;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK_OK(path_remove_tree(s.fd, "t", &e), &e);
	(void)setrlimit(RLIMIT_NOFILE, &old);
	CHECK(!scratch_has(&s, "t"));
}

/* Names that are taken in the top folder, by a file and by a full folder. */
TEST(what_is_moved_up_finds_a_free_name)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && make_deep(s.fd, "t", 60) &&
		scratch_write(&s, "t/.deep.1", "x") &&
		mkdirat(s.fd, "t/.deep.2", 0755) == 0 &&
		scratch_write(&s, "t/.deep.2/f", "x"));
	CHECK_OK(path_remove_tree(s.fd, "t", &e), &e);
	CHECK(!scratch_has(&s, "t"));
}

/* Nobody else than its owner, whom root pretends to be here. */
#define NOBODY 65534

TEST(an_error_names_the_entry)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	bool root = geteuid() == 0;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && mkdirat(s.fd, "t", 0755) == 0 &&
		mkdirat(s.fd, "t/locked", 0755) == 0 &&
		scratch_write(&s, "t/locked/f", "x") &&
		fchmodat(s.fd, "t/locked", 0555, 0) == 0);
	if (root)
		REQUIRE(fchown(s.fd, NOBODY, NOBODY) == 0 &&
			fchownat(s.fd, "t", NOBODY, NOBODY, 0) == 0 &&
			fchownat(s.fd, "t/locked", NOBODY, NOBODY, 0) == 0 &&
			seteuid(NOBODY) == 0);
	CHECK_INT(path_remove_tree(s.fd, "t", &e), -EACCES);
	CHECK_STR(e.text, "remove 't': 'f': Permission denied");
	if (root)
		REQUIRE(seteuid(0) == 0);
	CHECK_INT(fchmodat(s.fd, "t/locked", 0755, 0), 0);
}

/* --- with mounts, in namespaces of the child's own ---------------------- */

#define CHILD_SKIP 77

static bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 ||
	       unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
}

static void remove_with_mounts(const struct scratch *s)
{
	struct err e = { 0 };

	/* a mount inside the tree, one on a file, and the top itself */
	CHECK_INT(mount("keep", "t/in", NULL, MS_BIND, NULL), 0);
	CHECK_INT(path_remove_tree(AT_FDCWD, "t", &e), -EBUSY);
	CHECK_STR(e.text, "remove 't': 'in': Device or resource busy");
	CHECK_INT(umount2("t/in", MNT_DETACH), 0);

	CHECK_INT(mount("keep/f", "file", NULL, MS_BIND, NULL), 0);
	CHECK_INT(path_remove_tree(AT_FDCWD, "file", &e), -EBUSY);
	CHECK_INT(umount2("file", MNT_DETACH), 0);

	CHECK_INT(mount("keep", "top", NULL, MS_BIND, NULL), 0);
	CHECK_INT(path_remove_tree(AT_FDCWD, "top", &e), -EBUSY);
	CHECK_INT(umount2("top", MNT_DETACH), 0);
	CHECK(scratch_has(s, "keep/f"));
}

TEST(mounts_are_never_crossed)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	int status = -1;
	pid_t pid;

	REQUIRE(scratch_init(&s) && mkdirat(s.fd, "keep", 0755) == 0 &&
		scratch_write(&s, "keep/f", "x") &&
		mkdirat(s.fd, "t", 0755) == 0 &&
		mkdirat(s.fd, "t/in", 0755) == 0 &&
		mkdirat(s.fd, "top", 0755) == 0 &&
		scratch_write(&s, "file", ""));
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (!own_mounts() || chdir(s.path) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(CHILD_SKIP);
		remove_with_mounts(&s);
		_exit(tap_child_status());
	}
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WEXITSTATUS(status) == CHILD_SKIP)
		SKIP("no mount namespace to be had");
	CHECK_INT(status, 0);
	CHECK(scratch_has(&s, "keep/f"));
}

static const struct tap_test tests[] = {
	TAP(files_links_and_folders_go_alone),
	TAP(what_is_gone_is_fine),
	TAP(links_are_removed_not_followed),
	TAP(a_wide_tree_goes_and_leaks_no_descriptor),
	TAP(depth_costs_neither_stack_nor_descriptors),
	TAP(what_is_moved_up_finds_a_free_name),
	TAP(an_error_names_the_entry),
	TAP(mounts_are_never_crossed),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

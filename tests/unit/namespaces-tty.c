/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/tty.h"

#include <sys/sysmacros.h>

#include "tests/unit/namespaces-world.h"

static int make_root(bool devpts)
{
	int root;

	world_dir("/tmp/root/dev/pts");
	(void)CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)CHECK(mount("/tmp/root", "/tmp/root", NULL, MS_BIND, NULL) == 0);
	if (devpts)
		(void)CHECK(mount("devpts", "/tmp/root/dev/pts", "devpts", 0,
				  "newinstance,ptmxmode=0666,mode=0620") == 0);
	root = open("/tmp/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)CHECK(root >= 0);
	return root;
}

static void check_open(void)
{
	int root = make_root(true), before = world_next_fd();
	struct ns_tty t = { -1, -1 };
	struct winsize size = { 0 };
	struct err e = { 0 };
	char text[16] = "";

	REQUIRE_OK(ns_tty_open(root, 30, 100, &t, &e), &e);
	CHECK(fcntl(t.master, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(t.slave, F_GETFD) & FD_CLOEXEC);
	CHECK(world_has("/tmp/root/dev/pts/0"));
	CHECK_INT(ns_tty_size(t.slave, &size), 0);
	CHECK_INT(size.ws_row, 30);
	CHECK_INT(size.ws_col, 100);

	CHECK(write(t.slave, "a\n", 2) == 2);
	CHECK_INT(read(t.master, text, sizeof(text)), 3);
	CHECK_STR(text, "a\r\n");
	REQUIRE_OK(ns_tty_bare(t.slave, &e), &e);
	CHECK(write(t.slave, "b\n", 2) == 2);
	CHECK_INT(read(t.master, text, sizeof(text)), 2);
	CHECK(text[0] == 'b' && text[1] == '\n');

	size.ws_row = 31;
	CHECK_INT(ns_tty_resize(t.master, &size), 0);
	CHECK_INT(ns_tty_size(t.slave, &size), 0);
	CHECK_INT(size.ws_row, 31);
	(void)close(t.master);
	(void)close(t.slave);
	CHECK_INT(world_next_fd(), before);
}

TEST(a_pty_is_made_in_the_containers_devpts)
{
	in_world(check_open);
}

TEST(a_pty_is_made_in_a_user_namespace)
{
	in_user_world(check_open);
}

static void check_size_default(void)
{
	int root = make_root(true);
	struct ns_tty t = { -1, -1 };
	struct winsize size = { 7, 7, 7, 7 };
	struct err e = { 0 };

	REQUIRE_OK(ns_tty_open(root, 0, 0, &t, &e), &e);
	CHECK_INT(ns_tty_size(t.slave, &size), 0);
	CHECK_INT(size.ws_row, 0);
	REQUIRE_OK(ns_tty_open(root, 100000, 5, &t, &e), &e);
	CHECK_INT(ns_tty_size(t.slave, &size), 0);
	CHECK_INT(size.ws_row, 65535);
}

TEST(a_size_may_be_left_open_and_is_bounded)
{
	in_world(check_size_default);
}

static void check_false_devpts(void)
{
	int root = make_root(false);
	struct ns_tty t = { -1, -1 };
	struct err e = { 0 };

	CHECK_INT(ns_tty_open(root, 0, 0, &t, &e), -ENOENT);
	world_file("/tmp/root/dev/pts/ptmx", "");
	CHECK_INT(ns_tty_open(root, 0, 0, &t, &e), -EINVAL);
	CHECK_HAS(e.text, "is not a devpts");
	REQUIRE(unlink("/tmp/root/dev/pts/ptmx") == 0);
	REQUIRE(symlink("/dev/ptmx", "/tmp/root/dev/pts/ptmx") == 0);
	CHECK_INT(ns_tty_open(root, 0, 0, &t, &e), -ELOOP);
	CHECK_INT(t.master, -1);
}

TEST(what_is_not_a_devpts_gives_no_terminal)
{
	in_world(check_false_devpts);
}

static void check_false_ptmx(void)
{
	int root = make_root(false);
	struct ns_tty t = { -1, -1 };
	struct err e = { 0 };

	/* The right device on the wrong file system: the host's terminals. */
	REQUIRE(mknod("/tmp/root/dev/pts/ptmx", S_IFCHR | 0666,
		      makedev(5, 2)) == 0);
	CHECK(ns_tty_open(root, 0, 0, &t, &e) < 0);
	CHECK_INT(t.master, -1);
}

TEST(a_ptmx_of_the_images_making_gives_no_terminal)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_false_ptmx);
}

static void check_console(void)
{
	int root = make_root(true), before;
	struct ns_tty t = { -1, -1 };
	struct err e = { 0 };
	struct stat a = { 0 }, b = { 0 };

	REQUIRE_OK(ns_tty_open(root, 0, 0, &t, &e), &e);
	before = world_next_fd();
	REQUIRE_OK(ns_tty_console(root, t.slave, &e), &e);
	CHECK(fstat(t.slave, &a) == 0);
	CHECK(stat("/tmp/root/dev/console", &b) == 0);
	CHECK(a.st_rdev == b.st_rdev && a.st_ino == b.st_ino);
	CHECK_INT(world_next_fd(), before);
}

TEST(the_console_is_the_pty)
{
	in_world(check_console);
}

/*
 * CVE-2025-52565: a link in the place of /dev/console made the runtime mount
 * on, or make, what it names.
 */
static void check_console_link(void)
{
	static const char *const links[] = { "/tmp/host/made", "../../../host",
					     "/proc/self/exe", "console" };
	int root = make_root(true);
	struct ns_tty t = { -1, -1 };

	world_dir("/tmp/root/tmp/host");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct err e = { 0 };

		if (t.slave < 0)
			REQUIRE_OK(ns_tty_open(root, 0, 0, &t, &e), &e);
		(void)unlink("/tmp/root/dev/console");
		CHECK(symlink(links[i], "/tmp/root/dev/console") == 0);
		if (!CHECK(ns_tty_console(root, t.slave, &e) < 0) ||
		    !CHECK(!world_mount("/tmp/root/tmp/host/made")) ||
		    !CHECK(!world_has("/tmp/root/tmp/host/made")))
			tap_note("link to '%s'", links[i]);
	}
	(void)unlink("/tmp/root/dev/console");
	world_dir("/tmp/root/dev/console");
	CHECK_INT(ns_tty_console(root, t.slave, NULL), -EINVAL);
}

TEST(a_console_that_is_a_link_is_refused)
{
	in_world(check_console_link);
}

static void check_adopt(void)
{
	int root = make_root(true), tty;
	struct ns_tty t = { -1, -1 };
	struct err e = { 0 };
	struct stat a = { 0 }, b = { 0 };
	int report = fd_copy(1, 10, &e);

	REQUIRE_OK(ns_tty_open(root, 0, 0, &t, &e), &e);
	REQUIRE(setsid() > 0 || getsid(0) == getpid());
	CHECK_OK(ns_tty_adopt(t.slave, 0, &e), &e);
	(void)fstat(t.slave, &a);
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &b) < 0 || a.st_rdev != b.st_rdev ||
		    (fcntl(fd, F_GETFD) & FD_CLOEXEC))
			tap_.failed++;
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (tty < 0)
		tap_.failed++;
	(void)dup2(report, 1); /* ours again, for what comes */
	CHECK(tty >= 0);
}

TEST(the_pty_becomes_the_terminal_and_stdio)
{
	in_world(check_adopt);
}

static void check_raw(void)
{
	int root = make_root(true);
	struct ns_tty t = { -1, -1 };
	struct termios old, now;
	struct err e = { 0 };
	struct winsize size;
	int fd;

	REQUIRE_OK(ns_tty_open(root, 0, 0, &t, &e), &e);
	REQUIRE_OK(ns_tty_raw(t.slave, &old, &e), &e);
	CHECK(tcgetattr(t.slave, &now) == 0);
	CHECK(!(now.c_lflag & (ICANON | ECHO | ISIG)));
	ns_tty_restore(t.slave, &old);
	CHECK(tcgetattr(t.slave, &now) == 0);
	CHECK(now.c_lflag == old.c_lflag);

	world_file("/tmp/file", "");
	fd = open("/tmp/file", O_RDONLY | O_CLOEXEC);
	CHECK_INT(ns_tty_raw(fd, &old, &e), -ENOTTY);
	CHECK_INT(ns_tty_size(fd, &size), -ENOTTY);
	CHECK_INT(ns_tty_resize(fd, &size), -ENOTTY);
}

TEST(a_terminal_is_raw_and_then_as_before)
{
	in_world(check_raw);
}

static const struct tap_test tests[] = {
	TAP(a_pty_is_made_in_the_containers_devpts),
	TAP(a_pty_is_made_in_a_user_namespace),
	TAP(a_size_may_be_left_open_and_is_bounded),
	TAP(what_is_not_a_devpts_gives_no_terminal),
	TAP(a_ptmx_of_the_images_making_gives_no_terminal),
	TAP(the_console_is_the_pty),
	TAP(a_console_that_is_a_link_is_refused),
	TAP(the_pty_becomes_the_terminal_and_stdio),
	TAP(a_terminal_is_raw_and_then_as_before),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Runs in a child, for it rearranges the descriptors. */
static void in_child(void (*body)(void))
{
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		body();
		_exit(tap_child_status());
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
}

/* Places 10 .. 19 are open, and nothing else behind them. */
static void open_ten(void)
{
	fd_close_from(3, NULL, 0);
	for (int fd = 10; fd < 20; fd++)
		REQUIRE(dup3(0, fd, 0) == fd); /* by nobody: no exec */
}

static void close_but_three(void)
{
	open_ten();
	fd_close_from(11, (int[]){ 15, -1, 12, 19, 5, 15, -1 }, 7);
	for (int fd = 10; fd < 25; fd++)
		if (!CHECK_INT(is_open(fd),
			       fd == 10 || fd == 12 || fd == 15 || fd == 19))
			tap_note("descriptor %d", fd);
}

static void close_all_of_them(void)
{
	open_ten();
	fd_close_from(10, NULL, 0);
	for (int fd = 3; fd < 25; fd++)
		CHECK(!is_open(fd));
	CHECK(is_open(0) && is_open(1));
}

static void close_with_first_kept(void)
{
	open_ten();
	fd_close_from(10, (int[]){ 10 }, 1);
	CHECK(is_open(10) && !is_open(11) && !is_open(19));
}

TEST(closing_spares_what_is_to_be_kept)
{
	in_child(close_but_three);
	in_child(close_all_of_them);
	in_child(close_with_first_kept);
}

static void mark(void)
{
	struct err e = { 0 };

	open_ten();
	CHECK_OK(fd_cloexec_from(12, &e), &e);
	for (int fd = 10; fd < 20; fd++)
		CHECK_INT(fcntl(fd, F_GETFD), fd < 12 ? 0 : FD_CLOEXEC);
}

TEST(descriptors_from_a_number_on_become_close_on_exec)
{
	in_child(mark);
}

/* close_range() as 5.10 has it: without flags. */
static bool forbid_flags(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = ARRAY_SIZE(filter),
		.filter = filter,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void mark_on_an_old_kernel(void)
{
	REQUIRE(forbid_flags());
	CHECK(syscall(SYS_close_range, 900, 900, CLOSE_RANGE_CLOEXEC) < 0 &&
	      errno == EINVAL);
	mark();
}

TEST(an_old_kernel_marks_them_one_by_one)
{
	in_child(mark_on_an_old_kernel);
}

TEST(a_copy_has_the_number_wanted_and_is_close_on_exec)
{
	struct err e = { 0 };
	autoclose int fd = fd_copy(0, 50, &e);

	REQUIRE_OK(fd, &e);
	CHECK(fd >= 50);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_INT(fd_copy(-1, 0, &e), -EBADF);
}

TEST(blocking_is_switched_and_the_other_flags_stay)
{
	const int both = O_NONBLOCK | O_APPEND;
	autoclose int fd = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);

	REQUIRE(fd >= 0);
	CHECK_INT(fd_set_nonblock(fd, true), 0);
	CHECK_INT(fcntl(fd, F_GETFL) & both, both);
	CHECK_INT(fd_set_nonblock(fd, false), 0);
	CHECK_INT(fcntl(fd, F_GETFL) & both, O_APPEND);
	CHECK_INT(fd_set_nonblock(-1, true), -EBADF);
}

static void lose_stdin_and_stderr(void)
{
	struct err e = { 0 };
	struct stat st, null;

	(void)close(0);
	(void)close(2);
	CHECK_OK(fd_ensure_stdio(&e), &e);
	CHECK(stat("/dev/null", &null) == 0);
	CHECK(fstat(0, &st) == 0 && st.st_rdev == null.st_rdev);
	CHECK(fstat(2, &st) == 0 && st.st_rdev == null.st_rdev);
	/* A program that we start has them too. */
	CHECK_INT(fcntl(0, F_GETFD), 0);
	CHECK_INT(fcntl(2, F_GETFD), 0);
}

TEST(closed_standard_descriptors_become_dev_null)
{
	struct err e = { 0 };
	struct stat before, after;

	in_child(lose_stdin_and_stderr);
	REQUIRE(fstat(1, &before) == 0);
	CHECK_OK(fd_ensure_stdio(&e), &e);
	CHECK(fstat(1, &after) == 0 && before.st_ino == after.st_ino);
}

static const struct tap_test tests[] = {
	TAP(closing_spares_what_is_to_be_kept),
	TAP(descriptors_from_a_number_on_become_close_on_exec),
	TAP(an_old_kernel_marks_them_one_by_one),
	TAP(a_copy_has_the_number_wanted_and_is_close_on_exec),
	TAP(blocking_is_switched_and_the_other_flags_stay),
	TAP(closed_standard_descriptors_become_dev_null),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

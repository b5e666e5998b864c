/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

#include "base/cleanup.h"
#include "base/lock.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define SCRATCH                                                                \
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;               \
	struct err e = { 0 };                                                  \
	REQUIRE(scratch_init(&s))

TEST(a_lock_makes_its_file_and_closing_gives_it_back)
{
	struct stat st;
	int fd;
	SCRATCH;

	fd = lock_take(s.fd, "lock", LOCK_EXCLUSIVE, 0, &e);
	REQUIRE_OK(fd, &e);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK_INT(lock_take(s.fd, "lock", LOCK_EXCLUSIVE, 0, &e), -EBUSY);
	CHECK_STR(e.text, "'lock' is locked by another process");
	(void)close(fd);
	fd = lock_take(s.fd, "lock", LOCK_EXCLUSIVE, 0, &e);
	CHECK_OK(fd, &e);
	(void)close(fd);
}

TEST(readers_share_and_a_writer_waits)
{
	autoclose int a = -1, b = -1;
	int before;
	SCRATCH;

	a = lock_take(s.fd, "lock", LOCK_SHARED, 0, &e);
	b = lock_take(s.fd, "lock", LOCK_SHARED, 0, &e);
	CHECK(a >= 0 && b >= 0);
	before = open_fds();
	CHECK_INT(lock_take(s.fd, "lock", LOCK_EXCLUSIVE, 0, &e), -EBUSY);
	CHECK_INT(lock_take(s.fd, "lock", LOCK_EXCLUSIVE, 30, &e), -EBUSY);
	CHECK_INT(open_fds(), before);
}

/* Until somebody stands in the queue for this file: "1: -> FLOCK ...". */
static bool await_queue(const struct stat *st)
{
	char line[256], inode[64];
	bool found = false;

	(void)snprintf(inode, sizeof(inode), ":%ju 0 EOF",
		       (uintmax_t)st->st_ino);
	while (!found) {
		autofclose FILE *f = fopen("/proc/locks", "re");

		if (!f)
			return false;
		while (!found && fgets(line, sizeof(line), f))
			found = strstr(line, "-> FLOCK") && strstr(line, inode);
		(void)sched_yield();
	}
	return true;
}

struct waiter {
	int dirfd, fd;
	struct stat st;
};

static void *wait_for_lock(void *arg)
{
	struct waiter *w = arg;

	w->fd = lock_take(w->dirfd, "lock", LOCK_EXCLUSIVE, -1, NULL);
	if (w->fd >= 0)
		(void)fstat(w->fd, &w->st);
	return NULL;
}

/* Holds the lock until a second thread wants it, does meanwhile(), lets go. */
static void hand_over(const struct scratch *s, struct waiter *w,
		      struct stat *held,
		      bool (*meanwhile)(const struct scratch *))
{
	int fd = lock_take(s->fd, "lock", LOCK_EXCLUSIVE, 0, NULL);
	pthread_t thread;

	w->dirfd = s->fd;
	REQUIRE(fd >= 0 && fstat(fd, held) == 0);
	REQUIRE(pthread_create(&thread, NULL, wait_for_lock, w) == 0);
	CHECK(await_queue(held));
	CHECK(!meanwhile || meanwhile(s));
	(void)close(fd);
	(void)pthread_join(thread, NULL);
}

TEST(who_waits_gets_the_lock_when_it_is_given_back)
{
	struct waiter w = { .fd = -1 };
	struct stat held;
	SCRATCH;

	hand_over(&s, &w, &held, NULL);
	REQUIRE_OK(w.fd, &e);
	CHECK(w.st.st_ino == held.st_ino);
	(void)close(w.fd);
}

static bool replace(const struct scratch *s)
{
	return scratch_write(s, "lock", "another file");
}

static bool remove_it(const struct scratch *s)
{
	return unlinkat(s->fd, "lock", 0) == 0;
}

/* Else two could each hold the lock of the same name. */
TEST(the_lock_is_on_what_the_name_means_now)
{
	bool (*const changes[])(const struct scratch *) = { replace,
							    remove_it };

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct waiter w = { .fd = -1 };
		struct stat held, named;
		SCRATCH;

		hand_over(&s, &w, &held, changes[i]);
		REQUIRE_OK(w.fd, &e);
		REQUIRE(fstatat(s.fd, "lock", &named, 0) == 0);
		CHECK(w.st.st_ino == named.st_ino);
		CHECK_INT(lock_take(s.fd, "lock", LOCK_SHARED, 0, &e), -EBUSY);
		(void)close(w.fd);
	}
}

TEST(a_planted_link_is_not_followed)
{
	SCRATCH;

	REQUIRE(symlinkat("elsewhere", s.fd, "lock") == 0);
	CHECK_INT(lock_take(s.fd, "lock", LOCK_EXCLUSIVE, 0, &e), -ELOOP);
	CHECK(!scratch_has(&s, "elsewhere"));
	CHECK_INT(lock_take(s.fd, "no/lock", LOCK_SHARED, 0, &e), -ENOENT);
	CHECK_STR(e.text, "lock 'no/lock': No such file or directory");
}

TEST(an_open_folder_can_be_locked_too)
{
	autoclose int a = -1, b = -1;
	SCRATCH;

	a = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_OK(lock_fd(a, LOCK_SHARED, 0, &e), &e);
	CHECK_OK(lock_fd(b, LOCK_SHARED, 0, &e), &e);
	CHECK_INT(lock_fd(b, LOCK_EXCLUSIVE, 3, &e), -EBUSY);
	CHECK_STR(e.text, "locked by another process");
	(void)close(steal_fd(&a));
	CHECK_OK(lock_fd(b, LOCK_EXCLUSIVE, 0, &e), &e);
	CHECK_INT(lock_fd(-1, LOCK_SHARED, 0, &e), -EBADF);
}

static const struct tap_test tests[] = {
	TAP(a_lock_makes_its_file_and_closing_gives_it_back),
	TAP(readers_share_and_a_writer_waits),
	TAP(who_waits_gets_the_lock_when_it_is_given_back),
	TAP(the_lock_is_on_what_the_name_means_now),
	TAP(a_planted_link_is_not_followed),
	TAP(an_open_folder_can_be_locked_too),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

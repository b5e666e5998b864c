/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"

/* flock(2) knows no time limit: between two tries we wait, ever longer. */
#define WAIT_FIRST_MS 1
#define WAIT_MAX_MS   32

static void pause_ms(int ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };

	/* allow nanosleep: nothing tells that a flock has become free */
	(void)nanosleep(&t, NULL);
}

static int flock_once(int fd, int op)
{
	return TEMP_FAILURE_RETRY(flock(fd, op)) < 0 ? -errno : 0;
}

/* Counts *left down, so that a file opened anew does not begin again. */
static int flock_within(int fd, int op, int *left)
{
	int wait = WAIT_FIRST_MS, r;

	if (*left < 0)
		return flock_once(fd, op);
	while ((r = flock_once(fd, op | LOCK_NB)) == -EWOULDBLOCK) {
		if (*left == 0)
			return -EBUSY;
		wait = MIN_OF(wait, *left);
		pause_ms(wait);
		*left -= wait;
		wait = MIN_OF(wait * 2, WAIT_MAX_MS);
	}
	return r;
}

/* 1 when the name still means the file we hold. */
static int is_current(int dirfd, const char *name, int fd)
{
	struct stat held, named;

	if (fstat(fd, &held) < 0)
		return -errno;
	if (fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* The locked descriptor, 0 when the file has been replaced meanwhile. */
static int try_take(int dirfd, const char *name, int op, int *left)
{
	autoclose int fd = openat(
		dirfd, name,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = flock_within(fd, op, left);
	if (r == 0)
		r = is_current(dirfd, name, fd);
	return r > 0 ? steal_fd(&fd) : r;
}

static int op_of(enum lock_mode mode)
{
	return mode == LOCK_SHARED ? LOCK_SH : LOCK_EX;
}

int lock_fd(int fd, enum lock_mode mode, int timeout_ms, struct err *e)
{
	int left = timeout_ms, r;

	r = flock_within(fd, op_of(mode), &left);
	if (r == -EBUSY)
		return err_set(e, r, "locked by another process");
	return r < 0 ? err_code(e, r, "lock") : 0;
}

int lock_take(int dirfd, const char *name, enum lock_mode mode, int timeout_ms,
	      struct err *e)
{
	int op = op_of(mode);
	int left = timeout_ms, r;

	do {
		r = try_take(dirfd, name, op, &left);
	} while (r == 0);
	if (r == -EBUSY)
		return err_set(e, r, "'%s' is locked by another process", name);
	return r < 0 ? err_code(e, r, "lock '%s'", name) : r;
}

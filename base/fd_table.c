/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* The smallest of keep that is at least first, or -1. */
static int next_kept(unsigned int first, const int *keep, size_t n_keep)
{
	int next = -1;

	for (size_t i = 0; i < n_keep; i++)
		if (keep[i] >= 0 && (unsigned int)keep[i] >= first &&
		    (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

static void close_range_(unsigned int first, unsigned int last)
{
	if (first <= last)
		(void)syscall(SYS_close_range, first, last, 0);
}

void fd_close_from(int first, const int *keep, size_t n_keep)
{
	unsigned int from = (unsigned int)first;
	int kept;

	while ((kept = next_kept(from, keep, n_keep)) >= 0) {
		if (kept > (int)from)
			close_range_(from, (unsigned int)kept - 1);
		from = (unsigned int)kept + 1;
	}
	close_range_(from, UINT_MAX);
}

static int cloexec_one(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	return fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
}

/* What 5.10 needs, which has close_range() but not this flag of it. */
static int cloexec_each(int first)
{
	autoclosedir DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	int fd, r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (d = readdir(dir)))
		if (str_to_int(d->d_name, &fd) == 0 && fd >= first)
			r = cloexec_one(fd);
	return r;
}

int fd_cloexec_from(int first, struct err *e)
{
	int r = 0;

	if (syscall(SYS_close_range, (unsigned int)first, UINT_MAX,
		    CLOSE_RANGE_CLOEXEC) < 0)
		r = errno == EINVAL ? cloexec_each(first) : -errno;
	return r < 0 ? err_code(e, r, "mark descriptors close-on-exec") : 0;
}

int fd_copy(int fd, int min, struct err *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, min);

	return copy < 0 ? err_errno(e, "copy descriptor %d", fd) : copy;
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_ensure_stdio(struct err *e)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* Lower ones are open: the lowest free number is this one.
		 * Not close-on-exec, for programs expect to inherit it. */
		if (open("/dev/null", O_RDWR) < 0)
			return err_errno(e, "open '/dev/null'");
	}
	return 0;
}

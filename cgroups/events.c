/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroups/procs.h"

static int open_file(int fd, struct err *e)
{
	int file = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	return file < 0 ? err_errno(e, "open 'cgroup.events'") : file;
}

static bool says(const char *text, const char *line)
{
	return strstr(text, line) != NULL;
}

static int read_file(int file, struct cg_events *ret, struct err *e)
{
	char text[256];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	if (n < 0)
		return err_errno(e, "read 'cgroup.events'");
	text[n] = '\0';
	ret->populated = says(text, "populated 1");
	ret->frozen = says(text, "frozen 1");
	return 0;
}

int cg_events_read(int fd, struct cg_events *ret, struct err *e)
{
	autoclose int file = open_file(fd, e);

	return file < 0 ? file : read_file(file, ret, e);
}

int cg_events_wait(int fd, bool (*until)(const struct cg_events *),
		   int timeout_ms, struct err *e)
{
	autoclose int file = open_file(fd, e);
	uint64_t deadline = cg_deadline(timeout_ms);

	if (file < 0)
		return file;
	for (;;) {
		/* The kernel says POLLPRI once after each change; a read
		 * before the wait cannot miss one. */
		struct pollfd p = { .fd = file, .events = POLLPRI };
		struct cg_events ev;
		int r = read_file(file, &ev, e);

		if (r < 0)
			return r;
		if (until(&ev))
			return 0;
		r = poll(&p, 1, cg_left_ms(deadline));
		if (r < 0 && errno != EINTR)
			return err_errno(e, "wait for 'cgroup.events'");
		if (r == 0 && cg_left_ms(deadline) == 0)
			return err_set(e, -ETIMEDOUT, "timed out");
	}
}

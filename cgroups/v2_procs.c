/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v2.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "cgroups/events.h"
#include "cgroups/folder.h"
#include "cgroups/procs.h"
#include "cgroups/tree.h"

static int write_file(int fd, const char *name, const char *text)
{
	autoclose int file = openat(fd, name, O_WRONLY | O_CLOEXEC);

	if (file < 0)
		return -errno;
	return write(file, text, 1) < 0 ? -errno : 0;
}

/* Linux before 5.14. Frozen processes of v2 do die of SIGKILL, and while they
 * are frozen they cannot fork: one round over the list is enough then. */
static int kill_one_by_one(int fd, struct err *e)
{
	int r, thawed;

	(void)write_file(fd, "cgroup.freeze", "1");
	r = cg_procs_kill(fd, e);
	thawed = write_file(fd, "cgroup.freeze", "0");
	if (r == 0 && thawed < 0)
		return err_set(e, thawed, "thaw the cgroup");
	return r;
}

int cg_v2_kill(int fd, struct err *e)
{
	int r = write_file(fd, "cgroup.kill", "1");

	if ((r == -ENOENT || r == -ENODEV) && cg_tree_gone(fd))
		return 0;
	if (r == -ENOENT)
		return kill_one_by_one(fd, e);
	return r < 0 ? err_set(e, r, "write 'cgroup.kill': %s",
			       strerrordesc_np(-r))
		     : 0;
}

static bool is_thawed(const struct cg_events *ev)
{
	return !ev->frozen;
}

static bool is_empty(const struct cg_events *ev)
{
	return !ev->populated;
}

int cg_v2_freeze(int fd, bool on, int timeout_ms, struct err *e)
{
	int r = write_file(fd, "cgroup.freeze", on ? "1" : "0");

	if (r < 0)
		return err_set(e, r, "write 'cgroup.freeze': %s",
			       strerrordesc_np(-r));
	r = on ? cg_v2_await_frozen(fd, timeout_ms, e)
	       : cg_events_wait(fd, is_thawed, timeout_ms, e);
	if (r == -ETIMEDOUT && on) {
		(void)write_file(fd, "cgroup.freeze", "0");
		return err_set(e, r,
			       "the processes did not freeze within %d ms",
			       timeout_ms);
	}
	if (r == -ETIMEDOUT)
		return err_set(
			e, r,
			"still frozen after %d ms: a group above is frozen",
			timeout_ms);
	return r;
}

/* By itself, or by a group above it. */
int cg_v2_frozen(int fd, bool *ret, struct err *e)
{
	struct cg_events ev;
	char text[8];
	ssize_t n = fd_read_small_at(fd, "cgroup.freeze", text, sizeof(text));
	int r;

	if (n < 0)
		return err_set(e, (int)n, "read 'cgroup.freeze': %s",
			       strerrordesc_np((int)-n));
	*ret = text[0] == '1';
	if (*ret)
		return 0;
	r = cg_events_read(fd, &ev, e);
	if (r < 0)
		return cg_tree_gone(fd) ? 0 : r;
	*ret = ev.frozen;
	return 0;
}

int cg_v2_wait_empty(int fd, int timeout_ms, struct err *e)
{
	int r = cg_events_wait(fd, is_empty, timeout_ms, e);

	if ((r == -ENODEV || r == -ENOENT) && cg_tree_gone(fd))
		return 0;
	if (r == -ETIMEDOUT)
		return err_set(e, r, "processes are left after %d ms",
			       timeout_ms);
	return r;
}

int cg_v2_remove(const char *path, int timeout_ms, struct err *e)
{
	uint64_t deadline = cg_deadline(MAX_OF(timeout_ms, 0));
	int pause_ms = 1, r;

	while ((r = cg_tree_rmdir(path, e)) == -EBUSY) {
		autoclose int fd = -1;

		if (cg_left_ms(deadline) == 0)
			return err_set(e, r,
				       "cgroup '%s' still holds processes",
				       path);
		if (cg_v2_open(path, &fd, e) < 0)
			continue;
		/* The dying are waited for; and what keeps an empty group
		 * busy a moment longer has no event to wait for. */
		if (cg_events_wait(fd, is_empty, cg_left_ms(deadline), e) ==
		    -ETIMEDOUT)
			continue;
		(void)poll(NULL, 0, MIN_OF(pause_ms, cg_left_ms(deadline)));
		pause_ms = MIN_OF(pause_ms * 2, 50);
	}
	if (r == 0)
		cg_folder_prune(path);
	return r;
}

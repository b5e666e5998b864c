/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v1.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/folder.h"
#include "cgroups/procs.h"
#include "cgroups/tree.h"

/* Where the processes are looked for: the freezer's hierarchy, or any. */
static int steering_fd(const struct cg_v1 *v1)
{
	int fd = cg_v1_fd(v1, CG_CTL_FREEZER);

	return fd >= 0 ? fd : v1->v[0].fd;
}

int cg_v1_pids(const struct cg_v1 *v1, pid_t **ret, size_t *ret_n,
	       struct err *e)
{
	struct cg_procs p = { 0 };
	int r = cg_procs_list(steering_fd(v1), &p, e);

	if (r < 0)
		return r;
	*ret = p.v;
	*ret_n = p.n;
	return 0;
}

static int freezer_fd(const struct cg_v1 *v1, struct err *e)
{
	int fd = cg_v1_fd(v1, CG_CTL_FREEZER);

	return fd >= 0 ? fd
		       : err_set(e, -EOPNOTSUPP,
				 "this host has no controller 'freezer'");
}

static int set_state(int fd, bool on, struct err *e)
{
	return fd_write_small_at(fd, "freezer.state", on ? "FROZEN" : "THAWED",
				 e);
}

static int has_state(int fd, bool on, struct err *e)
{
	char text[16];
	ssize_t n = fd_read_small_at(fd, "freezer.state", text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)n, "read 'freezer.state': %s",
			       strerrordesc_np((int)-n));
	return str_eq(text, on ? "FROZEN" : "THAWED");
}

/*
 * The kernel has no event for it. And it may stay FREEZING for good when a
 * process forked or was in a vfork() at the wrong moment: then a thaw and
 * another freeze help, so every tenth look starts over.
 */
static int try_freeze(int fd, bool on, unsigned int attempt, struct err *e)
{
	int r;

	if (on && attempt % 10 == 9)
		(void)set_state(fd, false, NULL);
	r = set_state(fd, on, e);
	return r == 0 ? has_state(fd, on, e) : r;
}

int cg_v1_freeze(const struct cg_v1 *v1, bool on, int timeout_ms, struct err *e)
{
	uint64_t deadline = cg_deadline(timeout_ms);
	int fd = freezer_fd(v1, e), r;

	if (fd < 0)
		return fd;
	for (unsigned int i = 0;; i++) {
		r = try_freeze(fd, on, i, e);
		if (r != 0)
			return r < 0 ? r : 0;
		if (cg_left_ms(deadline) == 0)
			break;
		(void)poll(NULL, 0, i < 10 ? 1 : 10);
	}
	if (on)
		(void)set_state(fd, false, NULL);
	return err_set(e, -ETIMEDOUT,
		       on ? "the processes did not freeze within %d ms"
			  : "still frozen after %d ms: a group above is frozen",
		       timeout_ms);
}

static int is_freezing(int fd, const char *file, struct err *e)
{
	char text[8];
	ssize_t n = fd_read_small_at(fd, file, text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)n, "read '%s': %s", file,
			       strerrordesc_np((int)-n));
	return text[0] == '1';
}

/* By itself, or by a group above it. */
int cg_v1_frozen(const struct cg_v1 *v1, bool *ret, struct err *e)
{
	int fd = cg_v1_fd(v1, CG_CTL_FREEZER), r = 0;

	if (fd >= 0)
		r = is_freezing(fd, "freezer.self_freezing", e);
	if (fd >= 0 && r == 0)
		r = is_freezing(fd, "freezer.parent_freezing", e);
	*ret = r > 0;
	return MIN_OF(r, 0);
}

/* Frozen processes of v1 do not even die: freeze so that nobody can fork,
 * signal all, thaw. Where freezing does not work it is a race we can win. */
int cg_v1_kill(const struct cg_v1 *v1, struct err *e)
{
	int fd = cg_v1_fd(v1, CG_CTL_FREEZER), r;

	if (fd >= 0)
		(void)set_state(fd, true, NULL);
	r = cg_procs_kill(steering_fd(v1), e);
	if (fd >= 0) {
		int thawed = set_state(fd, false, e);

		if (r == 0)
			r = thawed;
	}
	return r;
}

int cg_v1_let_die(const struct cg_v1 *v1, struct err *e)
{
	int fd = cg_v1_fd(v1, CG_CTL_FREEZER);

	return fd >= 0 ? set_state(fd, false, e) : 0;
}

static int any_left(const struct cg_v1 *v1, struct err *e)
{
	_cleanup_(cg_procs_done) struct cg_procs p = { 0 };
	int r = cg_procs_list(steering_fd(v1), &p, e);

	return r < 0 ? r : p.n > 0;
}

int cg_v1_wait_empty(const struct cg_v1 *v1, int timeout_ms, struct err *e)
{
	uint64_t deadline = cg_deadline(timeout_ms);
	int pause_ms = 1, r;

	while ((r = any_left(v1, e)) > 0) {
		if (cg_left_ms(deadline) == 0)
			return err_set(e, -ETIMEDOUT,
				       "processes are left after %d ms",
				       timeout_ms);
		(void)poll(NULL, 0, pause_ms);
		pause_ms = MIN_OF(pause_ms * 2, 20);
	}
	return r;
}

static int remove_group(const char *path, uint64_t deadline, struct err *e)
{
	int pause_ms = 1, r;

	while ((r = cg_tree_rmdir(path, e)) == -EBUSY) {
		if (cg_left_ms(deadline) == 0)
			return err_set(e, r,
				       "cgroup '%s' still holds processes",
				       path);
		(void)poll(NULL, 0, pause_ms);
		pause_ms = MIN_OF(pause_ms * 2, 50);
	}
	if (r == 0)
		cg_folder_prune(path);
	return r;
}

/* All are tried, the first failure is told. */
int cg_v1_remove(const struct cg_v1 *v1, int timeout_ms, struct err *e)
{
	uint64_t deadline = cg_deadline(MAX_OF(timeout_ms, 0));
	int first = 0;

	for (size_t i = 0; i < v1->n; i++) {
		int r = remove_group(v1->v[i].path, deadline,
				     first < 0 ? NULL : e);

		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

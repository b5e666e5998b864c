/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* How often a walk begins anew before it gives up. */
#define RESTARTS 16

struct level {
	char **names;
	size_t next;
};

struct walk {
	int fd; /* where we are */
	struct level *levels;
	size_t n_levels;
	cg_tree_fn enter; /* may be NULL */
	void *arg;
	bool remove;
	bool busy;
};

static void walk_done(struct walk *w)
{
	for (size_t i = 0; i < w->n_levels; i++)
		strv_free(w->levels[i].names);
	free(w->levels);
	auto_close_(&w->fd);
}

static int open_dir(int fd, const char *name)
{
	return openat(fd, name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The names of the groups in fd; all files are of the kernel's making. */
static int list_groups(int fd, char ***ret, struct err *e)
{
	autoclosedir DIR *dir = NULL;
	autoclose int copy = -1;
	autostrv char **names = NULL;
	const struct dirent *d;

	copy = open_dir(fd, ".");
	if (copy < 0)
		return err_errno(e, "open cgroup");
	dir = fdopendir(copy);
	if (!dir)
		return err_errno(e, "read cgroup");
	(void)steal_fd(&copy);
	while ((d = readdir(dir))) {
		if (d->d_type != DT_DIR || str_eq(d->d_name, ".") ||
		    str_eq(d->d_name, ".."))
			continue;
		if (strv_add(&names, d->d_name) < 0)
			return err_nomem(e);
	}
	*ret = steal_ptr(names);
	return 0;
}

/* We stand in w->fd for the first time. */
static int arrive(struct walk *w, struct err *e)
{
	struct level *levels;
	int r;

	if (w->enter) {
		r = w->enter(w->arg, w->fd, e);
		if (r < 0)
			return r;
	}
	levels = reallocarray(w->levels, w->n_levels + 1, sizeof(*levels));
	if (!levels)
		return err_nomem(e);
	w->levels = levels;
	levels[w->n_levels] = (struct level){ 0 };
	r = list_groups(w->fd, &levels[w->n_levels].names, e);
	if (r < 0)
		return r;
	w->n_levels++;
	return 0;
}

static int move_to(struct walk *w, const char *name, struct err *e)
{
	int fd = open_dir(w->fd, name);

	if (fd < 0)
		return err_errno(e, "open cgroup '%s'", name);
	(void)close(w->fd);
	w->fd = fd;
	return 0;
}

static void leave_level(struct walk *w)
{
	w->n_levels--;
	strv_free(w->levels[w->n_levels].names);
}

/* Back to the parent, and away with what we come from. */
static int climb(struct walk *w, struct err *e)
{
	struct level *up;
	int r;

	leave_level(w);
	if (w->n_levels == 0)
		return 0;
	r = move_to(w, "..", e);
	if (r < 0)
		return r;
	up = &w->levels[w->n_levels - 1];
	if (w->remove &&
	    unlinkat(w->fd, up->names[up->next - 1], AT_REMOVEDIR) < 0 &&
	    errno != ENOENT)
		w->busy = true;
	return 0;
}

static int step(struct walk *w, struct err *e)
{
	struct level *l = &w->levels[w->n_levels - 1];
	const char *name = l->names ? l->names[l->next] : NULL;
	int r;

	if (!name)
		return climb(w, e);
	l->next++;
	r = move_to(w, name, e);
	if (r == -ENOENT)
		return 0; /* removed meanwhile */
	return r < 0 ? r : arrive(w, e);
}

static int walk_once(struct walk *w, int fd, struct err *e)
{
	int r;

	w->fd = open_dir(fd, ".");
	if (w->fd < 0)
		return err_errno(e, "open cgroup");
	r = arrive(w, e);
	while (r >= 0 && w->n_levels > 0)
		r = step(w, e);
	return r;
}

bool cg_tree_gone(int fd)
{
	return faccessat(fd, "cgroup.procs", F_OK, 0) < 0 && errno == ENOENT;
}

static int walk(int fd, struct walk *how, struct err *e)
{
	int r = 0;

	for (int i = 0; i < RESTARTS; i++) {
		_cleanup_(walk_done) struct walk w = *how;

		r = walk_once(&w, fd, e);
		how->busy = w.busy;
		if (r != -ENOENT && r != -ENODEV)
			return r;
		if (cg_tree_gone(fd))
			return 0;
	}
	return err_wrap(e, r, "groups are removed while they are looked at");
}

int cg_tree_walk(int fd, cg_tree_fn fn, void *arg, struct err *e)
{
	struct walk how = { .fd = -1, .enter = fn, .arg = arg };

	return walk(fd, &how, e);
}

int cg_tree_remove(int fd, struct err *e)
{
	struct walk how = { .fd = -1, .remove = true };
	int r = walk(fd, &how, e);

	if (r < 0)
		return r;
	return how.busy ? err_set(e, -EBUSY, "groups below are busy") : 0;
}

int cg_tree_rmdir(const char *path, struct err *e)
{
	autoclose int fd = -1;
	int r;

	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return err_errno(e, "remove cgroup '%s'", path);
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "open '%s'", path);
	r = cg_tree_remove(fd, e);
	if (r < 0 && r != -EBUSY)
		return r;
	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	return err_errno(e, "remove cgroup '%s'", path);
}

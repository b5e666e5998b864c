/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v1.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "cgroups/folder.h"

#define LIST_MAX 65536

/* --- making a group -------------------------------------------------------*/

static int inherit_one(const char *group, const char *file, struct err *e)
{
	autofree char *mine = str_printf("%s/%s", group, file);
	autofree char *above = str_printf("%s/../%s", group, file);
	autofree char *text = NULL;
	int r;

	if (!mine || !above)
		return err_nomem(e);
	r = fd_read_file_at(AT_FDCWD, mine, LIST_MAX, &text, NULL, e);
	if (r < 0 || text[strspn(text, " \n")])
		return r;
	free(steal_ptr(text));
	r = fd_read_file_at(AT_FDCWD, above, LIST_MAX, &text, NULL, e);
	return r < 0 ? r : fd_write_small_at(AT_FDCWD, mine, text, e);
}

/* Before Linux 5.11 children were not counted in, unless told. */
static void count_children(const char *group)
{
	autofree char *file = str_printf("%s/memory.use_hierarchy", group);

	if (file && fd_write_small_at(AT_FDCWD, file, "1", NULL) < 0)
		log_debug("cgroup '%s' does not count its children", group);
}

/* A new group of this hierarchy is not usable as it is made. */
static int prepare(void *arg, const char *group, struct err *e)
{
	const struct cg_v1_mount *m = arg;
	int r = 0;

	if (m->controllers & CG_BIT(CG_CTL_MEMORY))
		count_children(group);
	/* Nobody can join a cpuset without CPUs or memory nodes. */
	if (m->controllers & CG_BIT(CG_CTL_CPUSET)) {
		r = inherit_one(group, "cpuset.cpus", e);
		if (r == 0)
			r = inherit_one(group, "cpuset.mems", e);
	}
	return r;
}

static int check_vacant(int fd, const char *path, struct err *e)
{
	char text[32];
	ssize_t n = fd_read_small_at(fd, "cgroup.procs", text, sizeof(text));

	/* -EFBIG: more than fits is more than none. */
	if (n > 0 || n == -EFBIG)
		return err_set(e, -EBUSY, "cgroup '%s' holds processes already",
			       path);
	return 0;
}

/* By itself, or by a group above it: then one that was just made is, too. */
static int check_thawed(int fd, const char *path, struct err *e)
{
	char text[32];
	ssize_t n = fd_read_small_at(fd, "freezer.state", text, sizeof(text));

	if (n > 0 && !str_eq(text, "THAWED"))
		return err_set(e, -EBUSY, "cgroup '%s' is frozen", path);
	return 0;
}

/* Takes over fd. */
static int append(struct cg_v1 *v1, uint32_t controllers, const char *names,
		  const char *path, int fd, struct err *e)
{
	struct cg_v1_group *v;

	v = reallocarray(v1->v, v1->n + 1, sizeof(*v));
	if (!v) {
		(void)close(fd);
		return err_nomem(e);
	}
	v1->v = v;
	v = &v1->v[v1->n++];
	*v = (struct cg_v1_group){
		.controllers = controllers,
		.names = strdup(names),
		.path = strdup(path),
		.fd = fd,
		.tasks = -1,
	};
	return v->names && v->path ? 0 : err_nomem(e);
}

static int open_group(const char *path, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_errno(e, "open cgroup '%s'", path) : fd;
}

static int make_group(struct cg_v1 *v1, const struct cg_v1_mount *m,
		      const struct cg_v1_place *place, struct err *e)
{
	autofree char *path = NULL;
	autoclose int fd = -1;
	bool made = false;
	int r;

	r = cg_v1_group_path(m, place, &path, e);
	if (r < 0)
		return r;
	r = cg_folder_make(m->point, path, prepare, (void *)m, &made, e);
	if (r == 0)
		r = fd = open_group(path, e);
	if (r >= 0 && !made && !place->shared)
		r = check_vacant(fd, path, e);
	if (r >= 0 && !place->may_be_frozen &&
	    (m->controllers & CG_BIT(CG_CTL_FREEZER)))
		r = check_thawed(fd, path, e);
	if (r >= 0)
		r = append(v1, m->controllers, m->names, path, steal_fd(&fd),
			   e);
	if (r >= 0)
		v1->v[v1->n - 1].made = made;
	else if (made && rmdir(path) == 0)
		cg_folder_prune(path);
	if (r >= 0 && !made && place->shared)
		cg_folder_keep(path);
	return r;
}

static const struct cg_v1_group *have(const struct cg_v1 *v1, const char *names)
{
	for (size_t i = 0; i < v1->n; i++) {
		if (str_eq(v1->v[i].names, names))
			return &v1->v[i];
	}
	return NULL;
}

static void drop_from(struct cg_v1 *v1, size_t first, bool remove)
{
	while (v1->n > first) {
		struct cg_v1_group *g = &v1->v[--v1->n];

		auto_close_(&g->fd);
		auto_close_(&g->tasks);
		if (remove && g->made && rmdir(g->path) == 0)
			cg_folder_prune(g->path);
		free(g->names);
		free(g->path);
	}
}

int cg_v1_make(struct cg_v1 *v1, const struct cg_v1_host *h, uint32_t mask,
	       const struct cg_v1_place *place, struct err *e)
{
	bool any = !(mask & h->controllers);
	size_t before = v1->n;

	for (size_t i = 0; i < h->n; i++) {
		const struct cg_v1_mount *m = &h->v[i];
		int r;

		if ((!any && !(m->controllers & mask)) || have(v1, m->names))
			continue;
		r = make_group(v1, m, place, e);
		if (r < 0) {
			drop_from(v1, before, true);
			return r;
		}
		if (any)
			break;
	}
	return 0;
}

int cg_v1_open(struct cg_v1 *v1, const char *names, const char *path,
	       struct err *e)
{
	int fd = open_group(path, e);

	return fd < 0 ? fd
		      : append(v1, cg_v1_list_controllers(names), names, path,
			       fd, e);
}

int cg_v1_find(struct cg_v1 *v1, const struct cg_v1_host *h,
	       const struct cg_v1_place *place, struct err *e)
{
	for (size_t i = 0; i < h->n; i++) {
		autofree char *path = NULL;
		int r;

		r = cg_v1_group_path(&h->v[i], place, &path, e);
		if (r == 0 && (place->shared || cg_folder_ours(path)))
			r = cg_v1_open(v1, h->v[i].names, path, e);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

void cg_v1_unmake(struct cg_v1 *v1)
{
	drop_from(v1, 0, true);
}

void cg_v1_done(struct cg_v1 *v1)
{
	drop_from(v1, 0, false);
	free(v1->v);
	*v1 = (struct cg_v1){ 0 };
}

/* --- using it -------------------------------------------------------------*/

int cg_v1_fd(const struct cg_v1 *v1, enum cg_ctl ctl)
{
	for (size_t i = 0; i < v1->n; i++) {
		if (v1->v[i].controllers & CG_BIT(ctl))
			return v1->v[i].fd;
	}
	return -1;
}

uint32_t cg_v1_controllers(const struct cg_v1 *v1)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < v1->n; i++)
		mask |= v1->v[i].controllers;
	return mask;
}

int cg_v1_join(const struct cg_v1 *v1, size_t first, pid_t pid, struct err *e)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = first; i < v1->n; i++) {
		int r = fd_write_small_at(v1->v[i].fd, "cgroup.procs", text, e);

		if (r < 0)
			return err_wrap(e, r,
					"move process %d into cgroup '%s'", pid,
					v1->v[i].path);
	}
	return 0;
}

void cg_v1_unprepare(struct cg_v1 *v1)
{
	for (size_t i = 0; i < v1->n; i++)
		if (v1->v[i].tasks >= 0)
			(void)close(steal_fd(&v1->v[i].tasks));
}

int cg_v1_prepare(struct cg_v1 *v1, struct err *e)
{
	for (size_t i = 0; i < v1->n; i++) {
		struct cg_v1_group *g = &v1->v[i];

		g->tasks = openat(g->fd, "tasks", O_WRONLY | O_CLOEXEC);
		if (g->tasks < 0) {
			int r = err_errno(e, "open '%s/tasks'", g->path);

			cg_v1_unprepare(v1);
			return r;
		}
	}
	return 0;
}

int cg_v1_join_self(const struct cg_v1 *v1, struct err *e)
{
	for (size_t i = 0; i < v1->n; i++) {
		const struct cg_v1_group *g = &v1->v[i];

		/* "0" and not our number, which would wait all the same. */
		if (write(g->tasks, "0", 1) < 0)
			return err_errno(e, "move into cgroup '%s'", g->path);
	}
	return 0;
}

int cg_v1_chown(const struct cg_v1 *v1, uid_t uid, gid_t gid, struct err *e)
{
	static const char *const files[] = { "", "cgroup.procs", "tasks" };

	for (size_t i = 0; i < v1->n * ARRAY_SIZE(files); i++) {
		const struct cg_v1_group *g = &v1->v[i / ARRAY_SIZE(files)];
		const char *file = files[i % ARRAY_SIZE(files)];

		if (fchownat(g->fd, file, uid, gid, AT_EMPTY_PATH) < 0)
			return err_errno(e, "give '%s/%s' to user %u", g->path,
					 file, uid);
	}
	return 0;
}

bool cg_v1_has(const struct cg_v1 *v1, const char *list, size_t len)
{
	autofree char *copy = strndup(list, len);

	for (size_t i = 0; copy && i < v1->n; i++)
		if (cg_v1_list_controllers(copy) & v1->v[i].controllers)
			return true;
	return false;
}

/* The sub path that was asked for in a group; NULL: none. */
static const char *sub_for(const struct cg_v1_group *g, char *const *subs)
{
	const char *found = NULL;

	STRV_FOREACH(s, subs) {
		const char *colon = strchr(*s, ':');
		autofree char *list = NULL;

		if (!colon) {
			found = found ? found : *s;
			continue;
		}
		list = strndup(*s, (size_t)(colon - *s));
		if (list && (cg_v1_list_controllers(list) & g->controllers))
			return colon + 1;
	}
	return found;
}

int cg_v1_sub(const struct cg_v1 *v1, char *const *subs, struct cg_v1 *ret,
	      struct err *e)
{
	_cleanup_(cg_v1_done) struct cg_v1 sub = { 0 };

	for (size_t i = 0; i < v1->n; i++) {
		const struct cg_v1_group *g = &v1->v[i];
		const char *below = sub_for(g, subs);
		autofree char *clean =
			path_clean(below && *below ? below : ".");
		autofree char *path = NULL;
		int r;

		if (!clean)
			return err_nomem(e);
		path = str_eq(clean, ".")
			       ? strdup(g->path)
			       : path_join(g->path, clean + (*clean == '/'));
		if (!path)
			return err_nomem(e);
		r = cg_v1_open(&sub, g->names, path, e);
		if (r < 0)
			return r;
	}
	*ret = sub;
	sub = (struct cg_v1){ 0 };
	return 0;
}

int cg_v1_of(const struct cg_v1 *v1, const struct cg_v1_host *h,
	     const char *membership, struct cg_v1 *ret, struct err *e)
{
	_cleanup_(cg_v1_done) struct cg_v1 of = { 0 };

	for (size_t i = 0; i < h->n; i++) {
		const struct cg_v1_mount *m = &h->v[i];
		const struct cg_v1_group *top = have(v1, m->names);
		autofree char *path = NULL;
		int r;

		if (!top)
			continue;
		path = cg_v1_member_path(m, membership);
		if (!path || !path_below(path, top->path))
			return err_set(e, -ENOENT,
				       "the process is not in cgroup '%s'",
				       top->path);
		r = cg_v1_open(&of, m->names, path, e);
		if (r < 0)
			return r;
	}
	*ret = of;
	of = (struct cg_v1){ 0 };
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/str.h"

struct entry {
	char *name;
	struct timespec changed;
};

struct list {
	struct entry *v;
	size_t n;
};

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
}

static int add(struct list *l, const char *name, const struct stat *st,
	       struct err *e)
{
	struct entry *v = reallocarray(l->v, l->n + 1, sizeof(*v));

	if (!v)
		return err_nomem(e);
	l->v = v;
	v[l->n] = (struct entry){ strdup(name), st->st_mtim };
	return v[l->n++].name ? 0 : err_nomem(e);
}

static int read_folder(DIR *dir, const struct path_prune *p, struct list *l,
		       struct err *e)
{
	struct dirent *d;
	struct stat st;
	int r = 0;

	while (r == 0 && (d = readdir(dir))) {
		if (!str_starts(d->d_name, p->prefix) ||
		    (p->twin && str_ends(d->d_name, p->twin)))
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			    0 &&
		    S_ISREG(st.st_mode))
			r = add(l, d->d_name, &st, e);
	}
	return r;
}

/* The last change first. */
static int by_age(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->changed;
	const struct timespec *y = &((const struct entry *)b)->changed;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

static int remove_entry(int dirfd, const char *name, const char *twin,
			struct err *e)
{
	autofree char *other = str_printf("%s%s", name, twin ? twin : "");

	if (!other)
		return err_nomem(e);
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return err_errno(e, "remove '%s'", name);
	if (twin && unlinkat(dirfd, other, 0) < 0 && errno != ENOENT)
		return err_errno(e, "remove '%s'", other);
	return 0;
}

int path_prune(int folder, const struct path_prune *p, struct err *e)
{
	_cleanup_(list_done) struct list l = { 0 };
	autoclosedir DIR *dir = NULL;
	struct err busy = { 0 };
	int fd, r;

	fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = err_errno(e, "open a folder");
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	/* Goes with the folder's descriptor. */
	r = lock_fd(fd, LOCK_EXCLUSIVE, 0, &busy);
	if (r < 0)
		return r == -EBUSY ? 0 : err_set(e, r, "%s", busy.text);
	r = read_folder(dir, p, &l, e);
	if (r < 0 || !l.v)
		return r;
	if (l.n > p->keep)
		qsort(l.v, l.n, sizeof(*l.v), by_age);
	for (size_t i = p->keep; i < l.n && r == 0; i++)
		r = remove_entry(fd, l.v[i].name, p->twin, e);
	return r;
}

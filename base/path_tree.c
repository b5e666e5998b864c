/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/*
 * Folders that are open at a time. What lies deeper is moved up into the top
 * folder and removed from there: a tree may be as deep as whoever wrote it
 * liked, and going back up by ".." could be led astray by a rename.
 */
#define MAX_OPEN 16

struct level {
	DIR *dir;
	char name[NAME_MAX + 1]; /* in the folder above */
};

struct tree {
	struct level level[MAX_OPEN];
	size_t n;
	unsigned int moved; /* so many were moved up */
	unsigned int seen;  /* of which were there when reading the top began */
};

static void tree_done(struct tree *t)
{
	while (t->n > 0)
		(void)closedir(t->level[--t->n].dir);
}

/* Takes over fd. */
static int push(struct tree *t, int fd, const char *name)
{
	struct level *l = &t->level[t->n];

	l->dir = fdopendir(fd);
	if (!l->dir) {
		(void)close(fd);
		return -ENOMEM;
	}
	(void)snprintf(l->name, sizeof(l->name), "%s", name);
	t->n++;
	return 0;
}

static int gone(int r)
{
	return r == -ENOENT ? 0 : r;
}

static int remove_at(int dirfd, const char *name, int flags)
{
	return unlinkat(dirfd, name, flags) < 0 ? gone(-errno) : 0;
}

/*
 * A file, a link or an empty folder. -ENOTEMPTY: a folder with something in
 * it. Which one it is the kernel says at no further cost.
 */
static int remove_entry(int dirfd, const char *name)
{
	int r = remove_at(dirfd, name, 0), r2;

	if (r != -EISDIR && r != -EPERM)
		return r;
	r2 = remove_at(dirfd, name, AT_REMOVEDIR);
	if (r2 == -EEXIST)
		return -ENOTEMPTY;
	return r2 == -ENOTDIR ? r : r2;
}

/* To the top, under a name that is free there. Replacing an empty folder
 * there is as good as removing it. */
static int move_up(struct tree *t, int from, const char *name)
{
	int top = dirfd(t->level[0].dir), r;
	char fresh[32];

	do {
		(void)snprintf(fresh, sizeof(fresh), ".deep.%u", t->moved++);
		r = renameat(from, name, top, fresh) < 0 ? gone(-errno) : 0;
	} while (r == -EEXIST || r == -ENOTEMPTY || r == -ENOTDIR);
	return r;
}

/*
 * A folder of the tree. A mount point has said EBUSY to remove_entry(); that
 * one is not entered either that was mounted, or a link, since then.
 */
static int enter(struct tree *t, int from, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	if (t->n == MAX_OPEN)
		return move_up(t, from, name);
	fd = syscall(SYS_openat2, from, name, &how, sizeof(how));
	if (fd < 0)
		return errno == EXDEV ? -EBUSY : gone(-errno);
	return push(t, (int)fd, name);
}

/* The last level has been read to its end. */
static int leave(struct tree *t)
{
	struct level *l = &t->level[t->n - 1];
	int r = 0;

	if (t->n == 1 && t->seen != t->moved) {
		t->seen = t->moved;
		rewinddir(l->dir);
		return 0;
	}
	if (t->n > 1)
		r = remove_at(dirfd(l[-1].dir), l->name, AT_REMOVEDIR);
	(void)closedir(l->dir);
	t->n--;
	return r;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* One more entry of the last level; *ret_name is where it went wrong. */
static int empty_step(struct tree *t, const char **ret_name)
{
	DIR *dir = t->level[t->n - 1].dir;
	struct dirent *d;
	int r;

	*ret_name = ".";
	errno = 0;
	d = readdir(dir);
	if (!d)
		return errno ? -errno : leave(t);
	if (is_dots(d->d_name))
		return 0;
	*ret_name = d->d_name;
	r = remove_entry(dirfd(dir), d->d_name);
	return r == -ENOTEMPTY ? enter(t, dirfd(dir), d->d_name) : r;
}

static int empty_tree(struct tree *t, struct err *e)
{
	const char *name;
	int r = 0;

	while (t->n > 0 && r >= 0)
		r = empty_step(t, &name);
	return r < 0 ? err_code(e, r, "'%s'", name) : 0;
}

static int open_top(struct tree *t, int at, const char *name)
{
	int fd = openat(at, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? gone(-errno) : push(t, fd, "");
}

static int remove_full(int at, const char *name, struct err *e)
{
	_cleanup_(tree_done) struct tree t = { .n = 0 };
	int r = open_top(&t, at, name);

	if (r < 0)
		return err_code(e, r, "open");
	r = empty_tree(&t, e);
	if (r < 0)
		return r;
	r = remove_at(at, name, AT_REMOVEDIR);
	return r < 0 ? err_code(e, r, "remove the folder itself") : 0;
}

int path_remove_tree(int at, const char *name, struct err *e)
{
	int r = remove_entry(at, name);

	if (r == -ENOTEMPTY) {
		r = remove_full(at, name, e);
		return r < 0 ? err_wrap(e, r, "remove '%s'", name) : 0;
	}
	return r < 0 ? err_code(e, r, "remove '%s'", name) : 0;
}

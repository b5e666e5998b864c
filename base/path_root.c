/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* As the kernel's own limit for symlinks in one walk. */
#define MAX_LINKS 40

/*
 * EAGAIN: something was renamed or mounted during a walk over "..", and the
 * kernel could not tell whether that left the root. It asks to try again.
 */
static int open_in_root(int rootfd, const char *path, int flags,
			uint64_t resolve_more)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? 0644 : 0,
		.resolve =
			RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve_more,
	};
	long fd = -1;

	for (int try = 0; try < 128; try++) {
		fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

int path_open_in_root(int rootfd, const char *path, int flags,
		      uint64_t resolve_more, struct err *e)
{
	int fd = open_in_root(rootfd, path, flags, resolve_more);

	return fd < 0 ? err_code(e, fd, "open '%s'", path) : fd;
}

/*
 * A walk that makes what is missing. done is the part of path that exists, as
 * a folder; the next component begins at rest.
 */
struct walk {
	int rootfd;
	enum path_kind kind;
	int links;
	char *path;
	size_t rest;
};

static int make_entry(int dirfd, const char *name, enum path_kind kind)
{
	autoclose int fd = -1;

	if (kind == PATH_DIR)
		return mkdirat(dirfd, name, 0755) < 0 ? -errno : 0;
	fd = openat(dirfd, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC |
			    O_NOCTTY,
		    0644);
	return fd < 0 ? -errno : 0;
}

/*
 * A symlink that leads nowhere: what it names is what has to be made, looked
 * up from where the link lies. So the walk starts again on the path with the
 * link replaced. tail is what stands behind the link.
 */
static int follow_link(struct walk *w, int dirfd, const char *name,
		       const char *tail)
{
	autofree char *dir = strndup(w->path, w->rest), *to = NULL;
	char target[PATH_MAX], *path;
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == EINVAL ? 0 : -errno; /* somebody made it */
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	target[n] = '\0';
	if (dir)
		to = path_join(dir, target);
	path = to ? str_printf("%s%s", to, tail) : NULL;
	if (!path)
		return -ENOMEM;
	free(w->path);
	w->path = path;
	w->rest = 0;
	return 0;
}

/* Opens path up to n bytes. */
static int open_part(struct walk *w, size_t n, int flags)
{
	char saved = w->path[n];
	int fd;

	w->path[n] = '\0';
	fd = open_in_root(w->rootfd, n > 0 ? w->path : "/", O_PATH | flags, 0);
	w->path[n] = saved;
	return fd;
}

/* The component at rest is missing: makes it. */
static int make_part(struct walk *w, size_t end, enum path_kind kind)
{
	autofree char *name = strndup(w->path + w->rest, end - w->rest);
	autofree char *tail = strdup(w->path + end);
	autoclose int dirfd = open_part(w, w->rest, O_DIRECTORY);
	int r;

	if (!name || !tail)
		return -ENOMEM;
	if (dirfd < 0)
		return dirfd;
	r = make_entry(dirfd, name, kind);
	return r == -EEXIST ? follow_link(w, dirfd, name, tail) : r;
}

/* Looks at the next component; 1 when it exists and the walk has moved on. */
static int step(struct walk *w)
{
	size_t skip = strspn(w->path + w->rest, "/");
	size_t end = w->rest + skip + strcspn(w->path + w->rest + skip, "/");
	bool last = strspn(w->path + end, "/") == strlen(w->path + end);
	autoclose int fd = open_part(w, end, 0);

	if (fd >= 0) {
		w->rest = end;
		return 1;
	}
	if (fd != -ENOENT)
		return fd;
	w->rest += skip;
	return make_part(w, end, last ? w->kind : PATH_DIR);
}

static void walk_done(struct walk *w)
{
	free(w->path);
}

/* What is nearly always missing is the last component alone. Whatever is in
 * the way here, the walk finds out. */
static int make_last(int rootfd, const char *path, enum path_kind kind)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	autofree char *parent = strndup(path, (size_t)(name - path));
	autoclose int dirfd = -1;
	int flags = O_PATH | O_NOFOLLOW, fd;

	if (!parent)
		return -ENOMEM;
	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return -EINVAL;
	dirfd = open_in_root(rootfd, *parent ? parent : "/",
			     O_PATH | O_DIRECTORY, 0);
	if (dirfd < 0 || make_entry(dirfd, name, kind) < 0)
		return -ENOENT;
	if (kind == PATH_DIR)
		flags |= O_DIRECTORY;
	fd = openat(dirfd, name, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_in_root(int rootfd, const char *path, enum path_kind kind)
{
	_cleanup_(walk_done) struct walk w = { .rootfd = rootfd, .kind = kind };
	/* Somebody who removes what we make ends this, not us. */
	int tries = 0;
	int r = make_last(rootfd, path, kind);

	if (r >= 0 || r == -ENOMEM)
		return r;
	r = 0;
	w.path = strdup(path);
	if (!w.path)
		return -ENOMEM;
	while (r >= 0 && w.path[w.rest + strspn(w.path + w.rest, "/")]) {
		r = step(&w);
		if (r == 0 && ++tries > PATH_MAX)
			return -EAGAIN;
	}
	return r < 0 ? r : open_in_root(rootfd, w.path, O_PATH, 0);
}

int path_make_in_root(int rootfd, const char *path, enum path_kind kind,
		      struct err *e)
{
	/* Nearly always it is there: one system call. */
	int fd = open_in_root(rootfd, path, O_PATH, 0);

	if (fd == -ENOENT && *path)
		fd = make_in_root(rootfd, path, kind);
	return fd < 0 ? err_code(e, fd, "make '%s'", path) : fd;
}

int path_parent_in_root(int rootfd, const char *path, const char **ret_name,
			struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	autofree char *parent = NULL;
	int fd;

	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return err_set(e, -EINVAL, "'%s' does not end in a name", path);
	parent = strndup(path, (size_t)(name - path));
	if (!parent)
		return err_nomem(e);
	fd = path_make_in_root(rootfd, *parent ? parent : "/", PATH_DIR, e);
	if (fd >= 0)
		*ret_name = name;
	return fd;
}

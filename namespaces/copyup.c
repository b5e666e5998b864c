/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/cleanup.h"

/* Each level costs two descriptors and some stack. */
#define MAX_DEPTH 128

/* One folder of the source, and its copy. */
struct level {
	int from, to;
	unsigned int depth;
};

static int copy_folder(const struct level *l, struct err *e);

static int copy_xattr(int from, int to, const char *name)
{
	autofree char *value = NULL;
	ssize_t n = fgetxattr(from, name, NULL, 0);

	if (n < 0)
		return -errno;
	value = malloc(n > 0 ? (size_t)n : 1);
	if (!value)
		return -ENOMEM;
	n = fgetxattr(from, name, value, (size_t)n);
	if (n >= 0)
		n = fsetxattr(to, name, value, (size_t)n, 0);
	return n < 0 ? -errno : 0;
}

/* What a tmpfs, or our rights, do not take is left behind: as cp -a does. */
static int copy_xattrs(int from, int to)
{
	autofree char *names = NULL;
	ssize_t n = flistxattr(from, NULL, 0);
	int r = 0;

	if (n <= 0)
		return n == 0 || errno == EOPNOTSUPP ? 0 : -errno;
	names = malloc((size_t)n);
	if (!names)
		return -ENOMEM;
	n = flistxattr(from, names, (size_t)n);
	for (const char *p = names; n > 0 && p < names + n;
	     p += strlen(p) + 1) {
		r = copy_xattr(from, to, p);
		if (r == -ENOMEM || r == -ENOSPC)
			return r;
	}
	return 0;
}

/* EINVAL: an owner without an id in our user namespace; it becomes ours. */
static int copy_owner(int dirfd, const char *name, const struct stat *st)
{
	if (fchownat(dirfd, name, st->st_uid, st->st_gid,
		     AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) < 0 &&
	    errno != EINVAL)
		return -errno;
	return 0;
}

/* The owner first: changing it takes set-id bits and capabilities away. */
static int copy_meta(int from, int to, const struct stat *st)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };
	int r = copy_owner(to, "", st);

	if (r >= 0 && fchmod(to, st->st_mode & 07777) < 0)
		r = -errno;
	if (r >= 0)
		r = copy_xattrs(from, to);
	if (r >= 0 && futimens(to, times) < 0)
		r = -errno;
	return r;
}

static int copy_file(const struct level *l, const char *name, struct err *e)
{
	autoclose int from = -1, to = -1;
	struct stat st;
	ssize_t n;
	int r;

	/* Looked at again now that it is open: it may have been replaced. */
	from = openat(l->from, name,
		      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return err_errno(e, "open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EAGAIN, "'%s' changes meanwhile", name);
	to = openat(l->to, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_errno(e, "create '%s'", name);

	while ((n = sendfile(to, from, NULL, 1 << 30)) > 0)
		;
	if (n < 0)
		return err_errno(e, "copy '%s'", name);
	r = copy_meta(from, to, &st);
	return r < 0 ? err_code(e, r, "copy attributes of '%s'", name) : 0;
}

static int copy_link(const struct level *l, const char *name,
		     const struct stat *st, struct err *e)
{
	int r;

	char target[PATH_MAX];
	ssize_t n = readlinkat(l->from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_errno(e, "read link '%s'", name);
	target[n] = '\0';
	if (symlinkat(target, l->to, name) < 0)
		return err_errno(e, "create link '%s'", name);
	r = copy_owner(l->to, name, st);
	return r < 0 ? err_code(e, r, "change the owner of '%s'", name) : 0;
}

static int copy_subfolder(const struct level *l, const char *name,
			  struct err *e)
{
	autoclose int from = -1, to = -1;
	struct level below = { .depth = l->depth + 1 };
	struct stat st;
	int r;

	if (below.depth > MAX_DEPTH)
		return err_set(e, -ELOOP, "folders more than %d deep",
			       MAX_DEPTH);
	from = openat(l->from, name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return err_errno(e, "open '%s'", name);
	if (mkdirat(l->to, name, 0700) < 0)
		return err_errno(e, "create '%s'", name);
	to = openat(l->to, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_errno(e, "open '%s'", name);

	below.from = from;
	below.to = to;
	r = copy_folder(&below, e);
	if (r < 0)
		return r;
	/* Last: what was copied into it has changed its time. */
	r = copy_meta(from, to, &st);
	return r < 0 ? err_code(e, r, "copy attributes of '%s'", name) : 0;
}

static int copy_node(const struct level *l, const char *name,
		     const struct stat *st, struct err *e)
{
	int r;

	if (mknodat(l->to, name, st->st_mode, st->st_rdev) < 0)
		return err_errno(e, "create node '%s'", name);
	r = copy_owner(l->to, name, st);
	/* Once more, because the umask had a say. */
	if (r >= 0 && fchmodat(l->to, name, st->st_mode & 07777, 0) < 0)
		r = -errno;
	return r < 0 ? err_code(e, r, "copy attributes of '%s'", name) : 0;
}

static int copy_entry(const struct level *l, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(l->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "look at '%s'", name);
	if (S_ISREG(st.st_mode))
		return copy_file(l, name, e);
	if (S_ISDIR(st.st_mode))
		return copy_subfolder(l, name, e);
	if (S_ISLNK(st.st_mode))
		return copy_link(l, name, &st, e);
	return copy_node(l, name, &st, e);
}

static int copy_folder(const struct level *l, struct err *e)
{
	autoclosedir DIR *dir = NULL;
	struct dirent *d;
	int fd, r = 0;

	fd = openat(l->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "open folder");
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return err_nomem(e);
	}
	while (r >= 0 && (errno = 0, d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		r = copy_entry(l, d->d_name, e);
	}
	if (r >= 0 && errno)
		return err_errno(e, "read folder");
	return r;
}

int ns_copyup(int from, int to, struct err *e)
{
	const struct level top = { .from = from, .to = to };

	return copy_folder(&top, e);
}

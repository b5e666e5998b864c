/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, p, len));

		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Up to len bytes, less only at the end. */
static ssize_t read_up_to(int fd, char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n =
			TEMP_FAILURE_RETRY(read(fd, buf + done, len - done));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_read_exact(int fd, void *buf, size_t len)
{
	ssize_t n = read_up_to(fd, buf, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -ENODATA;
}

/* A growing buffer; always room for a NUL. */
enum kind {
	ANY,
	REGULAR,
	REGULAR_OR_PIPE,
};

struct slurp {
	char *text;
	size_t len, size, max;
	enum kind accept;
	bool is_pipe;
};

static void slurp_done(struct slurp *s)
{
	free(s->text);
}

static int slurp_reserve(struct slurp *s, size_t size)
{
	char *text = realloc(s->text, size);

	if (!text)
		return -ENOMEM;
	s->text = text;
	s->size = size;
	return 0;
}

/* One read(2). Gives its result. */
static ssize_t slurp_some(struct slurp *s, int fd)
{
	ssize_t n;
	int r;

	if (s->len + 1 >= s->size) {
		if (s->size > SIZE_MAX / 4)
			return -ENOMEM;
		r = slurp_reserve(s, s->size * 2);
		if (r < 0)
			return r;
	}
	n = TEMP_FAILURE_RETRY(
		read(fd, s->text + s->len, s->size - s->len - 1));
	if (n < 0)
		return -errno;
	s->len += (size_t)n;
	return s->len > s->max ? -EFBIG : n;
}

/* A pipe was opened without waiting for somebody who writes. From now on we
 * do wait, for those that there are: without any it ends at once. */
static int accept_kind(struct slurp *s, int fd, mode_t mode)
{
	if (s->accept == ANY || S_ISREG(mode))
		return 0;
	if (s->accept != REGULAR_OR_PIPE || !S_ISFIFO(mode))
		return -EMEDIUMTYPE;
	s->is_pipe = true;
	return fcntl(fd, F_SETFL, O_RDONLY) < 0 ? -errno : 0;
}

/*
 * A regular file that ends where fstat() said has been read: no second
 * read(2) that gives 0. Kernel files say 0 and are read until they end.
 */
static int slurp_all(struct slurp *s, int fd)
{
	size_t expected = 0;
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = accept_kind(s, fd, st.st_mode);
	if (r < 0)
		return r;
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((uint64_t)st.st_size > s->max)
			return -EFBIG;
		expected = (size_t)st.st_size;
	}

	/* A byte more than expected, so that growth in between is seen. */
	r = slurp_reserve(s, expected ? expected + 2 : 4096);
	if (r < 0)
		return r;
	do {
		n = slurp_some(s, fd);
		if (n < 0)
			return (int)n;
	} while (n > 0 && s->len != expected);
	s->text[s->len] = '\0';
	return 0;
}

static int read_all(struct slurp *s, int fd, char **ret, size_t *ret_len)
{
	int r = slurp_all(s, fd);

	if (r < 0)
		return r;
	if (ret_len)
		*ret_len = s->len;
	*ret = steal_ptr(s->text);
	return 0;
}

int fd_read_all(int fd, size_t max, char **ret, size_t *ret_len, struct err *e)
{
	_cleanup_(slurp_done) struct slurp s = { .max = max, .accept = ANY };
	int r = read_all(&s, fd, ret, ret_len);

	if (r == -EFBIG)
		return err_set(e, r, "read: more than %zu bytes", max);
	return r < 0 ? err_code(e, r, "read") : 0;
}

static int not_regular(const char *path, struct err *e)
{
	return err_set(e, -EINVAL, "'%s' is not a regular file", path);
}

/* Nothing is opened that could keep us waiting. A socket cannot be opened at
 * all. */
static int read_named(int dirfd, const char *path, enum kind accept, size_t max,
		      char **ret, size_t *ret_len, struct err *e)
{
	_cleanup_(slurp_done) struct slurp s = { .max = max, .accept = accept };
	autoclose int fd = openat(dirfd, path,
				  O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return errno == ENXIO ? not_regular(path, e)
				      : err_errno(e, "open '%s'", path);
	r = read_all(&s, fd, ret, ret_len);
	if (r == -EMEDIUMTYPE)
		return not_regular(path, e);
	if (r == 0 && s.is_pipe && s.len == 0)
		return err_set(e, -EINVAL, "nobody writes to the pipe '%s'",
			       path);
	if (r == -EFBIG)
		return err_set(e, r, "'%s' has more than %zu bytes", path, max);
	return r < 0 ? err_code(e, r, "read '%s'", path) : 0;
}

int fd_read_file_at(int dirfd, const char *path, size_t max, char **ret,
		    size_t *ret_len, struct err *e)
{
	return read_named(dirfd, path, REGULAR, max, ret, ret_len, e);
}

int fd_read_given_at(int dirfd, const char *path, size_t max, char **ret,
		     size_t *ret_len, struct err *e)
{
	return read_named(dirfd, path, REGULAR_OR_PIPE, max, ret, ret_len, e);
}

ssize_t fd_read_small_at(int dirfd, const char *path, char *buf, size_t size)
{
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_up_to(fd, buf, size);
	if (n < 0)
		return n;
	if ((size_t)n == size)
		return -EFBIG;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int fd_write_small_at(int dirfd, const char *path, const char *text,
		      struct err *e)
{
	autoclose int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	n = TEMP_FAILURE_RETRY(write(fd, text, len));
	if (n < 0)
		return err_errno(e, "write '%.*s' to '%s'",
				 (int)MIN_OF(strcspn(text, "\n"), 64UL), text,
				 path);
	if ((size_t)n != len)
		return err_set(e, -EIO, "write '%s': %zd of %zu bytes", path, n,
			       len);
	return 0;
}

/* "dir/.name.PID.try": hidden, so that those who list a folder skip it. */
static int open_beside(int dirfd, const char *name, mode_t mode,
		       char ret_name[PATH_MAX])
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;

	for (unsigned int try = 0; try < 1000; try++) {
		int fd, n;

		n = snprintf(ret_name, PATH_MAX, "%.*s.%s.%d.%u",
			     (int)(base - name), name, base, getpid(), try);
		if (n >= PATH_MAX)
			return -ENAMETOOLONG;
		fd = openat(dirfd, ret_name,
			    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}

/* The folder that holds the name, on the disk. */
static int sync_parent(int dirfd, const char *name)
{
	const char *slash = strrchr(name, '/');
	autofree char *parent = NULL;
	autoclose int fd = -1;

	if (slash) {
		parent = strndup(name, (size_t)(slash - name) + 1);
		if (!parent)
			return -ENOMEM;
	}
	fd = openat(dirfd, parent ? parent : ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_file(int fd, const void *data, size_t len, bool sync)
{
	int r = fd_write_all(fd, data, len);

	if (r < 0)
		return r;
	return sync && fsync(fd) < 0 ? -errno : 0;
}

int fd_replace_at(int dirfd, const char *name, const void *data, size_t len,
		  mode_t mode, bool sync, struct err *e)
{
	char beside[PATH_MAX];
	autoclose int fd = -1;
	int r;

	fd = open_beside(dirfd, name, mode, beside);
	if (fd < 0)
		return err_code(e, fd, "create a file beside '%s'", name);
	r = write_file(fd, data, len, sync);
	if (r < 0) {
		(void)err_code(e, r, "write '%s'", name);
		goto undo;
	}
	if (renameat(dirfd, beside, dirfd, name) < 0) {
		r = err_errno(e, "replace '%s'", name);
		goto undo;
	}
	r = sync ? sync_parent(dirfd, name) : 0;
	return r < 0 ? err_code(e, r, "sync the folder of '%s'", name) : 0;

undo:
	(void)unlinkat(dirfd, beside, 0);
	return r;
}

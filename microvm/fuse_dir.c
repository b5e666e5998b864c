/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/fuse_priv.h"

/*
 * Directories. An answer has as many entries as fit; the next request says
 * behind which of them it goes on, in the words of the host's file system.
 */
#define READ_MAX 8192

int fuse_do_opendir(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_open_out *out = fuse_reply_begin(f, sizeof(*out));
	int fd, r;

	if (rq->node->type != S_IFDIR)
		return -ENOTDIR;
	fd = openat(rq->node->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fuse_handle_add(f, fd, true, &out->fh);
	return r < 0 ? r : (int)sizeof(*out);
}

int fuse_do_releasedir(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_release_in *in = rq->arg;

	return fuse_handle_close(f, in->fh, true);
}

struct listing {
	struct fuse *f;
	const struct fuse_node *node;
	int fd;
	bool plus;
	size_t len, room; /* in f->reply */
};

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A file that has gone meanwhile is told without its attributes; no descriptor
 * left is no reason to tell less of the folder either. */
static void put_entry(struct listing *l, const struct dirent64 *d)
{
	struct fuse_entry_out out = { .nodeid = 0 };

	if (is_dots(d->d_name) ||
	    fuse_look(l->f, l->node, l->fd, d->d_name, &out) < 0)
		out = (struct fuse_entry_out){ .nodeid = 0 };
	memcpy(l->f->reply + l->len, &out, sizeof(out));
	l->len += sizeof(out);
}

/* False: it does not fit. */
static bool add(struct listing *l, const struct dirent64 *d)
{
	struct fuse_dirent out = {
		.ino = d->d_ino,
		.off = (uint64_t)d->d_off,
		.namelen = (uint32_t)strlen(d->d_name),
		.type = d->d_type,
	};
	size_t size = FUSE_DIRENT_SIZE(&out);
	size_t front = l->plus ? sizeof(struct fuse_entry_out) : 0;
	char *p;

	if (size + front > l->room - l->len)
		return false;
	if (l->plus)
		put_entry(l, d);
	p = l->f->reply + l->len;
	memset(p, 0, size);
	memcpy(p, &out, FUSE_NAME_OFFSET);
	memcpy(p + FUSE_NAME_OFFSET, d->d_name, out.namelen);
	l->len += size;
	return true;
}

/* Adds what a buffer of the kernel's holds; false: there is no more room. */
static bool add_all(struct listing *l, const char *buf, size_t n)
{
	size_t at = 0;

	while (at < n) {
		const struct dirent64 *d = (const void *)(buf + at);

		if (!add(l, d))
			return false;
		at += d->d_reclen;
	}
	return true;
}

static int list(struct listing *l, uint64_t offset)
{
	_Alignas(8) char buf[READ_MAX];
	ssize_t n;

	if (lseek(l->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	do {
		n = getdents64(l->fd, buf, sizeof(buf));
		if (n < 0 && l->len == 0)
			return -errno;
	} while (n > 0 && add_all(l, buf, (size_t)n));
	return (int)l->len;
}

static int read_dir(struct fuse *f, struct fuse_rq *rq, bool plus)
{
	const struct fuse_read_in *in = rq->arg;
	size_t room = MIN_OF(rq->room, sizeof(f->reply));
	struct listing l = {
		.f = f,
		.node = rq->node,
		.fd = fuse_handle_fd(f, in->fh, true),
		.plus = plus,
		.room = MIN_OF((size_t)in->size, room),
	};

	return l.fd < 0 ? l.fd : list(&l, in->offset);
}

int fuse_do_readdir(struct fuse *f, struct fuse_rq *rq)
{
	return read_dir(f, rq, false);
}

int fuse_do_readdirplus(struct fuse *f, struct fuse_rq *rq)
{
	return read_dir(f, rq, true);
}

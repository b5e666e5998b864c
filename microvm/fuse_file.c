/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/fuse_priv.h"

/* Longer copies come in pieces, so that others have their turn. */
#define COPY_MAX (16U << 20)

/* --- opening --------------------------------------------------------------*/

/* O_CREAT and the like have been seen to; O_DIRECT would ask for more than
 * the guest's buffers can promise. */
#define KNOWN_FLAGS                                                            \
	(O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME)

int fuse_open_flags(const struct fuse *f, uint32_t flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;

	if (f->readonly && writes)
		return -EROFS;
	return (int)flags & KNOWN_FLAGS;
}

int fuse_open_node(const struct fuse *f, const struct fuse_node *node,
		   uint32_t flags)
{
	int known = fuse_open_flags(f, flags), fd;
	char path[FUSE_PATH];

	if (known < 0)
		return known;
	if (node->type != S_IFREG)
		return node->type == S_IFDIR ? -EISDIR : -ENXIO;
	fd = openat(AT_FDCWD, fuse_path(f, node->fd, path), known | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool same_time(const struct statx_timestamp *a,
		      const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether it is still as it was when it was last opened: then what the guest
 * has read of it is still right. */
static bool unchanged(struct fuse_node *n, int fd)
{
	struct fuse_stamp before = n->seen;
	struct statx st;

	if (fuse_stat(fd, &st) < 0)
		return false;
	n->seen =
		(struct fuse_stamp){ st.stx_mtime, st.stx_ctime, st.stx_size };
	return before.size == n->seen.size &&
	       same_time(&before.mtime, &n->seen.mtime) &&
	       same_time(&before.ctime, &n->seen.ctime);
}

int fuse_opened(struct fuse *f, struct fuse_node *node, int fd,
		struct fuse_open_out *ret)
{
	bool keep = unchanged(node, fd);

	*ret = (struct fuse_open_out){ .open_flags =
					       keep ? FOPEN_KEEP_CACHE : 0 };
	return fuse_handle_add(f, fd, false, &ret->fh);
}

int fuse_do_open(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_open_out *out = fuse_reply_begin(f, sizeof(*out));
	const struct fuse_open_in *in = rq->arg;
	bool kill = in->open_flags & FUSE_OPEN_KILL_SUIDGID;
	int fd, r;

	fuse_setid_begin(kill);
	fd = fuse_open_node(f, rq->node, in->flags);
	fuse_setid_end(kill);
	if (fd < 0)
		return fd;
	r = fuse_opened(f, rq->node, fd, out);
	return r < 0 ? r : (int)sizeof(*out);
}

int fuse_do_release(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_release_in *in = rq->arg;

	return fuse_handle_close(f, in->fh, false);
}

/* The close() of a descriptor of many; some file systems say there what went
 * wrong. */
int fuse_do_flush(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_flush_in *in = rq->arg;
	int fd = fuse_handle_fd(f, in->fh, false);
	int copy;

	if (fd < 0)
		return fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return copy < 0 || close(copy) < 0 ? -errno : 0;
}

/* --- data -----------------------------------------------------------------*/

/* The part of segments that starts behind skip and has at most len bytes. */
static int part(struct fuse *f, const struct iovec *v, uint32_t n, size_t skip,
		size_t len)
{
	memcpy(f->iov, v, n * sizeof(*v));
	n = virtq_skip(f->iov, n, skip);
	return (int)virtq_cut(f->iov, n, len);
}

int fuse_do_read(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_read_in *in = rq->arg;
	const struct virtq_chain *c = rq->chain;
	size_t len = MIN_OF((size_t)in->size, rq->room);
	int fd = fuse_handle_fd(f, in->fh, false);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (in->offset > INT64_MAX)
		return -EINVAL;
	if (len == 0)
		return 0;
	n = part(f, c->out, c->n_out, sizeof(struct fuse_out_header),
		 MIN_OF(len, (size_t)FUSE_DATA_MAX));
	n = preadv(fd, f->iov, (int)n, (off_t)in->offset);
	rq->placed = true;
	return n < 0 ? -errno : (int)n;
}

static ssize_t write_part(struct fuse *f, const struct fuse_rq *rq, int fd)
{
	const struct fuse_write_in *in = rq->arg;
	const struct virtq_chain *c = rq->chain;
	bool kill = in->write_flags & FUSE_WRITE_KILL_SUIDGID;
	ssize_t n = part(f, c->in, c->n_in,
			 sizeof(struct fuse_in_header) + sizeof(*in), in->size);

	fuse_setid_begin(kill);
	n = pwritev(fd, f->iov, (int)n, (off_t)in->offset);
	if (n < 0)
		n = -errno;
	fuse_setid_end(kill);
	return n;
}

int fuse_do_write(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_write_out *out = fuse_reply_begin(f, sizeof(*out));
	const struct fuse_write_in *in = rq->arg;
	int fd = fuse_handle_fd(f, in->fh, false);
	ssize_t n = 0;

	if (fd < 0)
		return fd;
	if (in->offset > INT64_MAX || in->size > FUSE_DATA_MAX ||
	    in->size > rq->h.len - sizeof(rq->h) - sizeof(*in))
		return -EINVAL;
	if (in->size > 0)
		n = write_part(f, rq, fd);
	if (n < 0)
		return (int)n;
	out->size = (uint32_t)n;
	return (int)sizeof(*out);
}

/* --- the rest -------------------------------------------------------------*/

static int sync_handle(struct fuse *f, const struct fuse_rq *rq, bool dir)
{
	const struct fuse_fsync_in *in = rq->arg;
	int fd = fuse_handle_fd(f, in->fh, dir);

	if (fd < 0)
		return fd;
	if (in->fsync_flags & FUSE_FSYNC_FDATASYNC)
		return fdatasync(fd) < 0 ? -errno : 0;
	return fsync(fd) < 0 ? -errno : 0;
}

int fuse_do_fsync(struct fuse *f, struct fuse_rq *rq)
{
	return sync_handle(f, rq, false);
}

int fuse_do_fsyncdir(struct fuse *f, struct fuse_rq *rq)
{
	return sync_handle(f, rq, true);
}

/* An O_PATH descriptor is not enough for it. */
int fuse_do_syncfs(struct fuse *f, struct fuse_rq *rq)
{
	autoclose int fd = -1;

	if (rq->node->type != S_IFDIR)
		return -ENOTDIR;
	fd = openat(rq->node->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

int fuse_do_fallocate(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_fallocate_in *in = rq->arg;
	int fd = fuse_handle_fd(f, in->fh, false);

	if (fd < 0)
		return fd;
	if (in->offset > INT64_MAX || in->length > INT64_MAX)
		return -EFBIG;
	return fallocate(fd, (int)in->mode, (off_t)in->offset,
			 (off_t)in->length) < 0
		       ? -errno
		       : 0;
}

int fuse_do_lseek(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_lseek_out *out = fuse_reply_begin(f, sizeof(*out));
	const struct fuse_lseek_in *in = rq->arg;
	int fd = fuse_handle_fd(f, in->fh, false);
	off_t at;

	if (fd < 0)
		return fd;
	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	if (in->offset > INT64_MAX)
		return -ENXIO;
	at = lseek(fd, (off_t)in->offset, (int)in->whence);
	if (at < 0)
		return -errno;
	out->offset = (uint64_t)at;
	return (int)sizeof(*out);
}

int fuse_do_copy_file_range(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_write_out *out = fuse_reply_begin(f, sizeof(*out));
	const struct fuse_copy_file_range_in *in = rq->arg;
	int from = fuse_handle_fd(f, in->fh_in, false);
	int to = fuse_handle_fd(f, in->fh_out, false);
	off64_t off_in = (off64_t)in->off_in, off_out = (off64_t)in->off_out;
	ssize_t n;

	if (from < 0 || to < 0)
		return -EBADF;
	if (off_in < 0 || off_out < 0)
		return -EINVAL;
	n = copy_file_range(from, &off_in, to, &off_out,
			    MIN_OF(in->len, (uint64_t)COPY_MAX), 0);
	if (n < 0)
		return -errno;
	out->size = (uint32_t)n;
	return (int)sizeof(*out);
}

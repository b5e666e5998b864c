/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/xattr.h>

#include "microvm/fuse_priv.h"

/*
 * Extended attributes. The system calls want paths, for O_PATH descriptors are
 * refused; the path ends at the file itself, should it be a symbolic link.
 */
int fuse_do_setxattr(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_setxattr_in *in = rq->arg;
	char path[FUSE_PATH];

	if (in->size > rq->rest_len)
		return -EINVAL;
	return setxattr(fuse_path(f, rq->node->fd, path), rq->name, rq->rest,
			in->size, (int)in->flags) < 0
		       ? -errno
		       : 0;
}

/* Without room it was asked how much is needed. */
static int reply(struct fuse *f, const struct fuse_rq *rq, ssize_t n)
{
	const struct fuse_getxattr_in *in = rq->arg;
	struct fuse_getxattr_out *out;

	if (n < 0)
		return -errno;
	if (in->size > 0)
		return (int)n;
	out = fuse_reply_begin(f, sizeof(*out));
	out->size = (uint32_t)n;
	return (int)sizeof(*out);
}

static size_t space(const struct fuse *f, const struct fuse_rq *rq)
{
	const struct fuse_getxattr_in *in = rq->arg;

	return MIN_OF((size_t)in->size, sizeof(f->reply));
}

int fuse_do_getxattr(struct fuse *f, struct fuse_rq *rq)
{
	char path[FUSE_PATH];

	return reply(f, rq,
		     getxattr(fuse_path(f, rq->node->fd, path), rq->name,
			      f->reply, space(f, rq)));
}

int fuse_do_listxattr(struct fuse *f, struct fuse_rq *rq)
{
	char path[FUSE_PATH];

	return reply(f, rq,
		     listxattr(fuse_path(f, rq->node->fd, path), f->reply,
			       space(f, rq)));
}

int fuse_do_removexattr(struct fuse *f, struct fuse_rq *rq)
{
	char path[FUSE_PATH];

	return removexattr(fuse_path(f, rq->node->fd, path), rq->name) < 0
		       ? -errno
		       : 0;
}

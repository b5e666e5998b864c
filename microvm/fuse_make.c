/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/fuse_priv.h"

/* Names: made, removed, moved. All of them one step below a node. */

static int entry(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_entry_out *out = fuse_reply_begin(f, sizeof(*out));
	int r = fuse_look(f, rq->node, rq->node->fd, rq->name, out);

	return r < 0 ? r : (int)sizeof(*out);
}

typedef int (*make_fn)(int dir, const struct fuse_rq *rq);

/* Something new, which belongs to who asked for it. */
static int make(struct fuse *f, struct fuse_rq *rq, make_fn fn)
{
	int r = fuse_cred_begin(rq);

	if (r < 0)
		return r;
	r = fn(rq->node->fd, rq) < 0 ? -errno : 0;
	fuse_cred_end();
	return r < 0 ? r : entry(f, rq);
}

static int make_link(int dir, const struct fuse_rq *rq)
{
	return symlinkat(rq->text, dir, rq->name);
}

static int make_node(int dir, const struct fuse_rq *rq)
{
	const struct fuse_mknod_in *in = rq->arg;

	return mknodat(dir, rq->name, in->mode, in->rdev);
}

static int make_dir(int dir, const struct fuse_rq *rq)
{
	const struct fuse_mkdir_in *in = rq->arg;

	return mkdirat(dir, rq->name, in->mode & 07777);
}

int fuse_do_symlink(struct fuse *f, struct fuse_rq *rq)
{
	return make(f, rq, make_link);
}

int fuse_do_mknod(struct fuse *f, struct fuse_rq *rq)
{
	return make(f, rq, make_node);
}

int fuse_do_mkdir(struct fuse *f, struct fuse_rq *rq)
{
	return make(f, rq, make_dir);
}

/* --- files that are opened at once ----------------------------------------*/

static int create_new(const struct fuse_rq *rq, int flags, uint32_t mode)
{
	int fd, r = fuse_cred_begin(rq);

	if (r < 0)
		return r;
	fd = openat(rq->node->fd, rq->name,
		    flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    mode & 07777);
	r = -errno;
	fuse_cred_end();
	return fd < 0 ? r : fd;
}

/*
 * What is there already is opened as any known file: by its type. An open()
 * by name could hit a device or a pipe. The entry is right in both cases.
 */
static int create_or_open(struct fuse *f, struct fuse_rq *rq,
			  struct fuse_entry_out *entry_out)
{
	const struct fuse_create_in *in = rq->arg;
	bool kill = in->open_flags & FUSE_OPEN_KILL_SUIDGID;
	int flags = fuse_open_flags(f, in->flags), fd, r;

	if (flags < 0)
		return flags;
	fd = create_new(rq, flags & ~O_TRUNC, in->mode);
	if (fd >= 0) {
		r = fuse_look_fd(f, rq->node, fd, entry_out);
		if (r == 0)
			return fd;
		(void)close(fd);
		return r;
	}
	if (fd != -EEXIST || in->flags & O_EXCL)
		return fd;
	r = fuse_look(f, rq->node, rq->node->fd, rq->name, entry_out);
	if (r < 0)
		return r;
	fuse_setid_begin(kill);
	fd = fuse_open_node(f, fuse_node_get(f, entry_out->nodeid), in->flags);
	fuse_setid_end(kill);
	if (fd < 0)
		fuse_node_forget(f, entry_out->nodeid, 1);
	return fd;
}

/* A file without a name; the guest may give it one by FUSE_LINK. */
static int create_nameless(struct fuse *f, struct fuse_rq *rq,
			   struct fuse_entry_out *entry_out)
{
	const struct fuse_create_in *in = rq->arg;
	int flags = fuse_open_flags(f, in->flags);
	autoclose int fd = -1;
	int r;

	if (flags < 0)
		return flags;
	r = fuse_cred_begin(rq);
	if (r < 0)
		return r;
	fd = openat(rq->node->fd, ".",
		    (flags & ~O_TRUNC) | (int)(in->flags & O_EXCL) | O_TMPFILE |
			    O_CLOEXEC,
		    in->mode & 07777);
	r = -errno;
	fuse_cred_end();
	if (fd < 0)
		return r;
	r = fuse_look_fd(f, rq->node, fd, entry_out);
	return r < 0 ? r : steal_fd(&fd);
}

typedef int (*create_fn)(struct fuse *f, struct fuse_rq *rq,
			 struct fuse_entry_out *entry_out);

static int create(struct fuse *f, struct fuse_rq *rq, create_fn fn)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} *out = fuse_reply_begin(f, sizeof(*out));
	int fd, r;

	fd = fn(f, rq, &out->entry);
	if (fd < 0)
		return fd;
	r = fuse_opened(f, fuse_node_get(f, out->entry.nodeid), fd, &out->open);
	if (r < 0)
		fuse_node_forget(f, out->entry.nodeid, 1);
	return r < 0 ? r : (int)sizeof(*out);
}

int fuse_do_create(struct fuse *f, struct fuse_rq *rq)
{
	return create(f, rq, create_or_open);
}

int fuse_do_tmpfile(struct fuse *f, struct fuse_rq *rq)
{
	return create(f, rq, create_nameless);
}

/* --- names ----------------------------------------------------------------*/

int fuse_do_unlink(struct fuse *f, struct fuse_rq *rq)
{
	return unlinkat(rq->node->fd, rq->name, 0) < 0 ? -errno : 0;
}

int fuse_do_rmdir(struct fuse *f, struct fuse_rq *rq)
{
	return unlinkat(rq->node->fd, rq->name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int move(struct fuse *f, const struct fuse_rq *rq, uint64_t to,
		uint32_t flags)
{
	const struct fuse_node *dir = fuse_node_get(f, to);
	const uint32_t known =
		RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;

	if (!dir)
		return -ESTALE;
	if (flags & ~known || !fuse_name_is_sane(rq->text, strlen(rq->text)))
		return -EINVAL;
	return renameat2(rq->node->fd, rq->name, dir->fd, rq->text, flags) < 0
		       ? -errno
		       : 0;
}

int fuse_do_rename(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_rename_in *in = rq->arg;

	return move(f, rq, in->newdir, 0);
}

int fuse_do_rename2(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_rename2_in *in = rq->arg;

	return move(f, rq, in->newdir, in->flags);
}

int fuse_do_link(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_link_in *in = rq->arg;
	const struct fuse_node *old = fuse_node_get(f, in->oldnodeid);
	char path[FUSE_PATH];

	if (!old)
		return -ESTALE;
	if (linkat(AT_FDCWD, fuse_path(f, old->fd, path), rq->node->fd,
		   rq->name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return entry(f, rq);
}

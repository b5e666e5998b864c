/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/fuse_priv.h"

const char *fuse_path(const struct fuse *f, int fd, char buf[FUSE_PATH])
{
	(void)snprintf(buf, FUSE_PATH, "%s%d", f->prefix, fd);
	return buf;
}

int fuse_stat(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID,
		     ret) < 0
		       ? -errno
		       : 0;
}

static void put_attr(struct fuse_attr *a, const struct statx *st)
{
	*a = (struct fuse_attr){
		.ino = st->stx_ino,
		.size = st->stx_size,
		.blocks = st->stx_blocks,
		.atime = (uint64_t)st->stx_atime.tv_sec,
		.mtime = (uint64_t)st->stx_mtime.tv_sec,
		.ctime = (uint64_t)st->stx_ctime.tv_sec,
		.atimensec = st->stx_atime.tv_nsec,
		.mtimensec = st->stx_mtime.tv_nsec,
		.ctimensec = st->stx_ctime.tv_nsec,
		.mode = st->stx_mode,
		.nlink = st->stx_nlink,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
		.rdev = (uint32_t)makedev(st->stx_rdev_major,
					  st->stx_rdev_minor),
		.blksize = st->stx_blksize,
	};
}

/* --- lookups --------------------------------------------------------------*/

/* Takes over fd, an O_PATH one. */
static int enter_node(struct fuse *f, const struct fuse_node *parent, int fd,
		      struct fuse_entry_out *ret)
{
	autoclose int taken = fd;
	struct fuse_node *n;
	struct statx st;
	int r;

	r = fuse_stat(fd, &st);
	if (r < 0)
		return r;
	r = fuse_node_add(f, steal_fd(&taken), &st, &n);
	if (r < 0)
		return r;
	*ret = (struct fuse_entry_out){
		.nodeid = n->id,
		.generation = n->generation,
		.entry_valid = FUSE_VALID_SECS,
		.attr_valid = FUSE_VALID_SECS,
	};
	put_attr(&ret->attr, &st);
	/* A file system of its own in the guest, too: inode numbers are only
	 * unique in one. */
	if (f->submounts && S_ISDIR(st.stx_mode) && n->mount != parent->mount)
		ret->attr.flags |= FUSE_ATTR_SUBMOUNT;
	return 0;
}

int fuse_look(struct fuse *f, const struct fuse_node *parent, int dir,
	      const char *name, struct fuse_entry_out *ret)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : enter_node(f, parent, fd, ret);
}

int fuse_look_fd(struct fuse *f, const struct fuse_node *parent, int fd,
		 struct fuse_entry_out *ret)
{
	char path[FUSE_PATH];
	int known =
		openat(AT_FDCWD, fuse_path(f, fd, path), O_PATH | O_CLOEXEC);

	return known < 0 ? -errno : enter_node(f, parent, known, ret);
}

int fuse_do_lookup(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_entry_out *out = fuse_reply_begin(f, sizeof(*out));
	int r = fuse_look(f, rq->node, rq->node->fd, rq->name, out);

	return r < 0 ? r : (int)sizeof(*out);
}

int fuse_do_forget(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_forget_in *in = rq->arg;

	fuse_node_forget(f, rq->h.nodeid, in->nlookup);
	return 0;
}

int fuse_do_batch_forget(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_batch_forget_in *in = rq->arg;
	struct fuse_forget_one one;

	for (uint32_t i = 0; i < in->count && rq->rest_len >= sizeof(one);
	     i++) {
		memcpy(&one, rq->rest, sizeof(one));
		rq->rest += sizeof(one);
		rq->rest_len -= sizeof(one);
		fuse_node_forget(f, one.nodeid, one.nlookup);
	}
	return 0;
}

/* --- attributes -----------------------------------------------------------*/

static int reply_attr(struct fuse *f, const struct fuse_node *n)
{
	struct fuse_attr_out *out = fuse_reply_begin(f, sizeof(*out));
	struct statx st;
	int r = fuse_stat(n->fd, &st);

	if (r < 0)
		return r;
	out->attr_valid = FUSE_VALID_SECS;
	put_attr(&out->attr, &st);
	return (int)sizeof(*out);
}

int fuse_do_getattr(struct fuse *f, struct fuse_rq *rq)
{
	return reply_attr(f, rq->node);
}

static int set_owner(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_setattr_in *in = rq->arg;
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	return fchownat(rq->node->fd, "", uid, gid,
			AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

static int set_mode(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_setattr_in *in = rq->arg;
	char path[FUSE_PATH];

	if (rq->node->type == S_IFLNK)
		return -EOPNOTSUPP;
	return fchmodat(AT_FDCWD, fuse_path(f, rq->node->fd, path),
			in->mode & 07777, 0) < 0
		       ? -errno
		       : 0;
}

static int truncate_fd(int fd, uint64_t size, bool kill)
{
	int r;

	if (size > INT64_MAX)
		return -EFBIG;
	fuse_setid_begin(kill);
	r = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	fuse_setid_end(kill);
	return r;
}

static int set_size(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_setattr_in *in = rq->arg;
	bool kill = in->valid & FATTR_KILL_SUIDGID;
	autoclose int own = -1;
	int fd;

	if (in->valid & FATTR_FH) {
		fd = fuse_handle_fd(f, in->fh, false);
		return fd < 0 ? fd : truncate_fd(fd, in->size, kill);
	}
	own = fuse_open_node(f, rq->node, O_WRONLY);
	return own < 0 ? own : truncate_fd(own, in->size, kill);
}

static struct timespec time_of(uint32_t valid, uint32_t set, uint32_t now,
			       uint64_t sec, uint32_t nsec)
{
	if (!(valid & set))
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	if (valid & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	return (struct timespec){ .tv_sec = (time_t)sec, .tv_nsec = nsec };
}

static int set_times(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_setattr_in *in = rq->arg;
	struct timespec t[2] = {
		time_of(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime,
			in->atimensec),
		time_of(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime,
			in->mtimensec),
	};
	char path[FUSE_PATH];

	return utimensat(AT_FDCWD, fuse_path(f, rq->node->fd, path), t, 0) < 0
		       ? -errno
		       : 0;
}

/* The owner before the mode, which a change of the owner takes bits from. */
static const struct {
	uint32_t valid;
	int (*set)(struct fuse *f, struct fuse_rq *rq);
} attributes[] = {
	{ FATTR_UID | FATTR_GID, set_owner },
	{ FATTR_MODE, set_mode },
	{ FATTR_SIZE, set_size },
	{ FATTR_ATIME | FATTR_MTIME, set_times },
};

int fuse_do_setattr(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_setattr_in *in = rq->arg;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		int r = in->valid & attributes[i].valid
				? attributes[i].set(f, rq)
				: 0;

		if (r < 0)
			return r;
	}
	return reply_attr(f, rq->node);
}

int fuse_do_readlink(struct fuse *f, struct fuse_rq *rq)
{
	ssize_t n;

	if (rq->node->type != S_IFLNK)
		return -EINVAL;
	n = readlinkat(rq->node->fd, "", f->reply, PATH_MAX);
	return n < 0 ? -errno : (int)n;
}

int fuse_do_statfs(struct fuse *f, struct fuse_rq *rq)
{
	struct fuse_statfs_out *out = fuse_reply_begin(f, sizeof(*out));
	struct statfs st;

	if (fstatfs(rq->node->fd, &st) < 0)
		return -errno;
	out->st = (struct fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree,
		.bavail = st.f_bavail,
		.files = st.f_files,
		.ffree = st.f_ffree,
		.bsize = (uint32_t)st.f_bsize,
		.namelen = (uint32_t)st.f_namelen,
		.frsize = (uint32_t)st.f_frsize,
	};
	return (int)sizeof(*out);
}

/* The guest's kernel judges by itself; that there is a node is all we know
 * better. */
int fuse_do_access(struct fuse *f, struct fuse_rq *rq)
{
	return 0;
}

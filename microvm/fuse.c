/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/fuse_priv.h"

#define MINOR_MIN 31  /* Linux 5.4: the first with virtio-fs */
#define INIT_SIZE 16  /* of fuse_init_in before 7.36 */
#define NAME_MAX_ 255 /* bytes */

/* What we understand; the guest may take a part of it. */
#define INIT_FLAGS                                                             \
	(FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |             \
	 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |  \
	 FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_SUBMOUNTS |              \
	 FUSE_HANDLE_KILLPRIV_V2)

bool fuse_name_is_sane(const char *name, size_t len)
{
	return len > 0 && !memchr(name, '/', len) &&
	       !(len == 1 && name[0] == '.') &&
	       !(len == 2 && name[0] == '.' && name[1] == '.');
}

void *fuse_reply_begin(struct fuse *f, size_t len)
{
	return memset(f->reply, 0, len);
}

void fuse_forget_all(struct fuse *f)
{
	fuse_handles_clear(f);
	fuse_nodes_clear(f);
	f->ready = false;
}

/* --- the session ----------------------------------------------------------*/

static int do_init(struct fuse *f, struct fuse_rq *rq)
{
	const struct fuse_init_in *in = rq->arg;
	struct fuse_init_out *out = fuse_reply_begin(f, sizeof(*out));

	out->major = FUSE_KERNEL_VERSION;
	out->minor = MIN_OF(in->minor, (uint32_t)FUSE_KERNEL_MINOR_VERSION);
	/* A newer one asks again, in our words. */
	if (in->major > FUSE_KERNEL_VERSION)
		return FUSE_COMPAT_INIT_OUT_SIZE;
	if (in->major < FUSE_KERNEL_VERSION || in->minor < MINOR_MIN)
		return -EPROTO;
	fuse_forget_all(f);
	f->ready = true;
	f->submounts = in->flags & FUSE_SUBMOUNTS;
	out->max_readahead = in->max_readahead;
	out->flags = in->flags & (uint32_t)INIT_FLAGS;
	out->max_background = 64;
	out->congestion_threshold = 48;
	out->max_write = FUSE_DATA_MAX;
	out->max_pages = FUSE_DATA_MAX / 4096;
	out->time_gran = 1;
	return (int)sizeof(*out);
}

static int do_destroy(struct fuse *f, struct fuse_rq *rq)
{
	fuse_forget_all(f);
	return 0;
}

/* Requests are served one after the other: none of them can be under way. */
static int do_interrupt(struct fuse *f, struct fuse_rq *rq)
{
	return 0;
}

/* --- requests -------------------------------------------------------------*/

enum {
	CHANGES = 1 << 0, /* not for a read-only folder */
	QUIET = 1 << 1,	  /* has no answer */
	BULK = 1 << 2,	  /* what follows its struct stays where it is */
	NODELESS = 1 << 3,
	NAME = 1 << 4,	/* a component behind its struct */
	TEXT = 1 << 5,	/* a string behind that */
	EARLY = 1 << 6, /* may come before INIT */
};

#define ARG(type) .arg = sizeof(struct type)

/* clang-format off */
static const struct op {
	fuse_fn fn;
	uint16_t arg; /* bytes of its struct */
	uint16_t is;
} ops[] = {
	[FUSE_LOOKUP]       = { fuse_do_lookup, .is = NAME },
	[FUSE_FORGET]       = { fuse_do_forget, ARG(fuse_forget_in), QUIET | NODELESS },
	[FUSE_GETATTR]      = { fuse_do_getattr, ARG(fuse_getattr_in) },
	[FUSE_SETATTR]      = { fuse_do_setattr, ARG(fuse_setattr_in), CHANGES },
	[FUSE_READLINK]     = { fuse_do_readlink },
	[FUSE_SYMLINK]      = { fuse_do_symlink, .is = NAME | TEXT | CHANGES },
	[FUSE_MKNOD]        = { fuse_do_mknod, ARG(fuse_mknod_in), NAME | CHANGES },
	[FUSE_MKDIR]        = { fuse_do_mkdir, ARG(fuse_mkdir_in), NAME | CHANGES },
	[FUSE_UNLINK]       = { fuse_do_unlink, .is = NAME | CHANGES },
	[FUSE_RMDIR]        = { fuse_do_rmdir, .is = NAME | CHANGES },
	[FUSE_RENAME]       = { fuse_do_rename, ARG(fuse_rename_in), NAME | TEXT | CHANGES },
	[FUSE_LINK]         = { fuse_do_link, ARG(fuse_link_in), NAME | CHANGES },
	[FUSE_OPEN]         = { fuse_do_open, ARG(fuse_open_in) },
	[FUSE_READ]         = { fuse_do_read, ARG(fuse_read_in), NODELESS },
	[FUSE_WRITE]        = { fuse_do_write, ARG(fuse_write_in), NODELESS | BULK | CHANGES },
	[FUSE_STATFS]       = { fuse_do_statfs },
	[FUSE_RELEASE]      = { fuse_do_release, ARG(fuse_release_in), NODELESS },
	[FUSE_FSYNC]        = { fuse_do_fsync, ARG(fuse_fsync_in), NODELESS },
	[FUSE_SETXATTR]     = { fuse_do_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, NAME | CHANGES },
	[FUSE_GETXATTR]     = { fuse_do_getxattr, ARG(fuse_getxattr_in), NAME },
	[FUSE_LISTXATTR]    = { fuse_do_listxattr, ARG(fuse_getxattr_in) },
	[FUSE_REMOVEXATTR]  = { fuse_do_removexattr, .is = NAME | CHANGES },
	[FUSE_FLUSH]        = { fuse_do_flush, ARG(fuse_flush_in), NODELESS },
	[FUSE_INIT]         = { do_init, INIT_SIZE, NODELESS | EARLY },
	[FUSE_OPENDIR]      = { fuse_do_opendir, ARG(fuse_open_in) },
	[FUSE_READDIR]      = { fuse_do_readdir, ARG(fuse_read_in) },
	[FUSE_RELEASEDIR]   = { fuse_do_releasedir, ARG(fuse_release_in), NODELESS },
	[FUSE_FSYNCDIR]     = { fuse_do_fsyncdir, ARG(fuse_fsync_in), NODELESS },
	[FUSE_ACCESS]       = { fuse_do_access, ARG(fuse_access_in) },
	[FUSE_CREATE]       = { fuse_do_create, ARG(fuse_create_in), NAME | CHANGES },
	[FUSE_INTERRUPT]    = { do_interrupt, ARG(fuse_interrupt_in), QUIET | NODELESS },
	[FUSE_DESTROY]      = { do_destroy, .is = NODELESS },
	[FUSE_BATCH_FORGET] = { fuse_do_batch_forget, ARG(fuse_batch_forget_in), QUIET | NODELESS },
	[FUSE_FALLOCATE]    = { fuse_do_fallocate, ARG(fuse_fallocate_in), NODELESS | CHANGES },
	[FUSE_READDIRPLUS]  = { fuse_do_readdirplus, ARG(fuse_read_in) },
	[FUSE_RENAME2]      = { fuse_do_rename2, ARG(fuse_rename2_in), NAME | TEXT | CHANGES },
	[FUSE_LSEEK]        = { fuse_do_lseek, ARG(fuse_lseek_in), NODELESS },
	[FUSE_COPY_FILE_RANGE] = { fuse_do_copy_file_range, ARG(fuse_copy_file_range_in), NODELESS | CHANGES },
	/* What follows is no name but what the guest's kernel calls it. */
	[FUSE_TMPFILE]      = { fuse_do_tmpfile, ARG(fuse_create_in), CHANGES },
	[FUSE_SYNCFS]       = { fuse_do_syncfs, .is = 0 },
};
/* clang-format on */

static const struct op none = { NULL, 0, NODELESS };

/* Not a component, but as harmless: "user.some/thing". */
static bool is_xattr(uint32_t opcode)
{
	return opcode == FUSE_SETXATTR || opcode == FUSE_GETXATTR ||
	       opcode == FUSE_REMOVEXATTR;
}

/* The next string of what is left; NULL when it does not end. */
static const char *take_string(struct fuse_rq *rq)
{
	const char *s = rq->rest;
	size_t len = strnlen(s, rq->rest_len);

	if (len == rq->rest_len)
		return NULL;
	rq->rest += len + 1;
	rq->rest_len -= len + 1;
	return s;
}

static int take_strings(struct fuse_rq *rq, const struct op *op)
{
	if (op->is & NAME) {
		rq->name = take_string(rq);
		if (!rq->name)
			return -EINVAL;
		if (!is_xattr(rq->h.opcode) &&
		    !fuse_name_is_sane(rq->name, strlen(rq->name)))
			return -EINVAL;
	}
	if (op->is & TEXT) {
		rq->text = take_string(rq);
		if (!rq->text)
			return -EINVAL;
	}
	return 0;
}

/* One copy, which the guest cannot change any more. */
static int take_args(struct fuse *f, struct fuse_rq *rq, const struct op *op)
{
	size_t len = rq->h.len - sizeof(rq->h);

	if (len < op->arg)
		return -EINVAL;
	if (op->is & BULK)
		len = op->arg;
	if (len > FUSE_ARGS_MAX)
		return -E2BIG;
	(void)virtq_copy_from(rq->chain->in, rq->chain->n_in, sizeof(rq->h),
			      f->args, len);
	f->args[len] = '\0';
	rq->arg = f->args;
	rq->rest = f->args + op->arg;
	rq->rest_len = len - op->arg;
	return take_strings(rq, op);
}

static int perform(struct fuse *f, struct fuse_rq *rq, const struct op *op)
{
	int r;

	if (!op->fn)
		return -ENOSYS;
	if (!f->ready && !(op->is & EARLY))
		return -EIO;
	if (f->readonly && op->is & CHANGES)
		return -EROFS;
	rq->node = fuse_node_get(f, rq->h.nodeid);
	if (!rq->node && !(op->is & NODELESS))
		return -ESTALE;
	r = take_args(f, rq, op);
	return r < 0 ? r : op->fn(f, rq);
}

static int answer(const struct fuse *f, const struct fuse_rq *rq, int r)
{
	const struct virtq_chain *c = rq->chain;
	struct fuse_out_header h = { .unique = rq->h.unique };

	/* The guest knows how much it has asked for. */
	if (r > 0 && (size_t)r > rq->room)
		r = -EINVAL;
	if (r > 0 && !rq->placed)
		(void)virtq_copy_to(c->out, c->n_out, sizeof(h), f->reply,
				    (size_t)r);
	h.error = MIN_OF(r, 0);
	h.len = (uint32_t)sizeof(h) + (uint32_t)MAX_OF(r, 0);
	(void)virtq_copy_to(c->out, c->n_out, 0, &h, sizeof(h));
	return (int)h.len;
}

int fuse_serve(struct fuse *f, const struct virtq_chain *c)
{
	size_t out = virtq_len(c->out, c->n_out);
	struct fuse_rq rq = { .chain = c };
	const struct op *op = &none;
	int r;

	if (virtq_copy_from(c->in, c->n_in, 0, &rq.h, sizeof(rq.h)) !=
		    sizeof(rq.h) ||
	    rq.h.len < sizeof(rq.h) || rq.h.len > virtq_len(c->in, c->n_in))
		return -EPROTO;
	if (rq.h.opcode < ARRAY_SIZE(ops) && ops[rq.h.opcode].fn)
		op = &ops[rq.h.opcode];
	if (op->is & QUIET) {
		(void)perform(f, &rq, op);
		return 0;
	}
	if (out < sizeof(struct fuse_out_header))
		return -EPROTO;
	rq.room = out - sizeof(struct fuse_out_header);
	r = perform(f, &rq, op);
	return answer(f, &rq, r);
}

/* --- making one -----------------------------------------------------------*/

/* A mount of its own, so that its ".." is itself; where that is not allowed,
 * the folder. */
static int open_self(struct err *e)
{
	int fd = open_tree(AT_FDCWD, "/proc/self/fd",
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '/proc/self/fd'") : fd;
}

static int add_root(struct fuse *f, struct err *e)
{
	int fd = openat(f->dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct fuse_node *root;
	struct statx st;
	int r;

	if (fd < 0)
		return err_errno(e, "open the folder");
	r = fuse_stat(fd, &st);
	if (r == 0)
		r = fuse_node_add(f, fd, &st, &root);
	else
		(void)close(fd);
	return r < 0 ? err_code(e, r, "look at the folder") : 0;
}

static int set_up(struct fuse *f, struct err *e)
{
	f->self = open_self(e);
	return f->self < 0 ? f->self : add_root(f, e);
}

int fuse_new(int dir, bool readonly, struct fuse **ret, struct err *e)
{
	struct fuse *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_nomem(e);
	f->dir = dir;
	f->readonly = readonly;
	f->self = -1;
	f->prefix = "/proc/self/fd/";
	f->max_nodes = FUSE_NODES_MAX;
	r = set_up(f, e);
	if (r < 0) {
		fuse_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void fuse_free(struct fuse *f)
{
	if (!f)
		return;
	fuse_forget_all(f);
	for (uint32_t i = FUSE_ROOT_ID; i < f->n_nodes; i++) {
		if (f->node[i]->fd >= 0)
			(void)close(f->node[i]->fd);
		free(f->node[i]);
	}
	free(f->node);
	free(f->bucket);
	free(f->handle);
	if (f->self >= 0)
		(void)close(f->self);
	free(f);
}

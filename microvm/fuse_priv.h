/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inside of the FUSE server, see fuse.h. */
#include <linux/fuse.h>
#include <sys/stat.h>

#include "microvm/fuse.h"
#include "microvm/virtq.h"

#define FUSE_NODES_MAX	 (1U << 20)
#define FUSE_HANDLES_MAX (1U << 16)
#define FUSE_PATH	 32
/* Names and the longest value of an extended attribute. */
#define FUSE_ARGS_MAX (72U << 10)
/* All replies but what is read from files. */
#define FUSE_REPLY_MAX (64U << 10)
#define FUSE_DATA_MAX  (1U << 20)
/* How long the guest may believe names and attributes: others may change the
 * files, too. */
#define FUSE_VALID_SECS 1

/* What tells whether a file is still what it was. */
struct fuse_stamp {
	struct statx_timestamp mtime, ctime;
	uint64_t size;
};

/*
 * A file that the guest knows, under the number id: held by an O_PATH
 * descriptor until the guest has forgotten it as often as it was told of it.
 * A file is the same one if dev, ino and mount are: what a bind mount makes
 * read-only is another file than the writable original.
 */
struct fuse_node {
	struct fuse_node *next; /* in its bucket, or among the free ones */
	uint64_t id, generation;
	uint64_t dev, ino, mount;
	uint64_t lookups;
	int fd;			/* -1: free */
	uint32_t type;		/* S_IFMT */
	struct fuse_stamp seen; /* when it was last opened */
};

struct fuse_handle {
	int fd;	       /* -1: free */
	uint32_t next; /* free one */
	bool dir;
};

struct fuse {
	int dir;
	int self; /* /proc/self/fd */
	bool readonly;
	bool ready; /* INIT has been */
	bool submounts;
	const char *prefix; /* of a descriptor's number: a path to it */

	/* node[id]; 0 is no number, FUSE_ROOT_ID the folder. */
	struct fuse_node **node;
	uint32_t n_nodes, max_nodes;
	struct fuse_node *free_nodes;
	struct fuse_node **bucket;
	uint32_t n_buckets;
	uint64_t generation;

	struct fuse_handle *handle; /* handle[fh - 1] */
	uint32_t n_handles, free_handle;

	struct iovec iov[VIRTQ_MAX_SEGS];
	_Alignas(8) char args[FUSE_ARGS_MAX + 8];
	_Alignas(8) char reply[FUSE_REPLY_MAX];
};

struct fuse_rq {
	struct fuse_in_header h;
	const struct virtq_chain *chain;
	struct fuse_node *node; /* h.nodeid's */
	const void *arg;	/* its struct, as long as the table says */
	const char *name;	/* of one component */
	const char *text;	/* another string */
	const char *rest;	/* what comes behind these */
	size_t rest_len;
	size_t room; /* for the reply, without its header */
	bool placed; /* the reply is where it belongs already */
};

/* Each gives the length of the reply in f->reply, or -errno. */
typedef int (*fuse_fn)(struct fuse *f, struct fuse_rq *rq);

/* clang-format off */
int fuse_do_lookup(struct fuse *f, struct fuse_rq *rq);
int fuse_do_forget(struct fuse *f, struct fuse_rq *rq);
int fuse_do_batch_forget(struct fuse *f, struct fuse_rq *rq);
int fuse_do_getattr(struct fuse *f, struct fuse_rq *rq);
int fuse_do_setattr(struct fuse *f, struct fuse_rq *rq);
int fuse_do_readlink(struct fuse *f, struct fuse_rq *rq);
int fuse_do_statfs(struct fuse *f, struct fuse_rq *rq);
int fuse_do_access(struct fuse *f, struct fuse_rq *rq);
int fuse_do_symlink(struct fuse *f, struct fuse_rq *rq);
int fuse_do_mknod(struct fuse *f, struct fuse_rq *rq);
int fuse_do_mkdir(struct fuse *f, struct fuse_rq *rq);
int fuse_do_unlink(struct fuse *f, struct fuse_rq *rq);
int fuse_do_rmdir(struct fuse *f, struct fuse_rq *rq);
int fuse_do_rename(struct fuse *f, struct fuse_rq *rq);
int fuse_do_rename2(struct fuse *f, struct fuse_rq *rq);
int fuse_do_link(struct fuse *f, struct fuse_rq *rq);
int fuse_do_create(struct fuse *f, struct fuse_rq *rq);
int fuse_do_tmpfile(struct fuse *f, struct fuse_rq *rq);
int fuse_do_open(struct fuse *f, struct fuse_rq *rq);
int fuse_do_read(struct fuse *f, struct fuse_rq *rq);
int fuse_do_write(struct fuse *f, struct fuse_rq *rq);
int fuse_do_release(struct fuse *f, struct fuse_rq *rq);
int fuse_do_flush(struct fuse *f, struct fuse_rq *rq);
int fuse_do_fsync(struct fuse *f, struct fuse_rq *rq);
int fuse_do_fallocate(struct fuse *f, struct fuse_rq *rq);
int fuse_do_lseek(struct fuse *f, struct fuse_rq *rq);
int fuse_do_copy_file_range(struct fuse *f, struct fuse_rq *rq);
int fuse_do_syncfs(struct fuse *f, struct fuse_rq *rq);
int fuse_do_opendir(struct fuse *f, struct fuse_rq *rq);
int fuse_do_readdir(struct fuse *f, struct fuse_rq *rq);
int fuse_do_readdirplus(struct fuse *f, struct fuse_rq *rq);
int fuse_do_releasedir(struct fuse *f, struct fuse_rq *rq);
int fuse_do_fsyncdir(struct fuse *f, struct fuse_rq *rq);
int fuse_do_setxattr(struct fuse *f, struct fuse_rq *rq);
int fuse_do_getxattr(struct fuse *f, struct fuse_rq *rq);
int fuse_do_listxattr(struct fuse *f, struct fuse_rq *rq);
int fuse_do_removexattr(struct fuse *f, struct fuse_rq *rq);
/* clang-format on */

/* A name of one component that is neither "." nor "..". */
bool fuse_name_is_sane(const char *name, size_t len);
/* Zeroed room for a struct at the start of the reply. */
void *fuse_reply_begin(struct fuse *f, size_t len);

/* --- tables ---------------------------------------------------------------*/

/* NULL: the guest cannot know it. */
struct fuse_node *fuse_node_get(const struct fuse *f, uint64_t id);
/* Takes over fd, which st describes; one more lookup of it. */
MUST_CHECK int fuse_node_add(struct fuse *f, int fd, const struct statx *st,
			     struct fuse_node **ret);
void fuse_node_forget(struct fuse *f, uint64_t id, uint64_t lookups);
/* Gives up all but the folder's own. */
void fuse_nodes_clear(struct fuse *f);

/* Takes over fd. */
MUST_CHECK int fuse_handle_add(struct fuse *f, int fd, bool dir, uint64_t *ret);
/* Its descriptor, or -EBADF. */
int fuse_handle_fd(const struct fuse *f, uint64_t fh, bool dir);
int fuse_handle_close(struct fuse *f, uint64_t fh, bool dir);
void fuse_handles_clear(struct fuse *f);

/* --- the thread's rights --------------------------------------------------*/

/* What is made from here to fuse_cred_end() belongs to the request's user. */
MUST_CHECK int fuse_cred_begin(const struct fuse_rq *rq);
void fuse_cred_end(void);
/* Writes and truncations from here to fuse_setid_end() take away the bits
 * that make a program run as its owner. */
void fuse_setid_begin(bool kill);
void fuse_setid_end(bool kill);

/* --- files ----------------------------------------------------------------*/

/* A path that leads to what an open descriptor is of, O_PATH or not. */
const char *fuse_path(const struct fuse *f, int fd, char buf[FUSE_PATH]);
MUST_CHECK int fuse_stat(int fd, struct statx *ret);
/* Opens a regular file that is known, with the flags of a guest's open(). */
MUST_CHECK int fuse_open_node(const struct fuse *f,
			      const struct fuse_node *node, uint32_t flags);
/* The flags of the guest that mean something to us; or -EROFS. */
MUST_CHECK int fuse_open_flags(const struct fuse *f, uint32_t flags);
/* One step down from dir, which is parent's. Counted as a lookup. */
MUST_CHECK int fuse_look(struct fuse *f, const struct fuse_node *parent,
			 int dir, const char *name, struct fuse_entry_out *ret);
/* The same for a file that is open. */
MUST_CHECK int fuse_look_fd(struct fuse *f, const struct fuse_node *parent,
			    int fd, struct fuse_entry_out *ret);
/* Makes a handle of an open regular file; takes over fd. */
MUST_CHECK int fuse_opened(struct fuse *f, struct fuse_node *node, int fd,
			   struct fuse_open_out *ret);

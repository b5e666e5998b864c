/* SPDX-License-Identifier: Apache-2.0 */

/* The FUSE server behind the filter that its thread has in the jail: each
 * request gets its answer, none ends the process. */

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "microvm/jail.h"
#include "tests/unit/microvm-fuse-guest.h"

/* In this order; fh and node are put where they belong. */
static const struct {
	const char *what;
	uint32_t opcode, arg_len;
	const char *text;
	size_t text_len;
	enum {
		ROOT,
		FILE_NODE,
		LINK_NODE
	} node;
} requests[] = {
#define REQ(op, type, s, n)                                                    \
	{                                                                      \
#op, FUSE_##op, sizeof(struct type), s, sizeof(s) - 1, n       \
	}
#define BARE(op, s, n)                                                         \
	{                                                                      \
#op, FUSE_##op, 0, s, sizeof(s) - 1, n                         \
	}
	/* clang-format off */
	BARE(LOOKUP, "file\0", ROOT),
	REQ(GETATTR, fuse_getattr_in, "", FILE_NODE),
	BARE(READLINK, "", LINK_NODE),
	BARE(SYMLINK, "new-link\0target\0", ROOT),
	REQ(MKNOD, fuse_mknod_in, "new-node\0", ROOT),
	REQ(MKDIR, fuse_mkdir_in, "new-dir\0", ROOT),
	REQ(RENAME, fuse_rename_in, "new-node\0node\0", ROOT),
	REQ(RENAME2, fuse_rename2_in, "node\0new-node\0", ROOT),
	REQ(LINK, fuse_link_in, "again\0", ROOT),
	BARE(UNLINK, "new-node\0", ROOT),
	BARE(RMDIR, "new-dir\0", ROOT),
	REQ(WRITE, fuse_write_in, "data", ROOT),
	REQ(READ, fuse_read_in, "", ROOT),
	REQ(FSYNC, fuse_fsync_in, "", ROOT),
	REQ(LSEEK, fuse_lseek_in, "", ROOT),
	REQ(FALLOCATE, fuse_fallocate_in, "", ROOT),
	REQ(COPY_FILE_RANGE, fuse_copy_file_range_in, "", ROOT),
	REQ(FLUSH, fuse_flush_in, "", ROOT),
	REQ(SETATTR, fuse_setattr_in, "", FILE_NODE),
	REQ(CREATE, fuse_create_in, "created\0", ROOT),
	REQ(CREATE, fuse_create_in, "created\0", ROOT),
	REQ(OPEN, fuse_open_in, "", FILE_NODE),
	REQ(OPENDIR, fuse_open_in, "", ROOT),
	REQ(RELEASE, fuse_release_in, "", ROOT),
	BARE(STATFS, "", ROOT),
	BARE(SETXATTR, "\1\0\0\0\0\0\0\0user.x\0v", FILE_NODE),
	REQ(GETXATTR, fuse_getxattr_in, "user.x\0", FILE_NODE),
	REQ(LISTXATTR, fuse_getxattr_in, "", FILE_NODE),
	BARE(REMOVEXATTR, "user.x\0", FILE_NODE),
	REQ(ACCESS, fuse_access_in, "", FILE_NODE),
	REQ(SYNCFS, fuse_syncfs_in, "", ROOT),
	/* clang-format on */
};

union argument {
	struct fuse_setattr_in setattr;
	struct fuse_write_in write;
	struct fuse_create_in create;
	struct fuse_mknod_in mknod;
	struct fuse_mkdir_in mkdir;
	struct fuse_rename_in move;
	struct fuse_link_in link;
	struct fuse_lseek_in seek;
	struct fuse_fallocate_in allocate;
	struct fuse_copy_file_range_in copy;
	struct fuse_open_in open;
	struct fuse_getxattr_in xattr;
	uint64_t fh; /* the first of most */
	char bytes[128];
};

static void fill(union argument *a, uint32_t opcode, uint64_t fh, uint64_t node)
{
	const struct fuse_setattr_in all = {
		.valid = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE |
			 FATTR_ATIME | FATTR_MTIME | FATTR_KILL_SUIDGID,
		.size = 2,
		.mode = 0600,
		.uid = geteuid(),
		.gid = getegid(),
	};

	memset(a, 0, sizeof(*a));
	a->fh = fh;
	if (opcode == FUSE_SETATTR)
		a->setattr = all;
	if (opcode == FUSE_WRITE) {
		a->write.size = 4;
		a->write.write_flags = FUSE_WRITE_KILL_SUIDGID;
	}
	if (opcode == FUSE_MKNOD)
		a->mknod = (struct fuse_mknod_in){ .mode = S_IFIFO | 0600 };
	if (opcode == FUSE_MKDIR)
		a->mkdir = (struct fuse_mkdir_in){ .mode = 0700 };
	if (opcode == FUSE_RENAME || opcode == FUSE_RENAME2)
		a->move.newdir = FUSE_ROOT_ID;
	if (opcode == FUSE_LINK)
		a->link.oldnodeid = node;
	if (opcode == FUSE_LISTXATTR)
		a->xattr.size = 4096;
	if (opcode == FUSE_LSEEK)
		a->seek.whence = SEEK_DATA;
	if (opcode == FUSE_FALLOCATE)
		a->allocate.length = 4096;
	if (opcode == FUSE_COPY_FILE_RANGE) {
		a->copy.fh_out = fh;
		a->copy.off_out = 4096;
		a->copy.len = 2;
	}
	if (opcode == FUSE_CREATE)
		a->create = (struct fuse_create_in){ O_RDWR | O_TRUNC, 0600, 0,
						     FUSE_OPEN_KILL_SUIDGID };
	if (opcode == FUSE_OPEN || opcode == FUSE_OPENDIR)
		a->open = (struct fuse_open_in){ O_RDONLY, 0 };
}

static void ask_all(struct fuse_test *t)
{
	uint64_t nodes[3] = { FUSE_ROOT_ID, look(t, FUSE_ROOT_ID, "file"),
			      look(t, FUSE_ROOT_ID, "link") };
	uint64_t fh = open_node(t, nodes[FILE_NODE], O_RDWR);
	union argument a;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		int r;

		fill(&a, requests[i].opcode, fh, nodes[FILE_NODE]);
		r = ask(t, requests[i].opcode, nodes[requests[i].node],
			TEXT(&a, requests[i].arg_len),
			TEXT(requests[i].text, requests[i].text_len));
		/* Not every file system has extended attributes. */
		if (r != -EOPNOTSUPP && r != -ENODATA && !CHECK_INT(r, 0))
			tap_note("%s", requests[i].what);
	}
}

static void list_all(struct fuse_test *t)
{
	struct fuse_open_in open = { O_RDONLY, 0 };
	struct fuse_read_in in = { .size = 4096 };
	struct fuse_fsync_in sync = { 0 };
	struct fuse_open_out out;

	CHECK_INT(ASK(t, FUSE_OPENDIR, FUSE_ROOT_ID, open), 0);
	memcpy(&out, t->reply, sizeof(out));
	in.fh = sync.fh = out.fh;
	CHECK_INT(ASK(t, FUSE_READDIR, FUSE_ROOT_ID, in), 0);
	CHECK_INT(ASK(t, FUSE_READDIRPLUS, FUSE_ROOT_ID, in), 0);
	CHECK_INT(ASK(t, FUSE_FSYNCDIR, FUSE_ROOT_ID, sync), 0);
	CHECK_INT(ask(t, FUSE_DESTROY, 0, NOTHING, NOTHING), 0);
}

/* A server of this process: another one's /proc/self/fd has other numbers. */
static int confined(struct fuse_test *t)
{
	struct err e = { 0 };

	if (CHECK_OK(fuse_new(t->dir.fd, false, &t->f, &e), &e) &&
	    CHECK_INT(say_hello(t), 0) &&
	    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) &&
	    CHECK_OK(fuse_enter(t->f, false, &e), &e) &&
	    CHECK_OK(jail_filter(JAIL_SHARE, &e), &e)) {
		ask_all(t);
		list_all(t);
	}
	return tap_child_status();
}

TEST(every_request_is_served_behind_the_filter)
{
	int status = -1;
	pid_t pid;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "text") &&
		symlinkat("file", t->dir.fd, "link") == 0);
	pid = fork();
	/* By hand: before _exit() ASan asks for its signal stack, which the
	 * filter does not know. */
	if (pid == 0)
		(void)syscall(SYS_exit_group, confined(t));
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(status, 0);
	CHECK(scratch_has(&t->dir, "created"));
	CHECK(scratch_has(&t->dir, "new-link"));
}

static const struct tap_test tests[] = {
	TAP(every_request_is_served_behind_the_filter),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

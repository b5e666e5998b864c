/* SPDX-License-Identifier: Apache-2.0 */

/* The FUSE server as an honest guest sees it. */
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/unit/microvm-fuse-guest.h"

TEST(what_both_sides_know_is_agreed_on)
{
	struct fuse_init_out out;

	FUSE_BEGIN(t, false);
	CHECK_INT(say_hello(t), 0);
	REQUIRE(CHECK_INT(t->reply_len, sizeof(out)));
	memcpy(&out, t->reply, sizeof(out));
	CHECK_INT(out.major, 7);
	CHECK_INT(out.max_write, 1U << 20);
	CHECK_INT(out.max_pages, 256);
	CHECK(out.flags & FUSE_SUBMOUNTS);
	CHECK(out.flags & FUSE_MAX_PAGES);
	CHECK(!(out.flags & FUSE_WRITEBACK_CACHE));
	CHECK(!(out.flags & FUSE_POSIX_LOCKS));
}

TEST(a_kernel_that_speaks_another_version_is_told_so)
{
	struct fuse_init_in in = { .major = 8, .minor = 0 };
	struct fuse_init_out out;

	FUSE_BEGIN(t, false);
	CHECK_INT(ASK(t, FUSE_INIT, 0, in), 0);
	CHECK_INT(t->reply_len, FUSE_COMPAT_INIT_OUT_SIZE);
	memcpy(&out, t->reply, 8);
	CHECK_INT(out.major, 7);
	in = (struct fuse_init_in){ .major = 7, .minor = 30 };
	CHECK_INT(ASK(t, FUSE_INIT, 0, in), -EPROTO);
}

TEST(nothing_is_served_before_init_and_after_destroy)
{
	FUSE_BEGIN(t, false);
	CHECK_INT(ask(t, FUSE_DESTROY, 0, NOTHING, NOTHING), 0);
	CHECK_INT(ASK_NAME(t, FUSE_LOOKUP, FUSE_ROOT_ID, "x"), -EIO);
	CHECK_INT(say_hello(t), 0);
	CHECK_INT(ASK_NAME(t, FUSE_LOOKUP, FUSE_ROOT_ID, "x"), -ENOENT);
}

TEST(what_is_not_known_is_not_implemented)
{
	FUSE_BEGIN(t, false);
	CHECK_INT(ask(t, FUSE_IOCTL, FUSE_ROOT_ID, NOTHING, NOTHING), -ENOSYS);
	CHECK_INT(ask(t, FUSE_GETLK, FUSE_ROOT_ID, NOTHING, NOTHING), -ENOSYS);
	CHECK_INT(ask(t, 4711, FUSE_ROOT_ID, NOTHING, NOTHING), -ENOSYS);
}

/* --- names and attributes -------------------------------------------------*/

TEST(a_file_has_one_number_until_it_is_forgotten)
{
	struct fuse_getattr_in getattr = { 0 };
	uint64_t a, b;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "one", "1"));
	REQUIRE(linkat(t->dir.fd, "one", t->dir.fd, "too", 0) == 0);
	a = look(t, FUSE_ROOT_ID, "one");
	b = look(t, FUSE_ROOT_ID, "too");
	REQUIRE(a > FUSE_ROOT_ID);
	CHECK_INT(a, b);
	forget(t, a, 1);
	CHECK_INT(ASK(t, FUSE_GETATTR, a, getattr), 0);
	forget(t, a, 1);
	CHECK_INT(ASK(t, FUSE_GETATTR, a, getattr), -ESTALE);
}

TEST(a_number_that_is_used_again_has_another_generation)
{
	struct fuse_entry_out one, two;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "a", "") &&
		scratch_write(&t->dir, "b", ""));
	REQUIRE(look(t, FUSE_ROOT_ID, "a") != 0);
	memcpy(&one, t->reply, sizeof(one));
	forget(t, one.nodeid, 1);
	REQUIRE(look(t, FUSE_ROOT_ID, "b") != 0);
	memcpy(&two, t->reply, sizeof(two));
	CHECK_INT(one.nodeid, two.nodeid);
	CHECK(one.generation != two.generation);
}

TEST(many_files_are_known_at_once_and_forgotten_in_one_request)
{
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one one[600];
	} in = { .head.count = 600 };
	int fds;

	FUSE_BEGIN(t, false);
	fds = open_fds();
	for (int i = 0; i < 600; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%d", i);
		REQUIRE(scratch_write(&t->dir, name, ""));
		in.one[i].nodeid = look(t, FUSE_ROOT_ID, name);
		in.one[i].nlookup = 1;
		REQUIRE(in.one[i].nodeid != 0);
	}
	CHECK_INT(open_fds(), fds + 600);
	CHECK_INT(look(t, FUSE_ROOT_ID, "f17"), in.one[17].nodeid);
	in.one[17].nlookup = 2;
	CHECK_INT(ASK(t, FUSE_BATCH_FORGET, 0, in), 0);
	CHECK_INT(open_fds(), fds);
}

TEST(attributes_are_the_files)
{
	struct fuse_entry_out out;
	struct stat st;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "12345"));
	REQUIRE(fstatat(t->dir.fd, "file", &st, 0) == 0);
	REQUIRE(look(t, FUSE_ROOT_ID, "file") != 0);
	memcpy(&out, t->reply, sizeof(out));
	CHECK_INT(out.attr.ino, st.st_ino);
	CHECK_INT(out.attr.size, 5);
	CHECK_INT(out.attr.mode, st.st_mode);
	CHECK_INT(out.attr.uid, st.st_uid);
	CHECK_INT(out.attr.mtime, st.st_mtim.tv_sec);
	CHECK_INT(out.attr.mtimensec, st.st_mtim.tv_nsec);
	CHECK_INT(out.entry_valid, 1);
}

TEST(attributes_can_be_changed)
{
	struct fuse_setattr_in in = {
		.valid = FATTR_MODE | FATTR_SIZE | FATTR_MTIME,
		.mode = 0640,
		.size = 3,
		.mtime = 1234,
		.mtimensec = 5678,
	};
	struct stat st;
	uint64_t node;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "12345"));
	node = look(t, FUSE_ROOT_ID, "file");
	CHECK_INT(ASK(t, FUSE_SETATTR, node, in), 0);
	CHECK(scratch_holds(&t->dir, "file", "123"));
	REQUIRE(fstatat(t->dir.fd, "file", &st, 0) == 0);
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK_INT(st.st_mtim.tv_sec, 1234);
	CHECK_INT(st.st_mtim.tv_nsec, 5678);
}

TEST(a_symbolic_link_is_text_and_never_followed)
{
	struct fuse_setattr_in chmod_in = { .valid = FATTR_MODE, .mode = 0 };
	struct fuse_open_in in = { 0 };
	uint64_t link;
	struct stat st;

	FUSE_BEGIN(t, false);
	CHECK_INT(ASK_NAME(t, FUSE_SYMLINK, FUSE_ROOT_ID, "l\0/etc/passwd"), 0);
	link = look(t, FUSE_ROOT_ID, "l");
	CHECK_INT(ask(t, FUSE_READLINK, link, NOTHING, NOTHING), 0);
	CHECK_INT(t->reply_len, 11);
	CHECK(memcmp(t->reply, "/etc/passwd", 11) == 0);
	CHECK_INT(ASK(t, FUSE_OPEN, link, in), -ENXIO);
	CHECK_INT(ASK(t, FUSE_OPENDIR, link, in), -ENOTDIR);
	CHECK_INT(ASK_NAME(t, FUSE_LOOKUP, link, "x"), -ENOTDIR);
	REQUIRE(stat("/etc/passwd", &st) == 0);
	CHECK_INT(ASK(t, FUSE_SETATTR, link, chmod_in), -EOPNOTSUPP);
	CHECK_INT(st.st_mode & 0444, 0444);
}

TEST(names_are_made_moved_and_removed)
{
	struct fuse_mkdir_in mkdir_in = { .mode = 0750 };
	struct fuse_mknod_in mknod_in = { .mode = S_IFIFO | 0600 };
	struct fuse_rename2_in move_in = { .newdir = FUSE_ROOT_ID };
	struct fuse_link_in link_in;
	struct stat st;
	uint64_t dir;

	FUSE_BEGIN(t, false);
	CHECK_INT(ASK_BOTH(t, FUSE_MKDIR, FUSE_ROOT_ID, mkdir_in, "dir"), 0);
	CHECK_INT(ASK_BOTH(t, FUSE_MKDIR, FUSE_ROOT_ID, mkdir_in, "dir"),
		  -EEXIST);
	dir = look(t, FUSE_ROOT_ID, "dir");
	CHECK_INT(ASK_BOTH(t, FUSE_MKNOD, dir, mknod_in, "fifo"), 0);
	CHECK(fstatat(t->dir.fd, "dir/fifo", &st, 0) == 0 &&
	      S_ISFIFO(st.st_mode));
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME2, dir, move_in, "fifo\0pipe"), 0);
	CHECK(scratch_has(&t->dir, "pipe"));
	link_in.oldnodeid = look(t, FUSE_ROOT_ID, "pipe");
	CHECK_INT(ASK_BOTH(t, FUSE_LINK, dir, link_in, "again"), 0);
	CHECK(scratch_has(&t->dir, "dir/again"));
	CHECK_INT(ASK_NAME(t, FUSE_RMDIR, FUSE_ROOT_ID, "dir"), -ENOTEMPTY);
	CHECK_INT(ASK_NAME(t, FUSE_UNLINK, dir, "again"), 0);
	CHECK_INT(ASK_NAME(t, FUSE_RMDIR, FUSE_ROOT_ID, "dir"), 0);
	CHECK(!scratch_has(&t->dir, "dir"));
}

TEST(a_move_can_be_told_to_replace_nothing_or_to_exchange)
{
	struct fuse_rename2_in in = { .newdir = FUSE_ROOT_ID,
				      .flags = RENAME_NOREPLACE };

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "a", "A") &&
		scratch_write(&t->dir, "b", "B"));
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME2, FUSE_ROOT_ID, in, "a\0b"), -EEXIST);
	in.flags = RENAME_EXCHANGE;
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME2, FUSE_ROOT_ID, in, "a\0b"), 0);
	CHECK(scratch_holds(&t->dir, "a", "B"));
	in.flags = 0x100;
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME2, FUSE_ROOT_ID, in, "a\0b"), -EINVAL);
}

TEST(what_is_made_belongs_to_who_asked)
{
	struct fuse_mkdir_in mkdir_in = { .mode = 0755 };
	struct fuse_create_in create_in = { O_WRONLY, 0600, 0, 0 };
	struct stat st;

	FUSE_BEGIN(t, false);
	if (geteuid() != 0)
		SKIP("needs root");
	REQUIRE(chmod(t->dir.path, 0700) == 0);
	t->uid = 1234;
	t->gid = 567;
	CHECK_INT(ASK_BOTH(t, FUSE_MKDIR, FUSE_ROOT_ID, mkdir_in, "dir"),
		  -EACCES);
	REQUIRE(chmod(t->dir.path, 0777) == 0);
	CHECK_INT(ASK_BOTH(t, FUSE_MKDIR, FUSE_ROOT_ID, mkdir_in, "dir"), 0);
	CHECK_INT(ASK_BOTH(t, FUSE_CREATE, FUSE_ROOT_ID, create_in, "file"), 0);
	REQUIRE(fstatat(t->dir.fd, "file", &st, 0) == 0);
	CHECK_INT(st.st_uid, 1234);
	CHECK_INT(st.st_gid, 567);
	REQUIRE(fstatat(t->dir.fd, "dir", &st, 0) == 0);
	CHECK_INT(st.st_uid, 1234);
	/* And we are ourselves again. */
	REQUIRE(scratch_write(&t->dir, "own", ""));
	REQUIRE(fstatat(t->dir.fd, "own", &st, 0) == 0);
	CHECK_INT(st.st_uid, 0);
}

/* --- folders --------------------------------------------------------------*/

static uint64_t open_dir(struct fuse_test *t, uint64_t node)
{
	struct fuse_open_in in = { O_RDONLY, 0 };
	struct fuse_open_out out;

	if (!CHECK_INT(ASK(t, FUSE_OPENDIR, node, in), 0))
		return 0;
	memcpy(&out, t->reply, sizeof(out));
	return out.fh;
}

/* Reads all of it in answers of size bytes: the number of entries whose names
 * are not "." and "..", each once. */
static int count_entries(struct fuse_test *t, bool plus, uint32_t size)
{
	struct fuse_read_in in = { .fh = open_dir(t, FUSE_ROOT_ID),
				   .size = size };
	size_t front = plus ? sizeof(struct fuse_entry_out) : 0;
	int n = 0;

	for (;;) {
		const char *p;

		if (!CHECK_INT(ASK(t, plus ? FUSE_READDIRPLUS : FUSE_READDIR,
				   FUSE_ROOT_ID, in),
			       0))
			return -1;
		if (t->reply_len == 0)
			return n;
		CHECK(t->reply_len <= size);
		p = t->reply;
		for (size_t at = 0; at < t->reply_len;) {
			struct fuse_dirent d;
			struct fuse_entry_out e = { .nodeid = 1 };

			memcpy(&e, p + at, front);
			memcpy(&d, p + at + front, FUSE_NAME_OFFSET);
			n += p[at + front + FUSE_NAME_OFFSET] != '.';
			CHECK_INT(e.nodeid != 0,
				  !plus || p[at + front + FUSE_NAME_OFFSET] !=
						   '.');
			at += front + FUSE_DIRENT_SIZE(&d);
			in.offset = d.off;
		}
	}
}

TEST(a_folder_is_read_whole_in_pieces_of_any_size)
{
	FUSE_BEGIN(t, false);
	for (int i = 0; i < 300; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "some-file-%d", i);
		REQUIRE(scratch_write(&t->dir, name, ""));
	}
	CHECK_INT(count_entries(t, false, 100), 300);
	CHECK_INT(count_entries(t, false, 4096), 300);
	CHECK_INT(count_entries(t, true, 512), 300);
	CHECK_INT(count_entries(t, true, 1U << 20), 300);
}

TEST(an_entry_with_attributes_counts_as_a_lookup)
{
	struct fuse_getattr_in getattr = { 0 };
	uint64_t node;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", ""));
	CHECK_INT(count_entries(t, true, 4096), 1);
	node = look(t, FUSE_ROOT_ID, "file");
	forget(t, node, 1);
	CHECK_INT(ASK(t, FUSE_GETATTR, node, getattr), 0);
	forget(t, node, 1);
	CHECK_INT(ASK(t, FUSE_GETATTR, node, getattr), -ESTALE);
}

TEST(a_folder_and_what_is_on_it_can_be_synced)
{
	struct fuse_fsync_in in = { 0 };
	struct fuse_syncfs_in fs = { 0 };
	struct fuse_statfs_out out;

	FUSE_BEGIN(t, false);
	in.fh = open_dir(t, FUSE_ROOT_ID);
	CHECK_INT(ASK(t, FUSE_FSYNCDIR, FUSE_ROOT_ID, in), 0);
	CHECK_INT(ASK(t, FUSE_FSYNC, FUSE_ROOT_ID, in), -EBADF);
	CHECK_INT(ASK(t, FUSE_SYNCFS, FUSE_ROOT_ID, fs), 0);
	CHECK_INT(ask(t, FUSE_STATFS, FUSE_ROOT_ID, NOTHING, NOTHING), 0);
	memcpy(&out, t->reply, sizeof(out));
	CHECK(out.st.bsize > 0 && out.st.namelen > 0);
}

/* --- extended attributes --------------------------------------------------*/

TEST(extended_attributes_are_set_listed_read_and_removed)
{
	struct fuse_getxattr_in get = { .size = 0 };
	struct fuse_getxattr_out out;
	uint32_t set[2] = { 5, 0 }; /* size, flags */
	uint64_t node;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", ""));
	if (setxattr(t->dir.path, "user.test", "x", 1, 0) < 0)
		SKIP("no extended attributes in '%s'", t->dir.path);
	node = look(t, FUSE_ROOT_ID, "file");
	CHECK_INT(ASK_BOTH(t, FUSE_SETXATTR, node, set, "user.a/b\0value"), 0);
	CHECK_INT(ASK_BOTH(t, FUSE_GETXATTR, node, get, "user.a/b"), 0);
	memcpy(&out, t->reply, sizeof(out));
	CHECK_INT(out.size, 5);
	get.size = 4;
	CHECK_INT(ASK_BOTH(t, FUSE_GETXATTR, node, get, "user.a/b"), -ERANGE);
	get.size = 100;
	CHECK_INT(ASK_BOTH(t, FUSE_GETXATTR, node, get, "user.a/b"), 0);
	CHECK_INT(t->reply_len, 5);
	CHECK(memcmp(t->reply, "value", 5) == 0);
	CHECK_INT(ASK(t, FUSE_LISTXATTR, node, get), 0);
	CHECK(memmem(t->reply, t->reply_len, "user.a/b", 9));
	CHECK_INT(ASK_NAME(t, FUSE_REMOVEXATTR, node, "user.a/b"), 0);
	CHECK_INT(ASK_BOTH(t, FUSE_GETXATTR, node, get, "user.a/b"), -ENODATA);
}

/* --- a read-only folder ---------------------------------------------------*/

TEST(a_read_only_folder_stays_as_it_is)
{
	static const char name[] = "file\0other";
	const struct {
		uint32_t opcode, len; /* of its struct */
	} all[] = {
		{ FUSE_SETATTR, sizeof(struct fuse_setattr_in) },
		{ FUSE_SYMLINK, 0 },
		{ FUSE_MKNOD, sizeof(struct fuse_mknod_in) },
		{ FUSE_MKDIR, sizeof(struct fuse_mkdir_in) },
		{ FUSE_UNLINK, 0 },
		{ FUSE_RMDIR, 0 },
		{ FUSE_RENAME, sizeof(struct fuse_rename_in) },
		{ FUSE_RENAME2, sizeof(struct fuse_rename2_in) },
		{ FUSE_LINK, sizeof(struct fuse_link_in) },
		{ FUSE_WRITE, sizeof(struct fuse_write_in) },
		{ FUSE_SETXATTR, FUSE_COMPAT_SETXATTR_IN_SIZE },
		{ FUSE_REMOVEXATTR, 0 },
		{ FUSE_CREATE, sizeof(struct fuse_create_in) },
		{ FUSE_TMPFILE, sizeof(struct fuse_create_in) },
		{ FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in) },
		{ FUSE_COPY_FILE_RANGE,
		  sizeof(struct fuse_copy_file_range_in) },
	};
	struct fuse_open_in in = { O_RDWR, 0 };
	char arg[128] = { 0 };
	uint64_t node;

	FUSE_BEGIN(t, true);
	REQUIRE(scratch_write(&t->dir, "file", "text"));
	node = look(t, FUSE_ROOT_ID, "file");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!CHECK_INT(ask(t, all[i].opcode, FUSE_ROOT_ID,
				   TEXT(arg, all[i].len), BYTES(name)),
			       -EROFS))
			tap_note("opcode %u", all[i].opcode);
	CHECK_INT(ASK(t, FUSE_OPEN, node, in), -EROFS);
	in = (struct fuse_open_in){ O_WRONLY, 0 };
	CHECK_INT(ASK(t, FUSE_OPEN, node, in), -EROFS);
	in = (struct fuse_open_in){ O_RDONLY | O_TRUNC, 0 };
	CHECK_INT(ASK(t, FUSE_OPEN, node, in), -EROFS);
	in = (struct fuse_open_in){ O_RDONLY, 0 };
	CHECK_INT(ASK(t, FUSE_OPEN, node, in), 0);
	CHECK(scratch_holds(&t->dir, "file", "text"));
}

static const struct tap_test tests[] = {
	TAP(what_both_sides_know_is_agreed_on),
	TAP(a_kernel_that_speaks_another_version_is_told_so),
	TAP(nothing_is_served_before_init_and_after_destroy),
	TAP(what_is_not_known_is_not_implemented),
	TAP(a_file_has_one_number_until_it_is_forgotten),
	TAP(a_number_that_is_used_again_has_another_generation),
	TAP(many_files_are_known_at_once_and_forgotten_in_one_request),
	TAP(attributes_are_the_files),
	TAP(attributes_can_be_changed),
	TAP(a_symbolic_link_is_text_and_never_followed),
	TAP(names_are_made_moved_and_removed),
	TAP(a_move_can_be_told_to_replace_nothing_or_to_exchange),
	TAP(what_is_made_belongs_to_who_asked),
	TAP(a_folder_is_read_whole_in_pieces_of_any_size),
	TAP(an_entry_with_attributes_counts_as_a_lookup),
	TAP(a_folder_and_what_is_on_it_can_be_synced),
	TAP(extended_attributes_are_set_listed_read_and_removed),
	TAP(a_read_only_folder_stays_as_it_is),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

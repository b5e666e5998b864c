/* SPDX-License-Identifier: Apache-2.0 */

/* What is in files, as an honest guest reads and writes it. */
#include "tests/unit/microvm-fuse-guest.h"

static int write_at(struct fuse_test *t, uint64_t fh, uint64_t at,
		    const char *text)
{
	struct fuse_write_in in = {
		.fh = fh,
		.offset = at,
		.size = (uint32_t)strlen(text),
	};

	return ask(t, FUSE_WRITE, 0, BYTES(in), TEXT(text, strlen(text)));
}

static int read_at(struct fuse_test *t, uint64_t fh, uint64_t at, uint32_t size)
{
	struct fuse_read_in in = { .fh = fh, .offset = at, .size = size };

	return ASK(t, FUSE_READ, 0, in);
}

TEST(a_file_is_created_written_and_read)
{
	struct fuse_create_in in = { O_RDWR | O_EXCL, 0644, 0, 0 };
	struct fuse_release_in release = { 0 };
	struct fuse_open_out out;

	FUSE_BEGIN(t, false);
	CHECK_INT(ASK_BOTH(t, FUSE_CREATE, FUSE_ROOT_ID, in, "file"), 0);
	REQUIRE(CHECK_INT(t->reply_len,
			  sizeof(struct fuse_entry_out) + sizeof(out)));
	memcpy(&out, (const char *)t->reply + sizeof(struct fuse_entry_out),
	       sizeof(out));
	CHECK_INT(write_at(t, out.fh, 0, "hello world"), 0);
	CHECK_INT(write_at(t, out.fh, 6, "guest"), 0);
	CHECK(scratch_holds(&t->dir, "file", "hello guest"));
	CHECK_INT(read_at(t, out.fh, 6, 100), 0);
	CHECK_INT(t->reply_len, 5);
	CHECK(memcmp(t->reply, "guest", 5) == 0);
	CHECK_INT(read_at(t, out.fh, 11, 100), 0);
	CHECK_INT(t->reply_len, 0);
	release.fh = out.fh;
	CHECK_INT(ASK(t, FUSE_FLUSH, 0, release), 0);
	CHECK_INT(ASK(t, FUSE_RELEASE, 0, release), 0);
	CHECK_INT(read_at(t, out.fh, 0, 1), -EBADF);
	CHECK_INT(ASK_BOTH(t, FUSE_CREATE, FUSE_ROOT_ID, in, "file"), -EEXIST);
	in = (struct fuse_create_in){ O_RDWR | O_TRUNC, 0644, 0, 0 };
	CHECK_INT(ASK_BOTH(t, FUSE_CREATE, FUSE_ROOT_ID, in, "file"), 0);
	CHECK(scratch_holds(&t->dir, "file", ""));
}

/* The name that Linux sends is that of a root; it means nothing. */
TEST(a_file_without_a_name_is_made_and_can_be_given_one)
{
	struct fuse_create_in in = { O_RDWR | O_TMPFILE, 0640, 0, 0 };
	struct fuse_link_in link = { 0 };
	struct fuse_entry_out entry;
	struct fuse_open_out open;
	struct stat st;

	FUSE_BEGIN(t, false);
	CHECK_INT(ASK_BOTH(t, FUSE_TMPFILE, FUSE_ROOT_ID, in, "/"), 0);
	REQUIRE(t->reply_len == sizeof(entry) + sizeof(open));
	memcpy(&entry, t->reply, sizeof(entry));
	memcpy(&open, (const char *)t->reply + sizeof(entry), sizeof(open));
	CHECK_INT(entry.attr.mode, S_IFREG | 0640);
	CHECK_INT(entry.attr.nlink, 0);
	CHECK_INT(write_at(t, open.fh, 0, "text"), 0);
	CHECK_INT(look(t, FUSE_ROOT_ID, "name"), 0);

	link.oldnodeid = entry.nodeid;
	CHECK_INT(ASK_BOTH(t, FUSE_LINK, FUSE_ROOT_ID, link, "name"), 0);
	CHECK_INT(fstatat(t->dir.fd, "name", &st, 0), 0);
	CHECK_INT(st.st_size, 4);
	CHECK_INT(st.st_nlink, 1);

	/* One that says that it never will be. */
	in.flags |= O_EXCL;
	CHECK_INT(ASK_BOTH(t, FUSE_TMPFILE, FUSE_ROOT_ID, in, "/"), 0);
	memcpy(&entry, t->reply, sizeof(entry));
	link.oldnodeid = entry.nodeid;
	CHECK_INT(ASK_BOTH(t, FUSE_LINK, FUSE_ROOT_ID, link, "other"), -ENOENT);
	CHECK_INT(ASK_BOTH(t, FUSE_TMPFILE, look(t, FUSE_ROOT_ID, "name"), in,
			   "/"),
		  -ENOTDIR);
}

TEST(a_read_never_gives_more_than_there_is_room_for)
{
	uint64_t fh;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "0123456789"));
	fh = open_node(t, look(t, FUSE_ROOT_ID, "file"), O_RDONLY);
	t->room = sizeof(struct fuse_out_header) + 4;
	CHECK_INT(read_at(t, fh, 0, 4000), 0);
	CHECK_INT(t->reply_len, 4);
	t->room = sizeof(struct fuse_out_header);
	CHECK_INT(read_at(t, fh, 0, 4000), 0);
	CHECK_INT(t->reply_len, 0);
}

TEST(holes_are_found_and_ranges_copied)
{
	struct fuse_lseek_in seek = { .whence = SEEK_HOLE };
	struct fuse_fallocate_in space = { .length = 8192 };
	struct fuse_copy_file_range_in copy = { .off_out = 2, .len = 1U << 30 };
	struct fuse_lseek_out out;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "abc") &&
		scratch_write(&t->dir, "to", "xx"));
	copy.fh_in = open_node(t, look(t, FUSE_ROOT_ID, "file"), O_RDWR);
	copy.fh_out = open_node(t, look(t, FUSE_ROOT_ID, "to"), O_WRONLY);
	seek.fh = space.fh = copy.fh_in;
	CHECK_INT(ASK(t, FUSE_LSEEK, 0, seek), 0);
	memcpy(&out, t->reply, sizeof(out));
	CHECK_INT(out.offset, 3);
	seek.whence = SEEK_CUR;
	CHECK_INT(ASK(t, FUSE_LSEEK, 0, seek), -EINVAL);
	CHECK_INT(ASK(t, FUSE_COPY_FILE_RANGE, 0, copy), 0);
	CHECK(scratch_holds(&t->dir, "to", "xxabc"));
	CHECK_INT(ASK(t, FUSE_FALLOCATE, 0, space), 0);
}

TEST(what_the_guest_has_cached_is_kept_while_the_file_is_the_same)
{
	struct fuse_open_out out;
	uint64_t node;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "one"));
	node = look(t, FUSE_ROOT_ID, "file");
	(void)open_node(t, node, O_RDONLY);
	(void)open_node(t, node, O_RDONLY);
	memcpy(&out, t->reply, sizeof(out));
	CHECK_INT(out.open_flags, FOPEN_KEEP_CACHE);
	CHECK_INT(write_at(t, open_node(t, node, O_WRONLY), 0, "longer"), 0);
	(void)open_node(t, node, O_RDONLY);
	memcpy(&out, t->reply, sizeof(out));
	CHECK_INT(out.open_flags, 0);
}

TEST(an_open_file_outlives_its_name)
{
	struct fuse_setattr_in in = { .valid = FATTR_SIZE | FATTR_FH,
				      .size = 2 };
	struct fuse_attr_out out;
	uint64_t node;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "gone"));
	node = look(t, FUSE_ROOT_ID, "file");
	in.fh = open_node(t, node, O_RDWR);
	CHECK_INT(ASK_NAME(t, FUSE_UNLINK, FUSE_ROOT_ID, "file"), 0);
	CHECK_INT(read_at(t, in.fh, 0, 10), 0);
	CHECK_INT(t->reply_len, 4);
	CHECK_INT(ASK(t, FUSE_SETATTR, node, in), 0);
	memcpy(&out, t->reply, sizeof(out));
	CHECK_INT(out.attr.nlink, 0);
	CHECK_INT(out.attr.size, 2);
}

/* By which the server has this file open, not only found; -1: none. */
static int served_fd(const struct fuse_test *t, const char *name)
{
	char path[PATH_MAX], link[64], there[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", t->dir.path, name);
	for (int fd = 3; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFL);
		ssize_t n;

		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, there, sizeof(there) - 1);
		if (n < 0 || flags < 0 || flags & O_PATH)
			continue;
		there[n] = '\0';
		if (strcmp(there, path) == 0)
			return fd;
	}
	return -1;
}

/* /dev/null cannot be synced: what does not reach the host goes well there. */
TEST(a_sync_reaches_the_host_and_says_when_it_fails)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fuse_fsync_in in = { 0 };
	uint64_t node;
	int fd;

	FUSE_BEGIN(t, false);
	REQUIRE(scratch_write(&t->dir, "file", "x"));
	node = look(t, FUSE_ROOT_ID, "file");
	in.fh = open_node(t, node, O_RDWR);
	CHECK_INT(ASK(t, FUSE_FSYNC, node, in), 0);
	fd = served_fd(t, "file");
	REQUIRE(null >= 0 && fd >= 0 && dup3(null, fd, O_CLOEXEC) == fd);
	CHECK_INT(ASK(t, FUSE_FSYNC, node, in), -EINVAL);
	in.fsync_flags = FUSE_FSYNC_FDATASYNC;
	CHECK_INT(ASK(t, FUSE_FSYNC, node, in), -EINVAL);
}

static const struct tap_test tests[] = {
	TAP(a_file_is_created_written_and_read),
	TAP(a_file_without_a_name_is_made_and_can_be_given_one),
	TAP(a_read_never_gives_more_than_there_is_room_for),
	TAP(holes_are_found_and_ranges_copied),
	TAP(what_the_guest_has_cached_is_kept_while_the_file_is_the_same),
	TAP(an_open_file_outlives_its_name),
	TAP(a_sync_reaches_the_host_and_says_when_it_fails),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

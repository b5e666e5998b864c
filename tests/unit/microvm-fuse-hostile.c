/* SPDX-License-Identifier: Apache-2.0 */

/* The FUSE server and a guest that wants out. */
#include <sys/sysmacros.h>

#include "tests/unit/microvm-fuse-guest.h"

/* A folder beside the shared one, and a link to it inside. */
static bool plant(const struct fuse_test *t)
{
	return CHECK(mkdirat(t->dir.fd, "sub", 0755) == 0) &&
	       CHECK(symlinkat("/", t->dir.fd, "out") == 0) &&
	       CHECK(mkfifoat(t->dir.fd, "fifo", 0600) == 0) &&
	       scratch_write(&t->dir, "file", "text");
}

TEST(no_name_leads_out_of_the_folder)
{
	static const struct {
		const char *text;
		size_t len;
		int want;
	} names[] = {
		{ "..", 3, -EINVAL },
		{ ".", 2, -EINVAL },
		{ "", 1, -EINVAL },
		{ "/", 2, -EINVAL },
		{ "/etc", 5, -EINVAL },
		{ "../x", 5, -EINVAL },
		{ "sub/..", 7, -EINVAL },
		{ "sub/../..", 10, -EINVAL },
		{ "out/etc", 8, -EINVAL },
		{ "file", 4, -EINVAL }, /* without its end */
		{ NULL, 0, -EINVAL },
	};
	static const uint32_t opcodes[][2] = {
		{ FUSE_LOOKUP, 0 },
		{ FUSE_UNLINK, 0 },
		{ FUSE_RMDIR, 0 },
		{ FUSE_MKDIR, sizeof(struct fuse_mkdir_in) },
		{ FUSE_MKNOD, sizeof(struct fuse_mknod_in) },
		{ FUSE_CREATE, sizeof(struct fuse_create_in) },
		{ FUSE_LINK, sizeof(struct fuse_link_in) },
		{ FUSE_SYMLINK, 0 },
		{ FUSE_RENAME, sizeof(struct fuse_rename_in) },
	};
	char arg[64] = { 0 };
	uint64_t sub;

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	sub = look(t, FUSE_ROOT_ID, "sub");
	for (size_t o = 0; o < ARRAY_SIZE(opcodes); o++)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (!CHECK_INT(ask(t, opcodes[o][0], sub,
					   TEXT(arg, opcodes[o][1]),
					   TEXT(names[i].text, names[i].len)),
				       names[i].want))
				tap_note("opcode %u, name %zu", opcodes[o][0],
					 i);
}

TEST(the_second_name_of_a_move_leads_nowhere_else_either)
{
	struct fuse_rename_in in = { .newdir = FUSE_ROOT_ID };

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME, FUSE_ROOT_ID, in, "file\0../x"),
		  -EINVAL);
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME, FUSE_ROOT_ID, in, "file\0.."),
		  -EINVAL);
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME, FUSE_ROOT_ID, in, "file\0"),
		  -EINVAL);
	in.newdir = 99;
	CHECK_INT(ASK_BOTH(t, FUSE_RENAME, FUSE_ROOT_ID, in, "file\0x"),
		  -ESTALE);
	CHECK(scratch_holds(&t->dir, "file", "text"));
}

TEST(links_are_not_followed_whatever_is_asked_of_them)
{
	struct fuse_setattr_in size = { .valid = FATTR_SIZE };
	struct fuse_create_in create = { O_RDWR | O_TRUNC, 0, 0, 0 };
	uint64_t out;

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	REQUIRE(symlinkat("file", t->dir.fd, "to-file") == 0);
	out = look(t, FUSE_ROOT_ID, "out");
	CHECK_INT(ASK_NAME(t, FUSE_LOOKUP, out, "etc"), -ENOTDIR);
	out = look(t, FUSE_ROOT_ID, "to-file");
	CHECK_INT(ASK(t, FUSE_SETATTR, out, size), -ENXIO);
	CHECK_INT(ASK_BOTH(t, FUSE_CREATE, FUSE_ROOT_ID, create, "to-file"),
		  -ENXIO);
	CHECK(scratch_holds(&t->dir, "file", "text"));
}

TEST(devices_and_pipes_of_the_host_are_never_opened)
{
	struct fuse_open_in in = { O_RDWR, 0 };
	struct fuse_create_in create = { O_RDONLY, 0, 0, 0 };
	struct fuse_setattr_in size = { .valid = FATTR_SIZE };
	uint64_t fifo;

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	fifo = look(t, FUSE_ROOT_ID, "fifo");
	CHECK_INT(ASK(t, FUSE_OPEN, fifo, in), -ENXIO);
	CHECK_INT(ASK(t, FUSE_OPENDIR, fifo, in), -ENOTDIR);
	CHECK_INT(ASK(t, FUSE_SETATTR, fifo, size), -ENXIO);
	CHECK_INT(ASK_BOTH(t, FUSE_CREATE, FUSE_ROOT_ID, create, "fifo"),
		  -ENXIO);
	if (geteuid() == 0 &&
	    mknodat(t->dir.fd, "null", S_IFCHR | 0666, makedev(1, 3)) == 0)
		CHECK_INT(ASK(t, FUSE_OPEN, look(t, FUSE_ROOT_ID, "null"), in),
			  -ENXIO);
	in = (struct fuse_open_in){ O_RDONLY, 0 };
	CHECK_INT(ASK(t, FUSE_OPEN, FUSE_ROOT_ID, in), -EISDIR);
}

TEST(numbers_that_nobody_was_given_are_refused)
{
	static const uint64_t ids[] = { 0,   2,	       3,	   255,
					256, 1U << 20, UINT32_MAX, UINT64_MAX };
	struct fuse_getattr_in getattr = { 0 };
	struct fuse_release_in release = { 0 };
	struct fuse_read_in read = { .size = 10 };
	struct fuse_link_in link;

	FUSE_BEGIN(t, false);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		CHECK_INT(ASK(t, FUSE_GETATTR, ids[i], getattr), -ESTALE);
		link.oldnodeid = ids[i];
		CHECK_INT(ASK_BOTH(t, FUSE_LINK, FUSE_ROOT_ID, link, "x"),
			  -ESTALE);
		read.fh = ids[i];
		CHECK_INT(ASK(t, FUSE_READ, 0, read), -EBADF);
		CHECK_INT(ASK(t, FUSE_READDIR, FUSE_ROOT_ID, read), -EBADF);
		release.fh = ids[i];
		CHECK_INT(ASK(t, FUSE_RELEASE, 0, release), -EBADF);
		forget(t, ids[i], UINT64_MAX);
	}
	forget(t, FUSE_ROOT_ID, UINT64_MAX);
	CHECK_INT(ASK(t, FUSE_GETATTR, FUSE_ROOT_ID, getattr), 0);
}

TEST(a_folder_is_no_file_and_a_file_no_folder)
{
	struct fuse_open_in open = { O_RDONLY, 0 };
	struct fuse_read_in in = { .size = 100 };
	struct fuse_open_out out;

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	in.fh = open_node(t, look(t, FUSE_ROOT_ID, "file"), O_RDONLY);
	CHECK_INT(ASK(t, FUSE_READDIR, FUSE_ROOT_ID, in), -EBADF);
	CHECK_INT(ASK(t, FUSE_OPENDIR, FUSE_ROOT_ID, open), 0);
	memcpy(&out, t->reply, sizeof(out));
	in.fh = out.fh;
	CHECK_INT(ASK(t, FUSE_READ, 0, in), -EBADF);
}

TEST(lengths_that_lie_are_refused)
{
	static const struct {
		const char *what;
		uint32_t opcode;
		size_t sent;   /* with the header */
		uint32_t said; /* in the header */
		int want;
	} rows[] = {
		{ "no header", FUSE_INIT, 0, 40, -EPROTO },
		{ "half a header", FUSE_INIT, 39, 40, -EPROTO },
		{ "shorter than a header", FUSE_INIT, 60, 39, -EPROTO },
		{ "longer than sent", FUSE_INIT, 60, 61, -EPROTO },
		{ "much longer", FUSE_INIT, 60, UINT32_MAX, -EPROTO },
		{ "no argument", FUSE_GETATTR, 40, 40, -EINVAL },
		{ "half an argument", FUSE_SETATTR, 60, 60, -EINVAL },
		{ "no name", FUSE_LOOKUP, 40, 40, -EINVAL },
		{ "too much", FUSE_LOOKUP, 200000, 200000, -E2BIG },
		{ "no data", FUSE_WRITE, 79, 79, -EINVAL },
	};

	FUSE_BEGIN(t, false);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fuse_in_header h = {
			.len = rows[i].said,
			.opcode = rows[i].opcode,
			.unique = 77,
			.nodeid = FUSE_ROOT_ID,
		};

		memset(t->request, 'x', 200000);
		memcpy(t->request, &h, sizeof(h));
		if (!CHECK_INT(send_raw(t, rows[i].sent), rows[i].want))
			tap_note("%s", rows[i].what);
	}
}

TEST(a_write_takes_no_more_than_was_sent)
{
	struct fuse_write_in in = { .size = 100 };

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	in.fh = open_node(t, look(t, FUSE_ROOT_ID, "file"), O_RDWR);
	CHECK_INT(ask(t, FUSE_WRITE, 0, BYTES(in), TEXT("abc", 3)), -EINVAL);
	in.size = UINT32_MAX;
	CHECK_INT(ask(t, FUSE_WRITE, 0, BYTES(in), TEXT("abc", 3)), -EINVAL);
	in.size = 3;
	in.offset = UINT64_MAX;
	CHECK_INT(ask(t, FUSE_WRITE, 0, BYTES(in), TEXT("abc", 3)), -EINVAL);
	in.offset = INT64_MAX;
	CHECK(ask(t, FUSE_WRITE, 0, BYTES(in), TEXT("abc", 3)) < 0);
	CHECK(scratch_holds(&t->dir, "file", "text"));
}

TEST(an_answer_without_room_is_none)
{
	struct fuse_getattr_in in = { 0 };

	FUSE_BEGIN(t, false);
	t->room = sizeof(struct fuse_out_header) - 1;
	CHECK_INT(ASK(t, FUSE_GETATTR, FUSE_ROOT_ID, in), -EPROTO);
	t->room = 0;
	CHECK_INT(ASK(t, FUSE_GETATTR, FUSE_ROOT_ID, in), -EPROTO);
	t->room = sizeof(struct fuse_out_header) + 8;
	CHECK_INT(ASK(t, FUSE_GETATTR, FUSE_ROOT_ID, in), -EINVAL);
	t->room = 0;
	forget(t, FUSE_ROOT_ID, 1);
}

TEST(an_attributes_value_is_as_long_as_was_sent)
{
	uint32_t set[2] = { 6, 0 };

	FUSE_BEGIN(t, false);
	CHECK_INT(ASK_BOTH(t, FUSE_SETXATTR, FUSE_ROOT_ID, set, "user.a\0val"),
		  -EINVAL);
	set[0] = UINT32_MAX;
	CHECK_INT(ASK_BOTH(t, FUSE_SETXATTR, FUSE_ROOT_ID, set, "user.a\0val"),
		  -EINVAL);
}

TEST(a_batch_of_forgets_ends_where_its_request_does)
{
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one one[2];
	} in = { .head.count = UINT32_MAX };
	struct fuse_getattr_in getattr = { 0 };

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	in.one[0].nodeid = look(t, FUSE_ROOT_ID, "file");
	in.one[0].nlookup = UINT64_MAX;
	in.one[1].nodeid = UINT64_MAX;
	CHECK_INT(ASK(t, FUSE_BATCH_FORGET, 0, in), 0);
	CHECK_INT(ASK(t, FUSE_GETATTR, in.one[0].nodeid, getattr), -ESTALE);
}

TEST(a_user_that_cannot_be_is_refused)
{
	struct fuse_mkdir_in in = { .mode = 0755 };

	FUSE_BEGIN(t, false);
	t->uid = UINT32_MAX;
	CHECK_INT(ASK_BOTH(t, FUSE_MKDIR, FUSE_ROOT_ID, in, "dir"), -EPERM);
	CHECK(!scratch_has(&t->dir, "dir"));
}

TEST(init_again_ends_what_was_open)
{
	struct fuse_read_in in = { .size = 10 };
	uint64_t node;

	FUSE_BEGIN(t, false);
	REQUIRE(plant(t));
	node = look(t, FUSE_ROOT_ID, "file");
	in.fh = open_node(t, node, O_RDONLY);
	CHECK_INT(say_hello(t), 0);
	CHECK_INT(ASK(t, FUSE_READ, 0, in), -EBADF);
	CHECK_INT(open_node(t, node, O_RDONLY), 0);
}

static const struct tap_test tests[] = {
	TAP(no_name_leads_out_of_the_folder),
	TAP(the_second_name_of_a_move_leads_nowhere_else_either),
	TAP(links_are_not_followed_whatever_is_asked_of_them),
	TAP(devices_and_pipes_of_the_host_are_never_opened),
	TAP(numbers_that_nobody_was_given_are_refused),
	TAP(a_folder_is_no_file_and_a_file_no_folder),
	TAP(lengths_that_lie_are_refused),
	TAP(a_write_takes_no_more_than_was_sent),
	TAP(an_answer_without_room_is_none),
	TAP(an_attributes_value_is_as_long_as_was_sent),
	TAP(a_batch_of_forgets_ends_where_its_request_does),
	TAP(a_user_that_cannot_be_is_refused),
	TAP(init_again_ends_what_was_open),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

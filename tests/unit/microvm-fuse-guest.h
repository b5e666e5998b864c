/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A FUSE server on a scratch folder, and requests as a guest's kernel makes
 * them, without a device between.
 *
 *	FUSE_BEGIN(t, false);			a server that is ready
 *	ASK_BOTH(t, FUSE_MKDIR, FUSE_ROOT_ID, in, "name")
 *	t->reply, t->reply_len			what came back
 */
#include <linux/fuse.h>

#include "base/cleanup.h"
#include "microvm/fuse.h"
#include "microvm/virtq.h"
#include "tests/unit/scratch.h"

#define REPLY_ROOM (2U << 20)

struct bytes {
	const void *p;
	size_t len;
};

#define NOTHING	   ((struct bytes){ NULL, 0 })
#define BYTES(v)   ((struct bytes){ &(v), sizeof(v) })
#define TEXT(p, n) ((struct bytes){ p, n })

struct fuse_test {
	struct scratch dir;
	struct fuse *f;
	int fds; /* open before */
	char request[2U << 20];
	_Alignas(8) char out[REPLY_ROOM];
	const void *reply;
	size_t reply_len;
	size_t room; /* offered for replies, with their header */
	uint32_t uid, gid;
};

/* Sends len bytes of t->request. The error of the answer, or what the server
 * said about the request. */
static inline int send_raw(struct fuse_test *t, size_t len)
{
	struct virtq_chain c = { .n_in = 1, .n_out = t->room ? 1 : 0 };
	struct fuse_out_header h;
	int r;

	c.seg[0] = (struct iovec){ t->request, len };
	c.seg[1] = (struct iovec){ t->out, t->room };
	c.in = c.seg;
	c.out = c.seg + 1;
	memset(t->out, 0x5a, sizeof(h));
	t->reply_len = 0;
	r = fuse_serve(t->f, &c);
	if (r <= 0)
		return r;
	memcpy(&h, t->out, sizeof(h));
	CHECK_INT(h.len, r);
	CHECK_INT(h.unique, 77);
	CHECK(h.len >= sizeof(h) && h.len <= t->room);
	t->reply_len = h.len - sizeof(h);
	t->reply = t->out + sizeof(h);
	return h.error;
}

/* A struct, then bytes: names with their NUL, data. */
static inline int ask(struct fuse_test *t, uint32_t opcode, uint64_t node,
		      struct bytes arg, struct bytes more)
{
	struct fuse_in_header h = {
		.len = (uint32_t)(sizeof(h) + arg.len + more.len),
		.opcode = opcode,
		.unique = 77,
		.nodeid = node,
		.uid = t->uid,
		.gid = t->gid,
	};

	memcpy(t->request, &h, sizeof(h));
	if (arg.len)
		memcpy(t->request + sizeof(h), arg.p, arg.len);
	if (more.len)
		memcpy(t->request + sizeof(h) + arg.len, more.p, more.len);
	return send_raw(t, h.len);
}

#define ASK(t, op, node, in)	     ask(t, op, node, BYTES(in), NOTHING)
#define ASK_NAME(t, op, node, s)     ask(t, op, node, NOTHING, BYTES(s))
#define ASK_BOTH(t, op, node, in, s) ask(t, op, node, BYTES(in), BYTES(s))

static inline int say_hello(struct fuse_test *t)
{
	struct fuse_init_in in = { .major = 7,
				   .minor = 38,
				   .max_readahead = 1U << 20,
				   .flags = 0xffffffff };

	return ASK(t, FUSE_INIT, 0, in);
}

static inline bool fuse_begin(struct fuse_test *t, bool readonly)
{
	struct err e = { 0 };

	t->dir = (struct scratch)SCRATCH_INIT;
	t->fds = open_fds();
	t->room = REPLY_ROOM;
	t->uid = geteuid();
	t->gid = getegid();
	return CHECK(scratch_init(&t->dir)) &&
	       CHECK_OK(fuse_new(t->dir.fd, readonly, &t->f, &e), &e) &&
	       CHECK_INT(say_hello(t), 0);
}

static inline void fuse_end(struct fuse_test **at)
{
	struct fuse_test *t = *at;

	if (!t)
		return;
	fuse_free(t->f);
	scratch_done(&t->dir);
	CHECK_INT(open_fds(), t->fds);
	free(t);
}

#define FUSE_BEGIN(t, readonly)                                                \
	_cleanup_(fuse_end) struct fuse_test *t = calloc(1, sizeof(*(t)));     \
	REQUIRE((t) && fuse_begin(t, readonly))

/* The number of a name in a folder, looked up; 0: an error. */
static inline uint64_t look(struct fuse_test *t, uint64_t dir, const char *name)
{
	struct fuse_entry_out out;

	if (ask(t, FUSE_LOOKUP, dir, NOTHING, TEXT(name, strlen(name) + 1)) <
		    0 ||
	    !CHECK_INT(t->reply_len, sizeof(out)))
		return 0;
	memcpy(&out, t->reply, sizeof(out));
	return out.nodeid;
}

static inline uint64_t open_node(struct fuse_test *t, uint64_t node,
				 uint32_t flags)
{
	struct fuse_open_in in = { flags, 0 };
	struct fuse_open_out out;

	if (ASK(t, FUSE_OPEN, node, in) < 0 ||
	    !CHECK_INT(t->reply_len, sizeof(out)))
		return 0;
	memcpy(&out, t->reply, sizeof(out));
	return out.fh;
}

static inline void forget(struct fuse_test *t, uint64_t node, uint64_t n)
{
	struct fuse_forget_in in = { .nlookup = n };

	CHECK_INT(ASK(t, FUSE_FORGET, node, in), 0);
}

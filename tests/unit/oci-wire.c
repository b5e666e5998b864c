/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "src/oci/wire.h"
#include "src/oci/wire_body.h"
#include "tests/unit/tap.h"

DEFINE_CLEANUP(struct wire *, wire_free);
#define autowire _cleanup_(auto_wire_free)

/* A wire of this side and the bare other end of its stream. */
static int half(enum wire_side side, struct wire **ret, int *ret_fd)
{
	struct err e = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ret_fd = pair[1];
	return wire_new(pair[0], side, ret, &e);
}

static int both(struct wire **host, struct wire **guest)
{
	struct err e = { 0 };
	int fd, r = half(WIRE_HOST, host, &fd);

	return r < 0 ? r : wire_new(fd, WIRE_GUEST, guest, &e);
}

TEST(a_frame_arrives_as_it_was_sent)
{
	autowire struct wire *host = NULL, *guest = NULL;
	struct wire_signal out = { .signal = 15, .all = true }, in = { 0 };
	struct wire_frame f;
	struct err e = { 0 };

	REQUIRE_OK(both(&host, &guest), &e);
	REQUIRE_OK(wire_send_json(host, WIRE_SIGNAL, 258, &wire_signal_table,
				  &out, &e),
		   &e);
	CHECK_INT(wire_flush(host, &e), 0);
	REQUIRE_OK(wire_read(guest, &e), &e);
	REQUIRE(wire_next(guest, &f, &e) == 1);
	CHECK_INT(f.type, WIRE_SIGNAL);
	CHECK_INT(f.session, 258);
	REQUIRE_OK(wire_parse(&f, &wire_signal_table, &in, &e), &e);
	CHECK_INT(in.signal, 15);
	CHECK(in.all);
	CHECK_INT(wire_next(guest, &f, &e), 0);
}

TEST(the_header_is_as_drawn)
{
	static const uint8_t want[] = { 3,	   0,		0,    0,
					WIRE_DATA, WIRE_STDERR, 0x02, 1,
					'a',	   'b',		'c' };
	autowire struct wire *guest = NULL;
	autoclose int fd = -1;
	struct err e = { 0 };
	uint8_t got[32];
	char *room;

	REQUIRE_OK(half(WIRE_GUEST, &guest, &fd), &e);
	room = wire_reserve(guest);
	REQUIRE(room);
	memcpy(room, "abc", 3);
	REQUIRE_OK(wire_commit(guest, 258, WIRE_STDERR, 3, &e), &e);
	CHECK_INT(wire_flush(guest, &e), 0);
	CHECK_INT(read(fd, got, sizeof(got)), sizeof(want));
	CHECK(memcmp(got, want, sizeof(want)) == 0);
}

TEST(frames_may_come_byte_by_byte)
{
	static const char bytes[] = "\2\0\0\0\x0d\1\1\0hi\0\0\0\0\x0f\1\1";
	autowire struct wire *host = NULL;
	autoclose int fd = -1;
	struct wire_frame f = { 0 };
	struct err e = { 0 };
	int frames = 0;

	REQUIRE(WIRE_DATA == 0x0d && WIRE_END == 0x0f);
	REQUIRE_OK(half(WIRE_HOST, &host, &fd), &e);
	/* The last byte, of END's session, is the literal's own NUL. */
	for (size_t i = 0; i < sizeof(bytes); i++) {
		int r;

		REQUIRE(write(fd, bytes + i, 1) == 1);
		REQUIRE_OK(wire_read(host, &e), &e);
		r = wire_next(host, &f, &e);
		REQUIRE_OK(r, &e);
		frames += r;
		if (i == 9 && CHECK_INT(r, 1))
			CHECK(f.len == 2 && memcmp(f.body, "hi", 2) == 0);
	}
	CHECK_INT(frames, 2);
	CHECK_INT(f.type, WIRE_END);
}

TEST(a_large_plan_passes)
{
	autowire struct wire *host = NULL, *guest = NULL;
	const size_t len = 5U << 20;
	autofree char *plan = malloc(len);
	struct wire_frame f = { 0 };
	struct err e = { 0 };
	ssize_t left;
	int r = 0;

	REQUIRE(plan);
	memset(plan, 'p', len);
	REQUIRE_OK(both(&host, &guest), &e);
	REQUIRE_OK(wire_send(host, WIRE_CREATE, 1, plan, len, &e), &e);
	do {
		left = wire_flush(host, &e);
		REQUIRE_OK(left, &e);
		REQUIRE_OK(wire_read(guest, &e), &e);
		r = wire_next(guest, &f, &e);
		REQUIRE_OK(r, &e);
	} while (r == 0);
	CHECK_INT(left, 0);
	CHECK_INT(f.len, len);
	CHECK(memcmp(f.body, plan, len) == 0);
}

TEST(nothing_to_read_is_no_error_and_the_end_is_one)
{
	autowire struct wire *host = NULL;
	struct err e = { 0 };
	int fd;

	REQUIRE_OK(half(WIRE_HOST, &host, &fd), &e);
	CHECK_INT(wire_read(host, &e), -EAGAIN);
	(void)close(fd);
	CHECK_INT(wire_read(host, &e), -ENOTCONN);
}

/* What a guest may send that the host must not take. */
static const struct {
	const char *name;
	uint32_t length;
	uint8_t type, stream;
} hostile[] = {
	{ "a type that does not exist", 0, WIRE_TYPE_N_, 0 },
	{ "type 255", 0, 255, 0 },
	{ "a request of the host's", 0, WIRE_START, 0 },
	{ "a poweroff", 0, WIRE_POWEROFF, 0 },
	{ "a plan", 10, WIRE_CREATE, 0 },
	{ "a hello of 1 GiB", 1U << 30, WIRE_HELLO, 0 },
	{ "a hello of 4 GiB", UINT32_MAX, WIRE_HELLO, 0 },
	{ "an empty hello", 0, WIRE_HELLO, 0 },
	{ "a done with a body", 1, WIRE_DONE, 0 },
	{ "a done for a stream", 0, WIRE_DONE, 1 },
	{ "data for stream 3", 1, WIRE_DATA, WIRE_STREAM_N_ },
	{ "data for stream 255", 1, WIRE_DATA, 255 },
	{ "no data", 0, WIRE_DATA, 1 },
	{ "too much data", WIRE_DATA_MAX + 1, WIRE_DATA, 1 },
	{ "half a credit", 2, WIRE_CREDIT, 0 },
	{ "a long credit", 8, WIRE_CREDIT, 0 },
};

TEST(hostile_headers_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		autowire struct wire *host = NULL;
		autoclose int fd = -1;
		uint32_t n = hostile[i].length;
		uint8_t bytes[WIRE_HEADER] = {
			(uint8_t)n,	    (uint8_t)(n >> 8),
			(uint8_t)(n >> 16), (uint8_t)(n >> 24),
			hostile[i].type,    hostile[i].stream,
		};
		struct wire_frame f;
		struct err e = { 0 };

		REQUIRE_OK(half(WIRE_HOST, &host, &fd), &e);
		REQUIRE(write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
		REQUIRE_OK(wire_read(host, &e), &e);
		if (!CHECK_INT(wire_next(host, &f, &e), -EPROTO))
			tap_note("with %s", hostile[i].name);
		/* It stays so, and no room is made for what it announces. */
		CHECK_INT(wire_read(host, &e), -EPROTO);
	}
}

TEST(a_body_that_does_not_parse_is_the_other_sides_fault)
{
	static const char *const bodies[] = {
		"",
		"{",
		"[]",
		"{\"status\":\"0\"}",
		"{\"status\":4294967296}",
		"{\"status\":1}{}",
		"{\"oom\":true}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct wire_exited x = { 0 };
		struct wire_frame f = {
			.type = WIRE_EXITED,
			.body = bodies[i],
			.len = strlen(bodies[i]),
		};
		struct err e = { 0 };

		if (!CHECK_INT(wire_parse(&f, &wire_exited_table, &x, &e),
			       -EPROTO))
			tap_note("in %s", bodies[i]);
	}
}

TEST(a_frame_over_its_bound_is_not_sent)
{
	autowire struct wire *host = NULL;
	autoclose int fd = -1;
	static char body[300];
	struct err e = { 0 };

	REQUIRE_OK(half(WIRE_HOST, &host, &fd), &e);
	CHECK_INT(wire_send(host, WIRE_SIGNAL, 1, body, sizeof(body), &e),
		  -E2BIG);
	CHECK_HAS(e.text, "'signal'");
}

TEST(who_does_not_read_is_given_up)
{
	autowire struct wire *host = NULL;
	const size_t len = 8U << 20;
	autofree char *plan = calloc(1, len);
	autoclose int fd = -1;
	struct err e = { 0 };
	int r = 0;

	REQUIRE(plan);
	REQUIRE_OK(half(WIRE_HOST, &host, &fd), &e);
	for (int i = 0; i < 8 && r == 0; i++)
		r = wire_send(host, WIRE_CREATE, 1, plan, len, &e);
	CHECK_INT(r, -ENOBUFS);
	CHECK(wire_full(host));
}

static const struct tap_test tests[] = {
	TAP(a_frame_arrives_as_it_was_sent),
	TAP(the_header_is_as_drawn),
	TAP(frames_may_come_byte_by_byte),
	TAP(a_large_plan_passes),
	TAP(nothing_to_read_is_no_error_and_the_end_is_one),
	TAP(hostile_headers_are_refused),
	TAP(a_body_that_does_not_parse_is_the_other_sides_fault),
	TAP(a_frame_over_its_bound_is_not_sent),
	TAP(who_does_not_read_is_given_up),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/loop.h"
#include "src/oci/wire.h"
#include "src/oci/wire_loop.h"
#include "src/oci/wire_pump.h"
#include "tests/unit/tap.h"

#define SESSION 7

/*
 * Two wires, one stream from the guest's source to the host's sink, in one
 * loop:	in -> source -> wire ===== wire -> sink -> out
 */
struct bench {
	struct loop *loop;
	struct wire *wire[2]; /* by side */
	struct wire_link *link[2];
	struct wire_pump *pump[2];
	int over; /* pumps that are */
};

static void bench_done(struct bench *b)
{
	for (int i = 0; i < 2; i++) {
		wire_pump_free(b->pump[i]);
		wire_detach(b->link[i]);
		wire_free(b->wire[i]);
	}
	loop_free(b->loop);
}
#define autobench _cleanup_(bench_done)

static void on_over(void *arg, struct wire_pump *p)
{
	struct bench *b = arg;

	b->over++;
	if (b->over == 2)
		loop_quit(b->loop, 0);
}

static int on_frame(void *arg, const struct wire_frame *f, struct err *e)
{
	return wire_pump_frame(arg, f, e);
}

static int on_drained(void *arg, struct err *e)
{
	return wire_pump_resume(arg, e);
}

static int on_closed(void *arg, int why, struct err *e)
{
	return why;
}

static const struct wire_handler handler = { on_frame, on_drained, on_closed };

static int bench_add(struct bench *b, int side, int wire_end, int fd,
		     struct err *e)
{
	struct wire_pump_config c = {
		.loop = b->loop,
		.session = SESSION,
		.stream = WIRE_STDOUT,
		.over = on_over,
		.arg = b,
	};
	int r = wire_new(wire_end, side, &b->wire[side], e);

	c.wire = b->wire[side];
	if (r == 0 && side == WIRE_HOST)
		r = wire_pump_sink_new(&c, fd, &b->pump[side], e);
	else if (r == 0)
		r = wire_pump_source_new(&c, fd, &b->pump[side], e);
	if (r == 0)
		r = wire_attach(b->wire[side], b->loop, &handler, b->pump[side],
				&b->link[side], e);
	return r;
}

static int bench_init(struct bench *b, int in, int out, struct err *e)
{
	int pair[2], r;

	r = loop_new(&b->loop, e);
	if (r < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -EIO;
	r = bench_add(b, WIRE_HOST, pair[0], out, e);
	return r < 0 ? r : bench_add(b, WIRE_GUEST, pair[1], in, e);
}

/* len: whole pages */
static int make_file(size_t len)
{
	uint32_t block[1024];
	int fd = memfd_create("in", MFD_CLOEXEC);

	for (size_t at = 0; at < len; at += sizeof(block)) {
		for (size_t i = 0; i < ARRAY_SIZE(block); i++)
			block[i] = (uint32_t)((at + i * 4) * 2654435761U);
		if (write(fd, block, sizeof(block)) != sizeof(block))
			return -1;
	}
	(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

static bool same_files(int a, int b, size_t len)
{
	void *x = mmap(NULL, len, PROT_READ, MAP_SHARED, a, 0);
	void *y = mmap(NULL, len, PROT_READ, MAP_SHARED, b, 0);

	return x != MAP_FAILED && y != MAP_FAILED && memcmp(x, y, len) == 0;
}

TEST(a_file_passes_byte_exact)
{
	autobench struct bench b = { 0 };
	const size_t len = 3U << 20;
	int in = make_file(len), out = memfd_create("out", MFD_CLOEXEC);
	int in2 = fcntl(in, F_DUPFD_CLOEXEC, 3);
	int out2 = fcntl(out, F_DUPFD_CLOEXEC, 3);
	struct err e = { 0 };

	REQUIRE_OK(bench_init(&b, in, out, &e), &e);
	REQUIRE_OK(wire_pump_resume(b.pump[WIRE_GUEST], &e), &e);
	REQUIRE_OK(loop_run(b.loop, &e), &e);
	CHECK_INT(lseek(out2, 0, SEEK_END), len);
	CHECK(same_files(in2, out2, len));
	(void)close(in2);
	(void)close(out2);
}

/* Reads in steps, to the end. */
static void read_in_steps(int fd, size_t step, const char *want, size_t len)
{
	char *got = malloc(len + 1);

	for (size_t at = 0; at < len; at += step)
		CHECK_INT(fd_read_exact(fd, got + at, MIN_OF(step, len - at)),
			  0);
	CHECK(memcmp(got, want, len) == 0);
	CHECK_INT(read(fd, got, 1), 0);
}

/* A child writes into one pipe, another reads from the other. */
static void through_pipes(int size, size_t step)
{
	autobench struct bench b = { 0 };
	const size_t len = 3U << 20;
	autoclose int data = make_file(len);
	int in[2], out[2];
	struct err e = { 0 };
	void *want;
	pid_t writer, reader;
	int status;

	want = mmap(NULL, len, PROT_READ, MAP_SHARED, data, 0);
	REQUIRE(want != MAP_FAILED);
	REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	REQUIRE(fcntl(out[1], F_SETPIPE_SZ, size) >= size);
	writer = fork();
	if (writer == 0)
		_exit(fd_write_all(in[1], want, len) < 0);
	reader = fork();
	if (reader == 0) {
		(void)close(in[1]);
		(void)close(out[1]);
		read_in_steps(out[0], step, want, len);
		_exit(tap_child_status());
	}
	(void)close(in[1]);
	(void)close(out[0]);
	REQUIRE_OK(bench_init(&b, in[0], out[1], &e), &e);
	REQUIRE_OK(wire_pump_resume(b.pump[WIRE_GUEST], &e), &e);
	REQUIRE_OK(loop_run(b.loop, &e), &e);
	CHECK_INT(waitpid(writer, &status, 0), writer);
	CHECK_INT(status, 0);
	CHECK_INT(waitpid(reader, &status, 0), reader);
	CHECK_INT(status, 0);
}

TEST(pipes_pass_byte_exact)
{
	through_pipes(65536, 65536);
}

/* What is held goes over the ring's end in the middle of a frame: a page at a
 * time leaves, and a frame is no whole number of times in what is left. */
TEST(a_pipe_of_one_page_passes_byte_exact)
{
	through_pipes(4096, 1000);
}

TEST(what_is_always_ready_is_read_as_well)
{
	autobench struct bench b = { 0 };
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct err e = { 0 };

	REQUIRE_OK(bench_init(&b, in, out, &e), &e);
	REQUIRE_OK(wire_pump_resume(b.pump[WIRE_GUEST], &e), &e);
	REQUIRE_OK(loop_run(b.loop, &e), &e);
	CHECK_INT(b.over, 2);
}

/* The one that reads goes away: the one that writes gets to know. */
TEST(a_closed_sink_closes_its_source)
{
	autobench struct bench b = { 0 };
	autoclose int writer = -1;
	int in[2], out[2];
	struct err e = { 0 };

	REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	writer = in[1];
	(void)close(out[0]);
	REQUIRE_OK(bench_init(&b, in[0], out[1], &e), &e);
	REQUIRE(write(writer, "x", 1) == 1);
	REQUIRE_OK(wire_pump_resume(b.pump[WIRE_GUEST], &e), &e);
	REQUIRE_OK(loop_run(b.loop, &e), &e);
	CHECK(write(writer, "y", 1) < 0 && errno == EPIPE);
}

/* Nobody reads at the end, so no more than a window and two pipes is taken. */
static int give_up(void *arg, struct err *e)
{
	loop_quit(arg, 1);
	return 0;
}

TEST(a_sink_that_stands_still_holds_a_window_at_most)
{
	autobench struct bench b = { 0 };
	int out[2];
	int in = open("/dev/zero", O_RDONLY | O_CLOEXEC), in2;
	struct err e = { 0 };
	size_t total = 0;
	char buf[4096];
	ssize_t n;

	REQUIRE(pipe2(out, O_CLOEXEC) == 0);
	in2 = fcntl(out[0], F_DUPFD_CLOEXEC, 3);
	REQUIRE_OK(bench_init(&b, in, out[1], &e), &e);
	REQUIRE_OK(loop_add_timer(b.loop, 50, 0, give_up, b.loop, NULL, &e),
		   &e);
	REQUIRE_OK(wire_pump_resume(b.pump[WIRE_GUEST], &e), &e);
	CHECK_INT(loop_run(b.loop, &e), 1);
	bench_done(&b);
	b = (struct bench){ 0 };
	(void)close(out[0]);
	while ((n = read(in2, buf, sizeof(buf))) > 0)
		total += (size_t)n;
	/* What the sink held itself is gone with it. */
	CHECK(total > 0 && total <= WIRE_WINDOW);
	(void)close(in2);
}

/* Frames that no honest other side sends. */
static const struct {
	const char *name;
	int side;
	struct wire_frame f[2];
} hostile[] = {
	{ "more data than the window",
	  WIRE_HOST,
	  { { .type = WIRE_DATA, .len = WIRE_WINDOW + 1 } } },
	{ "data behind the end",
	  WIRE_HOST,
	  { { .type = WIRE_END }, { .type = WIRE_DATA, .len = 1 } } },
	{ "a second end",
	  WIRE_HOST,
	  { { .type = WIRE_END }, { .type = WIRE_END } } },
	{ "credit to a sink",
	  WIRE_HOST,
	  { { .type = WIRE_CREDIT, .body = "\1\0\0\0", .len = 4 } } },
	{ "closed to a sink", WIRE_HOST, { { .type = WIRE_CLOSED } } },
	{ "credit never spent",
	  WIRE_GUEST,
	  { { .type = WIRE_CREDIT, .body = "\1\0\0\0", .len = 4 } } },
	{ "credit of 4 GiB",
	  WIRE_GUEST,
	  { { .type = WIRE_CREDIT, .body = "\xff\xff\xff\xff", .len = 4 } } },
	{ "data to a source", WIRE_GUEST, { { .type = WIRE_DATA, .len = 1 } } },
	{ "an end to a source", WIRE_GUEST, { { .type = WIRE_END } } },
};

static int send_hostile(size_t i, struct bench *b, struct err *e)
{
	static char bytes[WIRE_WINDOW + 1];
	int r = 0;

	for (int k = 0; k < 2 && r == 0; k++) {
		struct wire_frame f = hostile[i].f[k];

		if (k == 1 && f.type == 0)
			break;
		if (!f.body)
			f.body = bytes;
		r = wire_pump_frame(b->pump[hostile[i].side], &f, e);
	}
	return r;
}

TEST(hostile_frames_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		autobench struct bench b = { 0 };
		int in[2], out = open("/dev/null", O_WRONLY | O_CLOEXEC);
		struct err e = { 0 };

		REQUIRE(pipe2(in, O_CLOEXEC) == 0);
		REQUIRE_OK(bench_init(&b, in[0], out, &e), &e);
		if (!CHECK_INT(send_hostile(i, &b, &e), -EPROTO))
			tap_note("with %s", hostile[i].name);
		(void)close(in[1]);
	}
}

/* A guest that sends on without credit while nobody reads here. */
TEST(a_sink_takes_no_more_than_it_allowed)
{
	autobench struct bench b = { 0 };
	static char bytes[WIRE_DATA_MAX];
	struct wire_frame f = {
		.type = WIRE_DATA,
		.body = bytes,
		.len = sizeof(bytes),
	};
	int in[2], out[2], r = 0, taken = 0;
	struct err e = { 0 };

	REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	REQUIRE_OK(bench_init(&b, in[0], out[1], &e), &e);
	while (r == 0 && taken++ < 100)
		r = wire_pump_frame(b.pump[WIRE_HOST], &f, &e);
	CHECK_INT(r, -EPROTO);
	/* The window, and what went into the pipe. */
	CHECK_INT(taken, (WIRE_WINDOW + 65536) / WIRE_DATA_MAX + 1);
	(void)close(in[1]);
	(void)close(out[0]);
}

static const struct tap_test tests[] = {
	TAP(a_file_passes_byte_exact),
	TAP(pipes_pass_byte_exact),
	TAP(a_pipe_of_one_page_passes_byte_exact),
	TAP(what_is_always_ready_is_read_as_well),
	TAP(a_closed_sink_closes_its_source),
	TAP(a_sink_that_stands_still_holds_a_window_at_most),
	TAP(hostile_frames_are_refused),
	TAP(a_sink_takes_no_more_than_it_allowed),
};

int main(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGPIPE, &ignore, NULL);
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/wire_pump.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/path.h"

/* A CREDIT frame goes back when so much has been passed on: often enough that
 * a sender seldom stands still, seldom enough not to count. */
#define CREDIT_STEP (WIRE_WINDOW / 4)

/* How a descriptor is written to without ever blocking the others. */
enum sink_kind {
	SINK_PLAIN,  /* non-blocking, or a file, which does not block */
	SINK_SOCKET, /* MSG_DONTWAIT */
	SINK_SHARED, /* poll() first, then what POLLOUT stands for */
};

struct wire_pump {
	struct wire_pump_config c;
	int fd;
	struct loop_source *source;
	bool watched; /* by the loop */
	bool is_sink, over;

	/* a source */
	size_t credit;

	/* a sink: a ring of what could not be written yet */
	enum sink_kind kind;
	char *ring;
	size_t first, held;
	size_t allowed;	  /* what may still come before we give credit */
	size_t unthanked; /* passed on, not yet given back */
	bool ended;	  /* END has come */
	bool broken;	  /* nobody reads; the rest is thrown away */
};

static int on_event(void *arg, int fd, uint32_t events, struct err *e);

/*
 * In the loop only while there is something to do: a pipe without a writer
 * is reported for as long as it is in there.
 */
static int watch(struct wire_pump *p, bool wanted, struct err *e)
{
	int r;

	if (wanted == p->watched)
		return 0;
	if (!wanted) {
		loop_remove(p->c.loop, steal_ptr(p->source));
		p->watched = false;
		return 0;
	}
	r = loop_add_fd(p->c.loop, p->fd, p->is_sink ? EPOLLOUT : EPOLLIN,
			on_event, p, &p->source, e);
	if (r == 0)
		p->watched = true;
	return r;
}

static void close_fd(struct wire_pump *p, struct err *e)
{
	/* Removing never fails. */
	if (watch(p, false, e) == 0 && p->fd >= 0)
		(void)close(steal_fd(&p->fd));
}

/* The last thing that happens to a pump, which may be gone afterwards. */
static void finish(struct wire_pump *p, struct err *e)
{
	close_fd(p, e);
	p->over = true;
	if (p->c.over)
		p->c.over(p->c.arg, p);
}

static int tell(struct wire_pump *p, enum wire_type type, const void *body,
		size_t len, struct err *e)
{
	return wire_send_stream(p->c.wire, type, p->c.session, p->c.stream,
				body, len, e);
}

/* --- source ------------------------------------------------------------ */

static int end_source(struct wire_pump *p, struct err *e)
{
	int r = tell(p, WIRE_END, NULL, 0, e);

	if (r == 0)
		finish(p, e);
	return r;
}

/* 1 when there may be more, 0 when not now, 2 at the end. */
static int take_chunk(struct wire_pump *p, struct err *e)
{
	char *room = wire_reserve(p->c.wire);
	ssize_t n;
	int r;

	if (!room)
		return err_nomem(e);
	n = read(p->fd, room, MIN_OF(p->credit, (size_t)WIRE_DATA_MAX));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* A terminal without its other side says EIO; and whatever else
	 * happens to the caller's descriptor is the end of its data. */
	if (n <= 0)
		return 2;
	p->credit -= (size_t)n;
	r = wire_commit(p->c.wire, p->c.session, p->c.stream, (size_t)n, e);
	return r < 0 ? r : 1;
}

static int resume_source(struct wire_pump *p, struct err *e)
{
	return watch(p, p->credit > 0 && !wire_full(p->c.wire), e);
}

/* One chunk per turn, so that others get theirs. */
static int run_source(struct wire_pump *p, struct err *e)
{
	int r = take_chunk(p, e);

	if (r < 0)
		return r;
	return r == 2 ? end_source(p, e) : resume_source(p, e);
}

static int source_frame(struct wire_pump *p, const struct wire_frame *f,
			struct err *e)
{
	const uint8_t *b = (const uint8_t *)f->body;
	uint32_t n;

	if (f->type == WIRE_CLOSED)
		return end_source(p, e);
	if (f->type != WIRE_CREDIT)
		return err_set(e, -EPROTO, "'%s' frame to a source",
			       wire_type_name(f->type));
	n = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	    (uint32_t)b[3] << 24;
	if (n > WIRE_WINDOW - p->credit)
		return err_set(e, -EPROTO, "more credit than was spent");
	p->credit += n;
	return resume_source(p, e);
}

/* --- sink -------------------------------------------------------------- */

/* What was passed on, or thrown away, may be sent anew. */
static int thank(struct wire_pump *p, size_t n, struct err *e)
{
	uint32_t all;
	int r;

	p->unthanked += n;
	if (p->unthanked < CREDIT_STEP || p->ended)
		return 0;
	all = (uint32_t)p->unthanked;
	r = tell(p, WIRE_CREDIT,
		 (uint8_t[]){ (uint8_t)all, (uint8_t)(all >> 8),
			      (uint8_t)(all >> 16), (uint8_t)(all >> 24) },
		 4, e);
	p->allowed += p->unthanked;
	p->unthanked = 0;
	return r;
}

/* >= 0: so many bytes are gone. -EAGAIN: later. Anything else: never. */
static ssize_t write_some(struct wire_pump *p, const struct iovec *v, int n)
{
	struct msghdr m = {
		.msg_iov = (struct iovec *)v,
		.msg_iovlen = (size_t)n,
	};
	struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
	ssize_t done;

	switch (p->kind) {
	case SINK_SOCKET:
		done = sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case SINK_SHARED:
		if (poll(&pfd, 1, 0) <= 0)
			return -EAGAIN;
		done = write(p->fd, v[0].iov_base,
			     MIN_OF(v[0].iov_len, (size_t)PIPE_BUF));
		break;
	case SINK_PLAIN:
	default:
		done = writev(p->fd, v, n);
		break;
	}
	if (done >= 0)
		return done;
	return errno == EINTR ? -EAGAIN : -errno;
}

/* The reader has gone: its writer shall know, as if there were no wire. */
static int break_sink(struct wire_pump *p, struct err *e)
{
	p->broken = true;
	p->held = 0;
	close_fd(p, e);
	return p->ended ? 0 : tell(p, WIRE_CLOSED, NULL, 0, e);
}

static int ring_out(struct wire_pump *p, struct err *e)
{
	while (p->held > 0) {
		size_t straight = MIN_OF(p->held, WIRE_WINDOW - p->first);
		struct iovec v[2] = {
			{ p->ring + p->first, straight },
			{ p->ring, p->held - straight },
		};
		ssize_t n = write_some(p, v, 2);
		int r;

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return break_sink(p, e);
		p->first = (p->first + (size_t)n) % WIRE_WINDOW;
		p->held -= (size_t)n;
		r = thank(p, (size_t)n, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ring_in(struct wire_pump *p, const char *data, size_t len,
		   struct err *e)
{
	size_t at = (p->first + p->held) % WIRE_WINDOW;
	size_t straight = MIN_OF(len, WIRE_WINDOW - at);

	if (!p->ring)
		p->ring = malloc(WIRE_WINDOW);
	if (!p->ring)
		return err_nomem(e);
	memcpy(p->ring + at, data, straight);
	memcpy(p->ring, data + straight, len - straight);
	p->held += len;
	return 0;
}

/* Straight to the descriptor when nothing waits before it. */
static int put(struct wire_pump *p, const char *data, size_t len, struct err *e)
{
	struct iovec v = { (char *)data, len };
	ssize_t n = 0;
	int r;

	if (p->held == 0)
		n = write_some(p, &v, 1);
	if (n < 0 && n != -EAGAIN) {
		r = break_sink(p, e);
		return r < 0 ? r : thank(p, len, e);
	}
	n = MAX_OF(n, (ssize_t)0);
	r = thank(p, (size_t)n, e);
	if (r == 0 && (size_t)n < len)
		r = ring_in(p, data + n, len - (size_t)n, e);
	return r;
}

static int sink_data(struct wire_pump *p, const struct wire_frame *f,
		     struct err *e)
{
	if (p->ended)
		return err_set(e, -EPROTO, "data behind the end");
	/* What is held never exceeds the window: it was allowed. */
	if (f->len > p->allowed)
		return err_set(e, -EPROTO, "more data than credit");
	p->allowed -= f->len;
	return p->broken ? thank(p, f->len, e) : put(p, f->body, f->len, e);
}

/* After each change: over, or waiting for room. */
static int settle_sink(struct wire_pump *p, struct err *e)
{
	if (p->ended && p->held == 0) {
		finish(p, e);
		return 0;
	}
	return p->broken ? 0 : watch(p, p->held > 0, e);
}

static int run_sink(struct wire_pump *p, struct err *e)
{
	int r = ring_out(p, e);

	return r < 0 ? r : settle_sink(p, e);
}

static int sink_frame(struct wire_pump *p, const struct wire_frame *f,
		      struct err *e)
{
	int r = 0;

	if (f->type == WIRE_DATA)
		r = sink_data(p, f, e);
	else if (f->type == WIRE_END && !p->ended)
		p->ended = true;
	else
		return err_set(e, -EPROTO, "'%s' frame to a sink",
			       wire_type_name(f->type));
	return r < 0 ? r : settle_sink(p, e);
}

/* --- both -------------------------------------------------------------- */

static int on_event(void *arg, int fd, uint32_t events, struct err *e)
{
	struct wire_pump *p = arg;

	return p->is_sink ? run_sink(p, e) : run_source(p, e);
}

int wire_pump_frame(struct wire_pump *p, const struct wire_frame *f,
		    struct err *e)
{
	/* Credit and CLOSED may cross our END on the way. */
	if (p->over)
		return f->type == WIRE_CREDIT || f->type == WIRE_CLOSED
			       ? 0
			       : err_set(e, -EPROTO,
					 "'%s' frame behind the end",
					 wire_type_name(f->type));
	return p->is_sink ? sink_frame(p, f, e) : source_frame(p, f, e);
}

int wire_pump_resume(struct wire_pump *p, struct err *e)
{
	return p->is_sink || p->over ? 0 : resume_source(p, e);
}

int wire_pump_abandon(struct wire_pump *p, struct err *e)
{
	int r = 0;

	if (p->over)
		return 0;
	if (!p->is_sink)
		return end_source(p, e);
	if (!p->broken)
		r = break_sink(p, e);
	return r < 0 ? r : settle_sink(p, e);
}

bool wire_pump_is_over(const struct wire_pump *p)
{
	return p->over;
}

enum wire_stream_id wire_pump_stream(const struct wire_pump *p)
{
	return p->c.stream;
}

static struct wire_pump *new_pump(const struct wire_pump_config *c, int fd,
				  bool is_sink)
{
	struct wire_pump *p = calloc(1, sizeof(*p));

	if (!p) {
		(void)close(fd);
		return NULL;
	}
	p->c = *c;
	p->fd = fd;
	p->is_sink = is_sink;
	p->credit = p->allowed = WIRE_WINDOW;
	return p;
}

/*
 * A pipe or terminal that others hold as well: opened anew, it has flags of
 * its own. That may be forbidden (another user's terminal); then it is shared.
 */
static void choose_kind(struct wire_pump *p)
{
	char path[PATH_FD_MAX];
	unsigned int pty;
	struct stat st;
	int fd, flags;

	if (fstat(p->fd, &st) < 0 || S_ISREG(st.st_mode))
		return;
	if (S_ISSOCK(st.st_mode)) {
		p->kind = SINK_SOCKET;
		return;
	}
	flags = fcntl(p->fd, F_GETFL);
	if (flags >= 0 && (flags & O_NONBLOCK))
		return;
	/* Opened anew, a pty's master would be another pty. It is nobody
	 * else's. */
	if (ioctl(p->fd, TIOCGPTN, &pty) == 0 &&
	    fd_set_nonblock(p->fd, true) == 0)
		return;
	fd = open(path_of_fd(p->fd, path),
		  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		p->kind = SINK_SHARED;
		return;
	}
	(void)close(p->fd);
	p->fd = fd;
}

int wire_pump_sink_new(const struct wire_pump_config *c, int fd,
		       struct wire_pump **ret, struct err *e)
{
	struct wire_pump *p = new_pump(c, fd, true);

	if (!p)
		return err_nomem(e);
	choose_kind(p);
	*ret = p;
	return 0;
}

int wire_pump_source_new(const struct wire_pump_config *c, int fd,
			 struct wire_pump **ret, struct err *e)
{
	*ret = new_pump(c, fd, false);
	return *ret ? 0 : err_nomem(e);
}

void wire_pump_free(struct wire_pump *p)
{
	if (!p)
		return;
	close_fd(p, NULL);
	free(p->ring);
	free(p);
}

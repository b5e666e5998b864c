/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"

#define KIB (1U << 10)
#define MIB (1U << 20)

/* A side that reads nothing while requests go on is given up. */
#define OUT_MAX (40 * MIB)

/* At least this much room for one read(2). */
#define READ_ROOM (WIRE_DATA_MAX + WIRE_HEADER)

enum {
	FROM_HOST = 1 << WIRE_HOST,
	FROM_GUEST = 1 << WIRE_GUEST,
	FROM_BOTH = FROM_HOST | FROM_GUEST,
};

static const struct {
	const char *name;
	unsigned int from;
	uint32_t min, max; /* of the body */
	bool stream;	   /* belongs to one */
} types[WIRE_TYPE_N_] = {
	/* clang-format off */
	[WIRE_HELLO]    = { "hello",    FROM_GUEST, 1, 4 * KIB },
	[WIRE_DONE]     = { "done",     FROM_GUEST, 0, 0 },
	[WIRE_FAILED]   = { "failed",   FROM_GUEST, 1, 8 * KIB },
	[WIRE_EXITED]   = { "exited",   FROM_GUEST, 1, 256 },
	/* Routes, for the most part. */
	[WIRE_SETUP]    = { "setup",    FROM_HOST,  1, 1 * MIB },
	/* A plan has mounts, environment and a seccomp profile. */
	[WIRE_CREATE]   = { "create",   FROM_HOST,  1, 16 * MIB },
	[WIRE_START]    = { "start",    FROM_HOST,  0, 0 },
	[WIRE_EXEC]     = { "exec",     FROM_HOST,  1, 16 * MIB },
	[WIRE_SIGNAL]   = { "signal",   FROM_HOST,  1, 256 },
	[WIRE_RESIZE]   = { "resize",   FROM_HOST,  1, 256 },
	[WIRE_CLOCK]    = { "clock",    FROM_HOST,  1, 256 },
	[WIRE_ENTROPY]  = { "entropy",  FROM_HOST,  1, 4 * KIB },
	[WIRE_POWEROFF] = { "poweroff", FROM_HOST,  0, 0 },
	[WIRE_DATA]     = { "data",     FROM_BOTH,  1, WIRE_DATA_MAX, true },
	[WIRE_CREDIT]   = { "credit",   FROM_BOTH,  4, 4, true },
	[WIRE_END]      = { "end",      FROM_BOTH,  0, 0, true },
	[WIRE_CLOSED]   = { "closed",   FROM_BOTH,  0, 0, true },
	[WIRE_UPDATE]   = { "update",   FROM_HOST,  1, 64 * KIB },
	/* clang-format on */
};

/* Bytes from start to end are in it. */
struct buffer {
	char *data;
	size_t start, end, cap;
};

struct wire {
	int fd;
	bool socket;
	enum wire_side side;
	struct buffer in, out;
	int (*queued)(void *arg, struct err *e);
	void *queued_arg;
};

struct header {
	uint32_t length;
	uint8_t type, stream;
	uint16_t session;
};

static size_t used(const struct buffer *b)
{
	return b->end - b->start;
}

/* Room for so many bytes behind the end, or false when out of memory. */
static bool make_room(struct buffer *b, size_t room)
{
	size_t cap = b->cap ? b->cap : WIRE_WINDOW;
	char *data;

	if (b->start == b->end)
		b->start = b->end = 0;
	if (b->cap - b->end >= room)
		return true;
	if (b->start > 0) {
		memmove(b->data, b->data + b->start, used(b));
		b->end -= b->start;
		b->start = 0;
	}
	while (cap - b->end < room)
		cap *= 2;
	if (cap == b->cap)
		return true;
	data = realloc(b->data, cap);
	if (!data)
		return false;
	b->data = data;
	b->cap = cap;
	return true;
}

static void put_header(char *p, const struct header *h)
{
	uint8_t bytes[WIRE_HEADER] = {
		(uint8_t)h->length,
		(uint8_t)(h->length >> 8),
		(uint8_t)(h->length >> 16),
		(uint8_t)(h->length >> 24),
		h->type,
		h->stream,
		(uint8_t)h->session,
		(uint8_t)(h->session >> 8),
	};

	memcpy(p, bytes, sizeof(bytes));
}

static void get_header(const char *p, struct header *ret)
{
	const uint8_t *b = (const uint8_t *)p;

	*ret = (struct header){
		.length = (uint32_t)b[0] | (uint32_t)b[1] << 8 |
			  (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24,
		.type = b[4],
		.stream = b[5],
		.session = (uint16_t)(b[6] | b[7] << 8),
	};
}

const char *wire_type_name(unsigned int type)
{
	return type < WIRE_TYPE_N_ ? types[type].name : "?";
}

DEFINE_CLEANUP(struct wire *, wire_free);

int wire_new(int fd, enum wire_side side, struct wire **ret, struct err *e)
{
	_cleanup_(auto_wire_free) struct wire *w = calloc(1, sizeof(*w));
	struct stat st;
	int r;

	if (!w) {
		(void)close(fd);
		return err_nomem(e);
	}
	w->fd = fd;
	w->side = side;
	r = fd_set_nonblock(fd, true);
	if (r < 0)
		return err_code(e, r, "make the wire non-blocking");
	w->socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	*ret = steal_ptr(w);
	return 0;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	(void)close(w->fd);
	free(w->in.data);
	free(w->out.data);
	free(w);
}

int wire_fd(const struct wire *w)
{
	return w->fd;
}

/* What the other side may not say is not taken, however well formed. */
static int check_header(const struct wire *w, const struct header *h,
			struct err *e)
{
	unsigned int from = w->side == WIRE_HOST ? FROM_GUEST : FROM_HOST;

	if (h->type >= WIRE_TYPE_N_ || !(types[h->type].from & from))
		return err_set(e, -EPROTO, "unexpected frame of type %u (%s)",
			       h->type, wire_type_name(h->type));
	if (h->length < types[h->type].min || h->length > types[h->type].max)
		return err_set(e, -EPROTO, "'%s' frame of %u bytes",
			       types[h->type].name, h->length);
	if (h->stream >= (types[h->type].stream ? WIRE_STREAM_N_ : 1))
		return err_set(e, -EPROTO, "'%s' frame for stream %u",
			       types[h->type].name, h->stream);
	return 0;
}

/* The next frame's header when it has come: 1, 0 or a fault. */
static int peek_header(const struct wire *w, struct header *ret, struct err *e)
{
	int r;

	if (used(&w->in) < WIRE_HEADER)
		return 0;
	get_header(w->in.data + w->in.start, ret);
	r = check_header(w, ret, e);
	return r < 0 ? r : 1;
}

int wire_read(struct wire *w, struct err *e)
{
	size_t room = READ_ROOM;
	struct header h;
	ssize_t n;
	int r;

	/* A frame that is larger gets its room once its header is known good,
	 * and so within its type's bound. */
	r = peek_header(w, &h, e);
	if (r < 0)
		return r;
	if (r > 0 && WIRE_HEADER + h.length > used(&w->in))
		room = MAX_OF(room, WIRE_HEADER + h.length - used(&w->in));
	if (!make_room(&w->in, room))
		return err_nomem(e);

	n = TEMP_FAILURE_RETRY(
		read(w->fd, w->in.data + w->in.end, w->in.cap - w->in.end));
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return err_set(e, -ENOTCONN, "the other side has closed");
	if (n < 0)
		return err_errno(e, "read from the wire");
	w->in.end += (size_t)n;
	return 0;
}

int wire_next(struct wire *w, struct wire_frame *ret, struct err *e)
{
	struct header h;
	int r;

	r = peek_header(w, &h, e);
	if (r <= 0)
		return r;
	if (used(&w->in) < WIRE_HEADER + h.length)
		return 0;
	*ret = (struct wire_frame){
		.type = h.type,
		.stream = h.stream,
		.session = h.session,
		.body = w->in.data + w->in.start + WIRE_HEADER,
		.len = h.length,
	};
	w->in.start += WIRE_HEADER + h.length;
	return 1;
}

int wire_parse(const struct wire_frame *f, const struct json_table *table,
	       void *obj, struct err *e)
{
	int r = json_read(f->body, f->len, table, obj, wire_type_name(f->type),
			  e);

	/* Memory is ours to lack, the rest is the other side's fault. */
	return r < 0 && r != -ENOMEM ? -EPROTO : r;
}

static int grown(struct wire *w, size_t n, struct err *e)
{
	w->out.end += n;
	return w->queued ? w->queued(w->queued_arg, e) : 0;
}

int wire_send_stream(struct wire *w, enum wire_type type, uint16_t session,
		     enum wire_stream_id stream, const void *body, size_t len,
		     struct err *e)
{
	struct header h = {
		.length = (uint32_t)len,
		.type = (uint8_t)type,
		.stream = (uint8_t)stream,
		.session = session,
	};

	if (len > types[type].max)
		return err_set(e, -E2BIG, "'%s' frame of %zu bytes",
			       types[type].name, len);
	if (used(&w->out) + len > OUT_MAX)
		return err_set(e, -ENOBUFS, "the other side does not read");
	if (!make_room(&w->out, WIRE_HEADER + len))
		return err_nomem(e);
	put_header(w->out.data + w->out.end, &h);
	if (len)
		memcpy(w->out.data + w->out.end + WIRE_HEADER, body, len);
	return grown(w, WIRE_HEADER + len, e);
}

int wire_send(struct wire *w, enum wire_type type, uint16_t session,
	      const void *body, size_t len, struct err *e)
{
	return wire_send_stream(w, type, session, 0, body, len, e);
}

int wire_send_json(struct wire *w, enum wire_type type, uint16_t session,
		   const struct json_table *table, const void *obj,
		   struct err *e)
{
	autofree char *text = NULL;
	size_t len = 0;
	int r;

	r = json_write(table, obj, false, &text, &len, e);
	if (r < 0)
		return r;
	return wire_send(w, type, session, text, len, e);
}

ssize_t wire_flush(struct wire *w, struct err *e)
{
	while (used(&w->out) > 0) {
		const char *p = w->out.data + w->out.start;
		ssize_t n;

		if (w->socket)
			n = send(w->fd, p, used(&w->out), MSG_NOSIGNAL);
		else
			n = write(w->fd, p, used(&w->out));
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return err_set(e, -ENOTCONN,
				       "the other side has closed");
		if (n < 0)
			return err_errno(e, "write to the wire");
		w->out.start += (size_t)n;
	}
	return (ssize_t)used(&w->out);
}

bool wire_full(const struct wire *w)
{
	return used(&w->out) >= WIRE_HIGH;
}

bool wire_is_empty(const struct wire *w)
{
	return used(&w->out) == 0;
}

void wire_on_queued(struct wire *w, int (*fn)(void *arg, struct err *e),
		    void *arg)
{
	w->queued = fn;
	w->queued_arg = arg;
}

char *wire_reserve(struct wire *w)
{
	if (!make_room(&w->out, WIRE_HEADER + WIRE_DATA_MAX))
		return NULL;
	return w->out.data + w->out.end + WIRE_HEADER;
}

int wire_commit(struct wire *w, uint16_t session, enum wire_stream_id stream,
		size_t len, struct err *e)
{
	struct header h = {
		.length = (uint32_t)len,
		.type = WIRE_DATA,
		.stream = (uint8_t)stream,
		.session = session,
	};

	put_header(w->out.data + w->out.end, &h);
	return grown(w, WIRE_HEADER + len, e);
}

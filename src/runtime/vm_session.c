/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "src/oci/wire_body.h"
#include "src/runtime/vm_host.h"

struct rt_host_session *rt_host_session_find(struct rt_host *h, uint16_t id)
{
	struct rt_host_session *s = h->sessions;

	while (s && s->id != id)
		s = s->next;
	return s;
}

static uint16_t free_number(struct rt_host *h)
{
	uint16_t id = RT_HOST_INIT + 1;

	/* 0 after the last one: all are taken. */
	while (id && rt_host_session_find(h, id))
		id++;
	return id;
}

static void close_all(int fds[WIRE_STREAM_N_])
{
	for (int i = 0; i < WIRE_STREAM_N_; i++)
		if (fds[i] >= 0)
			(void)close(steal_fd(&fds[i]));
}

int rt_host_session_new(struct rt_host *h, uint16_t id,
			const int fds[WIRE_STREAM_N_],
			struct rt_host_session **ret, struct err *e)
{
	struct rt_host_session *s = calloc(1, sizeof(*s));
	int given[WIRE_STREAM_N_];

	(void)memcpy(given, fds, sizeof(given));
	if (!id)
		id = free_number(h);
	if (!s || !id) {
		close_all(given);
		free(s);
		return id ? err_nomem(e)
			  : err_set(e, -EBUSY, "too many programs at once");
	}
	*s = (struct rt_host_session){
		.next = h->sessions,
		.host = h,
		.id = id,
		.phase = RT_HOST_CREATING,
		.terminal = fds[WIRE_STDOUT] < 0,
	};
	(void)memcpy(s->fds, given, sizeof(given));
	h->sessions = s;
	*ret = s;
	return 0;
}

void rt_host_session_free(struct rt_host_session *s)
{
	struct rt_host_session **at = &s->host->sessions;

	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	for (int i = 0; i < WIRE_STREAM_N_; i++)
		wire_pump_free(s->pump[i]);
	loop_remove(s->host->loop, s->patience);
	close_all(s->fds);
	free(s);
}

/* --- streams --------------------------------------------------------------*/

/* Over when the program has ended and all it wrote has been passed on. */
static int settle(struct rt_host_session *s, struct err *e)
{
	struct rt_host *h = s->host;

	if (!s->exited || s->pump[WIRE_STDOUT] || s->pump[WIRE_STDERR])
		return 0;
	if (s->id == RT_HOST_INIT) {
		h->over = true;
		h->status = s->status;
		loop_quit(h->loop, 0);
		return 0;
	}
	if (s->client)
		return rt_host_client_over(s, e);
	rt_host_session_free(s);
	return 0;
}

static void on_over(void *arg, struct wire_pump *p)
{
	struct rt_host_session *s = arg;

	s->pump[wire_pump_stream(p)] = NULL;
	wire_pump_free(p);
	/* A client that cannot be told is gone; its own end is noticed. */
	(void)!settle(s, NULL);
}

static int add_pump(struct rt_host_session *s, enum wire_stream_id stream,
		    int fd, struct err *e)
{
	struct wire_pump_config c = {
		.wire = s->host->wire,
		.loop = s->host->loop,
		.session = s->id,
		.stream = stream,
		.over = on_over,
		.arg = s,
	};

	if (stream != WIRE_STDIN)
		return wire_pump_sink_new(&c, fd, &s->pump[stream], e);
	return wire_pump_source_new(&c, fd, &s->pump[stream], e);
}

static int make_pumps(struct rt_host_session *s, struct err *e)
{
	int r = 0;

	if (s->terminal) {
		s->fds[WIRE_STDOUT] = fd_copy(s->fds[WIRE_STDIN], 3, e);
		if (s->fds[WIRE_STDOUT] < 0)
			return s->fds[WIRE_STDOUT];
	}
	for (int i = 0; i < WIRE_STREAM_N_ && r == 0; i++)
		if (s->fds[i] >= 0)
			r = add_pump(s, i, steal_fd(&s->fds[i]), e);
	return r;
}

/* What a program writes may overtake the answer to its start. */
int rt_host_session_start(struct rt_host_session *s, struct err *e)
{
	s->phase = RT_HOST_STARTING;
	return make_pumps(s, e);
}

int rt_host_session_run(struct rt_host_session *s, struct err *e)
{
	s->phase = RT_HOST_RUNNING;
	if (!s->pump[WIRE_STDIN])
		return 0;
	return wire_pump_resume(s->pump[WIRE_STDIN], e);
}

int rt_host_session_mute(struct rt_host_session *s, struct err *e)
{
	struct wire_pump *pump[WIRE_STREAM_N_];
	int r = 0;

	/* The last of them takes the session with it. */
	(void)memcpy(pump, s->pump, sizeof(pump));
	for (int i = 0; i < WIRE_STREAM_N_ && r == 0; i++)
		if (pump[i])
			r = wire_pump_abandon(pump[i], e);
	return r;
}

int rt_host_sessions_resume(struct rt_host *h, struct err *e)
{
	int r = 0;

	for (struct rt_host_session *s = h->sessions; s && r == 0; s = s->next)
		if (s->phase == RT_HOST_RUNNING && s->pump[WIRE_STDIN])
			r = wire_pump_resume(s->pump[WIRE_STDIN], e);
	return r;
}

/* --- frames ---------------------------------------------------------------*/

static int on_exited(struct rt_host_session *s, const struct wire_frame *f,
		     struct err *e)
{
	struct wire_exited x = { 0 };
	int r;

	if (s->exited)
		return err_set(e, -EPROTO, "session %u exits twice", s->id);
	r = wire_parse(f, &wire_exited_table, &x, e);
	if (r < 0)
		return r;
	s->exited = true;
	s->status = x.status;
	wire_pump_free(steal_ptr(s->pump[WIRE_STDIN]));
	return settle(s, e);
}

/* A stream of ours that is over still gets what crossed its end. */
static int on_stream(struct rt_host_session *s, const struct wire_frame *f,
		     struct err *e)
{
	struct wire_pump *p = s->pump[f->stream];

	if (p)
		return wire_pump_frame(p, f, e);
	if (f->stream == WIRE_STDIN &&
	    (f->type == WIRE_CREDIT || f->type == WIRE_CLOSED))
		return 0;
	return err_set(e, -EPROTO, "'%s' frame for a stream that is over",
		       wire_type_name(f->type));
}

int rt_host_session_frame(struct rt_host *h, const struct wire_frame *f,
			  struct err *e)
{
	struct rt_host_session *s = rt_host_session_find(h, f->session);

	if (!s || s->phase < RT_HOST_STARTING)
		return err_set(e, -EPROTO, "'%s' frame for session %u",
			       wire_type_name(f->type), f->session);
	if (f->type == WIRE_EXITED)
		return on_exited(s, f, e);
	return on_stream(s, f, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/wire_loop.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/loop.h"

struct wire_link {
	struct wire *wire;
	struct loop *loop;
	struct loop_source *source;
	const struct wire_handler *h;
	void *arg;
	bool writing; /* the loop tells us when there is room */
	bool full;    /* and somebody waits for it to end */
	bool busy;    /* a callback runs: */
	bool dead;    /* detached meanwhile, to be freed behind it */
};

static int want(struct wire_link *l, bool writing, struct err *e)
{
	if (!l->source || l->writing == writing)
		return 0;
	l->writing = writing;
	return loop_set_events(l->loop, l->source,
			       EPOLLIN | (writing ? EPOLLOUT : 0), e);
}

/* Something waits to be written. Not written at once: more may follow. */
static int on_queued(void *arg, struct err *e)
{
	struct wire_link *l = arg;

	l->full = l->full || wire_full(l->wire);
	return want(l, true, e);
}

static void stop(struct wire_link *l)
{
	if (l->source)
		loop_remove(l->loop, steal_ptr(l->source));
}

/* For the caller of the loop this is an event, not a failure. */
static int over(struct wire_link *l, int why, struct err *e)
{
	stop(l);
	return l->h->closed(l->arg, why, e);
}

static int read_frames(struct wire_link *l, struct err *e)
{
	struct wire_frame f;
	int r;

	r = wire_read(l->wire, e);
	if (r == -EAGAIN)
		return 0;
	while (r >= 0 && (r = wire_next(l->wire, &f, e)) > 0) {
		r = l->h->frame(l->arg, &f, e);
		if (l->dead)
			return r;
	}
	if (r == -EPROTO || r == -ENOTCONN)
		return over(l, r, e);
	return r;
}

static int write_frames(struct wire_link *l, struct err *e)
{
	ssize_t left = wire_flush(l->wire, e);
	int r = 0;

	if (left == -ENOTCONN)
		return over(l, (int)left, e);
	if (left < 0)
		return (int)left;
	if (l->full && !wire_full(l->wire)) {
		l->full = false;
		r = l->h->drained(l->arg, e);
	}
	/* Those who were let on may have queued more. */
	if (r == 0 && !l->dead && left == 0 && wire_is_empty(l->wire))
		r = want(l, false, e);
	return r;
}

static int on_event(void *arg, int fd, uint32_t events, struct err *e)
{
	struct wire_link *l = arg;
	int r = 0;

	l->busy = true;
	/* First what frees memory, then what takes it. */
	if (events & EPOLLOUT)
		r = write_frames(l, e);
	if (r == 0 && l->source && (events & ~(uint32_t)EPOLLOUT))
		r = read_frames(l, e);
	l->busy = false;
	if (l->dead)
		free(l);
	return r;
}

int wire_attach(struct wire *w, struct loop *loop, const struct wire_handler *h,
		void *arg, struct wire_link **ret, struct err *e)
{
	struct wire_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_nomem(e);
	*l = (struct wire_link){ .wire = w, .loop = loop, .h = h, .arg = arg };
	r = loop_add_fd(loop, wire_fd(w), EPOLLIN, on_event, l, &l->source, e);
	if (r < 0) {
		free(l);
		return r;
	}
	wire_on_queued(w, on_queued, l);
	*ret = l;
	/* What was queued before. */
	return wire_is_empty(w) ? 0 : on_queued(l, e);
}

void wire_detach(struct wire_link *l)
{
	if (!l)
		return;
	stop(l);
	wire_on_queued(l->wire, NULL, NULL);
	l->dead = true;
	if (!l->busy)
		free(l);
}

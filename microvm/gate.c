/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/gate.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

struct gate_call {
	struct gate_call *next;
	gate_fn fn;
	void *arg;
	bool taken, done;
};

int gate_init(struct gate *g, struct err *e)
{
	*g = (struct gate){ .event_fd = -1 };
	g->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->event_fd < 0)
		return err_errno(e, "make an eventfd");
	(void)pthread_mutex_init(&g->lock, NULL);
	(void)pthread_cond_init(&g->changed, NULL);
	return 0;
}

void gate_done(struct gate *g)
{
	if (g->event_fd < 0)
		return;
	(void)close(steal_fd(&g->event_fd));
	(void)pthread_cond_destroy(&g->changed);
	(void)pthread_mutex_destroy(&g->lock);
}

void gate_wake(const struct gate *g)
{
	uint64_t one = 1;

	/* It fails only when the counter is full: awake already. */
	if (write(g->event_fd, &one, sizeof(one)) < 0)
		return;
}

static void lock(struct gate *g)
{
	(void)pthread_mutex_lock(&g->lock);
}

static void unlock(struct gate *g)
{
	(void)pthread_mutex_unlock(&g->lock);
}

static void wait_change(struct gate *g)
{
	(void)pthread_cond_wait(&g->changed, &g->lock);
}

static void tell(struct gate *g)
{
	(void)pthread_cond_broadcast(&g->changed);
}

void gate_arrive(struct gate *g)
{
	lock(g);
	g->n++;
	unlock(g);
}

void gate_leave(struct gate *g)
{
	lock(g);
	g->n--;
	tell(g);
	unlock(g);
}

bool gate_busy(const struct gate *g)
{
	return __atomic_load_n(&g->closed, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&g->ended, __ATOMIC_SEQ_CST);
}

bool gate_pass(struct gate *g)
{
	bool on;

	lock(g);
	g->waiting++;
	tell(g);
	while (g->closed && !g->ended)
		wait_change(g);
	g->waiting--;
	on = !g->ended;
	unlock(g);
	return on;
}

bool gate_call(struct gate *g, gate_fn fn, void *arg)
{
	struct gate_call c = { .fn = fn, .arg = arg };
	struct gate_call **at;
	bool done;

	lock(g);
	c.next = g->calls;
	g->calls = &c;
	gate_wake(g);
	tell(g);
	while (!c.done && (c.taken || !g->ended))
		wait_change(g);
	done = c.done;
	for (at = &g->calls; *at; at = &(*at)->next)
		if (*at == &c) {
			*at = c.next; /* ended before it was made */
			break;
		}
	unlock(g);
	return done;
}

/*
 * Makes all calls that wait. A call once taken is waited for even if the
 * machine ends meanwhile: its argument lives on the caller's stack.
 */
static void serve_locked(struct gate *g)
{
	while (g->calls) {
		struct gate_call *c = g->calls;

		g->calls = c->next;
		c->taken = true;
		unlock(g);
		c->fn(c->arg);
		lock(g);
		c->done = true;
		tell(g);
	}
}

void gate_serve(struct gate *g)
{
	lock(g);
	serve_locked(g);
	unlock(g);
}

void gate_close(struct gate *g, gate_kick_fn kick, void *arg)
{
	lock(g);
	__atomic_store_n(&g->closed, true, __ATOMIC_SEQ_CST);
	kick(arg);
	while (g->waiting < g->n && !g->ended) {
		serve_locked(g);
		if (g->waiting < g->n)
			wait_change(g);
	}
	unlock(g);
}

void gate_open(struct gate *g)
{
	lock(g);
	__atomic_store_n(&g->closed, false, __ATOMIC_SEQ_CST);
	tell(g);
	unlock(g);
}

void gate_end(struct gate *g)
{
	lock(g);
	__atomic_store_n(&g->ended, true, __ATOMIC_SEQ_CST);
	tell(g);
	gate_wake(g);
	unlock(g);
}

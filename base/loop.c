/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BATCH 16

enum source_kind {
	SOURCE_FD,
	SOURCE_TIMER,
	SOURCE_SIGNALS,
	SOURCE_N_,
};

struct loop_source {
	enum source_kind kind;
	int fd;
	bool dead;    /* removed; freed when no event can name it any more */
	bool is_file; /* epoll refuses it: always ready */
	uint32_t events;
	loop_fd_fn on_fd;
	loop_timer_fn on_timer;
	void *arg;
	struct loop_source *next;
};

struct handler {
	loop_signal_fn fn;
	void *arg;
};

struct loop {
	int epoll;
	struct loop_source *sources;
	bool has_dead;
	size_t n_files;
	bool quit;
	int value;
	struct loop_source *signals; /* NULL: none added */
	struct handler handler[_NSIG];
	bool blocked; /* mask is more than old_mask */
	sigset_t mask, old_mask;
};

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(e);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		int r = err_errno(e, "make an epoll descriptor");

		free(l);
		return r;
	}
	(void)sigemptyset(&l->mask);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &l->old_mask);
	*ret = l;
	return 0;
}

/* Timers and signals have descriptors of their own, fds are the caller's. */
static void free_source(struct loop_source *s)
{
	if (s->kind != SOURCE_FD)
		(void)close(s->fd);
	free(s);
}

void loop_free(struct loop *l)
{
	struct loop_source *s, *next;

	if (!l)
		return;
	for (s = l->sources; s; s = next) {
		next = s->next;
		free_source(s);
	}
	(void)close(l->epoll);
	if (l->blocked)
		(void)pthread_sigmask(SIG_SETMASK, &l->old_mask, NULL);
	free(l);
}

/* Regular files and /dev/null know no readiness: epoll says EPERM to them, and
 * they never block. Standard input may well be one. */
static int watch(struct loop *l, struct loop_source *s)
{
	struct epoll_event ev = { .events = s->events, .data.ptr = s };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &ev) == 0)
		return 0;
	if (errno != EPERM || s->kind != SOURCE_FD)
		return -errno;
	s->is_file = true;
	l->n_files++;
	return 0;
}

/* Takes over *made, and its fd unless it is a SOURCE_FD. */
static int add(struct loop *l, const struct loop_source *made,
	       struct loop_source **ret, struct err *e)
{
	struct loop_source *s = malloc(sizeof(*s));
	int r = -ENOMEM;

	if (s) {
		*s = *made;
		r = watch(l, s);
	}
	if (r < 0) {
		if (made->kind != SOURCE_FD)
			(void)close(made->fd);
		free(s);
		return err_code(e, r, "watch descriptor %d", made->fd);
	}
	s->next = l->sources;
	l->sources = s;
	if (ret)
		*ret = s;
	return 0;
}

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn fn,
		void *arg, struct loop_source **ret, struct err *e)
{
	struct loop_source s = {
		.kind = SOURCE_FD,
		.fd = fd,
		.events = events,
		.on_fd = fn,
		.arg = arg,
	};

	return add(l, &s, ret, e);
}

int loop_set_events(struct loop *l, struct loop_source *s, uint32_t events,
		    struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (!s->is_file && epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		return err_errno(e, "change the events of descriptor %d",
				 s->fd);
	s->events = events;
	return 0;
}

static struct timespec of_ms(uint64_t ms)
{
	return (struct timespec){
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};
}

int loop_add_timer(struct loop *l, uint64_t delay_ms, uint64_t period_ms,
		   loop_timer_fn fn, void *arg, struct loop_source **ret,
		   struct err *e)
{
	struct itimerspec when = {
		.it_value = of_ms(delay_ms),
		.it_interval = of_ms(period_ms),
	};
	struct loop_source s = {
		.kind = SOURCE_TIMER,
		.events = EPOLLIN,
		.on_timer = fn,
		.arg = arg,
	};

	if (delay_ms == 0)
		when.it_value.tv_nsec = 1; /* 0 would mean never */
	s.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s.fd < 0)
		return err_errno(e, "make a timer");
	if (timerfd_settime(s.fd, 0, &when, NULL) < 0) {
		int r = err_errno(e, "set a timer");

		(void)close(s.fd);
		return r;
	}
	return add(l, &s, ret, e);
}

int loop_add_signals(struct loop *l, const int *signals, loop_signal_fn fn,
		     void *arg, struct err *e)
{
	struct loop_source s = { .kind = SOURCE_SIGNALS, .events = EPOLLIN };
	sigset_t mask = l->mask;

	for (const int *sig = signals; *sig; sig++)
		if (sigaddset(&mask, *sig) < 0)
			return err_errno(e, "signal %d", *sig);

	/* Blocked first: one that arrives in between must not be lost. */
	if (pthread_sigmask(SIG_BLOCK, &mask, NULL) != 0)
		return err_set(e, -EINVAL, "block signals");
	l->blocked = true;
	s.fd = signalfd(l->signals ? l->signals->fd : -1, &mask,
			SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.fd < 0)
		return err_errno(e, "make a signal descriptor");
	if (!l->signals) {
		int r = add(l, &s, &l->signals, e);

		if (r < 0)
			return r;
	}
	l->mask = mask;
	for (const int *sig = signals; *sig; sig++)
		l->handler[*sig] = (struct handler){ fn, arg };
	return 0;
}

void loop_remove(struct loop *l, struct loop_source *s)
{
	if (!s || s->dead)
		return;
	if (s->is_file)
		l->n_files--;
	else
		(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	s->dead = true;
	l->has_dead = true;
}

static void free_dead(struct loop *l)
{
	struct loop_source **at = &l->sources, *s;

	if (!l->has_dead)
		return;
	while ((s = *at)) {
		if (s->dead) {
			*at = s->next;
			free_source(s);
		} else {
			at = &s->next;
		}
	}
	l->has_dead = false;
}

static int on_fd(struct loop *l, struct loop_source *s, uint32_t events,
		 struct err *e)
{
	return s->on_fd(s->arg, s->fd, events, e);
}

static int on_timer(struct loop *l, struct loop_source *s, uint32_t events,
		    struct err *e)
{
	uint64_t n;

	if (read(s->fd, &n, sizeof(n)) < 0)
		return errno == EAGAIN || errno == EINTR
			       ? 0
			       : err_errno(e, "read a timer");
	return s->on_timer(s->arg, e);
}

static int on_signals(struct loop *l, struct loop_source *s, uint32_t events,
		      struct err *e)
{
	struct signalfd_siginfo si;
	const struct handler *h;

	/* One at a time: a handler may end the loop. */
	if (read(s->fd, &si, sizeof(si)) < 0)
		return errno == EAGAIN || errno == EINTR
			       ? 0
			       : err_errno(e, "read a signal");
	h = &l->handler[si.ssi_signo % _NSIG];
	return h->fn ? h->fn(h->arg, &si, e) : 0;
}

static int dispatch(struct loop *l, struct loop_source *s, uint32_t events,
		    struct err *e)
{
	static int (*const on[SOURCE_N_])(struct loop * l,
					  struct loop_source * s,
					  uint32_t events, struct err * e) = {
		[SOURCE_FD] = on_fd,
		[SOURCE_TIMER] = on_timer,
		[SOURCE_SIGNALS] = on_signals,
	};

	if (s->dead || l->quit)
		return 0;
	return on[s->kind](l, s, events, e);
}

/* What epoll does not watch is ready for all that was asked. */
static int run_files(struct loop *l, struct err *e)
{
	const uint32_t ready = EPOLLIN | EPOLLOUT;
	int r = 0;

	for (struct loop_source *s = l->sources; s && r >= 0; s = s->next)
		if (s->is_file && (s->events & ready))
			r = dispatch(l, s, s->events & ready, e);
	return r;
}

static int run_once(struct loop *l, struct err *e)
{
	struct epoll_event ev[BATCH];
	int n, r = 0;

	n = epoll_wait(l->epoll, ev, BATCH, l->n_files > 0 ? 0 : -1);
	if (n < 0)
		return errno == EINTR ? 0 : err_errno(e, "wait for events");
	for (int i = 0; i < n && r >= 0; i++)
		r = dispatch(l, ev[i].data.ptr, ev[i].events, e);
	if (r >= 0 && l->n_files > 0)
		r = run_files(l, e);
	free_dead(l);
	return r;
}

int loop_run(struct loop *l, struct err *e)
{
	int r = 0;

	while (r >= 0 && !l->quit)
		r = run_once(l, e);
	l->quit = false;
	return r < 0 ? r : l->value;
}

void loop_quit(struct loop *l, int value)
{
	l->quit = true;
	l->value = value;
}

const sigset_t *loop_old_mask(const struct loop *l)
{
	return &l->old_mask;
}

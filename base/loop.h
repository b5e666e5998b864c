/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One epoll loop for whoever waits for more than one thing: the foreground
 * runtime, the monitor, the guest agent, the VMM's device thread.
 *
 *	struct loop *l = NULL;
 *	r = loop_new(&l, e);
 *	r = loop_add_fd(l, fd, EPOLLIN, on_input, arg, NULL, e);
 *	r = loop_add_signals(l, (int[]){ SIGCHLD, SIGTERM, 0 }, on_signal,
 *			     arg, e);
 *	r = loop_run(l, e);		until loop_quit(l, value)
 *
 * A callback that returns a negative errno ends loop_run() with it. Sources
 * may be removed from within callbacks, their own included.
 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"
#include "base/err.h"

struct loop;
struct loop_source;

typedef int (*loop_fd_fn)(void *arg, int fd, uint32_t events, struct err *e);
typedef int (*loop_timer_fn)(void *arg, struct err *e);
typedef int (*loop_signal_fn)(void *arg, const struct signalfd_siginfo *si,
			      struct err *e);

MUST_CHECK int loop_new(struct loop **ret, struct err *e);
void loop_free(struct loop *l);

/* The descriptor stays the caller's. ret may be NULL: lives with the loop. */
MUST_CHECK int loop_add_fd(struct loop *l, int fd, uint32_t events,
			   loop_fd_fn fn, void *arg, struct loop_source **ret,
			   struct err *e);
MUST_CHECK int loop_set_events(struct loop *l, struct loop_source *s,
			       uint32_t events, struct err *e);
/* First after delay_ms, then every period_ms (0: once). */
MUST_CHECK int loop_add_timer(struct loop *l, uint64_t delay_ms,
			      uint64_t period_ms, loop_timer_fn fn, void *arg,
			      struct loop_source **ret, struct err *e);
/* Blocks the signals (list ends with 0) for the process and reads them from a
 * signalfd. Several calls add up. */
MUST_CHECK int loop_add_signals(struct loop *l, const int *signals,
				loop_signal_fn fn, void *arg, struct err *e);
void loop_remove(struct loop *l, struct loop_source *s);

/* Until loop_quit(); gives its value (>= 0) or a callback's error. */
MUST_CHECK int loop_run(struct loop *l, struct err *e);
void loop_quit(struct loop *l, int value);

/* The mask that was in force before loop_add_signals(): what a child gets, and
 * what loop_free() brings back. */
const sigset_t *loop_old_mask(const struct loop *l);

DEFINE_CLEANUP(struct loop *, loop_free);
#define autoloop _cleanup_(auto_loop_free)

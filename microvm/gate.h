/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the threads of a machine meet. vCPU threads pass the gate before they
 * run guest code; the device thread closes it to pause the machine, and opens
 * it again. A vCPU that needs device work done (a device's status, its
 * configuration) leaves a call here and waits until the device thread has
 * made it: device code is single-threaded that way.
 *
 *	vCPU thread			device thread
 *	-----------			-------------
 *	gate_pass()  . . closed? waits	gate_close(): kick, wait until all are
 *	KVM_RUN				here, serving calls meanwhile
 *	exit -> gate_call(fn, arg) ---> gate_event_fd() readable: gate_serve()
 *	      <------------- done	gate_open()
 *
 * A closed gate and waiting callers cannot deadlock: gate_close() serves.
 * After gate_end() nobody passes, and calls return unmade.
 */
#include <pthread.h>

#include "base/err.h"

struct gate_call;

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int event_fd;	      /* says: a call waits, or the machine shall end */
	unsigned int n;	      /* vCPU threads that exist */
	unsigned int waiting; /* of them, those held by a closed gate */
	bool closed;
	bool ended;
	struct gate_call *calls;
};

typedef void (*gate_fn)(void *arg);
typedef void (*gate_kick_fn)(void *arg);

MUST_CHECK int gate_init(struct gate *g, struct err *e);
void gate_done(struct gate *g);

/* For vCPU threads. */
void gate_arrive(struct gate *g); /* a thread begins; counted by gate_close */
void gate_leave(struct gate *g);
/* Whether gate_pass() would do more than return true; no lock. */
bool gate_busy(const struct gate *g);
/* Waits while closed. False: end the thread. */
MUST_CHECK bool gate_pass(struct gate *g);
/* fn(arg) on the device thread, waited for. False: it was not made. */
bool gate_call(struct gate *g, gate_fn fn, void *arg);

/* For the device thread. */
void gate_serve(struct gate *g);
/* Calls kick(arg) to bring vCPUs out of the guest, then waits for them. */
void gate_close(struct gate *g, gate_kick_fn kick, void *arg);
void gate_open(struct gate *g);

/* From any thread: wakes the device thread, lets all vCPU threads end. */
void gate_end(struct gate *g);
/* Async-signal-safe: wakes the device thread and nothing else. */
void gate_wake(const struct gate *g);

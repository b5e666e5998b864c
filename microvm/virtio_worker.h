/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A thread that serves one queue of a device whose work may block: a disk, a
 * shared folder. The device lends it the queue from activate to reset.
 *
 *	ops->start	virtio_worker_start()	threads can still be made
 *	ops->activate	virtio_worker_lend()
 *	ops->kick	virtio_worker_kick(); a result of its own
 *	ops->reset	virtio_worker_take()	waits for the request under way
 *	ops->free	virtio_worker_stop()
 *
 * enter(), where there is one, is the thread's first act, outside of its jail.
 * serve() is what a kick would be: > 0 answered something, VIRTIO_AGAIN the
 * same and there is more, 0 nothing, < 0 the driver cheats. It is called with
 * no lock held, and by this thread alone.
 */
#include <pthread.h>

#include "microvm/jail.h"

struct virtio_dev;
struct virtio_worker;

typedef int (*virtio_serve_fn)(struct virtio_worker *w);
typedef int (*virtio_enter_fn)(struct virtio_worker *w, struct err *e);

struct virtio_worker {
	struct virtio_dev *dev;
	unsigned int q;
	virtio_enter_fn enter;
	virtio_serve_fn serve;
	enum jail_role role;
	bool jailed;

	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	bool lent, kicked, busy, stopping;
	bool failed; /* the driver cheats; a reset makes it good */
	bool absent; /* the thread has not come into its jail: for ever */
};

/* w is zero, but for dev, q, enter, serve and role. */
MUST_CHECK int virtio_worker_start(struct virtio_worker *w, bool jailed,
				   struct err *e);
void virtio_worker_stop(struct virtio_worker *w);

/* By the device thread. */
void virtio_worker_lend(struct virtio_worker *w);
void virtio_worker_take(struct virtio_worker *w);
/* -EPROTO when serve() has found that the driver cheats, or nobody serves. */
MUST_CHECK int virtio_worker_kick(struct virtio_worker *w);

/* By serve(): waits, but no longer than the queue is lent. False: it is to
 * be given back; leave the request as it is. */
bool virtio_worker_wait(struct virtio_worker *w, uint64_t ns);

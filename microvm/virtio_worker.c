/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/virtio_worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "microvm/virtio.h"

#define STACK_SIZE (128U << 10)

static void lock(struct virtio_worker *w)
{
	(void)pthread_mutex_lock(&w->lock);
}

static void unlock(struct virtio_worker *w)
{
	(void)pthread_mutex_unlock(&w->lock);
}

static void tell(struct virtio_worker *w)
{
	(void)pthread_cond_broadcast(&w->changed);
}

/* Waits for work; with the lock held, before and after. */
static bool wait_work(struct virtio_worker *w)
{
	while (!w->stopping && !(w->lent && w->kicked))
		(void)pthread_cond_wait(&w->changed, &w->lock);
	return !w->stopping;
}

static void judge(struct virtio_worker *w, int r)
{
	if (r > 0)
		virtio_notify(w->dev, w->q);
	lock(w);
	if (r < 0)
		w->failed = true;
	if (r == VIRTIO_AGAIN)
		w->kicked = true;
	unlock(w);
	/* To stop the device is the device thread's business. */
	if (r < 0)
		w->dev->transport->again(w->dev, w->q);
}

static int settle(struct virtio_worker *w, struct err *e)
{
	int r = w->enter ? w->enter(w, e) : 0;

	return r == 0 && w->jailed ? jail_filter(w->role, e) : r;
}

static void *thread_main(void *arg)
{
	struct virtio_worker *w = arg;
	struct err e = { 0 };

	if (settle(w, &e) < 0) {
		/* Without its jail it does nothing; the guest finds a device
		 * that asks to be reset. */
		log_debug("%s", err_text(&e));
		lock(w);
		w->absent = true;
		unlock(w);
		w->dev->transport->again(w->dev, w->q);
		return NULL;
	}
	lock(w);
	while (wait_work(w)) {
		w->kicked = false;
		w->busy = true;
		unlock(w);
		judge(w, w->serve(w));
		lock(w);
		w->busy = false;
		tell(w);
	}
	unlock(w);
	return NULL;
}

/* Signals are for others. */
static int start_blocked(struct virtio_worker *w, const pthread_attr_t *attr)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread, attr, thread_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int virtio_worker_start(struct virtio_worker *w, bool jailed, struct err *e)
{
	pthread_condattr_t clock;
	pthread_attr_t attr;
	int r;

	w->jailed = jailed;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->changed, &clock);
	(void)pthread_condattr_destroy(&clock);

	(void)pthread_attr_init(&attr);
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = start_blocked(w, &attr);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		return err_set(e, -r, "start a thread of virtio-%s: %s",
			       w->dev->ops->name, strerrordesc_np(r));
	w->started = true;
	return 0;
}

void virtio_worker_stop(struct virtio_worker *w)
{
	if (!w->started)
		return;
	lock(w);
	w->stopping = true;
	w->lent = false;
	tell(w);
	unlock(w);
	(void)pthread_join(w->thread, NULL);
	(void)pthread_cond_destroy(&w->changed);
	(void)pthread_mutex_destroy(&w->lock);
	w->started = false;
}

void virtio_worker_lend(struct virtio_worker *w)
{
	lock(w);
	w->lent = w->kicked = true;
	tell(w);
	unlock(w);
}

void virtio_worker_take(struct virtio_worker *w)
{
	if (!w->started)
		return;
	lock(w);
	w->lent = false;
	tell(w);
	while (w->busy)
		(void)pthread_cond_wait(&w->changed, &w->lock);
	/* Not before: the request that we have waited for may have been a bad
	 * one, and the next driver has nothing to do with it. */
	w->failed = false;
	unlock(w);
}

int virtio_worker_kick(struct virtio_worker *w)
{
	int r;

	lock(w);
	w->kicked = true;
	r = w->failed || w->absent ? -EPROTO : 0;
	tell(w);
	unlock(w);
	return r;
}

bool virtio_worker_wait(struct virtio_worker *w, uint64_t ns)
{
	struct timespec until;
	bool lent;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1000000000U);
	until.tv_nsec = (long)(ns % 1000000000U);
	lock(w);
	while (w->lent && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&w->changed, &w->lock, &until);
	lent = w->lent;
	unlock(w);
	return lent;
}

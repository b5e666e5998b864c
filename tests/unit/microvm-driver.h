/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The guest's side of a virtio device, without a guest: memory, queues, and
 * what a driver does with them, honest or not. A transport that counts stands
 * in for mmio.c.
 *
 *	queue q	 DRV_RING(q): descriptors, +0x4000 available, +0x8000 used
 *	buffers	 from DRV_HEAP on, drv_alloc() never gives back
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/loop.h"
#include "microvm/gmem.h"
#include "microvm/virtio.h"
#include "microvm/vm_config.h"
#include "tests/unit/tap.h"

#define DRV_MEMORY  (32U << 20)
#define DRV_RING(q) (0x100000ULL + 0x10000ULL * (q))
#define DRV_AVAIL   0x4000ULL
#define DRV_USED    0x8000ULL
#define DRV_HEAP    0x400000ULL
#define DRV_SIZE    64

struct drv_queue {
	struct vring_desc *desc;
	uint16_t *avail, *used;
	uint16_t next_desc, seen;
};

struct drv {
	struct gmem mem;
	struct loop *loop;
	struct virtio_dev *dev;
	struct drv_queue q[VIRTIO_MAX_QUEUES];
	uint64_t heap;
	unsigned int interrupts, config_changes, failures;
	uint64_t again; /* bit q: to be kicked once more */
	bool idle;
};

/* A piece of a request. */
struct drv_seg {
	uint64_t gpa;
	uint32_t len;
	bool writable;
};

static inline void drv_interrupt_(struct virtio_dev *dev)
{
	((struct drv *)dev->carrier)->interrupts++;
}

static inline void drv_config_(struct virtio_dev *dev)
{
	((struct drv *)dev->carrier)->config_changes++;
}

static inline void drv_failed_(struct virtio_dev *dev)
{
	((struct drv *)dev->carrier)->failures++;
}

static inline void drv_again_(struct virtio_dev *dev, unsigned int q)
{
	((struct drv *)dev->carrier)->again |= 1ULL << q;
}

static const struct virtio_transport drv_transport_ = {
	.interrupt = drv_interrupt_,
	.config_changed = drv_config_,
	.needs_reset = drv_failed_,
	.again = drv_again_,
};

/* The machine's half; the device comes with drv_attach(). */
static inline bool drv_init(struct drv *d)
{
	struct vm_memory m = { .bytes = DRV_MEMORY };
	struct err e = { 0 };

	memset(d, 0, sizeof(*d));
	d->heap = DRV_HEAP;
	return CHECK_OK(gmem_init(&d->mem, &m, &e), &e) &&
	       CHECK_OK(loop_new(&d->loop, &e), &e);
}

static inline void drv_done(struct drv *d)
{
	virtio_free(d->dev);
	loop_free(d->loop);
	gmem_done(&d->mem);
}

static inline void drv_attach(struct drv *d, struct virtio_dev *dev)
{
	d->dev = dev;
	dev->mem = &d->mem;
	dev->loop = d->loop;
	dev->transport = &drv_transport_;
	dev->carrier = d;
}

/* What a driver does until DRIVER_OK: accepts features (of those offered),
 * gives all queues. */
static inline int drv_start(struct drv *d, uint64_t features, struct err *e)
{
	for (uint32_t i = 0; i < d->dev->n_queues; i++) {
		struct virtq *vq = &d->dev->queue[i];
		struct drv_queue *q = &d->q[i];

		*q = (struct drv_queue){
			.desc = gmem_at(&d->mem, DRV_RING(i), 0x4000),
			.avail = gmem_at(&d->mem, DRV_RING(i) + DRV_AVAIL,
					 0x4000),
			.used = gmem_at(&d->mem, DRV_RING(i) + DRV_USED,
					0x4000),
		};
		memset(q->desc, 0, 0x4000);
		memset(q->avail, 0, 0x4000);
		memset(q->used, 0, 0x4000);
		vq->desc_gpa = DRV_RING(i);
		vq->avail_gpa = DRV_RING(i) + DRV_AVAIL;
		vq->used_gpa = DRV_RING(i) + DRV_USED;
		vq->size = vq->max < DRV_SIZE ? vq->max : DRV_SIZE;
		vq->ready = true;
	}
	return virtio_activate(
		d->dev,
		(features | 1ULL << VIRTIO_F_VERSION_1) & d->dev->offered, e);
}

static inline uint64_t drv_alloc(struct drv *d, uint64_t len)
{
	uint64_t at = d->heap;

	d->heap += (len + 15) & ~15ULL;
	return at;
}

static inline void *drv_at(struct drv *d, uint64_t gpa, uint64_t len)
{
	return gmem_at(&d->mem, gpa, len);
}

/* Makes head available. */
static inline void drv_offer(struct drv *d, unsigned int q, uint16_t head)
{
	struct drv_queue *dq = &d->q[q];
	uint16_t size =
		d->dev->queue[q].size ? d->dev->queue[q].size : DRV_SIZE;

	dq->avail[2 + dq->avail[1] % size] = head;
	dq->avail[1]++;
}

/* Puts a chain into the table and makes it available; gives its head. */
static inline uint16_t drv_add(struct drv *d, unsigned int q,
			       const struct drv_seg *segs, size_t n)
{
	struct drv_queue *dq = &d->q[q];
	uint16_t head = dq->next_desc % DRV_SIZE;

	for (size_t i = 0; i < n; i++) {
		uint16_t at = dq->next_desc++ % DRV_SIZE;

		dq->desc[at] = (struct vring_desc){
			.addr = segs[i].gpa,
			.len = segs[i].len,
			.flags =
				(uint16_t)((segs[i].writable
						    ? VRING_DESC_F_WRITE
						    : 0) |
					   (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
			.next = dq->next_desc % DRV_SIZE,
		};
	}
	drv_offer(d, q, head);
	return head;
}

static inline void drv_kick(struct drv *d, unsigned int q)
{
	virtio_kick(d->dev, q);
}

/* The next answer, if there is one. */
static inline bool drv_used(struct drv *d, unsigned int q, uint32_t *ret_id,
			    uint32_t *ret_len)
{
	struct drv_queue *dq = &d->q[q];
	struct vring_used_elem el;

	if (dq->seen == dq->used[1])
		return false;
	memcpy(&el, &dq->used[2 + 4 * (dq->seen % DRV_SIZE)], sizeof(el));
	dq->seen++;
	*ret_id = el.id;
	*ret_len = el.len;
	return true;
}

static inline int drv_idle_(void *arg, struct err *e)
{
	struct drv *d = arg;

	d->idle = true;
	loop_quit(d->loop, 0);
	return 0;
}

/* Lets the device do what it can do now, kicks it asked for included. */
static inline void drv_turn(struct drv *d)
{
	struct loop_source *timer = NULL;
	struct err e = { 0 };
	uint64_t again = d->again;

	d->again = 0;
	for (unsigned int q = 0; q < d->dev->n_queues; q++)
		if (again & 1ULL << q)
			drv_kick(d, q);
	if (!CHECK_OK(loop_add_timer(d->loop, 1, 0, drv_idle_, d, &timer, &e),
		      &e))
		return;
	(void)CHECK_OK(loop_run(d->loop, &e), &e);
	loop_remove(d->loop, timer);
}

/* Turns until the condition holds; false when it never does. */
#define DRV_UNTIL(d, condition)                                                \
	({                                                                     \
		unsigned int turns_ = 0;                                       \
                                                                               \
		while (!(condition) && turns_++ < 2000)                        \
			drv_turn(d);                                           \
		turns_ <= 2000;                                                \
	})

/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/virtq.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "microvm/gmem.h"

/* virtio is little-endian, and so is every host this runs on. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte order");

/* Positions in the rings, in 16-bit words. */
#define FLAGS		0
#define IDX		1
#define RING		2
#define USED_EVENT(vq)	((size_t)RING + (vq)->size)
#define AVAIL_EVENT(vq) ((size_t)RING + 4 * (size_t)(vq)->size)

static uint16_t load(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/*
 * One copy, then judgement. The empty asm tells the compiler that the copy
 * has a life of its own, or it could read the guest's memory again.
 */
static struct vring_desc load_desc(const struct vring_desc *from)
{
	struct vring_desc d;

	memcpy(&d, from, sizeof(d));
	__asm__ volatile("" : "+m"(d));
	return d;
}

static bool sane_size(const struct virtq *vq)
{
	return vq->size > 0 && vq->size <= vq->max &&
	       (vq->size & (vq->size - 1)) == 0;
}

int virtq_start(struct virtq *vq, const struct gmem *m, uint64_t features)
{
	uint64_t n = vq->size;

	if (!sane_size(vq) || vq->desc_gpa % 16 || vq->avail_gpa % 2 ||
	    vq->used_gpa % 4)
		return -EPROTO;
	vq->desc = gmem_at(m, vq->desc_gpa, n * sizeof(struct vring_desc));
	vq->avail = gmem_at(m, vq->avail_gpa, 6 + 2 * n);
	vq->used = gmem_at(m, vq->used_gpa, 6 + 8 * n);
	if (!vq->desc || !vq->avail || !vq->used)
		return -EPROTO;

	vq->next_avail = vq->next_used = vq->signalled = 0;
	vq->event_idx = features & (1ULL << VIRTIO_RING_F_EVENT_IDX);
	vq->running = true;
	return 0;
}

void virtq_stop(struct virtq *vq)
{
	*vq = (struct virtq){ .max = vq->max };
}

static int add_segment(struct virtq_chain *c, const struct gmem *m,
		       const struct vring_desc *d)
{
	bool writable = d->flags & VRING_DESC_F_WRITE;
	struct iovec v = {
		.iov_base = gmem_at(m, d->addr, d->len),
		.iov_len = d->len,
	};

	if (!v.iov_base || c->n_in + c->n_out == VIRTQ_MAX_SEGS)
		return -EPROTO;
	if (!writable && c->n_out > 0)
		return -EPROTO; /* readable parts come first, always */

	c->seg[c->n_in + c->n_out] = v;
	if (writable)
		c->n_out++;
	else
		c->n_in++;
	return 0;
}

/* Follows one table from entry i. 1: d is the indirect one that ends it. */
static int walk(struct virtq_chain *c, const struct gmem *m,
		const struct vring_desc *table, uint32_t size, uint32_t i,
		struct vring_desc *d)
{
	int r;

	do {
		if (i >= size)
			return -EPROTO;
		*d = load_desc(&table[i]);
		if (d->flags & VRING_DESC_F_INDIRECT)
			return 1;
		r = add_segment(c, m, d);
		if (r < 0)
			return r;
		i = d->next;
	} while (d->flags & VRING_DESC_F_NEXT);
	return 0;
}

static int walk_indirect(struct virtq_chain *c, const struct gmem *m,
			 const struct vring_desc *by)
{
	uint32_t n = by->len / (uint32_t)sizeof(struct vring_desc);
	const struct vring_desc *table;
	struct vring_desc d;

	if (by->flags & VRING_DESC_F_NEXT || n == 0 || by->addr % 8 ||
	    by->len % sizeof(struct vring_desc))
		return -EPROTO;
	table = gmem_at(m, by->addr, by->len);
	if (!table)
		return -EPROTO;
	/* No second level: a table in a table is a table without end. */
	return walk(c, m, table, n, 0, &d) == 0 ? 0 : -EPROTO;
}

static int read_chain(struct virtq *vq, const struct gmem *m,
		      struct virtq_chain *c, uint16_t head)
{
	struct vring_desc d;
	int r;

	c->head = head;
	c->n_in = c->n_out = 0;
	r = walk(c, m, vq->desc, vq->size, head, &d);
	if (r == 1)
		r = walk_indirect(c, m, &d);
	c->in = c->seg;
	c->out = c->seg + c->n_in;
	return r;
}

/* How many requests wait; more than the queue can hold is a lie. */
static uint16_t waiting(const struct virtq *vq)
{
	uint16_t idx = __atomic_load_n(&vq->avail[IDX], __ATOMIC_ACQUIRE);

	return (uint16_t)(idx - vq->next_avail);
}

/* Asks to be notified of the next request; one may have slipped in. */
static uint16_t arm(struct virtq *vq)
{
	if (!vq->event_idx)
		return 0; /* it always notifies */
	__atomic_store_n(&vq->used[AVAIL_EVENT(vq)], vq->next_avail,
			 __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return waiting(vq);
}

int virtq_pop(struct virtq *vq, const struct gmem *m, struct virtq_chain *c)
{
	uint16_t n, head;
	int r;

	if (!vq->running)
		return 0;
	n = waiting(vq);
	if (n == 0)
		n = arm(vq);
	if (n == 0)
		return 0;
	if (n > vq->size)
		return -EPROTO;

	head = load(&vq->avail[RING + (vq->next_avail & (vq->size - 1))]);
	r = read_chain(vq, m, c, head);
	if (r < 0)
		return r;
	vq->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *vq)
{
	vq->next_avail--;
}

bool virtq_empty(const struct virtq *vq)
{
	return !vq->running || waiting(vq) == 0;
}

void virtq_stage(struct virtq *vq, uint16_t position, uint16_t head,
		 uint32_t written)
{
	size_t at = (size_t)(vq->next_used + position) & (vq->size - 1U);
	struct vring_used_elem el = { .id = head, .len = written };

	if (vq->running)
		memcpy(&vq->used[RING + 4 * at], &el, sizeof(el));
}

void virtq_publish(struct virtq *vq, uint16_t n)
{
	if (!vq->running)
		return;
	vq->next_used = (uint16_t)(vq->next_used + n);
	__atomic_store_n(&vq->used[IDX], vq->next_used, __ATOMIC_RELEASE);
}

void virtq_push(struct virtq *vq, uint16_t head, uint32_t written)
{
	virtq_stage(vq, 0, head, written);
	virtq_publish(vq, 1);
}

bool virtq_wants_interrupt(struct virtq *vq)
{
	uint16_t now = vq->next_used, before = vq->signalled;
	uint16_t event;

	if (!vq->running || now == before)
		return false;
	/* The answer first, then the question whether it matters; the driver
	 * does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	vq->signalled = now;
	if (!vq->event_idx)
		return !(load(&vq->avail[FLAGS]) & VRING_AVAIL_F_NO_INTERRUPT);
	event = load(&vq->avail[USED_EVENT(vq)]);
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

size_t virtq_len(const struct iovec *v, uint32_t n)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

typedef void (*copy_fn)(char *guest, char *data, size_t len);

static void from_guest(char *guest, char *data, size_t len)
{
	memcpy(data, guest, len);
}

static void to_guest(char *guest, char *data, size_t len)
{
	memcpy(guest, data, len);
}

static size_t copy(const struct iovec *v, uint32_t n, size_t skip, char *data,
		   size_t len, copy_fn fn)
{
	size_t done = 0;

	for (uint32_t i = 0; i < n && done < len; i++) {
		size_t part;

		if (skip >= v[i].iov_len) {
			skip -= v[i].iov_len;
			continue;
		}
		part = MIN_OF(v[i].iov_len - skip, len - done);
		fn((char *)v[i].iov_base + skip, data + done, part);
		done += part;
		skip = 0;
	}
	return done;
}

size_t virtq_copy_from(const struct iovec *v, uint32_t n, size_t skip,
		       void *data, size_t len)
{
	return copy(v, n, skip, data, len, from_guest);
}

size_t virtq_copy_to(const struct iovec *v, uint32_t n, size_t skip,
		     const void *data, size_t len)
{
	return copy(v, n, skip, (char *)(uintptr_t)data, len, to_guest);
}

uint32_t virtq_skip(struct iovec *v, uint32_t n, size_t skip)
{
	uint32_t gone = 0;

	while (gone < n && skip >= v[gone].iov_len)
		skip -= v[gone++].iov_len;
	if (gone < n) {
		v[gone].iov_base = (char *)v[gone].iov_base + skip;
		v[gone].iov_len -= skip;
	}
	memmove(v, v + gone, (n - gone) * sizeof(*v));
	return n - gone;
}

uint32_t virtq_cut(struct iovec *v, uint32_t n, size_t len)
{
	for (uint32_t i = 0; i < n; i++) {
		if (v[i].iov_len >= len) {
			v[i].iov_len = len;
			return i + 1;
		}
		len -= v[i].iov_len;
	}
	return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A split virtqueue: the only place where descriptors are read.
 *
 * The driver is not trusted. Each descriptor is copied once and then judged;
 * what a chain holds are host ranges that gmem_at() vouched for. A chain with
 * a loop needs no check of its own: it ends when there is no room for another
 * segment. Indirect tables are followed one level deep and have the same room.
 * The driver may change buffers while we use them; whoever reads a request's
 * header copies it before judging it.
 *
 *	while ((r = virtq_pop(vq, mem, &c)) > 0) {
 *		... read c.in[0..n_in), fill c.out[0..n_out) ...
 *		r = virtq_push(vq, c.head, written);
 *	}
 *	return r;		-EPROTO: the device gets NEEDS_RESET
 *
 * Features handled here: VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX.
 * A queue belongs to the device thread, or to whoever the device lends it to.
 */
#include <sys/uio.h>

#include "base/err.h"

#define VIRTQ_MAX_SEGS 272 /* 1 MiB in pages, and headers */
#define VIRTQ_MAX_SIZE 1024

struct gmem;
struct vring_desc;

struct virtq {
	/* What the driver wrote; guest addresses. */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t size;
	uint16_t max; /* what we offered */
	bool ready;

	/* Since virtq_start(). */
	const struct vring_desc *desc;
	const uint16_t *avail; /* flags, idx, ring[size], used_event */
	uint16_t *used;	       /* flags, idx, {id, len}[size], avail_event */
	uint16_t next_avail, next_used;
	uint16_t signalled; /* next_used at the last interrupt */
	bool event_idx;
	bool running;
};

/* A request: what we may read, then what we may write. */
struct virtq_chain {
	uint16_t head;
	uint32_t n_in, n_out;
	struct iovec *in, *out; /* into seg */
	struct iovec seg[VIRTQ_MAX_SEGS];
};

/* Takes what the driver wrote; -EPROTO when it cannot be a queue. */
MUST_CHECK int virtq_start(struct virtq *vq, const struct gmem *m,
			   uint64_t features);
/* Forgets everything but .max. */
void virtq_stop(struct virtq *vq);

/* 1: a request; 0: none, the driver will notify; -EPROTO: it cheats. */
MUST_CHECK int virtq_pop(struct virtq *vq, const struct gmem *m,
			 struct virtq_chain *c);
/* Gives back the request popped last, as if it had not been taken. */
void virtq_unpop(struct virtq *vq);
/* Has the queue a request? Does not ask for a notification. */
bool virtq_empty(const struct virtq *vq);

/* Answers a request with the number of bytes written into it. */
void virtq_push(struct virtq *vq, uint16_t head, uint32_t written);

/*
 * Several answers that become visible at once (mergeable receive buffers):
 * staged at positions 0, 1, ... behind the last one, then published.
 */
void virtq_stage(struct virtq *vq, uint16_t position, uint16_t head,
		 uint32_t written);
void virtq_publish(struct virtq *vq, uint16_t n);

/* Whether the driver wants an interrupt for what was pushed since the last
 * call that said yes. */
bool virtq_wants_interrupt(struct virtq *vq);

/* Sums and copies over segments; the copies give the bytes moved. */
size_t virtq_len(const struct iovec *v, uint32_t n);
size_t virtq_copy_from(const struct iovec *v, uint32_t n, size_t skip,
		       void *data, size_t len);
size_t virtq_copy_to(const struct iovec *v, uint32_t n, size_t skip,
		     const void *data, size_t len);
/* Leaves out the first skip bytes, or all behind the first len: gives how
 * many segments remain in v. */
uint32_t virtq_skip(struct iovec *v, uint32_t n, size_t skip);
uint32_t virtq_cut(struct iovec *v, uint32_t n, size_t len);

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "microvm/gmem.h"
#include "microvm/virtio.h"

/*
 * Memory comes back to the host in two ways. The guest reports pages that it
 * has freed, all by itself (free page reporting); and it can be asked to give
 * up so many bytes (the balloon proper), which it takes back when it would
 * run out of memory.
 *
 * The queue of reports is the third one for Linux, which leaves out numbers
 * whose feature was not offered, and the fifth by the letter; both are ours.
 */
enum queue {
	INFLATE,
	DEFLATE,
	FIRST_REPORTS,
	N_QUEUES = 5,
};

#define QUEUE_MAX  128
#define PFN_SHIFT  VIRTIO_BALLOON_PFN_SHIFT
#define BATCH_PFNS 256

struct balloon {
	struct virtio_dev dev;
	struct virtio_balloon_config config;
	uint64_t reported; /* bytes, since the start */
};

static struct balloon *to_balloon(struct virtio_dev *dev)
{
	return CONTAINER_OF(dev, struct balloon, dev);
}

/* Neighbours together: a call each would be one per 4 KiB. */
static int discard_pfns(const struct gmem *m, const uint32_t *pfn, size_t n)
{
	size_t i = 0;

	while (i < n) {
		uint64_t first = pfn[i];
		uint64_t count = 1;
		int r;

		while (i + count < n && pfn[i + count] == first + count)
			count++;
		r = gmem_discard(m, first << PFN_SHIFT, count << PFN_SHIFT);
		if (r < 0)
			return r == -EFAULT ? -EPROTO : 0;
		i += count;
	}
	return 0;
}

static int inflate(struct virtio_dev *dev, const struct virtq_chain *c)
{
	size_t len = virtq_len(c->in, c->n_in), at = 0;
	uint32_t pfn[BATCH_PFNS];
	int r = 0;

	while (at + sizeof(pfn[0]) <= len && r == 0) {
		size_t n =
			virtq_copy_from(c->in, c->n_in, at, pfn, sizeof(pfn));

		r = discard_pfns(dev->mem, pfn, n / sizeof(pfn[0]));
		at += n;
	}
	return r;
}

static int report(struct virtio_dev *dev, const struct virtq_chain *c)
{
	struct balloon *b = to_balloon(dev);

	for (uint32_t i = 0; i < c->n_out; i++) {
		const struct iovec *v = &c->out[i];

		/* Guest pages are host pages: the mapping begins on one. */
		if ((uintptr_t)v->iov_base % GMEM_PAGE ||
		    v->iov_len % GMEM_PAGE)
			return -EPROTO;
		if (madvise(v->iov_base, v->iov_len, MADV_DONTNEED) == 0)
			b->reported += v->iov_len;
	}
	return 0;
}

/* It takes its pages back by touching them. */
static int deflate(struct virtio_dev *dev, const struct virtq_chain *c)
{
	return 0;
}

static int balloon_kick(struct virtio_dev *dev, unsigned int q)
{
	static int (*const serve[])(struct virtio_dev * dev,
				    const struct virtq_chain *c) = {
		[INFLATE] = inflate,
		[DEFLATE] = deflate,
		[FIRST_REPORTS] = report,
	};
	struct virtq *vq = &dev->queue[q];
	unsigned int kind = MIN_OF(q, (unsigned int)FIRST_REPORTS);
	struct virtq_chain c;
	int served = 0, r;

	while ((r = virtq_pop(vq, dev->mem, &c)) > 0) {
		r = serve[kind](dev, &c);
		if (r < 0)
			return r;
		virtq_push(vq, c.head, 0);
		if (++served == VIRTIO_BATCH)
			return VIRTIO_AGAIN;
	}
	return r < 0 ? r : served > 0;
}

/* The driver says how much it has given up. */
static void balloon_config(struct virtio_dev *dev, uint32_t offset,
			   const uint8_t *data, uint32_t len)
{
	struct balloon *b = to_balloon(dev);

	if (offset != offsetof(struct virtio_balloon_config, actual) ||
	    len != sizeof(b->config.actual))
		return;
	(void)pthread_mutex_lock(&dev->config_lock);
	memcpy(&b->config.actual, data, len);
	(void)pthread_mutex_unlock(&dev->config_lock);
}

static void balloon_free(struct virtio_dev *dev)
{
	virtio_done(dev);
	free(to_balloon(dev));
}

static const struct virtio_ops balloon_ops = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.kick = balloon_kick,
	.config = balloon_config,
	.free = balloon_free,
};

int virtio_balloon_new(struct virtio_dev **ret, struct err *e)
{
	struct balloon *b = calloc(1, sizeof(*b));

	if (!b)
		return err_nomem(e);
	b->dev.offered = 1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
			 1ULL << VIRTIO_BALLOON_F_REPORTING;
	virtio_init(&b->dev, &balloon_ops, N_QUEUES, QUEUE_MAX);
	b->dev.config = (uint8_t *)&b->config;
	b->dev.config_len = sizeof(b->config);
	*ret = &b->dev;
	return 0;
}

int virtio_balloon_set(struct virtio_dev *dev, uint64_t bytes, struct err *e)
{
	uint32_t pages;

	if (dev->ops != &balloon_ops)
		return err_set(e, -EOPNOTSUPP, "it is no balloon");
	if (bytes >> PFN_SHIFT > UINT32_MAX)
		return err_set(e, -ERANGE, "%llu bytes are too many",
			       (unsigned long long)bytes);
	pages = (uint32_t)(bytes >> PFN_SHIFT);
	virtio_set_config(dev,
			  offsetof(struct virtio_balloon_config, num_pages),
			  &pages, sizeof(pages));
	return 0;
}

bool virtio_balloon_stat(struct virtio_dev *dev, struct virtio_balloon_sizes *s)
{
	struct balloon *b = to_balloon(dev);

	if (dev->ops != &balloon_ops)
		return false;
	s->given_up = (uint64_t)b->config.actual << PFN_SHIFT;
	s->reported = b->reported;
	return true;
}

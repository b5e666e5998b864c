/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "microvm/virtio.h"

/* More than this at once no driver asks for; the rest stays unwritten. */
#define MOST 4096U

struct rng {
	struct virtio_dev dev;
};

static uint32_t fill(const struct virtq_chain *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_out && n < MOST; i++) {
		size_t want = MIN_OF(c->out[i].iov_len, (size_t)(MOST - n));
		ssize_t got =
			getrandom(c->out[i].iov_base, want, GRND_NONBLOCK);

		/* Early in the host's life there may be none: the buffer goes
		 * back short, and the driver asks again. Never block. */
		if (got <= 0)
			break;
		n += (uint32_t)got;
	}
	return n;
}

static int rng_kick(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->queue[q];
	struct virtq_chain c;
	int served = 0, r;

	while ((r = virtq_pop(vq, dev->mem, &c)) > 0) {
		virtq_push(vq, c.head, fill(&c));
		if (++served == VIRTIO_BATCH)
			return VIRTIO_AGAIN;
	}
	return r < 0 ? r : served > 0;
}

static void rng_free(struct virtio_dev *dev)
{
	virtio_done(dev);
	free(CONTAINER_OF(dev, struct rng, dev));
}

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.kick = rng_kick,
	.free = rng_free,
};

int virtio_rng_new(struct virtio_dev **ret, struct err *e)
{
	struct rng *r = calloc(1, sizeof(*r));

	if (!r)
		return err_nomem(e);
	virtio_init(&r->dev, &rng_ops, 1, 64);
	*ret = &r->dev;
	return 0;
}

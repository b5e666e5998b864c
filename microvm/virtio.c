/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/virtio.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/log.h"

#define QUEUE_FEATURES                                                         \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |    \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)

void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops,
		 uint32_t n_queues, uint16_t queue_max)
{
	assert(n_queues <= VIRTIO_MAX_QUEUES && queue_max <= VIRTQ_MAX_SIZE);
	dev->ops = ops;
	dev->n_queues = n_queues;
	for (uint32_t i = 0; i < n_queues; i++)
		dev->queue[i].max = queue_max;
	dev->offered |= QUEUE_FEATURES;
	(void)pthread_mutex_init(&dev->config_lock, NULL);
}

void virtio_free(struct virtio_dev *dev)
{
	if (!dev)
		return;
	virtio_reset(dev);
	dev->ops->free(dev);
}

void virtio_done(struct virtio_dev *dev)
{
	(void)pthread_mutex_destroy(&dev->config_lock);
}

int virtio_start(struct virtio_dev *dev, bool jailed, struct err *e)
{
	return dev->ops->start ? dev->ops->start(dev, jailed, e) : 0;
}

bool virtio_has(const struct virtio_dev *dev, unsigned int feature)
{
	return dev->features & (1ULL << feature);
}

void virtio_notify(struct virtio_dev *dev, unsigned int q)
{
	if (virtq_wants_interrupt(&dev->queue[q]))
		dev->transport->interrupt(dev);
}

void virtio_reset(struct virtio_dev *dev)
{
	if (dev->active && dev->ops->reset)
		dev->ops->reset(dev);
	dev->active = false;
	dev->features = 0;
	for (uint32_t i = 0; i < dev->n_queues; i++)
		virtq_stop(&dev->queue[i]);
}

void virtio_fail(struct virtio_dev *dev, const char *why)
{
	log_debug("virtio-%s: %s: stopped until reset", dev->ops->name, why);
	virtio_reset(dev);
	dev->transport->needs_reset(dev);
}

void virtio_set_config(struct virtio_dev *dev, uint32_t offset,
		       const void *data, uint32_t len)
{
	assert(offset <= dev->config_len && len <= dev->config_len - offset);
	(void)pthread_mutex_lock(&dev->config_lock);
	memcpy(dev->config + offset, data, len);
	(void)pthread_mutex_unlock(&dev->config_lock);
	if (dev->transport)
		dev->transport->config_changed(dev);
}

void virtio_get_config(struct virtio_dev *dev, uint32_t offset, void *data,
		       uint32_t len)
{
	memset(data, 0, len);
	if (offset >= dev->config_len || len > dev->config_len - offset)
		return;
	(void)pthread_mutex_lock(&dev->config_lock);
	memcpy(data, dev->config + offset, len);
	(void)pthread_mutex_unlock(&dev->config_lock);
}

static int start_queues(struct virtio_dev *dev, struct err *e)
{
	for (uint32_t i = 0; i < dev->n_queues; i++) {
		struct virtq *vq = &dev->queue[i];

		if (vq->ready && virtq_start(vq, dev->mem, dev->features) < 0)
			return err_set(e, -EPROTO, "queue %u is not in RAM", i);
	}
	return 0;
}

int virtio_activate(struct virtio_dev *dev, uint64_t features, struct err *e)
{
	int r;

	dev->features = features;
	r = start_queues(dev, e);
	if (r == 0 && dev->ops->activate)
		r = dev->ops->activate(dev, e);
	if (r < 0) {
		virtio_reset(dev);
		return err_wrap(e, r, "virtio-%s", dev->ops->name);
	}
	dev->active = true;
	return 0;
}

void virtio_kick(struct virtio_dev *dev, unsigned int q)
{
	int r;

	if (!dev->active || q >= dev->n_queues || !dev->ops->kick)
		return;
	r = dev->ops->kick(dev, q);
	if (r < 0) {
		virtio_fail(dev, "bad request");
		return;
	}
	if (r > 0)
		virtio_notify(dev, q);
	if (r == VIRTIO_AGAIN)
		dev->transport->again(dev, q);
}

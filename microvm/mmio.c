/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/mmio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "microvm/mmio_priv.h"

void mmio_signal(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is signalled already */
}

static void interrupt(struct mmio *m, uint32_t why)
{
	(void)__atomic_fetch_or(&m->isr, why, __ATOMIC_SEQ_CST);
	mmio_signal(m->irq_fd);
}

/* What the device asks of its transport. */

static void dev_interrupt(struct virtio_dev *dev)
{
	interrupt(dev->carrier, VIRTIO_MMIO_INT_VRING);
}

static void dev_config_changed(struct virtio_dev *dev)
{
	struct mmio *m = dev->carrier;

	(void)__atomic_fetch_add(&m->generation, 1, __ATOMIC_SEQ_CST);
	if (dev->active)
		interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

static void dev_needs_reset(struct virtio_dev *dev)
{
	struct mmio *m = dev->carrier;

	(void)__atomic_fetch_or(&m->status, VIRTIO_CONFIG_S_NEEDS_RESET,
				__ATOMIC_SEQ_CST);
	interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

static void dev_again(struct virtio_dev *dev, unsigned int q)
{
	struct mmio *m = dev->carrier;

	mmio_signal(m->kick[q].fd);
}

static const struct virtio_transport transport = {
	.interrupt = dev_interrupt,
	.config_changed = dev_config_changed,
	.needs_reset = dev_needs_reset,
	.again = dev_again,
};

static int on_kick(void *arg, int fd, uint32_t events, struct err *e)
{
	struct kick *k = arg;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	virtio_kick(k->mmio->dev, k->q);
	return 0;
}

static int new_eventfd(int *ret, struct err *e)
{
	*ret = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return *ret < 0 ? err_errno(e, "make an eventfd") : 0;
}

static int open_kicks(struct mmio *m, struct err *e)
{
	int r = 0;

	for (uint32_t q = 0; q < m->dev->n_queues && r == 0; q++) {
		struct kick *k = &m->kick[q];

		k->mmio = m;
		k->q = q;
		r = new_eventfd(&k->fd, e);
		if (r == 0)
			r = loop_add_fd(m->dev->loop, k->fd, EPOLLIN, on_kick,
					k, &k->source, e);
	}
	return r;
}

int mmio_new(struct virtio_dev *dev, struct gate *gate, struct mmio **ret,
	     struct err *e)
{
	struct mmio *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		virtio_free(dev);
		return err_nomem(e);
	}
	m->dev = dev;
	m->gate = gate;
	m->irq_fd = -1;
	(void)pthread_mutex_init(&m->lock, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(m->kick); i++)
		m->kick[i].fd = -1;
	dev->transport = &transport;
	dev->carrier = m;

	r = new_eventfd(&m->irq_fd, e);
	if (r == 0)
		r = open_kicks(m, e);
	if (r < 0) {
		mmio_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void mmio_free(struct mmio *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(m->kick); i++) {
		if (m->kick[i].source)
			loop_remove(m->dev->loop, m->kick[i].source);
		if (m->kick[i].fd >= 0)
			(void)close(m->kick[i].fd);
	}
	virtio_free(m->dev);
	if (m->irq_fd >= 0)
		(void)close(m->irq_fd);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

struct virtio_dev *mmio_dev(const struct mmio *m)
{
	return m->dev;
}

int mmio_irq_fd(const struct mmio *m)
{
	return m->irq_fd;
}

int mmio_kick_fd(const struct mmio *m, unsigned int q)
{
	return m->kick[q].fd;
}

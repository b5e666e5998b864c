/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between mmio.c (the device's side) and mmio_regs.c (the driver's). */
#include "microvm/mmio.h"

struct loop_source;

struct kick {
	struct mmio *mmio;
	unsigned int q;
	int fd;
	struct loop_source *source;
};

/* What the driver says of a queue before the device gets to see it. */
struct queue_regs {
	uint64_t desc, avail, used;
	uint16_t size;
	bool ready;
};

struct mmio {
	struct virtio_dev *dev;
	struct gate *gate;
	int irq_fd;
	struct kick kick[VIRTIO_MAX_QUEUES];

	/* Atomic: the device thread changes them, too. */
	uint32_t isr, status, generation;

	/* Under the lock; of vCPU threads alone, but for an activation, which
	 * happens while its vCPU waits with the lock held. */
	pthread_mutex_t lock;
	uint32_t features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features;
	struct queue_regs queue[VIRTIO_MAX_QUEUES];
};

/* Adds one to an eventfd. */
void mmio_signal(int fd);

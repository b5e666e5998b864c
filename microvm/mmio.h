/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * virtio over MMIO, version 2: a page of registers, an interrupt, and one
 * eventfd per queue that KVM signals when the driver notifies it.
 *
 * vCPU threads read and write the registers under a lock of the device's own;
 * what concerns the device itself (its status, its configuration) goes to the
 * device thread through the gate. The interrupt status alone is atomic,
 * because it is touched for every interrupt.
 */
#include "microvm/bus.h"
#include "microvm/virtio.h"

#define MMIO_SIZE   0x1000U
#define MMIO_NOTIFY 0x50U /* where the ioeventfds go */

struct gate;
struct mmio;

extern const struct bus_ops mmio_bus_ops; /* its dev: struct mmio */

/* Takes over dev, in failure too. Without a gate (tests) calls are made on
 * the spot. dev->loop and dev->mem are set. */
MUST_CHECK int mmio_new(struct virtio_dev *dev, struct gate *gate,
			struct mmio **ret, struct err *e);
void mmio_free(struct mmio *m);

struct virtio_dev *mmio_dev(const struct mmio *m);
/* An eventfd; writing to it interrupts the guest. */
int mmio_irq_fd(const struct mmio *m);
int mmio_kick_fd(const struct mmio *m, unsigned int q);

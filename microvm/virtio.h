/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A virtio device = constant ops + this common state + its own state behind
 * it. It knows its queues and nothing of the transport (mmio.c), which hands
 * it notifications and carries its interrupts.
 *
 * All ops run on the device thread, one at a time; so does everything the
 * device puts into the loop. A device that lends a queue to workers takes it
 * back in its reset.
 *
 *	start	  the machine is about to run: the last chance to make threads
 *	activate  the driver is ready: queues run, features are negotiated
 *	kick	  queue q was notified. > 0: something was answered, tell the
 *		  guest; VIRTIO_AGAIN: the same, and call me again soon, others
 *		  come first; 0: nothing; < 0: the driver cheats
 *	config	  the driver wrote to the configuration space
 *	reset	  back to the state before activate: nothing of the guest's
 *		  memory is touched any more; its queues are stopped next
 *
 * A driver that cheats gets its device stopped and NEEDS_RESET: virtio_fail()
 * does that, as does a negative result of kick.
 */
#include <pthread.h>

#include "microvm/virtq.h"

#define VIRTIO_MAX_QUEUES 16
#define VIRTIO_AGAIN	  2
#define VIRTIO_BATCH	  256 /* requests in one kick, then it is others' turn */

struct loop;
struct virtio_dev;

struct virtio_ops {
	const char *name;
	uint32_t id;
	int (*start)(struct virtio_dev *dev, bool jailed, struct err *e);
	int (*activate)(struct virtio_dev *dev, struct err *e);
	int (*kick)(struct virtio_dev *dev, unsigned int q);
	void (*config)(struct virtio_dev *dev, uint32_t offset,
		       const uint8_t *data, uint32_t len);
	void (*reset)(struct virtio_dev *dev);
	void (*free)(struct virtio_dev *dev);
};

/* What a transport gives its device. */
struct virtio_transport {
	void (*interrupt)(struct virtio_dev *dev);
	void (*config_changed)(struct virtio_dev *dev);
	void (*needs_reset)(struct virtio_dev *dev);
	/* As if the driver had notified it of queue q, soon. */
	void (*again)(struct virtio_dev *dev, unsigned int q);
};

struct virtio_dev {
	const struct virtio_ops *ops;
	const struct virtio_transport *transport;
	void *carrier; /* the transport's own */
	struct gmem *mem;
	struct loop *loop;

	uint64_t offered;  /* the device's features; the queue's are added */
	uint64_t features; /* what driver and device agreed on */
	bool active;	   /* between activate and reset */

	uint32_t n_queues;
	struct virtq queue[VIRTIO_MAX_QUEUES];

	/* The configuration space; written through virtio_set_config() once
	 * the machine runs, because vCPUs read it. */
	uint8_t *config;
	uint32_t config_len;
	pthread_mutex_t config_lock;
};

/* Sets up the common state: n_queues of at most queue_max entries. */
void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops,
		 uint32_t n_queues, uint16_t queue_max);
/* Calls ops->free, which ends with the memory of the device itself. */
void virtio_free(struct virtio_dev *dev);
/* Releases the common state: the last but free() in ops->free. */
void virtio_done(struct virtio_dev *dev);

bool virtio_has(const struct virtio_dev *dev, unsigned int feature);

/* Interrupts the guest if it wants to hear of queue q. */
void virtio_notify(struct virtio_dev *dev, unsigned int q);
/* Stops the device and tells the driver so. */
void virtio_fail(struct virtio_dev *dev, const char *why);

/* For the machine: the device's threads begin, each in its jail. */
MUST_CHECK int virtio_start(struct virtio_dev *dev, bool jailed, struct err *e);

/* For the device and for the transport. */
void virtio_set_config(struct virtio_dev *dev, uint32_t offset,
		       const void *data, uint32_t len);
void virtio_get_config(struct virtio_dev *dev, uint32_t offset, void *data,
		       uint32_t len);

/* For the transport: what the driver's status writes come to. */
MUST_CHECK int virtio_activate(struct virtio_dev *dev, uint64_t features,
			       struct err *e);
/* A notification. */
void virtio_kick(struct virtio_dev *dev, unsigned int q);
void virtio_reset(struct virtio_dev *dev);

struct vm_config;

/* All devices of a config, in their fixed order; ret has room for
 * VM_MAX_DEVICES. On failure none is left. */
MUST_CHECK int virtio_make_all(const struct vm_config *c,
			       struct virtio_dev **ret, unsigned int *ret_n,
			       struct err *e);

/* Each of them. What they are given must stay as long as they do. */
struct vm_disk;
struct vm_share;
struct vm_nic;

MUST_CHECK int virtio_rng_new(struct virtio_dev **ret, struct err *e);
MUST_CHECK int virtio_balloon_new(struct virtio_dev **ret, struct err *e);

/* Of any device: those that are no balloon say so. */
struct virtio_balloon_sizes {
	uint64_t given_up; /* of what was asked for */
	uint64_t reported; /* as free, since the start */
};
MUST_CHECK int virtio_balloon_set(struct virtio_dev *dev, uint64_t bytes,
				  struct err *e);
bool virtio_balloon_stat(struct virtio_dev *dev,
			 struct virtio_balloon_sizes *ret);
MUST_CHECK int virtio_console_new(const struct vm_config *c,
				  struct virtio_dev **ret, struct err *e);
MUST_CHECK int virtio_vsock_new(const struct vm_config *c,
				struct virtio_dev **ret, struct err *e);
MUST_CHECK int virtio_net_new(const struct vm_nic *nic, struct virtio_dev **ret,
			      struct err *e);
MUST_CHECK int virtio_fs_new(const struct vm_share *share,
			     struct virtio_dev **ret, struct err *e);
MUST_CHECK int virtio_blk_new(const struct vm_disk *disk,
			      struct virtio_dev **ret, struct err *e);

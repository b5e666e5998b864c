/* SPDX-License-Identifier: Apache-2.0 */
/* A driver of anybody's making: rings, descriptors and requests are the
 * input, for each device but the share, which has a fuzzer of its own behind
 * the same queues. */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "microvm/gmem.h"
#include "microvm/virtio.h"
#include "microvm/vm_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY (16U << 20)
#define RING   0x10000ULL
#define SIZE   16
#define DISK   (1U << 20)

/* The rest is in make(). */
#define KIND_NET  4
#define KIND_DISK 5 /* and a read-only one behind it */
#define KINDS	  7

static void nothing(struct virtio_dev *dev)
{
}

static void no_queue(struct virtio_dev *dev, unsigned int q)
{
}

static const struct virtio_transport transport = {
	.interrupt = nothing,
	.config_changed = nothing,
	.needs_reset = nothing,
	.again = no_queue,
};

struct world {
	struct gmem mem;
	struct loop *loop;
	struct vm_config config;
	struct vm_vsock vsock;
	struct vm_vsock_port vsock_port;
	struct vm_port port;
	struct vm_nic nic;
	struct vm_disk disk;
	int ends[2];
};

static int make(struct world *w, unsigned int kind, struct virtio_dev **ret)
{
	switch (kind % KINDS) {
	case 0:
		return virtio_rng_new(ret, NULL);
	case 1:
		return virtio_balloon_new(ret, NULL);
	case 2:
		return virtio_console_new(&w->config, ret, NULL);
	case 3:
		return virtio_vsock_new(&w->config, ret, NULL);
	case KIND_NET:
		return virtio_net_new(&w->nic, ret, NULL);
	default:
		w->disk.readonly = kind % KINDS == KIND_DISK + 1;
		return virtio_blk_new(&w->disk, ret, NULL);
	}
}

static int begin(struct world *w, int type)
{
	static char name[] = "port";
	struct vm_memory m = { .bytes = MEMORY };

	memset(w, 0, sizeof(*w));
	if (gmem_init(&w->mem, &m, NULL) < 0 || loop_new(&w->loop, NULL) < 0 ||
	    socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       w->ends) < 0)
		return -1;
	w->vsock_port = (struct vm_vsock_port){ 1024, w->ends[0] };
	w->vsock = (struct vm_vsock){ .cid = 3,
				      .listen_fd = -1,
				      .dir_fd = -1,
				      .ports = { &w->vsock_port, 1 } };
	w->port = (struct vm_port){ name, w->ends[0], -1 };
	w->nic = (struct vm_nic){ .fd = w->ends[0] };
	w->disk.fd = memfd_create("disk", MFD_CLOEXEC);
	if (w->disk.fd < 0 || ftruncate(w->disk.fd, DISK) < 0)
		return -1;
	w->config = (struct vm_config)VM_CONFIG_INIT;
	w->config.vsock = &w->vsock;
	w->config.ports.v = &w->port;
	w->config.ports.n = 1;
	return 0;
}

/* Each queue: 4 KiB of descriptors, 4 KiB available, 4 KiB used. */
static int start(struct world *w, struct virtio_dev *dev, uint64_t features)
{
	dev->mem = &w->mem;
	dev->loop = w->loop;
	dev->transport = &transport;
	for (uint32_t i = 0; i < dev->n_queues; i++) {
		struct virtq *vq = &dev->queue[i];

		vq->desc_gpa = RING + i * 0x3000;
		vq->avail_gpa = vq->desc_gpa + 0x1000;
		vq->used_gpa = vq->desc_gpa + 0x2000;
		vq->size = SIZE;
		vq->ready = true;
	}
	if (virtio_start(dev, false, NULL) < 0)
		return -1;
	return virtio_activate(dev, features & dev->offered, NULL);
}

/* A disk is served by a thread: it gets the time to take what there is, and
 * virtio_free() waits for what it has taken. */
static void await_worker(struct virtio_dev *dev, uint32_t q)
{
	for (int i = 0; i < 1000 && dev->ops->start && dev->active &&
			!virtq_empty(&dev->queue[q]);
	     i++)
		(void)sched_yield();
}

/* The rings and what is near are the input's; so are the host's bytes. */
static void play(struct world *w, struct virtio_dev *dev, const uint8_t *data,
		 size_t size)
{
	size_t n = MIN_OF(size, (size_t)0x40000);

	(void)gmem_write(&w->mem, RING, data, n);
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t q = 0; q < dev->n_queues; q++) {
			(void)!write(w->ends[1], data, MIN_OF(n, (size_t)64));
			virtio_kick(dev, q);
			await_worker(dev, q);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_dev *dev = NULL;
	struct world w;

	if (size < 10 ||
	    begin(&w, data[0] % KINDS == KIND_NET ? SOCK_SEQPACKET
						  : SOCK_STREAM) < 0)
		return 0;
	if (make(&w, data[0], &dev) == 0) {
		uint64_t features;

		memcpy(&features, data + 1, sizeof(features));
		if (start(&w, dev, features) == 0)
			play(&w, dev, data + 9, size - 9);
		virtio_free(dev);
	}
	(void)close(w.disk.fd);
	(void)close(w.ends[0]);
	(void)close(w.ends[1]);
	loop_free(w.loop);
	gmem_done(&w.mem);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A driver of anybody's making: rings, descriptors and requests are the
 * input, for each device that needs nothing but memory and sockets. */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <string.h>
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
	int ends[2];
};

static int make(struct world *w, unsigned int kind, struct virtio_dev **ret)
{
	switch (kind % 5) {
	case 0:
		return virtio_rng_new(ret, NULL);
	case 1:
		return virtio_balloon_new(ret, NULL);
	case 2:
		return virtio_console_new(&w->config, ret, NULL);
	case 3:
		return virtio_vsock_new(&w->config, ret, NULL);
	default:
		return virtio_net_new(&w->nic, ret, NULL);
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
	return virtio_activate(dev, features & dev->offered, NULL);
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
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_dev *dev = NULL;
	struct world w;

	if (size < 10 ||
	    begin(&w, data[0] % 5 == 4 ? SOCK_SEQPACKET : SOCK_STREAM) < 0)
		return 0;
	if (make(&w, data[0], &dev) == 0) {
		uint64_t features;

		memcpy(&features, data + 1, sizeof(features));
		if (start(&w, dev, features) == 0)
			play(&w, dev, data + 9, size - 9);
		virtio_free(dev);
	}
	(void)close(w.ends[0]);
	(void)close(w.ends[1]);
	loop_free(w.loop);
	gmem_done(&w.mem);
	return 0;
}

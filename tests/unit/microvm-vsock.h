/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* virtio-vsock between a driver of ours and sockets of the host: what the
 * tests of it share. */
#include <fcntl.h>
#include <linux/virtio_vsock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "tests/unit/microvm-driver.h"

#define CID	 7
#define RX	 0
#define TX	 1
#define RX_BYTES 4096
#define ROOM	 65536U

struct guest {
	struct drv d;
	struct vm_config config;
	struct vm_vsock setup;
	struct vm_vsock_port port;
	int host; /* our end of the lent socket */
	char dir[64];
	int dir_fd, listen_fd;
	uint16_t rx_slot;
	/* Counters of the one connection that most tests have. */
	uint32_t sent, taken;
};

#define HDR sizeof(struct virtio_vsock_hdr)

/* Lends the device buffers until it has n. */
static inline void lend(struct guest *g, int n)
{
	for (int i = 0; i < n; i++) {
		struct drv_seg s = { drv_alloc(&g->d, HDR + RX_BYTES),
				     (uint32_t)HDR + RX_BYTES, true };

		(void)drv_add(&g->d, RX, &s, 1);
	}
}

/* dir/vsock_N listens. */
static inline int listen_at(const char *dir, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	      listen(fd, 8) == 0);
	return fd;
}

static inline int connect_to(const char *dir, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

/* Port 1024 is a lent socket, whose other end is g->host; "host" in the
 * folder is where the host connects. */
static inline bool begin(struct guest *g)
{
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };
	int pair[2];

	memset(g, 0, sizeof(*g));
	(void)snprintf(g->dir, sizeof(g->dir), "/tmp/moat-vsock.XXXXXX");
	if (!CHECK(mkdtemp(g->dir) != NULL) || !drv_init(&g->d))
		return false;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
	g->host = pair[0];
	g->port = (struct vm_vsock_port){ 1024, pair[1] };
	g->dir_fd = open(g->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g->listen_fd = listen_at(g->dir, "host");
	g->setup = (struct vm_vsock){ .cid = CID,
				      .listen_fd = g->listen_fd,
				      .dir_fd = g->dir_fd,
				      .ports = { &g->port, 1 } };
	g->config = (struct vm_config)VM_CONFIG_INIT;
	g->config.vsock = &g->setup;
	if (!CHECK_OK(virtio_vsock_new(&g->config, &dev, &e), &e))
		return false;
	drv_attach(&g->d, dev);
	return CHECK_OK(drv_start(&g->d, 0, &e), &e);
}

static inline void end(struct guest *g)
{
	char path[128];

	drv_done(&g->d);
	(void)close(g->host);
	(void)close(g->port.fd);
	(void)close(g->dir_fd);
	(void)close(g->listen_fd);
	CHECK(chdir("/") == 0);
	(void)snprintf(path, sizeof(path), "%s/host", g->dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/vsock_77", g->dir);
	(void)unlink(path);
	(void)rmdir(g->dir);
}

static inline struct virtio_vsock_hdr packet(uint32_t guest_port,
					     uint32_t host_port, uint16_t op)
{
	return (struct virtio_vsock_hdr){
		.src_cid = CID,
		.dst_cid = 2,
		.src_port = guest_port,
		.dst_port = host_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = ROOM,
	};
}

/* Sends a packet; len bytes of data follow the header. */
static inline void put(struct guest *g, const struct virtio_vsock_hdr *h,
		       const void *data, uint32_t len)
{
	uint64_t at = drv_alloc(&g->d, HDR + len);
	struct drv_seg segs[2] = { { at, (uint32_t)HDR, false },
				   { at + HDR, len, false } };

	memcpy(drv_at(&g->d, at, HDR), h, HDR);
	if (len)
		memcpy(drv_at(&g->d, at + HDR, len), data, len);
	(void)drv_add(&g->d, TX, segs, len ? 2 : 1);
	drv_kick(&g->d, TX);
}

/* Takes a packet of the device, lending a new buffer for it. */
static inline bool get(struct guest *g, struct virtio_vsock_hdr *h, void *data)
{
	uint32_t id, len;
	const struct vring_desc *desc;

	if (!DRV_UNTIL(&g->d, g->d.q[RX].seen != g->d.q[RX].used[1]) ||
	    !drv_used(&g->d, RX, &id, &len))
		return false;
	desc = &g->d.q[RX].desc[id];
	memcpy(h, drv_at(&g->d, desc->addr, HDR), HDR);
	if (data)
		memcpy(data, drv_at(&g->d, desc->addr + HDR, h->len), h->len);
	CHECK_INT(len, HDR + h->len);
	drv_offer(&g->d, RX, (uint16_t)id);
	drv_kick(&g->d, RX);
	return true;
}

static inline bool nothing_comes(struct guest *g)
{
	for (int i = 0; i < 3; i++)
		drv_turn(&g->d);
	return g->d.q[RX].seen == g->d.q[RX].used[1];
}

/* A connection from the guest's port 5000 to the host's. */
static inline bool open_conn(struct guest *g, uint32_t host_port)
{
	struct virtio_vsock_hdr h =
		packet(5000, host_port, VIRTIO_VSOCK_OP_REQUEST);

	lend(g, 8);
	put(g, &h, NULL, 0);
	return CHECK(get(g, &h, NULL)) &&
	       CHECK_INT(h.op, VIRTIO_VSOCK_OP_RESPONSE) &&
	       CHECK_INT(h.src_port, host_port) && CHECK_INT(h.dst_port, 5000);
}

static inline void put_data(struct guest *g, uint32_t port, const char *text)
{
	struct virtio_vsock_hdr h = packet(5000, port, VIRTIO_VSOCK_OP_RW);

	h.len = (uint32_t)strlen(text);
	h.fwd_cnt = g->taken;
	put(g, &h, text, h.len);
}

static inline void put_op(struct guest *g, uint32_t port, uint16_t op,
			  uint32_t flags)
{
	struct virtio_vsock_hdr h = packet(5000, port, op);

	h.flags = flags;
	h.fwd_cnt = g->taken;
	put(g, &h, NULL, 0);
}

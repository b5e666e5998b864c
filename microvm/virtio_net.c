/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"
#include "microvm/virtio.h"
#include "microvm/vm_config.h"

/*
 * A network card on a tap (or, in tests, on a packet socket that speaks like
 * one): each packet has a virtio header in front, which says what is left to
 * do, a checksum to fill in or a large packet to cut. Both ends know it, so
 * that packets of 64 KiB go through as they are.
 *
 * A packet of the tap is read into one buffer of ours and copied from there
 * into as many of the guest's as it takes (mergeable buffers). Reading it
 * right into them would need enough of them for the largest packet each time.
 */
enum queue {
	RX,
	TX,
	N_QUEUES,
};

#define QUEUE_MAX  256
#define HEADER	   sizeof(struct virtio_net_hdr_mrg_rxbuf)
#define MAX_PACKET (HEADER + 65535 + 14)
/* So many buffers of the guest one packet may need: 64 KiB in pages, and the
 * smallest that Linux lends are 1.5 KiB. */
#define MAX_BUFFERS 64

struct net {
	struct virtio_dev dev;
	struct virtio_net_config config;
	int fd;
	int out_fd; /* a copy: one descriptor is in an epoll set once */
	bool is_tap;
	struct loop_source *in, *out;
	size_t n_packet; /* a packet that waits for buffers; 0: none */
	uint8_t packet[MAX_PACKET];
};

static struct net *to_net(struct virtio_dev *dev)
{
	return CONTAINER_OF(dev, struct net, dev);
}

static int on_in(void *arg, int fd, uint32_t events, struct err *e);
static int on_out(void *arg, int fd, uint32_t events, struct err *e);

/* In the loop only while we wait for it. */
static void watch(struct net *n, struct loop_source **source, bool on)
{
	bool in = source == &n->in;

	if (on == (*source != NULL))
		return;
	if (!on) {
		loop_remove(n->dev.loop, *source);
		*source = NULL;
	} else if (loop_add_fd(n->dev.loop, in ? n->fd : n->out_fd,
			       in ? EPOLLIN : EPOLLOUT, in ? on_in : on_out, n,
			       source, NULL) < 0) {
		*source = NULL;
	}
}

/* From the tap to the guest. */

/* One buffer for all of it, when the driver has not agreed to more. */
static bool fits(const struct net *n, const struct virtq_chain *c, size_t at)
{
	size_t room = virtq_len(c->out, c->n_out);

	if (virtio_has(&n->dev, VIRTIO_NET_F_MRG_RXBUF))
		return room >= (at == 0 ? HEADER : 1);
	return room >= n->n_packet;
}

static void unpop(struct virtq *vq, uint16_t n)
{
	while (n-- > 0)
		virtq_unpop(vq);
}

static void set_buffers(const struct virtq_chain *first, uint16_t n)
{
	(void)virtq_copy_to(
		first->out, first->n_out,
		offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers), &n,
		sizeof(n));
}

/*
 * 1: the guest has the packet, or it cannot be given to it; 0: there are not
 * enough buffers yet. Nothing is visible before all of it is there.
 */
static int deliver(struct net *n)
{
	struct virtq *vq = &n->dev.queue[RX];
	struct virtq_chain first, c;
	uint16_t used = 0;
	size_t at = 0;
	int r;

	while (at < n->n_packet && used < MAX_BUFFERS) {
		size_t part;

		r = virtq_pop(vq, n->dev.mem, &c);
		if (r <= 0) {
			unpop(vq, used);
			return r;
		}
		if (!fits(n, &c, at)) {
			/* Too small even for Ethernet: dropped, like any
			 * packet that is too large. */
			unpop(vq, used + 1);
			at = n->n_packet;
			used = 0;
			break;
		}
		if (used == 0) {
			first = c;
			first.out = first.seg + first.n_in;
		}
		part = virtq_copy_to(c.out, c.n_out, 0, n->packet + at,
				     n->n_packet - at);
		virtq_stage(vq, used++, c.head, (uint32_t)part);
		at += part;
	}
	if (used > 0 && at == n->n_packet) {
		set_buffers(&first, used);
		virtq_publish(vq, used);
	} else {
		unpop(vq, used);
	}
	n->n_packet = 0;
	return 1;
}

/* 1: there is a packet; 0: none. */
static int take_packet(struct net *n)
{
	ssize_t got;

	if (n->n_packet > 0)
		return 1;
	got = TEMP_FAILURE_RETRY(read(n->fd, n->packet, sizeof(n->packet)));
	if (got > (ssize_t)HEADER) {
		n->n_packet = (size_t)got;
		return 1;
	}
	/* A tap that was taken away: as if the cable were unplugged. */
	if (got == 0 || (got < 0 && errno != EAGAIN))
		n->fd = -1;
	return 0;
}

static int receive(struct net *n)
{
	int r = 0;

	for (int i = 0; i < VIRTIO_BATCH && n->fd >= 0; i++) {
		if (!take_packet(n)) {
			r = 1;
			break;
		}
		r = deliver(n);
		if (r <= 0)
			break;
	}
	virtio_notify(&n->dev, RX);
	/* Without buffers there is no use in being told of packets. */
	watch(n, &n->in, r > 0 && n->fd >= 0);
	return r < 0 ? r : 0;
}

static int on_in(void *arg, int fd, uint32_t events, struct err *e)
{
	struct net *n = arg;

	if (n->dev.active && receive(n) < 0)
		virtio_fail(&n->dev, "bad buffer");
	return 0;
}

/* From the guest to the tap. */

static int transmit(struct net *n)
{
	struct virtio_dev *dev = &n->dev;
	struct virtq *vq = &dev->queue[TX];
	struct virtq_chain c;
	int served = 0, r;

	while ((r = virtq_pop(vq, dev->mem, &c)) > 0) {
		if (virtq_len(c.in, c.n_in) < HEADER)
			return -EPROTO;
		/* The header is judged by the tap; what it refuses is lost. */
		if (n->fd >= 0 && writev(n->fd, c.in, (int)c.n_in) < 0 &&
		    errno == EAGAIN) {
			virtq_unpop(vq);
			watch(n, &n->out, true);
			return served > 0;
		}
		virtq_push(vq, c.head, 0);
		if (++served == VIRTIO_BATCH)
			return VIRTIO_AGAIN;
	}
	return r < 0 ? r : served > 0;
}

static int on_out(void *arg, int fd, uint32_t events, struct err *e)
{
	struct net *n = arg;

	watch(n, &n->out, false);
	virtio_kick(&n->dev, TX);
	return 0;
}

/* The device. */

static int net_kick(struct virtio_dev *dev, unsigned int q)
{
	return q == RX ? receive(to_net(dev)) : transmit(to_net(dev));
}

static const struct {
	unsigned int feature;
	unsigned int tap;
} offloads[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
	{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
};

/* The tap may send what this driver can take, no more. */
static int net_activate(struct virtio_dev *dev, struct err *e)
{
	struct net *n = to_net(dev);
	unsigned long flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
		if (virtio_has(dev, offloads[i].feature))
			flags |= offloads[i].tap;
	if (n->is_tap && ioctl(n->fd, TUNSETOFFLOAD, flags) < 0)
		return err_errno(e, "tell the tap what the guest can take");
	watch(n, &n->in, true);
	return 0;
}

static void net_reset(struct virtio_dev *dev)
{
	struct net *n = to_net(dev);

	watch(n, &n->in, false);
	watch(n, &n->out, false);
	n->n_packet = 0;
}

static void net_free(struct virtio_dev *dev)
{
	struct net *n = to_net(dev);

	if (n->out_fd >= 0)
		(void)close(n->out_fd);
	virtio_done(dev);
	free(n);
}

static const struct virtio_ops net_ops = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.activate = net_activate,
	.kick = net_kick,
	.reset = net_reset,
	.free = net_free,
};

static int prepare_tap(struct net *n, struct err *e)
{
	int size = (int)HEADER;
	struct ifreq ifr;

	if (ioctl(n->fd, TUNGETIFF, &ifr) < 0)
		return 0; /* a packet socket; it has to know the header */
	if (!(ifr.ifr_flags & IFF_VNET_HDR) || !(ifr.ifr_flags & IFF_TAP))
		return err_set(
			e, -EINVAL,
			"tap '%.*s': not made with IFF_TAP | IFF_VNET_HDR",
			IFNAMSIZ, ifr.ifr_name);
	if (ioctl(n->fd, TUNSETVNETHDRSZ, &size) < 0)
		return err_errno(e, "tap '%.*s': set its header's size",
				 IFNAMSIZ, ifr.ifr_name);
	n->is_tap = true;
	return 0;
}

static int set_mac(struct net *n, const char *mac, struct err *e)
{
	if (!mac)
		return 0;
	if (str_to_mac(mac, n->config.mac) < 0 || n->config.mac[0] & 1)
		return err_set(e, -EINVAL, "'%s' is no address for a card",
			       mac);
	n->dev.offered |= 1ULL << VIRTIO_NET_F_MAC;
	return 0;
}

static int set_up(struct net *n, const struct vm_nic *nic, struct err *e)
{
	int r;

	n->fd = nic->fd;
	n->dev.offered |=
		1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_CSUM |
		1ULL << VIRTIO_NET_F_HOST_TSO4 |
		1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN;
	for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
		n->dev.offered |= 1ULL << offloads[i].feature;
	if (nic->mtu > 0) {
		if (nic->mtu < 68 || nic->mtu > UINT16_MAX)
			return err_set(e, -EINVAL, "mtu %u: not 68 to 65535",
				       nic->mtu);
		n->config.mtu = (uint16_t)nic->mtu;
		n->dev.offered |= 1ULL << VIRTIO_NET_F_MTU;
	}
	n->out_fd = fd_copy(nic->fd, 3, e);
	if (n->out_fd < 0)
		return n->out_fd;
	r = set_mac(n, nic->mac, e);
	if (r == 0)
		r = fd_set_nonblock(n->fd, true) < 0
			    ? err_errno(e, "descriptor %d", n->fd)
			    : 0;
	return r < 0 ? r : prepare_tap(n, e);
}

int virtio_net_new(const struct vm_nic *nic, struct virtio_dev **ret,
		   struct err *e)
{
	struct net *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return err_nomem(e);
	virtio_init(&n->dev, &net_ops, N_QUEUES, QUEUE_MAX);
	n->out_fd = -1;
	n->dev.config = (uint8_t *)&n->config;
	n->dev.config_len = sizeof(n->config);
	r = set_up(n, nic, e);
	if (r < 0) {
		net_free(&n->dev);
		return err_wrap(e, r, "network card");
	}
	*ret = &n->dev;
	return 0;
}

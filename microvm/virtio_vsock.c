/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "microvm/vsock_priv.h"

#define QUEUE_MAX 256

static struct vsock *to_vsock(struct virtio_dev *dev)
{
	return CONTAINER_OF(dev, struct vsock, dev);
}

/* --- to the guest */

static struct virtio_vsock_hdr header(const struct vsock *vs,
				      const struct vsock_address *a,
				      uint16_t op)
{
	return (struct virtio_vsock_hdr){
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = vs->config.guest_cid,
		.src_port = a->host_port,
		.dst_port = a->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
	};
}

/* Every packet of a connection carries how much room there is. */
static struct virtio_vsock_hdr conn_header(struct vsock_conn *c, uint16_t op)
{
	struct vsock_address a = { c->host_port, c->guest_port };
	struct virtio_vsock_hdr h = header(c->vs, &a, op);

	h.buf_alloc = VSOCK_BUF;
	h.fwd_cnt = c->taken;
	c->taken_told = c->taken;
	c->pending &= ~(unsigned int)VSOCK_SEND_CREDIT;
	return h;
}

static void answer(struct vsock *vs, const struct virtq_chain *chain,
		   const struct virtio_vsock_hdr *h)
{
	struct virtq *vq = &vs->dev.queue[VSOCK_RX];

	(void)virtq_copy_to(chain->out, chain->n_out, 0, h, sizeof(*h));
	virtq_push(vq, chain->head, (uint32_t)sizeof(*h) + h->len);
}

/* Reads as much as buffer and credit allow. 0: nothing there after all. */
static uint32_t read_host(struct vsock_conn *c, const struct virtq_chain *chain)
{
	struct iovec v[VIRTQ_MAX_SEGS];
	uint32_t n = chain->n_out;
	ssize_t got;

	memcpy(v, chain->out, n * sizeof(v[0]));
	n = virtq_skip(v, n, sizeof(struct virtio_vsock_hdr));
	n = virtq_cut(v, n, vsock_credit(c));
	got = TEMP_FAILURE_RETRY(readv(c->fd, v, (int)n));
	if (got > 0) {
		c->sent += (uint32_t)got;
		return (uint32_t)got;
	}
	c->readable = false;
	if (got < 0 && errno == EAGAIN)
		return 0;
	c->host_done = true;
	/* Hung up, or the guest has nothing to say any more: all is over. */
	vsock_tell(c, got < 0 || c->host_hung_up || c->guest_done
			      ? VSOCK_SEND_RST
			      : VSOCK_SEND_SHUTDOWN);
	return 0;
}

static bool send_data(struct vsock_conn *c, const struct virtq_chain *chain)
{
	struct virtio_vsock_hdr h;
	uint32_t n;

	if (c->state != VSOCK_OPEN || !c->readable || c->host_done ||
	    c->guest_deaf || vsock_credit(c) == 0)
		return false;
	n = read_host(c, chain);
	if (n == 0)
		return false;
	h = conn_header(c, VIRTIO_VSOCK_OP_RW);
	h.len = n;
	answer(c->vs, chain, &h);
	return true;
}

static void send_control(struct vsock_conn *c, const struct virtq_chain *chain,
			 uint16_t op)
{
	struct virtio_vsock_hdr h = conn_header(c, op);

	/* The only one we send: we shall send no more. */
	if (op == VIRTIO_VSOCK_OP_SHUTDOWN)
		h.flags = VIRTIO_VSOCK_SHUTDOWN_SEND;
	answer(c->vs, chain, &h);
}

/* In the order in which the guest has to hear them; data come before the last
 * two, and a connection is over with the first. */
static const struct {
	unsigned int bit;
	uint16_t op;
} controls[] = {
	{ VSOCK_SEND_RST, VIRTIO_VSOCK_OP_RST },
	{ VSOCK_SEND_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
	{ VSOCK_SEND_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
	{ VSOCK_SEND_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
	{ VSOCK_SEND_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN },
};

/* Whether the chain was used. */
static bool send_pending(struct vsock_conn *c, const struct virtq_chain *chain)
{
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++)
		if (c->pending & controls[i].bit) {
			c->pending &= ~controls[i].bit;
			send_control(c, chain, controls[i].op);
			return true;
		}
	return false;
}

static bool send_from(struct vsock_conn *c, const struct virtq_chain *chain)
{
	bool last = c->pending & VSOCK_SEND_RST;
	bool used = send_pending(c, chain) || send_data(c, chain);

	if (used && last)
		vsock_conn_free(c);
	else
		vsock_wake(c); /* at the end of the list */
	return used;
}

static void send_rst(struct vsock *vs, const struct virtq_chain *chain)
{
	struct virtio_vsock_hdr h =
		header(vs, &vs->rst[vs->rst_at], VIRTIO_VSOCK_OP_RST);

	vs->rst_at = (vs->rst_at + 1) % VSOCK_MAX_RSTS;
	vs->n_rsts--;
	answer(vs, chain, &h);
}

static bool send_something(struct vsock *vs, const struct virtq_chain *chain)
{
	if (vs->n_rsts > 0) {
		send_rst(vs, chain);
		return true;
	}
	while (vs->ready)
		if (send_from(vsock_next_ready(vs), chain))
			return true;
	return false;
}

static int pump(struct vsock *vs)
{
	struct virtio_dev *dev = &vs->dev;
	struct virtq *vq = &dev->queue[VSOCK_RX];
	struct virtq_chain chain;
	int r;

	while (vs->n_rsts > 0 || vs->ready) {
		r = virtq_pop(vq, dev->mem, &chain);
		if (r <= 0)
			return r;
		/* A packet without room for data is of no use for anybody. */
		if (virtq_len(chain.out, chain.n_out) <=
		    sizeof(struct virtio_vsock_hdr))
			return -EPROTO;
		if (!send_something(vs, &chain))
			virtq_unpop(vq);
	}
	return 0;
}

/* --- from the guest */

static void refuse(struct vsock *vs, const struct virtio_vsock_hdr *h)
{
	uint32_t end = (vs->rst_at + vs->n_rsts) % VSOCK_MAX_RSTS;

	vs->rst[end] = (struct vsock_address){ .host_port = h->dst_port,
					       .guest_port = h->src_port };
	vs->n_rsts++;
}

static void on_request(struct vsock *vs, const struct virtio_vsock_hdr *h)
{
	struct vsock_conn *c = NULL;
	bool own;
	int fd;

	fd = vsock_connect_host(vs, h->dst_port, &own);
	if (fd >= 0)
		c = vsock_conn_new(vs, fd, own, VSOCK_GREETING);
	if (!c) {
		refuse(vs, h);
		return;
	}
	vsock_conn_name(c, h->dst_port, h->src_port);
	c->state = VSOCK_OPEN;
	c->guest_alloc = h->buf_alloc;
	c->guest_taken = h->fwd_cnt;
	vsock_tell(c, VSOCK_SEND_RESPONSE);
}

static void on_response(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
			struct virtq_chain *chain)
{
	if (c->state != VSOCK_REQUESTED) {
		vsock_tell(c, VSOCK_SEND_RST);
		return;
	}
	c->state = VSOCK_OPEN;
	vsock_accepted(c);
}

static void on_rst(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
		   struct virtq_chain *chain)
{
	vsock_linger(c);
}

static void on_shutdown(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
			struct virtq_chain *chain)
{
	if (h->flags & VIRTIO_VSOCK_SHUTDOWN_SEND)
		c->guest_done = true;
	if (h->flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
		c->guest_deaf = true;
	vsock_settle(c);
}

static void on_data(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
		    struct virtq_chain *chain)
{
	uint32_t n = virtq_skip(chain->in, chain->n_in, sizeof(*h));

	if (c->state != VSOCK_OPEN || c->guest_done ||
	    !vsock_to_host(c, chain->in, n, h->len))
		vsock_tell(c, VSOCK_SEND_RST);
}

static void on_credit_update(struct vsock_conn *c,
			     const struct virtio_vsock_hdr *h,
			     struct virtq_chain *chain)
{
	/* Every packet is one. */
}

static void on_credit_request(struct vsock_conn *c,
			      const struct virtio_vsock_hdr *h,
			      struct virtq_chain *chain)
{
	vsock_tell(c, VSOCK_SEND_CREDIT);
}

static void (*const handlers[])(struct vsock_conn *c,
				const struct virtio_vsock_hdr *h,
				struct virtq_chain *chain) = {
	[VIRTIO_VSOCK_OP_RESPONSE] = on_response,
	[VIRTIO_VSOCK_OP_RST] = on_rst,
	[VIRTIO_VSOCK_OP_SHUTDOWN] = on_shutdown,
	[VIRTIO_VSOCK_OP_RW] = on_data,
	[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = on_credit_update,
	[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = on_credit_request,
};

static void on_known(struct vsock_conn *c, const struct virtio_vsock_hdr *h,
		     struct virtq_chain *chain)
{
	if (h->op >= ARRAY_SIZE(handlers) || !handlers[h->op]) {
		/* Also a second request: one of the two sides is confused. */
		vsock_tell(c, VSOCK_SEND_RST);
		return;
	}
	c->guest_alloc = h->buf_alloc;
	c->guest_taken = h->fwd_cnt;
	vsock_wake(c);
	handlers[h->op](c, h, chain);
}

static int on_packet(struct vsock *vs, struct virtq_chain *chain)
{
	struct vsock_conn *c;
	struct virtio_vsock_hdr h;

	if (virtq_copy_from(chain->in, chain->n_in, 0, &h, sizeof(h)) !=
		    sizeof(h) ||
	    h.len > virtq_len(chain->in, chain->n_in) - sizeof(h))
		return -EPROTO;
	if (h.src_cid != vs->config.guest_cid)
		return 0; /* a stray: nobody to answer to */
	if (h.dst_cid != VSOCK_HOST_CID || h.type != VIRTIO_VSOCK_TYPE_STREAM) {
		if (h.op != VIRTIO_VSOCK_OP_RST)
			refuse(vs, &h);
		return 0;
	}
	c = vsock_find(vs, h.dst_port, h.src_port);
	if (c)
		on_known(c, &h, chain);
	else if (h.op == VIRTIO_VSOCK_OP_REQUEST)
		on_request(vs, &h);
	else if (h.op != VIRTIO_VSOCK_OP_RST)
		refuse(vs, &h);
	return 0;
}

static int read_packets(struct vsock *vs)
{
	struct virtio_dev *dev = &vs->dev;
	struct virtq *vq = &dev->queue[VSOCK_TX];
	struct virtq_chain chain;
	int served = 0, r;

	for (;;) {
		vs->stalled = vs->n_rsts == VSOCK_MAX_RSTS;
		if (vs->stalled)
			return served > 0;
		r = virtq_pop(vq, dev->mem, &chain);
		if (r <= 0)
			return r < 0 ? r : served > 0;
		r = on_packet(vs, &chain);
		if (r < 0)
			return r;
		virtq_push(vq, chain.head, 0);
		if (++served == VIRTIO_BATCH)
			return VIRTIO_AGAIN;
	}
}

static int serve(struct vsock *vs)
{
	int r = pump(vs);

	virtio_notify(&vs->dev, VSOCK_RX);
	/* There is room for refusals again: look at the rest later. */
	if (r == 0 && vs->stalled && vs->n_rsts < VSOCK_MAX_RSTS) {
		vs->stalled = false;
		vs->dev.transport->again(&vs->dev, VSOCK_TX);
	}
	return r;
}

void vsock_pump(struct vsock *vs)
{
	if (vs->dev.active && serve(vs) < 0)
		virtio_fail(&vs->dev, "bad request");
}

/* --- the device */

static int vsock_kick(struct virtio_dev *dev, unsigned int q)
{
	struct vsock *vs = to_vsock(dev);
	int served = 0, r;

	if (q == VSOCK_TX) {
		served = read_packets(vs);
		if (served < 0)
			return served;
	}
	r = serve(vs);
	return r < 0 ? r : served;
}

static int vsock_activate(struct virtio_dev *dev, struct err *e)
{
	return vsock_listen(to_vsock(dev), e);
}

static void free_list(struct vsock_conn **list)
{
	while (*list)
		vsock_conn_free(*list);
}

static void vsock_reset(struct virtio_dev *dev)
{
	struct vsock *vs = to_vsock(dev);

	if (vs->listener)
		loop_remove(dev->loop, vs->listener);
	vs->listener = NULL;
	for (size_t i = 0; i < VSOCK_BUCKETS; i++)
		free_list(&vs->bucket[i]);
	free_list(&vs->lingering);
	vs->n_rsts = 0;
	vs->stalled = false;
}

static void vsock_free(struct virtio_dev *dev)
{
	virtio_done(dev);
	free(to_vsock(dev));
}

static const struct virtio_ops vsock_ops = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.activate = vsock_activate,
	.kick = vsock_kick,
	.reset = vsock_reset,
	.free = vsock_free,
};

/* Sockets of the config must never block the device thread. */
static int prepare(const struct vm_vsock *v, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < v->ports.n && r == 0; i++)
		r = fd_set_nonblock(v->ports.v[i].fd, true);
	if (r == 0 && v->listen_fd >= 0)
		r = fd_set_nonblock(v->listen_fd, true);
	if (r < 0)
		return err_set(e, r, "vsock: a descriptor of its is no socket");
	if (v->dir_fd >= 0 && fchdir(v->dir_fd) < 0)
		return err_errno(e, "vsock: enter the folder of its sockets");
	return 0;
}

int virtio_vsock_new(const struct vm_config *c, struct virtio_dev **ret,
		     struct err *e)
{
	struct vsock *vs;
	int r = prepare(c->vsock, e);

	if (r < 0)
		return r;
	vs = calloc(1, sizeof(*vs));
	if (!vs)
		return err_nomem(e);
	vs->setup = c->vsock;
	vs->config.guest_cid = c->vsock->cid;
	vs->ready_end = &vs->ready;
	vs->dev.config = (uint8_t *)&vs->config;
	vs->dev.config_len = sizeof(vs->config);
	virtio_init(&vs->dev, &vsock_ops, VSOCK_N_QUEUES, QUEUE_MAX);
	*ret = &vs->dev;
	return 0;
}

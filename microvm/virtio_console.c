/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "microvm/virtio.h"
#include "microvm/vm_config.h"

/*
 * Ports with names, each a stream between a character device of the guest and
 * a descriptor of the host. Queues 0 and 1 belong to the first port, 2 and 3
 * are for control, then there are two for each further port.
 *
 * Nothing is buffered: what the host says is read when the guest has opened
 * the port and lent a buffer; what the guest says stays in its queue until the
 * host takes it.
 */
#define MAX_PORTS  ((VIRTIO_MAX_QUEUES - 4) / 2 + 1)
#define QUEUE_MAX  128
#define CONTROL_RX 2U
#define CONTROL_TX 3U

/* What a port has yet to tell the guest, in this order. */
enum pending {
	TELL_ADD = 1 << 0,
	TELL_NAME = 1 << 1,
	TELL_OPEN = 1 << 2,
	TELL_CLOSED = 1 << 3,
};

struct console;

struct port {
	struct console *console;
	uint32_t id;
	const char *name;
	int in_fd, out_fd; /* from the host, to the host */
	int copy; /* of in_fd: one descriptor is in an epoll set once */
	struct loop_source *in, *out;
	unsigned int pending;
	bool guest_open;
	bool guest_closed; /* after it was open: the host shall see an end */
	bool host_closed;
	size_t sent; /* of the request at the head of the queue */
};

struct console {
	struct virtio_dev dev;
	struct virtio_console_config config;
	struct port port[MAX_PORTS];
	uint32_t n_ports;
};

static unsigned int rx_queue(const struct port *p)
{
	return p->id == 0 ? 0 : 2 * (p->id + 1);
}

static unsigned int tx_queue(const struct port *p)
{
	return rx_queue(p) + 1;
}

static int on_in(void *arg, int fd, uint32_t events, struct err *e);
static int on_out(void *arg, int fd, uint32_t events, struct err *e);

/* In the loop only while we wait for it: what has hung up says so for ever.
 * Out of memory then means that the port stands still. */
static void watch(struct port *p, struct loop_source **source, bool on)
{
	struct loop *l = p->console->dev.loop;
	bool in = source == &p->in;

	if (on == (*source != NULL))
		return;
	if (!on) {
		loop_remove(l, *source);
		*source = NULL;
	} else if (loop_add_fd(l, in ? p->in_fd : p->out_fd,
			       in ? EPOLLIN : EPOLLOUT, in ? on_in : on_out, p,
			       source, NULL) < 0) {
		*source = NULL;
	}
}

/* Control messages to the guest. */

static int send_control(struct port *p, uint16_t event, uint16_t value,
			const char *text)
{
	struct virtio_dev *dev = &p->console->dev;
	struct virtio_console_control m = { p->id, event, value };
	struct virtq *vq = &dev->queue[CONTROL_RX];
	struct virtq_chain c;
	size_t n;
	int r;

	r = virtq_pop(vq, dev->mem, &c);
	if (r <= 0)
		return r;
	n = virtq_copy_to(c.out, c.n_out, 0, &m, sizeof(m));
	if (text)
		n += virtq_copy_to(c.out, c.n_out, n, text, strlen(text));
	virtq_push(vq, c.head, (uint32_t)n);
	return 1;
}

static const struct {
	unsigned int bit;
	uint16_t event, value;
} messages[] = {
	{ TELL_ADD, VIRTIO_CONSOLE_PORT_ADD, 1 },
	{ TELL_NAME, VIRTIO_CONSOLE_PORT_NAME, 1 },
	{ TELL_OPEN, VIRTIO_CONSOLE_PORT_OPEN, 1 },
	{ TELL_CLOSED, VIRTIO_CONSOLE_PORT_OPEN, 0 },
};

/* 1: all is told; 0: the guest has to lend a buffer first. */
static int tell_port(struct port *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		bool named = messages[i].bit == TELL_NAME;
		int r;

		if (!(p->pending & messages[i].bit))
			continue;
		r = send_control(p, messages[i].event, messages[i].value,
				 named ? p->name : NULL);
		if (r <= 0)
			return r;
		p->pending &= ~messages[i].bit;
	}
	return 1;
}

static int tell_all(struct console *con)
{
	int r = 1;

	for (uint32_t i = 0; i < con->n_ports && r > 0; i++)
		r = tell_port(&con->port[i]);
	virtio_notify(&con->dev, CONTROL_RX);
	return r < 0 ? r : 0;
}

/* From the host to the guest. */

static void close_host(struct port *p)
{
	watch(p, &p->in, false);
	p->host_closed = true;
	p->pending |= TELL_CLOSED;
}

/* One buffer. 1: filled; 0: the host has nothing, or the guest no room. */
static int fill(struct port *p)
{
	struct virtio_dev *dev = &p->console->dev;
	struct virtq *vq = &dev->queue[rx_queue(p)];
	struct virtq_chain c;
	ssize_t n;
	int r;

	r = virtq_pop(vq, dev->mem, &c);
	if (r <= 0) {
		watch(p, &p->in, false); /* until it lends one */
		return r;
	}
	if (virtq_len(c.out, c.n_out) == 0)
		return -EPROTO;
	n = TEMP_FAILURE_RETRY(readv(p->in_fd, c.out, (int)c.n_out));
	if (n > 0) {
		virtq_push(vq, c.head, (uint32_t)n);
		return 1;
	}
	virtq_unpop(vq);
	if (n == 0 || errno != EAGAIN)
		close_host(p);
	else
		watch(p, &p->in, true);
	return 0;
}

static int receive(struct port *p)
{
	int r = 1;

	/* An unopened port of Linux throws away what it gets. */
	if (!p->guest_open || p->host_closed || p->in_fd < 0)
		return 0;
	for (int i = 0; i < VIRTIO_BATCH && r > 0; i++)
		r = fill(p);
	virtio_notify(&p->console->dev, rx_queue(p));
	if (r > 0)
		watch(p, &p->in, true); /* there may be more, later */
	if (r == 0 && p->host_closed)
		return tell_all(p->console);
	return r < 0 ? r : 0;
}

static int on_in(void *arg, int fd, uint32_t events, struct err *e)
{
	struct port *p = arg;
	struct virtio_dev *dev = &p->console->dev;

	if (dev->active && receive(p) < 0)
		virtio_fail(dev, "bad request");
	return 0;
}

/* From the guest to the host. */

/* 1: the whole request is with the host, or nobody wants it; 0: later. */
static int drain(struct port *p, struct virtq_chain *c)
{
	while (c->n_in > 0 && p->out_fd >= 0) {
		ssize_t n = TEMP_FAILURE_RETRY(
			writev(p->out_fd, c->in, (int)c->n_in));

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0) {
			/* The host has gone: the guest's words fall into the
			 * void, as those into an unplugged line. */
			p->out_fd = -1;
			break;
		}
		p->sent += (size_t)n;
		c->n_in = virtq_skip(c->in, c->n_in, (size_t)n);
	}
	return 1;
}

static int transmit(struct port *p)
{
	struct virtio_dev *dev = &p->console->dev;
	struct virtq *vq = &dev->queue[tx_queue(p)];
	struct virtq_chain c;
	int served = 0, r;

	while ((r = virtq_pop(vq, dev->mem, &c)) > 0) {
		c.n_in = virtq_skip(c.in, c.n_in, p->sent);
		if (!drain(p, &c)) {
			virtq_unpop(vq);
			watch(p, &p->out, true);
			return served > 0;
		}
		p->sent = 0;
		virtq_push(vq, c.head, 0);
		if (++served == VIRTIO_BATCH)
			return VIRTIO_AGAIN;
	}
	if (r == 0 && p->guest_closed && p->out_fd >= 0)
		(void)shutdown(p->out_fd, SHUT_WR);
	return r < 0 ? r : served > 0;
}

static int on_out(void *arg, int fd, uint32_t events, struct err *e)
{
	struct port *p = arg;

	/* Waited for once; transmit() waits again when it must. */
	watch(p, &p->out, false);
	virtio_kick(&p->console->dev, tx_queue(p));
	return 0;
}

/* Control messages of the guest. */

static void on_ready(struct console *con, struct port *p, uint16_t value)
{
	for (uint32_t i = 0; i < con->n_ports; i++)
		con->port[i].pending |= TELL_ADD;
}

static void on_port_ready(struct console *con, struct port *p, uint16_t value)
{
	if (p && value)
		p->pending |= TELL_NAME | (p->host_closed ? 0 : TELL_OPEN);
}

static void on_port_open(struct console *con, struct port *p, uint16_t value)
{
	if (!p)
		return;
	p->guest_closed = p->guest_open && !value;
	p->guest_open = value;
	if (!value)
		watch(p, &p->in, false);
}

static void (*const events[])(struct console *con, struct port *p,
			      uint16_t value) = {
	[VIRTIO_CONSOLE_DEVICE_READY] = on_ready,
	[VIRTIO_CONSOLE_PORT_READY] = on_port_ready,
	[VIRTIO_CONSOLE_PORT_OPEN] = on_port_open,
};

static int serve_control(struct console *con, const struct virtq_chain *c)
{
	struct virtio_dev *dev = &con->dev;
	struct virtio_console_control m;
	struct port *p;

	if (virtq_copy_from(c->in, c->n_in, 0, &m, sizeof(m)) != sizeof(m))
		return -EPROTO;
	p = m.id < con->n_ports ? &con->port[m.id] : NULL;
	if (m.event < ARRAY_SIZE(events) && events[m.event])
		events[m.event](con, p, m.value);
	if (p && p->guest_open)
		return receive(p);
	/* What it said before it closed may not have been looked at yet. */
	if (p && p->guest_closed)
		dev->transport->again(dev, tx_queue(p));
	return 0;
}

static int read_control(struct console *con)
{
	struct virtio_dev *dev = &con->dev;
	struct virtq *vq = &dev->queue[CONTROL_TX];
	struct virtq_chain c;
	int served = 0, r;

	while ((r = virtq_pop(vq, dev->mem, &c)) > 0) {
		r = serve_control(con, &c);
		if (r < 0)
			return r;
		virtq_push(vq, c.head, 0);
		if (++served == VIRTIO_BATCH)
			break;
	}
	if (r >= 0)
		r = tell_all(con);
	if (r < 0)
		return r;
	return served == VIRTIO_BATCH ? VIRTIO_AGAIN : served > 0;
}

/* The device. */

static struct console *to_console(struct virtio_dev *dev)
{
	return CONTAINER_OF(dev, struct console, dev);
}

static int console_kick(struct virtio_dev *dev, unsigned int q)
{
	struct console *con = to_console(dev);
	struct port *p = &con->port[q < 2 ? 0 : q / 2 - 1];

	if (q == CONTROL_RX)
		return tell_all(con);
	if (q == CONTROL_TX)
		return read_control(con);
	return q % 2 ? transmit(p) : receive(p);
}

static int console_activate(struct virtio_dev *dev, struct err *e)
{
	struct console *con = to_console(dev);

	/* A driver that knows one port only uses it without asking. */
	con->port[0].guest_open = !virtio_has(dev, VIRTIO_CONSOLE_F_MULTIPORT);
	return 0;
}

static void console_reset(struct virtio_dev *dev)
{
	struct console *con = to_console(dev);

	for (uint32_t i = 0; i < con->n_ports; i++) {
		struct port *p = &con->port[i];

		watch(p, &p->in, false);
		watch(p, &p->out, false);
		p->pending = 0;
		p->sent = 0;
		p->guest_open = p->guest_closed = false;
	}
}

static void console_free(struct virtio_dev *dev)
{
	struct console *con = to_console(dev);

	for (uint32_t i = 0; i < con->n_ports; i++)
		if (con->port[i].copy >= 0)
			(void)close(con->port[i].copy);
	virtio_done(dev);
	free(con);
}

static const struct virtio_ops console_ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.activate = console_activate,
	.kick = console_kick,
	.reset = console_reset,
	.free = console_free,
};

static int add_port(struct console *con, const struct vm_port *v, struct err *e)
{
	struct port *p = &con->port[con->n_ports];
	int r;

	*p = (struct port){
		.console = con,
		.id = con->n_ports,
		.name = v->name,
		.in_fd = v->fd,
		.out_fd = v->out_fd,
		.copy = -1,
	};
	con->n_ports++;
	if (p->out_fd < 0)
		p->out_fd = p->copy = fd_copy(v->fd, 3, e);
	if (p->out_fd < 0)
		return p->out_fd;
	r = fd_set_nonblock(p->in_fd, true);
	if (r == 0)
		r = fd_set_nonblock(p->out_fd, true);
	if (r < 0)
		return err_set(e, r, "console port '%s': bad descriptor",
			       v->name);
	return 0;
}

int virtio_console_new(const struct vm_config *c, struct virtio_dev **ret,
		       struct err *e)
{
	struct console *con;
	int r = 0;

	if (c->ports.n > MAX_PORTS)
		return err_set(e, -E2BIG, "%zu console ports: more than %d",
			       c->ports.n, MAX_PORTS);
	con = calloc(1, sizeof(*con));
	if (!con)
		return err_nomem(e);
	con->dev.offered = 1ULL << VIRTIO_CONSOLE_F_MULTIPORT;
	virtio_init(&con->dev, &console_ops, 2 * ((uint32_t)c->ports.n + 1),
		    QUEUE_MAX);
	for (size_t i = 0; i < c->ports.n && r == 0; i++)
		r = add_port(con, &c->ports.v[i], e);
	if (r < 0) {
		console_free(&con->dev);
		return r;
	}
	con->config.max_nr_ports = con->n_ports;
	con->dev.config = (uint8_t *)&con->config;
	con->dev.config_len = sizeof(con->config);
	*ret = &con->dev;
	return 0;
}

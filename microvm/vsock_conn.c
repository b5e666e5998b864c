/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "microvm/vsock_priv.h"

static uint32_t bucket_of(uint32_t host_port, uint32_t guest_port)
{
	return (host_port * 31 + guest_port) % VSOCK_BUCKETS;
}

struct vsock_conn *vsock_find(struct vsock *vs, uint32_t host_port,
			      uint32_t guest_port)
{
	struct vsock_conn *c = vs->bucket[bucket_of(host_port, guest_port)];

	while (c && (c->host_port != host_port || c->guest_port != guest_port))
		c = c->next;
	return c;
}

static void unlink_from(struct vsock_conn **list, struct vsock_conn *c)
{
	while (*list && *list != c)
		list = &(*list)->next;
	if (*list)
		*list = c->next;
	c->next = NULL;
}

/* The list it is in: that of its name, or that of the nameless. */
static struct vsock_conn **list_of(struct vsock_conn *c)
{
	if (c->state == VSOCK_GREETING || c->state == VSOCK_LINGERING)
		return &c->vs->lingering;
	return &c->vs->bucket[bucket_of(c->host_port, c->guest_port)];
}

static void link_to(struct vsock_conn **list, struct vsock_conn *c)
{
	c->next = *list;
	*list = c;
}

static void unready(struct vsock_conn *c)
{
	struct vsock *vs = c->vs;
	struct vsock_conn **at = &vs->ready;

	if (!c->is_ready)
		return;
	while (*at != c)
		at = &(*at)->next_ready;
	*at = c->next_ready;
	if (!*at)
		vs->ready_end = at;
	c->is_ready = false;
}

struct vsock_conn *vsock_next_ready(struct vsock *vs)
{
	struct vsock_conn *c = vs->ready;

	unready(c);
	return c;
}

void vsock_conn_free(struct vsock_conn *c)
{
	unready(c);
	unlink_from(list_of(c), c);
	loop_remove(c->vs->dev.loop, c->source);
	/* Lent by the config: its other end must see that it is over. */
	if (c->own_fd)
		(void)close(c->fd);
	else
		(void)shutdown(c->fd, SHUT_RDWR);
	c->vs->n_conns--;
	free(c->buf);
	free(c);
}

uint32_t vsock_room_told(const struct vsock_conn *c)
{
	return VSOCK_BUF - (c->received - c->taken_told);
}

uint32_t vsock_credit(const struct vsock_conn *c)
{
	uint32_t used = c->sent - c->guest_taken;

	/* A guest may shrink its room; what is sent is sent. */
	return used < c->guest_alloc ? c->guest_alloc - used : 0;
}

static bool has_data(const struct vsock_conn *c)
{
	return c->state == VSOCK_OPEN && c->readable && !c->host_done &&
	       !c->guest_deaf && vsock_credit(c) > 0;
}

void vsock_wake(struct vsock_conn *c)
{
	struct vsock *vs = c->vs;

	if (c->is_ready || (!c->pending && !has_data(c)))
		return;
	c->is_ready = true;
	c->next_ready = NULL;
	*vs->ready_end = c;
	vs->ready_end = &c->next_ready;
}

void vsock_tell(struct vsock_conn *c, enum vsock_pending what)
{
	c->pending |= what;
	vsock_wake(c);
}

/*
 * The host will take nothing any more. What it said before is still for the
 * guest; at its end the connection is reset.
 */
static void deafen(struct vsock_conn *c)
{
	c->host_deaf = c->host_hung_up = c->readable = true;
	c->buf_len = 0;
	c->taken = c->received;
	if (c->host_done)
		vsock_tell(c, VSOCK_SEND_RST);
	else
		vsock_wake(c);
}

/* The host took n bytes. The guest hears of it before it runs out of room. */
static void account(struct vsock_conn *c, uint32_t n)
{
	c->taken += n;
	if (c->taken != c->taken_told && vsock_room_told(c) < VSOCK_BUF / 2 &&
	    c->state == VSOCK_OPEN)
		vsock_tell(c, VSOCK_SEND_CREDIT);
}

/* Gives how much was taken; all that is asked for, or it would block. */
static size_t write_host(struct vsock_conn *c, const struct iovec *v, size_t n)
{
	struct msghdr msg = {
		.msg_iov = (struct iovec *)(uintptr_t)v,
		.msg_iovlen = n,
	};
	ssize_t done;

	if (!c->writable)
		return 0;
	done = TEMP_FAILURE_RETRY(
		sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT));
	if (done < 0) {
		c->writable = false;
		if (errno != EAGAIN)
			deafen(c);
		return 0;
	}
	account(c, (uint32_t)done);
	return (size_t)done;
}

static void flush(struct vsock_conn *c)
{
	while (c->buf_len > 0 && c->writable) {
		uint32_t first = MIN_OF(c->buf_len, VSOCK_BUF - c->buf_at);
		struct iovec v[2] = { { c->buf + c->buf_at, first },
				      { c->buf, c->buf_len - first } };
		size_t n = write_host(c, v, c->buf_len > first ? 2 : 1);

		if (n == 0)
			break;
		c->buf_at = (uint32_t)((c->buf_at + n) % VSOCK_BUF);
		c->buf_len -= (uint32_t)n;
	}
}

static void keep(struct vsock_conn *c, const struct iovec *v, uint32_t n,
		 size_t skip, size_t len)
{
	uint32_t end = (c->buf_at + c->buf_len) % VSOCK_BUF;
	size_t first = MIN_OF(len, (size_t)(VSOCK_BUF - end));

	(void)virtq_copy_from(v, n, skip, c->buf + end, first);
	(void)virtq_copy_from(v, n, skip + first, c->buf, len - first);
	c->buf_len += (uint32_t)len;
}

bool vsock_to_host(struct vsock_conn *c, struct iovec *v, uint32_t n,
		   size_t len)
{
	size_t done = 0;

	if (len > VSOCK_BUF - c->buf_len)
		return false;
	c->received += (uint32_t)len;
	n = virtq_cut(v, n, len);
	if (c->buf_len == 0 && len > 0 && !c->host_deaf)
		done = write_host(c, v, n);
	if (c->host_deaf) {
		c->taken = c->received; /* into the void */
		return true;
	}
	if (done == len)
		return true;
	if (!c->buf)
		c->buf = malloc(VSOCK_BUF);
	if (!c->buf)
		return false;
	keep(c, v, n, done, len - done);
	return true;
}

void vsock_linger(struct vsock_conn *c)
{
	unready(c);
	unlink_from(list_of(c), c);
	c->state = VSOCK_LINGERING;
	link_to(list_of(c), c);
	c->pending = 0;
	c->guest_done = c->guest_deaf = true;
	vsock_settle(c);
}

void vsock_settle(struct vsock_conn *c)
{
	if (c->buf_len > 0)
		return;
	if (c->state == VSOCK_LINGERING) {
		vsock_conn_free(c);
		return;
	}
	if (!c->guest_done)
		return;
	if (c->guest_deaf || c->host_done)
		vsock_tell(c, VSOCK_SEND_RST); /* nothing can follow */
	else
		(void)shutdown(c->fd, SHUT_WR);
}

/* What the descriptor has become good for. May free the connection. */
static void serve_host(struct vsock_conn *c)
{
	bool waiting = c->buf_len > 0;

	if (c->state == VSOCK_GREETING) {
		vsock_greet(c);
		return;
	}
	flush(c);
	if (c->host_hung_up && c->host_done && c->state == VSOCK_OPEN)
		vsock_tell(c, VSOCK_SEND_RST);
	vsock_wake(c);
	if (waiting)
		vsock_settle(c);
}

static int on_host(void *arg, int fd, uint32_t events, struct err *e)
{
	struct vsock_conn *c = arg;
	struct vsock *vs = c->vs;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		c->writable = true;
	if (events & (EPOLLHUP | EPOLLERR))
		c->host_hung_up = true;
	serve_host(c);
	vsock_pump(vs);
	return 0;
}

struct vsock_conn *vsock_conn_new(struct vsock *vs, int fd, bool own,
				  enum vsock_state state)
{
	struct vsock_conn *c = NULL;

	if (vs->n_conns < VSOCK_MAX_CONNS)
		c = calloc(1, sizeof(*c));
	if (c) {
		c->vs = vs;
		c->fd = fd;
		c->own_fd = own;
		c->state = state;
		c->writable = true;
	}
	if (!c || loop_add_fd(vs->dev.loop, fd,
			      EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			      on_host, c, &c->source, NULL) < 0) {
		if (own)
			(void)close(fd);
		free(c);
		return NULL;
	}
	vs->n_conns++;
	link_to(list_of(c), c);
	return c;
}

void vsock_conn_name(struct vsock_conn *c, uint32_t host_port,
		     uint32_t guest_port)
{
	unlink_from(list_of(c), c);
	c->host_port = host_port;
	c->guest_port = guest_port;
	if (c->state == VSOCK_GREETING)
		c->state = VSOCK_REQUESTED;
	link_to(list_of(c), c);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/str.h"
#include "microvm/vsock_priv.h"

/* "CONNECT 4294967295\n" */
#define GREETING     "CONNECT "
#define GREETING_MAX 19

static int on_listener(void *arg, int fd, uint32_t events, struct err *e)
{
	struct vsock *vs = arg;
	struct vsock_conn *c;
	int sock;

	sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (sock < 0)
		return 0; /* it has gone again, or there is no descriptor left
			   */
	c = vsock_conn_new(vs, sock, true, VSOCK_GREETING);
	if (c)
		vsock_greet(c);
	vsock_pump(vs);
	return 0;
}

int vsock_listen(struct vsock *vs, struct err *e)
{
	if (vs->setup->listen_fd < 0)
		return 0;
	return loop_add_fd(vs->dev.loop, vs->setup->listen_fd, EPOLLIN,
			   on_listener, vs, &vs->listener, e);
}

/* A port nobody uses for a connection with that port of the guest. */
static uint32_t free_port(struct vsock *vs, uint32_t guest_port)
{
	do {
		if (vs->next_port < VSOCK_FIRST_PORT)
			vs->next_port = VSOCK_FIRST_PORT;
		vs->next_port++;
	} while (vsock_find(vs, vs->next_port, guest_port));
	return vs->next_port;
}

/* 1: there it is; 0: not all of it yet; < 0: that is no greeting. */
static int read_greeting(int fd, uint32_t *ret_port)
{
	char line[GREETING_MAX + 1] = "";
	ssize_t n = recv(fd, line, GREETING_MAX, MSG_PEEK | MSG_DONTWAIT);
	char *end;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ENOTCONN;
	end = memchr(line, '\n', (size_t)n);
	if (!end)
		return n == GREETING_MAX ? -EPROTO : 0;
	/* Only the line: what follows belongs to the guest. */
	n = end + 1 - line;
	if (recv(fd, line, (size_t)n, MSG_DONTWAIT) != n)
		return -EPROTO;
	*end = '\0';
	if (!str_starts(line, GREETING))
		return -EPROTO;
	return str_to_u32(line + strlen(GREETING), ret_port) < 0 ? -EPROTO : 1;
}

void vsock_greet(struct vsock_conn *c)
{
	uint32_t port = 0;
	int r = read_greeting(c->fd, &port);

	if (r < 0) {
		vsock_conn_free(c);
	} else if (r > 0) {
		vsock_conn_name(c, free_port(c->vs, port), port);
		vsock_tell(c, VSOCK_SEND_REQUEST);
	}
}

void vsock_accepted(struct vsock_conn *c)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	/* The first bytes into a new socket: there is room. */
	if (send(c->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		vsock_tell(c, VSOCK_SEND_RST);
}

/* The number of the lent socket for that port; -1: it has none. */
static int find_lent(const struct vsock *vs, uint32_t port)
{
	for (size_t i = 0; i < vs->setup->ports.n; i++)
		if (vs->setup->ports.v[i].port == port)
			return (int)i;
	return -1;
}

/* Each once. */
static int take_lent(struct vsock *vs, int i)
{
	if (vs->taken_ports & 1ULL << i)
		return -1;
	vs->taken_ports |= 1ULL << i;
	return vs->setup->ports.v[i].fd;
}

int vsock_connect_host(struct vsock *vs, uint32_t port, bool *ret_own)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int lent = find_lent(vs, port);
	int fd;

	*ret_own = lent < 0;
	if (lent >= 0)
		return take_lent(vs, lent);
	if (vs->setup->dir_fd < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* Below the working directory; a full backlog counts as a refusal. */
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "vsock_%u", port);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

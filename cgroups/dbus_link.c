/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/dbus_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroups/procs.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

/* Answers that a caller may want to tell apart. */
static const struct {
	const char *name;
	int code;
} known_errors[] = {
	{ "org.freedesktop.systemd1.UnitExists", -EEXIST },
	{ "org.freedesktop.systemd1.NoSuchUnit", -ENOENT },
	{ "org.freedesktop.DBus.Error.AccessDenied", -EACCES },
	{ "org.freedesktop.DBus.Error.AuthFailed", -EACCES },
	{ "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
	  -EACCES },
	{ "org.freedesktop.DBus.Error.PropertyReadOnly", -EINVAL },
	{ "org.freedesktop.DBus.Error.InvalidArgs", -EINVAL },
	{ "org.freedesktop.DBus.Error.UnknownMethod", -EOPNOTSUPP },
	{ "org.freedesktop.DBus.Error.NameHasNoOwner", -ECONNREFUSED },
	{ "org.freedesktop.DBus.Error.ServiceUnknown", -ECONNREFUSED },
	{ "org.freedesktop.DBus.Error.NoReply", -ETIMEDOUT },
	{ "org.freedesktop.DBus.Error.TimedOut", -ETIMEDOUT },
};

static int wait_ready(const struct cg_dbus_link *l, short events, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = l->fd, .events = events };
		int r = poll(&p, 1, cg_left_ms(l->deadline));

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_errno(e, "D-Bus: wait");
		if (r == 0)
			return err_set(e, -ETIMEDOUT,
				       "the peer does not answer");
	}
}

/* Gives how much was taken, perhaps nothing. */
static ssize_t write_some(const struct cg_dbus_link *l, const char *p, size_t n,
			  struct err *e)
{
	ssize_t done = send(l->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (done >= 0 || errno == EINTR)
		return MAX_OF(done, 0);
	if (errno != EAGAIN)
		return err_errno(e, "D-Bus: send");
	return wait_ready(l, POLLOUT, e);
}

static int write_all(const struct cg_dbus_link *l, const void *buf, size_t n,
		     struct err *e)
{
	const char *p = buf;

	while (n > 0) {
		ssize_t done = write_some(l, p, n, e);

		if (done < 0)
			return (int)done;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Gives how much came, perhaps nothing. */
static ssize_t read_some(const struct cg_dbus_link *l, void *buf, size_t n,
			 struct err *e)
{
	ssize_t got;
	int r = wait_ready(l, POLLIN, e);

	if (r < 0)
		return r;
	got = recv(l->fd, buf, n, MSG_DONTWAIT);
	if (got == 0)
		return err_set(e, -ECONNRESET,
			       "the peer closed the connection");
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return err_errno(e, "D-Bus: receive");
	return MAX_OF(got, 0);
}

static int read_all(const struct cg_dbus_link *l, void *buf, size_t n,
		    struct err *e)
{
	char *p = buf;

	while (n > 0) {
		ssize_t got = read_some(l, p, n, e);

		if (got < 0)
			return (int)got;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

/* --- authentication -------------------------------------------------------*/

/*
 * What we say at once, as the peer may have our first message in its buffer
 * behind a BEGIN that comes alone, and systemd then waits for more to come.
 *
 * EXTERNAL without a user: the peer takes it from the socket. A number of our
 * own would be wrong inside of a user namespace.
 */
static const char hello[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

/* Cuts the first line off buf; false when it is not whole. */
static bool next_line(char *buf, size_t *n, char *ret, size_t size)
{
	const char *end = memchr(buf, '\n', *n);
	size_t len;

	if (!end)
		return false;
	len = (size_t)(end - buf) + 1;
	(void)snprintf(ret, size, "%.*s", (int)strcspn(buf, "\r\n"), buf);
	*n -= len;
	memmove(buf, end + 1, *n);
	return true;
}

/* "DATA", then "OK <id>". 1 when that was it, 0 when more is to come. */
static int judge(char *buf, size_t *n, struct err *e)
{
	char line[128];

	while (next_line(buf, n, line, sizeof(line))) {
		if (str_starts(line, "OK"))
			return 1;
		if (!str_starts(line, "DATA"))
			return err_set(e, -EACCES,
				       "the peer does not accept us ('%s')",
				       line);
	}
	return 0;
}

/* Behind its OK the peer is silent until we speak. */
static int authenticate(const struct cg_dbus_link *l, struct err *e)
{
	char buf[512];
	size_t n = 0;
	int r;

	r = write_all(l, hello, sizeof(hello) - 1, e);
	while (r == 0 && n < sizeof(buf)) {
		ssize_t got = read_some(l, buf + n, sizeof(buf) - n, e);

		if (got < 0)
			return (int)got;
		n += (size_t)got;
		r = judge(buf, &n, e);
	}
	if (r == 0)
		return err_set(e, -EPROTO, "the peer sends no D-Bus greeting");
	return MIN_OF(r, 0);
}

static int greet(struct cg_dbus_link *l, struct err *e)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in answer = { 0 };

	cg_dbus_call(&m, BUS_NAME, BUS_PATH, BUS_NAME, "Hello", "");
	return cg_dbus_talk(l, &m, &answer, NULL, NULL, e);
}

int cg_dbus_link_open(struct cg_dbus_link *l, int fd, bool is_bus,
		      int timeout_ms, struct err *e)
{
	int r;

	*l = (struct cg_dbus_link){
		.fd = fd,
		.is_bus = is_bus,
		.deadline = cg_deadline(timeout_ms),
	};
	r = authenticate(l, e);
	if (r == 0 && is_bus)
		r = greet(l, e);
	if (r < 0)
		cg_dbus_link_close(l);
	return r;
}

void cg_dbus_link_close(struct cg_dbus_link *l)
{
	auto_close_(&l->fd);
	l->fd = -1;
}

/* --- messages -------------------------------------------------------------*/

int cg_dbus_send(struct cg_dbus_link *l, struct cg_dbus_out *m,
		 uint32_t *ret_serial, struct err *e)
{
	int r;

	*ret_serial = ++l->serial;
	r = cg_dbus_finish(m, l->serial, e);
	return r < 0 ? r : write_all(l, m->v, m->n, e);
}

int cg_dbus_receive(struct cg_dbus_link *l, struct cg_dbus_in *ret,
		    struct err *e)
{
	uint8_t head[CG_DBUS_HEADER];
	autofree uint8_t *v = NULL;
	size_t size = 0;
	int r;

	r = read_all(l, head, sizeof(head), e);
	if (r == 0)
		r = cg_dbus_size(head, &size, e);
	if (r < 0)
		return r;
	v = malloc(size);
	if (!v)
		return err_nomem(e);
	memcpy(v, head, sizeof(head));
	r = read_all(l, v + sizeof(head), size - sizeof(head), e);
	return r < 0 ? r : cg_dbus_parse(steal_ptr(v), size, ret, e);
}

static int refused(struct cg_dbus_in *m, struct err *e)
{
	const char *words = "";
	int code = -EREMOTEIO;

	for (size_t i = 0; i < ARRAY_SIZE(known_errors); i++) {
		if (str_eq(m->error, known_errors[i].name))
			code = known_errors[i].code;
	}
	if (cg_dbus_read_str(m, &words) < 0)
		words = m->error;
	return err_set(e, code, "%s", *words ? words : m->error);
}

int cg_dbus_talk(struct cg_dbus_link *l, struct cg_dbus_out *m,
		 struct cg_dbus_in *ret,
		 void (*other)(void *arg, struct cg_dbus_in *m), void *arg,
		 struct err *e)
{
	uint32_t serial;
	int r;

	r = cg_dbus_send(l, m, &serial, e);
	if (r < 0)
		return r;
	for (;;) {
		_cleanup_(cg_dbus_in_done) struct cg_dbus_in in = { 0 };

		r = cg_dbus_receive(l, &in, e);
		if (r < 0)
			return r;
		if (in.type == CG_DBUS_ERROR && in.reply_to == serial)
			return refused(&in, e);
		if (in.type == CG_DBUS_RETURN && in.reply_to == serial) {
			*ret = in;
			in = (struct cg_dbus_in){ 0 };
			return 0;
		}
		if (other)
			other(arg, &in);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/sync.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

static const char *const step_names[SYNC_N_] = {
	[SYNC_FAILED] = "failed",
	[SYNC_CLONED] = "cloned",
	[SYNC_MAPPED] = "mapped",
	[SYNC_CONSOLE] = "console",
	[SYNC_ROOTFS] = "rootfs",
	[SYNC_HOOKED] = "hooked",
	[SYNC_LISTENER] = "listener",
	[SYNC_TAKEN] = "taken",
	[SYNC_READY] = "ready",
	[SYNC_KEPT] = "kept",
	[SYNC_GO] = "go",
};

static const char *name_of(uint32_t step)
{
	return step < SYNC_N_ ? step_names[step] : "unknown";
}

int sync_pair(int ret_ends[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_ends) < 0)
		return err_errno(e, "make a socket pair");
	return 0;
}

int sync_send(int end, enum sync_step step, int value, struct err *e)
{
	struct sync_packet p = { .step = step, .value = value };
	int r;

	r = fd_write_all(end, &p, sizeof(p));
	if (r < 0)
		return err_set(e, r, "send '%s': %s", name_of(step),
			       strerrordesc_np(-r));
	return 0;
}

int sync_send_fd(int end, enum sync_step step, int fd, struct err *e)
{
	struct sync_packet p = { .step = step, .value = -1 };
	int r;

	r = fd_send(end, &p, sizeof(p), &fd, 1, e);
	if (r < 0)
		return err_wrap(e, r, "send '%s'", name_of(step));
	return 0;
}

void sync_fail(int end, const struct err *e)
{
	struct sync_packet p = { .step = SYNC_FAILED, .err = *e };
	int r;

	r = fd_write_all(end, &p, sizeof(p));
	(void)r; /* nobody is left to be told */
}

/* What a packet of the other side means, when we wait for step. */
static int judge(struct sync_packet *p, enum sync_step step, struct err *e)
{
	if (p->step == SYNC_FAILED) {
		p->err.text[ERR_TEXT - 1] = '\0';
		return err_set(e, p->err.code < 0 ? p->err.code : -EPROTO, "%s",
			       p->err.text);
	}
	if (p->step != (uint32_t)step)
		return err_set(e, -EPROTO, "sync: wanted '%s', got '%s'",
			       name_of(step), name_of(p->step));
	return 0;
}

/* 1: a packet; 0: the other side closed. */
static int receive(int end, struct sync_packet *p, struct err *e)
{
	int r;

	r = fd_read_exact(end, p, sizeof(*p));
	if (r == -ENODATA || r == -ECONNRESET)
		return 0;
	if (r < 0)
		return err_set(e, r, "receive packet: %s", strerrordesc_np(-r));
	return 1;
}

int sync_wait(int end, enum sync_step step, int *ret_value, struct err *e)
{
	struct sync_packet p;
	int r;

	r = receive(end, &p, e);
	if (r == 0)
		r = err_set(e, -ENOTCONN, "the other process is gone");
	if (r < 0)
		return err_wrap(e, r, "wait for '%s'", name_of(step));
	r = judge(&p, step, e);
	if (r < 0)
		return r;
	if (ret_value)
		*ret_value = p.value;
	return 0;
}

int sync_wait_fd(int end, enum sync_step step, int *ret_fd, struct err *e)
{
	struct sync_packet p;
	autoclose int fd = -1;
	int r;

	r = fd_recv(end, &p, sizeof(p), &fd, 1, e);
	if (r < 0)
		return err_wrap(e, r, "wait for '%s'", name_of(step));
	r = judge(&p, step, e);
	if (r < 0)
		return r;
	if (fd < 0)
		return err_set(e, -EPROTO, "sync: '%s' without a descriptor",
			       name_of(step));
	*ret_fd = steal_fd(&fd);
	return 0;
}

int sync_wait_end(int end, struct err *e)
{
	struct sync_packet p;
	int r;

	r = receive(end, &p, e);
	if (r <= 0)
		return r;
	r = judge(&p, SYNC_FAILED, e);
	return r < 0 ? r : err_set(e, -EPROTO, "sync: unexpected packet");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/vm_client.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "src/oci/wire_body.h"
#include "src/runtime/vm_host.h"

#define CLIENTS_MAX 256

struct rt_host_client {
	struct rt_host_client *next;
	struct rt_host *host;
	int fd; /* until the wire has it */
	struct loop_source *source;
	struct wire *wire;
	struct wire_link *link;
	int fds[WIRE_STREAM_N_];
	struct rt_host_session *session;
};

static void client_free(struct rt_host_client *c)
{
	struct rt_host_client **at = &c->host->clients;

	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	if (c->session)
		c->session->client = NULL;
	loop_remove(c->host->loop, c->source);
	wire_detach(c->link);
	wire_free(c->wire);
	for (int i = 0; i < WIRE_STREAM_N_; i++)
		if (c->fds[i] >= 0)
			(void)close(c->fds[i]);
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}

void rt_host_clients_free(struct rt_host *h)
{
	while (h->clients)
		client_free(h->clients);
}

static int to_guest(struct rt_host *h, uint16_t session,
		    const struct wire_frame *f, struct err *e)
{
	return wire_send(h->wire, f->type, session, f->body, f->len, e);
}

/* --- what the client asks for ------------------------------------------------
 */

/* In parts: a machine that was frozen comes back after one of them at most. */
#define TICKS 10

/* The answer may still come: as if the client had gone. */
static int on_tick(void *arg, struct err *e)
{
	struct rt_host_session *s = arg;
	struct rt_host_client *c = s->client;
	struct wire_failed failed = {
		.code = -ETIMEDOUT,
		.text = (char *)"the guest's agent does not answer",
	};

	if (++s->ticks < TICKS)
		return 0;
	loop_remove(s->host->loop, steal_ptr(s->patience));
	if (!c)
		return 0;
	c->session = NULL;
	s->client = NULL;
	return wire_send_json(c->wire, WIRE_FAILED, 0, &wire_failed_table,
			      &failed, e);
}

static int expect_answer(struct rt_host_session *s, struct err *e)
{
	uint64_t tick = s->host->patience_ms / TICKS;

	return loop_add_timer(s->host->loop, tick, tick, on_tick, s,
			      &s->patience, e);
}

static int ask_exec(struct rt_host_client *c, const struct wire_frame *f,
		    struct err *e)
{
	int r;

	if (c->session || c->fds[WIRE_STDIN] < 0)
		return err_set(e, -EPROTO, "an 'exec' without stdio");
	r = rt_host_session_new(c->host, 0, c->fds, &c->session, e);
	/* Taken over in any case. */
	for (int i = 0; i < WIRE_STREAM_N_; i++)
		c->fds[i] = -1;
	if (r < 0)
		return r;
	c->session->client = c;
	r = expect_answer(c->session, e);
	return r < 0 ? r : to_guest(c->host, c->session->id, f, e);
}

/* A number by which the answer finds back; there is no program behind it. */
static int ask_update(struct rt_host_client *c, const struct wire_frame *f,
		      struct err *e)
{
	static const int none[WIRE_STREAM_N_] = { -1, -1, -1 };
	int r;

	if (c->session)
		return err_set(e, -EPROTO, "an 'update' by a program");
	r = rt_host_session_new(c->host, 0, none, &c->session, e);
	if (r < 0)
		return r;
	c->session->client = c;
	c->session->phase = RT_HOST_ASKING;
	r = expect_answer(c->session, e);
	return r < 0 ? r : to_guest(c->host, c->session->id, f, e);
}

static int on_client_frame(void *arg, const struct wire_frame *f, struct err *e)
{
	struct rt_host_client *c = arg;
	uint16_t id = c->session ? c->session->id : RT_HOST_INIT;

	switch ((int)f->type) {
	case WIRE_EXEC:
		return ask_exec(c, f, e);
	case WIRE_UPDATE:
		return ask_update(c, f, e);
	case WIRE_CLOCK:
		return to_guest(c->host, 0, f, e);
	case WIRE_SIGNAL:
	case WIRE_RESIZE:
		return to_guest(c->host, id, f, e);
	default:
		return err_set(e, -EPROTO, "'%s' frame from a client",
			       wire_type_name(f->type));
	}
}

static int on_client_drained(void *arg, struct err *e)
{
	return 0;
}

static int kill_program(struct rt_host_session *s, struct err *e)
{
	struct wire_signal sig = { .signal = SIGKILL };

	return wire_send_json(s->host->wire, WIRE_SIGNAL, s->id,
			      &wire_signal_table, &sig, e);
}

/* Of a program that runs. */
static int abandon(struct rt_host_session *s, struct err *e)
{
	int r = s->exited ? 0 : kill_program(s, e);

	return r < 0 ? r : rt_host_session_mute(s, e);
}

static int on_client_closed(void *arg, int why, struct err *e)
{
	struct rt_host_client *c = arg;
	struct rt_host_session *s = c->session;

	client_free(c);
	return s && s->phase == RT_HOST_RUNNING ? abandon(s, e) : 0;
}

static const struct wire_handler client_handler = { on_client_frame,
						    on_client_drained,
						    on_client_closed };

/* --- what it is told ------------------------------------------------------*/

static int start(struct rt_host_session *s, struct err *e)
{
	int r = rt_host_session_start(s, e);

	if (r < 0)
		return r;
	return wire_send(s->host->wire, WIRE_START, s->id, NULL, 0, e);
}

/* To the client; it may have gone while we asked. */
static int pass_on(struct rt_host_session *s, const struct wire_frame *f,
		   struct err *e)
{
	if (!s->client)
		return 0;
	return wire_send(s->client->wire, f->type, 0, f->body, f->len, e);
}

static int begin(struct rt_host_session *s, struct err *e)
{
	int r = rt_host_session_run(s, e);

	loop_remove(s->host->loop, steal_ptr(s->patience));
	/* Killed as late as this: the guest's answers come in their order. */
	return r < 0 || s->client ? r : abandon(s, e);
}

int rt_host_client_answer(struct rt_host_session *s, const struct wire_frame *f,
			  struct err *e)
{
	int r;

	if (s->phase == RT_HOST_RUNNING || s->id == RT_HOST_INIT)
		return err_set(e, -EPROTO, "an answer that nobody asked for");
	if (f->type == WIRE_DONE && s->phase == RT_HOST_CREATING)
		return start(s, e);
	r = pass_on(s, f, e);
	if (f->type == WIRE_DONE && s->phase == RT_HOST_STARTING)
		return r < 0 ? r : begin(s, e);
	if (s->client)
		s->client->session = NULL;
	rt_host_session_free(s);
	return r;
}

int rt_host_client_over(struct rt_host_session *s, struct err *e)
{
	struct wire_exited x = { .status = s->status };
	struct rt_host_client *c = s->client;

	c->session = NULL;
	rt_host_session_free(s);
	return wire_send_json(c->wire, WIRE_EXITED, 0, &wire_exited_table, &x,
			      e);
}

/* --- who comes ------------------------------------------------------------*/

static int greet(struct rt_host_client *c, struct err *e)
{
	char byte;
	int r;

	r = fd_recv(c->fd, &byte, 1, c->fds, WIRE_STREAM_N_, e);
	if (r < 0)
		return r;
	r = wire_new(steal_fd(&c->fd), WIRE_GUEST, &c->wire, e);
	if (r < 0)
		return r;
	return wire_attach(c->wire, c->host->loop, &client_handler, c, &c->link,
			   e);
}

/* One client's faults are its own. */
static int on_first_byte(void *arg, int fd, uint32_t events, struct err *e)
{
	struct rt_host_client *c = arg;
	struct err why = { 0 };

	loop_remove(c->host->loop, steal_ptr(c->source));
	if (greet(c, &why) < 0) {
		log_debug("client: %s", err_text(&why));
		client_free(c);
	}
	return 0;
}

static bool may_enter(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	       (cred.uid == 0 || cred.uid == geteuid());
}

static bool too_many(const struct rt_host *h)
{
	size_t n = 0;

	for (const struct rt_host_client *c = h->clients; c; c = c->next)
		n++;
	return n >= CLIENTS_MAX;
}

static int add_client(struct rt_host *h, int fd, struct err *e)
{
	struct rt_host_client *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)close(fd);
		return err_nomem(e);
	}
	*c = (struct rt_host_client){
		.next = h->clients,
		.host = h,
		.fd = fd,
		.fds = { -1, -1, -1 },
	};
	h->clients = c;
	return loop_add_fd(h->loop, fd, EPOLLIN, on_first_byte, c, &c->source,
			   e);
}

static int on_connect(void *arg, int fd, uint32_t events, struct err *e)
{
	struct rt_host *h = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (conn < 0)
		return 0;
	if (too_many(h) || !may_enter(conn)) {
		(void)close(conn);
		return 0;
	}
	return add_client(h, conn, e);
}

int rt_host_listen(struct rt_host *h, int listener, struct err *e)
{
	return loop_add_fd(h->loop, listener, EPOLLIN, on_connect, h, NULL, e);
}

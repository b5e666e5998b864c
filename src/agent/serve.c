/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/serve.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "src/agent/agent.h"
#include "src/oci/wire_body.h"

static int agent_poweroff(struct agent *a, const struct wire_frame *f,
			  struct err *e)
{
	loop_quit(a->loop, 0);
	return 0;
}

/* What answers is told how it went; what does not is only noted. */
static const struct {
	int (*run)(struct agent *a, const struct wire_frame *f, struct err *e);
	bool answers;
} calls[WIRE_TYPE_N_] = {
	[WIRE_SETUP] = { agent_setup, true },
	[WIRE_CREATE] = { agent_create, true },
	[WIRE_EXEC] = { agent_exec, true },
	[WIRE_START] = { agent_start, true },
	[WIRE_SIGNAL] = { agent_signal, false },
	[WIRE_RESIZE] = { agent_resize, false },
	[WIRE_CLOCK] = { agent_clock, false },
	[WIRE_ENTROPY] = { agent_entropy, false },
	[WIRE_UPDATE] = { agent_update, true },
	[WIRE_POWEROFF] = { agent_poweroff, false },
	[WIRE_DATA] = { agent_stream, false },
	[WIRE_CREDIT] = { agent_stream, false },
	[WIRE_END] = { agent_stream, false },
	[WIRE_CLOSED] = { agent_stream, false },
};

static int answer(struct agent *a, uint16_t session, int r,
		  const struct err *why, struct err *e)
{
	struct wire_failed failed = {
		.code = r,
		.text = (char *)err_text(why),
	};

	if (r >= 0)
		return wire_send(a->wire, WIRE_DONE, session, NULL, 0, e);
	return wire_send_json(a->wire, WIRE_FAILED, session, &wire_failed_table,
			      &failed, e);
}

static int on_frame(void *arg, const struct wire_frame *f, struct err *e)
{
	struct agent *a = arg;
	struct err why = { 0 };
	int r;

	if (!calls[f->type].run)
		return err_set(e, -EPROTO, "'%s' frame",
			       wire_type_name(f->type));
	r = calls[f->type].run(a, f, &why);
	if (calls[f->type].answers) {
		log_debug("%s %u: %s", wire_type_name(f->type), f->session,
			  r < 0 ? err_text(&why) : "done");
		return answer(a, f->session, r, &why, e);
	}
	if (r < 0)
		log_warning("%s: %s", wire_type_name(f->type), err_text(&why));
	return 0;
}

static int on_drained(void *arg, struct err *e)
{
	return agent_resume(arg, e);
}

/* The host is gone, or not to be understood: so are we. */
static int on_closed(void *arg, int why, struct err *e)
{
	return why;
}

static const struct wire_handler handler = { on_frame, on_drained, on_closed };

static int on_child(void *arg, const struct signalfd_siginfo *si, struct err *e)
{
	return agent_reap(arg, e);
}

static int say_hello(struct agent *a, const struct err *trouble, struct err *e)
{
	struct utsname u;
	struct wire_hello hello = {
		.version = WIRE_VERSION,
		.trouble = trouble->code ? (char *)trouble->text : NULL,
	};

	if (uname(&u) == 0)
		hello.release = u.release;
	return wire_send_json(a->wire, WIRE_HELLO, 0, &wire_hello_table, &hello,
			      e);
}

/* What programs have written is with the host: it may end the machine at
 * once. */
static int say_farewell(struct agent *a, struct err *e)
{
	ssize_t left;
	int r;

	sync();
	r = wire_send(a->wire, WIRE_DONE, 0, NULL, 0, e);
	if (r == 0)
		r = fd_set_nonblock(wire_fd(a->wire), false);
	if (r < 0)
		return r;
	left = wire_flush(a->wire, e);
	return left < 0 ? (int)left : 0;
}

static void agent_done(struct agent *a)
{
	agent_forget_sessions(a);
	cg_free(a->cgroup);
	plan_done(&a->plan);
	free(a->state);
	wire_detach(a->link);
	wire_free(a->wire);
	loop_free(a->loop);
}

int agent_serve(int fd, const struct err *trouble, struct err *e)
{
	static const int signals[] = { SIGCHLD, 0 };
	_cleanup_(agent_done) struct agent a = { 0 };
	int r;

	r = wire_new(fd, WIRE_GUEST, &a.wire, e);
	if (r == 0)
		r = loop_new(&a.loop, e);
	if (r == 0)
		r = loop_add_signals(a.loop, signals, on_child, &a, e);
	if (r == 0)
		r = wire_attach(a.wire, a.loop, &handler, &a, &a.link, e);
	if (r == 0)
		r = say_hello(&a, trouble, e);
	if (r == 0)
		r = loop_run(a.loop, e);
	return r < 0 ? r : say_farewell(&a, e);
}

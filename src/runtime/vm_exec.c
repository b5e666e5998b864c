/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"
#include "namespaces/tty.h"
#include "src/oci/plan_split.h"
#include "src/oci/wire_body.h"
#include "src/oci/wire_loop.h"
#include "src/runtime/vm_client.h"
#include "src/runtime/vm_steps.h"

/* --- the runtime's half ------------------------------------------------------
 */

static char *socket_path(const char *root, const char *id)
{
	return str_printf("%s/%s/" RT_VM_SOCKET, root, id);
}

void rt_vm_exec_free(struct rt_vm_exec *x)
{
	if (!x)
		return;
	free(x->socket);
	plan_done(&x->here);
	plan_process_done(&x->guest);
	free(x);
}
DEFINE_CLEANUP(struct rt_vm_exec *, rt_vm_exec_free);

int rt_vm_exec_new(const char *root, const char *id,
		   const struct plan_process *p, struct launch *l,
		   struct rt_vm_exec **ret, struct err *e)
{
	_cleanup_(auto_rt_vm_exec_free) struct rt_vm_exec *x =
		calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_nomem(e);
	if (l->preserve_fds)
		return err_set(
			e, -EOPNOTSUPP,
			"a micro-VM takes no open descriptors but stdio");
	x->socket = socket_path(root, id);
	if (!x->socket)
		return err_nomem(e);
	r = plan_split_process(p, &x->here.process, &x->guest, e);
	if (r < 0)
		return r;
	l->plan = &x->here;
	l->process = &x->here.process;
	l->instead = rt_vm_exec_child;
	l->vm_exec = x;
	*ret = steal_ptr(x);
	return 0;
}

/* --- speaking to the init -------------------------------------------------*/

static int connect_with(const char *path, const int *fds, size_t n,
			struct wire **ret, struct err *e)
{
	autoclose int fd = fd_connect_unix(path, e);
	int r;

	if (fd < 0)
		return err_wrap(e, fd, "reach the micro-VM");
	r = fd_send(fd, "x", 1, fds, n, e);
	return r < 0 ? r : wire_new(steal_fd(&fd), WIRE_HOST, ret, e);
}

int rt_vm_connect(const char *root, const char *id, struct wire **ret,
		  struct err *e)
{
	autofree char *path = socket_path(root, id);

	if (!path)
		return err_nomem(e);
	return connect_with(path, NULL, 0, ret, e);
}

int rt_vm_set_clock(const char *root, const char *id, struct err *e)
{
	struct wire_clock body = { 0 };
	struct wire *w = NULL;
	struct timespec now;
	int r;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return err_errno(e, "ask for the time");
	body.secs = now.tv_sec;
	body.nanosecs = (uint32_t)now.tv_nsec;
	r = rt_vm_connect(root, id, &w, e);
	if (r < 0)
		return r;
	r = wire_send_json(w, WIRE_CLOCK, 0, &wire_clock_table, &body, e);
	if (r == 0)
		r = (int)wire_flush(w, e);
	wire_free(w);
	return MIN_OF(r, 0);
}

int rt_vm_signal_all(const char *root, const char *id, int sig, struct err *e)
{
	struct wire_signal body = { .signal = sig, .all = true };
	struct wire *w = NULL;
	int r;

	r = rt_vm_connect(root, id, &w, e);
	if (r < 0)
		return r;
	r = wire_send_json(w, WIRE_SIGNAL, 0, &wire_signal_table, &body, e);
	if (r == 0)
		r = (int)wire_flush(w, e);
	wire_free(w);
	return MIN_OF(r, 0);
}

/* --- the child: a program's stand-in --------------------------------------*/

struct client {
	struct loop *loop;
	struct wire *wire;
	struct wire_link *link;
	bool terminal;
	bool started, ended;
	int status; /* as waitpid() has it */
	int failed;
	struct err why;
};

static void client_done(struct client *c)
{
	wire_detach(c->link);
	wire_free(c->wire);
	loop_free(c->loop);
}

static int on_failed(struct client *c, const struct wire_frame *f,
		     struct err *e)
{
	int r = wire_failed_take(f, &c->failed, &c->why, e);

	if (r < 0)
		return r;
	loop_quit(c->loop, 0);
	return 0;
}

static int on_exited(struct client *c, const struct wire_frame *f,
		     struct err *e)
{
	struct wire_exited x = { 0 };
	int r = wire_parse(f, &wire_exited_table, &x, e);

	if (r < 0)
		return r;
	c->ended = true;
	c->status = x.status;
	loop_quit(c->loop, 0);
	return 0;
}

static int on_frame(void *arg, const struct wire_frame *f, struct err *e)
{
	struct client *c = arg;

	switch ((int)f->type) {
	case WIRE_DONE:
		c->started = true;
		loop_quit(c->loop, 0);
		return 0;
	case WIRE_FAILED:
		return on_failed(c, f, e);
	case WIRE_EXITED:
		return on_exited(c, f, e);
	default:
		return err_set(e, -EPROTO, "'%s' frame",
			       wire_type_name(f->type));
	}
}

static int on_drained(void *arg, struct err *e)
{
	return 0;
}

/* The environment has ended, and every program in it was killed. */
static int on_closed(void *arg, int why, struct err *e)
{
	struct client *c = arg;

	if (!c->started || why != -ENOTCONN)
		return err_set(e, -ESRCH, "the micro-VM has ended");
	c->ended = true;
	c->status = SIGKILL;
	loop_quit(c->loop, 0);
	return 0;
}

static const struct wire_handler handler = { on_frame, on_drained, on_closed };

static int on_signal(void *arg, const struct signalfd_siginfo *si,
		     struct err *e)
{
	struct wire_signal sig = { .signal = (int)si->ssi_signo };
	struct client *c = arg;

	if (sig.signal == SIGWINCH && c->terminal)
		return rt_vm_send_size(c->wire, 0, e);
	return wire_send_json(c->wire, WIRE_SIGNAL, 0, &wire_signal_table, &sig,
			      e);
}

static int begin(struct client *c, const struct rt_vm_exec *x, struct err *e)
{
	const int fds[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	int r;

	c->terminal = x->guest.terminal;
	r = loop_new(&c->loop, e);
	if (r == 0)
		r = rt_vm_take_signals(c->loop, on_signal, c, e);
	if (r == 0)
		r = connect_with(x->socket, fds, c->terminal ? 1 : 3, &c->wire,
				 e);
	if (r == 0)
		r = wire_attach(c->wire, c->loop, &handler, c, &c->link, e);
	if (r == 0)
		r = wire_send_json(c->wire, WIRE_EXEC, 0, &plan_process_table,
				   &x->guest, e);
	if (r == 0 && c->terminal)
		r = rt_vm_send_size(c->wire, 0, e);
	return r;
}

/* Ours are copies: the program's end of them shall be theirs. */
static int let_go_of_stdio(struct err *e)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		/* allow dup2: the numbers must not be free */
		if (null < 0 || dup2(null, fd) < 0)
			return err_errno(e, "empty our stdio");
	return 0;
}

static int run(struct client *c, struct err *e)
{
	int r = 0;

	while (r >= 0 && !c->started && !c->failed)
		r = loop_run(c->loop, e);
	if (r < 0 || !c->failed)
		return MIN_OF(r, 0);
	if (e)
		*e = c->why;
	return c->failed;
}

static int exec_client(struct child *child, struct err *e)
{
	_cleanup_(client_done) struct client c = { 0 };
	int r;

	r = begin(&c, child->l->vm_exec, e);
	if (r == 0)
		r = run(&c, e);
	if (r == 0 && !c.terminal)
		r = let_go_of_stdio(e);
	if (r < 0)
		return r;
	/* As execve would have done. */
	(void)close(child->end);
	while (r >= 0 && !c.ended)
		r = loop_run(c.loop, e);
	_exit(r < 0 ? RT_CHILD_FAILED : proc_exit_status(c.status));
}

static bool always(const struct launch *l)
{
	return true;
}

static bool has_terminal(const struct launch *l)
{
	return l->process->terminal;
}

/* clang-format off */
static const struct step steps[] = {
	{ "mapping",     rt_step_mapping,     rt_launch_waits_mapped },
	{ "hide",        rt_step_undumpable,  always                 },
	{ "signals",     rt_step_signals,     always                 },
	{ "session",     rt_step_session,     always                 },
	{ "stdio",       rt_step_stdio,       always                 },
	{ "descriptors", rt_step_descriptors, always                 },
	{ "console",     rt_step_vm_console,  has_terminal           },
	{ "ready",       rt_step_ready,       always                 },
	{ "start",       rt_step_await_start, always                 },
};
/* clang-format on */

int rt_vm_exec_child(struct child *c, struct err *e)
{
	int r = rt_run_steps(c, steps, ARRAY_SIZE(steps), e);

	return r < 0 ? r : exec_client(c, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "namespaces/tty.h"
#include "src/agent/agent.h"
#include "src/oci/wire_body.h"

/* --- being there ------------------------------------------------------------
 */

static struct agent_session *find(struct agent *a, uint16_t id)
{
	struct agent_session *s = a->sessions;

	while (s && s->id != id)
		s = s->next;
	return s;
}

static void session_free(struct agent_session *s)
{
	for (int i = 0; i < WIRE_STREAM_N_; i++)
		wire_pump_free(s->pump[i]);
	rt_launch_abort(&s->launch);
	rt_launch_done(&s->launch);
	plan_process_done(&s->process);
	free(s);
}
DEFINE_CLEANUP(struct agent_session *, session_free);

void agent_forget_sessions(struct agent *a)
{
	while (a->sessions) {
		struct agent_session *s = a->sessions;

		a->sessions = s->next;
		session_free(s);
	}
}

static struct agent_session *session_new(struct agent *a, uint16_t id)
{
	struct agent_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->agent = a;
	s->id = id;
	s->launch = (struct launch)LAUNCH_INIT;
	s->launch.plan = &a->plan;
	s->launch.process = &s->process;
	s->launch.id = "environment";
	s->launch.old_mask = loop_old_mask(a->loop);
	s->launch.in_guest = true;
	s->launch.new_keyring = true;
	return s;
}

/* Over when the program has ended and nothing of it writes any more. */
static void settle(struct agent_session *s)
{
	struct agent_session **at = &s->agent->sessions;

	if (!s->exited || s->pump[WIRE_STDIN] || s->pump[WIRE_STDOUT] ||
	    s->pump[WIRE_STDERR])
		return;
	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	session_free(s);
}

/* --- stdio ----------------------------------------------------------------*/

static void on_over(void *arg, struct wire_pump *p)
{
	struct agent_session *s = arg;

	s->pump[wire_pump_stream(p)] = NULL;
	wire_pump_free(p);
	settle(s);
}

/* fd is taken over. */
static int add_pump(struct agent_session *s, enum wire_stream_id stream, int fd,
		    struct err *e)
{
	struct wire_pump_config c = {
		.wire = s->agent->wire,
		.loop = s->agent->loop,
		.session = s->id,
		.stream = stream,
		.over = on_over,
		.arg = s,
	};

	if (stream == WIRE_STDIN)
		return wire_pump_sink_new(&c, fd, &s->pump[stream], e);
	return wire_pump_source_new(&c, fd, &s->pump[stream], e);
}

/* The program's ends in theirs, ours in the pumps, which own them. */
static int make_pipes(struct agent_session *s, int theirs[3], struct err *e)
{
	for (int i = 0; i < WIRE_STREAM_N_; i++) {
		int ends[2], r;

		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_errno(e, "make a pipe");
		theirs[i] = ends[i == WIRE_STDIN ? 0 : 1];
		r = add_pump(s, i, ends[i == WIRE_STDIN ? 1 : 0], e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One description under two numbers; the pumps end at different times. */
static int pump_terminal(struct agent_session *s, struct err *e)
{
	int in, out, r;

	r = fd_set_nonblock(s->launch.console, true);
	if (r < 0)
		return err_code(e, r, "make the terminal non-blocking");
	in = fd_copy(s->launch.console, 3, e);
	if (in < 0)
		return in;
	r = add_pump(s, WIRE_STDIN, in, e);
	if (r < 0)
		return r;
	out = fd_copy(s->launch.console, 3, e);
	return out < 0 ? out : add_pump(s, WIRE_STDOUT, out, e);
}

/* --- launching --------------------------------------------------------------
 */

static int launch_with(struct agent_session *s, struct err *e)
{
	const char *state = s->agent->state;
	struct launch *l = &s->launch;
	int r;

	r = rt_launch_prepare(l, e);
	if (r >= 0)
		r = rt_launch_clone(l, e);
	if (r >= 0)
		r = rt_launch_build(l, e);
	if (r >= 0 && rt_launch_has_hooks(l))
		r = rt_launch_hooked(l, state ? state : "{}", e);
	if (r >= 0)
		r = rt_launch_listen(l, e);
	if (r >= 0)
		r = rt_launch_finish(l, e);
	if (r >= 0 && l->process->terminal)
		r = pump_terminal(s, e);
	return r;
}

static int launch(struct agent_session *s, struct err *e)
{
	int theirs[3] = { -1, -1, -1 };
	int r = 0;

	if (!s->launch.process->terminal)
		r = make_pipes(s, theirs, e);
	for (int i = 0; i < 3; i++)
		s->launch.stdio[i] = theirs[i];
	if (r == 0)
		r = launch_with(s, e);
	/* A copy of ours would keep the pipe open when the program ends. */
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			(void)close(theirs[i]);
	return r;
}

static int check_new(struct agent *a, const struct wire_frame *f, struct err *e)
{
	if (f->session == 0 || find(a, f->session))
		return err_set(e, -EEXIST, "session %u is taken", f->session);
	return 0;
}

static int add_session(struct agent *a, struct agent_session *s, struct err *e)
{
	int r = launch(s, e);

	if (r < 0) {
		session_free(s);
		return r;
	}
	s->next = a->sessions;
	a->sessions = s;
	return 0;
}

int agent_create(struct agent *a, const struct wire_frame *f, struct err *e)
{
	struct agent_session *s;
	int r;

	if (f->session != AGENT_INIT_SESSION || a->cgroup)
		return err_set(e, -EEXIST, "the environment is there already");
	r = check_new(a, f, e);
	if (r == 0)
		r = wire_parse(f, &plan_table, &a->plan, e);
	if (r == 0)
		r = agent_add_disks(&a->plan, e);
	if (r == 0)
		r = cg_create(&a->plan.cgroup, &a->plan.limits, &a->cgroup, e);
	if (r < 0)
		return r;
	s = session_new(a, f->session);
	if (!s)
		return err_nomem(e);
	s->launch.process = &a->plan.process;
	s->launch.cgroup = a->cgroup;
	return add_session(a, s, e);
}

int agent_exec(struct agent *a, const struct wire_frame *f, struct err *e)
{
	_cleanup_(auto_session_free) struct agent_session *s = NULL;
	struct agent_session *init = find(a, AGENT_INIT_SESSION);
	int r;

	if (!init || init->exited)
		return err_set(e, -ESRCH, "the environment is not running");
	r = check_new(a, f, e);
	if (r < 0)
		return r;
	s = session_new(a, f->session);
	if (!s)
		return err_nomem(e);
	r = wire_parse(f, &plan_process_table, &s->process, e);
	if (r < 0)
		return r;
	s->launch.cgroup = a->cgroup;
	s->launch.init_pidfd = init->launch.pidfd;
	return add_session(a, steal_ptr(s), e);
}

int agent_start(struct agent *a, const struct wire_frame *f, struct err *e)
{
	struct agent_session *s = find(a, f->session);
	int r;

	if (!s || s->exited)
		return err_set(e, -ESRCH, "session %u has ended", f->session);
	r = rt_launch_go(&s->launch, e);
	for (int i = 0; i < WIRE_STREAM_N_ && r == 0; i++)
		if (s->pump[i])
			r = wire_pump_resume(s->pump[i], e);
	return r;
}

/* --- while it runs --------------------------------------------------------*/

int agent_signal(struct agent *a, const struct wire_frame *f, struct err *e)
{
	struct agent_session *s = find(a, f->session);
	struct wire_signal sig = { 0 };
	int r;

	r = wire_parse(f, &wire_signal_table, &sig, e);
	if (r < 0)
		return r;
	if (sig.all && a->cgroup)
		return cg_signal_all(a->cgroup, sig.signal, e);
	/* It may have ended while the frame was on its way. */
	if (s && !s->exited)
		(void)!proc_pidfd_signal(s->launch.pidfd, sig.signal);
	return 0;
}

int agent_update(struct agent *a, const struct wire_frame *f, struct err *e)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	int r;

	if (!a->cgroup)
		return err_set(e, -ESRCH, "the environment is not there yet");
	r = wire_parse(f, &cg_limits_table, &l, e);
	return r < 0 ? r : cg_apply(a->cgroup, &l, e);
}

int agent_resize(struct agent *a, const struct wire_frame *f, struct err *e)
{
	struct agent_session *s = find(a, f->session);
	struct wire_resize size = { 0 };
	int r;

	r = wire_parse(f, &wire_resize_table, &size, e);
	if (r < 0)
		return r;
	if (s && s->launch.console >= 0) {
		struct winsize w = {
			.ws_row = (unsigned short)size.rows,
			.ws_col = (unsigned short)size.cols,
		};

		(void)!ns_tty_resize(s->launch.console, &w);
	}
	return 0;
}

int agent_stream(struct agent *a, const struct wire_frame *f, struct err *e)
{
	struct agent_session *s = find(a, f->session);
	struct wire_pump *p = s ? s->pump[f->stream] : NULL;

	return p ? wire_pump_frame(p, f, e) : 0;
}

int agent_resume(struct agent *a, struct err *e)
{
	struct agent_session *next;
	int r = 0;

	for (struct agent_session *s = a->sessions; s && r == 0; s = next) {
		struct wire_pump *out = s->pump[WIRE_STDOUT];
		struct wire_pump *err = s->pump[WIRE_STDERR];

		next = s->next;
		/* The last one that ends takes the session with it. */
		if (out)
			r = wire_pump_resume(out, e);
		if (err && r == 0)
			r = wire_pump_resume(err, e);
	}
	return r;
}

/* --- the end --------------------------------------------------------------*/

static int exited(struct agent_session *s, int status, struct err *e)
{
	struct wire_exited x = { .status = status };
	int r;

	s->exited = true;
	s->launch.pid = 0;
	/* Nobody reads any more; the host learns it by EXITED. */
	wire_pump_free(steal_ptr(s->pump[WIRE_STDIN]));
	/* The other numbers of the terminal hold up nothing: its end comes
	 * when the last slave is closed. */
	r = wire_send_json(s->agent->wire, WIRE_EXITED, s->id,
			   &wire_exited_table, &x, e);
	settle(s);
	return r;
}

int agent_reap(struct agent *a, struct err *e)
{
	int status, r = 0;
	pid_t pid;

	/* All of them: orphans of the whole machine come to us. */
	while (r == 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct agent_session *s = a->sessions;

		while (s && s->launch.pid != pid)
			s = s->next;
		if (s)
			r = exited(s, status, e);
	}
	return r;
}

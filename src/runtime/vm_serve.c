/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/vm_steps.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "microvm/jail.h"
#include "namespaces/tty.h"
#include "src/oci/plan_split.h"
#include "src/oci/wire_body.h"
#include "src/runtime/vm_host.h"

#define ENTROPY 64
/* What the guest has in memory must reach its files; then it is switched off
 * whatever it says. */
#define POWEROFF_MS 10000

/* --- signals --------------------------------------------------------------*/

int rt_vm_send_size(struct wire *wire, uint16_t session, struct err *e)
{
	struct wire_resize size = { 0 };
	struct winsize w;

	if (ns_tty_size(STDIN_FILENO, &w) < 0)
		return 0;
	size.rows = w.ws_row;
	size.cols = w.ws_col;
	return wire_send_json(wire, WIRE_RESIZE, session, &wire_resize_table,
			      &size, e);
}

static int on_signal(void *arg, const struct signalfd_siginfo *si,
		     struct err *e)
{
	struct wire_signal sig = { .signal = (int)si->ssi_signo };
	struct rt_host *h = arg;
	struct rt_host_session *s = rt_host_session_find(h, RT_HOST_INIT);

	if (!s || s->exited)
		return 0;
	if (sig.signal == SIGWINCH && s->terminal)
		return rt_vm_send_size(h->wire, RT_HOST_INIT, e);
	/* Our own, from writing to a reader that has gone. */
	if (sig.signal == SIGPIPE && si->ssi_pid == (uint32_t)getpid())
		return 0;
	return wire_send_json(h->wire, WIRE_SIGNAL, RT_HOST_INIT,
			      &wire_signal_table, &sig, e);
}

/* All that can be sent on, but for SIGCHLD, which is about our children, and
 * the two that the C library keeps for itself. */
int rt_vm_take_signals(struct loop *l, loop_signal_fn fn, void *arg,
		       struct err *e)
{
	int signals[NSIG + 1] = { 0 };
	size_t n = 0;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != SIGCHLD &&
		    (sig < 32 || sig >= SIGRTMIN))
			signals[n++] = sig;
	return loop_add_signals(l, signals, fn, arg, e);
}

/* --- CREATE ---------------------------------------------------------------*/

static int set_up(struct child *c, struct rt_host *h, struct err *e)
{
	uint8_t random[ENTROPY];
	struct wire_mount share = {
		.tag = (char *)"host",
		.target = (char *)PLAN_SHARE,
	};
	struct wire_setup s = {
		.entropy = { random, sizeof(random) },
		.debug = log_wants(LOG_LEVEL_DEBUG),
		.state = c->hook_state,
		.mounts = { &share, 1 },
		.network = &c->l->vm->net,
	};
	struct utsname names;
	struct timespec now;

	if (uname(&names) < 0)
		return err_errno(e, "get the host's name");
	s.hostname = names.nodename;
	s.domainname = names.domainname;
	if (getrandom(random, sizeof(random), 0) != sizeof(random) ||
	    clock_gettime(CLOCK_REALTIME, &now) < 0)
		return err_errno(e, "get random bytes and the time");
	s.clock_secs = now.tv_sec;
	s.clock_nanosecs = (uint32_t)now.tv_nsec;
	return rt_host_ask_json(h, WIRE_SETUP, 0, &wire_setup_table, &s, e);
}

/* Copies for the session; ours become empty, so that the other sides see the
 * program's end of them and not ours. Our stderr stays, for last words. */
static int take_stdio(bool terminal, int fds[WIRE_STREAM_N_], struct err *e)
{
	autoclose int null = -1;

	for (int i = 0; i < (terminal ? 1 : WIRE_STREAM_N_); i++) {
		fds[i] = fd_copy(i, 3, e);
		if (fds[i] < 0)
			return fds[i];
	}
	if (terminal)
		return 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* allow dup2: they must not be free for the next descriptor */
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return err_errno(e, "empty our stdio");
	return 0;
}

static int create(struct child *c, struct rt_host *h, struct err *e)
{
	struct plan *guest = &c->l->vm->guest;
	int fds[WIRE_STREAM_N_] = { -1, -1, -1 };
	struct rt_host_session *s;
	struct winsize w;
	int r;

	r = take_stdio(guest->process.terminal, fds, e);
	if (r == 0)
		r = rt_host_session_new(h, RT_HOST_INIT, fds, &s, e);
	if (r < 0)
		return r;
	if (s->terminal && ns_tty_size(STDIN_FILENO, &w) == 0) {
		guest->process.rows = w.ws_row;
		guest->process.cols = w.ws_col;
	}
	r = rt_host_ask_json(h, WIRE_CREATE, RT_HOST_INIT, &plan_table, guest,
			     e);
	if (r == 0)
		s->phase = RT_HOST_WAITING;
	return r;
}

/* The guest has made its mount points in it. From here on its own word is not
 * needed for the root to stay as it is. */
static int seal(struct child *c, struct err *e)
{
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
	autoclose int root = -1;

	if (!c->l->plan->root.readonly)
		return 0;
	root = openat(c->root, PLAN_SHARE_ROOT,
		      O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || mount_setattr(root, "", AT_EMPTY_PATH, &readonly,
				      sizeof(readonly)) < 0)
		return err_errno(e, "make the root read-only");
	return 0;
}

int rt_step_machine(struct child *c, struct err *e)
{
	struct rt_host *h = NULL;
	int r;

	r = rt_host_new(c->l->vm, c->root, &h, e);
	if (r < 0)
		return r;
	c->host = h;
	rt_vm_net_close(c->l->vm);
	rt_vm_close_disks(c->l->vm);
	if (h->trouble)
		log_warning("guest: %s", h->trouble);
	r = rt_vm_take_signals(h->loop, on_signal, h, e);
	if (r == 0)
		r = set_up(c, h, e);
	if (r == 0)
		r = create(c, h, e);
	return r < 0 ? r : seal(c, e);
}

/* --- START ----------------------------------------------------------------*/

static int on_start(void *arg, int fd, uint32_t events, struct err *e)
{
	struct rt_host *h = arg;

	loop_quit(h->loop, 0);
	return 0;
}

/* Whoever comes first: the word to start, a signal, the guest's end. */
static int await_start(struct child *c, struct rt_host *h, struct err *e)
{
	int fd = c->l->start_fifo >= 0 ? c->l->start_fifo : c->end;
	struct loop_source *source = NULL;
	int r;

	r = loop_add_fd(h->loop, fd, EPOLLIN, on_start, h, &source, e);
	if (r < 0)
		return r;
	r = loop_run(h->loop, e);
	loop_remove(h->loop, source);
	if (r < 0)
		return rt_host_explain(h, r, e);
	return rt_step_await_start(c, e);
}

static int start(struct rt_host *h, struct err *e)
{
	struct rt_host_session *s = rt_host_session_find(h, RT_HOST_INIT);
	int r = rt_host_session_start(s, e);

	if (r == 0)
		r = rt_host_ask(h, WIRE_START, RT_HOST_INIT, NULL, 0, e);
	return r < 0 ? r : rt_host_session_run(s, e);
}

/* As execve would: who waits for it learns that the program runs. */
static void tell_started(struct child *c)
{
	(void)close(c->end);
	if (c->l->start_fifo >= 0)
		(void)close(c->l->start_fifo);
}

/* --- the end --------------------------------------------------------------*/

static int on_late(void *arg, struct err *e)
{
	struct rt_host *h = arg;

	loop_quit(h->loop, 0);
	return 0;
}

static void power_off(struct rt_host *h)
{
	struct err ignored = { 0 };

	h->ending = true;
	if (loop_add_timer(h->loop, POWEROFF_MS, 0, on_late, h, NULL,
			   &ignored) < 0 ||
	    rt_host_ask(h, WIRE_POWEROFF, 0, NULL, 0, &ignored) < 0)
		log_debug("power off: %s", err_text(&ignored));
}

/* Never returns: what the runtime sees as the program ends as the program. */
NORETURN static void attend(struct rt_host *h)
{
	struct err e = { 0 };
	int r = 0, status = RT_CHILD_FAILED;

	while (r >= 0 && !h->over)
		r = loop_run(h->loop, &e);
	if (r < 0) {
		(void)rt_host_explain(h, r, &e);
		log_error("micro-VM: %s", err_text(&e));
	} else {
		status = proc_exit_status(h->status);
		power_off(h);
	}
	/* Nothing is freed: who waits for us waits for the status, and the
	 * kernel ends what is left in our pid namespace. */
	_exit(status);
}

int rt_vm_serve(struct child *c, struct err *e)
{
	struct rt_host *h = c->host;
	int r;

	r = rt_host_listen(h, c->l->vm->listener, e);
	if (r == 0 && c->l->start_fifo >= 0)
		r = rt_step_kept(c, e);
	if (r == 0)
		r = await_start(c, h, e);
	if (r == 0)
		r = start(h, e);
	if (r < 0)
		return r;
	tell_started(c);
	r = jail_enter(0, e);
	if (r < 0)
		log_warning("micro-VM: %s", err_text(e));
	attend(h);
}

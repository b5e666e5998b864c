/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/attend.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc.h"
#include "src/runtime/console.h"

/* What a person or a supervisor sends us is meant for the program, real-time
 * signals too: systemd as an init is told to halt by RTMIN+3. */
static const int forwarded[] = { SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,
				 SIGUSR2, SIGCONT, SIGWINCH, SIGTSTP, SIGTTIN,
				 SIGTTOU, SIGALRM, SIGURG,   SIGPWR,  SIGIO,
				 SIGCHLD, 0 };

/* Children that are not the program: orphans that a subreaper inherits. */
static int on_child(struct attend *a)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!a->launch || pid != a->launch->pid)
			continue;
		a->status = proc_exit_status(status);
		loop_quit(a->loop, 0);
	}
	return 0;
}

static int on_signal(void *arg, const struct signalfd_siginfo *si,
		     struct err *e)
{
	struct attend *a = arg;
	int sig = (int)si->ssi_signo;

	if (sig == SIGCHLD)
		return on_child(a);
	if (sig == SIGWINCH && a->console) {
		console_resize(a->console);
		return 0;
	}
	if (a->launch && a->launch->pid > 0)
		(void)!proc_pidfd_signal(a->launch->pidfd, sig);
	return 0;
}

/* Before there is a program for them, they are for us: whoever waits for a
 * child or a hook meanwhile waits for this descriptor, too. */
static int open_stop(struct attend *a, struct err *e)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		(void)sigaddset(&set, ends[i]);
	a->stop = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return a->stop < 0 ? err_errno(e, "make a signalfd") : 0;
}

int attend_begin(struct attend *a, struct err *e)
{
	int more[_NSIG] = { 0 }, n = 0;
	int r;

	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		more[n++] = sig;
	r = loop_new(&a->loop, e);
	if (r >= 0)
		r = loop_add_signals(a->loop, forwarded, on_signal, a, e);
	if (r >= 0)
		r = loop_add_signals(a->loop, more, on_signal, a, e);
	return r < 0 ? r : open_stop(a, e);
}

int attend_stopped(const struct attend *a, int r)
{
	struct signalfd_siginfo si;

	if (r != -ECANCELED || read(a->stop, &si, sizeof(si)) != sizeof(si))
		return r;
	log_warning("called off by signal %u while it was set up",
		    si.ssi_signo);
	return 128 + (int)si.ssi_signo;
}

const sigset_t *attend_mask(const struct attend *a)
{
	return loop_old_mask(a->loop);
}

int attend_wait(struct attend *a, struct launch *l, struct err *e)
{
	int r;

	a->launch = l;
	if (l->console >= 0) {
		r = console_new(a->loop, l->console, &a->console, e);
		if (r < 0)
			return r;
	}
	/* It may have ended before we looked. */
	r = loop_run(a->loop, e);
	if (r < 0)
		return r;
	l->pid = 0;
	return a->status;
}

void attend_done(struct attend *a)
{
	if (a->console)
		console_free(a->console);
	if (a->stop > 0)
		(void)close(a->stop);
	loop_free(a->loop);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Until the other end of the pipe is closed, by us or by our end. */
static NORETURN void hold(int end)
{
	char c;

	(void)prctl(PR_SET_NAME, "moat-holder");
	if (end != 0)
		(void)close_range(0, (unsigned int)end - 1, 0);
	(void)close_range((unsigned int)end + 1, ~0U, 0);
	while (read(end, &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

int cg_unit_hold(struct cg_unit *unit, struct err *e)
{
	/* No signal at its end: a SIGCHLD would confuse who counts his own
	 * children. */
	struct clone_args args = { 0 };
	autoclose int ours = -1, its = -1;
	int p[2];
	long pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_errno(e, "make a pipe");
	its = p[0];
	ours = p[1];
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return err_errno(e, "start the holder of the scope");
	if (pid == 0)
		hold(its);
	unit->holder = (pid_t)pid;
	unit->holder_fd = steal_fd(&ours);
	return 0;
}

void cg_unit_release(struct cg_unit *unit)
{
	if (unit->holder <= 0)
		return;
	auto_close_(&unit->holder_fd);
	unit->holder_fd = -1;
	/* The pipe is for our own end only: the container's first process has
	 * a copy of it until it executes its program. */
	(void)kill(unit->holder, SIGKILL);
	while (waitpid(unit->holder, NULL, __WALL) < 0 && errno == EINTR)
		;
	unit->holder = 0;
}

void cg_unit_done(struct cg_unit *unit)
{
	cg_unit_release(unit);
	free(unit->name);
	unit->name = NULL;
}

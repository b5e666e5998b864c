/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/launch.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/sched.h"
#include "src/runtime/child.h"
#include "src/runtime/rdt.h"
#include "src/runtime/sync.h"

/* --- the clone ------------------------------------------------------------*/

static int join_first(struct launch *l, struct err *e)
{
	const struct plan *p = l->plan;

	if (rt_launch_is_exec(l)) {
		if (setns(l->init_pidfd, (int)l->clone_flags) < 0)
			return err_errno(e, "join the container's namespaces");
		return 0;
	}
	if (p->time_offsets.n > 0) {
		int r;

		if (unshare(CLONE_NEWTIME) < 0)
			return err_errno(e, "make a time namespace");
		r = ns_time_write(p->time_offsets.v, p->time_offsets.n, e);
		if (r < 0)
			return r;
	}
	return ns_join(l->ns_fds, e);
}

/* The intermediate process: joins, makes the child our parent's, and goes. */
NORETURN static void run_joiner(struct launch *l)
{
	struct ns_clone c = { .flags = CLONE_PARENT, .cgroup_fd = -1 };
	struct err e = { 0 };
	pid_t pid;
	int r;

	if (!rt_launch_is_exec(l))
		c.flags |= l->clone_flags;
	r = join_first(l, &e);
	if (r == 0) {
		pid = ns_fork(&c, &e);
		if (pid == 0)
			rt_child(l);
		r = pid < 0 ? pid
			    : sync_send(l->child_end, SYNC_CLONED, pid, &e);
	}
	if (r < 0)
		sync_fail(l->child_end, &e);
	_exit(r < 0);
}

static int wait_joiner(struct launch *l, pid_t joiner, struct err *e)
{
	struct err ignored = { 0 };
	int pid = 0, r;

	r = sync_wait(l->sync, SYNC_CLONED, &pid, e);
	if (proc_reap(joiner, &ignored) < 0)
		log_debug("joiner %d is gone", (int)joiner);
	if (r < 0)
		return r;
	l->pid = pid;
	l->pidfd = proc_pidfd_open(pid, e);
	return l->pidfd < 0 ? l->pidfd : 0;
}

/* Exec without an intermediate: our children shall live in the container's
 * pid namespace; we ourselves stay. */
static int aim_at_pidns(struct launch *l, struct err *e)
{
	if (!(l->clone_flags & CLONE_NEWPID))
		return 0;
	if (setns(l->init_pidfd, CLONE_NEWPID) < 0)
		return err_errno(e, "join the container's pid namespace");
	return 0;
}

static int clone_child(struct launch *l, struct err *e)
{
	struct ns_clone c = {
		.cgroup_fd = l->cgroup ? cg_clone_fd(l->cgroup) : -1,
		.ret_pidfd = l->joiner ? NULL : &l->pidfd,
	};
	pid_t pid;
	int r;

	if (!l->joiner && rt_launch_is_exec(l)) {
		r = aim_at_pidns(l, e);
		if (r < 0)
			return r;
	}
	if (!l->joiner && !rt_launch_is_exec(l))
		c.flags = l->clone_flags;
	pid = ns_fork(&c, e);
	if (pid < 0)
		return pid;
	if (pid == 0 && l->joiner)
		run_joiner(l);
	if (pid == 0)
		rt_child(l);
	(void)close(steal_fd(&l->child_end));
	if (l->joiner)
		return wait_joiner(l, pid, e);
	l->pid = pid;
	return 0;
}

static int map_and_join(struct launch *l, struct err *e)
{
	const struct plan_process *p = l->process;
	int r;

	if (!rt_launch_is_exec(l) && plan_makes(l->plan, NS_USER)) {
		r = ns_idmap_write(l->pid, &l->plan->map, e);
		if (r < 0)
			return r;
	}
	if (p->oom_score_adj.set) {
		r = ns_oom_score_set(l->procfd, l->pid,
				     (int32_t)p->oom_score_adj.v, e);
		if (r < 0)
			return r;
	}
	r = l->cgroup ? cg_join(l->cgroup, l->pid, e) : 0;
	if (r >= 0)
		r = rt_rdt_join(l->plan, l->id, l->pid, e);
	return r < 0 ? r : rt_devices_move(l, e);
}

int rt_launch_clone(struct launch *l, struct err *e)
{
	int r;

	if (l->cgroup)
		cg_join_prepare(l->cgroup);
	r = clone_child(l, e);
	if (r < 0)
		return r;
	return map_and_join(l, e);
}

/* --- the conversation -----------------------------------------------------*/

/* A child that died without a word was killed: by whom, only its status and
 * the limits can tell. */
static int explain(struct launch *l, int r, struct err *e)
{
	int status;

	if (r != -ENOTCONN || l->pid <= 0)
		return r;
	status = proc_reap(l->pid, NULL);
	l->pid = 0;
	if (status > 128)
		return err_set(
			e, -ECANCELED,
			"the process was killed by signal %d while it was set up%s",
			status - 128,
			status - 128 == SIGKILL && l->cgroup
				? " (is the memory limit too small?)"
				: "");
	return err_set(e, -ECANCELED,
		       "the process ended with status %d while it was set up",
		       status);
}

/* Until the child says something, or it is not worth waiting any more. */
static int await(const struct launch *l, struct err *e)
{
	struct pollfd p[] = {
		{ .fd = l->sync, .events = POLLIN },
		{ .fd = l->stop, .events = POLLIN },
	};

	if (l->stop < 0)
		return 0;
	if (TEMP_FAILURE_RETRY(poll(p, ARRAY_SIZE(p), -1)) < 0)
		return err_errno(e, "wait for the process");
	return p[0].revents ? 0 : err_set(e, -ECANCELED, "called off");
}

static int await_step(struct launch *l, enum sync_step step, int *ret_value,
		      struct err *e)
{
	int r = await(l, e);

	return r < 0 ? r : sync_wait(l->sync, step, ret_value, e);
}

int rt_launch_build(struct launch *l, struct err *e)
{
	int r = 0;

	if (rt_launch_waits_mapped(l))
		r = sync_send(l->sync, SYNC_MAPPED, 0, e);
	if (r >= 0 && l->process->terminal)
		r = await(l, e);
	if (r >= 0 && l->process->terminal)
		r = sync_wait_fd(l->sync, SYNC_CONSOLE, &l->console, e);
	if (r >= 0 && rt_launch_has_hooks(l))
		r = await_step(l, SYNC_ROOTFS, NULL, e);
	return r < 0 ? explain(l, r, e) : 0;
}

int rt_launch_hooked(struct launch *l, const char *state, struct err *e)
{
	autoclose int fd = -1;
	int r;

	fd = memfd_create("state", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "make a memory file");
	r = fd_write_all(fd, state, strlen(state));
	if (r < 0)
		return err_set(e, r, "write the state for hooks: %s",
			       strerrordesc_np(-r));
	return sync_send_fd(l->sync, SYNC_HOOKED, fd, e);
}

int rt_launch_listen(struct launch *l, struct err *e)
{
	int number = -1, r;

	if (!l->seccomp.notify)
		return 0;
	r = await_step(l, SYNC_LISTENER, &number, e);
	if (r < 0)
		return explain(l, r, e);
	l->listener = (int)syscall(SYS_pidfd_getfd, l->pidfd, number, 0);
	if (l->listener < 0)
		return err_errno(e, "take the seccomp listener");
	return sync_send(l->sync, SYNC_TAKEN, 0, e);
}

/*
 * From outside, and last. Limits: those that the process could not set itself,
 * because inside a user namespace nothing can be raised.
 */
static int adjust(struct launch *l, unsigned int refused, struct err *e)
{
	const struct plan_process *p = l->process;
	int r;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		if (!(refused & 1U << i))
			continue;
		r = ns_rlimit_set(l->pid, &p->rlimits.v[i], e);
		if (r < 0)
			return r;
	}
	if (p->cpus_final)
		r = ns_affinity_set(l->pid, p->cpus_final, e);
	else if (p->cpus_initial)
		r = ns_affinity_set(l->pid, p->cpus_initial, e);
	else
		r = ns_affinity_reset(l->pid, e);
	if (r >= 0 && p->io_priority)
		r = ns_io_priority_set(l->pid, p->io_priority, e);
	/* A deadline is refused to whoever is bound to some CPUs: after them.
	 */
	if (r >= 0 && p->sched)
		r = ns_sched_set(l->pid, p->sched, e);
	return r < 0 ? r : 0;
}

int rt_launch_finish(struct launch *l, struct err *e)
{
	int refused = 0, r;

	r = await_step(l, SYNC_READY, &refused, e);
	if (r < 0)
		return explain(l, r, e);
	r = adjust(l, (unsigned int)refused, e);
	if (r == 0 && l->start_fifo >= 0)
		r = sync_send(l->sync, SYNC_KEPT, 0, e);
	return r;
}

int rt_launch_go(struct launch *l, struct err *e)
{
	int r;

	r = sync_send(l->sync, SYNC_GO, 0, e);
	if (r < 0)
		return explain(l, r, e);
	r = await(l, e);
	return r < 0 ? r : sync_wait_end(l->sync, e);
}

/* --- the end --------------------------------------------------------------*/

void rt_launch_abort(struct launch *l)
{
	if (l->pid <= 0)
		return;
	(void)kill(l->pid, SIGKILL);
	if (proc_reap(l->pid, NULL) < 0)
		log_debug("process %d is gone", (int)l->pid);
	l->pid = 0;
}

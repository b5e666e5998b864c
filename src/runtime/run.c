/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/run.h"

#include <errno.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "src/runtime/attend.h"
#include "src/runtime/env.h"
#include "src/runtime/make.h"

/* Processes that the program leaves behind become ours, as they would become
 * a supervisor's. */
int run_become_subreaper(const struct rt_create *c, struct err *e)
{
	if (c->no_subreaper || c->io.detach)
		return 0;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_errno(e, "become a subreaper");
	return 0;
}

static int start(struct make *m, struct err *e)
{
	int r;

	r = make_reserve(m, e);
	if (r >= 0)
		r = make_execute(m, e);
	if (r >= 0)
		r = make_announce(m, e);
	if (r >= 0 && m->plan.notify)
		r = notify_open(&m->notify, m->dir, m->ctx->notify_socket, e);
	if (r >= 0)
		r = rt_launch_go(&m->launch, e);
	if (r >= 0)
		r = rt_poststart(&m->plan, &m->state, m->launch.stop, e);
	return r < 0 ? r : 0;
}

/*
 * The program has ended: what is left goes as with "delete", by what we know.
 * Somebody may have changed the groups meanwhile ("update" on v1), so that part
 * of the state is read again.
 */
int run_finish(struct make *m, int status, struct err *e)
{
	struct env v = ENV_INIT;
	struct err ignored = { 0 };
	int r;

	if (m->args->keep)
		return status;
	/* Whoever deletes it at this moment is waited for. */
	r = env_lock(m->dir, e);
	if (r < 0)
		return r;
	r = state_read(m->dir, &v.state, &ignored);
	if (r == -ENOENT)
		return status; /* somebody deleted it: that was to be done */
	if (r < 0) {
		v.state = m->state;
		m->state = (struct state){ 0 };
	}
	v.dir = steal_fd(&m->dir);
	v.plan = m->plan;
	m->plan = (struct plan){ 0 };
	r = env_erase_opened(&v, m->ctx, m->args->id, e);
	if (r >= 0)
		env_poststop(&v.plan, &v.state);
	env_close(&v);
	return r < 0 ? r : status;
}

static int run_foreground(struct make *m, struct err *e)
{
	_cleanup_(attend_done) struct attend a = { 0 };
	int r, status;

	r = attend_begin(&a, e);
	if (r < 0)
		return r;
	m->launch.old_mask = attend_mask(&a);
	m->launch.stop = a.stop;
	r = start(m, e);
	if (r < 0)
		goto undo;
	make_unlock(m);
	if (m->plan.notify) {
		r = notify_add(&m->notify, a.loop, e);
		if (r < 0)
			goto undo;
	}
	status = attend_wait(&a, &m->launch, e);
	if (status < 0) {
		r = status;
		goto undo;
	}
	return run_finish(m, status, e);

undo:
	make_undo(m);
	return attend_stopped(&a, r);
}

static int run_detached(struct make *m, struct err *e)
{
	int r;

	r = start(m, e);
	if (r < 0) {
		make_undo(m);
		return r;
	}
	if (!m->plan.notify)
		return 0;
	make_unlock(m);
	return notify_await(&m->notify, m->launch.pid, m->launch.pidfd, e);
}

int rt_run(const struct rt_context *ctx, const struct rt_create *c,
	   struct err *e)
{
	_cleanup_(make_done) struct make m = MAKE_INIT;
	int r;

	m.ctx = ctx;
	m.args = c;
	r = make_plan(&m, e);
	if (r < 0)
		return r;
	r = run_become_subreaper(c, e);
	if (r < 0)
		return r;
	return c->io.detach ? run_detached(&m, e) : run_foreground(&m, e);
}

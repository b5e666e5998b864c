/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/env.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "src/runtime/launch_state.h"
#include "src/runtime/rdt.h"
#include "src/runtime/vm.h"

#define LOCK_TIMEOUT_MS	  60000
#define DELETE_TIMEOUT_MS 10000

/*
 * What it is, not what the file says: a dead init is stopped; one that still
 * has its start FIFO waits to be started; a frozen group is paused.
 */
static int derive_status(struct env *v, struct err *e)
{
	struct state *s = &v->state;
	bool frozen = false;
	int r;

	if (!proc_alive(s->pid, s->start_time)) {
		s->status = s->pid ? STATE_STOPPED : s->status;
		return 0;
	}
	s->status = faccessat(v->dir, ENV_START, F_OK, 0) == 0 ? STATE_CREATED
							       : STATE_RUNNING;
	if (s->cgroup.hierarchies.n == 0)
		return 0;
	r = env_cgroup(v, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = cg_frozen(v->cgroup, &frozen, e);
	if (r < 0 && r != -ENOENT)
		return r;
	if (frozen)
		s->status = STATE_PAUSED;
	return 0;
}

int env_open(struct env *v, const struct rt_context *ctx, const char *id,
	     struct err *e)
{
	int r;

	r = state_check_id(id, e);
	if (r < 0)
		return r;
	v->dir = state_open(ctx->root, id, e);
	if (v->dir == -ENOENT)
		return err_set(e, -ENOENT, "container '%s' does not exist", id);
	if (v->dir < 0)
		return v->dir;
	r = state_read(v->dir, &v->state, e);
	if (r == -ENOENT)
		return err_set(
			e, -ENOENT,
			"container '%s' is not whole; 'delete --force' removes it",
			id);
	if (r < 0)
		return err_wrap(e, r, "container '%s'", id);
	return derive_status(v, e);
}

int env_lock(int dir, struct err *e)
{
	int r;

	r = lock_fd(dir, LOCK_EXCLUSIVE, LOCK_TIMEOUT_MS, e);
	if (r < 0)
		return err_wrap(e, r, "another command works on it");
	return 0;
}

int env_cgroup(struct env *v, struct err *e)
{
	if (v->cgroup)
		return 0;
	return cg_load(&v->state.cgroup, &v->cgroup, e);
}

int env_plan(struct env *v, struct err *e)
{
	if (v->plan.version)
		return 0;
	return json_read_file_at(v->dir, ENV_PLAN, &plan_table, &v->plan, e);
}

int env_not_running(const struct state *s, struct err *e)
{
	return err_set(e, -ESRCH, "container not running: '%s'", s->id);
}

int env_init_pidfd(const struct env *v, struct err *e)
{
	const struct state *s = &v->state;
	autoclose int fd = -1;

	if (s->pid <= 0)
		return env_not_running(s, e);
	fd = proc_pidfd_open(s->pid, e);
	if (fd == -ESRCH || (fd >= 0 && !proc_alive(s->pid, s->start_time)))
		return env_not_running(s, e);
	return steal_fd(&fd);
}

int env_aim(const struct env *v, struct launch *l, struct err *e)
{
	autofree char *path = NULL;

	/* Opened first: whose it was is known if the init is there afterwards. */
	if (v->plan.root.shared) {
		path = str_printf("/proc/%d/root", v->state.pid);
		if (!path)
			return err_nomem(e);
		l->init_root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	l->init_pidfd = env_init_pidfd(v, e);
	if (l->init_pidfd < 0)
		return l->init_pidfd;
	if (v->plan.root.shared && l->init_root < 0)
		return err_set(e, -EPERM,
			       "the root of container '%s' is out of reach",
			       v->state.id);
	return 0;
}

void env_unaim(struct launch *l)
{
	if (l->init_pidfd >= 0)
		(void)close(steal_fd(&l->init_pidfd));
	if (l->init_root >= 0)
		(void)close(steal_fd(&l->init_root));
}

void env_close(struct env *v)
{
	if (v->dir >= 0)
		(void)close(steal_fd(&v->dir));
	state_done(&v->state);
	plan_done(&v->plan);
	cg_free(steal_ptr(v->cgroup));
}

int env_write_plan(int dir, const struct plan *plan, struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	int r;

	r = json_write(&plan_table, plan, false, &text, &len, e);
	if (r < 0)
		return r;
	return fd_replace_at(dir, ENV_PLAN, text, len, 0600, false, e);
}

/* --- the end --------------------------------------------------------------*/

static bool in_use(struct cg *cg)
{
	struct err ignored = { 0 };
	autofree pid_t *pids = NULL;
	size_t n = 0;

	return cg_pids(cg, &pids, &n, &ignored) < 0 || n > 0;
}

/*
 * Without a whole state: the plan still knows where the group would be. As
 * long as there was no state, nothing of ours can be in it, and who is may be
 * somebody else's. One that is broken was written when our init was there.
 */
static int find_lost_cgroup(struct env *v, bool was_made, struct err *e)
{
	struct err ignored = { 0 };
	int r;

	if (env_plan(v, &ignored) < 0)
		return 0;
	r = cg_find(&v->plan.cgroup, &v->plan.limits, &v->cgroup, e);
	if (r == 0 && !was_made && in_use(v->cgroup))
		cg_free(steal_ptr(v->cgroup));
	/* Where we may not look, or no systemd answers, none was made; and a
	 * scope that systemd makes yet goes by itself, being empty. */
	return r == -EACCES || r == -EPERM || r == -EROFS || r == -ENOENT ||
			       r == -ECONNREFUSED || r == -ETIMEDOUT
		       ? 0
		       : r;
}

/* What is broken goes, and with it the last that knew. */
static void tell_unknown(const struct env *v, const char *id,
			 const struct err *why)
{
	if (v->cgroup)
		log_warning(
			"container '%s': %s; what is in its cgroup is killed",
			id, err_text(why));
	else
		log_warning(
			"container '%s': %s, and no cgroup is known: processes of it may be left",
			id, err_text(why));
}

static int kill_init(const struct env *v, struct err *e)
{
	struct err ignored = { 0 };
	autoclose int pidfd = env_init_pidfd(v, &ignored);
	int r;

	if (pidfd < 0)
		return 0;
	r = proc_pidfd_signal(pidfd, SIGKILL);
	if (r < 0 && r != -ESRCH)
		return err_set(e, r, "kill process %d: %s", v->state.pid,
			       strerrordesc_np(-r));
	/* Or else the wait will tell. */
	if (v->cgroup)
		(void)!cg_let_die(v->cgroup, &ignored);
	r = proc_pidfd_wait(pidfd, DELETE_TIMEOUT_MS);
	if (r < 0)
		return err_set(e, r, "process %d does not end", v->state.pid);
	return 0;
}

/* The last of a pid namespace takes all others with it, but for what stands
 * for an exec in a micro-VM: that is not in it, and ends by itself unless it
 * is frozen. */
static bool may_have_left_some(const struct env *v)
{
	return !plan_owns(&v->plan, NS_PID) || v->state.pid == 0 ||
	       v->plan.isolation == PLAN_VM;
}

static int kill_processes(struct env *v, struct err *e)
{
	int r = kill_init(v, e);

	if (r < 0 || !v->cgroup || !may_have_left_some(v))
		return r;
	return cg_kill(v->cgroup, e);
}

int env_stop(struct env *v, struct err *e)
{
	int r = 0;

	if (v->state.cgroup.hierarchies.n > 0)
		r = env_cgroup(v, e);
	return r < 0 && r != -ENOENT ? r : kill_processes(v, e);
}

int env_erase_opened(struct env *v, const struct rt_context *ctx,
		     const char *id, struct err *e)
{
	struct err ignored = { 0 };
	int r = 0;

	if (v->state.cgroup.hierarchies.n > 0)
		r = env_cgroup(v, e);
	if (r < 0 && r != -ENOENT)
		return r;
	r = kill_processes(v, e);
	if (r >= 0 && v->cgroup)
		r = cg_delete(v->cgroup, DELETE_TIMEOUT_MS, e);
	if (r < 0)
		return r;
	if (env_plan(v, &ignored) == 0) {
		rt_vm_net_release(&v->plan);
		r = ns_root_uncover(&v->plan.root, e);
		if (r >= 0)
			r = rt_rdt_delete(&v->plan, id, v->dir, e);
	}
	return r < 0 ? r : state_remove(ctx->root, id, e);
}

int env_erase(const struct rt_context *ctx, const char *id, struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	struct err why = { 0 };
	int r;

	v.dir = state_open(ctx->root, id, e);
	if (v.dir < 0)
		return v.dir == -ENOENT ? 0 : v.dir;
	r = state_read(v.dir, &v.state, &why);
	if (r < 0) {
		bool was_made = r != -ENOENT;

		r = find_lost_cgroup(&v, was_made, e);
		if (r < 0)
			return r;
		if (was_made)
			tell_unknown(&v, id, &why);
	}
	return env_erase_opened(&v, ctx, id, e);
}

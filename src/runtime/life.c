/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "src/oci/hooks.h"
#include "src/runtime/env.h"
#include "src/runtime/rdt.h"
#include "src/runtime/vm_client.h"

#define FREEZE_TIMEOUT_MS 10000

static bool has_process(const struct state *s)
{
	return s->status == STATE_CREATED || s->status == STATE_RUNNING ||
	       s->status == STATE_PAUSED;
}

/* Opened, locked, with its group. */
static int open_group(struct env *v, const struct rt_context *ctx,
		      const char *id, struct err *e)
{
	int r;

	r = env_open(v, ctx, id, e);
	if (r < 0)
		return r;
	r = env_lock(v->dir, e);
	if (r < 0)
		return r;
	if (v->state.cgroup.hierarchies.n == 0)
		return err_set(e, -EOPNOTSUPP, "container '%s' has no cgroup",
			       id);
	return env_cgroup(v, e);
}

/* 0: the group of what has ended is gone, as systemd has it, and nobody is in
 * it; else 1 when it is opened. */
static int open_remains(struct env *v, struct err *e)
{
	int r = env_cgroup(v, e);

	if (r != -ENOENT || has_process(&v->state))
		return r < 0 ? r : 1;
	*e = (struct err){ 0 };
	return 0;
}

/* --- signals --------------------------------------------------------------*/

static int signal_init(const struct env *v, int sig, struct err *e)
{
	autoclose int pidfd = env_init_pidfd(v, e);
	int r;

	if (pidfd < 0)
		return pidfd;
	r = proc_pidfd_signal(pidfd, sig);
	if (r == -ESRCH)
		return env_not_running(&v->state, e);
	if (r < 0)
		return err_set(e, r, "signal %d to container '%s': %s", sig,
			       v->state.id, strerrordesc_np(-r));
	return 0;
}

/*
 * Without a pid namespace of its own the others do not end with the init: who
 * kills such a container means all of them, with the init or after it (runc).
 */
static int is_for_all(struct env *v, const struct rt_kill *k, bool *ret,
		      struct err *e)
{
	int r;

	*ret = k->all;
	if (k->all || k->signal != SIGKILL || v->state.isolation == PLAN_VM)
		return 0;
	r = env_plan(v, e);
	if (r < 0)
		return r;
	*ret = !plan_makes(&v->plan, NS_PID);
	if (*ret && v->state.cgroup.hierarchies.n == 0)
		log_warning(
			"container '%s' has no cgroup: only its init is killed",
			k->id);
	return 0;
}

/* Paused or not. */
static int kill_init(struct env *v, struct err *e)
{
	int r = signal_init(v, SIGKILL, e);

	if (r < 0 || v->state.cgroup.hierarchies.n == 0)
		return r;
	r = env_cgroup(v, e);
	return r < 0 ? (r == -ENOENT ? 0 : r) : cg_let_die(v->cgroup, e);
}

int rt_kill(const struct rt_context *ctx, const struct rt_kill *k,
	    struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	bool all = false;
	int r;

	r = env_open(&v, ctx, k->id, e);
	if (r >= 0)
		r = is_for_all(&v, k, &all, e);
	if (r < 0)
		return r;
	if (all && v.state.isolation == PLAN_VM && k->signal != SIGKILL &&
	    has_process(&v.state))
		return rt_vm_signal_all(ctx->root, k->id, k->signal, e);
	if (all && v.state.cgroup.hierarchies.n > 0) {
		r = open_remains(&v, e);
		if (r == 0 && !k->all)
			return env_not_running(&v.state, e);
		return r > 0 ? cg_signal_all(v.cgroup, k->signal, e) : r;
	}
	if (!has_process(&v.state))
		return env_not_running(&v.state, e);
	return k->signal == SIGKILL ? kill_init(&v, e)
				    : signal_init(&v, k->signal, e);
}

/* --- pause and resume -----------------------------------------------------*/

int rt_pause(const struct rt_context *ctx, const char *id, struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	int r;

	r = open_group(&v, ctx, id, e);
	if (r < 0)
		return r;
	if (v.state.status != STATE_RUNNING && v.state.status != STATE_CREATED)
		return err_set(e, -EINVAL, "cannot pause container '%s': %s",
			       id, state_status_names[v.state.status]);
	return cg_freeze(v.cgroup, FREEZE_TIMEOUT_MS, e);
}

/* It runs again, whatever time it thinks it is. */
static void set_clock(const struct rt_context *ctx, const char *id)
{
	struct err e = { 0 };

	if (rt_vm_set_clock(ctx->root, id, &e) < 0)
		log_warning("the guest's clock is behind: %s", err_text(&e));
}

int rt_resume(const struct rt_context *ctx, const char *id, struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	int r;

	r = open_group(&v, ctx, id, e);
	if (r < 0)
		return r;
	if (v.state.status != STATE_PAUSED)
		return err_set(e, -EINVAL, "container '%s' is not paused", id);
	r = cg_thaw(v.cgroup, FREEZE_TIMEOUT_MS, e);
	if (r == 0 && v.state.isolation == PLAN_VM)
		set_clock(ctx, id);
	return r;
}

/* --- limits and numbers ---------------------------------------------------*/

/* On v1 a new kind of limit brings a group in one more hierarchy, which delete
 * must know of: also when we are killed in between. */
static int note_groups(struct env *v, const struct cg_limits *limits,
		       struct err *e)
{
	struct cg_paths paths = { 0 };
	int r = cg_foresee(v->cgroup, limits, &paths, e);

	if (r <= 0) {
		json_free(&cg_paths_table, &paths);
		return r;
	}
	json_free(&cg_paths_table, &v->state.cgroup);
	v->state.cgroup = paths;
	return state_write(v->dir, &v->state, e);
}

/* What concerns the program is the guest's; what is left, ours. */
static int ask_guest(struct env *v, const struct rt_context *ctx,
		     const struct cg_limits *limits, struct cg_limits *ret_host,
		     struct err *e)
{
	struct rt_vm_update u = {
		.root = ctx->root,
		.id = v->state.id,
		.limits = limits,
		.paused = v->state.status == STATE_PAUSED,
	};
	int r = env_plan(v, e);

	if (r < 0)
		return r;
	u.plan = &v->plan;
	return rt_vm_update(&u, ret_host, e);
}

int rt_update(const struct rt_context *ctx, const char *id,
	      const struct cg_limits *limits, struct err *e)
{
	_cleanup_(cg_limits_done) struct cg_limits host = { 0 };
	_cleanup_(env_close) struct env v = ENV_INIT;
	int r;

	r = open_group(&v, ctx, id, e);
	if (r < 0)
		return r;
	if (!has_process(&v.state))
		return env_not_running(&v.state, e);
	if (v.state.isolation == PLAN_VM) {
		r = ask_guest(&v, ctx, limits, &host, e);
		if (r < 0)
			return r;
		limits = &host;
	}
	r = note_groups(&v, limits, e);
	return r < 0 ? r : cg_apply(v.cgroup, limits, e);
}

int rt_update_rdt(const struct rt_context *ctx, const char *id,
		  char *const *schemata, struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	int r;

	r = env_open(&v, ctx, id, e);
	if (r >= 0)
		r = env_lock(v.dir, e);
	if (r >= 0)
		r = env_plan(&v, e);
	return r < 0 ? r : rt_rdt_update(&v.plan, id, schemata, e);
}

void rt_rdt_write(const struct rt_context *ctx, const char *id,
		  struct json_out *o)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	struct err ignored = { 0 };

	/* Gone meanwhile: an empty plan has no classes. */
	if (env_open(&v, ctx, id, &ignored) < 0 || env_plan(&v, &ignored) < 0)
		log_debug("%s", err_text(&ignored));
	rt_rdt_out(&v.plan, id, o);
}

int rt_ps(const struct rt_context *ctx, const char *id, pid_t **ret,
	  size_t *ret_n, struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	int r;

	r = env_open(&v, ctx, id, e);
	if (r < 0)
		return r;
	if (v.state.cgroup.hierarchies.n == 0)
		return err_set(e, -EOPNOTSUPP, "container '%s' has no cgroup",
			       id);
	*ret = NULL;
	*ret_n = 0;
	r = open_remains(&v, e);
	return r > 0 ? cg_pids(v.cgroup, ret, ret_n, e) : r;
}

int rt_stat(const struct rt_context *ctx, const char *id, struct cg_stat *ret,
	    struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	int r;

	r = env_open(&v, ctx, id, e);
	if (r < 0)
		return r;
	if (!has_process(&v.state))
		return env_not_running(&v.state, e);
	r = env_cgroup(&v, e);
	if (r < 0)
		return r;
	return cg_stat_read(v.cgroup, ret, e);
}

/* --- what there is --------------------------------------------------------*/

int rt_state(const struct rt_context *ctx, const char *id, struct state *ret,
	     struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	int r;

	r = env_open(&v, ctx, id, e);
	if (r < 0)
		return r;
	*ret = v.state;
	v.state = (struct state){ 0 };
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int rt_list(const struct rt_context *ctx, char ***ret, struct err *e)
{
	autoclosedir DIR *d = opendir(ctx->root);
	autostrv char **ids = NULL;
	struct err ignored;

	if (!d && errno != ENOENT)
		return err_errno(e, "open '%s'", ctx->root);
	for (struct dirent *de; d && (de = readdir(d));) {
		if (de->d_name[0] == '.' ||
		    state_check_id(de->d_name, &ignored) < 0)
			continue;
		if (strv_add(&ids, de->d_name) < 0)
			return err_nomem(e);
	}
	if (ids)
		qsort(ids, strv_len(ids), sizeof(*ids), by_name);
	*ret = steal_ptr(ids);
	return 0;
}

/*
 * In the bundle's folder, as runc and crun have it when they were called for
 * `run`; also when the caller of a later command is elsewhere. One that is
 * gone by then must not keep a container from being deleted.
 */
int env_host_hooks(const struct plan *plan, enum plan_hook_kind kind,
		   const struct state *s, int stop_fd, struct err *e)
{
	static const int status[] = {
		[PLAN_HOOK_PRESTART] = STATE_CREATING,
		[PLAN_HOOK_CREATE_RUNTIME] = STATE_CREATING,
		[PLAN_HOOK_POSTSTART] = STATE_RUNNING,
		[PLAN_HOOK_POSTSTOP] = STATE_STOPPED,
	};
	_cleanup_(hooks_output_close) struct hooks_output output = { 0 };
	autofree char *text = NULL;
	autoclose int dir = -1;
	int r;

	if (plan->hooks[kind].n == 0)
		return 0;
	r = state_for_hooks(s, status[kind], &text, e);
	if (r < 0)
		return r;
	r = hooks_output_open(plan, &output, e);
	if (r < 0)
		return r;
	dir = open(s->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return hooks_run(plan, kind,
			 &(struct hooks_call){ .state = text,
					       .dir = dir,
					       .stop_fd = stop_fd,
					       .output = output },
			 e);
}

int rt_poststart(const struct plan *plan, const struct state *s, int stop_fd,
		 struct err *e)
{
	return env_host_hooks(plan, PLAN_HOOK_POSTSTART, s, stop_fd, e);
}

void env_poststop(const struct plan *plan, const struct state *s)
{
	struct err e = { 0 };

	if (env_host_hooks(plan, PLAN_HOOK_POSTSTOP, s, -1, &e) < 0)
		log_warning("container '%s': %s", s->id, err_text(&e));
}

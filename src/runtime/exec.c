/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/oci/spec.h"
#include "src/runtime/attend.h"
#include "src/runtime/cache.h"
#include "src/runtime/env.h"
#include "src/runtime/exec_words.h"
#include "src/runtime/io.h"
#include "src/runtime/vm_client.h"

struct exec {
	const char *root;
	const struct rt_exec *args;
	struct env env;
	struct plan_process process;
	struct cg *cgroup;
	struct rt_vm_exec *vm; /* in a micro-VM; else NULL */
	struct launch launch;
};

#define EXEC_INIT                                                              \
	{                                                                      \
		.env = ENV_INIT, .launch = LAUNCH_INIT                         \
	}

static void exec_done(struct exec *x)
{
	rt_launch_done(&x->launch);
	env_unaim(&x->launch);
	cg_free(steal_ptr(x->cgroup));
	rt_vm_exec_free(steal_ptr(x->vm));
	plan_process_done(&x->process);
	env_close(&x->env);
}

static int check_status(const struct exec *x, struct err *e)
{
	const struct state *s = &x->env.state;

	if (s->status == STATE_PAUSED && !x->args->ignore_paused)
		return err_set(
			e, -EBUSY,
			"container '%s' is paused; --ignore-paused starts the program once it is resumed",
			s->id);
	if (s->status == STATE_STOPPED || s->status == STATE_CREATING)
		return err_set(e, -ESRCH,
			       "cannot exec in container '%s' in state '%s'",
			       s->id, state_status_names[s->status]);
	return 0;
}

static int decide_terminal(struct exec *x, struct err *e)
{
	const struct rt_io *io = &x->args->io;
	bool terminal = x->process.terminal;

	x->process.crlf = terminal && rt_crlf(io);
	if (!terminal && io->console_socket)
		return err_set(e, -EINVAL,
			       "--console-socket without a terminal");
	if (terminal && io->detach && !io->console_socket)
		return err_set(e, -EINVAL,
			       "a detached terminal needs --console-socket");
	return 0;
}

static int decide(struct exec *x, struct err *e)
{
	_cleanup_(spec_process_done) struct spec_process spec = { 0 };
	const struct rt_exec *a = x->args;
	int r;

	r = env_plan(&x->env, e);
	if (r < 0)
		return r;
	if (a->process_file) {
		r = spec_process_read(AT_FDCWD, a->process_file, &spec, e);
		if (r < 0)
			return r;
		r = plan_make_process(&spec, &x->env.plan, &x->process, e);
		if (r < 0)
			return err_wrap(e, r, "%s", a->process_file);
	} else {
		r = rt_exec_process(&x->env.plan, &a->words, &x->process, e);
	}
	return r < 0 ? r : decide_terminal(x, e);
}

/*
 * The group that was asked for, or the init's own: an init system may have
 * moved itself below, and then nobody may enter the upper group.
 */
static int find_cgroup(struct exec *x, struct err *e)
{
	const struct rt_exec *a = x->args;
	char *const *subs = a->cgroups;
	int r;

	if (x->env.state.cgroup.hierarchies.n == 0)
		return subs ? err_set(e, -EOPNOTSUPP,
				      "container '%s' has no cgroup", a->id)
			    : 0;
	r = env_cgroup(&x->env, e);
	if (r < 0)
		return r;
	if (subs || !cg_is_filled(x->env.cgroup))
		return cg_open_sub(x->env.cgroup, subs, &x->cgroup, e);
	return cg_open_of(x->env.cgroup, x->env.state.pid, &x->cgroup, e);
}

/* Its program has a profile of its own, whose agent is the container's. */
static int pass_listener(struct exec *x, struct err *e)
{
	autofree char *text = NULL;
	int r;

	r = rt_launch_listen(&x->launch, e);
	if (r < 0 || x->launch.listener < 0)
		return r;
	r = state_for_hooks(&x->env.state, STATE_RUNNING, &text, e);
	if (r < 0)
		return r;
	return rt_send_listener(&x->launch, text, e);
}

static int launch(struct exec *x, struct err *e)
{
	struct launch *l = &x->launch;
	int r;

	if (!x->vm) {
		l->plan = &x->env.plan;
		l->process = &x->process;
	}
	l->id = x->args->id;
	l->cgroup = x->cgroup;
	if (l->plan->seccomp)
		l->seccomp_cache = rt_seccomp_cache(x->root);
	r = rt_launch_prepare(l, e);
	if (r >= 0)
		r = rt_launch_clone(l, e);
	if (r >= 0)
		r = rt_launch_build(l, e);
	if (r >= 0)
		r = pass_listener(x, e);
	if (r >= 0)
		r = rt_launch_finish(l, e);
	if (r >= 0)
		r = rt_tell(&x->args->io, l, e);
	if (r >= 0)
		r = rt_launch_go(l, e);
	if (r < 0)
		rt_launch_abort(l);
	return r < 0 ? r : 0;
}

static int attend(struct exec *x, struct err *e)
{
	_cleanup_(attend_done) struct attend a = { 0 };
	int r;

	r = attend_begin(&a, e);
	if (r < 0)
		return r;
	x->launch.old_mask = attend_mask(&a);
	r = launch(x, e);
	if (r < 0)
		return r;
	return attend_wait(&a, &x->launch, e);
}

/* Into the init's namespaces; or, where the init only stands for a machine, to
 * the init itself. */
static int aim(struct exec *x, const struct rt_context *ctx, struct err *e)
{
	const struct state *s = &x->env.state;

	x->launch.preserve_fds = x->args->io.preserve_fds;
	if (s->isolation == PLAN_VM)
		return rt_vm_exec_new(ctx->root, s->id, &x->process, &x->launch,
				      &x->vm, e);
	return env_aim(&x->env, &x->launch, e);
}

int rt_exec(const struct rt_context *ctx, const struct rt_exec *args,
	    struct err *e)
{
	_cleanup_(exec_done) struct exec x = EXEC_INIT;
	int r;

	x.args = args;
	x.root = ctx->root;
	x.launch.rootless = ctx->rootless;
	r = rt_check_fds(&args->io, e);
	if (r >= 0)
		r = env_open(&x.env, ctx, args->id, e);
	if (r >= 0)
		r = check_status(&x, e);
	if (r >= 0)
		r = decide(&x, e);
	if (r >= 0)
		r = find_cgroup(&x, e);
	if (r < 0)
		return r;
	r = aim(&x, ctx, e);
	if (r < 0)
		return r;
	return args->io.detach ? launch(&x, e) : attend(&x, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts of a container that exists. A child enters it as an exec does, and
 * ends when all is done; what it needs of the host was opened before.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "namespaces/mount.h"
#include "src/oci/spec.h"
#include "src/runtime/child_steps.h"
#include "src/runtime/env.h"
#include "src/runtime/launch.h"
#include "src/runtime/rt.h"
#include "src/runtime/sync.h"

struct mounts {
	const struct rt_context *ctx;
	struct env env;
	struct spec_mounts spec;
	struct plan_mounts list;
	struct plan world; /* the container's, with these mounts; owns none */
	struct launch launch;
};

#define MOUNTS_INIT                                                            \
	{                                                                      \
		.env = ENV_INIT, .launch = LAUNCH_INIT                         \
	}

static void mounts_done(struct mounts *m)
{
	rt_launch_done(&m->launch);
	env_unaim(&m->launch);
	plan_mounts_done(&m->list);
	spec_mounts_done(&m->spec);
	env_close(&m->env);
}

/* --- in the container ------------------------------------------------------*/

static void take_back(struct child *c, size_t n)
{
	struct err e = { 0 };

	while (n-- > 0) {
		const char *target = c->l->plan->mounts.v[n].target;

		if (ns_mount_detach(target, c->root, c->l->procfd, &e) < 0)
			log_warning("%s", err_text(&e));
	}
}

static int step_add(struct child *c, struct err *e)
{
	struct ns_mount_env env = rt_launch_mount_env(c->l, c->root);
	const struct plan_mounts *m = &c->l->plan->mounts;
	int r = 0;

	for (size_t i = 0; i < m->n; i++) {
		r = ns_mount_attach(&m->v[i], &env, c->l->mount_trees[i], e);
		if (r >= 0)
			r = ns_mount_seal(&m->v[i], c->root, e);
		if (r < 0) {
			take_back(c, i);
			return err_wrap(e, r, "[%zu]", i);
		}
	}
	return 0;
}

/* All are looked at before the first one goes. */
static int step_remove(struct child *c, struct err *e)
{
	const struct plan_mounts *m = &c->l->plan->mounts;
	int r;

	for (size_t i = 0; i < m->n; i++) {
		r = ns_mount_check_point(m->v[i].target, c->root, e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	for (size_t i = m->n; i-- > 0;) {
		r = ns_mount_detach(m->v[i].target, c->root, c->l->procfd, e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	return 0;
}

static bool always(const struct launch *l)
{
	return true;
}

static bool has_user_namespace(const struct launch *l)
{
	return plan_owns(l->plan, NS_USER);
}

/* The first steps of an exec, with its reasons (child.c). */
static int enter_and(struct child *c, int (*run)(struct child *, struct err *),
		     struct err *e)
{
	const struct step steps[] = {
		{ "hide", rt_step_undumpable, always },
		{ "namespaces", rt_step_enter, always },
		{ "root user", rt_step_become_root, has_user_namespace },
		{ "mounts", run, always },
	};

	return rt_run_steps(c, steps, ARRAY_SIZE(steps), e);
}

static int child_add(struct child *c, struct err *e)
{
	int r = enter_and(c, step_add, e);

	if (r == 0)
		_exit(0);
	return r;
}

static int child_remove(struct child *c, struct err *e)
{
	int r = enter_and(c, step_remove, e);

	if (r == 0)
		_exit(0);
	return r;
}

/* --- on the host -----------------------------------------------------------*/

static int open_container(struct mounts *m, const char *id, const char *file,
			  struct err *e)
{
	struct env *v = &m->env;
	int r;

	r = spec_mounts_read(AT_FDCWD, file, &m->spec, e);
	if (r >= 0)
		r = env_open(v, m->ctx, id, e);
	if (r >= 0)
		r = env_lock(v->dir, e);
	if (r >= 0)
		r = env_plan(v, e);
	if (r < 0)
		return r;
	if (v->state.isolation == PLAN_VM)
		return err_set(
			e, -EOPNOTSUPP,
			"'%s' is a micro-VM, whose mounts are made when it is created",
			id);
	return env_aim(v, &m->launch, e);
}

static int make_list(struct mounts *m, struct err *e)
{
	const struct plan_context ctx = {
		.id = m->env.state.id,
		.bundle = m->env.state.bundle,
		.rootless = m->ctx->rootless,
	};

	return plan_make_mounts(&m->spec, &ctx, &m->env.plan, &m->list, e);
}

/* Nothing but the mounts is for this child. */
static void make_world(struct mounts *m)
{
	m->world = m->env.plan;
	m->world.mounts = m->list;
	m->world.process = (struct plan_process){ 0 };
	m->world.seccomp = NULL;
	m->world.rdt = NULL;
	m->launch.plan = &m->world;
	m->launch.process = &m->world.process;
	m->launch.id = m->env.state.id;
	m->launch.rootless = m->ctx->rootless;
}

static int await_child(struct launch *l, struct err *e)
{
	int r, status;

	r = sync_wait_end(l->sync, e);
	status = proc_reap(l->pid, NULL);
	l->pid = 0;
	if (r >= 0 && status != 0)
		return err_set(e, -ECANCELED,
			       "the process that mounts ended with status %d",
			       status);
	return r;
}

static int run_child(struct mounts *m, int (*fn)(struct child *, struct err *),
		     struct err *e)
{
	struct launch *l = &m->launch;
	int r;

	l->instead = fn;
	r = rt_launch_prepare(l, e);
	if (r >= 0)
		r = rt_launch_clone(l, e);
	if (r >= 0)
		return await_child(l, e);
	rt_launch_abort(l);
	return r;
}

int rt_mounts_add(const struct rt_context *ctx, const char *id,
		  const char *file, struct err *e)
{
	_cleanup_(mounts_done) struct mounts m = MOUNTS_INIT;
	int r;

	m.ctx = ctx;
	r = open_container(&m, id, file, e);
	if (r < 0)
		return r;
	r = make_list(&m, e);
	if (r < 0)
		return err_wrap(e, r, "%s", file);
	make_world(&m);
	r = rt_launch_open_mounts(&m.launch, e);
	if (r >= 0)
		r = run_child(&m, child_add, e);
	if (r >= 0)
		r = plan_mounts_add(&m.env.plan, &m.list, e);
	return r < 0 ? r : env_write_plan(m.env.dir, &m.env.plan, e);
}

int rt_mounts_remove(const struct rt_context *ctx, const char *id,
		     const char *file, struct err *e)
{
	_cleanup_(mounts_done) struct mounts m = MOUNTS_INIT;
	int r;

	m.ctx = ctx;
	r = open_container(&m, id, file, e);
	if (r < 0)
		return r;
	r = plan_make_targets(&m.spec, &m.env.plan.root, &m.list, e);
	if (r < 0)
		return err_wrap(e, r, "%s", file);
	make_world(&m);
	r = run_child(&m, child_remove, e);
	if (r < 0)
		return r;
	plan_mounts_remove(&m.env.plan, &m.list);
	return env_write_plan(m.env.dir, &m.env.plan, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An environment that exists, opened by its id: its folder, its state, and
 * what of the rest a verb needs. Private to src/runtime.
 *
 *	_cleanup_(env_close) struct env v = ENV_INIT;
 *	r = env_open(&v, ctx, id, e);
 *	r = env_lock(v.dir, e);
 *	r = env_cgroup(&v, e);
 *
 * env_lock() is taken by the verbs that change something, so that two of them
 * do not meet; readers take no lock: they see the old or the new state.
 */
#include "base/cleanup.h"
#include "cgroups/cg.h"
#include "src/oci/plan.h"
#include "src/oci/state.h"
#include "src/runtime/rt.h"

#define ENV_PLAN   "plan.json"
#define ENV_START  "start"
#define ENV_RESULT "result"

struct launch;

struct env {
	int dir;
	struct state state;
	struct cg *cgroup;
	struct plan plan;
};

#define ENV_INIT                                                               \
	{                                                                      \
		.dir = -1                                                      \
	}

/* The state's status is brought up to date. -ENOENT names the id. */
MUST_CHECK int env_open(struct env *v, const struct rt_context *ctx,
			const char *id, struct err *e);
/* The lock is on the folder itself, and goes with its descriptor. */
MUST_CHECK int env_lock(int dir, struct err *e);
MUST_CHECK int env_cgroup(struct env *v, struct err *e);
MUST_CHECK int env_plan(struct env *v, struct err *e);
/* -ESRCH, in the words that containerd looks for ("container not running"). */
int env_not_running(const struct state *s, struct err *e);
/* A pidfd of the init, which is the process the state means. */
MUST_CHECK int env_init_pidfd(const struct env *v, struct err *e);
/* For a launch into the container: its init, and its root where its mounts are
 * others' too. */
MUST_CHECK int env_aim(const struct env *v, struct launch *l, struct err *e);
void env_unaim(struct launch *l);
void env_close(struct env *v);

/* Plan and folder of an environment in the making. */
MUST_CHECK int env_write_plan(int dir, const struct plan *plan, struct err *e);

/* Kills its processes; the rest stays for "delete". Needs the plan. */
MUST_CHECK int env_stop(struct env *v, struct err *e);

/*
 * Whatever is left of an environment, in whatever state: processes, groups,
 * folder. The end of "delete" and the undo of "create"; what is already gone
 * is fine.
 */
MUST_CHECK int env_erase(const struct rt_context *ctx, const char *id,
			 struct err *e);
/* The same for one that is open; state and plan, as far as they are known,
 * are not read again. */
MUST_CHECK int env_erase_opened(struct env *v, const struct rt_context *ctx,
				const char *id, struct err *e);
/* Hooks of one kind that run outside, with the status that belongs to it.
 * stop_fd: as hooks_run() has it. */
MUST_CHECK int env_host_hooks(const struct plan *plan, enum plan_hook_kind kind,
			      const struct state *s, int stop_fd,
			      struct err *e);
/* The poststop hooks; by the specification their failures are told, and do
 * not stop us. */
void env_poststop(const struct plan *plan, const struct state *s);

/* The poststart hooks, after the program was started. */
MUST_CHECK int rt_poststart(const struct plan *plan, const struct state *s,
			    int stop_fd, struct err *e);

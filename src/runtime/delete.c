/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "src/oci/hooks.h"
#include "src/runtime/env.h"

/* What is there: a whole container, or what a killed create left. */
static int look(struct env *v, const struct rt_context *ctx, const char *id,
		bool force, struct err *e)
{
	struct err why = { 0 };
	int r;

	r = env_open(v, ctx, id, &why);
	if (r < 0 && !force) {
		*e = why;
		return r;
	}
	if (v->dir < 0)
		return r == -ENOENT ? 0 : err_set(e, r, "%s", err_text(&why));
	return env_lock(v->dir, e);
}

static int may_delete(const struct env *v, struct err *e)
{
	const struct state *s = &v->state;

	/* One that was never started has done nothing that could be lost. */
	if (s->status == STATE_STOPPED || s->status == STATE_CREATED)
		return 0;
	return err_set(e, -EBUSY,
		       "cannot delete container '%s' that is not stopped: %s",
		       s->id, state_status_names[s->status]);
}

int rt_delete(const struct rt_context *ctx, const char *id, bool force,
	      struct err *e)
{
	_cleanup_(env_close) struct env v = ENV_INIT;
	struct err ignored = { 0 };
	int r;

	r = state_check_id(id, e);
	if (r < 0)
		return r;
	r = look(&v, ctx, id, force, e);
	if (r < 0 || v.dir < 0)
		return r;
	if (!force) {
		r = may_delete(&v, e);
		if (r < 0)
			return r;
	}
	/* The plan goes with the folder. */
	if (env_plan(&v, &ignored) < 0)
		log_debug("container '%s': %s", id, err_text(&ignored));
	r = v.state.id ? env_erase_opened(&v, ctx, id, e)
		       : env_erase(ctx, id, e);
	if (r < 0)
		return r;
	if (v.state.id)
		env_poststop(&v.plan, &v.state);
	return 0;
}

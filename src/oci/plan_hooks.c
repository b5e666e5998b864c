/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "src/oci/plan_parts.h"

static int set_timeout(const struct spec_hook *s, struct plan_hook *h,
		       struct err *e)
{
	if (s->timeout.set && (s->timeout.v <= 0 || s->timeout.v > INT32_MAX))
		return err_set(
			e, -EINVAL,
			"timeout: %lld is not a number of seconds over 0",
			(long long)s->timeout.v);
	h->timeout = s->timeout;
	return 0;
}

static int set_hook(const struct spec_hook *s, struct plan_hook *h,
		    struct err *e)
{
	int r;

	r = plan_check_absolute(s->path, e);
	if (r < 0)
		return err_wrap(e, r, "path");
	r = plan_copy(s->path, &h->path, e);
	if (r == 0)
		r = plan_copy_list(s->args, &h->args, e);
	if (r == 0)
		r = set_timeout(s, h, e);
	if (r < 0)
		return r;
	/* An empty one is one as well; none at all is hooks_run()'s to choose. */
	h->inherits = !s->env;
	if (h->inherits)
		return 0;
	r = plan_env(s->env, &h->env, e);
	return r < 0 ? err_wrap(e, r, "env") : 0;
}

static int add_list(const struct spec_hook_list *s, struct plan_hooks *to,
		    struct err *e)
{
	int r;

	if (s->n == 0)
		return 0;
	to->v = calloc(s->n, sizeof(*to->v));
	if (!to->v)
		return err_nomem(e);
	for (size_t i = 0; i < s->n; i++) {
		to->n = i + 1;
		r = set_hook(&s->v[i], &to->v[i], e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	return 0;
}

int plan_add_hooks(struct plan_draft *d, struct err *e)
{
	const struct spec_hooks *s = d->spec->hooks;
	const struct spec_hook_list *lists[PLAN_HOOK_N_];
	int r;

	if (!s)
		return 0;
	lists[PLAN_HOOK_PRESTART] = &s->prestart;
	lists[PLAN_HOOK_CREATE_RUNTIME] = &s->create_runtime;
	lists[PLAN_HOOK_CREATE_CONTAINER] = &s->create_container;
	lists[PLAN_HOOK_START_CONTAINER] = &s->start_container;
	lists[PLAN_HOOK_POSTSTART] = &s->poststart;
	lists[PLAN_HOOK_POSTSTOP] = &s->poststop;
	for (size_t i = 0; i < PLAN_HOOK_N_; i++) {
		r = add_list(lists[i], &d->plan->hooks[i], e);
		if (r < 0)
			return err_wrap(e, r, "%s", plan_hook_names[i]);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/exec_words.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Words to numbers; what they change is the plan's to say. */

static int parse_user(const char *text, struct plan_exec *x, struct err *e)
{
	autostrv char **part = NULL;

	if (!text)
		return 0;
	if (strv_split(text, ':', &part) < 0)
		return err_nomem(e);
	x->uid.set = true;
	x->gid.set = strv_len(part) > 1;
	if (strv_len(part) > 2 || str_to_u32(part[0], &x->uid.v) < 0 ||
	    (x->gid.set && str_to_u32(part[1], &x->gid.v) < 0))
		return err_set(e, -EINVAL, "user '%s' is not UID[:GID]", text);
	return 0;
}

static int parse_groups(char *const *words, struct json_u32v *ret,
			struct err *e)
{
	size_t n = strv_len(words);

	if (n == 0)
		return 0;
	ret->v = calloc(n, sizeof(*ret->v));
	if (!ret->v)
		return err_nomem(e);
	for (ret->n = 0; ret->n < n; ret->n++)
		if (str_to_u32(words[ret->n], &ret->v[ret->n]) < 0)
			return err_set(e, -EINVAL, "group '%s' is not a number",
				       words[ret->n]);
	return 0;
}

static int apply(struct plan_process *p, const struct plan *base,
		 const struct rt_exec_words *w, struct plan_exec *x,
		 struct err *e)
{
	int r;

	r = parse_user(w->user, x, e);
	if (r == 0)
		r = parse_groups(w->groups, &x->groups, e);
	if (r < 0)
		return r;
	/* The terminal and its size are the caller's business. */
	p->rows = p->cols = 0;
	return plan_apply_exec(p, base, x, e);
}

int rt_exec_process(const struct plan *base, const struct rt_exec_words *w,
		    struct plan_process *ret, struct err *e)
{
	struct plan_exec x = {
		.args = w->args,
		.env = w->env,
		.caps = w->caps,
		.cwd = w->cwd,
		.terminal = OPT_OF(w->tty),
		.no_new_privs = w->no_new_privs,
		.apparmor = w->apparmor,
		.selinux = w->selinux,
	};
	struct plan_process p = { 0 };
	int r;

	r = plan_make_process(NULL, base, &p, e);
	if (r < 0)
		return r;
	r = apply(&p, base, w, &x, e);
	free(x.groups.v);
	if (r < 0)
		plan_process_done(&p);
	else
		*ret = p;
	return r;
}

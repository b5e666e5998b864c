/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "src/engine/store.h"
#include "src/oci/spec.h"
#include "src/runtime/rt.h"

/* What runs in it, as it was written. */
static char *command_of(const struct state *s)
{
	_cleanup_(spec_done) struct spec spec = { 0 };
	struct err ignored = { 0 };
	autoclose int dir = open(s->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *line = NULL;

	if (dir < 0 || spec_read(dir, "config.json", &spec, &ignored) < 0 ||
	    !spec.process)
		return NULL;
	STRV_FOREACH(word, spec.process->args) {
		char *more = str_printf("%s%s%s", line ? line : "",
					line ? " " : "", *word);

		free(line);
		line = more;
		if (!line)
			break;
	}
	return line;
}

static int add(struct eng_list *l, const struct state *s, struct err *e)
{
	struct eng_info *more, *i;

	more = realloc(l->v, (l->n + 1) * sizeof(*more));
	if (!more)
		return err_nomem(e);
	l->v = more;
	i = &l->v[l->n++];
	*i = (struct eng_info){
		.id = strdup(s->id),
		.command = command_of(s),
		.status = strdup(state_status_names[s->status]),
		.created = strdup(s->created),
		.pid = s->status == STATE_STOPPED ? 0 : s->pid,
		.isolation = s->isolation,
	};
	return i->id && i->status && i->created ? 0 : err_nomem(e);
}

int eng_ps(const struct eng_context *ctx, bool all, struct eng_list *ret,
	   struct err *e)
{
	_cleanup_(eng_env_done) struct eng_env env = { 0 };
	struct rt_context rt = { .rootless = ctx->rootless };
	autostrv char **ids = NULL;
	int r;

	r = eng_env_paths(ctx, "all", &env, e);
	if (r < 0)
		return r;
	rt.root = env.state_root;
	r = rt_list(&rt, &ids, e);
	STRV_FOREACH(id, ids) {
		_cleanup_(state_done) struct state s = { 0 };
		struct err why = { 0 };

		if (rt_state(&rt, *id, &s, &why) < 0) {
			log_debug("%s", err_text(&why));
			continue;
		}
		if (!all && s.status == STATE_STOPPED)
			continue;
		r = add(ret, &s, e);
		if (r < 0)
			break;
	}
	return r < 0 ? r : 0;
}

void eng_list_done(struct eng_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].id);
		free(l->v[i].command);
		free(l->v[i].status);
		free(l->v[i].created);
	}
	free(l->v);
	*l = (struct eng_list){ 0 };
}

static bool is_there(const struct rt_context *rt, const struct eng_env *env)
{
	struct state s = { 0 };
	struct err ignored = { 0 };
	int r = rt_state(rt, env->id, &s, &ignored);

	state_done(&s);
	return r >= 0 || access(env->bundle, F_OK) == 0;
}

int eng_remove(const struct eng_context *ctx, const char *id, bool force,
	       struct err *e)
{
	_cleanup_(eng_env_done) struct eng_env env = { 0 };
	struct rt_context rt = { .rootless = ctx->rootless };
	struct state s = { 0 };
	struct err why = { 0 };
	int r;

	r = eng_env_paths(ctx, id, &env, e);
	if (r < 0)
		return r;
	rt.root = env.state_root;
	if (!is_there(&rt, &env))
		return force ? 0
			     : err_set(e, -ESRCH, "no environment '%s'", id);
	/* Without a state it has never run, or the machine was restarted. */
	if (rt_state(&rt, id, &s, &why) >= 0 && !force &&
	    s.status != STATE_STOPPED)
		r = err_set(e, -EBUSY, "'%s' is %s; rm --force kills it first",
			    id, state_status_names[s.status]);
	state_done(&s);
	if (r >= 0)
		r = rt_delete(&rt, id, true, e);
	return r < 0 ? r : eng_env_erase(&env, e);
}

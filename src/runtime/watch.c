/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "src/runtime/env.h"

struct watch {
	const struct rt_watch *args;
	struct env env;
	struct loop *loop;
	int oom;
	uint64_t kills;
};

static int on_time(void *arg, struct err *e)
{
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	struct watch *w = arg;
	int r;

	r = cg_stat_read(w->env.cgroup, &s, e);
	return r < 0 ? r : w->args->on_stat(w->args->arg, &s, e);
}

/* Told once per kill, however many were counted when we came to look. */
static int on_oom(void *arg, int fd, uint32_t events, struct err *e)
{
	struct watch *w = arg;
	uint64_t kills = 0;
	int r;

	r = cg_oom_read(w->env.cgroup, fd, &kills, e);
	if (r == -ENODEV) /* the group has gone */
		return 0;
	if (r < 0)
		return r;
	for (; w->kills < kills && r >= 0; w->kills++)
		r = w->args->on_oom(w->args->arg, e);
	return r < 0 ? r : 0;
}

static int on_end(void *arg, int fd, uint32_t events, struct err *e)
{
	struct watch *w = arg;
	int r = 0;

	/* What ended it may have been the lack of memory. */
	if (w->oom >= 0)
		r = on_oom(w, w->oom, EPOLLIN, e);
	loop_quit(w->loop, 0);
	return r;
}

static int add_oom(struct watch *w, struct err *e)
{
	struct err why = { 0 };

	w->oom = cg_oom_open(w->env.cgroup, &why);
	/* Nobody limits or counts memory: then nobody is killed for it. */
	if (w->oom == -EOPNOTSUPP || w->oom == -ENOENT)
		return 0;
	if (w->oom < 0)
		return err_set(e, w->oom, "%s", err_text(&why));
	return loop_add_fd(w->loop, w->oom, EPOLLIN, on_oom, w, NULL, e);
}

static int watch(struct watch *w, struct err *e)
{
	autoclose int init = -1;
	int r;

	r = env_cgroup(&w->env, e);
	if (r < 0)
		return r;
	init = env_init_pidfd(&w->env, e);
	if (init < 0)
		return init;
	r = loop_new(&w->loop, e);
	if (r >= 0)
		r = loop_add_fd(w->loop, init, EPOLLIN, on_end, w, NULL, e);
	if (r >= 0)
		r = add_oom(w, e);
	if (r >= 0)
		r = loop_add_timer(w->loop, 0, w->args->interval_ms, on_time, w,
				   NULL, e);
	return r < 0 ? r : loop_run(w->loop, e);
}

int rt_watch(const struct rt_context *ctx, const char *id,
	     const struct rt_watch *args, struct err *e)
{
	struct watch w = { .args = args, .env = ENV_INIT, .oom = -1 };
	int r;

	r = env_open(&w.env, ctx, id, e);
	if (r >= 0)
		r = watch(&w, e);
	loop_free(w.loop);
	if (w.oom >= 0)
		(void)close(w.oom);
	env_close(&w.env);
	return r;
}

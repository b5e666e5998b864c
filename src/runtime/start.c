/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "src/oci/hooks.h"
#include "src/runtime/env.h"
#include "src/runtime/notify.h"
#include "src/runtime/sync.h"

/* The other ends of the FIFOs that the init holds; see sync.h. */
static int open_fifos(const struct env *v, int *ret_start, int *ret_result,
		      struct err *e)
{
	/* Reading first: a report must find a reader. */
	*ret_result =
		openat(v->dir, ENV_RESULT, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (*ret_result < 0)
		return err_errno(e, "open '%s'", ENV_RESULT);
	*ret_start =
		openat(v->dir, ENV_START, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (*ret_start < 0 && errno == ENXIO)
		return env_not_running(&v->state, e);
	if (*ret_start < 0)
		return err_errno(e, "open '%s'", ENV_START);
	return fd_set_nonblock(*ret_result, false);
}

static int say_go(const struct env *v, struct err *e)
{
	autoclose int start = -1, result = -1;
	int r;

	r = open_fifos(v, &start, &result, e);
	if (r < 0)
		return r;
	r = sync_send(start, SYNC_GO, 0, e);
	if (r < 0)
		return r;
	r = sync_wait_end(result, e);
	if (r < 0)
		return r;
	if (unlinkat(v->dir, ENV_START, 0) < 0)
		return err_errno(e, "remove '%s'", ENV_START);
	(void)unlinkat(v->dir, ENV_RESULT, 0);
	return 0;
}

/* As the create was told, and as we are. */
static bool is_awaited(const struct env *v, const struct rt_context *ctx)
{
	return v->plan.notify && ctx->notify_socket;
}

static int start(struct env *v, const struct rt_context *ctx, struct notify *n,
		 int *ret_pidfd, struct err *e)
{
	struct err why = { 0 };
	int r;

	r = env_lock(v->dir, e);
	if (r < 0)
		return r;
	if (v->state.status != STATE_CREATED)
		return err_set(
			e, -EINVAL, "cannot start container '%s' in state '%s'",
			v->state.id, state_status_names[v->state.status]);
	r = env_plan(v, e);
	if (r < 0)
		return r;
	if (is_awaited(v, ctx)) {
		*ret_pidfd = env_init_pidfd(v, e);
		if (*ret_pidfd < 0)
			return *ret_pidfd;
		r = notify_open(n, v->dir, ctx->notify_socket, e);
		if (r < 0)
			return r;
	}
	r = say_go(v, e);
	if (r < 0)
		return r;
	r = rt_poststart(&v->plan, &v->state, -1, e);
	if (r < 0 && env_stop(v, &why) < 0)
		log_warning("container '%s': %s", v->state.id, err_text(&why));
	return r;
}

int rt_start(const struct rt_context *ctx, const char *id, struct err *e)
{
	_cleanup_(notify_close) struct notify n = NOTIFY_INIT;
	_cleanup_(env_close) struct env v = ENV_INIT;
	autoclose int pidfd = -1;
	int r;

	r = env_open(&v, ctx, id, e);
	if (r < 0)
		return r;
	r = start(&v, ctx, &n, &pidfd, e);
	if (r < 0 || !is_awaited(&v, ctx))
		return r;
	/* However long that takes: others may work on it. */
	(void)flock(v.dir, LOCK_UN);
	return notify_await(&n, v.state.pid, pidfd, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"

static int timeout_ms(const struct plan_hook *h)
{
	if (!h->timeout.set)
		return 0;
	return (int)(MIN_OF(h->timeout.v, (int64_t)INT32_MAX / 1000) * 1000);
}

/*
 * What a hook that names no environment gets. The specification is silent; the
 * peers let it inherit. What runs on the host has the environment of the
 * runtime, where hooks look for PATH; what runs inside has that of the
 * container's program, for the host's is nobody's business there.
 */
static char **default_env(const struct plan *plan, enum plan_hook_kind kind,
			  char **nothing)
{
	if (kind != PLAN_HOOK_CREATE_CONTAINER &&
	    kind != PLAN_HOOK_START_CONTAINER)
		return NULL; /* inherited */
	return plan->process.env ? plan->process.env : nothing;
}

static int run_one(const struct plan_hook *h, char **env,
		   const struct hooks_call *call, struct err *e)
{
	char *only_path[] = { h->path, NULL };
	char *nothing[] = { NULL };
	char **own = h->env ? h->env : nothing;
	struct proc_run run = {
		.path = h->path,
		.argv = h->args && h->args[0] ? h->args : only_path,
		.env = h->inherits ? env : own,
		.input = call->state,
		.input_len = strlen(call->state),
		.dirfd = call->dir,
		.stop_fd = call->stop_fd,
		.output_fd = call->output.out,
		.error_fd = call->output.err,
		.timeout_ms = timeout_ms(h),
		.quiet = true,
	};
	int r;

	r = proc_run(&run, e);
	return r > 0 ? -ECHILD : r; /* proc_run() has put it into words */
}

/* A FIFO that nobody reads is an error, not a wait. */
static int open_output(const char *path, int *ret, struct err *e)
{
	autoclose int fd = -1;

	if (!path)
		return 0;
	fd = open(path,
		  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
			  O_NONBLOCK,
		  0600);
	if (fd < 0)
		return err_errno(e, "output of hooks: open '%s'", path);
	if (fd_set_nonblock(fd, false) < 0)
		return err_errno(e, "output of hooks: '%s'", path);
	*ret = steal_fd(&fd);
	return 0;
}

int hooks_output_open(const struct plan *plan, struct hooks_output *ret,
		      struct err *e)
{
	int r = open_output(plan->hooks_stdout, &ret->out, e);

	return r < 0 ? r : open_output(plan->hooks_stderr, &ret->err, e);
}

void hooks_output_close(struct hooks_output *o)
{
	if (o->out > 0)
		(void)close(o->out);
	if (o->err > 0)
		(void)close(o->err);
	*o = (struct hooks_output){ 0 };
}

int hooks_run(const struct plan *plan, enum plan_hook_kind kind,
	      const struct hooks_call *call, struct err *e)
{
	const struct plan_hooks *hooks = &plan->hooks[kind];
	const char *name = plan_hook_names[kind];
	char *nothing[] = { NULL };
	char **env = call->env ? call->env : default_env(plan, kind, nothing);
	int r;

	for (size_t i = 0; i < hooks->n; i++) {
		struct err why = { 0 };

		log_debug("%s hook [%zu]: run '%s'", name, i, hooks->v[i].path);
		r = run_one(&hooks->v[i], env, call, &why);
		if (r == 0)
			continue;
		if (kind != PLAN_HOOK_POSTSTOP)
			return err_set(e, r, "%s hook [%zu]: %s", name, i,
				       err_text(&why));
		log_warning("%s hook [%zu]: %s", name, i, err_text(&why));
	}
	return 0;
}

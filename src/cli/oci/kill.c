/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>
#include <signal.h>

#include "base/proc.h"
#include "base/str.h"

struct kill_opts {
	bool all;
	bool regex;
};

static const struct cmd_opt options[] = {
	OPT_FLAG('a', "all", struct kill_opts, all,
		 "signal every process, not only init"),
	OPT_FLAG(0, "regex", struct kill_opts, regex,
		 "ID is a regular expression: signal all that match"),
};

struct each {
	struct rt_context ctx;
	struct rt_kill kill;
};

static int kill_one(void *arg, const char *id, struct err *e)
{
	struct each *x = arg;

	x->kill.id = id;
	return rt_kill(&x->ctx, &x->kill, e);
}

/* 0 is none: whoever sends it asks whether there is somebody, as kill(2) has
 * it. */
static int parse_signal(const char *text, int *ret)
{
	if (!str_eq(text, "0"))
		return proc_signal_parse(text, ret);
	*ret = 0;
	return 0;
}

static int kill_run(const struct cmd_call *call, struct err *e)
{
	const struct kill_opts *o = call->opts;
	struct each x = {
		.ctx = oci_context(call),
		.kill = { .signal = SIGTERM, .all = o->all },
	};

	if (call->n_args > 1 && parse_signal(call->args[1], &x.kill.signal) < 0)
		return err_set(e, -EINVAL, "unknown signal '%s'",
			       call->args[1]);
	if (!o->regex)
		return kill_one(&x, call->args[0], e);
	return oci_each(&x.ctx, call->args[0], kill_one, &x, e);
}

const struct cmd oci_cmd_kill = {
	.name = "kill",
	.args = "ID [SIGNAL]",
	.min_args = 1,
	.max_args = 2,
	.help = "send a signal to a container",
	CMD_OPTS(struct kill_opts, options),
	.run = kill_run,
};

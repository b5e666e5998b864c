/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

struct delete_opts {
	bool force;
	bool regex;
};

static const struct cmd_opt options[] = {
	OPT_FLAG('f', "force", struct delete_opts, force,
		 "kill it first; an id that does not exist is fine"),
	OPT_FLAG(0, "regex", struct delete_opts, regex,
		 "ID is a regular expression: delete all that match"),
};

struct each {
	struct rt_context ctx;
	bool force;
};

static int delete_one(void *arg, const char *id, struct err *e)
{
	const struct each *x = arg;

	return rt_delete(&x->ctx, id, x->force, e);
}

static int delete_run(const struct cmd_call *call, struct err *e)
{
	const struct delete_opts *o = call->opts;
	struct each x = { .ctx = oci_context(call), .force = o->force };

	if (!o->regex)
		return delete_one(&x, call->args[0], e);
	return oci_each(&x.ctx, call->args[0], delete_one, &x, e);
}

const struct cmd oci_cmd_delete = {
	.name = "delete",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "remove a container and all that belongs to it",
	CMD_OPTS(struct delete_opts, options),
	.run = delete_run,
};

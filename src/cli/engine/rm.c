/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/engine/engine.h"

struct rm_opts {
	bool force;
};

static const struct cmd_opt options[] = {
	OPT_FLAG('f', "force", struct rm_opts, force,
		 "kill it first; one that does not exist is fine"),
};

static int rm_run(const struct cmd_call *call, struct err *e)
{
	const struct rm_opts *o = call->opts;
	struct eng_context ctx = cmd_engine_context(call);
	int r = 0;

	for (int i = 0; i < call->n_args && r >= 0; i++)
		r = eng_remove(&ctx, call->args[i], o->force, e);
	return r;
}

const struct cmd cmd_rm = {
	.name = "rm",
	.args = "NAME...",
	.min_args = 1,
	.max_args = -1,
	.help = "remove environments with all they have written",
	CMD_OPTS(struct rm_opts, options),
	.run = rm_run,
};

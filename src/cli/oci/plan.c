/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <stdio.h>

#include "base/cleanup.h"

struct plan_opts {
	const char *bundle;
};

static const struct cmd_opt options[] = {
	OPT_STR('b', "bundle", "DIR", struct plan_opts, bundle,
		"the bundle, instead of the current folder"),
};

static int plan_run(const struct cmd_call *call, struct err *e)
{
	const struct plan_opts *o = call->opts;
	struct rt_context ctx = oci_context(call);
	struct rt_create args = {
		.id = "plan",
		.bundle = o->bundle,
		.config = call->args[0],
	};
	autofree char *text = NULL;
	int r;

	r = rt_plan(&ctx, &args, &text, e);
	if (r < 0)
		return r;
	(void)puts(text);
	return 0;
}

const struct cmd oci_cmd_plan = {
	.name = "plan",
	.args = "[CONFIG]",
	.max_args = 1,
	.help = "print what would be done for a configuration, and do nothing",
	CMD_OPTS(struct plan_opts, options),
	.run = plan_run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

static int start_run(const struct cmd_call *call, struct err *e)
{
	struct rt_context ctx = oci_context(call);

	return rt_start(&ctx, call->args[0], e);
}

const struct cmd oci_cmd_start = {
	.name = "start",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "let the program of a created container run",
	.run = start_run,
};

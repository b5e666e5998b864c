/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

static int pause_run(const struct cmd_call *call, struct err *e)
{
	struct rt_context ctx = oci_context(call);

	return rt_pause(&ctx, call->args[0], e);
}

const struct cmd oci_cmd_pause = {
	.name = "pause",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "stop all processes of a container where they are",
	.run = pause_run,
};

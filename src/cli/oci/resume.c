/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

static int resume_run(const struct cmd_call *call, struct err *e)
{
	struct rt_context ctx = oci_context(call);

	return rt_resume(&ctx, call->args[0], e);
}

const struct cmd oci_cmd_resume = {
	.name = "resume",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "let the processes of a paused container go on",
	.run = resume_run,
};

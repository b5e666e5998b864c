/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include "src/cli/oci/create_opts.h"

static const struct cmd_opt options[] = {
	OCI_CREATE_OPTIONS,
};

static int create_run(const struct cmd_call *call, struct err *e)
{
	struct rt_context ctx = oci_context(call);
	struct rt_create args;
	int r;

	r = oci_create_args(call, &args, e);
	return r < 0 ? r : rt_create(&ctx, &args, e);
}

const struct cmd oci_cmd_create = {
	.name = "create",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "create a container whose program waits for 'start'",
	CMD_OPTS(struct oci_create_opts, options),
	.run = create_run,
};

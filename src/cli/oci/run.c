/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include "src/cli/oci/create_opts.h"

static const struct cmd_opt options[] = {
	OCI_CREATE_OPTIONS,
	OPT_FLAG('d', "detach", struct oci_create_opts, detach,
		 "do not wait for the program"),
	OPT_FLAG(0, "keep", struct oci_create_opts, keep,
		 "keep the container when its program has ended"),
	OPT_FLAG(0, "no-subreaper", struct oci_create_opts, no_subreaper,
		 "do not adopt orphans of the container"),
};

static int run_run(const struct cmd_call *call, struct err *e)
{
	struct rt_context ctx = oci_context(call);
	struct rt_create args;
	int r;

	r = oci_create_args(call, &args, e);
	return r < 0 ? r : rt_run(&ctx, &args, e);
}

const struct cmd oci_cmd_run = {
	.name = "run",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "create and start a container, and end with its exit status",
	CMD_OPTS(struct oci_create_opts, options),
	.run = run_run,
};

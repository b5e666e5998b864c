/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/criu_opts.h"

struct checkpoint_opts {
	struct rt_criu criu;
	char **empty_ns;
};

static const struct cmd_opt options[] = {
	CRIU_OPTIONS(struct checkpoint_opts),
	OPT_STR(0, "parent-path", "DIR", struct checkpoint_opts,
		criu.parent_path,
		"the dump before this one, from the image path"),
	OPT_FLAG(0, "leave-running", struct checkpoint_opts, criu.leave_running,
		 "the container goes on"),
	OPT_FLAG(0, "pre-dump", struct checkpoint_opts, criu.pre_dump,
		 "memory alone, while the container runs"),
	OPT_FLAG(0, "tcp-skip-in-flight", struct checkpoint_opts,
		 criu.tcp_skip_in_flight,
		 "without TCP connections that are being made"),
	OPT_FLAG(0, "link-remap", struct checkpoint_opts, criu.link_remap,
		 "open files that were removed get a name for a time"),
	OPT_STR(0, "page-server", "ADDRESS:PORT", struct checkpoint_opts,
		criu.page_server, "send memory to a criu page-server"),
	OPT_I64(0, "status-fd", "N", struct checkpoint_opts, criu.status_fd,
		"a zero byte goes there once lazy pages can be read"),
};

static int checkpoint_run(const struct cmd_call *call, struct err *e)
{
	const struct checkpoint_opts *o = call->opts;
	struct rt_context ctx = oci_context(call);
	struct rt_criu criu = o->criu;

	criu.empty_ns = o->empty_ns;
	return rt_checkpoint(&ctx, call->args[0], &criu, e);
}

const struct cmd oci_cmd_checkpoint = {
	.name = "checkpoint",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "write a running container to files, with criu",
	CMD_OPTS(struct checkpoint_opts, options),
	.run = checkpoint_run,
};

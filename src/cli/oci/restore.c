/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/criu_opts.h"

struct restore_opts {
	struct rt_criu criu;
	char **empty_ns;
	const char *bundle;
	const char *config;
	const char *console_socket;
	const char *pid_file;
	bool no_pivot;
	bool no_subreaper;
	bool detach;
	bool keep;
};

static const struct cmd_opt options[] = {
	CRIU_OPTIONS(struct restore_opts),
	OPT_STR('b', "bundle", "DIR", struct restore_opts, bundle,
		"the bundle, instead of the current folder"),
	OPT_STR('f', "config", "FILE", struct restore_opts, config,
		"the configuration, instead of config.json in the bundle"),
	OPT_STR(0, "console-socket", "PATH", struct restore_opts,
		console_socket, "send the terminal's master to this socket"),
	OPT_STR(0, "pid-file", "FILE", struct restore_opts, pid_file,
		"write the program's pid there"),
	OPT_FLAG('d', "detach", struct restore_opts, detach,
		 "do not wait for the program"),
	OPT_FLAG(0, "keep", struct restore_opts, keep,
		 "keep the container when its program has ended"),
	OPT_FLAG(0, "no-pivot", struct restore_opts, no_pivot,
		 "as create had it"),
	OPT_FLAG(0, "no-subreaper", struct restore_opts, no_subreaper,
		 "do not adopt orphans of the container"),
	OPT_STR(0, "lsm-profile", "TYPE:NAME", struct restore_opts,
		criu.lsm_profile, "another profile of AppArmor or SELinux"),
	OPT_STR(0, "lsm-mount-context", "CONTEXT", struct restore_opts,
		criu.lsm_mount_context, "another SELinux context of mounts"),
};

static int restore_run(const struct cmd_call *call, struct err *e)
{
	const struct restore_opts *o = call->opts;
	struct rt_context ctx = oci_context(call);
	struct rt_criu criu = o->criu;
	const struct rt_create create = {
		.id = call->args[0],
		.bundle = o->bundle,
		.config = o->config,
		.io = {
			.console_socket = o->console_socket,
			.pid_file = o->pid_file,
			.detach = o->detach,
		},
		.no_pivot = o->no_pivot,
		.no_subreaper = o->no_subreaper,
		.keep = o->keep,
	};

	/* Who waits was told when the program began. */
	ctx.notify_socket = NULL;
	criu.empty_ns = o->empty_ns;
	return rt_restore(&ctx, &create, &criu, e);
}

const struct cmd oci_cmd_restore = {
	.name = "restore",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "let a container that was written to files go on",
	CMD_OPTS(struct restore_opts, options),
	.run = restore_run,
};

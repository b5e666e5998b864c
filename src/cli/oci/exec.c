/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>

struct exec_opts {
	const char *process;
	const char *console_socket;
	const char *pidfd_socket;
	const char *pid_file;
	const char *cwd;
	const char *user;
	const char *apparmor;
	const char *label;
	char **env;
	char **caps;
	char **groups;
	char **cgroups;
	uint32_t preserve_fds;
	bool tty;
	bool detach;
	bool no_new_privs;
	bool ignore_paused;
};

static const struct cmd_opt options[] = {
	OPT_STR('p', "process", "FILE", struct exec_opts, process,
		"the program as a process.json, instead of arguments"),
	OPT_FLAG('t', "tty", struct exec_opts, tty, "give it a terminal"),
	OPT_STR('u', "user", "UID[:GID]", struct exec_opts, user, "run as"),
	OPT_STR(0, "cwd", "DIR", struct exec_opts, cwd,
		"where it starts, in the container"),
	OPT_STRV('e', "env", "NAME=VALUE", struct exec_opts, env,
		 "add to its environment; repeatable"),
	OPT_FLAG('d', "detach", struct exec_opts, detach,
		 "do not wait for the program"),
	OPT_STR(0, "pid-file", "FILE", struct exec_opts, pid_file,
		"write the program's pid there"),
	OPT_STR(0, "console-socket", "PATH", struct exec_opts, console_socket,
		"send the terminal's master to this socket"),
	OPT_STR(0, "pidfd-socket", "PATH", struct exec_opts, pidfd_socket,
		"send a pidfd of the program to this socket"),
	OPT_STRV('g', "additional-gids", "GID", struct exec_opts, groups,
		 "one more group; repeatable"),
	OPT_STRV('c', "cap", "CAP", struct exec_opts, caps,
		 "one more capability; repeatable"),
	OPT_FLAG(0, "no-new-privs", struct exec_opts, no_new_privs,
		 "execve never adds privileges"),
	OPT_STR(0, "apparmor", "PROFILE", struct exec_opts, apparmor,
		"AppArmor profile"),
	OPT_STR(0, "process-label", "LABEL", struct exec_opts, label,
		"SELinux label"),
	OPT_U32(0, "preserve-fds", "N", struct exec_opts, preserve_fds,
		"pass on N more descriptors, from 3 on"),
	OPT_STRV(0, "cgroup", "[CONTROLLER:]PATH", struct exec_opts, cgroups,
		 "a group below the container's; repeatable on v1"),
	OPT_FLAG(0, "ignore-paused", struct exec_opts, ignore_paused,
		 "start it in a paused container, where it will wait"),
};

static int check_words(const struct cmd_call *call, struct err *e)
{
	const struct exec_opts *o = call->opts;

	if (o->process && call->n_args > 1)
		return err_set(e, -EINVAL,
			       "--process and a command exclude each other");
	if (!o->process && call->n_args < 2)
		return err_set(e, -EINVAL,
			       "what to execute? give a command or --process");
	return 0;
}

static int exec_run(const struct cmd_call *call, struct err *e)
{
	const struct exec_opts *o = call->opts;
	struct rt_context ctx = oci_context(call);
	struct rt_exec x = {
		.id = call->args[0],
		.process_file = o->process,
		.words = {
			.args = call->args + 1,
			.env = o->env,
			.cwd = o->cwd,
			.user = o->user,
			.groups = o->groups,
			.caps = o->caps,
			.apparmor = o->apparmor,
			.selinux = o->label,
			.tty = o->tty,
			.no_new_privs = o->no_new_privs,
		},
		.cgroups = o->cgroups,
		.ignore_paused = o->ignore_paused,
		.io = {
			.console_socket = o->console_socket,
			.pid_file = o->pid_file,
			.pidfd_socket = o->pidfd_socket,
			.preserve_fds = o->preserve_fds,
			.detach = o->detach,
		},
	};
	int r;

	r = check_words(call, e);
	if (r >= 0)
		r = rt_protect_self(oci_argv(), e);
	return r < 0 ? r : rt_exec(&ctx, &x, e);
}

const struct cmd oci_cmd_exec = {
	.name = "exec",
	.args = "ID COMMAND [ARGUMENT...]",
	.min_args = 1,
	.max_args = -1,
	.stop_after = 2,
	.help = "run another program in a container",
	CMD_OPTS(struct exec_opts, options),
	/* As runc: 1 may be the program's own. */
	.failed = 255,
	.run = exec_run,
};

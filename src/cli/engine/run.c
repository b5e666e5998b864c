/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/engine/engine.h"
#include "src/oci/plan.h"
#include "src/runtime/rt.h"

struct run_opts {
	bool remove;
	bool interactive;
	bool tty;
	int isolation;
	struct opt_u64 cpu_shares;
	struct opt_u64 cpus;
	struct opt_i64 memory;
	struct opt_i64 pids;
	const char *name;
	const char *hostname;
	char **env;
	const char *workdir;
	const char *user;
	int network;
	const char *kernel;
	char **annotations;
	bool readonly;
	char **volumes;
	char **cap_add;
	char **cap_drop;
};

static const struct cmd_opt options[] = {
	OPT_FLAG(0, "rm", struct run_opts, remove,
		 "remove it when the program has ended"),
	OPT_FLAG('i', "interactive", struct run_opts, interactive,
		 "pass on stdin; without, the program reads nothing"),
	OPT_FLAG('t', "tty", struct run_opts, tty,
		 "give the program a terminal"),
	OPT_CHOICE(0, "isolation", "KIND", struct run_opts, isolation,
		   plan_isolation_names,
		   "container or vm: how deep the isolation goes"),
	OPT_U64('c', "cpu-shares", "N", struct run_opts, cpu_shares,
		"CPU share among neighbours (1024 is usual)"),
	OPT_NANO(0, "cpus", "N", struct run_opts, cpus,
		 "at most this many CPUs, as 1.5"),
	OPT_BYTES('m', "memory", "SIZE", struct run_opts, memory,
		  "at most this much memory, as 512m"),
	OPT_I64(0, "pids-limit", "N", struct run_opts, pids,
		"at most this many processes (2048); -1: no limit"),
	OPT_STR(0, "name", "NAME", struct run_opts, name,
		"its name, instead of a random one"),
	OPT_STR('h', "hostname", "NAME", struct run_opts, hostname,
		"what it takes its machine's name to be"),
	OPT_STRV('e', "env", "NAME[=VALUE]", struct run_opts, env,
		 "set in its environment; without a value: ours; repeatable"),
	OPT_STR('w', "workdir", "DIR", struct run_opts, workdir,
		"where the program starts"),
	OPT_STR('u', "user", "USER[:GROUP]", struct run_opts, user,
		"run as, by name or number"),
	OPT_CHOICE(0, "network", "KIND", struct run_opts, network,
		   eng_network_names, "none (its own, with lo alone) or host"),
	OPT_STRV(0, "annotation", "KEY=VALUE", struct run_opts, annotations,
		 "a word to the runtime, as moat.vm.pin=0-3; repeatable"),
	OPT_FLAG(0, "read-only", struct run_opts, readonly,
		 "nothing can be written to its root"),
	OPT_STRV('v', "volume", "SOURCE:TARGET[:ro]", struct run_opts, volumes,
		 "a file or folder of ours in its root; repeatable"),
	OPT_STRV(0, "cap-add", "CAP", struct run_opts, cap_add,
		 "a capability more than the usual ones, or all"),
	OPT_STRV(0, "cap-drop", "CAP", struct run_opts, cap_drop,
		 "a capability less, or all"),
	OPT_STR(0, "kernel", "FILE", struct run_opts, kernel,
		"vmlinuz or vmlinux of a micro-VM, instead of the newest installed"),
};

static int run_run(const struct cmd_call *call, struct err *e)
{
	const struct run_opts *o = call->opts;
	struct eng_context ctx = cmd_engine_context(call);
	struct eng_run run = {
		.image = call->args[0],
		.args = call->args + 1,
		.name = o->name,
		.remove = o->remove,
		.interactive = o->interactive,
		.tty = o->tty,
		.isolation = o->isolation,
		.cpu_shares = o->cpu_shares,
		.cpus = o->cpus,
		.memory = o->memory,
		.pids = o->pids,
		.hostname = o->hostname,
		.env = o->env,
		.workdir = o->workdir,
		.user = o->user,
		.network = o->network,
		.kernel = o->kernel,
		.annotations = o->annotations,
		.readonly = o->readonly,
		.volumes = o->volumes,
		.cap_add = o->cap_add,
		.cap_drop = o->cap_drop,
	};
	int r;

	r = rt_protect_self(cmd_engine_argv(), e);
	return r < 0 ? r : eng_run(&ctx, &run, e);
}

const struct cmd cmd_run = {
	.name = "run",
	.args = "IMAGE COMMAND [ARGUMENT...]",
	.min_args = 2,
	.max_args = -1,
	.stop_after = 1,
	.help = "run a program in a new environment",
	CMD_OPTS(struct run_opts, options),
	.run = run_run,
};

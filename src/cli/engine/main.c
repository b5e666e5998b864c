/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "src/cli/engine/engine.h"

static const struct cmd_opt options[] = {
	OPT_STR(0, "root", "DIR", struct engine_globals, root,
		"where environments are stored, instead of /var/lib/moat"),
	OPT_STR(0, "state", "DIR", struct engine_globals, state,
		"where their states live, instead of /run/moat"),
	OPT_FLAG(0, "debug", struct engine_globals, debug,
		 "say on stderr what is done"),
	OPT_FLAG('v', "version", struct engine_globals, version,
		 "print the version and end"),
};

const struct cmd cmd_engine_globals = {
	.name = "moat",
	.args = "COMMAND",
	.max_args = -1,
	.stop_after = 1,
	CMD_OPTS(struct engine_globals, options),
};

static const struct cmd *const commands[] = {
	&cmd_ps,
	&cmd_rm,
	&cmd_run,
};

/* Of the program's whole life. */
static struct {
	char store[512];
	char state[512];
	char **argv;
} program;

char *const *cmd_engine_argv(void)
{
	return program.argv;
}

struct eng_context cmd_engine_context(const struct cmd_call *call)
{
	return (struct eng_context){
		.store = program.store,
		.state = program.state,
		.rootless = geteuid() != 0,
	};
}

/* First what the user said, then the environment, then the usual place. */
static void choose(char *at, size_t size, const char *said, const char *var,
		   const char *usual)
{
	const char *from_env = getenv(var);

	(void)snprintf(at, size, "%s",
		       said ? said : (from_env ? from_env : usual));
}

static void choose_paths(const struct engine_globals *g)
{
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char store[512] = "/var/lib/moat", state[512] = "/run/moat";

	if (geteuid() != 0) {
		if (data)
			(void)snprintf(store, sizeof(store), "%s/moat", data);
		else
			(void)snprintf(store, sizeof(store),
				       "%s/.local/share/moat",
				       home ? home : "");
		if (runtime)
			(void)snprintf(state, sizeof(state), "%s/moat",
				       runtime);
		else
			(void)snprintf(state, sizeof(state), "/tmp/moat-%u",
				       getuid());
	}
	choose(program.store, sizeof(program.store), g->root, "MOAT_ROOT",
	       store);
	choose(program.state, sizeof(program.state), g->state, "MOAT_STATE",
	       state);
}

static int prepare(const void *globals, struct err *e)
{
	const struct engine_globals *g = globals;
	struct log_config log = {
		.program = "moat",
		.level = g->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
	};
	int r;

	if (g->version) {
		(void)printf("moat version %s\n", PACKAGE_VERSION);
		return 1;
	}
	r = fd_ensure_stdio(e);
	if (r < 0)
		return r;
	choose_paths(g);
	return log_open(&log, e);
}

static const struct cmd_program moat = {
	.name = "moat",
	.help = "Run programs in isolated environments: containers or micro-VMs.",
	.globals = &cmd_engine_globals,
	.commands = commands,
	.n_commands = ARRAY_SIZE(commands),
	.prepare = prepare,
	.failed = 125,
};

int main(int argc, char **argv)
{
	program.argv = argv;
	return cmd_main(&moat, argc, argv);
}

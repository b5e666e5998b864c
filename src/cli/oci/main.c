/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "src/cli/oci/oci.h"

#define DEFAULT_ROOT "/run/moat/oci"

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_levels[] = { "error", "warning", "info", "debug",
					  NULL };
static const char *const rootless_names[] = { "auto", "true", "false", NULL };

static const struct cmd_opt options[] = {
	OPT_STR(0, "root", "DIR", struct oci_globals, root,
		"where the states of containers live"),
	OPT_STR(0, "log", "FILE", struct oci_globals, log,
		"append messages to FILE, journald:ID or syslog:ID, too"),
	OPT_CHOICE(0, "log-format", "FORMAT", struct oci_globals, log_format,
		   log_formats, "text or json"),
	OPT_CHOICE(0, "log-level", "LEVEL", struct oci_globals, log_level,
		   log_levels, "error, warning, info or debug"),
	OPT_FLAG(0, "debug", struct oci_globals, debug,
		 "the same as --log-level debug"),
	OPT_FLAG(0, "systemd-cgroup", struct oci_globals, systemd_cgroup,
		 "the same as --cgroup-manager systemd"),
	OPT_CHOICE(0, "cgroup-manager", "MANAGER", struct oci_globals,
		   cgroup_manager, cg_driver_names,
		   "cgroupfs, systemd or disabled"),
	OPT_CHOICE(0, "rootless", "MODE", struct oci_globals, rootless,
		   rootless_names, "true, false or auto"),
	OPT_FLAG('v', "version", struct oci_globals, version,
		 "print the version and end"),
};

static const struct oci_globals defaults = {
	.log_level = LOG_LEVEL_WARNING,
};

const struct cmd oci_globals = {
	.name = "moat-oci",
	.args = "COMMAND",
	.max_args = -1,
	.stop_after = 1,
	CMD_OPTS(struct oci_globals, options, .defaults = &defaults),
};

static const struct cmd *const commands[] = {
	&oci_cmd_checkpoint, &oci_cmd_create, &oci_cmd_delete,
	&oci_cmd_events,     &oci_cmd_exec,   &oci_cmd_features,
	&oci_cmd_kill,	     &oci_cmd_list,   &oci_cmd_mounts,
	&oci_cmd_pause,	     &oci_cmd_plan,   &oci_cmd_ps,
	&oci_cmd_restore,    &oci_cmd_resume, &oci_cmd_run,
	&oci_cmd_spec,	     &oci_cmd_start,  &oci_cmd_state,
	&oci_cmd_update,
};

/* Of the program's whole life; see oci_context(). */
static struct {
	char root[512];
	bool rootless;
	bool as_vm;
	char **argv;
} program;

char *const *oci_argv(void)
{
	return program.argv;
}

/*
 * podman and rootlesskit call us as root of a user namespace they have made:
 * the host's root we are not. Whoever is root there by name, too, has a machine
 * of that kind for himself. runc knows them by the same signs.
 */
static bool is_root_of_host(void)
{
	const char *user = getenv("USER");
	char map[64];
	ssize_t n;

	if (geteuid() != 0)
		return false;
	if (user && str_eq(user, "root"))
		return true;
	n = fd_read_small_at(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map));
	return n == -ENOENT || (n > 0 && strstr(map, " 4294967295"));
}

static bool is_rootless(const struct oci_globals *g)
{
	if (g->rootless != 0)
		return g->rootless == 1;
	return !is_root_of_host();
}

struct rt_context oci_context(const struct cmd_call *call)
{
	const struct oci_globals *g = call->globals;

	return (struct rt_context){
		.root = g->root ? g->root : program.root,
		.cgroup_driver = g->systemd_cgroup ? CG_DRIVER_SYSTEMD
						   : g->cgroup_manager,
		.notify_socket = getenv("NOTIFY_SOCKET"),
		.rootless = program.rootless,
		.isolation_vm = program.as_vm,
	};
}

static void choose_root(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (program.rootless && runtime && runtime[0] == '/')
		(void)snprintf(program.root, sizeof(program.root),
			       "%s/moat/oci", runtime);
	else if (program.rootless)
		(void)snprintf(program.root, sizeof(program.root),
			       "/tmp/moat-%u/oci", getuid());
	else
		(void)snprintf(program.root, sizeof(program.root), "%s",
			       DEFAULT_ROOT);
}

static int prepare(const void *globals, struct err *e)
{
	const struct oci_globals *g = globals;
	struct log_config log = {
		.program = "moat-oci",
		.path = g->log,
		.format = (enum log_format)g->log_format,
		.level = g->debug ? LOG_LEVEL_DEBUG
				  : (enum log_level)g->log_level,
	};
	int r;

	if (g->version) {
		(void)printf("moat-oci version %s\nspec: 1.3.0\n",
			     PACKAGE_VERSION);
		return 1;
	}
	r = fd_ensure_stdio(e);
	if (r < 0)
		return r;
	program.rootless = is_rootless(g);
	choose_root();
	return log_open(&log, e);
}

static const struct cmd_program moat_oci = {
	.name = "moat-oci",
	.help = "Run containers and micro-VMs by the OCI runtime specification.",
	.globals = &oci_globals,
	.commands = commands,
	.n_commands = ARRAY_SIZE(commands),
	.prepare = prepare,
	.failed = 1,
};

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argv[0];

	/* The name that runtime classes and --runtime give. */
	program.as_vm = argc > 0 && str_eq(name, "moat-oci-vm");
	program.argv = argv;
	return cmd_main(&moat_oci, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the commands of moat-oci share. One command per file. */
#include "src/cli/cmd.h"
#include "src/runtime/rt.h"

struct oci_globals {
	const char *root;
	const char *log;
	int log_format;
	int log_level;
	bool debug;
	bool systemd_cgroup;
	int cgroup_manager;
	int rootless;
	bool version;
};

extern const struct cmd oci_globals;

/* The runtime's context as the command line has it. */
struct rt_context oci_context(const struct cmd_call *call);

/* The options that create and run share. */
struct oci_create_opts {
	const char *bundle;
	const char *config;
	const char *console_socket;
	const char *pidfd_socket;
	const char *pid_file;
	uint32_t preserve_fds;
	bool no_pivot;
	bool no_new_keyring;
	bool no_subreaper;
	bool detach;
	bool keep;
};

/* The program's own argv, for executing it once more. */
char *const *oci_argv(void);

/* fn for every id that matches; the others still have their turn when one
 * fails, and the last failure is given. */
MUST_CHECK int oci_each(const struct rt_context *ctx, const char *pattern,
			int (*fn)(void *arg, const char *id, struct err *e),
			void *arg, struct err *e);

extern const struct cmd oci_cmd_checkpoint;
extern const struct cmd oci_cmd_create;
extern const struct cmd oci_cmd_delete;
extern const struct cmd oci_cmd_events;
extern const struct cmd oci_cmd_exec;
extern const struct cmd oci_cmd_features;
extern const struct cmd oci_cmd_kill;
extern const struct cmd oci_cmd_list;
extern const struct cmd oci_cmd_mounts;
extern const struct cmd oci_cmd_pause;
extern const struct cmd oci_cmd_plan;
extern const struct cmd oci_cmd_ps;
extern const struct cmd oci_cmd_restore;
extern const struct cmd oci_cmd_resume;
extern const struct cmd oci_cmd_run;
extern const struct cmd oci_cmd_spec;
extern const struct cmd oci_cmd_start;
extern const struct cmd oci_cmd_state;
extern const struct cmd oci_cmd_update;

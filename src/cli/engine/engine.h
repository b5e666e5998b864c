/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the commands of moat share. One command per file. */
#include "src/cli/cmd.h"
#include "src/engine/eng.h"

struct engine_globals {
	const char *root;
	const char *state;
	bool debug;
	bool version;
};

extern const struct cmd cmd_engine_globals;

struct eng_context cmd_engine_context(const struct cmd_call *call);
/* The program's own argv, for executing it once more. */
char *const *cmd_engine_argv(void);

extern const struct cmd cmd_ps;
extern const struct cmd cmd_rm;
extern const struct cmd cmd_run;

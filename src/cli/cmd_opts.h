/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The parser and the help behind cmd_main(). Private to src/cli. */
#include <stdio.h>

#include "src/cli/cmd.h"

/*
 * Parses argv[0..argc) into *ret_opts (of c->opts_size, freed by
 * cmd_opts_free()) and *ret_args (borrowed strings, the caller frees the list).
 * 1 when help was asked for, 0 when all is well, -EINVAL with a sentence.
 */
MUST_CHECK int cmd_parse(const struct cmd *c, char **argv, int argc,
			 void **ret_opts, char ***ret_args, int *ret_n_args,
			 struct err *e);
void cmd_opts_free(const struct cmd *c, void *opts);

/* The name nearest to what was typed, or NULL when none is near. */
const char *cmd_nearest(const char *typed, const char *const *names, size_t n);

void cmd_help(FILE *f, const struct cmd_program *p, const struct cmd *c);
void cmd_help_program(FILE *f, const struct cmd_program *p);

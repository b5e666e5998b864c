/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "src/cli/cmd_opts.h"
#include "src/runtime/rt.h"

/* What is freed at the end of a command line. */
struct line {
	const struct cmd *cmd;
	void *opts;
	char **args;
	int n_args;
};

static void line_done(struct line *l)
{
	if (l->cmd)
		cmd_opts_free(l->cmd, l->opts);
	free(l->args);
}

static int parse_line(struct line *l, const struct cmd *c, char **argv,
		      int argc, struct err *e)
{
	l->cmd = c;
	return cmd_parse(c, argv, argc, &l->opts, &l->args, &l->n_args, e);
}

static int usage(const char *where, const struct err *e)
{
	if (where)
		log_error("%s: %s", where, err_text(e));
	else
		log_error("%s", err_text(e));
	return CMD_USAGE;
}

static const struct cmd *find_command(const struct cmd_program *p,
				      const char *name, struct err *e)
{
	const char *names[128];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < p->n_commands; i++) {
		if (str_eq(p->commands[i]->name, name))
			return p->commands[i];
		if (!p->commands[i]->hidden && n < ARRAY_SIZE(names))
			names[n++] = p->commands[i]->name;
	}
	near = cmd_nearest(name, names, n);
	if (near)
		(void)err_set(e, -EINVAL,
			      "unknown command '%s'; did you mean '%s'?", name,
			      near);
	else
		(void)err_set(e, -EINVAL,
			      "unknown command '%s'; --help lists all", name);
	return NULL;
}

/* "help" and "help COMMAND", as people try them. */
static int show_help(const struct cmd_program *p, const char *name)
{
	const struct cmd *c = NULL;
	struct err e = { 0 };

	if (name) {
		c = find_command(p, name, &e);
		if (!c)
			return usage(NULL, &e);
		cmd_help(stdout, p, c);
	} else {
		cmd_help_program(stdout, p);
	}
	return 0;
}

/* By the convention of shells, for programs that were to be run. */
static int status_of(const struct cmd_program *p, const struct cmd *c, int r)
{
	if (c->failed)
		return c->failed;
	if (p->failed != 125)
		return p->failed;
	if (r == RT_NOT_EXECUTABLE)
		return 126;
	return r == RT_NOT_FOUND ? 127 : p->failed;
}

static int run_command(const struct cmd_program *p, const struct cmd *c,
		       const void *globals, char **argv, int argc)
{
	_cleanup_(line_done) struct line l = { 0 };
	struct err e = { 0 };
	struct cmd_call call;
	int r;

	r = parse_line(&l, c, argv, argc, &e);
	if (r < 0)
		return usage(c->name, &e);
	if (r > 0) {
		cmd_help(stdout, p, c);
		return 0;
	}
	call = (struct cmd_call){
		.cmd = c,
		.globals = globals,
		.opts = l.opts,
		.args = l.args,
		.n_args = l.n_args,
	};
	r = c->run(&call, &e);
	if (r < 0) {
		log_error("%s: %s", c->name, err_text(&e));
		return status_of(p, c, r);
	}
	return r;
}

/* What was written to stdout has arrived, or somebody is told. */
static int finish(const struct cmd_program *p, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error("write to stdout: %s", strerrordesc_np(errno));
	return status ? status : p->failed;
}

int cmd_main(const struct cmd_program *p, int argc, char **argv)
{
	_cleanup_(line_done) struct line l = { 0 };
	const struct cmd *c;
	struct err e = { 0 };
	int r;

	proc_usual_sigchld();
	r = parse_line(&l, p->globals, argv + 1, argc - 1, &e);
	if (r < 0)
		return usage(NULL, &e);
	if (r > 0)
		return finish(p, show_help(p, NULL));
	r = p->prepare(l.opts, &e);
	if (r != 0)
		return r < 0 ? usage(NULL, &e) : finish(p, 0);
	if (l.n_args == 0) {
		cmd_help_program(stderr, p);
		return CMD_USAGE;
	}
	if (str_eq(l.args[0], "help"))
		return finish(p, show_help(p, l.args[1]));
	c = find_command(p, l.args[0], &e);
	if (!c)
		return usage(NULL, &e);
	return finish(p, run_command(p, c, l.opts, l.args + 1, l.n_args - 1));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/str.h"
#include "src/cli/oci/print.h"

enum ps_format {
	PS_TABLE,
	PS_JSON,
};
static const char *const formats[] = { "table", "json", NULL };

struct ps_opts {
	int format;
};

static const struct cmd_opt options[] = {
	OPT_CHOICE('f', "format", "FORMAT", struct ps_opts, format, formats,
		   "table or json"),
};

static int print_json(const pid_t *pids, size_t n, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };

	json_out_begin(&o, '[');
	for (size_t i = 0; i < n; i++)
		json_out_i64(&o, pids[i]);
	json_out_end(&o, ']');
	return oci_print(&o, e);
}

/* The column of a heading that is PID: where ps(1) puts the number. */
static int pid_column(char *heading)
{
	char *save = NULL;
	int column = 0;

	for (char *w = strtok_r(heading, " \t", &save); w;
	     w = strtok_r(NULL, " \t", &save), column++)
		if (str_eq(w, "PID"))
			return column;
	return -1;
}

static bool is_listed(const char *line, int column, const pid_t *pids, size_t n)
{
	autofree char *copy = strdup(line);
	char *save = NULL, *word = copy ? strtok_r(copy, " \t", &save) : NULL;
	int pid;

	while (word && column-- > 0)
		word = strtok_r(NULL, " \t", &save);
	if (!word || str_to_int(word, &pid) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Only ps(1) knows all its options: it lists, we choose the lines. */
static int print_table(char *const *ps_args, const pid_t *pids, size_t n,
		       struct err *e)
{
	static const char *const usual[] = { "ps", "-ef", NULL };
	autofree char *output = NULL, *heading = NULL;
	struct proc_run run = {
		.path = "ps",
		.argv = (char *const *)usual,
		.ret_output = &output,
	};
	autostrv char **argv = NULL;
	char *save = NULL, *line;
	int r, column;

	r = strv_add(&argv, "ps");
	for (size_t i = 0; ps_args[i] && r >= 0; i++)
		r = strv_add(&argv, ps_args[i]);
	if (r < 0)
		return err_nomem(e);
	if (ps_args[0])
		run.argv = argv;
	r = proc_run(&run, e);
	if (r != 0)
		return r < 0 ? r : -EIO;
	line = strtok_r(output, "\n", &save);
	heading = line ? strdup(line) : NULL;
	column = heading ? pid_column(heading) : -1;
	if (column < 0)
		return err_set(e, -EINVAL,
			       "these options of ps print no PID column");
	(void)puts(line);
	while ((line = strtok_r(NULL, "\n", &save)))
		if (is_listed(line, column, pids, n))
			(void)puts(line);
	return 0;
}

static int ps_run(const struct cmd_call *call, struct err *e)
{
	const struct ps_opts *o = call->opts;
	struct rt_context ctx = oci_context(call);
	autofree pid_t *pids = NULL;
	size_t n = 0;
	int r;

	r = rt_ps(&ctx, call->args[0], &pids, &n, e);
	if (r < 0)
		return r;
	if (o->format == PS_JSON)
		return print_json(pids, n, e);
	return print_table(call->args + 1, pids, n, e);
}

const struct cmd oci_cmd_ps = {
	.name = "ps",
	.args = "ID [PS-OPTION...]",
	.min_args = 1,
	.max_args = -1,
	.stop_after = 1,
	.help = "list the processes of a container",
	CMD_OPTS(struct ps_opts, options),
	.run = ps_run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/engine/engine.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "src/oci/plan.h"

struct ps_opts {
	bool all;
	bool quiet;
};

static const struct cmd_opt options[] = {
	OPT_FLAG('a', "all", struct ps_opts, all,
		 "those whose program has ended, too"),
	OPT_FLAG('q', "quiet", struct ps_opts, quiet, "print the names alone"),
};

#define ROW "%-*s  %-9s  %-8s  %-7s  %-19.19s  %.60s\n"

static void print_table(const struct eng_list *l)
{
	int width = 4;

	for (size_t i = 0; i < l->n; i++)
		width = MAX_OF(width, (int)strlen(l->v[i].id));
	(void)printf(ROW, width, "NAME", "ISOLATION", "STATUS", "PID",
		     "CREATED (UTC)", "COMMAND");
	for (size_t i = 0; i < l->n; i++) {
		const struct eng_info *x = &l->v[i];
		char pid[16] = "-";

		if (x->pid > 0)
			(void)snprintf(pid, sizeof(pid), "%d", x->pid);
		(void)printf(ROW, width, x->id,
			     plan_isolation_names[x->isolation], x->status, pid,
			     x->created, x->command ? x->command : "");
	}
}

static int ps_run(const struct cmd_call *call, struct err *e)
{
	_cleanup_(eng_list_done) struct eng_list l = { 0 };
	const struct ps_opts *o = call->opts;
	struct eng_context ctx = cmd_engine_context(call);
	int r;

	r = eng_ps(&ctx, o->all, &l, e);
	if (r < 0)
		return r;
	if (!o->quiet) {
		print_table(&l);
		return 0;
	}
	for (size_t i = 0; i < l.n; i++)
		(void)puts(l.v[i].id);
	return 0;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.max_args = 0,
	.help = "list environments",
	CMD_OPTS(struct ps_opts, options),
	.run = ps_run,
};

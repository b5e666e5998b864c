/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "src/cli/oci/print.h"

enum list_format {
	LIST_TABLE,
	LIST_JSON,
};
static const char *const formats[] = { "table", "json", NULL };

struct list_opts {
	int format;
	bool quiet;
};

static const struct cmd_opt options[] = {
	OPT_CHOICE('f', "format", "FORMAT", struct list_opts, format, formats,
		   "table or json"),
	OPT_FLAG('q', "quiet", struct list_opts, quiet, "print the ids alone"),
};

#define ROW "%-*s  %-8s  %-8s  %-*s  %-30s  %s\n"

struct list {
	struct state *v;
	size_t n;
};

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		state_done(&l->v[i]);
	free(l->v);
}

/* One that vanishes, or is made, while we look is nothing to speak of; one that
 * is broken runs perhaps. */
static int read_states(const struct rt_context *ctx, struct list *l,
		       struct err *e)
{
	autostrv char **ids = NULL;
	int r;

	r = rt_list(ctx, &ids, e);
	if (r < 0)
		return r;
	l->v = calloc(strv_len(ids) + 1, sizeof(*l->v));
	if (!l->v)
		return err_nomem(e);
	STRV_FOREACH(id, ids) {
		struct err why = { 0 };

		r = rt_state(ctx, *id, &l->v[l->n], &why);
		if (r >= 0)
			l->n++;
		else
			log_at(r == -ENOENT ? LOG_LEVEL_DEBUG
					    : LOG_LEVEL_WARNING,
			       "%s", err_text(&why));
	}
	return 0;
}

static void print_table(const struct list *l)
{
	int id = 2, bundle = 6;

	for (size_t i = 0; i < l->n; i++) {
		id = MAX_OF(id, (int)strlen(l->v[i].id));
		bundle = MAX_OF(bundle, (int)strlen(l->v[i].bundle));
	}
	(void)printf(ROW, id, "ID", "PID", "STATUS", bundle, "BUNDLE",
		     "CREATED", "OWNER");
	for (size_t i = 0; i < l->n; i++) {
		const struct state *s = &l->v[i];
		char pid[16];

		(void)snprintf(pid, sizeof(pid), "%d",
			       s->status == STATE_STOPPED ? 0 : s->pid);
		(void)printf(ROW, id, s->id, pid, state_status_names[s->status],
			     bundle, s->bundle, s->created, s->owner);
	}
}

static int print_json(const struct list *l, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };

	json_out_begin(&o, '[');
	for (size_t i = 0; i < l->n; i++)
		oci_write_state(&o, &l->v[i]);
	json_out_end(&o, ']');
	return oci_print(&o, e);
}

static int list_run(const struct cmd_call *call, struct err *e)
{
	_cleanup_(list_done) struct list l = { 0 };
	const struct list_opts *o = call->opts;
	struct rt_context ctx = oci_context(call);
	int r;

	r = read_states(&ctx, &l, e);
	if (r < 0)
		return r;
	if (o->quiet) {
		for (size_t i = 0; i < l.n; i++)
			(void)puts(l.v[i].id);
		return 0;
	}
	if (o->format == LIST_JSON)
		return print_json(&l, e);
	print_table(&l);
	return 0;
}

const struct cmd oci_cmd_list = {
	.name = "list",
	.max_args = 0,
	.help = "list the containers below the root",
	CMD_OPTS(struct list_opts, options),
	.run = list_run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/cli/oci/print.h"

struct events_opts {
	bool stats;
	const char *interval;
};

static const struct events_opts defaults = { .interval = "5s" };

static const struct cmd_opt options[] = {
	OPT_FLAG(0, "stats", struct events_opts, stats,
		 "print the numbers once and end"),
	OPT_STR(0, "interval", "TIME", struct events_opts, interval,
		"time between two prints, as 5s (the default), 500ms or 1m"),
};

/* clang-format off */
static const struct {
	const char *suffix;
	uint64_t ms;
} units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
};
/* clang-format on */

static int parse_interval(const char *text, uint64_t *ret_ms, struct err *e)
{
	size_t digits = strspn(text, "0123456789");
	autofree char *number = strndup(text, digits);
	uint64_t n;

	if (!number)
		return err_nomem(e);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!str_eq(text + digits, units[i].suffix))
			continue;
		if (str_to_u64(number, &n) < 0 || n == 0 || n > 1000000)
			break;
		*ret_ms = n * units[i].ms;
		return 0;
	}
	return err_set(e, -EINVAL, "--interval: '%s' is not a time like 5s",
		       text);
}

static void begin(struct json_out *o, const char *type, const char *id)
{
	json_out_begin(o, '{');
	json_out_key(o, "type");
	json_out_str(o, type);
	json_out_key(o, "id");
	json_out_str(o, id);
}

/* Whoever reads a pipe wants each line when it is written. */
static int print_line(struct json_out *o, struct err *e)
{
	int r;

	r = oci_print(o, e);
	if (r >= 0 && fflush(stdout) != 0)
		return err_errno(e, "write to stdout");
	return r;
}

struct watched {
	struct rt_context ctx;
	const char *id;
};

static int print_stat(void *arg, const struct cg_stat *s, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };
	const struct watched *w = arg;

	begin(&o, "stats", w->id);
	json_out_key(&o, "data");
	json_out_begin(&o, '{');
	cg_stat_write(s, &o);
	rt_rdt_write(&w->ctx, w->id, &o);
	/* runc counts links that it has made itself; we make none. */
	json_out_key(&o, "network_interfaces");
	json_out_null(&o);
	json_out_end(&o, '}');
	json_out_end(&o, '}');
	return print_line(&o, e);
}

static int print_oom(void *arg, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };
	const struct watched *w = arg;

	begin(&o, "oom", w->id);
	json_out_end(&o, '}');
	return print_line(&o, e);
}

static int events_run(const struct cmd_call *call, struct err *e)
{
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	const struct events_opts *o = call->opts;
	struct watched watched = {
		.ctx = oci_context(call),
		.id = call->args[0],
	};
	struct rt_watch w = {
		.on_stat = print_stat,
		.on_oom = print_oom,
		.arg = &watched,
	};
	int r;

	r = parse_interval(o->interval, &w.interval_ms, e);
	if (r < 0)
		return r;
	if (!o->stats)
		return rt_watch(&watched.ctx, watched.id, &w, e);
	r = rt_stat(&watched.ctx, watched.id, &s, e);
	return r < 0 ? r : print_stat(&watched, &s, e);
}

const struct cmd oci_cmd_events = {
	.name = "events",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "print the numbers of a container, and when it runs out of memory",
	CMD_OPTS(struct events_opts, options, .defaults = &defaults),
	.run = events_run,
};

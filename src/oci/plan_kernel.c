/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "namespaces/seccomp.h"
#include "src/oci/plan_parts.h"

/* --- resctrl ---------------------------------------------------------------*/

/* The name of a folder below /sys/fs/resctrl; "/" is that folder itself. */
static int check_class(const char *id, struct err *e)
{
	if (str_eq(id, "/"))
		return 0;
	if (str_eq(id, ".") || str_eq(id, "..") || strpbrk(id, "/\n") ||
	    strlen(id) > 255)
		return err_set(e, -EINVAL,
			       "closID: '%.64s' is not the name of a class",
			       id);
	return 0;
}

/* Far more than there are resources and caches; lists of them are short. */
#define SCHEMATA_MAX 256

static int add_line(struct plan_rdt *rdt, const char *line, struct err *e)
{
	return strv_add(&rdt->schemata, line) < 0 ? err_nomem(e) : 0;
}

/* It may have several lines; those that memBwSchema says are not taken. */
static int add_cache_lines(struct plan_rdt *rdt, const char *schema,
			   bool no_bandwidth, struct err *e)
{
	autostrv char **lines = NULL;
	int r;

	if (!schema)
		return 0;
	if (plan_count(schema, '\n') >= SCHEMATA_MAX)
		return err_set(e, -EINVAL, "l3CacheSchema: more than %d lines",
			       SCHEMATA_MAX);
	if (strv_split(schema, '\n', &lines) < 0)
		return err_nomem(e);
	STRV_FOREACH(line, lines) {
		if (**line == '\0' ||
		    (no_bandwidth && str_starts(*line, "MB:")))
			continue;
		r = add_line(rdt, *line, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_bandwidth(struct plan_rdt *rdt, const char *schema,
			 struct err *e)
{
	if (!schema || *schema == '\0')
		return 0;
	if (!str_starts(schema, "MB:") || strchr(schema, '\n'))
		return err_set(
			e, -EINVAL,
			"memBwSchema: not one line that begins with 'MB:'");
	return add_line(rdt, schema, e);
}

/* Last: the specification lets them override the two others. */
static int add_schemata(struct plan_rdt *rdt, char *const *schemata,
			struct err *e)
{
	size_t n = 0;
	int r;

	STRV_FOREACH(line, schemata) {
		if (strchr(*line, '\n') || !strchr(*line, ':'))
			return err_set(
				e, -EINVAL,
				"schemata: [%zu]: not one line like 'L3:0=ff'",
				n);
		n++;
		r = add_line(rdt, *line, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int plan_add_rdt(struct plan_draft *d, struct err *e)
{
	const struct spec_rdt *s = d->os->intel_rdt;
	struct plan_rdt *rdt;
	int r;

	if (!s)
		return 0;
	d->plan->rdt = rdt = calloc(1, sizeof(*rdt));
	if (!rdt)
		return err_nomem(e);
	if (strv_len(s->schemata) > SCHEMATA_MAX)
		return err_set(e, -EINVAL, "schemata: more than %d lines",
			       SCHEMATA_MAX);
	rdt->monitoring =
		s->enable_monitoring || s->enable_cmt || s->enable_mbm;
	r = s->clos_id ? check_class(s->clos_id, e) : 0;
	if (r == 0)
		r = plan_copy(s->clos_id, &rdt->clos_id, e);
	if (r == 0)
		r = add_cache_lines(rdt, s->l3_cache_schema,
				    s->mem_bw_schema && *s->mem_bw_schema, e);
	if (r == 0)
		r = add_bandwidth(rdt, s->mem_bw_schema, e);
	return r < 0 ? r : add_schemata(rdt, s->schemata, e);
}

/* --- what the program inherits ---------------------------------------------*/

int plan_add_memory_policy(struct plan_draft *d, struct err *e)
{
	const struct ns_memory_policy *s = d->os->memory_policy;
	int r;

	if (!s)
		return 0;
	r = ns_memory_policy_check(s, e);
	if (r < 0)
		return r;
	d->plan->memory_policy = json_copy_new(&ns_memory_policy_table, s);
	return d->plan->memory_policy ? 0 : err_nomem(e);
}

int plan_add_personality(struct plan_draft *d, struct err *e)
{
	const struct ns_personality *s = d->os->personality;
	int r;

	if (!s)
		return 0;
	r = ns_personality_check(s, e);
	if (r < 0)
		return r;
	d->plan->personality = json_copy_new(&ns_personality_table, s);
	return d->plan->personality ? 0 : err_nomem(e);
}

int plan_add_seccomp(struct plan_draft *d, struct err *e)
{
	struct ns_seccomp *s;
	int r;

	if (!d->os->seccomp)
		return 0;
	s = d->plan->seccomp = json_copy_new(&ns_seccomp_table, d->os->seccomp);
	if (!s)
		return err_nomem(e);
	s->strict = d->seccomp_strict;
	if (!s->listener_path && d->seccomp_receiver) {
		r = plan_copy(d->seccomp_receiver, &s->listener_path, e);
		if (r < 0)
			return r;
	}
	return ns_seccomp_check(s, e);
}

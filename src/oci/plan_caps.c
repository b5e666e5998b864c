/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

/*
 * Capabilities by name -> sets of bits. The specification: what cannot be
 * mapped or granted is logged as a warning, and the container is made without
 * it (crun refuses; but then yesterday's runtime fails on tomorrow's name).
 */

/* Five sets mostly lack the same names: each is told once, up to so many. */
#define TOLD_MAX 16

struct told {
	const char *names[TOLD_MAX];
	size_t n;
};

static void warn_unknown(struct told *told, const char *name)
{
	for (size_t i = 0; i < told->n; i++)
		if (str_eq(told->names[i], name))
			return;
	if (told->n == TOLD_MAX)
		return;
	told->names[told->n++] = name;
	log_warning("process: capabilities: unknown '%.64s' is left out", name);
}

static uint64_t parse_set(char *const *names, struct told *told)
{
	uint64_t set = 0;
	unsigned int cap;

	STRV_FOREACH(name, names) {
		if (ns_cap_parse(*name, &cap) < 0)
			warn_unknown(told, *name);
		else
			set |= (uint64_t)1 << cap;
	}
	return set;
}

int plan_caps(const struct spec_capabilities *s, struct ns_caps *ret,
	      struct err *e)
{
	struct told told = { 0 };

	/* Absent: none at all, as with runc. */
	*ret = (struct ns_caps){ .set = true };
	if (!s)
		return 0;
	ret->bounding = parse_set(s->bounding, &told);
	ret->effective = parse_set(s->effective, &told);
	ret->inheritable = parse_set(s->inheritable, &told);
	ret->permitted = parse_set(s->permitted, &told);
	ret->ambient = parse_set(s->ambient, &told);
	plan_caps_fit(ret);
	return 0;
}

static uint64_t fit(uint64_t set, uint64_t within, const char *name,
		    const char *why)
{
	if (set & ~within)
		log_warning(
			"process: capabilities: %s: %d left out that are not %s",
			name, __builtin_popcountll(set & ~within), why);
	return set & within;
}

void plan_caps_fit(struct ns_caps *c)
{
	c->effective =
		fit(c->effective, c->permitted, "effective", "permitted");
	/* capset(2): nothing new beyond the bounding set. */
	c->inheritable = fit(c->inheritable, c->bounding, "inheritable",
			     "in the bounding set");
	/* No warning: the default configurations of runc and crun have some
	 * that are not inheritable, and mean nothing by it. */
	c->ambient &= c->permitted & c->inheritable;
}

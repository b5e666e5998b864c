/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static bool is_set(const struct cg_limits *l, const struct cg_limit *row)
{
	const char *p = (const char *)l + row->offset;

	/* All struct opt_* start with their flag. */
	if (row->format == CG_FORMAT_TEXT)
		return *(char *const *)(const void *)p != NULL;
	return *(const bool *)p;
}

int cg_number(const char *member, int64_t v, const char *none,
	      char ret[CG_NUMBER_MAX], struct err *e)
{
	if (v < -1)
		return err_set(e, -ERANGE,
			       "%s: %" PRId64
			       " is negative (-1 alone means no limit)",
			       member, v);
	if (v == -1)
		(void)snprintf(ret, CG_NUMBER_MAX, "%s", none);
	else
		(void)snprintf(ret, CG_NUMBER_MAX, "%" PRId64, v);
	return 0;
}

static int in_range(const struct cg_limit *row, uint64_t v,
		    char ret[CG_NUMBER_MAX], struct err *e)
{
	if (v < row->min || v > row->max)
		return err_set(e, -ERANGE,
			       "%s: %" PRIu64 " is not within %" PRIu64
			       "..%" PRIu64,
			       row->member, v, row->min, row->max);
	(void)snprintf(ret, CG_NUMBER_MAX, "%" PRIu64, v);
	return 0;
}

/* *ret_text: where the text is, in buf or in the struct. */
static int format(const struct cg_limits *l, const struct cg_limit *row,
		  char buf[CG_NUMBER_MAX], const char **ret_text, struct err *e)
{
	const void *p = (const char *)l + row->offset;
	int64_t v;

	*ret_text = buf;
	switch (row->format) {
	case CG_FORMAT_U32:
		return in_range(row, ((const struct opt_u32 *)p)->v, buf, e);
	case CG_FORMAT_U64:
		return in_range(row, ((const struct opt_u64 *)p)->v, buf, e);
	case CG_FORMAT_I64:
		v = ((const struct opt_i64 *)p)->v;
		if (v < 0)
			return err_set(e, -ERANGE,
				       "%s: %" PRId64 " is negative",
				       row->member, v);
		return in_range(row, (uint64_t)v, buf, e);
	case CG_FORMAT_MAX:
		v = ((const struct opt_i64 *)p)->v;
		return cg_number(row->member, v, "max", buf, e);
	case CG_FORMAT_V1:
		v = ((const struct opt_i64 *)p)->v;
		return cg_number(row->member, v, "-1", buf, e);
	case CG_FORMAT_BOOL:
		(void)snprintf(buf, CG_NUMBER_MAX, "%d",
			       ((const struct opt_bool *)p)->v);
		return 0;
	case CG_FORMAT_TEXT:
		*ret_text = *(char *const *)p;
		return 0;
	}
	return err_set(e, -EINVAL, "%s: unknown format", row->member);
}

static int not_here(const struct cg_limit_tables *t, const char *member,
		    enum cg_ctl ctl, struct err *e)
{
	return err_set(e, -EOPNOTSUPP, "%s %s '%s'", member, t->lacks,
		       cg_ctl_name(ctl));
}

static int add_row(const struct cg_limit_tables *t, const struct cg_limit *row,
		   const struct cg_limits *l, int dirfd, struct cg_set *set,
		   struct err *e)
{
	char buf[CG_NUMBER_MAX];
	const char *text;
	struct cg_setting *s;
	int r;

	if (!is_set(l, row))
		return 0;
	if (!row->file)
		return not_here(t, row->member, row->ctl, e);
	r = format(l, row, buf, &text, e);
	if (r < 0)
		return r;
	s = cg_set_add(set, dirfd, row->ctl, row->file, "%s", text);
	if (!s)
		return err_nomem(e);
	s->check = row->check;
	return 0;
}

int cg_limits_add(const struct cg_limit_tables *t, enum cg_ctl ctl,
		  const struct cg_limits *l, int dirfd, struct cg_set *set,
		  struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < t->n_groups && r == 0; i++) {
		const struct cg_limit_group *g = &t->groups[i];

		if (g->ctl != ctl || !g->asked(l))
			continue;
		if (!g->add)
			return not_here(t, g->member, ctl, e);
		r = g->add(l, dirfd, set, e);
	}
	for (size_t i = 0; i < t->n_limits && r == 0; i++) {
		if (t->limits[i].ctl == ctl)
			r = add_row(t, &t->limits[i], l, dirfd, set, e);
	}
	return r;
}

/* Files by which we steer the group ourselves; and a path is no file. */
static const char *const not_unified[] = {
	"cgroup.procs", "cgroup.threads", "cgroup.type",
	"cgroup.kill",	"cgroup.freeze",  "cgroup.subtree_control",
};

/* Files with one line per device or resource. */
static const struct {
	const char *file, *reset;
} keyed_files[] = {
	{ "io.max", "rbps=max wbps=max riops=max wiops=max" },
	{ "io.weight", "default" },
	{ "io.bfq.weight", "default" },
	{ "io.latency", "target=0" },
	{ "rdma.max", "hca_handle=max hca_object=max" },
	{ "misc.max", "max" },
	{ "dmem.max", "max" },
};

static int check_unified_name(const char *name, struct err *e)
{
	if (strchr(name, '/') || strlen(name) > 60)
		return err_set(e, -EINVAL, "unified: '%s' is no file name",
			       name);
	for (size_t i = 0; i < ARRAY_SIZE(not_unified); i++) {
		if (strcmp(name, not_unified[i]) == 0)
			return err_set(e, -EINVAL, "unified: '%s' is no limit",
				       name);
	}
	return 0;
}

/* What a member of its own would get. */
static void adopt(struct cg_setting *s)
{
	for (size_t i = 0; s && i < cg_limits_v2.n_limits; i++) {
		const struct cg_limit *row = &cg_limits_v2.limits[i];

		if (str_eq(s->file, row->file))
			s->check = row->check;
	}
	for (size_t i = 0; s && i < ARRAY_SIZE(keyed_files); i++) {
		if (strcmp(s->file, keyed_files[i].file) == 0 && s->value &&
		    strchr(s->value, ' '))
			cg_setting_keyed(s, keyed_files[i].reset);
	}
}

/* The kernel takes one line at a time: "io.max" has one for each device. */
static void add_lines(struct cg_set *set, int dirfd, enum cg_ctl ctl,
		      const char *name, const char *lines)
{
	do {
		size_t len = strcspn(lines, "\n");

		adopt(cg_set_add(set, dirfd, ctl, name, "%.*s", (int)len,
				 lines));
		lines += len;
		lines += strspn(lines, "\n");
	} while (*lines);
}

int cg_limits_add_unified(const struct cg_limits *l, uint32_t held_v1,
			  int dirfd, struct cg_set *set, struct err *e)
{
	for (size_t i = 0; i < l->unified.n; i++) {
		const char *name = l->unified.keys[i];
		enum cg_ctl ctl = cg_ctl_find(name, strcspn(name, "."));
		int r = check_unified_name(name, e);

		if (r < 0)
			return r;
		if (ctl == CG_CTL_N_)
			return err_set(e, -EOPNOTSUPP,
				       "unified: '%s' belongs to no controller",
				       name);
		if (held_v1 & CG_BIT(ctl))
			return err_set(
				e, -EOPNOTSUPP,
				"unified: '%s': this host holds controller '%s' with cgroup v1",
				name, cg_ctl_name(ctl));
		add_lines(set, dirfd, ctl, name, l->unified.values[i]);
	}
	return 0;
}

static uint32_t unified_controllers(const struct json_map *map)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < map->n; i++) {
		enum cg_ctl ctl =
			cg_ctl_find(map->keys[i], strcspn(map->keys[i], "."));

		/* An unknown one is refused when the settings are made. */
		mask |= CG_BIT(ctl == CG_CTL_N_ ? CG_CTL_CORE : ctl);
	}
	return mask;
}

uint32_t cg_limits_controllers(const struct cg_limits *l)
{
	const struct cg_limit_tables *t = &cg_limits_v2;
	uint32_t mask = unified_controllers(&l->unified);

	for (size_t i = 0; i < t->n_limits; i++) {
		if (is_set(l, &t->limits[i]))
			mask |= CG_BIT(t->limits[i].ctl);
	}
	for (size_t i = 0; i < t->n_groups; i++) {
		if (t->groups[i].asked(l))
			mask |= CG_BIT(t->groups[i].ctl);
	}
	return mask;
}

bool cg_limits_any(const struct cg_limits *l)
{
	return cg_limits_controllers(l) || l->devices.n > 0;
}

uint64_t cg_shares_to_weight(uint64_t shares)
{
	/* As sched_weight_to_cgroup() of the kernel does it, rounded. */
	if (shares >= 10000U * 1024U / 100U)
		return 10000;
	return MAX_OF((shares * 100 + 512) / 1024, UINT64_C(1));
}

uint64_t cg_blkio_to_io_weight(uint64_t weight)
{
	/* Both scales are linear; their ends are mapped onto each other. */
	if (weight <= 10)
		return 1;
	if (weight >= 1000)
		return 10000;
	return 1 + (weight - 10) * 9999 / 990;
}

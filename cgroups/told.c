/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/priv.h"

/*
 * What systemd is told of limits, in its own words. It keeps more in one
 * property than the kernel in one file, or the other way round: a quota alone
 * means something else with every period, and "unified" names files. What is
 * in force stands in the files, once they are written.
 */
enum kind {
	KIND_I64, /* "max" is -1 */
	KIND_U64,
	KIND_U32, /* of "default 100\n8:0 50" the first */
	KIND_TEXT,
};

/* clang-format off */
static const struct row {
	const char *file;
	size_t offset;
	enum kind kind;
} rows[] = {
	{ "cpu.weight",       offsetof(struct cg_limits, cpu_weight),       KIND_U64 },
	{ "cpu.idle",         offsetof(struct cg_limits, cpu_idle),         KIND_I64 },
	{ "cpuset.cpus",      offsetof(struct cg_limits, cpuset_cpus),      KIND_TEXT },
	{ "cpuset.mems",      offsetof(struct cg_limits, cpuset_mems),      KIND_TEXT },
	{ "memory.min",       offsetof(struct cg_limits, memory_min),       KIND_I64 },
	{ "memory.low",       offsetof(struct cg_limits, memory_low),       KIND_I64 },
	{ "memory.high",      offsetof(struct cg_limits, memory_high),      KIND_I64 },
	{ "memory.max",       offsetof(struct cg_limits, memory_max),       KIND_I64 },
	{ "memory.swap.max",  offsetof(struct cg_limits, memory_swap_max),  KIND_I64 },
	{ "memory.zswap.max", offsetof(struct cg_limits, memory_zswap_max), KIND_I64 },
	{ "io.weight",        offsetof(struct cg_limits, io_weight),        KIND_U32 },
	{ "pids.max",         offsetof(struct cg_limits, pids_max),         KIND_I64 },
};
/* clang-format on */

static int read_number(int dirfd, const char *file, int64_t *ret, struct err *e)
{
	char text[4096];
	const char *word = text;
	ssize_t n = fd_read_small_at(dirfd, file, text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)n, "read '%s': %s", file,
			       strerrordesc_np((int)-n));
	if (str_starts(word, "default "))
		word += strlen("default ");
	text[strcspn(text, "\n")] = '\0';
	*ret = -1;
	if (!str_eq(word, "max") && str_to_i64(word, ret) < 0)
		return err_set(e, -EPROTO, "'%s' says '%s'", file, text);
	return 0;
}

static int take(const struct row *row, int dirfd, char *text,
		struct cg_limits *l, struct err *e)
{
	void *p = (char *)l + row->offset;
	int64_t v = 0;
	int r = 0;

	if (row->kind != KIND_TEXT)
		r = read_number(dirfd, row->file, &v, e);
	if (r < 0)
		return r;
	switch (row->kind) {
	case KIND_I64:
		*(struct opt_i64 *)p = (struct opt_i64){ true, v };
		break;
	case KIND_U64:
		*(struct opt_u64 *)p = (struct opt_u64){ true, (uint64_t)v };
		break;
	case KIND_U32:
		*(struct opt_u32 *)p = (struct opt_u32){ true, (uint32_t)v };
		break;
	case KIND_TEXT:
		*(char **)p = text;
		break;
	}
	return 0;
}

static int take_unified(int dirfd, const struct json_map *map,
			struct cg_limits *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < map->n * ARRAY_SIZE(rows) && r == 0; i++) {
		const struct row *row = &rows[i % ARRAY_SIZE(rows)];
		size_t at = i / ARRAY_SIZE(rows);

		if (str_eq(map->keys[at], row->file))
			r = take(row, dirfd, map->values[at], l, e);
	}
	return r;
}

static bool names(const struct json_map *map, const char *file)
{
	for (size_t i = 0; i < map->n; i++) {
		if (str_eq(map->keys[i], file))
			return true;
	}
	return false;
}

/* "15000 100000", "max 100000" */
static int take_bandwidth(int dirfd, struct cg_limits *l, struct err *e)
{
	char text[64], *period;
	ssize_t n = fd_read_small_at(dirfd, "cpu.max", text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)n, "read 'cpu.max': %s",
			       strerrordesc_np((int)-n));
	period = strchr(text, ' ');
	if (!period || str_to_u64(period + 1, &l->cpu_period_us.v) < 0)
		return err_set(e, -EPROTO, "'cpu.max' says '%s'", text);
	*period = '\0';
	l->cpu_quota_us.v = -1;
	if (!str_eq(text, "max") && str_to_i64(text, &l->cpu_quota_us.v) < 0)
		return err_set(e, -EPROTO, "'cpu.max' says '%s'", text);
	l->cpu_quota_us.set = l->cpu_period_us.set = true;
	return 0;
}

/* Of memory and swap together; systemd counts swap alone, as v2 does. */
static int take_swap(int dirfd, struct cg_limits *l, struct err *e)
{
	int r;

	if (!l->memory_swap_total.set)
		return 0;
	r = read_number(dirfd, "memory.swap.max", &l->memory_swap_max.v, e);
	if (r == -ENOENT) /* the kernel does not count swap */
		return 0;
	l->memory_swap_max.set = r == 0;
	l->memory_swap_total.set = false;
	return r;
}

/* systemd has one property for both: no weight at all is idle. */
static int take_weight(int dirfd, struct cg_limits *l, struct err *e)
{
	int64_t v = 0;
	int r;

	if (!l->cpu_idle.set || l->cpu_weight.set || l->cpu_shares.set)
		return 0;
	r = read_number(dirfd, "cpu.weight", &v, e);
	if (r == 0)
		l->cpu_weight = (struct opt_u64){ true, (uint64_t)v };
	return r;
}

int cg_told(const struct cg *cg, uint32_t held_v1, const struct cg_limits *l,
	    struct cg_limits *ret, struct err *e)
{
	bool bandwidth = l->cpu_quota_us.set || l->cpu_period_us.set ||
			 names(&l->unified, "cpu.max");
	bool v1_cpu = held_v1 & CG_BIT(CG_CTL_CPU);
	int r = 0;

	*ret = *l;
	if (bandwidth && v1_cpu)
		r = cg_v1_bandwidth(cg_v1_fd(&cg->v1, CG_CTL_CPU), ret, e);
	else if (bandwidth)
		r = take_bandwidth(cg->fd, ret, e);
	if (r == 0 && !v1_cpu)
		r = take_weight(cg->fd, ret, e);
	if (r == 0 && !(held_v1 & CG_BIT(CG_CTL_MEMORY)))
		r = take_swap(cg->fd, ret, e);
	return r < 0 ? r : take_unified(cg->fd, &l->unified, ret, e);
}

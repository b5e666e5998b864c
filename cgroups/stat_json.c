/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include <string.h>

#include "base/str.h"

/*
 * runc's form, v1 in manner: nanoseconds, swap with memory in it, operations
 * by name. Members that runc marks "omitempty" are left out when zero.
 */

static void num(struct json_out *o, const char *key, uint64_t v)
{
	json_out_key(o, key);
	json_out_u64(o, v);
}

static void num_if(struct json_out *o, const char *key, uint64_t v)
{
	if (v)
		num(o, key, v);
}

static void open_in(struct json_out *o, const char *key)
{
	json_out_key(o, key);
	json_out_begin(o, '{');
}

static void close_in(struct json_out *o)
{
	json_out_end(o, '}');
}

static void line_out(struct json_out *o, const char *key,
		     const struct cg_pressure_line *l)
{
	open_in(o, key);
	json_out_key(o, "avg10");
	json_out_f64(o, l->avg10);
	json_out_key(o, "avg60");
	json_out_f64(o, l->avg60);
	json_out_key(o, "avg300");
	json_out_f64(o, l->avg300);
	num(o, "total", l->total_us);
	close_in(o);
}

static void pressure_out(struct json_out *o, const struct cg_pressure *p)
{
	if (!p->set)
		return;
	open_in(o, "psi");
	line_out(o, "some", &p->some);
	line_out(o, "full", &p->full);
	close_in(o);
}

static void each_cpu_out(struct json_out *o, const char *key,
			 const struct cg_cpu_stat *cpus)
{
	if (cpus->n == 0)
		return;
	json_out_key(o, key);
	json_out_begin(o, '[');
	for (size_t i = 0; i < cpus->n; i++)
		json_out_u64(o, cpus->v[i]);
	json_out_end(o, ']');
}

static void cpu_out(struct json_out *o, const struct cg_stat *s)
{
	open_in(o, "cpu");
	open_in(o, "usage");
	num_if(o, "total", s->cpu_usage_us.v * 1000);
	each_cpu_out(o, "percpu", &s->cpu_all_ns);
	each_cpu_out(o, "percpu_kernel", &s->cpu_all_system_ns);
	each_cpu_out(o, "percpu_user", &s->cpu_all_user_ns);
	num(o, "kernel", s->cpu_system_us.v * 1000);
	num(o, "user", s->cpu_user_us.v * 1000);
	close_in(o);
	open_in(o, "throttling");
	num_if(o, "periods", s->cpu_periods.v);
	num_if(o, "throttledPeriods", s->cpu_throttled.v);
	num_if(o, "throttledTime", s->cpu_throttled_us.v * 1000);
	close_in(o);
	pressure_out(o, &s->cpu_pressure);
	close_in(o);
}

static int range_out(void *arg, uint64_t first, uint64_t last)
{
	for (uint64_t i = first; i <= last; i++)
		json_out_u64(arg, i);
	return 0;
}

static void list_out(struct json_out *o, const char *key, const char *list)
{
	if (!list || !*list)
		return;
	json_out_key(o, key);
	json_out_begin(o, '[');
	if (str_each_range(list, UINT16_MAX, range_out, o) < 0)
		json_out_null(o);
	json_out_end(o, ']');
}

/* v1's flags, which v2 does not have. */
static const char *const cpuset_flags[] = {
	"cpu_exclusive",   "mem_hardwall",	 "mem_exclusive",
	"memory_migrate",  "memory_spread_page", "memory_spread_slab",
	"memory_pressure", "sched_load_balance", "sched_relax_domain_level",
};

static void cpuset_out(struct json_out *o, const struct cg_stat *s)
{
	open_in(o, "cpuset");
	list_out(o, "cpus", s->cpuset_cpus);
	list_out(o, "mems", s->cpuset_mems);
	for (size_t i = 0; i < ARRAY_SIZE(cpuset_flags); i++)
		num(o, cpuset_flags[i], 0);
	close_in(o);
}

struct entry {
	uint64_t limit, usage, max, failures;
};

static void entry_out(struct json_out *o, const char *key, struct entry v)
{
	open_in(o, key);
	num(o, "limit", v.limit);
	num_if(o, "usage", v.usage);
	num_if(o, "max", v.max);
	num(o, "failcnt", v.failures);
	close_in(o);
}

/* No limit is the largest number, whatever is added. */
static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? CG_NO_LIMIT : sum;
}

static void events_out(struct json_out *o, const struct cg_stat *s)
{
	open_in(o, "event_count");
	num_if(o, "low", s->memory_low_events.v);
	num_if(o, "high", s->memory_high_events.v);
	num_if(o, "max", s->memory_max_events.v);
	num_if(o, "oom", s->memory_oom_events.v);
	num_if(o, "oom_kill", s->memory_oom_kills.v);
	num_if(o, "oom_group_kill", s->memory_oom_group_kills.v);
	close_in(o);
}

static void memory_out(struct json_out *o, const struct cg_stat *s)
{
	struct entry usage = {
		.limit = s->memory_max.v,
		.usage = s->memory_current.v,
		.max = s->memory_peak.v,
		.failures = s->memory_max_events.v,
	};
	struct entry kernel = {
		.limit = s->memory_kernel_max.v,
		.usage = s->memory_kernel.v,
		.max = s->memory_kernel_peak.v,
	};
	struct entry tcp = {
		.limit = s->memory_kernel_tcp_max.v,
		.usage = s->memory_kernel_tcp.v,
	};
	struct entry swap = { 0 };

	if (s->swap_current.set) {
		swap.limit = add(s->swap_max.v, s->memory_max.v);
		swap.usage = add(s->swap_current.v, s->memory_current.v);
		swap.max = s->swap_peak.set
				   ? add(s->swap_peak.v, s->memory_peak.v)
				   : 0;
	}
	open_in(o, "memory");
	num_if(o, "cache", s->memory_file.v);
	entry_out(o, "usage", usage);
	entry_out(o, "swap", swap);
	entry_out(o, "kernel", kernel);
	entry_out(o, "kernelTCP", tcp);
	if (s->memory_raw.n > 0) {
		open_in(o, "raw");
		for (size_t i = 0; i < s->memory_raw.n; i++)
			num(o, s->memory_raw.v[i].name,
			    s->memory_raw.v[i].value);
		close_in(o);
	}
	pressure_out(o, &s->memory_pressure);
	events_out(o, s);
	close_in(o);
}

static void pids_out(struct json_out *o, const struct cg_stat *s)
{
	open_in(o, "pids");
	num_if(o, "current", s->pids_current.v);
	/* runc has 0 where there is no limit. */
	num_if(o, "limit", s->pids_max.v == CG_NO_LIMIT ? 0 : s->pids_max.v);
	close_in(o);
}

/* clang-format off */
static const struct {
	const char *op;
	size_t bytes, count;
} io_ops[] = {
	{ "Read",    offsetof(struct cg_io_stat, read_bytes),    offsetof(struct cg_io_stat, reads) },
	{ "Write",   offsetof(struct cg_io_stat, write_bytes),   offsetof(struct cg_io_stat, writes) },
	{ "Discard", offsetof(struct cg_io_stat, discard_bytes), offsetof(struct cg_io_stat, discards) },
};
/* clang-format on */

static void io_entry(struct json_out *o, const struct cg_io_stat *io,
		     const char *op, uint64_t value)
{
	json_out_begin(o, '{');
	num_if(o, "major", io->major);
	num_if(o, "minor", io->minor);
	json_out_key(o, "op");
	json_out_str(o, op);
	num_if(o, "value", value);
	close_in(o);
}

static void io_list(struct json_out *o, const char *key,
		    const struct cg_stat *s, bool bytes)
{
	json_out_key(o, key);
	json_out_begin(o, '[');
	for (size_t i = 0; i < s->io.n * ARRAY_SIZE(io_ops); i++) {
		const struct cg_io_stat *io = &s->io.v[i / ARRAY_SIZE(io_ops)];
		size_t op = i % ARRAY_SIZE(io_ops);
		const void *p = (const char *)io +
				(bytes ? io_ops[op].bytes : io_ops[op].count);

		io_entry(o, io, io_ops[op].op, *(const uint64_t *)p);
	}
	json_out_end(o, ']');
}

static void io_out(struct json_out *o, const struct cg_stat *s)
{
	open_in(o, "blkio");
	if (s->io.n > 0) {
		io_list(o, "ioServiceBytesRecursive", s, true);
		io_list(o, "ioServicedRecursive", s, false);
	}
	pressure_out(o, &s->io_pressure);
	close_in(o);
}

static void hugetlb_out(struct json_out *o, const struct cg_stat *s)
{
	open_in(o, "hugetlb");
	for (size_t i = 0; i < s->hugetlb.n; i++) {
		const struct cg_hugetlb_stat *h = &s->hugetlb.v[i];

		open_in(o, h->page_size);
		num_if(o, "usage", h->current);
		num_if(o, "max", h->peak);
		num(o, "failcnt", h->failures);
		close_in(o);
	}
	close_in(o);
}

void cg_stat_write(const struct cg_stat *s, struct json_out *o)
{
	cpu_out(o, s);
	cpuset_out(o, s);
	memory_out(o, s);
	pids_out(o, s);
	io_out(o, s);
	hugetlb_out(o, s);
}

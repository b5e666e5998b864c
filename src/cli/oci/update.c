/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/oci/plan.h"
#include "src/oci/spec.h"

struct update_opts {
	const char *resources;
	struct opt_u64 cpu_period;
	struct opt_i64 cpu_quota;
	struct opt_u64 cpu_burst;
	struct opt_i64 cpu_idle;
	struct opt_u64 cpu_share;
	struct opt_u64 cpu_rt_period;
	struct opt_i64 cpu_rt_runtime;
	const char *cpuset_cpus;
	const char *cpuset_mems;
	struct opt_i64 memory;
	struct opt_i64 memory_reservation;
	struct opt_i64 memory_swap;
	struct opt_i64 kernel_memory;
	struct opt_i64 kernel_memory_tcp;
	struct opt_i64 pids_limit;
	struct opt_u64 blkio_weight;
	const char *l3_cache_schema;
	const char *mem_bw_schema;
};

/* clang-format off */
static const struct cmd_opt options[] = {
	OPT_STR('r', "resources", "FILE", struct update_opts, resources,
		"limits as linux.resources of config.json; - is stdin"),
	OPT_U64(0, "cpu-period", "US", struct update_opts, cpu_period, "period of the CPU quota, in microseconds"),
	OPT_I64(0, "cpu-quota", "US", struct update_opts, cpu_quota, "CPU time in a period; -1: no limit"),
	OPT_U64(0, "cpu-burst", "US", struct update_opts, cpu_burst, "unused quota that may be saved up"),
	OPT_I64(0, "cpu-idle", "N", struct update_opts, cpu_idle, "1: only when nobody else wants the CPU"),
	OPT_U64(0, "cpu-share", "N", struct update_opts, cpu_share, "share among neighbours (1024 is usual)"),
	OPT_U64(0, "cpu-rt-period", "US", struct update_opts, cpu_rt_period, "period of the realtime budget (v1)"),
	OPT_I64(0, "cpu-rt-runtime", "US", struct update_opts, cpu_rt_runtime, "realtime budget in a period (v1)"),
	OPT_STR(0, "cpuset-cpus", "LIST", struct update_opts, cpuset_cpus, "CPUs it may use, as 0-3,7"),
	OPT_STR(0, "cpuset-mems", "LIST", struct update_opts, cpuset_mems, "memory nodes it may use"),
	OPT_BYTES(0, "memory", "SIZE", struct update_opts, memory, "memory limit; -1: none"),
	OPT_BYTES(0, "memory-reservation", "SIZE", struct update_opts, memory_reservation, "memory that is protected from reclaim"),
	OPT_BYTES(0, "memory-swap", "SIZE", struct update_opts, memory_swap, "memory and swap together; -1: no limit"),
	OPT_BYTES(0, "kernel-memory", "SIZE", struct update_opts, kernel_memory, "kernel memory (v1, old kernels)"),
	OPT_BYTES(0, "kernel-memory-tcp", "SIZE", struct update_opts, kernel_memory_tcp, "memory of TCP buffers (v1)"),
	OPT_I64(0, "pids-limit", "N", struct update_opts, pids_limit, "number of processes; -1: no limit"),
	OPT_U64(0, "blkio-weight", "N", struct update_opts, blkio_weight, "share of I/O among neighbours, 10 to 1000"),
	OPT_STR(0, "l3-cache-schema", "LINE", struct update_opts, l3_cache_schema, "share of the L3 cache, as L3:0=ff;1=ff"),
	OPT_STR(0, "mem-bw-schema", "LINE", struct update_opts, mem_bw_schema, "share of memory bandwidth, as MB:0=50;1=50"),
};
/* clang-format on */

static int set_text(char **at, const char *text, struct err *e)
{
	if (!text)
		return 0;
	*at = strdup(text);
	return *at ? 0 : err_nomem(e);
}

static int from_options(const struct update_opts *o, struct cg_limits *l,
			struct err *e)
{
	l->cpu_period_us = o->cpu_period;
	l->cpu_quota_us = o->cpu_quota;
	l->cpu_burst_us = o->cpu_burst;
	l->cpu_idle = o->cpu_idle;
	l->cpu_shares = o->cpu_share;
	l->cpu_rt_period_us = o->cpu_rt_period;
	l->cpu_rt_runtime_us = o->cpu_rt_runtime;
	l->memory_max = o->memory;
	l->memory_low = o->memory_reservation;
	l->memory_swap_total = o->memory_swap;
	plan_unbind_swap(l);
	l->memory_kernel = o->kernel_memory;
	l->memory_kernel_tcp = o->kernel_memory_tcp;
	l->pids_max = o->pids_limit;
	if (o->memory.set && o->memory.v == 0)
		return err_set(
			e, -EINVAL,
			"--memory: with 0 nothing could live; -1 takes the limit away");
	if (o->blkio_weight.v > UINT32_MAX)
		return err_set(e, -ERANGE, "--blkio-weight: 10 to 1000");
	l->io_blkio_weight = (struct opt_u32){
		.set = o->blkio_weight.set,
		.v = (uint32_t)o->blkio_weight.v,
	};
	if (set_text(&l->cpuset_cpus, o->cpuset_cpus, e) < 0)
		return -ENOMEM;
	return set_text(&l->cpuset_mems, o->cpuset_mems, e);
}

static int from_file(const char *path, struct cg_limits *l, struct err *e)
{
	_cleanup_(spec_resources_done) struct spec_resources res = { 0 };
	int r;

	r = spec_resources_read(AT_FDCWD, path, &res, e);
	if (r < 0)
		return r;
	r = plan_make_limits(&res, l, e);
	return r < 0 ? err_wrap(e, r, "%s", path) : 0;
}

static int update_rdt(const struct rt_context *ctx, const char *id,
		      const struct update_opts *o, struct err *e)
{
	autostrv char **lines = NULL;

	if (!o->l3_cache_schema && !o->mem_bw_schema)
		return 0;
	if ((o->l3_cache_schema && strv_add(&lines, o->l3_cache_schema) < 0) ||
	    (o->mem_bw_schema && strv_add(&lines, o->mem_bw_schema) < 0))
		return err_nomem(e);
	return rt_update_rdt(ctx, id, lines, e);
}

static int update_run(const struct cmd_call *call, struct err *e)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	const struct update_opts *o = call->opts;
	struct rt_context ctx = oci_context(call);
	int r;

	r = from_options(o, &l, e);
	if (r == 0 && o->resources && cg_limits_any(&l))
		return err_set(
			e, -EINVAL,
			"--resources and single limits exclude each other");
	if (r == 0 && o->resources)
		r = from_file(o->resources, &l, e);
	if (r < 0)
		return r;
	if (cg_limits_any(&l))
		r = rt_update(&ctx, call->args[0], &l, e);
	else if (!o->l3_cache_schema && !o->mem_bw_schema)
		return err_set(e, -EINVAL, "no limit was given");
	return r < 0 ? r : update_rdt(&ctx, call->args[0], o, e);
}

const struct cmd oci_cmd_update = {
	.name = "update",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "change the limits of a running container",
	CMD_OPTS(struct update_opts, options),
	.run = update_run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

/*
 * linux.resources -> struct cg_limits. The OCI's 0 means "as it is" for most
 * limits (callers written in Go cannot leave it out), cg's 0 means 0: what is
 * not asked for is not handed on. Scales stay the OCI's; cgroups knows both.
 */

/* --- memory ----------------------------------------------------------------*/

static int set_bytes(const char *what, const struct opt_i64 *s,
		     struct opt_i64 *to, struct err *e)
{
	if (!s->set || s->v == 0)
		return 0;
	if (s->v < -1)
		return err_set(e, -EINVAL, "%s: %lld is neither a size nor -1",
			       what, (long long)s->v);
	*to = *s;
	return 0;
}

static int check_swap(const struct cg_limits *l, struct err *e)
{
	const struct opt_i64 *max = &l->memory_max;
	const struct opt_i64 *total = &l->memory_swap_total;

	if (!total->set || total->v == -1 || !max->set || total->v >= max->v)
		return 0;
	return err_set(
		e, -EINVAL,
		"swap: %lld is memory and swap together, and less than limit %lld",
		(long long)total->v, (long long)max->v);
}

static int check_reservation(const struct cg_limits *l, struct err *e)
{
	const struct opt_i64 *max = &l->memory_max, *low = &l->memory_low;

	if (!low->set || !max->set || max->v == -1)
		return 0;
	if (low->v > max->v)
		return err_set(e, -EINVAL,
			       "reservation: %lld is more than limit %lld",
			       (long long)low->v, (long long)max->v);
	return 0;
}

static int set_memory_flags(const struct spec_memory *s, struct cg_limits *l,
			    struct err *e)
{
	if (s->swappiness.set && s->swappiness.v > 100)
		return err_set(e, -EINVAL, "swappiness: %llu is not in 0..100",
			       (unsigned long long)s->swappiness.v);
	l->memory_swappiness = s->swappiness;
	/* False is what every kernel does on its own. */
	if (s->disable_oom_killer.v)
		l->memory_no_oom_kill = s->disable_oom_killer;
	l->memory_check_usage = s->check_before_update.v;
	/* Since Linux 5.11 there is nothing else, even on v1. */
	if (s->use_hierarchy.set && !s->use_hierarchy.v)
		return err_set(
			e, -EOPNOTSUPP,
			"useHierarchy: no kernel can do without any more");
	return 0;
}

void plan_unbind_swap(struct cg_limits *l)
{
	if (l->memory_max.set && l->memory_max.v == -1 &&
	    !l->memory_swap_total.set)
		l->memory_swap_total = l->memory_max;
}

static int set_memory(const struct spec_memory *s, struct cg_limits *l,
		      struct err *e)
{
	const struct {
		const char *what;
		const struct opt_i64 *from;
		struct opt_i64 *to;
	} sizes[] = {
		{ "limit", &s->limit, &l->memory_max },
		{ "reservation", &s->reservation, &l->memory_low },
		{ "swap", &s->swap, &l->memory_swap_total },
		{ "kernel", &s->kernel, &l->memory_kernel },
		{ "kernelTCP", &s->kernel_tcp, &l->memory_kernel_tcp },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		r = set_bytes(sizes[i].what, sizes[i].from, sizes[i].to, e);
		if (r < 0)
			return r;
	}
	plan_unbind_swap(l);
	r = set_memory_flags(s, l, e);
	if (r == 0)
		r = check_swap(l, e);
	if (r == 0)
		r = check_reservation(l, e);
	return r;
}

/* --- cpu -------------------------------------------------------------------*/

static int check_bandwidth(const struct cg_limits *l, struct err *e)
{
	if (l->cpu_quota_us.set && l->cpu_quota_us.v < -1)
		return err_set(e, -EINVAL,
			       "quota: %lld is neither a time nor -1",
			       (long long)l->cpu_quota_us.v);
	if (l->cpu_period_us.set &&
	    (l->cpu_period_us.v < 1000 || l->cpu_period_us.v > 1000000))
		return err_set(e, -EINVAL,
			       "period: %llu is not in 1000..1000000",
			       (unsigned long long)l->cpu_period_us.v);
	if (l->cpu_burst_us.set && l->cpu_quota_us.set &&
	    l->cpu_quota_us.v > 0 &&
	    l->cpu_burst_us.v > (uint64_t)l->cpu_quota_us.v)
		return err_set(e, -EINVAL,
			       "burst: %llu is more than quota %lld",
			       (unsigned long long)l->cpu_burst_us.v,
			       (long long)l->cpu_quota_us.v);
	return 0;
}

static int check_realtime(const struct cg_limits *l, struct err *e)
{
	const struct opt_i64 *runtime = &l->cpu_rt_runtime_us;
	const struct opt_u64 *period = &l->cpu_rt_period_us;

	if (runtime->set && period->set && runtime->v > 0 &&
	    (uint64_t)runtime->v > period->v)
		return err_set(
			e, -EINVAL,
			"realtimeRuntime: %lld is more than realtimePeriod %llu",
			(long long)runtime->v, (unsigned long long)period->v);
	return 0;
}

static int accept_range(void *arg, uint64_t first, uint64_t last)
{
	return 0;
}

#define CPU_NUMBER_MAX 65535 /* far beyond any kernel's NR_CPUS */

static int set_list(const char *what, const char *list, char **to,
		    struct err *e)
{
	if (!list || *list == '\0')
		return 0;
	if (str_each_range(list, CPU_NUMBER_MAX, accept_range, NULL) < 0)
		return err_set(e, -EINVAL,
			       "%s: '%.128s' is not a list like 0-3,7", what,
			       list);
	return plan_copy(list, to, e);
}

static int set_cpu(const struct spec_cpu *s, struct cg_limits *l, struct err *e)
{
	int r;

	if (s->idle.set && s->idle.v != 0 && s->idle.v != 1)
		return err_set(e, -EINVAL, "idle: %lld is not 0 or 1",
			       (long long)s->idle.v);
	l->cpu_idle = s->idle;
	l->cpu_burst_us = s->burst;
	if (s->shares.v > 0)
		l->cpu_shares = s->shares;
	if (s->quota.v != 0)
		l->cpu_quota_us = s->quota;
	if (s->period.v > 0)
		l->cpu_period_us = s->period;
	if (s->realtime_runtime.v != 0)
		l->cpu_rt_runtime_us = s->realtime_runtime;
	if (s->realtime_period.v > 0)
		l->cpu_rt_period_us = s->realtime_period;
	r = check_bandwidth(l, e);
	if (r == 0)
		r = check_realtime(l, e);
	if (r == 0)
		r = set_list("cpus", s->cpus, &l->cpuset_cpus, e);
	if (r == 0)
		r = set_list("mems", s->mems, &l->cpuset_mems, e);
	return r;
}

/* --- the smaller ones ------------------------------------------------------*/

/*
 * The specification knows one "no limit", -1. A limit of none at all would
 * keep the program itself out: like runc, 0 leaves it alone, without a second
 * task.
 */
static int set_pids(const struct spec_pids *s, struct cg_limits *l,
		    struct err *e)
{
	if (!s->limit.set)
		return 0;
	if (s->limit.v < -1)
		return err_set(
			e, -EINVAL,
			"limit: %lld is neither a number of tasks nor -1",
			(long long)s->limit.v);
	l->pids_max = s->limit;
	if (l->pids_max.v == 0)
		l->pids_max.v = 1;
	return 0;
}

/* "2MB", "1GB", as the kernel names its files. */
static bool is_page_size(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits > 0 && digits < 8 && strlen(s + digits) == 2 &&
	       strchr("KMG", s[digits]) && s[digits + 1] == 'B';
}

static int set_hugepages(const struct spec_resources *s, struct cg_limits *l,
			 struct err *e)
{
	size_t n = s->hugepage_limits.n;

	if (n == 0)
		return 0;
	l->hugetlb.v = calloc(n, sizeof(*l->hugetlb.v));
	if (!l->hugetlb.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		const struct spec_hugepage *h = &s->hugepage_limits.v[i];
		struct cg_hugetlb *to = &l->hugetlb.v[i];

		if (!is_page_size(h->page_size))
			return err_set(
				e, -EINVAL,
				"hugepageLimits: [%zu]: pageSize: '%.64s' is not a size like 2MB",
				i, h->page_size);
		l->hugetlb.n = i + 1;
		to->max = h->limit > INT64_MAX ? -1 : (int64_t)h->limit;
		to->page_size = strdup(h->page_size);
		if (!to->page_size)
			return err_nomem(e);
	}
	return 0;
}

static int set_network(const struct spec_network *s, struct cg_limits *l,
		       struct err *e)
{
	size_t n = s->priorities.n;

	if (s->class_id.v > 0)
		l->net_cls_classid = s->class_id;
	if (n == 0)
		return 0;
	l->net_prio.v = calloc(n, sizeof(*l->net_prio.v));
	if (!l->net_prio.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct cg_net_prio *to = &l->net_prio.v[i];

		l->net_prio.n = i + 1;
		to->priority = s->priorities.v[i].priority;
		to->interface = strdup(s->priorities.v[i].name);
		if (!to->interface)
			return err_nomem(e);
	}
	return 0;
}

static int set_rdma(const struct spec_resources *s, struct cg_limits *l,
		    struct err *e)
{
	size_t n = s->rdma.n;

	if (n == 0)
		return 0;
	l->rdma.v = calloc(n, sizeof(*l->rdma.v));
	if (!l->rdma.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct cg_rdma *to = &l->rdma.v[i];

		l->rdma.n = i + 1;
		to->handles = s->rdma.v[i].hca_handles;
		to->objects = s->rdma.v[i].hca_objects;
		to->device = strdup(s->rdma.v[i].key);
		if (!to->device)
			return err_nomem(e);
	}
	return 0;
}

/* A file of the group's own folder, not one that leads out of it, and none
 * that moves, stops or kills processes or hands out controllers. */
static int check_unified(const char *file, struct err *e)
{
	if (strchr(file, '/') || !strchr(file, '.') || *file == '.')
		return err_set(
			e, -EINVAL,
			"unified: '%.64s' is not the name of a cgroup file",
			file);
	if (str_starts(file, "cgroup.") && !str_starts(file, "cgroup.max."))
		return err_set(
			e, -EPERM,
			"unified: '%.64s' is no limit but how groups are run",
			file);
	return 0;
}

static int set_unified(const struct json_map *s, struct cg_limits *l,
		       struct err *e)
{
	int r;

	for (size_t i = 0; i < s->n; i++) {
		r = check_unified(s->keys[i], e);
		if (r < 0)
			return r;
	}
	r = plan_copy_list(s->keys, &l->unified.keys, e);
	if (r < 0)
		return r;
	l->unified.n = s->n;
	return plan_copy_list(s->values, &l->unified.values, e);
}

/* --- all of them -----------------------------------------------------------*/

static int wrap(int r, const char *what, struct err *e)
{
	return r < 0 ? err_wrap(e, r, "%s", what) : 0;
}

static int make_limits(const struct spec_resources *s, struct cg_limits *l,
		       struct err *e)
{
	int r = 0;

	if (s->memory)
		r = wrap(set_memory(s->memory, l, e), "memory", e);
	if (r == 0 && s->cpu)
		r = wrap(set_cpu(s->cpu, l, e), "cpu", e);
	if (r == 0 && s->pids)
		r = wrap(set_pids(s->pids, l, e), "pids", e);
	if (r == 0 && s->block_io)
		r = wrap(plan_block_io(s->block_io, l, e), "blockIO", e);
	if (r == 0 && s->network)
		r = wrap(set_network(s->network, l, e), "network", e);
	if (r == 0)
		r = set_hugepages(s, l, e);
	if (r == 0)
		r = set_rdma(s, l, e);
	if (r == 0)
		r = set_unified(&s->unified, l, e);
	if (r == 0)
		r = plan_device_rules(s, &l->devices, e);
	return r;
}

int plan_make_limits(const struct spec_resources *s, struct cg_limits *ret,
		     struct err *e)
{
	int r;

	*ret = (struct cg_limits){ 0 };
	r = make_limits(s, ret, e);
	if (r >= 0 && ret->devices.n > 0)
		r = plan_default_rules(&ret->devices, e);
	if (r < 0)
		cg_limits_done(ret);
	return r;
}

/* An update may leave the one as it is; here there is nothing yet. */
static int check_alone(const struct cg_limits *l, struct err *e)
{
	const struct opt_i64 *max = &l->memory_max;
	const struct opt_i64 *total = &l->memory_swap_total;

	if (!total->set || total->v == -1 || (max->set && max->v != -1))
		return 0;
	return err_set(
		e, -EINVAL,
		"memory: swap: limits memory and swap together, and needs a limit of memory");
}

/*
 * Before 1.3 the specification had "default is no limit" of a number that
 * could not be left out: podman up to 5.4 writes 0 for --pids-limit -1, and
 * other runtimes made it no limit.
 */
static void set_old_pids(const struct plan_draft *d)
{
	const struct spec_pids *pids = d->os->resources->pids;
	unsigned long minor =
		strtoul(d->spec->version + strlen("1."), NULL, 10);

	if (minor < 3 && pids && pids->limit.set && pids->limit.v == 0)
		d->plan->limits.pids_max.v = -1;
}

int plan_add_limits(struct plan_draft *d, struct err *e)
{
	int r;

	if (!d->os->resources)
		return 0;
	r = make_limits(d->os->resources, &d->plan->limits, e);
	if (r < 0)
		return r;
	set_old_pids(d);
	return check_alone(&d->plan->limits, e);
}

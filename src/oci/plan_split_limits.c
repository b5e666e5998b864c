/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"
#include "src/oci/plan_split.h"

/*
 * A micro-VM's limits in two: the host's group holds the guest's RAM, the
 * monitor and its helpers; the guest has a group of its own for the program.
 */

/* The kernel's own period when none is given. */
#define PERIOD_DEFAULT 100000

static void add_to(struct opt_i64 *limit, uint64_t more)
{
	if (limit->set && limit->v >= 0)
		limit->v += (int64_t)more;
}

/* CPU, I/O and the rest bind the monitor, and so the guest as a whole. */
void plan_guest_limits(struct cg_limits *l)
{
	struct cg_limits own = {
		.memory_max = l->memory_max,
		.memory_high = l->memory_high,
		.memory_low = l->memory_low,
		.memory_min = l->memory_min,
		.memory_oom_group = l->memory_oom_group,
		.pids_max = l->pids_max,
		.unified = l->unified,
		.devices = l->devices,
	};

	l->unified = (struct json_map){ 0 };
	l->devices = (struct cg_device_rules){ 0 };
	cg_limits_done(l);
	*l = own;
}

/* Processes are counted inside, where they are; devices are opened by the
 * monitor alone, and the guest has rules of its own for those that it sees. */
static void drop_guests(struct cg_limits *l)
{
	l->memory_high = l->memory_low = l->memory_min =
		(struct opt_i64){ .set = false };
	l->memory_check_usage = false;
	l->memory_oom_group = (struct opt_bool){ .set = false };
	l->pids_max = (struct opt_i64){ .set = false };
	free(steal_ptr(l->devices.v));
	l->devices.n = 0;
	strv_free(steal_ptr(l->unified.keys));
	strv_free(steal_ptr(l->unified.values));
	l->unified.n = 0;
}

void plan_host_limits(const struct plan_vm *vm, struct cg_limits *l)
{
	uint64_t limit = l->memory_max.set ? (uint64_t)l->memory_max.v : 0;
	uint64_t room = vm->memory > limit ? vm->memory - limit : 0;

	add_to(&l->memory_max, room + vm->overhead);
	add_to(&l->memory_swap_total, room + vm->overhead);
	drop_guests(l);
}

/* --- of a machine that runs -----------------------------------------------*/

static int check_memory(const struct plan_vm *vm, const struct cg_limits *l,
			struct err *e)
{
	const struct opt_i64 *max = &l->memory_max;

	if (max->set && max->v > 0 && (uint64_t)max->v > vm->memory)
		return err_set(
			e, -EINVAL,
			"memory: the micro-VM has %llu bytes of RAM, which do not grow while it runs",
			(unsigned long long)vm->memory);
	if (!l->memory_swap_total.set || l->memory_swap_total.v < 0)
		return 0;
	if (!max->set || max->v < 0 || l->memory_swap_total.v < max->v)
		return err_set(
			e, -EINVAL,
			"memory and swap together: needs a limit of memory that is not larger");
	return 0;
}

static int check_cpus(const struct plan *p, const struct cg_limits *l,
		      struct err *e)
{
	uint64_t period = PERIOD_DEFAULT, quota;

	if (!l->cpu_quota_us.set || l->cpu_quota_us.v <= 0)
		return 0;
	quota = (uint64_t)l->cpu_quota_us.v;
	if (p->limits.cpu_period_us.set)
		period = p->limits.cpu_period_us.v;
	if (l->cpu_period_us.set)
		period = l->cpu_period_us.v;
	if (period == 0 || quota / period < p->vm.vcpus ||
	    quota == period * p->vm.vcpus)
		return 0;
	return err_set(
		e, -EINVAL,
		"cpu: the micro-VM has %u vCPUs, and gets no more while it runs",
		p->vm.vcpus);
}

int plan_split_update(const struct plan *p, const struct cg_limits *asked,
		      struct cg_limits *ret_host, struct cg_limits *ret_guest,
		      struct err *e)
{
	_cleanup_(cg_limits_done) struct cg_limits host = { 0 }, guest = { 0 };
	int r = check_memory(&p->vm, asked, e);

	if (r == 0)
		r = check_cpus(p, asked, e);
	if (r == 0)
		r = json_copy(&cg_limits_table, asked, &host, e);
	if (r == 0)
		r = json_copy(&cg_limits_table, asked, &guest, e);
	if (r < 0)
		return r;
	plan_guest_limits(&guest);
	guest.memory_check_usage = asked->memory_check_usage;
	plan_host_limits(&p->vm, &host);
	/* It is RAM and overhead, and stays so: what the guest has touched is
	 * the machine's. */
	host.memory_max = (struct opt_i64){ .set = false };
	*ret_host = host;
	*ret_guest = guest;
	host = guest = (struct cg_limits){ 0 };
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/devices.h"
#include "cgroups/limits.h"
#include "cgroups/priv.h"
#include "cgroups/procs.h"
#include "cgroups/stat.h"
#include "cgroups/v2.h"

struct applying {
	struct cg *cg;
	const struct cg_limits *limits;
	uint32_t held_v1;
	bool update;
	int program; /* of the device rules; -1: none, or v1's */
};

/* A v2 file is missing: its controller is not handed down to us yet. */
static int enable(void *arg, enum cg_ctl ctl, struct err *e)
{
	const struct applying *a = arg;

	if (a->held_v1 & CG_BIT(ctl))
		return 0;
	return cg_v2_enable(a->cg->mount, a->cg->path, ctl, e);
}

static int add_controller(const struct applying *a, enum cg_ctl ctl,
			  struct cg_set *set, struct err *e)
{
	const struct cg *cg = a->cg;

	if (a->held_v1 & CG_BIT(ctl))
		return cg_limits_add(&cg_limits_v1, ctl, a->limits,
				     cg_v1_fd(&cg->v1, ctl), set, e);
	if (cg->fd < 0)
		return err_set(e, -EOPNOTSUPP,
			       "this host has no controller '%s'",
			       cg_ctl_name(ctl));
	return cg_limits_add(&cg_limits_v2, ctl, a->limits, cg->fd, set, e);
}

static int add_all(const struct applying *a, struct cg_set *set, struct err *e)
{
	uint32_t needs = cg_limits_controllers(a->limits);
	int r = 0;

	for (unsigned int i = 0; i < CG_CTL_CORE && r == 0; i++) {
		if (needs & CG_BIT(i))
			r = add_controller(a, (enum cg_ctl)i, set, e);
	}
	if (r == 0 && a->limits->unified.n > 0 && a->cg->fd < 0)
		return err_set(e, -EOPNOTSUPP,
			       "unified: this host has no cgroup v2");
	return r < 0 ? r
		     : cg_limits_add_unified(a->limits, a->held_v1, a->cg->fd,
					     set, e);
}

/* Before anything is written: what can be refused is refused now. */
static int prepare_devices(struct applying *a, struct err *e)
{
	const struct cg_device_rules *rules = &a->limits->devices;

	/* Where v1 has the controller, others look for the rules there, and add
	 * some: hooks that give a container a card. */
	if (rules->n == 0 || cg_v1_fd(&a->cg->v1, CG_CTL_DEVICES) >= 0)
		return 0;
	if (a->cg->fd < 0)
		return err_set(e, -EOPNOTSUPP,
			       "this host has no controller 'devices'");
	a->program = cg_devices_load(rules, e);
	return MIN_OF(a->program, 0);
}

static int apply_devices(const struct applying *a, struct err *e)
{
	const struct cg_device_rules *rules = &a->limits->devices;

	if (rules->n == 0)
		return 0;
	/* A group that was there may have a program of ours from before. */
	if (a->program >= 0)
		return cg_devices_attach(a->cg->fd, a->program,
					 !a->update && a->cg->made, e);
	return cg_v1_devices(cg_v1_fd(&a->cg->v1, CG_CTL_DEVICES), rules->v,
			     rules->n, e);
}

/* The kernel would kill until the new maximum is met. */
static int check_usage(const struct applying *a, struct err *e)
{
	bool v1 = a->held_v1 & CG_BIT(CG_CTL_MEMORY);
	int fd = v1 ? cg_v1_fd(&a->cg->v1, CG_CTL_MEMORY) : a->cg->fd;
	uint64_t now = 0;
	int r;

	if (!a->limits->memory_check_usage || !a->limits->memory_max.set ||
	    a->limits->memory_max.v < 0 || !a->update)
		return 0;
	r = cg_stat_file(fd, v1 ? "memory.usage_in_bytes" : "memory.current",
			 &now, e);
	if (r < 0)
		return r;
	if (now > (uint64_t)a->limits->memory_max.v)
		return err_set(e, -EBUSY,
			       "memory_max: %" PRIi64 " is below the %" PRIu64
			       " in use",
			       a->limits->memory_max.v, now);
	return 0;
}

/* A new unit was told when it was started, but for what files alone can say. */
static bool must_tell(const struct applying *a)
{
	return a->cg->unit.name && (a->update || a->limits->unified.n > 0);
}

/* systemd writes what it is told into the files, rounded; hence once more. */
static int tell(const struct applying *a, struct cg_set *set, struct err *e)
{
	struct cg_limits told;
	int r;

	r = cg_told(a->cg, a->held_v1, a->limits, &told, e);
	if (r == 0)
		r = cg_systemd_set(&a->cg->unit, &told, e);
	return r < 0 ? r : cg_set_again(set, e);
}

/* Files first, where the kernel says no; then systemd; devices at the end, as
 * systemd writes to v1's list of them, too. */
static int write_all(struct applying *a, struct err *e)
{
	const struct cg_set_how how = {
		.undo = a->update || must_tell(a),
		.enable = enable,
		.arg = a,
	};
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	int r;

	r = check_usage(a, e);
	if (r == 0)
		r = add_all(a, &set, e);
	if (r == 0)
		r = prepare_devices(a, e);
	if (r == 0)
		r = cg_set_write(&set, &how, e);
	if (r < 0)
		return r;
	if (must_tell(a))
		r = tell(a, &set, e);
	if (r == 0)
		r = apply_devices(a, e);
	if (r < 0)
		cg_set_undo(&set);
	return r;
}

int cg_write_limits(struct cg *cg, const struct cg_host *host,
		    const struct cg_limits *limits, bool update, struct err *e)
{
	struct applying a = {
		.cg = cg,
		.limits = limits,
		.held_v1 = host->v1.controllers,
		.update = update,
		.program = -1,
	};
	int r = write_all(&a, e);

	auto_close_(&a.program);
	return r;
}

/* --- update ---------------------------------------------------------------*/

/* Gives how many there were. */
static int move_present(struct cg *cg, size_t first, struct err *e)
{
	_cleanup_(cg_procs_done) struct cg_procs p = { 0 };
	int r = cg_pids(cg, &p.v, &p.n, e);

	for (size_t i = 0; i < p.n && r >= 0; i++) {
		r = cg_v1_join(&cg->v1, first, p.v[i], e);
		if (r == -ESRCH)
			r = 0;
	}
	return r < 0 ? r : (int)p.n;
}

/* Moves everybody into the groups from first on; who is forked meanwhile is
 * found by the next round. */
static int move_all(struct cg *cg, size_t first, struct err *e)
{
	int before = -1;

	for (int round = 0; round < 100; round++) {
		int n = move_present(cg, first, e);

		if (n < 0 || n == before)
			return MIN_OF(n, 0);
		before = n;
	}
	return err_set(e, -EAGAIN,
		       "processes appear faster than they can be moved");
}

/* Where the group is in every tree: as the v2 one says, or any of v1. */
static const char *place_of(const struct cg *cg, const struct cg_host *host)
{
	if (cg->path)
		return cg->path + strlen(cg->mount);
	for (size_t i = 0; i < host->v1.n; i++) {
		const struct cg_v1_mount *m = &host->v1.v[i];

		if (str_eq(m->names, cg->v1.v[0].names) &&
		    str_starts(cg->v1.v[0].path, m->point))
			return cg->v1.v[0].path + strlen(m->point);
	}
	return NULL;
}

/* The v1 controllers that nothing has needed so far, and where they will be;
 * 0: there are none. */
static int place_needed(const struct cg *cg, const struct cg_host *host,
			const struct cg_limits *limits, uint32_t *ret_needs,
			struct cg_v1_place *ret, struct err *e)
{
	uint32_t needs = cg_limits_controllers(limits) & host->v1.controllers &
			 ~cg_v1_controllers(&cg->v1);

	if (!needs)
		return 0;
	*ret_needs = needs;
	*ret = (struct cg_v1_place){ .path = place_of(cg, host) };
	if (!ret->path)
		return err_set(
			e, -EOPNOTSUPP,
			"the container was made without the controllers asked for");
	return 1;
}

static int find_host(struct cg *cg, struct cg_host *ret, struct err *e)
{
	int r;

	if (cg->fd < 0 && cg->v1.n == 0)
		return err_set(e, -EOPNOTSUPP,
			       "there is no cgroup, so no limit can be set");
	r = cg_host_find(ret, e);
	if (r < 0 || cg->fd < 0 || cg->mount)
		return r;
	cg->mount = ret->v2 ? strdup(ret->v2) : NULL;
	if (!cg->mount || !str_starts(cg->path, cg->mount))
		return err_set(e, -ENOENT,
			       "cgroup '%s' is not in the tree of this host",
			       cg->path);
	return 0;
}

int cg_foresee(struct cg *cg, const struct cg_limits *limits,
	       struct cg_paths *ret, struct err *e)
{
	_cleanup_(cg_host_done) struct cg_host host = { 0 };
	struct cg_v1_place place = { 0 };
	uint32_t needs = 0;
	int r;

	r = cg_limits_any(limits) ? find_host(cg, &host, e) : 0;
	if (r == 0)
		r = place_needed(cg, &host, limits, &needs, &place, e);
	if (r <= 0)
		return r;
	r = cg_save(cg, ret, e);
	for (size_t i = 0; i < host.v1.n && r == 0; i++) {
		const struct cg_v1_mount *m = &host.v1.v[i];
		autofree char *path = NULL;

		if (!(m->controllers & needs))
			continue;
		r = cg_v1_group_path(m, &place, &path, e);
		if (r == 0)
			r = cg_paths_add(ret, m->names, path, e);
	}
	return r < 0 ? r : 1;
}

int cg_apply(struct cg *cg, const struct cg_limits *limits, struct err *e)
{
	_cleanup_(cg_host_done) struct cg_host host = { 0 };
	size_t first = cg->v1.n;
	struct cg_v1_place place = { 0 };
	uint32_t needs = 0;
	int r;

	if (!cg_limits_any(limits))
		return 0;
	r = find_host(cg, &host, e);
	if (r == 0)
		r = place_needed(cg, &host, limits, &needs, &place, e);
	if (r > 0) {
		r = cg_v1_make(&cg->v1, &host.v1, needs, &place, e);
		if (r == 0)
			r = move_all(cg, first, e);
	}
	return r < 0 ? r : cg_write_limits(cg, &host, limits, true, e);
}

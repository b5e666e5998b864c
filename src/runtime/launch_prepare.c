/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/launch.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/runtime/sync.h"

/* --- what the plan means for the clone ------------------------------------*/

/*
 * New namespaces that clone3() makes. Not the cgroup namespace: its root would
 * be our own group, since the child is moved later than namespaces are copied.
 * Not the time namespace when it has offsets: they are frozen as soon as a
 * process is inside.
 */
static uint64_t new_namespaces(const struct plan *p)
{
	uint64_t flags = 0;

	for (int k = 0; k < NS_KIND_N_; k++)
		if (plan_makes(p, (enum ns_kind)k))
			flags |= ns_info[k].flag;
	flags &= ~(uint64_t)CLONE_NEWCGROUP;
	if (p->time_offsets.n > 0)
		flags &= ~(uint64_t)CLONE_NEWTIME;
	return flags;
}

/* All that the container does not share with the host: what exec joins. */
static uint64_t owned_namespaces(const struct plan *p)
{
	uint64_t flags = 0;

	for (int k = 0; k < NS_KIND_N_; k++)
		if (plan_owns(p, (enum ns_kind)k))
			flags |= ns_info[k].flag;
	return flags;
}

/*
 * An intermediate process is needed where joining must come before the clone
 * and must not happen to ourselves: a pid or time namespace by path, a user
 * namespace whose rights the others need, offsets of a new time namespace.
 * A namespace by path beside a new user namespace: once inside the new one, we
 * have no rights over the old.
 */
static bool needs_joiner(const struct launch *l)
{
	const int *fds = l->ns_fds;

	/* The guest's agent lives on, and must not aim its other children. */
	if (rt_launch_is_exec(l))
		return (l->rootless && (l->clone_flags & CLONE_NEWUSER)) ||
		       (l->in_guest && (l->clone_flags & CLONE_NEWPID));
	if (fds[NS_PID] >= 0 || fds[NS_TIME] >= 0 || fds[NS_USER] >= 0 ||
	    l->plan->time_offsets.n > 0)
		return true;
	if (!plan_makes(l->plan, NS_USER))
		return false;
	for (int k = 0; k < NS_KIND_N_; k++)
		if (fds[k] >= 0)
			return true;
	return false;
}

/* --- before the clone -----------------------------------------------------*/

static int open_namespaces(struct launch *l, struct err *e)
{
	for (int k = 0; k < NS_KIND_N_; k++) {
		const char *path = plan_namespace(l->plan, (enum ns_kind)k);

		if (!path || !path[0])
			continue;
		l->ns_fds[k] = ns_open(path, (enum ns_kind)k, e);
		if (l->ns_fds[k] < 0)
			return l->ns_fds[k];
	}
	return 0;
}

static bool wants_userns(const struct ns_mount *m)
{
	return (m->flags & (NS_MOUNT_IDMAP | NS_MOUNT_IDMAP_REC)) &&
	       m->uids.n == 0;
}

static int open_mount(struct launch *l, size_t i, struct err *e)
{
	const struct plan *p = l->plan;
	const struct ns_mount *m = &p->mounts.v[i];
	struct ns_mount_env env;

	if (l->idmap_userns < 0 && wants_userns(m)) {
		l->idmap_userns = ns_idmap_userns(&p->map, e);
		if (l->idmap_userns < 0)
			return l->idmap_userns;
	}
	env = rt_launch_mount_env(l, -1);
	return ns_mount_prepare(m, &env, &l->mount_trees[i], e);
}

int rt_launch_open_mounts(struct launch *l, struct err *e)
{
	const struct plan *p = l->plan;
	int r;

	l->mount_trees = malloc(sizeof(int) * (p->mounts.n + 1));
	if (!l->mount_trees)
		return err_nomem(e);
	for (size_t i = 0; i < p->mounts.n; i++)
		l->mount_trees[i] = -1;
	/* In a mount namespace that is joined paths may mean something else. */
	if (l->ns_fds[NS_MNT] >= 0)
		return 0;
	for (size_t i = 0; i < p->mounts.n; i++) {
		r = open_mount(l, i, e);
		if (r < 0)
			return err_wrap(e, r, "mounts: [%zu]", i);
	}
	return 0;
}

/* The host's paths of the container's groups, for mounts of type cgroup. */
static int find_cgroups(struct launch *l, struct err *e)
{
	const struct plan *p = l->plan;
	int r;

	for (size_t i = 0; i < p->mounts.n; i++) {
		if (!(p->mounts.v[i].flags & NS_MOUNT_CGROUP))
			continue;
		r = cg_save(l->cgroup, &l->cgroup_paths, e);
		if (r < 0)
			return r;
		break;
	}
	for (size_t i = 0; i < l->cgroup_paths.hierarchies.n; i++) {
		const struct cg_hierarchy *h =
			&l->cgroup_paths.hierarchies.v[i];

		if (h->controllers && h->controllers[0] &&
		    strv_addf(&l->cgroup_binds, "%s:%s", h->controllers,
			      h->path) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* A user namespace's own nodes do not work: what it cannot have from the host
 * is made here. The ids in one that is joined are unknown. */
static int make_devices(struct launch *l, struct err *e)
{
	const struct plan *p = l->plan;

	if (l->instead || !p->own_dev || !plan_makes(p, NS_USER) ||
	    p->root.shared)
		return 0;
	return ns_device_prepare(p->devices.v, p->devices.n, &p->map,
				 &l->device_tree, e);
}

static int prepare_world(struct launch *l, struct err *e)
{
	int r;

	r = open_namespaces(l, e);
	if (r < 0)
		return r;
	if (l->cgroup) {
		r = find_cgroups(l, e);
		if (r < 0)
			return r;
	}
	if (rt_launch_has_hooks(l)) {
		r = hooks_output_open(l->plan, &l->hooks_output, e);
		if (r < 0)
			return r;
	}
	if (l->ns_fds[NS_MNT] < 0) {
		r = ns_root_prepare(&l->plan->root, &l->root_tree, e);
		if (r < 0)
			return err_wrap(e, r, "root");
	}
	r = make_devices(l, e);
	return r < 0 ? r : rt_launch_open_mounts(l, e);
}

int rt_launch_prepare(struct launch *l, struct err *e)
{
	int ends[2], r;

	l->procfd = proc_open_fs(e);
	if (l->procfd < 0)
		return l->procfd;
	l->clone_flags = rt_launch_is_exec(l) ? owned_namespaces(l->plan)
					      : new_namespaces(l->plan);
	/* What stands for an exec in a micro-VM has no world of its own. */
	if (!rt_launch_is_exec(l) && !l->vm_exec) {
		r = prepare_world(l, e);
		if (r < 0)
			return r;
	}
	if (l->plan->seccomp) {
		r = ns_seccomp_compile(l->plan->seccomp, l->seccomp_cache,
				       &l->seccomp, e);
		if (r < 0)
			return err_wrap(e, r, "seccomp");
		/* The child has no use for it. */
		if (l->seccomp_cache >= 0)
			(void)close(steal_fd(&l->seccomp_cache));
	}
	l->joiner = needs_joiner(l);

	r = sync_pair(ends, e);
	if (r < 0)
		return r;
	l->sync = ends[0];
	l->child_end = ends[1];
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/plan_split.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

#define GUEST_CGROUP "/environment"

/* --- what cannot be ---------------------------------------------------------
 */

/* Besides what every container has. */
static const struct ns_device usual_devices[] = {
	{ .major = 5, .minor = 2 },    /* ptmx */
	{ .major = 10, .minor = 200 }, /* net/tun */
	{ .major = 10, .minor = 229 }, /* fuse */
};

static bool has_number(const struct ns_device *v, size_t n,
		       const struct ns_device *d)
{
	for (size_t i = 0; i < n; i++)
		if (d->major == v[i].major && d->minor == v[i].minor)
			return true;
	return false;
}

/* Numbers mean the same in every kernel, whatever the node is called. */
static bool is_known_device(const struct ns_device *d)
{
	if (d->type == 'p')
		return true;
	if (d->type != 'c' && d->type != 'u')
		return false;
	return has_number(ns_device_defaults, n_ns_device_defaults, d) ||
	       has_number(usual_devices, ARRAY_SIZE(usual_devices), d);
}

static int check_devices(const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->devices.n; i++)
		if (!is_known_device(&p->devices.v[i]))
			return err_set(
				e, -EOPNOTSUPP,
				"device '%s' is the host's: a micro-VM cannot have it",
				p->devices.v[i].path);
	return 0;
}

static int check_process(const struct plan_process *p, struct err *e)
{
	if (p->cpus_initial || p->cpus_final)
		return err_set(
			e, -EOPNOTSUPP,
			"execCPUAffinity names CPUs of the host: a micro-VM has its own");
	return 0;
}

static int check(const struct plan *p, struct err *e)
{
	int r;

	if (p->root.shared)
		return err_set(
			e, -EOPNOTSUPP,
			"a micro-VM has a mount namespace of its own: it can neither join one nor share the host's");
	if (plan_covers_root(p))
		return err_set(e, -EOPNOTSUPP,
			       "a micro-VM cannot have a mount on '/'");
	if (!plan_owns(p, NS_NET))
		return err_set(
			e, -EOPNOTSUPP,
			"a micro-VM has a network of its own: it cannot share the host's");
	if (p->net_devices.n)
		return err_set(e, -EOPNOTSUPP,
			       "netDevices: a micro-VM cannot take '%s'",
			       p->net_devices.v[0].name);
	if (p->process.user.keep_groups)
		return err_set(e, -EOPNOTSUPP,
			       "a micro-VM cannot keep groups of the host");
	if ((p->hooks_stdout || p->hooks_stderr) &&
	    p->hooks[PLAN_HOOK_START_CONTAINER].n)
		return err_set(
			e, -EOPNOTSUPP,
			"startContainer hooks in a micro-VM cannot write to files of the host");
	if (p->seccomp && p->seccomp->listener_path)
		return err_set(
			e, -EOPNOTSUPP,
			"seccomp: a listener cannot look into a micro-VM");
	r = check_process(&p->process, e);
	return r < 0 ? r : check_devices(p, e);
}

/* --- pieces -----------------------------------------------------------------
 */

static void drop_namespaces(struct plan *p, unsigned int kinds)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->namespaces.n; i++) {
		struct ns_namespace *n = &p->namespaces.v[i];

		if (kinds & (1U << n->kind))
			json_free(&ns_namespace_table, n);
		else
			p->namespaces.v[kept++] = *n;
	}
	p->namespaces.n = kept;
}

static int add_namespace(struct plan *p, enum ns_kind kind, struct err *e)
{
	struct ns_namespace *v;

	if (plan_owns(p, kind))
		return 0;
	v = reallocarray(p->namespaces.v, p->namespaces.n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	p->namespaces.v = v;
	v[p->namespaces.n++] = (struct ns_namespace){ .kind = kind };
	return 0;
}

static void drop_map(struct ns_map *map)
{
	free(steal_ptr(map->uids.v));
	free(steal_ptr(map->gids.v));
	map->uids.n = map->gids.n = 0;
}

static bool is_bind(const struct ns_mount *m)
{
	return m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND);
}

static int set(char **at, char *text, struct err *e)
{
	free(*at);
	*at = text;
	return text ? 0 : err_nomem(e);
}

/* Empties a vector; its own memory goes with the plan. */
#define DROP_ALL(table, vec)                                                   \
	do {                                                                   \
		for (size_t i_ = 0; i_ < (vec).n; i_++)                        \
			json_free(&(table), &(vec).v[i_]);                     \
		(vec).n = 0;                                                   \
	} while (0)

static void drop_hooks(struct plan *p, unsigned int kinds)
{
	for (unsigned int k = 0; k < PLAN_HOOK_N_; k++) {
		if (kinds & (1U << k))
			DROP_ALL(plan_hook_table, p->hooks[k]);
	}
}

/* What plan_table knows as a pointer to a struct of its own. */
#define DROP(table, member)                                                    \
	do {                                                                   \
		if (member)                                                    \
			json_free(&(table), member);                           \
		free(steal_ptr(member));                                       \
	} while (0)

/* --- the host's half ---------------------------------------------------------
 */

/* What is mapped as the environment is, by its own mappings: its user namespace
 * is the guest's, the mount is made here. */
static int map_mounts(struct plan *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < p->mounts.n && r == 0; i++) {
		struct ns_mount *m = &p->mounts.v[i];

		if (!(m->flags & NS_MOUNT_IDMAP) || m->uids.n > 0 ||
		    p->map.uids.n == 0)
			continue;
		r = plan_copy_ids(&p->map.uids, &m->uids, "uidMappings", e);
		if (r == 0)
			r = plan_copy_ids(&p->map.gids, &m->gids, "gidMappings",
					  e);
	}
	return r;
}

/* Only binds, under the names that the guest knows. */
static int host_mounts(struct plan *p, struct err *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->mounts.n; i++) {
		struct ns_mount *m = &p->mounts.v[i];

		if (!is_bind(m)) {
			json_free(&ns_mount_table, m);
			continue;
		}
		if (set(&m->target, str_printf("/m%zu", i), e) < 0)
			return -ENOMEM;
		m->flags &= ~(uint32_t)NS_MOUNT_NO_DST_LINK;
		if (kept != i) {
			p->mounts.v[kept] = *m;
			*m = (struct ns_mount){ 0 };
		}
		kept++;
	}
	p->mounts.n = kept;
	return 0;
}

/* The monitor's process: root, for it has a machine to set up, with nothing
 * of what the program shall be. */
static int host_process(struct plan_process *p, struct err *e)
{
	struct plan_process own = {
		.terminal = p->terminal,
		.rows = p->rows,
		.cols = p->cols,
		.oom_score_adj = p->oom_score_adj,
		.sched = steal_ptr(p->sched),
		.io_priority = steal_ptr(p->io_priority),
	};

	plan_process_done(p);
	*p = own;
	if (strv_add(&p->args, "moat-vm") < 0 || strv_add(&p->env, "PATH=") < 0)
		return err_nomem(e);
	return set(&p->cwd, strdup("/"), e);
}

/* Who could have put links into its network namespace by the time it boots. A
 * new one has nothing but "lo", and needs no driver for more. */
static bool may_have_links(const struct plan *p)
{
	const char *path = plan_namespace(p, NS_NET);

	return (path && path[0]) || p->net_devices.n > 0 ||
	       p->hooks[PLAN_HOOK_PRESTART].n > 0 ||
	       p->hooks[PLAN_HOOK_CREATE_RUNTIME].n > 0 ||
	       p->hooks[PLAN_HOOK_CREATE_CONTAINER].n > 0;
}

static int make_host(struct plan *p, bool rootless, struct err *e)
{
	int r = map_mounts(p, e);

	if (r < 0)
		return r;
	/* The user namespace is made in the guest: whoever serves the shared
	 * files must be able to give them to anybody. A user without rights
	 * has none but in a namespace of his own. */
	drop_namespaces(p, 1U << NS_CGROUP | 1U << NS_TIME |
				   (rootless ? 0 : 1U << NS_USER));
	if (!rootless) {
		drop_map(&p->map);
		p->root.in_userns = false;
	}
	DROP_ALL(ns_time_offset_table, p->time_offsets);
	/* Whatever the program shares: the monitor's helpers end with it. */
	r = add_namespace(p, NS_PID, e);
	if (r < 0)
		return r;
	p->vm.network = may_have_links(p);
	plan_host_limits(&p->vm, &p->limits);
	r = host_mounts(p, e);
	if (r < 0)
		return r;
	p->own_dev = false;
	DROP_ALL(ns_device_table, p->devices);
	strv_free(steal_ptr(p->masked));
	strv_free(steal_ptr(p->readonly));
	free(steal_ptr(p->hostname));
	free(steal_ptr(p->domainname));
	DROP_ALL(plan_sysctl_table, p->sysctls);
	DROP(ns_personality_table, p->personality);
	DROP(ns_seccomp_table, p->seccomp);
	drop_hooks(p, 1U << PLAN_HOOK_START_CONTAINER);
	return host_process(&p->process, e);
}

/* --- the guest's half --------------------------------------------------------
 */

static int guest_root(struct ns_root *r, struct err *e)
{
	strv_free(steal_ptr(r->layers));
	free(steal_ptr(r->scratch));
	free(steal_ptr(r->label));
	drop_map(&r->map);
	r->no_pivot = false;
	return set(&r->path, strdup(PLAN_SHARE "/" PLAN_SHARE_ROOT), e);
}

/* Ids are mapped on the host, where the share is put together. */
static int guest_mounts(struct plan *p, struct err *e)
{
	const uint32_t hosts = NS_MOUNT_IDMAP | NS_MOUNT_IDMAP_REC |
			       NS_MOUNT_REL_UIDS | NS_MOUNT_REL_GIDS;

	for (size_t i = 0; i < p->mounts.n; i++) {
		struct ns_mount *m = &p->mounts.v[i];

		if (!is_bind(m))
			continue;
		if (set(&m->source, str_printf(PLAN_SHARE "/m%zu", i), e) < 0)
			return -ENOMEM;
		m->flags &= ~hosts;
		free(steal_ptr(m->uids.v));
		free(steal_ptr(m->gids.v));
		m->uids.n = m->gids.n = 0;
	}
	return 0;
}

/* What it is on the host is nobody's business here. */
static void guest_disks(struct plan *p)
{
	for (size_t i = 0; i < p->disks.n; i++) {
		free(steal_ptr(p->disks.v[i].source));
		p->disks.v[i].major = p->disks.v[i].minor = 0;
		p->disks.v[i].bps = p->disks.v[i].iops = 0;
	}
}

static int guest_cgroup(struct cg_config *c, struct err *e)
{
	json_free(&cg_config_table, c);
	c->driver = CG_DRIVER_CGROUPFS;
	return set(&c->path, strdup(GUEST_CGROUP), e);
}

/* The host's security modules do not reach into a guest, whose kernel is its
 * own; the monitor is confined instead. */
static void guest_process(struct plan_process *p)
{
	free(steal_ptr(p->apparmor));
	free(steal_ptr(p->selinux));
	DROP(ns_sched_table, p->sched);
	DROP(ns_io_priority_table, p->io_priority);
}

static int make_guest(struct plan *p, bool rootless, struct err *e)
{
	int r;

	/* The machine's own network is the environment's. */
	drop_namespaces(p, 1U << NS_NET | (rootless ? 1U << NS_USER : 0));
	if (rootless)
		drop_map(&p->map);
	p->root.in_userns = plan_owns(p, NS_USER);
	/* With the machine, by the agent: a user namespace has no say there. */
	p->loopback_up = false;
	r = guest_root(&p->root, e);
	if (r == 0)
		r = guest_mounts(p, e);
	if (r == 0)
		r = guest_cgroup(&p->cgroup, e);
	if (r < 0)
		return r;
	guest_disks(p);
	plan_guest_limits(&p->limits);
	guest_process(&p->process);
	free(steal_ptr(p->mount_label));
	DROP(plan_rdt_table, p->rdt);
	DROP(ns_memory_policy_table, p->memory_policy);
	drop_hooks(p, ~(1U << PLAN_HOOK_START_CONTAINER));
	json_free(&plan_vm_table, &p->vm);
	strv_free(steal_ptr(p->annotations.keys));
	strv_free(steal_ptr(p->annotations.values));
	p->annotations.n = 0;
	free(steal_ptr(p->hooks_stdout));
	free(steal_ptr(p->hooks_stderr));
	free(steal_ptr(p->pidfd_receiver));
	p->isolation = PLAN_CONTAINER;
	return 0;
}

/* --- both -------------------------------------------------------------------
 */

typedef int (*make_fn)(struct plan *p, bool rootless, struct err *e);

static int half(const struct plan *p, make_fn make, bool rootless,
		struct plan *ret, struct err *e)
{
	int r = json_copy(&plan_table, p, ret, e);

	if (r == 0)
		r = make(ret, rootless, e);
	if (r < 0)
		plan_done(ret);
	return r;
}

int plan_split(const struct plan *p, bool rootless, struct plan *ret_host,
	       struct plan *ret_guest, struct err *e)
{
	int r;

	r = check(p, e);
	if (r == 0)
		r = half(p, make_host, rootless, ret_host, e);
	if (r < 0)
		return r;
	r = half(p, make_guest, rootless, ret_guest, e);
	if (r < 0)
		plan_done(ret_host);
	return r;
}

int plan_split_process(const struct plan_process *p,
		       struct plan_process *ret_host,
		       struct plan_process *ret_guest, struct err *e)
{
	int r = check_process(p, e);

	if (r < 0)
		return r;
	r = json_copy(&plan_process_table, p, ret_guest, e);
	if (r == 0)
		r = json_copy(&plan_process_table, p, ret_host, e);
	if (r == 0)
		r = host_process(ret_host, e);
	if (r < 0) {
		plan_process_done(ret_host);
		plan_process_done(ret_guest);
		return r;
	}
	guest_process(ret_guest);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/log.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

#define PROPERTY "org.systemd.property."

/* Names of D-Bus properties, as runc judges them. */
static int check_property(const char *name, struct err *e)
{
	size_t n = 0;

	while (isalpha((unsigned char)name[n]))
		n++;
	if (n >= 3 && name[n] == '\0')
		return 0;
	return err_set(e, -EINVAL,
		       "annotations: " PROPERTY
		       "%.64s: not the name of a property",
		       name);
}

static int add_properties(struct plan_draft *d, struct err *e)
{
	const struct json_map *a = &d->spec->annotations;
	struct json_map *to = &d->plan->cgroup.properties;
	int r;

	if (a->n == 0)
		return 0;
	to->keys = calloc(a->n + 1, sizeof(*to->keys));
	to->values = calloc(a->n + 1, sizeof(*to->values));
	if (!to->keys || !to->values)
		return err_nomem(e);
	for (size_t i = 0; i < a->n; i++) {
		const char *name = a->keys[i] + strlen(PROPERTY);

		if (!str_starts(a->keys[i], PROPERTY))
			continue;
		r = check_property(name, e);
		if (r < 0)
			return r;
		to->keys[to->n] = strdup(name);
		to->values[to->n] = strdup(a->values[i]);
		if (!to->keys[to->n] || !to->values[to->n])
			return err_nomem(e);
		to->n++;
	}
	return 0;
}

static bool cgroup_mounted_writable(const struct plan *p)
{
	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct ns_mount *m = &p->mounts.v[i];

		if ((m->flags & NS_MOUNT_CGROUP) &&
		    !((m->set | m->rec_set) & MOUNT_ATTR_RDONLY))
			return true;
	}
	return false;
}

/*
 * Who may divide the group further: the specification wants it to be the
 * program's user when he has cgroup v2, a namespace of it and a mount that he
 * may write to.
 */
static void delegate(struct plan_draft *d)
{
	struct plan *p = d->plan;
	const struct spec_process *s = d->spec->process;
	uint32_t uid;

	if (!d->ctx->v2_only || !s || !plan_makes(p, NS_CGROUP) ||
	    !plan_makes(p, NS_USER) || !cgroup_mounted_writable(p))
		return;
	if (ns_idmap_host(&p->map.uids, s->user.uid, &uid) == 0)
		p->cgroup.owner_uid = (struct opt_u32)OPT_OF(uid);
}

int plan_add_cgroup(struct plan_draft *d, struct err *e)
{
	const char *path = d->os->cgroups_path;
	struct cg_config *c = &d->plan->cgroup;
	int r;

	if (path && *path == '\0')
		path = NULL;
	c->driver = d->ctx->cgroup_driver;
	/* What `events` and `podman stats` show. */
	c->account = true;
	c->realtime = d->spec->process && d->spec->process->scheduler &&
		      ns_sched_realtime(d->spec->process->scheduler);
	if (path) {
		r = cg_path_check(c->driver, path, e);
		if (r < 0)
			return err_wrap(e, r, "linux: cgroupsPath");
	}
	r = plan_copy(path, &c->path, e);
	if (r == 0)
		r = plan_copy(d->ctx->id, &c->name, e);
	if (r < 0)
		return r;
	delegate(d);
	return c->driver == CG_DRIVER_SYSTEMD ? add_properties(d, e) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "base/str.h"
#include "src/oci/plan_parts.h"

int plan_add_root(struct plan_draft *d, struct err *e)
{
	const struct spec_root *s = d->spec->root;
	struct ns_root *root = &d->plan->root;
	int r;

	if (!s)
		return err_set(e, -EINVAL, "missing");
	r = plan_bundle_path(d, s->path, &root->path, e);
	if (r < 0)
		return err_wrap(e, r, "path");
	if (str_eq(root->path, "/"))
		return err_set(
			e, -EINVAL,
			"path: the host's own root cannot be moved into");
	if ((root->scratch || root->scratch_size > 0) && !root->layers)
		return err_set(e, -EINVAL, "%s without moat.rootfs.layers",
			       root->scratch ? "moat.rootfs.scratch"
					     : "moat.rootfs.scratch-size");
	if (root->scratch && root->scratch_size > 0)
		return err_set(
			e, -EINVAL,
			"moat.rootfs.scratch-size is that of a tmpfs, not of moat.rootfs.scratch");
	root->readonly = s->readonly;
	root->no_pivot = d->ctx->no_pivot;
	root->shared = !plan_makes(d->plan, NS_MNT);
	if (root->shared && root->layers)
		return err_set(
			e, -EINVAL,
			"moat.rootfs.layers without a new mount namespace: the overlay would be everybody's");
	root->in_userns = plan_owns(d->plan, NS_USER);
	return 0;
}

static const struct {
	const char *name;
	uint32_t flags;
} propagations[] = {
	{ "private", MS_PRIVATE },
	{ "rprivate", MS_PRIVATE | MS_REC },
	{ "rshared", MS_SHARED | MS_REC },
	{ "rslave", MS_SLAVE | MS_REC },
	{ "runbindable", MS_UNBINDABLE | MS_REC },
	{ "shared", MS_SHARED },
	{ "slave", MS_SLAVE },
	{ "unbindable", MS_UNBINDABLE },
};

int plan_add_propagation(struct plan_draft *d, struct err *e)
{
	const char *name = d->os->rootfs_propagation;

	if (!name || *name == '\0')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		if (!str_eq(name, propagations[i].name))
			continue;
		d->plan->root.propagation = propagations[i].flags;
		return 0;
	}
	return err_set(e, -EINVAL, "unknown propagation '%.64s'", name);
}

static int add_paths(char *const *from, char ***to, struct err *e)
{
	size_t n = strv_len(from);
	int r;

	if (n == 0)
		return 0;
	*to = calloc(n + 1, sizeof(**to));
	if (!*to)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		r = plan_copy_path(from[i], &(*to)[i], e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	return 0;
}

int plan_add_masked(struct plan_draft *d, struct err *e)
{
	return add_paths(d->os->masked_paths, &d->plan->masked, e);
}

int plan_add_readonly(struct plan_draft *d, struct err *e)
{
	return add_paths(d->os->readonly_paths, &d->plan->readonly, e);
}

int plan_add_mount_label(struct plan_draft *d, struct err *e)
{
	int r;

	r = plan_copy(d->os->mount_label, &d->plan->mount_label, e);
	if (r < 0 || !d->plan->root.layers)
		return r;
	return plan_copy(d->os->mount_label, &d->plan->root.label, e);
}

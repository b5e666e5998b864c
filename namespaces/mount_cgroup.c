/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount of type cgroup shows the container its own cgroup, in the layout
 * that the host has:
 *
 *	v2	the cgroup2 file system, whose root in a cgroup namespace is the
 *		container's cgroup; without one, that cgroup is bound
 *	v1	a tmpfs with a folder for each hierarchy, and links where one
 *		hierarchy has several controllers (cpu -> cpu,cpuacct)
 *	hybrid	the same with "unified"
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "namespaces/fs.h"
#include "namespaces/mount_priv.h"

#define WHOLE_TREE "/sys/fs/cgroup"

/* One hierarchy: "memory", "cpu,cpuacct", "name=systemd"; "": cgroup2. */
struct hierarchy {
	const char *controllers;
	const char *path; /* the container's cgroup on the host */
};

static int bind_path(const char *path, struct err *e)
{
	int tree = ns_tree_clone(AT_FDCWD, path, NS_TREE_REC);

	return tree < 0 ? err_code(e, tree, "bind '%s'", path) : tree;
}

static int set_controllers(int fsfd, const char *controllers, struct err *e)
{
	autostrv char **list = NULL;
	int r = ns_fs_set(fsfd, "source", "cgroup", e);

	if (r < 0)
		return r;
	if (str_starts(controllers, "name="))
		return ns_fs_set(fsfd, "name", controllers + 5, e);
	if (strv_split(controllers, ',', &list) < 0)
		return err_nomem(e);
	STRV_FOREACH(c, list) {
		r = ns_fs_set(fsfd, *c, NULL, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What a cgroup namespace shows is relative to it: nothing else is needed. */
static int make_fs(const struct ns_mount *m, const struct hierarchy *h,
		   struct err *e)
{
	bool v2 = !*h->controllers;
	autoclose int fsfd = ns_fs_open(v2 ? "cgroup2" : "cgroup", e);
	int r;

	if (fsfd < 0)
		return fsfd;
	if (v2)
		r = ns_fs_set(fsfd, "source", "cgroup", e);
	else
		r = set_controllers(fsfd, h->controllers, e);
	return r < 0 ? r : ns_fs_create(fsfd, ns_mount_attrs(m).set, e);
}

/*
 * EPERM, EBUSY: no rights over the cgroup namespace, which is the host's; then
 * the path shows the same.
 */
static int place(const struct ns_mount *m, const struct ns_mount_env *env,
		 const struct hierarchy *h, int target, struct err *e)
{
	const struct ns_attrs made = {
		.propagation = m->propagation,
		.userns = -1,
	};
	struct ns_attrs bound = ns_mount_attrs(m);
	autoclose int tree = -1;

	if (env->cgroupns) {
		tree = make_fs(m, h, e);
		if (tree >= 0)
			return ns_tree_place(tree, &made, target, e);
		if (tree != -EPERM && tree != -EBUSY)
			return tree;
	}
	tree = bind_path(h->path, e);
	if (tree < 0)
		return tree;
	if (!bound.propagation)
		bound.propagation = MS_PRIVATE | MS_REC;
	return ns_tree_place(tree, &bound, target, e);
}

/* "name=systemd" is in the folder "systemd". */
static const char *folder_of(const struct hierarchy *h)
{
	if (!*h->controllers)
		return "unified";
	return str_starts(h->controllers, "name=") ? h->controllers + 5
						   : h->controllers;
}

static int add_links(int dirfd, const struct hierarchy *h, struct err *e)
{
	autostrv char **list = NULL;

	if (!strchr(h->controllers, ','))
		return 0;
	if (strv_split(h->controllers, ',', &list) < 0)
		return err_nomem(e);
	STRV_FOREACH(c, list)
		if (symlinkat(h->controllers, dirfd, *c) < 0 && errno != EEXIST)
			return err_errno(e, "create link '%s'", *c);
	return 0;
}

static int add_hierarchy(const struct ns_mount *m,
			 const struct ns_mount_env *env, int dirfd,
			 const struct hierarchy *h, struct err *e)
{
	const char *folder = folder_of(h);
	autoclose int target = -1;
	int r;

	if (strchr(folder, '/'))
		return err_set(e, -EINVAL, "cgroup hierarchy '%s'", folder);
	if (mkdirat(dirfd, folder, 0755) < 0)
		return err_errno(e, "create '%s'", folder);
	target = openat(dirfd, folder,
			O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_errno(e, "open '%s'", folder);
	r = place(m, env, h, target, e);
	if (r >= 0)
		r = add_links(dirfd, h, e);
	return r < 0 ? err_wrap(e, r, "hierarchy '%s'", folder) : 0;
}

/* "controllers:path" of the list. */
static int add_listed(const struct ns_mount *m, const struct ns_mount_env *env,
		      int dirfd, const char *entry, struct err *e)
{
	const char *colon = strchr(entry, ':');
	autofree char *controllers = NULL;
	struct hierarchy h = { 0 };

	if (!colon)
		return err_set(e, -EINVAL, "cgroup list: '%s'", entry);
	controllers = strndup(entry, (size_t)(colon - entry));
	if (!controllers)
		return err_nomem(e);
	h.controllers = controllers;
	h.path = colon + 1;
	return add_hierarchy(m, env, dirfd, &h, e);
}

static int fill(const struct ns_mount *m, const struct ns_mount_env *env,
		int dirfd, struct err *e)
{
	const struct hierarchy unified = { "", env->cgroup_path };
	int r = 0;

	for (const char *const *c = env->cgroups; *c && r >= 0; c++)
		r = add_listed(m, env, dirfd, *c, e);
	if (r >= 0 && env->cgroup_path)
		r = add_hierarchy(m, env, dirfd, &unified, e);
	return r;
}

static int mount_v1(const struct ns_mount *m, const struct ns_mount_env *env,
		    int target, struct err *e)
{
	struct ns_attrs a = ns_mount_attrs(m);
	const struct ns_fs fs = {
		.type = "tmpfs",
		.data = "mode=755",
		.label = env->label,
		.in_userns = env->in_userns,
		.attrs = a.set & ~(uint64_t)MOUNT_ATTR_RDONLY,
	};
	const struct ns_attrs none = { .propagation = m->propagation,
				       .userns = -1 };
	autoclose int tree = ns_fs_make(&fs, e);
	int r;

	if (tree < 0)
		return tree;
	r = ns_tree_place(tree, &none, target, e);
	if (r >= 0)
		r = fill(m, env, tree, e);
	return r;
}

int ns_mount_cgroup(const struct ns_mount *m, const struct ns_mount_env *env,
		    struct err *e)
{
	const struct hierarchy v2 = {
		"",
		env->cgroup_path ? env->cgroup_path : WHOLE_TREE,
	};
	autoclose int target = ns_mount_target(m, env->rootfd, -1, NULL, e);

	if (target < 0)
		return target;
	if (env->cgroups && !str_eq(m->fstype, "cgroup2"))
		return mount_v1(m, env, target, e);
	return place(m, env, &v2, target, e);
}

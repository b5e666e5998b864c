/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that are hidden, and paths that are read-only.
 *
 * A file is hidden by the container's own /dev/null. The image, or somebody
 * who shares a folder with it, may have put a link to /proc/sysrq-trigger in
 * its place; binding that would turn a mask into a door (CVE-2025-31133). So
 * it is opened without following links, looked at, and that very descriptor is
 * bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/fs.h"
#include "namespaces/rootfs.h"
#include "namespaces/tree.h"

/* What hides: opened when first needed, for all paths. */
struct masks {
	int rootfd;
	const char *label;
	int null;  /* the container's /dev/null */
	int empty; /* an empty tmpfs, attached where it was needed first */
};

static void masks_done(struct masks *m)
{
	if (m->null >= 0)
		(void)close(m->null);
	if (m->empty >= 0)
		(void)close(m->empty);
}

static int open_null(int rootfd, struct err *e)
{
	autoclose int fd = path_open_in_root(rootfd, "/dev/null",
					     O_PATH | O_NOFOLLOW, 0, e);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at '/dev/null'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(
			e, -EINVAL,
			"'/dev/null' of the container is not the null device");
	return steal_fd(&fd);
}

static int copy_to(int source, int target, struct err *e)
{
	autoclose int tree = ns_tree_clone(source, "", 0);

	return tree < 0 ? err_code(e, tree, "bind")
			: ns_tree_attach(tree, target, e);
}

static int mask_file(struct masks *m, int target, struct err *e)
{
	if (m->null < 0)
		m->null = open_null(m->rootfd, e);
	return m->null < 0 ? m->null : copy_to(m->null, target, e);
}

/* One tmpfs for all of them: it is empty and stays so. */
static int mask_folder(struct masks *m, int target, struct err *e)
{
	const struct ns_fs fs = {
		.type = "tmpfs",
		.mode = "0755",
		.label = m->label,
		.readonly = true,
		.attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
			 MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	};

	if (m->empty >= 0)
		return copy_to(m->empty, target, e);
	m->empty = ns_fs_make(&fs, e);
	if (m->empty == -EOPNOTSUPP)
		return ns_fs_mount(&fs, target, e);
	return m->empty < 0 ? m->empty : ns_tree_attach(m->empty, target, e);
}

/* -ENOENT and -ENOTDIR: nothing there to hide or protect. */
static int open_place(int rootfd, const char *path, struct err *e)
{
	int fd = path_open_in_root(rootfd, path, O_PATH, 0, NULL);

	if (fd >= 0 || fd == -ENOENT || fd == -ENOTDIR)
		return fd;
	return err_code(e, fd, "open '%s'", path);
}

static int mask(struct masks *m, const char *path, struct err *e)
{
	autoclose int target = open_place(m->rootfd, path, e);
	struct stat st;
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	if (fstat(target, &st) < 0)
		return err_errno(e, "look at '%s'", path);
	r = S_ISDIR(st.st_mode) ? mask_folder(m, target, e)
				: mask_file(m, target, e);
	return r < 0 ? err_wrap(e, r, "mask '%s'", path) : 0;
}

int ns_root_mask(int rootfd, char *const *paths, const char *label,
		 struct err *e)
{
	_cleanup_(masks_done) struct masks m = {
		.rootfd = rootfd,
		.label = label,
		.null = -1,
		.empty = -1,
	};

	STRV_FOREACH(path, paths) {
		int r = mask(&m, *path, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int protect(int rootfd, const char *path, struct err *e)
{
	const struct ns_attrs a = { .set = MOUNT_ATTR_RDONLY, .userns = -1 };
	autoclose int target = -1, tree = -1;
	int r;

	target = open_place(rootfd, path, e);
	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	tree = ns_tree_clone(target, "", NS_TREE_REC);
	r = tree < 0 ? err_code(e, tree, "bind")
		     : ns_tree_place(tree, &a, target, e);
	return r < 0 ? err_wrap(e, r, "make '%s' read-only", path) : 0;
}

int ns_root_readonly(int rootfd, char *const *paths, struct err *e)
{
	STRV_FOREACH(path, paths) {
		int r = protect(rootfd, *path, e);

		if (r < 0)
			return r;
	}
	return 0;
}

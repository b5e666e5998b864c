/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int set_attr(int tree, unsigned int flags, struct mount_attr *attr)
{
	if (!attr->attr_set && !attr->attr_clr && !attr->propagation)
		return 0;
	return mount_setattr(tree, "", AT_EMPTY_PATH | flags, attr,
			     sizeof(*attr)) < 0
		       ? -errno
		       : 0;
}

int ns_tree_clone(int dirfd, const char *path, unsigned int flags)
{
	unsigned int how = OPEN_TREE_CLONE;
	int fd;

	if (flags & NS_TREE_REC)
		how |= AT_RECURSIVE;
	if (flags & NS_TREE_NOFOLLOW)
		how |= AT_SYMLINK_NOFOLLOW;
	if (!*path)
		how |= AT_EMPTY_PATH;
	fd = open_tree(dirfd, path, how | OPEN_TREE_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* clang-format off */
static const struct {
	int code;
	const char *why;
} set_failures[] = {
	{ -ENOSYS, "needs Linux 5.12" },
	{ -EPERM,  "a locked attribute of the source cannot be cleared, or the file system cannot be idmapped here" },
};
/* clang-format on */

static int set_failed(int r, const struct ns_attrs *a, struct err *e)
{
	if (r == -EINVAL && a->userns >= 0)
		return err_set(
			e, r,
			"set mount attributes: the file system cannot be idmapped");
	for (size_t i = 0; i < ARRAY_SIZE(set_failures); i++)
		if (set_failures[i].code == r)
			return err_set(e, r, "set mount attributes: %s",
				       set_failures[i].why);
	return err_code(e, r, "set mount attributes");
}

/* At most two calls: one for the top, one for all, which has the last word. */
int ns_tree_set(int tree, const struct ns_attrs *a, struct err *e)
{
	struct mount_attr top = {
		.attr_set = a->set,
		.attr_clr = a->clear | a->unsaid,
	};
	struct mount_attr all = {
		.attr_set = a->rec_set,
		.attr_clr = a->rec_clear,
	};
	uint32_t kind = a->propagation & ~(uint32_t)MS_REC;
	int r;

	if (a->propagation & MS_REC)
		all.propagation = kind;
	else
		top.propagation = kind;
	if (a->userns >= 0) {
		struct mount_attr *m = a->idmap_rec ? &all : &top;

		m->attr_set |= MOUNT_ATTR_IDMAP;
		m->userns_fd = (uint64_t)a->userns;
	}

	r = set_attr(tree, 0, &top);
	if (r < 0 && a->unsaid) {
		top.attr_clr = a->clear;
		r = set_attr(tree, 0, &top);
	}
	if (r >= 0)
		r = set_attr(tree, AT_RECURSIVE, &all);
	return r < 0 ? set_failed(r, a, e) : 0;
}

static bool is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

int ns_tree_attach(int tree, int target, struct err *e)
{
	if (move_mount(tree, "", target, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
		return 0;
	if ((errno == EINVAL || errno == ENOTDIR) &&
	    is_folder(tree) != is_folder(target))
		return err_set(e, -ENOTDIR,
			       "attach: one is a folder, the other is not");
	return err_errno(e, "attach");
}

int ns_tree_place(int tree, const struct ns_attrs *a, int target, struct err *e)
{
	int r = ns_tree_set(tree, a, e);

	if (r < 0 && r != -ENOSYS)
		return r;
	if (r >= 0)
		return ns_tree_attach(tree, target, e);
	r = ns_tree_attach(tree, target, e);
	return r < 0 ? r : ns_tree_change(tree, a, e);
}

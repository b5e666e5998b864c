/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of an attached mount without mount_setattr(2), for Linux before
 * 5.12. mount(2) wants all flags at once, so that those a mount has already
 * are asked for first; it cannot idmap, and it cannot set attributes of what
 * is mounted below.
 */
#include <errno.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "base/path.h"
#include "namespaces/tree.h"

/* clang-format off */
static const struct {
	uint64_t attr;
	unsigned long ms;
	unsigned long st; /* of statvfs.f_flag */
} flags[] = {
	{ MOUNT_ATTR_RDONLY,     MS_RDONLY,     ST_RDONLY },
	{ MOUNT_ATTR_NOSUID,     MS_NOSUID,     ST_NOSUID },
	{ MOUNT_ATTR_NODEV,      MS_NODEV,      ST_NODEV },
	{ MOUNT_ATTR_NOEXEC,     MS_NOEXEC,     ST_NOEXEC },
	{ MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, ST_NODIRATIME },
};
/* clang-format on */

static unsigned long atime_flag(uint64_t set, uint64_t clear, unsigned long st)
{
	if (clear & MOUNT_ATTR__ATIME)
		st = set & MOUNT_ATTR_NOATIME	    ? ST_NOATIME
		     : set & MOUNT_ATTR_STRICTATIME ? 0
						    : ST_RELATIME;
	if (st & ST_NOATIME)
		return MS_NOATIME;
	return st & ST_RELATIME ? MS_RELATIME : MS_STRICTATIME;
}

static unsigned long new_flags(uint64_t set, uint64_t clear, unsigned long st)
{
	unsigned long ms = atime_flag(set, clear, st);

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		bool on = st & flags[i].st;

		if (clear & flags[i].attr)
			on = false;
		if (set & flags[i].attr)
			on = true;
		if (on)
			ms |= flags[i].ms;
	}
	return ms;
}

static int remount(int tree, uint64_t set, uint64_t clear, unsigned long st)
{
	char path[PATH_FD_MAX];

	return mount(NULL, path_of_fd(tree, path), NULL,
		     MS_REMOUNT | MS_BIND | new_flags(set, clear, st), NULL);
}

static int set_old(int tree, const struct ns_attrs *a, struct err *e)
{
	char path[PATH_FD_MAX];
	struct statvfs st;

	if (a->userns >= 0)
		return err_set(e, -ENOSYS, "idmapped mounts need Linux 5.12");
	if (a->rec_set || a->rec_clear)
		return err_set(e, -ENOSYS,
			       "recursive mount attributes need Linux 5.12");
	if ((a->set | a->clear) & MOUNT_ATTR_NOSYMFOLLOW)
		return err_set(e, -ENOSYS, "nosymfollow needs Linux 5.14");

	if (a->set || a->clear) {
		if (fstatvfs(tree, &st) < 0)
			return err_errno(e, "statfs");
		if (remount(tree, a->set, a->clear | a->unsaid, st.f_flag) <
			    0 &&
		    remount(tree, a->set, a->clear, st.f_flag) < 0)
			return err_errno(e, "set mount attributes");
	}
	if (a->propagation &&
	    mount(NULL, path_of_fd(tree, path), NULL, a->propagation, NULL) < 0)
		return err_errno(e, "set mount propagation");
	return 0;
}

int ns_tree_change(int tree, const struct ns_attrs *a, struct err *e)
{
	int r = ns_tree_set(tree, a, e);

	return r == -ENOSYS ? set_old(tree, a, e) : r;
}

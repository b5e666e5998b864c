/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a mount goes. The image, and containers that share a volume with this
 * one, may have put symlinks anywhere: the whole walk is openat2()'s, with the
 * container's root as "/", and the result is a descriptor, so that nothing that
 * happens to the path afterwards matters (CVE-2021-30465).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_priv.h"

/* Files of procfs that lxcfs and checkpointing put something else over. */
static const char *const proc_files[] = {
	"cpuinfo",
	"diskstats",
	"loadavg",
	"meminfo",
	"net/dev",
	"slabinfo",
	"stat",
	"swaps",
	"sys/crypto/fips_enabled",
	"sys/kernel/ns_last_pid",
	"uptime",
};

static bool is_procfs(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && st.f_type == PROC_SUPER_MAGIC;
}

static bool may_cover(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
		if (strcmp(proc_files[i], path) == 0)
			return true;
	return false;
}

/*
 * Whoever covers parts of procfs can make the runtime, which writes labels and
 * parameters there, write elsewhere (CVE-2019-16884, CVE-2025-52881). It is
 * the opened place that counts: a path may lead there through a link.
 */
static int check_proc(const struct ns_mount *m, int target, int tree,
		      struct err *e)
{
	if (str_eq(m->fstype, "proc"))
		return 0;
	if (strcmp(m->target, "/proc") == 0) {
		if (tree >= 0 && is_procfs(tree))
			return 0;
		return err_set(e, -EPERM, "only a procfs may be on '/proc'");
	}
	if (!is_procfs(target))
		return 0;
	if (str_starts(m->target, "/proc/") && may_cover(m->target + 6))
		return 0;
	return err_set(e, -EPERM, "'%s' is in the container's procfs",
		       m->target);
}

/* procfs and sysfs are what others rely on to be where they are said to be. */
static bool is_strict(const struct ns_mount *m)
{
	return str_eq(m->fstype, "proc") || str_eq(m->fstype, "sysfs");
}

/*
 * First without links, which is how it nearly always is: then the path says
 * where the place is, and nothing more has to be asked about it.
 */
static int open_target(const struct ns_mount *m, int rootfd, bool *ret_linked,
		       struct err *e)
{
	int flags = O_PATH, fd;

	if (m->flags & NS_MOUNT_NO_DST_LINK)
		flags |= O_NOFOLLOW;
	fd = path_open_in_root(rootfd, m->target, flags, RESOLVE_NO_SYMLINKS,
			       e);
	*ret_linked = fd == -ELOOP;
	if (fd != -ELOOP)
		return fd;
	if (is_strict(m))
		return err_set(e, fd, "a part of '%s' is a symbolic link",
			       m->target);
	return path_open_in_root(rootfd, m->target, flags, 0, e);
}

static int make_target(const struct ns_mount *m, int rootfd, int tree,
		       struct err *e)
{
	enum path_kind kind = PATH_DIR;
	struct stat st;

	if (tree >= 0) {
		if (fstat(tree, &st) < 0)
			return err_errno(e, "look at the source");
		kind = S_ISDIR(st.st_mode) ? PATH_DIR : PATH_FILE;
	}
	return path_make_in_root(rootfd, m->target, kind, e);
}

int ns_mount_target(const struct ns_mount *m, int rootfd, int tree,
		    bool *ret_made, struct err *e)
{
	autoclose int fd = -1;
	bool linked, made;
	int r = 0;

	fd = open_target(m, rootfd, &linked, e);
	made = fd == -ENOENT;
	if (made)
		fd = make_target(m, rootfd, tree, e);
	if (fd < 0)
		return fd;
	if (linked || path_below(m->target, "/proc"))
		r = check_proc(m, fd, tree, e);
	if (r < 0)
		return r;
	if (ret_made)
		*ret_made = made;
	return steal_fd(&fd);
}

int ns_mount_mode_of(int target, char ret[NS_MODE_MAX])
{
	struct stat st;

	if (fstat(target, &st) < 0)
		return -errno;
	(void)snprintf(ret, NS_MODE_MAX, "%04o", st.st_mode & 07777);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "namespaces/mount.h"

static bool is_mount_point(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, 0, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int open_point(const char *target, int rootfd, struct err *e)
{
	autoclose int fd = -1;

	fd = path_open_in_root(rootfd, target, O_PATH, 0, e);
	if (fd < 0)
		return fd;
	if (!is_mount_point(fd))
		return err_set(e, -EINVAL, "nothing is mounted on '%s'",
			       target);
	return steal_fd(&fd);
}

int ns_mount_check_point(const char *target, int rootfd, struct err *e)
{
	autoclose int fd = open_point(target, rootfd, e);

	return fd < 0 ? fd : 0;
}

int ns_mount_detach(const char *target, int rootfd, int procfd, struct err *e)
{
	autoclose int fd = -1;
	char link[PATH_FD_MAX];

	fd = open_point(target, rootfd, e);
	if (fd < 0)
		return fd;
	/* umount2(2) takes paths alone, and a path may have become another. */
	(void)snprintf(link, sizeof(link), "self/fd/%d", fd);
	if (fchdir(procfd) < 0)
		return err_errno(e, "enter the procfs");
	if (umount2(link, MNT_DETACH) < 0)
		return err_errno(e, "unmount '%s'", target);
	return 0;
}

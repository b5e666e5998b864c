/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

/* The root folder of every procfs. */
#define PROC_ROOT_INO 1

int proc_open_fs(struct err *e)
{
	autoclose int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return err_errno(e, "open '/proc'");
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "look at '/proc'");
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
		return err_set(e, -EPROTO, "'/proc' is not a procfs");
	return steal_fd(&fd);
}

/*
 * "self" and "thread-self" are links, and which process they mean depends on
 * the pid namespace of this procfs, not on ours: getpid() would not do. So
 * they are read; nothing can be mounted over a link.
 */
static int resolve_self(int procfd, const char *path, char buf[PATH_MAX])
{
	size_t head = strcspn(path, "/");
	char link[16], target[64];
	ssize_t n;

	if (!str_starts(path, "self/") && !str_starts(path, "thread-self/"))
		return snprintf(buf, PATH_MAX, "%s", path);
	(void)snprintf(link, sizeof(link), "%.*s", (int)head, path);
	n = readlinkat(procfd, link, target, sizeof(target));
	if (n < 0)
		return -errno;
	return snprintf(buf, PATH_MAX, "%.*s%s", (int)n, target, path + head);
}

int proc_open_file(int procfd, const char *path, int flags, struct err *e)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.resolve =
			RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	char resolved[PATH_MAX];
	int r = resolve_self(procfd, path, resolved);
	long fd;

	if (r >= PATH_MAX)
		r = -ENAMETOOLONG;
	if (r < 0)
		return err_code(e, r, "open '/proc/%s'", path);
	fd = syscall(SYS_openat2, procfd, resolved, &how, sizeof(how));
	return fd < 0 ? err_errno(e, "open '/proc/%s'", path) : (int)fd;
}

int proc_write_file(int procfd, const char *path, const char *text,
		    struct err *e)
{
	autoclose int fd = proc_open_file(procfd, path, O_WRONLY, e);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = TEMP_FAILURE_RETRY(write(fd, text, len));
	if (n < 0)
		return err_errno(e, "write '/proc/%s'", path);
	if ((size_t)n != len)
		return err_set(e, -EIO, "write '/proc/%s': %zd of %zu bytes",
			       path, n, len);
	return 0;
}

int proc_read_mounts(char **ret, struct err *e)
{
	return fd_read_file_at(AT_FDCWD, "/proc/self/mountinfo", 16U << 20, ret,
			       NULL, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/prefault.h"

/* clang-format off */
const struct ns_info ns_info[NS_KIND_N_] = {
	[NS_USER]   = { "user",    "user",   CLONE_NEWUSER },
	[NS_CGROUP] = { "cgroup",  "cgroup", CLONE_NEWCGROUP },
	[NS_IPC]    = { "ipc",     "ipc",    CLONE_NEWIPC },
	[NS_UTS]    = { "uts",     "uts",    CLONE_NEWUTS },
	[NS_NET]    = { "network", "net",    CLONE_NEWNET },
	[NS_PID]    = { "pid",     "pid",    CLONE_NEWPID },
	[NS_MNT]    = { "mount",   "mnt",    CLONE_NEWNS },
	[NS_TIME]   = { "time",    "time",   CLONE_NEWTIME },
};

const char *const ns_kind_names[] = {
	"user", "cgroup", "ipc", "uts", "network", "pid", "mount", "time", NULL,
};

static const struct json_field namespace_fields[] = {
	JSON_ENUM(struct ns_namespace, kind, "type", ns_kind_names,
		  .required = true, .always = true),
	JSON_STR(struct ns_namespace, path, "path"),
};

static const struct json_field time_offset_fields[] = {
	JSON_I64(struct ns_time_offset, secs, "secs"),
	JSON_U32(struct ns_time_offset, nanosecs, "nanosecs"),
};

/* What clone3() means by an errno, where errno's own words mislead. */
static const struct {
	int code;
	uint64_t flag; /* the sentence holds only with one of these; 0: always */
	const char *why;
} clone_failures[] = {
	{ ENOSYS, 0, "clone3 is missing: Linux 5.7 is needed, or a system call filter around us forbids it" },
	{ ENOSPC, 0, "too many namespaces: see /proc/sys/user/max_*_namespaces" },
	{ EUSERS, 0, "user namespaces are nested too deep" },
	{ EPERM, CLONE_NEWUSER, "user namespaces are not allowed here" },
	{ EPERM, 0, "new namespaces need CAP_SYS_ADMIN or a user namespace" },
	{ EINVAL, CLONE_NEWTIME, "this kernel lacks one of the namespaces" },
	{ EBUSY, CLONE_INTO_CGROUP, "the cgroup has controllers for its children and takes no processes" },
	{ EOPNOTSUPP, CLONE_INTO_CGROUP, "the cgroup's type takes no processes" },
	{ ENODEV, CLONE_INTO_CGROUP, "the cgroup was removed" },
};
/* clang-format on */

const struct json_table ns_namespace_table =
	JSON_TABLE(struct ns_namespace, namespace_fields);
const struct json_table ns_time_offset_table =
	JSON_TABLE(struct ns_time_offset, time_offset_fields);

static int clone_failed(int code, uint64_t flags, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(clone_failures); i++) {
		uint64_t need = clone_failures[i].flag;

		if (clone_failures[i].code == code && (!need || (flags & need)))
			return err_set(e, -code, "clone: %s",
				       clone_failures[i].why);
	}
	errno = code;
	return err_errno(e, "clone");
}

/*
 * The parent's pages of code are not inherited, its stack is only until it is
 * written to: nearly each call would be a page fault. At once, for the way
 * back to the caller has some, too.
 */
static void prefault_child(void)
{
	struct prefault code = prefault_code();
	struct prefault stack = prefault_stack();

	(void)madvise((void *)code.at, code.len, MADV_POPULATE_READ);
	(void)madvise((void *)stack.at, stack.len, MADV_POPULATE_WRITE);
}

pid_t ns_fork(const struct ns_clone *c, struct err *e)
{
	struct clone_args args = { .flags = c->flags };
	int pidfd = -1;
	long pid;

	/* A sibling dies to its own parent's signal, not to one we choose. */
	if (!(c->flags & CLONE_PARENT))
		args.exit_signal = SIGCHLD;
	if (c->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)c->cgroup_fd;
	}
	if (c->ret_pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	}

	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return clone_failed(errno, args.flags, e);
	if (pid == 0)
		prefault_child();
	if (pid > 0 && c->ret_pidfd)
		*c->ret_pidfd = pidfd;
	return (pid_t)pid;
}

int ns_open(const char *path, enum ns_kind kind, struct err *e)
{
	const struct ns_info *info = &ns_info[kind];
	autoclose int fd = -1;
	int type;

	/* Not to hang on a fifo, nor to get a terminal by accident. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, "open %s namespace '%s'", info->name, path);

	type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return err_set(e, -EINVAL, "'%s' is not a namespace", path);
	if ((uint64_t)type != info->flag)
		return err_set(e, -EINVAL, "'%s' is not a %s namespace", path,
			       info->name);
	return steal_fd(&fd);
}

int ns_open_of(pid_t pid, enum ns_kind kind, struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid,
		       ns_info[kind].file);
	return ns_open(path, kind, e);
}

/* Entering the user namespace one is in already is EINVAL to the kernel. */
static bool is_our_user_ns(int fd)
{
	struct stat ours, theirs;

	return stat("/proc/self/ns/user", &ours) == 0 &&
	       fstat(fd, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

static int join_user(int fd, struct err *e)
{
	if (setns(fd, CLONE_NEWUSER) == 0)
		return 0;
	if (errno == EINVAL && is_our_user_ns(fd))
		return 0;
	return err_errno(e, "join user namespace");
}

/*
 * Whether the user namespace must come first or last depends on who owns the
 * others: those of a rootless container are ours only inside of it, those that
 * the host shares with a container are ours only outside. So: everything that
 * can be joined from here, then the user namespace, then the rest.
 */
int ns_join(const int fds[NS_KIND_N_], struct err *e)
{
	bool joined[NS_KIND_N_] = { false };
	int r;

	for (int k = 0; k < NS_KIND_N_; k++) {
		if (k == NS_USER || fds[k] < 0)
			continue;
		joined[k] = setns(fds[k], (int)ns_info[k].flag) == 0;
		if (!joined[k] && fds[NS_USER] < 0)
			return err_errno(e, "join %s namespace",
					 ns_info[k].name);
	}
	if (fds[NS_USER] < 0)
		return 0;

	r = join_user(fds[NS_USER], e);
	if (r < 0)
		return r;
	for (int k = 0; k < NS_KIND_N_; k++) {
		if (k == NS_USER || fds[k] < 0 || joined[k])
			continue;
		if (setns(fds[k], (int)ns_info[k].flag) < 0)
			return err_errno(e, "join %s namespace",
					 ns_info[k].name);
	}
	return 0;
}

int ns_time_write(const struct ns_time_offset *v, size_t n, struct err *e)
{
	char text[256];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (strcmp(v[i].clock, "monotonic") != 0 &&
		    strcmp(v[i].clock, "boottime") != 0)
			return err_set(e, -EINVAL,
				       "time offset of an unknown clock '%s'",
				       v[i].clock);
		if (v[i].nanosecs >= 1000000000U)
			return err_set(
				e, -EINVAL,
				"time offset of '%s': a second or more of nanoseconds",
				v[i].clock);
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s %" PRId64 " %" PRIu32 "\n",
					v[i].clock, v[i].secs, v[i].nanosecs);
		if (len >= sizeof(text))
			return err_set(e, -E2BIG, "too many time offsets");
	}
	if (len == 0)
		return 0;
	return fd_write_small_at(AT_FDCWD, "/proc/self/timens_offsets", text,
				 e);
}

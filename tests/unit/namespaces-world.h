/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A world for tests that mount: a process of its own, in user, mount, network,
 * IPC, UTS and pid namespaces of its own, root in it, with a fresh procfs and
 * an empty tmpfs on /tmp. Its "host" is shared, as under systemd, so that what
 * leaks is seen. Everything ends with the process.
 *
 *	static void body(void) { CHECK(...); }
 *	TEST(it_works) { in_world(body); }
 *
 * Root keeps its user namespace (it may idmap, make nodes); in_user_world() is
 * always in one of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "namespaces/seccomp.h"
#include "tests/unit/tap.h"

/* Status of a world that this machine does not allow. */
#define WORLD_REFUSED 77

static inline int world_write(const char *path, const char *text)
{
	struct err e = { 0 };
	int r = fd_write_small_at(AT_FDCWD, path, text, &e);

	return CHECK_OK(r, &e) ? 0 : -1;
}

static inline int world_map_ids(uid_t uid, gid_t gid)
{
	char line[64];

	if (world_write("/proc/self/setgroups", "deny") < 0)
		return -1;
	(void)snprintf(line, sizeof(line), "0 %u 1", uid);
	if (world_write("/proc/self/uid_map", line) < 0)
		return -1;
	(void)snprintf(line, sizeof(line), "0 %u 1", gid);
	return world_write("/proc/self/gid_map", line);
}

/* The second process: pid 1 of the new pid namespace. */
static inline void world_inner(void (*body)(void))
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)umask(022);
	if (!CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) ||
	    !CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0) ||
	    !CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") == 0) ||
	    !CHECK(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0) ||
	    !CHECK(chdir("/tmp") == 0))
		return;
	body();
}

static inline void world_outer(void (*body)(void), bool user)
{
	int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		    CLONE_NEWPID;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int status = 0;
	pid_t pid;

	/* A test that is killed takes its world with it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (user || uid != 0)
		flags |= CLONE_NEWUSER;
	if (unshare(flags) < 0)
		_exit(WORLD_REFUSED);
	if ((flags & CLONE_NEWUSER) && world_map_ids(uid, gid) < 0)
		_exit(1);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		world_inner(body);
		_exit(tap_child_status());
	}
	(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
	if (!WIFEXITED(status))
		(void)tap_fail_(__FILE__, __LINE__, "killed by signal %d",
				WTERMSIG(status));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static inline void world_run(void (*body)(void), bool user)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		world_outer(body, user);
	REQUIRE(pid > 0);
	(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORLD_REFUSED)
		SKIP("namespaces are not allowed here");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		tap_.failed++; /* it has said why */
}

static inline void in_world(void (*body)(void))
{
	world_run(body, false);
}

static inline void in_user_world(void (*body)(void))
{
	world_run(body, true);
}

/*
 * A folder of the disk, bound on path in the world: a tmpfs can be idmapped
 * only since Linux 6.3. For what in_world_with_disk() runs.
 */
static char world_disk_[] = "/var/tmp/moat-test-XXXXXX";

static inline void world_disk(const char *path)
{
	struct err e = { 0 };

	(void)CHECK_OK(path_make_dirs(path, 0755, &e), &e);
	(void)CHECK(chmod(world_disk_, 0755) == 0);
	(void)CHECK(mount(world_disk_, path, NULL, MS_BIND, NULL) == 0);
}

static inline void in_world_with_disk(void (*body)(void))
{
	struct err e = { 0 };

	(void)snprintf(world_disk_, sizeof(world_disk_), "%s",
		       "/var/tmp/moat-test-XXXXXX");
	if (!CHECK(mkdtemp(world_disk_) != NULL))
		return;
	in_world(body);
	(void)CHECK_OK(path_remove_tree(AT_FDCWD, world_disk_, &e), &e);
}

/* --- words for what is looked at ------------------------------------------*/

static inline void world_dir(const char *path)
{
	struct err e = { 0 };

	(void)CHECK_OK(path_make_dirs(path, 0755, &e), &e);
}

static inline void world_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	(void)CHECK(fd >= 0 &&
		    write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

static inline bool world_has(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline unsigned long world_flags(const char *path)
{
	struct statvfs st;

	return statvfs(path, &st) == 0 ? st.f_flag : ~0UL;
}

/* The content of a small file; "" when it cannot be read. */
static inline const char *world_text(const char *path)
{
	static char text[4096];

	if (fd_read_small_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		text[0] = '\0';
	return text;
}

/* The line of mountinfo whose mount point is path (the last one), or NULL. */
static inline const char *world_mount(const char *path)
{
	static char line[4096];
	char each[4096], want[PATH_MAX];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	line[0] = '\0';
	(void)snprintf(want, sizeof(want), " %s ", path);
	while (f && fgets(each, sizeof(each), f)) {
		char *point = each;

		for (int i = 0; i < 4 && point; i++)
			point = strchr(point + 1, ' ');
		if (point && strncmp(point, want, strlen(want)) == 0)
			(void)snprintf(line, sizeof(line), "%s", each);
	}
	if (f)
		(void)fclose(f);
	return line[0] ? line : NULL;
}

/* The lowest free descriptor: the same before and after means none leaked. */
static inline int world_next_fd(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	(void)close(fd);
	return fd;
}

/* --- an older kernel ------------------------------------------------------*/

/* From here on the kernel answers ENOSYS to this system call. */
static inline void world_without(const char *name)
{
	char *names[] = { (char *)name, NULL };
	struct ns_seccomp_rule rule = {
		.names = names,
		.action = (char *)"SCMP_ACT_ERRNO",
		.errno_ret = { .set = true, .v = ENOSYS },
	};
	const struct ns_seccomp s = {
		.default_action = (char *)"SCMP_ACT_ALLOW",
		.rules = { .v = &rule, .n = 1 },
	};
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };
	int listener;

	if (!CHECK_OK(ns_seccomp_compile(&s, -1, &p, &e), &e))
		return;
	(void)CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	(void)CHECK_OK(ns_seccomp_load(&p, &listener, &e), &e);
	ns_seccomp_program_done(&p);
}

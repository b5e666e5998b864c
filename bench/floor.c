/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: what the kernel itself must do for `run` of the bench's bundle,
 * in a straight line. No configuration is read, nothing is checked, nothing
 * can be undone; a runtime that needs as long does nothing in vain.
 *
 *	floor ROOTFS CGROUP-FOLDER
 *
 * The same namespaces, mounts, nodes, masked and read-only paths, limits and
 * capabilities as the bundle in bench/bundle.c, by the same new mount API.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

/* The line that failed is all that a reader of the bench needs. */
#define DO(call)                                                               \
	do {                                                                   \
		if ((call) < 0) {                                              \
			(void)fprintf(stderr, "floor: %s: %s\n", #call,        \
				      strerrordesc_np(errno));                 \
			_exit(125);                                            \
		}                                                              \
	} while (0)

struct fs {
	const char *type, *target;
	const char *options[5][2];
	unsigned int attr;
};

/* clang-format off */
static const struct fs filesystems[] = {
	{ "proc",   "proc",       { { NULL } }, 0 },
	{ "tmpfs",  "dev",        { { "mode", "755" }, { "size", "65536k" } }, MOUNT_ATTR_NOSUID },
	{ "devpts", "dev/pts",    { { "ptmxmode", "0666" }, { "mode", "0620" }, { "gid", "5" } }, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC },
	{ "tmpfs",  "dev/shm",    { { "mode", "1777" }, { "size", "65536k" } }, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC },
	{ "mqueue", "dev/mqueue", { { NULL } }, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC },
	{ "sysfs",  "sys",        { { NULL } }, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY },
};

static const struct {
	const char *path;
	unsigned int major, minor;
} nodes[] = {
	{ "dev/null", 1, 3 },   { "dev/zero", 1, 5 },    { "dev/full", 1, 7 },
	{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
};

static const char *const links[][2] = {
	{ "/proc/self/fd", "dev/fd" },       { "/proc/self/fd/0", "dev/stdin" },
	{ "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" },
	{ "pts/ptmx", "dev/ptmx" },
};

static const char *const masked[] = {
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug", "/sys/firmware", "/proc/scsi",
};

static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	"/proc/sysrq-trigger",
};
/* clang-format on */

static void mount_fs(const struct fs *f)
{
	int fs, tree;

	DO(fs = fsopen(f->type, FSOPEN_CLOEXEC));
	for (int i = 0; f->options[i][0]; i++)
		DO(fsconfig(fs, FSCONFIG_SET_STRING, f->options[i][0],
			    f->options[i][1], 0));
	DO(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	DO(tree = fsmount(fs, FSMOUNT_CLOEXEC, f->attr));
	(void)close(fs);
	(void)mkdir(f->target, 0755);
	DO(move_mount(tree, "", AT_FDCWD, f->target, MOVE_MOUNT_F_EMPTY_PATH));
	(void)close(tree);
}

static void make_dev(void)
{
	(void)umask(0);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		DO(mknod(nodes[i].path, S_IFCHR | 0666,
			 makedev(nodes[i].major, nodes[i].minor)));
	(void)umask(022);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		DO(symlink(links[i][0], links[i][1]));
}

static void bind_on(int tree, const char *path)
{
	DO(move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
	(void)close(tree);
}

static int clone_tree(const char *path)
{
	return open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static void hide_paths(void)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	struct stat st;
	int tree;

	for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
		if (stat(masked[i], &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			DO(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL));
			continue;
		}
		DO(tree = clone_tree("/dev/null"));
		bind_on(tree, masked[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(readonly); i++) {
		tree = clone_tree(readonly[i]);
		if (tree < 0)
			continue;
		DO(mount_setattr(tree, "", AT_EMPTY_PATH, &ro, sizeof(ro)));
		bind_on(tree, readonly[i]);
	}
	DO(mount_setattr(AT_FDCWD, "/", 0, &ro, sizeof(ro)));
}

static void drop_rights(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2] = { 0 };
	uint32_t keep = 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE |
			1U << CAP_AUDIT_WRITE;

	for (unsigned long c = 0; c <= CAP_LAST_CAP; c++)
		if (c >= 32 || !(keep & 1U << c))
			DO(prctl(PR_CAPBSET_DROP, c, 0, 0, 0));
	caps[0].effective = caps[0].permitted = keep;
	DO(syscall(SYS_capset, &h, caps));
	DO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

NORETURN static void child(int root)
{
	static char *const argv[] = { (char *)"/bin/true", NULL };
	static char *const env[] = { NULL };
	struct rlimit files = { .rlim_cur = 1024, .rlim_max = 1024 };

	DO(setsid());
	DO(sethostname("bench", 5));
	DO(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
	DO(move_mount(root, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH));
	DO(fchdir(root));
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
		mount_fs(&filesystems[i]);
	make_dev();
	DO(syscall(SYS_pivot_root, ".", "."));
	DO(umount2(".", MNT_DETACH));
	hide_paths();
	DO(setrlimit(RLIMIT_NOFILE, &files));
	drop_rights();
	(void)execve(argv[0], argv, env);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct clone_args c = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
			 CLONE_NEWUTS | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
	};
	int root, group, status;
	long pid;

	if (argc != 3)
		return 2;
	DO(mkdir(argv[2], 0755));
	DO(group = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC));
	DO(root = open_tree(AT_FDCWD, argv[1],
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	c.cgroup = (uint64_t)group;
	DO(pid = syscall(SYS_clone3, &c, sizeof(c)));
	if (pid == 0)
		child(root);
	DO(waitpid((pid_t)pid, &status, 0));
	DO(rmdir(argv[2]));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Queues, connections, and whatever else; far more than is ever open. With a
 * shared folder each file that the guest knows is one, and as many as the
 * kernel lets us (fs.nr_open) are just enough. */
#define MAX_FILES	 4096
#define MAX_SHARED_FILES (1U << 20)

struct jail {
	unsigned int flags;
	struct __user_cap_data_struct caps[2];
};

static bool has_cap(const struct jail *j, unsigned int cap)
{
	return j->caps[cap / 32].effective & (1U << cap % 32);
}

static int read_caps(struct jail *j, struct err *e)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	if (syscall(SYS_capget, &h, j->caps) < 0)
		return err_errno(e, "read our capabilities");
	return 0;
}

/* Guest memory and what the guest knows are nobody else's business. */
static int forbid_dumps(struct jail *j, struct err *e)
{
	struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno(e, "forbid core dumps");
	return setrlimit(RLIMIT_CORE, &none) < 0
		       ? err_errno(e, "forbid core dumps")
		       : 0;
}

static bool raise_files(const struct jail *j)
{
	const struct rlimit most = { MAX_SHARED_FILES, MAX_SHARED_FILES };

	return j->flags & JAIL_FOR_SHARES &&
	       setrlimit(RLIMIT_NOFILE, &most) == 0;
}

static int limit_files(struct jail *j, struct err *e)
{
	rlim_t max = j->flags & JAIL_FOR_SHARES ? MAX_SHARED_FILES : MAX_FILES;
	struct rlimit now, want;

	if (raise_files(j))
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return err_errno(e, "read the limit of open files");
	want.rlim_max = MIN_OF(now.rlim_max, max);
	want.rlim_cur = want.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &want) < 0)
		return err_errno(e, "limit open files");
	return 0;
}

/* An empty file system that nothing can be written to, mounted nowhere. */
static int make_nothing(struct err *e)
{
	autoclose int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return err_errno(e, "open an empty file system");
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_errno(e, "make an empty file system");
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			     MOUNT_ATTR_NOEXEC);
	return fd < 0 ? err_errno(e, "mount an empty file system") : fd;
}

/* The working directory as a mount of its own: its ".." is itself. */
static int pin_cwd(struct err *e)
{
	int fd = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd < 0 ? err_errno(e, "pin the working directory") : fd;
}

/*
 * The second wall: without capabilities we could not leave the root, and by
 * the filters not open a file in it. Whoever has no right to mount goes
 * without; the runtime gives it.
 */
static int leave_files(struct jail *j, struct err *e)
{
	autoclose int nothing = -1, cwd = -1;

	if (!has_cap(j, CAP_SYS_ADMIN) || !has_cap(j, CAP_SYS_CHROOT))
		return 0;
	nothing = make_nothing(e);
	if (nothing < 0)
		return nothing;
	if (j->flags & JAIL_KEEP_CWD) {
		cwd = pin_cwd(e);
		if (cwd < 0)
			return cwd;
	}
	if (fchdir(nothing) < 0 || chroot(".") < 0)
		return err_errno(e, "enter the empty file system");
	if (cwd >= 0 && fchdir(cwd) < 0)
		return err_errno(e, "return to the working directory");
	return 0;
}

static int forbid_gaining(struct jail *j, struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "forbid new privileges");
	return 0;
}

/*
 * What a server of files needs: to give them to others, to do what their
 * owners may, to make them in somebody's name. CAP_SYS_ADMIN is not among
 * them: a guest sets no attributes in "trusted.".
 */
static const uint8_t share_caps[] = {
	CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
	CAP_SETGID, CAP_SETUID,	      CAP_MKNOD,  CAP_SETFCAP,
};
/* And its thread, on its way to its root. */
static const uint8_t way_caps[] = { CAP_SYS_CHROOT, CAP_SETPCAP };

static void keep(struct __user_cap_data_struct caps[2], const uint8_t *list,
		 size_t n)
{
	for (size_t i = 0; i < n; i++)
		caps[list[i] / 32].permitted |= 1U << list[i] % 32;
}

/* Of what we have, no more than what is permitted in want. */
static int set_caps(struct __user_cap_data_struct want[2], struct err *e)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct now[2];

	if (syscall(SYS_capget, &h, now) < 0)
		return err_errno(e, "read our capabilities");
	for (size_t i = 0; i < 2; i++) {
		want[i].permitted &= now[i].permitted;
		want[i].effective = want[i].permitted;
	}
	return syscall(SYS_capset, &h, want) < 0
		       ? err_errno(e, "drop capabilities")
		       : 0;
}

int jail_set_caps(enum jail_role role, struct err *e)
{
	struct __user_cap_data_struct caps[2] = { 0 };

	if (role == JAIL_SHARE)
		keep(caps, share_caps, ARRAY_SIZE(share_caps));
	return set_caps(caps, e);
}

static int drop_caps(struct jail *j, struct err *e)
{
	struct __user_cap_data_struct caps[2] = { 0 };

	if (j->flags & JAIL_FOR_SHARES) {
		keep(caps, share_caps, ARRAY_SIZE(share_caps));
		keep(caps, way_caps, ARRAY_SIZE(way_caps));
	}
	/* While we have the right to; where not, they are out of reach. */
	for (unsigned int cap = 0;
	     has_cap(j, CAP_SETPCAP) && cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return err_errno(e, "drop capability %u for good", cap);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_errno(e, "drop ambient capabilities");
	return set_caps(caps, e);
}

static const struct {
	const char *name;
	int (*run)(struct jail *j, struct err *e);
} steps[] = {
	{ "capabilities", read_caps },
	{ "dumps", forbid_dumps },
	{ "files", limit_files },
	{ "root", leave_files },	  /* needs capabilities */
	{ "privileges", forbid_gaining }, /* the filters depend on it */
	{ "capabilities", drop_caps },	  /* last: all above may need some */
};

int jail_enter(unsigned int flags, struct err *e)
{
	struct jail j = { .flags = flags };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++) {
		r = steps[i].run(&j, e);
		if (r < 0)
			(void)err_wrap(e, r, "jail: %s", steps[i].name);
	}
	return r;
}

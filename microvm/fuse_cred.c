/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/fuse_priv.h"

/* Descriptors for whatever is no node: open files, connections. */
#define SPARE_FILES 1024U

/*
 * What a thread may do. All of this is the thread's own: the calls are made
 * raw where the C library would make every thread follow.
 *
 * A file is made with the user's ids, but with the rights of the server: the
 * guest's kernel has judged already, and knows the user's other groups, which
 * we do not. SECBIT_NO_SETUID_FIXUP says so: ids change, capabilities do not.
 */
static int read_caps(struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return (int)syscall(SYS_capget, &h, caps);
}

static int write_caps(const struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return (int)syscall(SYS_capset, &h, caps);
}

static bool has_cap(const struct __user_cap_data_struct caps[2],
		    unsigned int cap)
{
	return caps[cap / 32].effective & (1U << cap % 32);
}

/* The folder becomes the thread's root: ".." ends there, even for a thread
 * that somebody else has taken over. */
static int enter_folder(const struct fuse *f, struct err *e)
{
	if (fchdir(f->dir) < 0 || chroot(".") < 0)
		return err_errno(e, "enter the shared folder");
	return 0;
}

/* A guest that looks at everything must still be able to open something. */
static void limit_nodes(struct fuse *f)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur < FUSE_NODES_MAX + SPARE_FILES)
		f->max_nodes = (uint32_t)(files.rlim_cur > 2 * SPARE_FILES
						  ? files.rlim_cur - SPARE_FILES
						  : files.rlim_cur / 2);
}

int fuse_enter(struct fuse *f, bool jailed, struct err *e)
{
	struct __user_cap_data_struct caps[2] = { 0 };
	int r = 0;

	if (read_caps(caps) < 0)
		return err_errno(e, "read the thread's capabilities");
	if (unshare(CLONE_FS) < 0)
		return err_errno(e, "give a thread its own working directory");
	if (jailed && has_cap(caps, CAP_SYS_CHROOT))
		r = enter_folder(f, e);
	if (r < 0)
		return r;
	if (fchdir(f->self) < 0)
		return err_errno(e, "enter the folder of descriptors");
	f->prefix = "";
	limit_nodes(f);
	/* The guest's kernel has applied its own. */
	(void)umask(0);
	if (has_cap(caps, CAP_SETPCAP) &&
	    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return err_errno(e, "keep capabilities over changes of ids");
	return 0;
}

/* They give what was before, and say nothing about success. */
static uint32_t set_id(long call, uint32_t id)
{
	(void)syscall(call, id);
	return (uint32_t)syscall(call, UINT32_MAX);
}

int fuse_cred_begin(const struct fuse_rq *rq)
{
	if (set_id(SYS_setfsgid, rq->h.gid) == rq->h.gid &&
	    set_id(SYS_setfsuid, rq->h.uid) == rq->h.uid)
		return 0;
	fuse_cred_end();
	return -EPERM;
}

void fuse_cred_end(void)
{
	(void)syscall(SYS_setfsuid, geteuid());
	(void)syscall(SYS_setfsgid, getegid());
}

/* Effective or not; that it stays permitted brings it back. */
static void set_fsetid(bool on)
{
	struct __user_cap_data_struct caps[2] = { 0 };
	uint32_t bit = 1U << CAP_FSETID;

	if (read_caps(caps) < 0 || !(caps[0].permitted & bit))
		return;
	caps[0].effective =
		on ? caps[0].effective | bit : caps[0].effective & ~bit;
	(void)write_caps(caps);
}

void fuse_setid_begin(bool kill)
{
	if (kill)
		set_fsetid(false);
}

void fuse_setid_end(bool kill)
{
	if (kill)
		set_fsetid(true);
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The monitor's jail. A guest that takes over the monitor finds a process
 * without capabilities, that can gain none, sees an empty file system, and
 * whose every thread may make just the system calls that its work needs;
 * another one kills the process (SIGSYS).
 *
 *	jail_enter()	  once set up, before the first thread
 *	jail_filter()	  by each thread, for its role; cannot be undone
 *
 * What the system calls work on was opened before: no role may open files but
 * JAIL_SHARE, whose root is the shared folder (fuse_enter()). It is also the
 * only one that keeps capabilities: those that a server of other users' files
 * cannot do without. jail_enter() leaves them, and what the way to that root
 * takes, to all threads until their jail_filter().
 */
#include "base/err.h"

enum jail_role {
	JAIL_VCPU,
	JAIL_DEVICE,
	JAIL_DISK,
	JAIL_SHARE,
	JAIL_N_,
};

enum {
	/* The working directory stays what it is, without a way up. */
	JAIL_KEEP_CWD = 1 << 0,
	/* There will be threads with the role JAIL_SHARE. */
	JAIL_FOR_SHARES = 1 << 1,
};

MUST_CHECK int jail_enter(unsigned int flags, struct err *e);
/* Part of jail_filter(). */
MUST_CHECK int jail_set_caps(enum jail_role role, struct err *e);
MUST_CHECK int jail_filter(enum jail_role role, struct err *e);

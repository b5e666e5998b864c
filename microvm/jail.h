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
 * What the system calls work on was opened before: no role may open files.
 */
#include "base/err.h"

enum jail_role {
	JAIL_VCPU,
	JAIL_DEVICE,
	JAIL_DISK,
	JAIL_N_,
};

/* keep_cwd: the working directory stays what it is, without a way up. */
MUST_CHECK int jail_enter(bool keep_cwd, struct err *e);
MUST_CHECK int jail_filter(enum jail_role role, struct err *e);

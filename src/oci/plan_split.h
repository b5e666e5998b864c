/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A micro-VM's plan in two: what the host does, and what the guest does with
 * the very same code. Pure, like plan_make().
 *
 *	host				guest
 *	----				-----
 *	namespaces around the monitor	namespaces around the program
 *	network, its links as taps	their addresses and routes
 *	cgroup with RAM and overhead	cgroup with the program's own limits
 *	disks, opened			their nodes, by serial number
 *	root and binds, put together	proc, sys, tmpfs ...; the binds, from
 *	  in one folder that is shared	  the share, in the order they stand
 *	createRuntime and other hooks	startContainer hooks
 *	oom_score, scheduling		user, capabilities, seccomp, rlimits
 *
 * The shared folder has "root" and, for the i-th mount when it is a bind,
 * "mI". The guest sees it at PLAN_SHARE. What a guest cannot have (the host's
 * network, a device of the host, a profile of the host's AppArmor) is refused
 * or left to the monitor's own confinement; each place says which.
 */
#include "src/oci/plan.h"

/* The i-th disk's serial number, by which the guest knows it. */
#define PLAN_DISK_SERIAL "moat-%zu"

#define PLAN_SHARE	"/host"
#define PLAN_SHARE_ROOT "root"

/* rootless: whoever executes the host's half is not root of the host. */
MUST_CHECK int plan_split(const struct plan *p, bool rootless,
			  struct plan *ret_host, struct plan *ret_guest,
			  struct err *e);
/* The same for the process of an exec: that which waits for it here, and it. */
MUST_CHECK int plan_split_process(const struct plan_process *p,
				  struct plan_process *ret_host,
				  struct plan_process *ret_guest,
				  struct err *e);
/* The limits of `update`, for a machine that runs; p: the whole plan. Refused:
 * more RAM or vCPUs than it was made with. */
MUST_CHECK int plan_split_update(const struct plan *p,
				 const struct cg_limits *asked,
				 struct cg_limits *ret_host,
				 struct cg_limits *ret_guest, struct err *e);

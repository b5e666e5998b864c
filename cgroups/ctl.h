/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The kernel's controllers, by the names of cgroup v2; sets of them are masks
 * of CG_BIT(). */
#include "base/util.h"

enum cg_ctl {
	CG_CTL_CPU,
	CG_CTL_CPUSET,
	CG_CTL_MEMORY,
	CG_CTL_IO,
	CG_CTL_PIDS,
	CG_CTL_HUGETLB,
	CG_CTL_RDMA,
	CG_CTL_MISC,
	CG_CTL_DMEM,
	/* With v1 only. */
	CG_CTL_CPUACCT,
	CG_CTL_DEVICES,
	CG_CTL_FREEZER,
	CG_CTL_NET_CLS,
	CG_CTL_NET_PRIO,
	CG_CTL_PERF_EVENT,
	CG_CTL_SYSTEMD, /* no controller: by it systemd knows who is where */
	/* Files that are there without a controller: cgroup.*, cpu.stat. */
	CG_CTL_CORE,
	CG_CTL_N_,
};

#define CG_BIT(ctl) (1U << (ctl))

/* Without which cg_config.account is not done. */
#define CG_CTL_ACCOUNT                                                         \
	(CG_BIT(CG_CTL_CPU) | CG_BIT(CG_CTL_MEMORY) | CG_BIT(CG_CTL_IO) |      \
	 CG_BIT(CG_CTL_PIDS))

const char *cg_ctl_name(enum cg_ctl ctl);
/* By the first len bytes of name; CG_CTL_N_ when there is none such. */
enum cg_ctl cg_ctl_find(const char *name, size_t len);

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/ctl.h"

#include <string.h>

static const char *const names[] = {
	[CG_CTL_CPU] = "cpu",
	[CG_CTL_CPUSET] = "cpuset",
	[CG_CTL_MEMORY] = "memory",
	[CG_CTL_IO] = "io",
	[CG_CTL_PIDS] = "pids",
	[CG_CTL_HUGETLB] = "hugetlb",
	[CG_CTL_RDMA] = "rdma",
	[CG_CTL_MISC] = "misc",
	[CG_CTL_DMEM] = "dmem",
	[CG_CTL_CPUACCT] = "cpuacct",
	[CG_CTL_DEVICES] = "devices",
	[CG_CTL_FREEZER] = "freezer",
	[CG_CTL_NET_CLS] = "net_cls",
	[CG_CTL_NET_PRIO] = "net_prio",
	[CG_CTL_PERF_EVENT] = "perf_event",
	[CG_CTL_SYSTEMD] = "name=systemd",
	[CG_CTL_CORE] = "cgroup",
};

const char *cg_ctl_name(enum cg_ctl ctl)
{
	return ctl < CG_CTL_N_ ? names[ctl] : "?";
}

enum cg_ctl cg_ctl_find(const char *name, size_t len)
{
	for (unsigned int i = 0; i < CG_CTL_N_; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return (enum cg_ctl)i;
	}
	return CG_CTL_N_;
}

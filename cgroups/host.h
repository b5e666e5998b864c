/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the host mounted where. On a v2-only host that is one statfs(2); only
 * elsewhere the mount table is read.
 */
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/v1.h"

struct cg_host {
	char *v2; /* mount point, NULL when none is mounted */
	struct cg_v1_host v1;
};

MUST_CHECK int cg_host_find(struct cg_host *ret, struct err *e);
void cg_host_done(struct cg_host *h);

/* From the text of a mountinfo file. verify: what is listed must be what is
 * seen at that place: another mount may lie over it. */
MUST_CHECK int cg_host_parse(const char *mountinfo, bool verify,
			     struct cg_host *ret, struct err *e);

/* /proc/<pid>/cgroup; pid 0: our own. */
MUST_CHECK int cg_host_membership(pid_t pid, char **ret, struct err *e);
/* The path behind "0::" there, the caller's to free; NULL when there is none
 * or it lies outside our cgroup namespace. */
MUST_CHECK int cg_host_v2_path(const char *membership, char **ret,
			       struct err *e);

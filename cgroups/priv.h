/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a struct cg consists of. A group stands in up to two kinds of trees:
 * the v2 one (fd >= 0) and any number of v1 hierarchies (v1.n > 0). Processes
 * are found, frozen and killed in the v2 group where there is one; limits are
 * written where their controller is.
 */
#include "cgroups/cg.h"
#include "cgroups/host.h"
#include "cgroups/systemd.h"
#include "cgroups/v1.h"

struct cg {
	int driver;

	char *mount;	 /* of cgroup2; NULL until it is needed */
	char *path;	 /* the group, below mount */
	int fd;		 /* O_PATH; -1 when there is no v2 group */
	bool unfinished; /* cg_finish() has to come */
	bool made;	 /* by us, just now: not found there */
	bool foreign;	 /* a user manager's: we may not clone into it */
	bool itself;	 /* cg_join_prepare(): a process joins by itself */
	char *below;	 /* where in the unit: "/a/b"; NULL: it itself */

	struct cg_v1 v1;
	uint64_t oom_kills; /* as last read */
	int log;	    /* the kernel's, for kills that systemd hides */
	uint64_t log_kills; /* by the lines read so far */
	struct cg_unit unit;
};

MUST_CHECK int cg_paths_add(struct cg_paths *p, const char *controllers,
			    const char *path, struct err *e);
/* An empty handle. */
MUST_CHECK int cg_new(int driver, struct cg **ret, struct err *e);

/*
 * Writes the limits (limits.h) and device rules. held_v1: the controllers that
 * this host has in v1 hierarchies. update: the group is in use; all or none.
 */
MUST_CHECK int cg_write_limits(struct cg *cg, const struct cg_host *host,
			       const struct cg_limits *limits, bool update,
			       struct err *e);

/* The limits as systemd has to hear them: read from the files, where the limits
 * alone do not tell. ret borrows from l. */
MUST_CHECK int cg_told(const struct cg *cg, uint32_t held_v1,
		       const struct cg_limits *l, struct cg_limits *ret,
		       struct err *e);

/* A line of the kernel's log that tells of a kill for memory in the group or
 * below it; group: the last part of its path, with the slash. */
bool cg_oom_line(const char *line, const char *group);

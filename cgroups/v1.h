/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cgroup v1, and the v1 half of hybrid hosts: one tree per set of controllers,
 * each with its own membership. The only header by which v1 is reached; its
 * code is in v1*.c.
 *
 * A process that another one moves into a v1 group waits for an RCU grace
 * period (15 ms). One that moves itself does not, which is why members join by
 * cg_v1_join_self() wherever they can.
 */
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/cg.h"
#include "cgroups/ctl.h"
#include "cgroups/limits.h"
#include "cgroups/set.h"

struct cg_v1_mount {
	uint32_t controllers;
	char *names; /* "cpu,cpuacct", "name=systemd" */
	char *point;
	char *root; /* what of the hierarchy is mounted there */
};

struct cg_v1_host {
	struct cg_v1_mount *v;
	size_t n;
	uint32_t controllers; /* of all */
};

/* From a line of mountinfo; a hierarchy that is known already is skipped. */
MUST_CHECK int cg_v1_host_add(struct cg_v1_host *h, const char *root,
			      const char *point, const char *options,
			      struct err *e);
void cg_v1_host_done(struct cg_v1_host *h);
/* "cpu,cpuacct" -> bits; words that are no controllers do not count. */
uint32_t cg_v1_list_controllers(const char *list);

struct cg_v1_group {
	uint32_t controllers;
	char *names;
	char *path;
	int fd;	   /* O_PATH */
	int tasks; /* cg_v1_prepare(); or -1 */
	bool made; /* by cg_v1_make(), not found there */
};

struct cg_v1 {
	struct cg_v1_group *v;
	size_t n;
};

struct cg_v1_place {
	const char *path;	/* as in struct cg_place */
	bool relative;		/* to our own group in each hierarchy */
	const char *membership; /* /proc/self/cgroup when relative */
	bool shared;		/* others may be in it */
	bool may_be_frozen;	/* nobody is to enter it */
};

/* Where the group of that place is seen. */
MUST_CHECK int cg_v1_group_path(const struct cg_v1_mount *m,
				const struct cg_v1_place *place, char **ret,
				struct err *e);
/* The same for the line "4:memory:/a/b" of a /proc/PID/cgroup; NULL when
 * there is no such line. */
char *cg_v1_member_path(const struct cg_v1_mount *m, const char *membership);

/* Makes the groups for the controllers in mask that have none yet; all-purpose
 * (mask has no controller of this host): any one hierarchy, so that processes
 * can be found. On failure those made by the call are removed. */
MUST_CHECK int cg_v1_make(struct cg_v1 *v1, const struct cg_v1_host *h,
			  uint32_t mask, const struct cg_v1_place *place,
			  struct err *e);
/* Those of the groups at place that are there, in any hierarchy. */
MUST_CHECK int cg_v1_find(struct cg_v1 *v1, const struct cg_v1_host *h,
			  const struct cg_v1_place *place, struct err *e);
/* One that was made before; gone: -ENOENT. */
MUST_CHECK int cg_v1_open(struct cg_v1 *v1, const char *names, const char *path,
			  struct err *e);
/* Removes those that cg_v1_make() made, and lets go of all. */
void cg_v1_unmake(struct cg_v1 *v1);
void cg_v1_done(struct cg_v1 *v1);

/* What a group without a v2 twin needs to be steered. */
#define CG_V1_STEER (CG_BIT(CG_CTL_FREEZER) | CG_BIT(CG_CTL_DEVICES))

/* The controllers that share a hierarchy with ctl, itself included. */
uint32_t cg_v1_host_with(const struct cg_v1_host *h, enum cg_ctl ctl);

/* -1: no group for that controller. */
int cg_v1_fd(const struct cg_v1 *v1, enum cg_ctl ctl);
uint32_t cg_v1_controllers(const struct cg_v1 *v1);

/* first: of the groups, the first to join; 0 for all. */
MUST_CHECK int cg_v1_join(const struct cg_v1 *v1, size_t first, pid_t pid,
			  struct err *e);
/* For cg_v1_join_self(): what a process needs to move itself. All or none. */
MUST_CHECK int cg_v1_prepare(struct cg_v1 *v1, struct err *e);
void cg_v1_unprepare(struct cg_v1 *v1);
MUST_CHECK int cg_v1_join_self(const struct cg_v1 *v1, struct err *e);
MUST_CHECK int cg_v1_chown(const struct cg_v1 *v1, uid_t uid, gid_t gid,
			   struct err *e);

/* One of these controllers ("cpu,cpuacct", of this length) has a group. */
bool cg_v1_has(const struct cg_v1 *v1, const char *list, size_t len);
/* The groups of "controllers:path" (or "path", in all) below v1. */
MUST_CHECK int cg_v1_sub(const struct cg_v1 *v1, char *const *subs,
			 struct cg_v1 *ret, struct err *e);
/* The groups that a process is in, by /proc/PID/cgroup; at or below ours. */
MUST_CHECK int cg_v1_of(const struct cg_v1 *v1, const struct cg_v1_host *h,
			const char *membership, struct cg_v1 *ret,
			struct err *e);

extern const struct cg_limit_tables cg_limits_v1;

/* Quota and period in force. */
MUST_CHECK int cg_v1_bandwidth(int dirfd, struct cg_limits *ret, struct err *e);

/* v1_devices.c: the rules as the kernel's lists, only the differences. */
MUST_CHECK int cg_v1_devices(int fd, const struct cg_device_rule *rules,
			     size_t n, struct err *e);

/* v1_procs.c */
MUST_CHECK int cg_v1_pids(const struct cg_v1 *v1, pid_t **ret, size_t *ret_n,
			  struct err *e);
MUST_CHECK int cg_v1_kill(const struct cg_v1 *v1, struct err *e);
MUST_CHECK int cg_v1_let_die(const struct cg_v1 *v1, struct err *e);
MUST_CHECK int cg_v1_freeze(const struct cg_v1 *v1, bool on, int timeout_ms,
			    struct err *e);
MUST_CHECK int cg_v1_frozen(const struct cg_v1 *v1, bool *ret, struct err *e);
MUST_CHECK int cg_v1_wait_empty(const struct cg_v1 *v1, int timeout_ms,
				struct err *e);
MUST_CHECK int cg_v1_remove(const struct cg_v1 *v1, int timeout_ms,
			    struct err *e);

/* v1_stat.c: fills what v1 holds; leaves the rest alone. */
MUST_CHECK int cg_v1_stat(const struct cg_v1 *v1, struct cg_stat *s,
			  struct err *e);

/* An eventfd that the kernel counts up, and how many were killed so far. When
 * there was an event, *seen were known before it, and one more is waited for. */
MUST_CHECK int cg_v1_oom_open(const struct cg_v1 *v1, struct err *e);
MUST_CHECK int cg_v1_oom_kills(const struct cg_v1 *v1, const uint64_t *seen,
			       uint64_t *ret, struct err *e);

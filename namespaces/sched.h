/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How a process is scheduled: policy and niceness, deadline, I/O priority, CPU
 * affinity, memory policy; and its personality. All of it is checked when the
 * plan is made (ns_*_check, pure) and applied before rights are dropped.
 */
#include <sys/types.h>

#include "base/json.h"

struct ns_sched {
	char *policy; /* SCHED_OTHER, ... */
	int32_t nice;
	int32_t priority;
	char **flags; /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period;
};
extern const struct json_table ns_sched_table;

struct ns_io_priority {
	char *class; /* IOPRIO_CLASS_* */
	int32_t priority;
};
extern const struct json_table ns_io_priority_table;

struct ns_memory_policy {
	char *mode;   /* MPOL_* */
	char *nodes;  /* "0-1" */
	char **flags; /* MPOL_F_* */
};
extern const struct json_table ns_memory_policy_table;

struct ns_personality {
	char *domain; /* LINUX, LINUX32 */
	char **flags;
};
extern const struct json_table ns_personality_table;

/* May need a group's share of real time; a deadline does not. */
bool ns_sched_realtime(const struct ns_sched *s);
MUST_CHECK int ns_sched_check(const struct ns_sched *s, struct err *e);
MUST_CHECK int ns_sched_set(pid_t pid, const struct ns_sched *s, struct err *e);
MUST_CHECK int ns_io_priority_check(const struct ns_io_priority *p,
				    struct err *e);
MUST_CHECK int ns_io_priority_set(pid_t pid, const struct ns_io_priority *p,
				  struct err *e);
MUST_CHECK int ns_memory_policy_check(const struct ns_memory_policy *p,
				      struct err *e);
MUST_CHECK int ns_memory_policy_set(const struct ns_memory_policy *p,
				    struct err *e);
MUST_CHECK int ns_personality_check(const struct ns_personality *p,
				    struct err *e);
MUST_CHECK int ns_personality_set(const struct ns_personality *p,
				  struct err *e);

/* "0-3,7"; checked, and set for pid (0: us). */
MUST_CHECK int ns_affinity_check(const char *cpus, struct err *e);
MUST_CHECK int ns_affinity_set(pid_t pid, const char *cpus, struct err *e);
/* All CPUs that the cgroup allows: what a caller under taskset(1) passes on is
 * not what the container asked for. */
MUST_CHECK int ns_affinity_reset(pid_t pid, struct err *e);

/* For `features`. */
extern const char *const ns_memory_policy_modes[];
extern const char *const ns_memory_policy_flags[];

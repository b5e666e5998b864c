/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/sched.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

/* clang-format off */
static const struct json_field sched_fields[] = {
	JSON_STR(struct ns_sched, policy,   "policy", .required = true),
	JSON_I32(struct ns_sched, nice,     "nice"),
	JSON_I32(struct ns_sched, priority, "priority"),
	JSON_STRV(struct ns_sched, flags,   "flags"),
	JSON_U64(struct ns_sched, runtime,  "runtime"),
	JSON_U64(struct ns_sched, deadline, "deadline"),
	JSON_U64(struct ns_sched, period,   "period"),
};

static const struct json_field io_priority_fields[] = {
	JSON_STR(struct ns_io_priority, class,    "class", .required = true),
	JSON_I32(struct ns_io_priority, priority, "priority"),
};

struct word {
	const char *name;
	unsigned int value;
};

static const struct word policies[] = {
	{ "SCHED_BATCH",    SCHED_BATCH },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
	{ "SCHED_FIFO",     SCHED_FIFO },
	{ "SCHED_IDLE",     SCHED_IDLE },
	{ "SCHED_OTHER",    SCHED_NORMAL },
	{ "SCHED_RR",       SCHED_RR },
	{ NULL },
};

static const struct word sched_flags[] = {
	{ "SCHED_FLAG_DL_OVERRUN",     SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_PARAMS",    SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_KEEP_POLICY",    SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_RECLAIM",        SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_RESET_ON_FORK",  SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ NULL },
};

static const struct word io_classes[] = {
	{ "IOPRIO_CLASS_BE",   IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
	{ "IOPRIO_CLASS_RT",   IOPRIO_CLASS_RT },
	{ NULL },
};
/* clang-format on */

const struct json_table ns_sched_table =
	JSON_TABLE(struct ns_sched, sched_fields);
const struct json_table ns_io_priority_table =
	JSON_TABLE(struct ns_io_priority, io_priority_fields);

/* The kernel counts in units of 2^10 ns, and uses the highest bit itself. */
#define DL_RUNTIME_MIN 1024U
#define DL_MAX	       ((uint64_t)1 << 63)

static int find(const struct word *words, const char *name, unsigned int *ret)
{
	for (; words->name; words++) {
		if (!str_eq(words->name, name))
			continue;
		*ret = words->value;
		return 0;
	}
	return -EINVAL;
}

static int find_policy(const struct ns_sched *s, unsigned int *ret,
		       struct err *e)
{
	if (find(policies, s->policy, ret) == 0)
		return 0;
	if (str_eq(s->policy, "SCHED_ISO"))
		return err_set(e, -EINVAL,
			       "scheduler policy SCHED_ISO: no kernel has it");
	return err_set(e, -EINVAL, "unknown scheduler policy '%s'",
		       s->policy ? s->policy : "");
}

static int find_flags(const struct ns_sched *s, uint64_t *ret, struct err *e)
{
	unsigned int flag;

	*ret = 0;
	STRV_FOREACH(name, s->flags) {
		if (find(sched_flags, *name, &flag) < 0)
			return err_set(e, -EINVAL,
				       "unknown scheduler flag '%s'", *name);
		*ret |= flag;
	}
	return 0;
}

static int check_deadline(const struct ns_sched *s, struct err *e)
{
	uint64_t period = s->period ? s->period : s->deadline;

	if (s->deadline == 0)
		return err_set(e, -EINVAL, "SCHED_DEADLINE needs a deadline");
	if (s->runtime < DL_RUNTIME_MIN)
		return err_set(e, -EINVAL,
			       "SCHED_DEADLINE: the runtime is below %u ns",
			       DL_RUNTIME_MIN);
	if (s->runtime > s->deadline || s->deadline > period ||
	    period >= DL_MAX)
		return err_set(
			e, -EINVAL,
			"SCHED_DEADLINE: runtime <= deadline <= period does not hold");
	return 0;
}

static int check_priority(const struct ns_sched *s, unsigned int policy,
			  struct err *e)
{
	bool realtime = policy == SCHED_FIFO || policy == SCHED_RR;

	if (s->nice < -20 || s->nice > 19)
		return err_set(e, -EINVAL, "nice %d is not in -20..19",
			       s->nice);
	if (realtime && (s->priority < 1 || s->priority > 99))
		return err_set(e, -EINVAL, "%s: priority %d is not in 1..99",
			       s->policy, s->priority);
	if (!realtime && s->priority != 0)
		return err_set(
			e, -EINVAL,
			"a priority is for SCHED_FIFO and SCHED_RR only");
	return 0;
}

int ns_sched_check(const struct ns_sched *s, struct err *e)
{
	unsigned int policy = 0;
	uint64_t flags;
	int r = find_policy(s, &policy, e);

	if (r >= 0)
		r = find_flags(s, &flags, e);
	if (r >= 0)
		r = check_priority(s, policy, e);
	if (r < 0)
		return r;
	if (policy == SCHED_DEADLINE)
		return check_deadline(s, e);
	if (s->runtime || s->deadline || s->period)
		return err_set(
			e, -EINVAL,
			"runtime, deadline and period are for SCHED_DEADLINE only");
	return 0;
}

bool ns_sched_realtime(const struct ns_sched *s)
{
	return s->policy && (str_eq(s->policy, "SCHED_FIFO") ||
			     str_eq(s->policy, "SCHED_RR"));
}

static int sched_failed(const struct ns_sched *s, unsigned int policy,
			struct err *e)
{
	if (errno == EBUSY)
		return err_set(e, -EBUSY,
			       "set %s: no CPU has that much time left",
			       s->policy);
	if (errno == EPERM && policy == SCHED_DEADLINE)
		return err_set(
			e, -EPERM,
			"set %s: needs CAP_SYS_NICE and a process that is not bound to some CPUs",
			s->policy);
	if (errno == EPERM)
		return err_set(
			e, -EPERM,
			"set %s: needs CAP_SYS_NICE, and time for it in the cgroup",
			s->policy);
	return err_errno(e, "set %s", s->policy);
}

int ns_sched_set(pid_t pid, const struct ns_sched *s, struct err *e)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_nice = s->nice,
		.sched_priority = (uint32_t)s->priority,
		.sched_runtime = s->runtime,
		.sched_deadline = s->deadline,
		.sched_period = s->period,
	};
	unsigned int policy = 0;
	uint64_t flags = 0;
	int r = find_policy(s, &policy, e);

	if (r >= 0)
		r = find_flags(s, &flags, e);
	if (r < 0)
		return r;
	attr.sched_policy = policy;
	attr.sched_flags = flags;
	if (syscall(SYS_sched_setattr, pid, &attr, 0) < 0)
		return sched_failed(s, policy, e);
	return 0;
}

int ns_io_priority_check(const struct ns_io_priority *p, struct err *e)
{
	unsigned int class;

	if (find(io_classes, p->class, &class) < 0)
		return err_set(e, -EINVAL, "unknown I/O priority class '%s'",
			       p->class ? p->class : "");
	if (p->priority < 0 || p->priority >= IOPRIO_NR_LEVELS)
		return err_set(e, -EINVAL, "I/O priority %d is not in 0..%d",
			       p->priority, IOPRIO_NR_LEVELS - 1);
	return 0;
}

int ns_io_priority_set(pid_t pid, const struct ns_io_priority *p, struct err *e)
{
	unsigned int class = 0;
	int r = ns_io_priority_check(p, e);

	if (r < 0)
		return r;
	(void)find(io_classes, p->class, &class);
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid,
		    IOPRIO_PRIO_VALUE(class, p->priority)) == 0)
		return 0;
	if (errno == EPERM)
		return err_set(e, -EPERM,
			       "set I/O priority %s: needs CAP_SYS_NICE",
			       p->class);
	return err_errno(e, "set I/O priority %s", p->class);
}

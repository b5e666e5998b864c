/* SPDX-License-Identifier: Apache-2.0 */
/* Which CPUs a process runs on. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "namespaces/bits.h"
#include "namespaces/sched.h"

/* CONFIG_NR_CPUS goes no higher. */
#define MAX_CPUS 8192

static int parse(const char *cpus, uint64_t mask[MAX_CPUS / 64], struct err *e)
{
	int r = ns_bits_parse(cpus, mask, MAX_CPUS);

	if (r < 0)
		return err_set(e, r, "'%s' is not a list of CPUs", cpus);
	return 0;
}

int ns_affinity_check(const char *cpus, struct err *e)
{
	uint64_t mask[MAX_CPUS / 64];

	return parse(cpus, mask, e);
}

int ns_affinity_set(pid_t pid, const char *cpus, struct err *e)
{
	uint64_t mask[MAX_CPUS / 64];
	int r = parse(cpus, mask, e);

	if (r < 0)
		return r;
	if (syscall(SYS_sched_setaffinity, pid, sizeof(mask), mask) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(
			e, -EINVAL,
			"run on CPUs '%s': the cgroup allows none of them",
			cpus);
	return err_errno(e, "run on CPUs '%s'", cpus);
}

int ns_affinity_reset(pid_t pid, struct err *e)
{
	uint64_t mask[MAX_CPUS / 64];

	(void)memset(mask, 0xff, sizeof(mask));
	if (syscall(SYS_sched_setaffinity, pid, sizeof(mask), mask) == 0)
		return 0;
	if (errno == EPERM) {
		log_debug("CPU affinity stays as it is: no right to widen it");
		return 0;
	}
	return err_errno(e, "run on all CPUs");
}

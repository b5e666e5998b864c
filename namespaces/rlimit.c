/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/rlimit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/proc.h"

/* clang-format off */
static const struct json_field rlimit_fields[] = {
	JSON_STR(struct ns_rlimit, type, "type", .required = true),
	JSON_U64(struct ns_rlimit, soft, "soft", .required = true, .always = true),
	JSON_U64(struct ns_rlimit, hard, "hard", .required = true, .always = true),
};

/* Sorted: searched by bisection. */
static const struct limit {
	const char *name;
	__rlimit_resource_t resource;
} limits[] = {
	{ "RLIMIT_AS",         RLIMIT_AS },
	{ "RLIMIT_CORE",       RLIMIT_CORE },
	{ "RLIMIT_CPU",        RLIMIT_CPU },
	{ "RLIMIT_DATA",       RLIMIT_DATA },
	{ "RLIMIT_FSIZE",      RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS",      RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK",    RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE",   RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE",       RLIMIT_NICE },
	{ "RLIMIT_NOFILE",     RLIMIT_NOFILE },
	{ "RLIMIT_NPROC",      RLIMIT_NPROC },
	{ "RLIMIT_RSS",        RLIMIT_RSS },
	{ "RLIMIT_RTPRIO",     RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME",     RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK",      RLIMIT_STACK },
};
/* clang-format on */

const struct json_table ns_rlimit_table =
	JSON_TABLE(struct ns_rlimit, rlimit_fields);

static int compare(const void *name, const void *limit)
{
	return strcmp(name, ((const struct limit *)limit)->name);
}

static const struct limit *find(const char *name)
{
	return name ? bsearch(name, limits, ARRAY_SIZE(limits),
			      sizeof(limits[0]), compare)
		    : NULL;
}

int ns_rlimit_check(const struct ns_rlimit *l, struct err *e)
{
	if (!find(l->type))
		return err_set(e, -EINVAL, "unknown resource limit '%s'",
			       l->type ? l->type : "");
	if (l->soft > l->hard)
		return err_set(e, -EINVAL,
			       "%s: the soft limit %" PRIu64
			       " is above the hard limit %" PRIu64,
			       l->type, l->soft, l->hard);
	return 0;
}

int ns_rlimit_set(pid_t pid, const struct ns_rlimit *l, struct err *e)
{
	const struct rlimit v = { .rlim_cur = l->soft, .rlim_max = l->hard };
	const struct limit *limit = find(l->type);
	int r;

	if (!limit) {
		r = ns_rlimit_check(l, e);
		return r < 0 ? r : err_set(e, -EINVAL, "resource limit");
	}
	if (prlimit(pid, limit->resource, &v, NULL) == 0)
		return 0;
	if (errno == EPERM && limit->resource == RLIMIT_NOFILE)
		return err_set(
			e, -EPERM,
			"set %s to %" PRIu64
			": above ours needs CAP_SYS_RESOURCE, above /proc/sys/fs/nr_open nothing helps",
			l->type, l->hard);
	if (errno == EPERM)
		return err_set(e, -EPERM,
			       "set %s to %" PRIu64
			       ": above our own limit needs CAP_SYS_RESOURCE",
			       l->type, l->hard);
	return err_errno(e, "set %s", l->type);
}

int ns_oom_score_set(int procfd, pid_t pid, int32_t score, struct err *e)
{
	char text[16], path[48] = "self/oom_score_adj";
	int r;

	if (pid > 0)
		(void)snprintf(path, sizeof(path), "%d/oom_score_adj", pid);
	(void)snprintf(text, sizeof(text), "%d", score);
	r = proc_write_file(procfd, path, text, e);
	if (r == -EACCES || r == -EPERM)
		return err_set(
			e, r,
			"set oomScoreAdj to %d: lowering it needs CAP_SYS_RESOURCE",
			score);
	return r;
}

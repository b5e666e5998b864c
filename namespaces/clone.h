/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * New processes in new or existing namespaces.
 *
 * One clone3() makes all new namespaces at once, so that they are owned by the
 * new user namespace when there is one. Existing namespaces (by path) are
 * opened by the caller and joined by the child in an order that works: user
 * first when it gives the rights to join the others, last when it takes them.
 */
#include <sys/types.h>

#include "base/json.h"

enum ns_kind {
	NS_USER,
	NS_CGROUP,
	NS_IPC,
	NS_UTS,
	NS_NET,
	NS_PID,
	NS_MNT,
	NS_TIME,
	NS_KIND_N_,
};

struct ns_info {
	const char *name; /* as in config.json: "mount", "network", ... */
	const char *file; /* below /proc/PID/ns */
	uint64_t flag;	  /* CLONE_NEW* */
};

extern const struct ns_info ns_info[NS_KIND_N_];
/* The names of ns_info in the enum's order, NULL at the end: for JSON_ENUM. */
extern const char *const ns_kind_names[];

/* A namespace as the plan has it: new when path is NULL. */
struct ns_namespace {
	int kind; /* enum ns_kind */
	char *path;
};
extern const struct json_table ns_namespace_table;

struct ns_clone {
	uint64_t flags; /* CLONE_NEW*, CLONE_PARENT ... */
	int cgroup_fd;	/* CLONE_INTO_CGROUP when >= 0 */
	int *ret_pidfd; /* NULL: none wanted */
};

/*
 * fork() with namespaces. Gives 0 in the child, the pid in the parent, or a
 * negative errno. The child has a copy of our memory and descriptors; it must
 * end by execve or _exit. SIGCHLD at its end.
 */
MUST_CHECK pid_t ns_fork(const struct ns_clone *c, struct err *e);

/*
 * Opens an existing namespace and checks that it is one of that kind: a path
 * from a configuration may be any file.
 */
MUST_CHECK int ns_open(const char *path, enum ns_kind kind, struct err *e);
/* The namespace of a process, through its pidfd or /proc/PID/ns. */
MUST_CHECK int ns_open_of(pid_t pid, enum ns_kind kind, struct err *e);

/*
 * Joins the namespaces whose descriptors are >= 0, in the right order. After
 * joining a pid namespace only children live in it; the caller forks.
 */
MUST_CHECK int ns_join(const int fds[NS_KIND_N_], struct err *e);

struct ns_time_offset {
	char *clock; /* "monotonic", "boottime" */
	int64_t secs;
	uint32_t nanosecs;
};
extern const struct json_table ns_time_offset_table;

/* Into /proc/self/timens_offsets, after unshare(CLONE_NEWTIME) and before the
 * first process enters. */
MUST_CHECK int ns_time_write(const struct ns_time_offset *v, size_t n,
			     struct err *e);

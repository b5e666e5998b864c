/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What parent and child of a launch have in common: the parent fills it in,
 * the child has a copy of it, and both answer the questions below from it.
 */
#include <signal.h>
#include <sys/types.h>

#include "base/proc.h"
#include "cgroups/cg.h"
#include "namespaces/clone.h"
#include "namespaces/seccomp.h"
#include "src/oci/hooks.h"
#include "src/oci/plan.h"

struct child;
struct rt_vm;
struct rt_vm_exec;

struct launch {
	/* Given by the caller; pointers stay the caller's. */
	const struct plan *plan;
	const struct plan_process *process;
	const char *id;
	struct cg *cgroup; /* NULL: stays in the caller's */
	int init_pidfd;	   /* exec: whose namespaces; else -1 */
	int init_root; /* exec: its root, where others have its mounts; or -1 */
	const sigset_t *old_mask; /* NULL: the child keeps ours */
	int stop;		  /* readable: give up, -ECANCELED; or -1 */
	int stdio[3];		  /* -1: the caller's own */
	uint32_t preserve_fds;
	uint32_t listen_fds;
	int seccomp_cache; /* folder, or -1; is closed with the launch */
	int locked;	   /* create: the folder that the runtime has locked */
	int start_fifo;	   /* create: where the child waits, and */
	int result_fifo;   /* where it reports; else -1 */
	bool new_keyring;
	bool notify; /* NOTIFY_SOCKET is for the program */
	bool rootless;
	/* The program is to run in a micro-VM: what the child does instead of
	 * becoming it. The guest's agent knows nothing of that. */
	struct rt_vm *vm;
	struct rt_vm_exec *vm_exec;
	int (*instead)(struct child *c, struct err *e);
	bool in_guest; /* the caller is the guest of a micro-VM */

	/* Made by the steps, released by rt_launch_done() unless stolen. */
	int sync; /* our end */
	int child_end;
	int procfd;
	int root_tree;
	int *mount_trees; /* plan->mounts.n of them */
	int device_tree;  /* with nodes that the host lacks */
	int ns_fds[NS_KIND_N_];
	struct ns_seccomp_program seccomp;
	struct cg_paths cgroup_paths; /* where its groups are mounted from */
	char **cgroup_binds;	      /* the v1 ones of them */
	struct hooks_output hooks_output; /* for those inside */
	int idmap_userns;		  /* of the container's own mappings */
	uint64_t clone_flags;
	int netns;	/* the container's, when devices are moved there */
	size_t n_moved; /* of plan->net_devices */
	bool joiner;	/* an intermediate process joins first */
	pid_t pid;
	int pidfd;
	int console;
	int listener;
};

#define LAUNCH_INIT                                                            \
	{                                                                      \
		.init_pidfd = -1, .init_root = -1, .stop = -1,                 \
		.stdio = { -1, -1, -1 }, .seccomp_cache = -1, .locked = -1,    \
		.start_fifo = -1, .result_fifo = -1, .sync = -1, .netns = -1,  \
		.child_end = -1, .procfd = -1, .root_tree = -1,                \
		.device_tree = -1,                                             \
		.ns_fds = { -1, -1, -1, -1, -1, -1, -1, -1 },                  \
                                                                               \
		.idmap_userns = -1, .pidfd = -1, .console = -1, .listener = -1 \
	}

/* A program in a running container, not a container's init. */
bool rt_launch_is_exec(const struct launch *l);
/* Whether parent and child speak about a step at all. */
bool rt_launch_waits_mapped(const struct launch *l);
bool rt_launch_has_hooks(const struct launch *l);

/* What mounting needs to know; root: the container's root, or -1 before it is
 * open. */
struct ns_mount_env rt_launch_mount_env(const struct launch *l, int root);

void rt_launch_done(struct launch *l);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The steps of child.c's tables. Private to the child: each does one thing to
 * the calling process, by the plan.
 *
 *	child_join.c	namespaces, identity inside them, session, stdio
 *	child_root.c	root, mounts, devices, console, pivot, paths
 *	child_exec.c	credentials, labels, seccomp, the program
 */
#include "src/runtime/launch_state.h"

struct rt_host;

struct child {
	struct launch *l;
	int end;       /* of the sync socket, or the result FIFO later */
	int root;      /* the container's root, until the pivot; then "/" */
	int slave;     /* terminal, 0 when none */
	char *program; /* resolved path of args[0] */
	char **env;    /* with HOME */
	bool cwd_done;
	unsigned int refused; /* bit per limit that is the parent's to set */
	char *hook_state;
	struct rt_host *host; /* a running micro-VM */
};

struct step {
	const char *name;
	int (*run)(struct child *c, struct err *e);
	bool (*when)(const struct launch *l);
};

int rt_step_mapping(struct child *c, struct err *e);
int rt_step_join(struct child *c, struct err *e);
int rt_step_enter(struct child *c, struct err *e);
int rt_step_become_root(struct child *c, struct err *e);
int rt_step_undumpable(struct child *c, struct err *e);
int rt_step_signals(struct child *c, struct err *e);
int rt_step_session(struct child *c, struct err *e);
int rt_step_stdio(struct child *c, struct err *e);
int rt_step_keyring(struct child *c, struct err *e);
int rt_step_cgroup_view(struct child *c, struct err *e);
int rt_step_network(struct child *c, struct err *e);
int rt_step_hostname(struct child *c, struct err *e);

int rt_step_root(struct child *c, struct err *e);
int rt_step_mounts(struct child *c, struct err *e);
int rt_step_devices(struct child *c, struct err *e);
int rt_step_null(struct child *c, struct err *e);
int rt_step_console(struct child *c, struct err *e);
int rt_step_report_rootfs(struct child *c, struct err *e);
int rt_step_await_hooks(struct child *c, struct err *e);
int rt_step_container_hooks(struct child *c, struct err *e);
int rt_step_pivot(struct child *c, struct err *e);
int rt_step_chroot(struct child *c, struct err *e);
int rt_step_sysctl(struct child *c, struct err *e);
int rt_step_paths(struct child *c, struct err *e);
int rt_step_seal(struct child *c, struct err *e);

int rt_step_personality(struct child *c, struct err *e);
int rt_step_memory_policy(struct child *c, struct err *e);
int rt_step_cwd(struct child *c, struct err *e);
int rt_step_cwd_folder(struct child *c, struct err *e);
int rt_step_cwd_late(struct child *c, struct err *e);
int rt_step_label(struct child *c, struct err *e);
int rt_step_no_new_privs(struct child *c, struct err *e);
int rt_step_descriptors(struct child *c, struct err *e);
int rt_step_environment(struct child *c, struct err *e);
int rt_step_program(struct child *c, struct err *e);
int rt_step_seccomp_privileged(struct child *c, struct err *e);
int rt_step_seccomp_late(struct child *c, struct err *e);
int rt_step_limits(struct child *c, struct err *e);
int rt_step_user(struct child *c, struct err *e);
int rt_step_ready(struct child *c, struct err *e);
int rt_step_kept(struct child *c, struct err *e);
int rt_step_await_start(struct child *c, struct err *e);
int rt_step_start_hooks(struct child *c, struct err *e);

/* Those of a table that have something to do, in its order. */
int rt_run_steps(struct child *c, const struct step *steps, size_t n,
		 struct err *e);

/* Only returns when it fails. */
int rt_execute(struct child *c, struct err *e);

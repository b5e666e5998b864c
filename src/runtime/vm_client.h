/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Another program in a running micro-VM: what rt_exec() and others say to the
 * environment's init over RT_VM_SOCKET.
 *
 *	client (vm_exec.c)		init (vm_client.c)
 *	------------------		------------------
 *	one byte, with descriptors -->	its stdio: three, or one terminal;
 *					none for a signal
 *	then the frames of wire.h, the client as the host:
 *	EXEC, a plan_process -------->	asks the guest, and then has it started
 *			<--------------	DONE: it runs; or FAILED
 *	SIGNAL, RESIZE -------------->
 *	UPDATE, limits -------------->	asks the guest
 *			<--------------	DONE, or FAILED
 *			<--------------	EXITED
 *
 * The stdio goes from the guest straight to the descriptors; the client only
 * waits. It is a process of its own, in the environment's cgroup, launched as
 * every other: whoever has its pid has the program's. When it ends before the
 * program, the program is killed.
 */
#include "src/runtime/launch_state.h"

struct wire;

struct rt_vm_exec {
	char *socket;
	struct plan here; /* of the client: nothing but its process */
	struct plan_process guest;
};

/* root: where states live. Fills what of the launch concerns it. */
MUST_CHECK int rt_vm_exec_new(const char *root, const char *id,
			      const struct plan_process *p, struct launch *l,
			      struct rt_vm_exec **ret, struct err *e);
void rt_vm_exec_free(struct rt_vm_exec *x);

/* A wire to the init, which takes no descriptors. */
MUST_CHECK int rt_vm_connect(const char *root, const char *id,
			     struct wire **ret, struct err *e);

/* The limits of a machine that runs: the guest gets its own, the rest is the
 * host's to apply. */
struct rt_vm_update {
	const char *root, *id;
	const struct plan *plan; /* the whole one */
	const struct cg_limits *limits;
	bool paused;
};
MUST_CHECK int rt_vm_update(const struct rt_vm_update *u,
			    struct cg_limits *ret_host, struct err *e);

/* The guest's clock becomes the host's: it stood still in a pause. */
MUST_CHECK int rt_vm_set_clock(const char *root, const char *id, struct err *e);

/* A signal to every process of the environment. */
MUST_CHECK int rt_vm_signal_all(const char *root, const char *id, int sig,
				struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A plan executed in a micro-VM. Private to src/runtime.
 *
 *	runtime			environment's init		guest
 *	-------			------------------		-----
 *	plan_split()
 *	kernel, initramfs,
 *	monitor's kind
 *	clone  . . . . . . . .	the host's half, by the steps
 *				of child.c: cgroup, network,
 *				root and binds in one share
 *				monitor  . . . . . . . . . .	boots
 *				wire: SETUP, CREATE  ------->	the guest's half,
 *		     <---------	SYNC_READY			by the same steps
 *	start  --------------->	wire: START  --------------->	execve
 *	stdio, signals, exec  <--->	its exit status is ours	<----	EXITED
 *
 * So to everybody outside the environment's init is a process like any other:
 * it gets the signals, ends with the program's status, and whatever it has
 * started (monitor, virtiofsd) is in its pid namespace and ends with it.
 *
 * A program started later (exec) reaches the init by the socket RT_VM_SOCKET
 * in the state's folder, see vm_client.h.
 */
#include "microvm/backend.h"
#include "netns/config.h"
#include "src/oci/plan.h"

struct child;

#define RT_VM_SOCKET "vm.sock"

struct rt_vm {
	struct plan host, guest;
	const struct vm_backend *backend;
	unsigned int needs; /* enum vm_need */
	int kernel, initramfs;
	int disks[PLAN_DISKS_MAX];
	char *kernel_path;
	bool has_modules;
	char *place;  /* the state's folder: in our own mount namespace the
			 share is put together over it */
	int listener; /* RT_VM_SOCKET */
	struct net_config net; /* the guest's, and a tap for each link */
	int taps[NET_LINKS_MAX];
	bool rootless;
};

/* What needs the host as it is: before the clone. dir, place: the state's
 * folder. */
MUST_CHECK int rt_vm_new(const struct plan *p, bool rootless, int dir,
			 const char *place, struct rt_vm **ret, struct err *e);
void rt_vm_free(struct rt_vm *vm);

DEFINE_CLEANUP(struct rt_vm *, rt_vm_free);

/* launch.instead: the whole life of the environment's init. Only returns when
 * its program never ran. */
int rt_vm_child(struct child *c, struct err *e);

/* The disks of the host's half, in its mount namespace: before the clone. */
MUST_CHECK int rt_vm_open_disks(struct rt_vm *vm, struct err *e);
void rt_vm_close_disks(struct rt_vm *vm);

/* The network namespace is as it was: for one that outlives the guest. */
void rt_vm_net_release(const struct plan *p);

/* A program of ours beside moat-oci: "moat-guest". The caller frees. */
MUST_CHECK char *rt_program_path(const char *name);

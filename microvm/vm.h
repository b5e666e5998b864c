/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A micro-VM on /dev/kvm: made from a struct vm_config, run, paused, ended.
 *
 * It is used in two ways. The program moat-vmm reads a vm_config as one JSON
 * object and runs it in a jail; that is what the runtime starts. Tests and
 * benchmarks call the functions below in their own process.
 *
 *	struct vm *vm = NULL;
 *	struct vm_end end;
 *	r = vm_create(&config, &vm, e);		everything but the threads
 *	r = vm_run(vm, &end, e);		until the guest has ended
 *	vm_free(vm);
 *
 * A struct vm uses its config, and the descriptors in it, until vm_free().
 *
 * Threads: the one that calls vm_run() serves all devices ("device thread");
 * each vCPU has its own and does nothing but KVM_RUN and register accesses.
 * All functions here belong to the device thread, but vm_stop().
 */
#include "microvm/vm_config.h"

struct vm;
struct loop;

MUST_CHECK int vm_create(const struct vm_config *config, struct vm **ret,
			 struct err *e);
/* NULL and a VM that never ran are fine. */
void vm_free(struct vm *vm);

/* Runs the guest until it ends. ret must be vm_end_done() afterwards. */
MUST_CHECK int vm_run(struct vm *vm, struct vm_end *ret, struct err *e);

/* From within callbacks of vm_loop(): no vCPU runs guest code in between. */
MUST_CHECK int vm_pause(struct vm *vm, struct err *e);
MUST_CHECK int vm_resume(struct vm *vm, struct err *e);

/* Bytes the guest shall give up; -EOPNOTSUPP without a balloon. */
MUST_CHECK int vm_set_balloon(struct vm *vm, uint64_t bytes, struct err *e);

/* As it is sent over the control socket, too. */
struct vm_stat {
	uint64_t exits;		 /* of all vCPUs, since the start */
	uint64_t balloon_bytes;	 /* what the guest has given up */
	uint64_t reported_bytes; /* free pages reported since the start */
	uint32_t paused;
	uint32_t padding;
};

void vm_stat(struct vm *vm, struct vm_stat *ret);

/* Ends vm_run(). The one call for any thread and for signal handlers. */
void vm_stop(struct vm *vm);

/* The device thread's loop: for a control socket, a time limit. */
struct loop *vm_loop(struct vm *vm);

/* What the console holds now; the caller's to free. */
MUST_CHECK char *vm_console_text(struct vm *vm);

/*
 * Whether the KVM behind kvm_fd (-1: /dev/kvm) can boot an operating system.
 * Runs a guest of some dozen instructions; a few milliseconds. The error says
 * why not: no device, no permission, or a KVM that emulates the kernel and
 * knows too few instructions.
 */
MUST_CHECK int vm_kvm_usable(int kvm_fd, struct err *e);

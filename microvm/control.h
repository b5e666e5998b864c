/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How the runtime speaks to a running moat-vmm: packets over control_fd, a
 * SOCK_SEQPACKET pair. One question, one answer, in order. When the runtime's
 * end is closed the machine goes on; it is ended by VM_STOP or a signal.
 *
 *	{ u32 what, u32 size, u64 arg }  -->
 *				<--  { i32 code, struct vm_stat, text }
 */
#include "microvm/vm.h"

enum vm_request_what {
	VM_PAUSE, /* answered when no vCPU runs any more */
	VM_RESUME,
	VM_STOP, /* answered before the machine ends */
	VM_STAT,
	VM_BALLOON, /* arg: bytes the guest shall give up; 0: none */
	VM_REQUEST_N_,
};

struct vm_request {
	uint32_t what;
	uint32_t size; /* of this struct */
	uint64_t arg;
};

struct vm_reply {
	int32_t code;  /* 0 or a negative errno; then text says why */
	uint32_t size; /* of this struct */
	struct vm_stat stat;
	char text[256];
};

/* The runtime's half: one question, its answer in ret (may be NULL). */
MUST_CHECK int vm_control(int control_fd, enum vm_request_what what,
			  uint64_t arg, struct vm_stat *ret, struct err *e);

/*
 * The monitor's half: one request from a readable control_fd. 1: there may be
 * more; 0: the runtime has closed its end.
 */
MUST_CHECK int vm_serve_control(struct vm *vm, int control_fd, struct err *e);

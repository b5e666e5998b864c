/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside of the QEMU back end.
 *
 *	qemu.c		start and end, KVM or emulation
 *	qemu_args.c	the command line
 *	qemu_fs.c	a virtiofsd per share
 *	qemu_qmp.c	stop and cont
 *
 * Everything reaches QEMU as an open descriptor: it looks up no path but the
 * firmware that it brings along.
 */
#include "microvm/backend.h"

struct vm_qemu {
	const struct vm_config *c;
	bool kvm;
	bool pci;
	uint64_t tsc_khz; /* of the host; what an emulated PIT cannot tell */
	int qmp;	  /* QEMU's ends */
	int fs[VM_SHARES_MAX];
};

/* The command line, NULL-terminated, without a shell's rules. */
MUST_CHECK int vm_qemu_args(const struct vm_qemu *q, const char *program,
			    char ***ret, struct err *e);

/* Starts a virtiofsd. ret_fd: the connected socket for QEMU. */
MUST_CHECK pid_t vm_qemu_fs(const struct vm_share *share, int log, int *ret_fd,
			    struct err *e);

/* How fast the CPU's time stamp counts; 0 when it cannot be told. Takes some
 * milliseconds. */
uint64_t vm_tsc_khz(void);

int vm_qemu_pause(struct vm_monitor *m, struct err *e);
int vm_qemu_resume(struct vm_monitor *m, struct err *e);

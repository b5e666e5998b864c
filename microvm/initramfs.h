/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a guest starts from: a cpio archive (newc, not compressed) with the
 * agent and the modules that reach the host.
 *
 *	/init			moat-guest, static
 *	/dev/console		so that the kernel can give it a stdout
 *	/modules/NNN-name.ko	unpacked; to be loaded in this order
 *
 * Made once per kernel, agent and set of needs, then found in the cache.
 */
#include "microvm/kernel.h"

struct vm_initramfs {
	const struct vm_places *places;
	const struct vm_kernel *kernel;
	int agent; /* the program, open */
	/* Kinds of bus in order of preference, 0: none (vm_backend.bus). */
	unsigned int bus[2];
	unsigned int needs; /* enum vm_need, the others */
};

/*
 * A read-only descriptor of the archive; *ret_needs says with which bus. A
 * kernel that lacks a module is named with it: -ENOENT.
 */
MUST_CHECK int vm_initramfs_open(const struct vm_initramfs *c,
				 unsigned int *ret_needs, struct err *e);

/* The archive's writer. It begins as { 0 }; failures are remembered. */
struct vm_cpio {
	char *data;
	size_t len, cap;
	uint32_t inode;
	bool failed;
};

void vm_cpio_add(struct vm_cpio *c, const char *name, uint32_t mode,
		 const void *data, size_t len);
void vm_cpio_add_device(struct vm_cpio *c, const char *name, uint32_t mode,
			uint32_t major, uint32_t minor);
/* The end of the archive; -ENOMEM or -EFBIG when something failed. */
MUST_CHECK int vm_cpio_finish(struct vm_cpio *c, struct err *e);
void vm_cpio_done(struct vm_cpio *c);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The guest's kernel: the newest that the distribution has installed, or a
 * file by name, unpacked once.
 *
 *	_cleanup_(vm_kernel_done) struct vm_kernel k = VM_KERNEL_INIT;
 *	r = vm_kernel_find(&places, NULL, &k, e);	/boot/vmlinuz-*
 *	r = vm_kernel_unpack(&places, &k, e);		k.vmlinux
 *
 * A kernel file may be hostile (--kernel FILE): it is read whole, once, and
 * only image.h looks into it.
 */
#include "microvm/image.h"

/* Where things are; tests have their own. NULL: the usual place. */
struct vm_places {
	const char *boot;    /* /boot */
	const char *modules; /* /lib/modules */
	const char *cache;   /* must be given; made when missing */
};

struct vm_kernel {
	char *path;    /* the file as installed */
	char *version; /* as uname -r; "" when the file does not say */
	char *modules; /* folder, or NULL: all it has is built in */
	int file;      /* path, open */
	int vmlinux;   /* unpacked, read-only; -1 before vm_kernel_unpack() */
};

/* clang-format off */
#define VM_KERNEL_INIT { .file = -1, .vmlinux = -1 }
/* clang-format on */

/*
 * file: vmlinux or bzImage, or NULL for the newest in places->boot that has a
 * folder of modules. -ENOENT with what to install when there is none.
 */
MUST_CHECK int vm_kernel_find(const struct vm_places *places, const char *file,
			      struct vm_kernel *ret, struct err *e);
/* From the cache, or into it. */
MUST_CHECK int vm_kernel_unpack(const struct vm_places *places,
				struct vm_kernel *k, struct err *e);
void vm_kernel_done(struct vm_kernel *k);

/* The cache's folder, opened, for initramfs as well. */
MUST_CHECK int vm_cache_open(const struct vm_places *places, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A kernel image becomes a guest about to run. Images are not trusted: every
 * offset is checked against the file and every address against guest memory.
 *
 *	what the file is	  how it is entered
 *	ELF, 64 bits		  Linux's 64-bit entry: e_entry, boot_params
 *	ELF with a Xen PVH note	  through that, when it is not a Linux
 *	bzImage, 2.12 or newer	  0x200 behind the 64-bit half; unpacks itself
 */
#include "base/json.h"

struct gmem;

enum boot_protocol {
	BOOT_LINUX64, /* long mode, identity page tables, boot_params */
	BOOT_PVH,     /* protected mode, no paging, hvm_start_info */
};

struct boot_config {
	const struct gmem *mem;
	int kernel_fd;
	const struct json_u32v *initrd_fds;
	const char *cmdline; /* NULL: empty */
	uint64_t acpi;	     /* where the description of the machine starts */
};

struct boot_entry {
	enum boot_protocol protocol;
	uint64_t ip;
	uint64_t param; /* of boot_params or hvm_start_info */
};

MUST_CHECK int boot_load(const struct boot_config *c, struct boot_entry *ret,
			 struct err *e);

/* What follows is between the loaders. */

#define BOOT_SETUP_HEADER_MAX 0x100

struct boot_file {
	int fd;
	uint64_t size;
};

struct boot_image {
	enum boot_protocol protocol;
	uint64_t entry;
	uint64_t end;	     /* the first address behind it */
	uint64_t initrd_max; /* an initramfs ends at or below */
	uint32_t cmdline_max;
	/* Of a bzImage: what boot_params takes over from the file, with the
	 * offset in it that it begins at. */
	uint8_t setup[BOOT_SETUP_HEADER_MAX];
	uint32_t setup_len;
};

struct boot_initrd {
	uint64_t start, size;
};

/* Each gives -ENOEXEC when the file is of another kind. */
MUST_CHECK int boot_load_elf(const struct gmem *m, const struct boot_file *f,
			     struct boot_image *ret, struct err *e);
MUST_CHECK int boot_load_bzimage(const struct gmem *m,
				 const struct boot_file *f,
				 struct boot_image *ret, struct err *e);

/* All of [offset, offset + len) or an error. */
MUST_CHECK int boot_read(const struct boot_file *f, uint64_t offset, void *data,
			 size_t len, struct err *e);

/* Implemented by the architecture: writes what the kernel is handed. */
MUST_CHECK int boot_write_params(const struct boot_config *c,
				 const struct boot_image *image,
				 const struct boot_initrd *initrd,
				 uint64_t *ret, struct err *e);

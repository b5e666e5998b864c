/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kernel files as they are installed: what is in one, without unpacking it.
 * They may come from anywhere (--kernel FILE), so nothing in them is believed:
 * every offset is checked against the file's length.
 *
 *	bzImage	0x1f1 setup_sects	0x202 "HdrS"	0x206 version >= 2.08
 *		0x20e where the version's text is, minus 0x200
 *		0x248 payload offset	0x24c payload length
 *	payload	(setup_sects + 1) * 512 + offset; a packed vmlinux, then (but
 *		for gzip, which has its own) its unpacked length in 4 bytes
 */
#include "base/err.h"

#define VM_IMAGE_MAX   (512U << 20) /* of a kernel, packed or not */
#define VM_VERSION_MAX 128

enum vm_packing {
	VM_PACK_NONE, /* the file is the ELF itself */
	VM_PACK_LZ4,
	VM_PACK_GZIP,
	VM_PACK_XZ,
	VM_PACK_ZSTD,
	VM_PACK_N_,
};
extern const char *const vm_packing_names[];

struct vm_image {
	enum vm_packing packing;
	size_t offset, len; /* of the packed vmlinux in the file */
	size_t unpacked;    /* its length as the file has it; 0: not known */
	char version[VM_VERSION_MAX]; /* as uname -r; "" when not found */
};

MUST_CHECK int vm_image_parse(const void *data, size_t len,
			      struct vm_image *ret, struct err *e);

/* What a bzImage calls itself, from its first bytes; false when it is none or
 * does not say. */
bool vm_image_version(const void *head, size_t len, char ret[VM_VERSION_MAX]);

/*
 * An x86-64 ELF that a monitor can load: each segment within the file, none
 * reaching over 4 GiB, the entry within one or named by a note for PVH. What
 * is mapped or loaded later is checked there again.
 */
MUST_CHECK int vm_elf_check(const void *data, size_t len, struct err *e);

/* How much of an ELF file its segments take: what lies behind is for linkers and
 * debuggers. The header forgets the sections. len: it is no such file. */
size_t vm_elf_cut(void *data, size_t len);

/* The 32-bit entry of PVH that ELF notes name; 0 when they name none. */
uint64_t vm_elf_pvh(const void *data, size_t len);

/* Of something compressed; VM_PACK_NONE when it is nothing we know. */
enum vm_packing vm_packing_of(const void *data, size_t len);

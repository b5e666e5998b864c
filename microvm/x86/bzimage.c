/* SPDX-License-Identifier: Apache-2.0 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "microvm/boot.h"
#include "microvm/gmem.h"
#include "microvm/x86/layout.h"

/*
 * The kernel as distributions ship it: a boot sector, real-mode code, and a
 * program for 64 bits that unpacks the kernel proper. We enter the last.
 */
#define SECTOR	      512U
#define HEADER_OFFSET 0x1f1U
#define MAGIC	      0x53726448U /* "HdrS" */
#define VERSION	      0x020cU	  /* 2.12: xloadflags */
#define ENTRY_64      0x200U

static int read_header(const struct boot_file *f, struct setup_header *h,
		       struct err *e)
{
	int r;

	if (f->size < HEADER_OFFSET + sizeof(*h))
		return -ENOEXEC;
	r = boot_read(f, HEADER_OFFSET, h, sizeof(*h), e);
	if (r < 0)
		return r;
	if (h->boot_flag != 0xaa55 || h->header != MAGIC)
		return -ENOEXEC;
	if (h->version < VERSION || !(h->xloadflags & XLF_KERNEL_64))
		return err_set(
			e, -EINVAL,
			"a bzImage without a 64-bit entry (protocol %u.%02u)",
			h->version >> 8, h->version & 0xffU);
	if (!(h->loadflags & LOADED_HIGH))
		return err_set(e, -EINVAL, "a zImage, not a bzImage");
	return 0;
}

/* Where it likes to be, if the guest has room for it to unpack there. */
static int choose_place(const struct gmem *m, const struct setup_header *h,
			uint64_t len, uint64_t *ret, uint64_t *ret_end,
			struct err *e)
{
	uint64_t room = MAX_OF((uint64_t)h->init_size, len);

	if (h->pref_address < X86_HIGH || !gmem_at(m, h->pref_address, room))
		return err_set(
			e, -ENOMEM,
			"the guest has no memory for %llu bytes at %#llx",
			(unsigned long long)room,
			(unsigned long long)h->pref_address);
	*ret = h->pref_address;
	*ret_end = h->pref_address + room;
	return 0;
}

/* The header's length is in its own jump over itself. */
static int keep_setup(const struct boot_file *f, const struct setup_header *h,
		      struct boot_image *ret, struct err *e)
{
	uint32_t end = 0x202U + (h->jump >> 8);

	ret->setup_len = MIN_OF(end - HEADER_OFFSET,
				(uint32_t)sizeof(struct setup_header));
	return boot_read(f, HEADER_OFFSET, ret->setup, ret->setup_len, e);
}

int boot_load_bzimage(const struct gmem *m, const struct boot_file *f,
		      struct boot_image *ret, struct err *e)
{
	struct setup_header h;
	uint64_t start, len, at;
	int r;

	r = read_header(f, &h, e);
	if (r < 0)
		return r;
	/* 0 sectors stand for 4, since the beginning of time. */
	start = ((h.setup_sects ? h.setup_sects : 4U) + 1U) * SECTOR;
	if (start >= f->size)
		return err_set(e, -EINVAL, "it ends before the 64-bit half");
	len = f->size - start;

	r = choose_place(m, &h, len, &at, &ret->end, e);
	if (r == 0)
		r = gmem_load(m, at, f->fd, (off_t)start, len, e);
	if (r == 0)
		r = keep_setup(f, &h, ret, e);
	if (r < 0)
		return r;
	ret->protocol = BOOT_LINUX64;
	ret->entry = at + ENTRY_64;
	ret->initrd_max = h.xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G
				  ? UINT64_MAX
				  : h.initrd_addr_max + 1ULL;
	ret->cmdline_max = h.cmdline_size ? h.cmdline_size : 255;
	return 0;
}

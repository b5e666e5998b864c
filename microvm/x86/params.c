/* SPDX-License-Identifier: Apache-2.0 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "microvm/boot.h"
#include "microvm/gmem.h"
#include "microvm/x86/layout.h"

#define LOADER_UNKNOWN 0xff
#define SETUP_RNG_SEED 9
#define SEED_SIZE      32

/* From Xen's public interface (arch-x86/hvm/start_info.h). */
#define PVH_MAGIC 0x336ec578U

enum ram_kind {
	KIND_RAM = 1,
	KIND_RESERVED = 2,
};

struct ram_entry {
	uint64_t start, size;
	enum ram_kind kind;
};

#define MAX_RAM_ENTRIES 5

struct pvh_start {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t n_memmap, reserved;
};

struct pvh_module {
	uint64_t start, size, cmdline, reserved;
};

struct pvh_ram {
	uint64_t start, size;
	uint32_t kind, reserved;
};

static uint32_t list_ram(const struct gmem *m,
			 struct ram_entry ret[MAX_RAM_ENTRIES])
{
	uint64_t low_end = gmem_low_end(m);
	uint32_t n = 0;

	ret[n++] = (struct ram_entry){ 0, X86_LOW_END, KIND_RAM };
	ret[n++] = (struct ram_entry){ X86_LOW_END, 0xa0000 - X86_LOW_END,
				       KIND_RESERVED };
	ret[n++] = (struct ram_entry){ X86_ACPI, X86_ACPI_END - X86_ACPI,
				       KIND_RESERVED };
	ret[n++] = (struct ram_entry){ X86_HIGH, low_end - X86_HIGH, KIND_RAM };
	if (m->n > 1)
		ret[n++] = (struct ram_entry){ m->region[1].gpa,
					       m->region[1].size, KIND_RAM };
	return n;
}

static int write_cmdline(const struct boot_config *c, struct err *e)
{
	const char *text = c->cmdline ? c->cmdline : "";
	size_t len = strlen(text) + 1;

	if (len > X86_CMDLINE_MAX)
		return err_set(e, -E2BIG,
			       "the kernel command line has %zu bytes",
			       len - 1);
	if (gmem_write(c->mem, X86_CMDLINE, text, len) < 0)
		return err_set(e, -ENOMEM, "no memory for the command line");
	return 0;
}

/*
 * Kernels since 6.0 take entropy from their loader, so that the first random
 * numbers of a guest do not wait for devices. Others leave it unread.
 */
static int write_seed(const struct boot_config *c, uint64_t *ret, struct err *e)
{
	struct {
		struct setup_data head;
		uint8_t seed[SEED_SIZE];
	} s = { .head = { .type = SETUP_RNG_SEED, .len = SEED_SIZE } };

	*ret = 0;
	if (getrandom(s.seed, sizeof(s.seed), 0) != (ssize_t)sizeof(s.seed))
		return err_errno(e, "get random bytes for the guest");
	if (gmem_write(c->mem, X86_SETUP_SEED, &s, sizeof(s)) < 0)
		return err_set(e, -ENOMEM, "no memory for the guest's seed");
	explicit_bzero(&s, sizeof(s));
	*ret = X86_SETUP_SEED;
	return 0;
}

static void fill_header(const struct boot_image *image,
			const struct boot_initrd *initrd, uint64_t setup_data,
			struct boot_params *p)
{
	struct setup_header *h = &p->hdr;

	if (image->setup_len)
		memcpy(h, image->setup, image->setup_len);
	h->boot_flag = 0xaa55;
	h->header = 0x53726448U;
	h->type_of_loader = LOADER_UNKNOWN;
	h->cmd_line_ptr = (uint32_t)X86_CMDLINE;
	h->ramdisk_image = (uint32_t)initrd->start;
	h->ramdisk_size = (uint32_t)initrd->size;
	h->setup_data = setup_data;
	if (!h->kernel_alignment)
		h->kernel_alignment = 0x1000000;
	p->ext_ramdisk_image = (uint32_t)(initrd->start >> 32);
	p->ext_ramdisk_size = (uint32_t)(initrd->size >> 32);
}

static int write_linux(const struct boot_config *c,
		       const struct boot_image *image,
		       const struct boot_initrd *initrd, struct err *e)
{
	struct ram_entry ram[MAX_RAM_ENTRIES];
	struct boot_params p = { 0 };
	uint64_t seed;
	uint32_t n;
	int r;

	r = write_seed(c, &seed, e);
	if (r < 0)
		return r;
	fill_header(image, initrd, seed, &p);
	n = list_ram(c->mem, ram);
	for (uint32_t i = 0; i < n; i++)
		p.e820_table[i] = (struct boot_e820_entry){
			.addr = ram[i].start,
			.size = ram[i].size,
			.type = ram[i].kind,
		};
	p.e820_entries = (uint8_t)n;
	/* Given here, it need not be searched for. */
	p.acpi_rsdp_addr = c->acpi;
	if (gmem_write(c->mem, X86_BOOT_PARAMS, &p, sizeof(p)) < 0)
		return err_set(e, -ENOMEM, "no memory for boot parameters");
	return 0;
}

static int write_pvh(const struct boot_config *c,
		     const struct boot_initrd *initrd, struct err *e)
{
	struct {
		struct pvh_start start;
		struct pvh_module module;
		struct pvh_ram ram[MAX_RAM_ENTRIES];
	} p = { 0 };
	struct ram_entry ram[MAX_RAM_ENTRIES];
	uint32_t n = list_ram(c->mem, ram);

	for (uint32_t i = 0; i < n; i++)
		p.ram[i] = (struct pvh_ram){ .start = ram[i].start,
					     .size = ram[i].size,
					     .kind = ram[i].kind };
	p.module = (struct pvh_module){ .start = initrd->start,
					.size = initrd->size };
	p.start = (struct pvh_start){
		.magic = PVH_MAGIC,
		.version = 1, /* the first with a memory map */
		.n_modules = initrd->size > 0,
		.modules = X86_PVH_INFO + sizeof(p.start),
		.cmdline = X86_CMDLINE,
		.rsdp = c->acpi,
		.memmap = X86_PVH_INFO + sizeof(p.start) + sizeof(p.module),
		.n_memmap = n,
	};
	if (gmem_write(c->mem, X86_PVH_INFO, &p, sizeof(p)) < 0)
		return err_set(e, -ENOMEM, "no memory for boot parameters");
	return 0;
}

int boot_write_params(const struct boot_config *c,
		      const struct boot_image *image,
		      const struct boot_initrd *initrd, uint64_t *ret,
		      struct err *e)
{
	int r;

	r = write_cmdline(c, e);
	if (r < 0)
		return r;
	if (image->protocol == BOOT_PVH) {
		*ret = X86_PVH_INFO;
		return write_pvh(c, initrd, e);
	}
	*ret = X86_BOOT_PARAMS;
	return write_linux(c, image, initrd, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/boot.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "microvm/gmem.h"
#include "microvm/image.h"

#define MAX_SEGMENTS 64U
/* Below are the tables that we write for the guest. */
#define LOWEST 0x100000ULL

/* Linux's own limit, less the NUL. */
#define CMDLINE_MAX 2047U

static int read_header(const struct boot_file *f, Elf64_Ehdr *h, struct err *e)
{
	int r;

	if (f->size < sizeof(*h))
		return -ENOEXEC;
	r = boot_read(f, 0, h, sizeof(*h), e);
	if (r < 0)
		return r;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return err_set(e, -EINVAL, "not for a 64-bit x86");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return err_set(e, -EINVAL, "not an executable");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 ||
	    h->e_phnum > MAX_SEGMENTS)
		return err_set(e, -EINVAL, "%u segments of %u bytes",
			       h->e_phnum, h->e_phentsize);
	return 0;
}

static int check_segment(const struct gmem *m, const struct boot_file *f,
			 const Elf64_Phdr *p, struct err *e)
{
	if (p->p_filesz > p->p_memsz || p->p_offset > f->size ||
	    p->p_filesz > f->size - p->p_offset)
		return err_set(e, -EINVAL,
			       "the segment for %#llx is not in the file",
			       (unsigned long long)p->p_paddr);
	if (p->p_paddr < LOWEST || !gmem_at(m, p->p_paddr, p->p_memsz))
		return err_set(
			e, -ENOMEM,
			"the guest has no memory for %llu bytes at %#llx",
			(unsigned long long)p->p_memsz,
			(unsigned long long)p->p_paddr);
	return 0;
}

/*
 * What lies behind the file's part is zero: guest memory is when it is new.
 * Segments are loaded in order; a later one may lie over an earlier one's
 * zeros, so those are not written.
 */
static int load_segment(const struct gmem *m, const struct boot_file *f,
			const Elf64_Phdr *p, struct boot_image *ret,
			struct err *e)
{
	int r;

	r = check_segment(m, f, p, e);
	if (r < 0)
		return r;
	r = gmem_load(m, p->p_paddr, f->fd, (off_t)p->p_offset, p->p_filesz, e);
	if (r < 0)
		return r;
	ret->end = MAX_OF(ret->end, p->p_paddr + p->p_memsz);
	return 0;
}

static int read_notes(const struct boot_file *f, const Elf64_Phdr *p,
		      uint64_t *ret_pvh, struct err *e)
{
	uint8_t notes[4096];
	int r;

	/* Kernels' notes have some hundred bytes. */
	if (p->p_filesz > sizeof(notes))
		return 0;
	r = boot_read(f, p->p_offset, notes, p->p_filesz, e);
	if (r == 0)
		*ret_pvh = vm_elf_pvh(notes, p->p_filesz);
	return r;
}

static bool within(const Elf64_Phdr *p, uint64_t addr)
{
	return p->p_type == PT_LOAD && addr >= p->p_paddr &&
	       addr - p->p_paddr < p->p_memsz;
}

/*
 * Linux names its 64-bit entry by physical address, which lies in a segment.
 * Others name a virtual one, meant for a loader of their own, and mark the
 * way in with a note.
 */
static int choose_entry(const Elf64_Ehdr *h, const Elf64_Phdr *p, uint64_t pvh,
			struct boot_image *ret, struct err *e)
{
	for (uint32_t i = 0; i < h->e_phnum; i++)
		if (within(&p[i], h->e_entry)) {
			ret->protocol = BOOT_LINUX64;
			ret->entry = h->e_entry;
			return 0;
		}
	for (uint32_t i = 0; i < h->e_phnum && pvh; i++)
		if (within(&p[i], pvh)) {
			ret->protocol = BOOT_PVH;
			ret->entry = pvh;
			return 0;
		}
	return err_set(
		e, -EINVAL,
		"its entry %#llx is in no segment, and it has no PVH entry",
		(unsigned long long)h->e_entry);
}

int boot_load_elf(const struct gmem *m, const struct boot_file *f,
		  struct boot_image *ret, struct err *e)
{
	Elf64_Phdr p[MAX_SEGMENTS];
	uint64_t pvh = 0;
	Elf64_Ehdr h = { 0 };
	int r;

	r = read_header(f, &h, e);
	if (r == 0)
		r = boot_read(f, h.e_phoff, p, h.e_phnum * sizeof(p[0]), e);
	for (uint32_t i = 0; i < h.e_phnum && r == 0; i++) {
		if (p[i].p_type == PT_LOAD && p[i].p_memsz > 0)
			r = load_segment(m, f, &p[i], ret, e);
		else if (p[i].p_type == PT_NOTE && pvh == 0)
			r = read_notes(f, &p[i], &pvh, e);
	}
	if (r < 0)
		return r;
	ret->initrd_max = UINT64_MAX;
	ret->cmdline_max = CMDLINE_MAX;
	return choose_entry(&h, p, pvh, ret, e);
}

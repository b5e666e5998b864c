/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Toy guests: a few instructions, written as bytes, wrapped into the smallest
 * ELF file the monitor boots. They start in long mode at TOY_ENTRY, with
 * identity-mapped memory up to 4 GiB, no stack, no interrupts.
 *
 *	static const uint8_t code[] = { TOY_OUT8(0x3f8, 'x'), TOY_POWEROFF };
 *	autoclose int kernel = toy_kernel(code, sizeof(code));
 */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/vm.h"
#include "tests/unit/tap.h"

#define TOY_ENTRY  0x1000000ULL
#define TOY_OFFSET 0x1000

/* The bytes of a number, lowest first. */
#define TOY_16(v) (uint8_t)((v)&0xff), (uint8_t)((v) >> 8 & 0xff)
#define TOY_32(v) TOY_16((v)&0xffff), TOY_16((uint32_t)(v) >> 16)

/* mov dx, port; mov al, v; out dx, al */
#define TOY_OUT8(port, v) 0x66, 0xba, TOY_16(port), 0xb0, (uint8_t)(v), 0xee

/* hlt; jmp to it: nothing happens any more */
#define TOY_HANG 0xf4, 0xeb, 0xfd

/* ACPI's sleep control register, S5. */
#define TOY_POWEROFF TOY_OUT8(0x600, 0x34), TOY_HANG

/* mov ebx, addr; mov dword [rbx], v: a word of 32 bits below 4 GiB */
#define TOY_WRITE32(addr, v) 0xbb, TOY_32(addr), 0xc7, 0x03, TOY_32(v)

/* What marks the 32-bit entry of a kernel that has no other. */
struct toy_note {
	Elf64_Nhdr head;
	char name[4];
	uint32_t entry;
};

/* As a BSD's: linked for high addresses, entered by the note. */
static inline int toy_pvh_kernel(const void *code, size_t len)
{
	autoclose int fd = memfd_create("toy", MFD_CLOEXEC);
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p[2];
		struct toy_note note;
	} f = {
		.h = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				     ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = 0xffffffff80000000ULL + TOY_ENTRY,
			.e_phoff = sizeof(f.h),
			.e_ehsize = sizeof(f.h),
			.e_phentsize = sizeof(f.p[0]),
			.e_phnum = 2,
		},
		.p = {
			{
				.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_offset = TOY_OFFSET,
				.p_paddr = TOY_ENTRY,
				.p_filesz = len,
				.p_memsz = len,
			},
			{
				.p_type = PT_NOTE,
				.p_offset = offsetof(typeof(f), note),
				.p_filesz = sizeof(f.note),
			},
		},
		.note = { { 4, 4, 18 }, "Xen", TOY_ENTRY },
	};

	if (fd < 0 || pwrite(fd, &f, sizeof(f), 0) != sizeof(f) ||
	    pwrite(fd, code, len, TOY_OFFSET) != (ssize_t)len)
		return -1;
	return steal_fd(&fd);
}

/* A file with the code as its only segment; -1 when it cannot be made. */
static inline int toy_kernel(const void *code, size_t len)
{
	autoclose int fd = memfd_create("toy", MFD_CLOEXEC);
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = TOY_ENTRY,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr p = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = TOY_OFFSET,
		.p_paddr = TOY_ENTRY,
		.p_filesz = len,
		.p_memsz = len,
	};

	if (fd < 0 || pwrite(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    pwrite(fd, &p, sizeof(p), sizeof(h)) != sizeof(p) ||
	    pwrite(fd, code, len, TOY_OFFSET) != (ssize_t)len)
		return -1;
	return steal_fd(&fd);
}

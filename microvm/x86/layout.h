/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where things are in a guest's physical memory below 1 MiB, and beyond RAM.
 * Everything here is the guest's once it runs.
 */
#define X86_GDT		0x500ULL
#define X86_PVH_INFO	0x6000ULL
#define X86_BOOT_PARAMS 0x7000ULL
#define X86_SETUP_SEED	0x8000ULL
#define X86_PML4	0x9000ULL
#define X86_PDPT	0xa000ULL
#define X86_PD		0xb000ULL /* four of them: 4 GiB, identity */
#define X86_CMDLINE	0x20000ULL
#define X86_CMDLINE_MAX 0x10000ULL
#define X86_LOW_END	0x9fc00ULL /* of conventional memory */
#define X86_ACPI	0xe0000ULL
#define X86_ACPI_END	0x100000ULL
#define X86_HIGH	0x100000ULL

#define X86_IOAPIC	 0xfec00000U
#define X86_LAPIC	 0xfee00000U
#define X86_IDENTITY_MAP 0xfffbc000ULL /* Intel, real mode: one page */
#define X86_TSS		 0xfffbd000ULL /* the same: three pages */

#define X86_PORT_SLEEP	      0x600U
#define X86_PORT_SLEEP_STATUS 0x601U
#define X86_PORT_RESET	      0x604U
#define X86_RESET_VALUE	      0x42U

/* Selectors in the GDT, as Linux's 64-bit entry wants them. */
#define X86_CS 0x10U
#define X86_DS 0x18U
#define X86_TR 0x20U

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "microvm/arch.h"
#include "microvm/gmem.h"
#include "microvm/x86/aml.h"
#include "microvm/x86/layout.h"

/*
 * "Hardware-reduced" ACPI: none of the PC's old timers, interrupt controllers
 * and clocks, whose absence Linux then does not have to find out by waiting.
 * Five tables, one behind the other:
 *
 *	RSDP -> XSDT -> FADT -> DSDT	devices and the way to power off
 *		     -> MADT		processors and interrupt controller
 */

/* FADT: flags, and what a PC has that we have not. */
#define FADT_WBINVD	  (1U << 0)
#define FADT_POWER_BUTTON (1U << 4) /* not a fixed one */
#define FADT_SLEEP_BUTTON (1U << 5)
#define FADT_RESET_REG	  (1U << 10)
#define FADT_HW_REDUCED	  (1U << 20)
#define BOOT_NO_VGA	  (1U << 2)
/* Without this, Linux polls the clock's ports until it gives up: seconds. */
#define BOOT_NO_RTC (1U << 5)

#define FADT_SIZE 276U
#define SPACE_IO  1

struct gas {
	uint8_t space, bits, offset, access;
	uint64_t address;
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t len;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* Only what differs from zero; offsets as in ACPI 6.4, table 5.9. */
struct fadt {
	struct header h;
	uint8_t skip1[109 - 36];
	uint16_t boot_flags;
	uint8_t skip2;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot;
	uint8_t minor_version;
	uint64_t x_facs, x_dsdt;
	uint8_t skip3[244 - 148];
	struct gas sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(sizeof(struct fadt) == FADT_SIZE, "the FADT's size");
_Static_assert(offsetof(struct fadt, reset_reg) == 116, "its reset register");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "its sleep");

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, len;
	uint64_t xsdt;
	uint8_t checksum2, reserved[3];
} __attribute__((packed));

/* The writer's buffer lies in guest memory from X86_ACPI on. */
static uint64_t address(const struct x86_aml *w, size_t at)
{
	(void)w;
	return X86_ACPI + at;
}

static uint8_t checksum(const uint8_t *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + data[i]);
	return (uint8_t)-sum;
}

static struct header make_header(const char *signature, uint8_t revision)
{
	struct header h = { .revision = revision,
			    .oem_revision = 1,
			    .creator_revision = 1 };

	memcpy(h.signature, signature, 4);
	memcpy(h.oem, "MOAT  ", 6);
	memcpy(h.oem_table, "MICROVM ", 8);
	memcpy(h.creator, "MOAT", 4);
	return h;
}

static size_t begin(struct x86_aml *w, const char *signature, uint8_t revision)
{
	struct header h = make_header(signature, revision);
	size_t at;

	while (w->len % 16 && !w->full)
		x86_aml_u8(w, 0);
	at = w->len;
	x86_aml_bytes(w, &h, sizeof(h));
	return at;
}

/* Length and checksum, now that all is there. */
static void finish(struct x86_aml *w, size_t at)
{
	uint32_t len = (uint32_t)(w->len - at);

	if (w->full)
		return;
	memcpy(w->data + at + offsetof(struct header, len), &len, sizeof(len));
	w->data[at + offsetof(struct header, checksum)] = 0;
	w->data[at + offsetof(struct header, checksum)] =
		checksum(w->data + at, len);
}

static void put_serial(struct x86_aml *w)
{
	size_t at = x86_aml_open(w, "COM1", X86_AML_DEVICE);
	struct x86_aml_resources r = { .io = true,
				       .start = ARCH_SERIAL_PORT,
				       .len = 8,
				       .gsi = ARCH_SERIAL_GSI };

	x86_aml_name_eisa(w, "_HID", "PNP0501");
	x86_aml_name_u32(w, "_UID", 0);
	x86_aml_resources(w, &r);
	x86_aml_close(w, at);
}

static void put_virtio(struct x86_aml *w, unsigned int i)
{
	struct x86_aml_resources r = {
		.start = (uint32_t)(ARCH_VIRTIO_BASE + i * ARCH_VIRTIO_SIZE),
		.len = (uint32_t)ARCH_VIRTIO_SIZE,
		.gsi = ARCH_VIRTIO_GSI + i,
	};
	char name[16];
	size_t at;

	(void)snprintf(name, sizeof(name), "V%03u", i);
	at = x86_aml_open(w, name, X86_AML_DEVICE);
	x86_aml_name_text(w, "_HID", "LNRO0005");
	x86_aml_name_u32(w, "_UID", i);
	x86_aml_name_u32(w, "_CCA", 1); /* DMA sees the caches */
	x86_aml_resources(w, &r);
	x86_aml_close(w, at);
}

static size_t put_dsdt(struct x86_aml *w, unsigned int n_devices)
{
	/* Name(_S5, Package(4) { 5, 0, 0, 0 }): the value for power-off. */
	static const uint8_t s5[] = { 0x08, '_',  'S',	'5',  '_',  0x12, 0x07,
				      0x04, 0x0a, 0x05, 0x00, 0x00, 0x00 };
	size_t at = begin(w, "DSDT", 2);

	for (unsigned int i = 0; i <= n_devices; i++) {
		/* A scope each, so that its length fits into two bytes. */
		size_t scope = x86_aml_open(w, "_SB_", X86_AML_SCOPE);

		if (i == n_devices)
			put_serial(w);
		else
			put_virtio(w, i);
		x86_aml_close(w, scope);
	}
	x86_aml_bytes(w, s5, sizeof(s5));
	finish(w, at);
	return at;
}

static struct gas port(uint16_t number)
{
	return (struct gas){
		.space = SPACE_IO, .bits = 8, .access = 1, .address = number
	};
}

static size_t put_fadt(struct x86_aml *w, size_t dsdt)
{
	struct fadt f = {
		.boot_flags = BOOT_NO_VGA | BOOT_NO_RTC,
		.flags = FADT_WBINVD | FADT_POWER_BUTTON | FADT_SLEEP_BUTTON |
			 FADT_RESET_REG | FADT_HW_REDUCED,
		.reset_reg = port(X86_PORT_RESET),
		.reset_value = X86_RESET_VALUE,
		.minor_version = 4,
		.x_dsdt = address(w, dsdt),
		.sleep_control = port(X86_PORT_SLEEP),
		.sleep_status = port(X86_PORT_SLEEP_STATUS),
	};
	size_t at = begin(w, "FACP", 6);

	x86_aml_bytes(w, (uint8_t *)&f + sizeof(f.h), sizeof(f) - sizeof(f.h));
	finish(w, at);
	return at;
}

static size_t put_madt(struct x86_aml *w, unsigned int n_vcpus)
{
	size_t at = begin(w, "APIC", 5);

	x86_aml_u32(w, X86_LAPIC);
	x86_aml_u32(w, 0); /* no PC/AT interrupt controllers to turn off */
	for (unsigned int i = 0; i < n_vcpus; i++) {
		uint8_t lapic[] = { 0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 };

		x86_aml_bytes(w, lapic, sizeof(lapic));
	}
	x86_aml_u8(w, 1); /* I/O APIC */
	x86_aml_u8(w, 12);
	x86_aml_u16(w, 0); /* its number */
	x86_aml_u32(w, X86_IOAPIC);
	x86_aml_u32(w, 0); /* its first interrupt */
	finish(w, at);
	return at;
}

static size_t put_xsdt(struct x86_aml *w, size_t fadt, size_t madt)
{
	size_t at = begin(w, "XSDT", 1);

	x86_aml_u64(w, address(w, fadt));
	x86_aml_u64(w, address(w, madt));
	finish(w, at);
	return at;
}

static void put_rsdp(uint8_t *to, uint64_t xsdt)
{
	struct rsdp p = { .revision = 2, .len = sizeof(p), .xsdt = xsdt };

	memcpy(p.signature, "RSD PTR ", 8);
	memcpy(p.oem, "MOAT  ", 6);
	p.checksum = checksum((uint8_t *)&p, 20);
	p.checksum2 = checksum((uint8_t *)&p, sizeof(p));
	memcpy(to, &p, sizeof(p));
}

int arch_describe(const struct gmem *m, unsigned int n_vcpus,
		  unsigned int n_devices, uint64_t *ret, struct err *e)
{
	struct x86_aml w = { .size = X86_ACPI_END - X86_ACPI };
	size_t dsdt, fadt, madt, xsdt;

	w.data = gmem_at(m, X86_ACPI, w.size);
	if (!w.data)
		return err_set(e, -ENOMEM, "no memory for ACPI tables");
	w.len = sizeof(struct rsdp);
	dsdt = put_dsdt(&w, n_devices);
	fadt = put_fadt(&w, dsdt);
	madt = put_madt(&w, n_vcpus);
	xsdt = put_xsdt(&w, fadt, madt);
	if (w.full)
		return err_set(e, -ENOSPC, "ACPI tables do not fit");
	put_rsdp(w.data, address(&w, xsdt));
	*ret = X86_ACPI;
	return 0;
}

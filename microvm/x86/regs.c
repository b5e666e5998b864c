/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "microvm/arch.h"
#include "microvm/gmem.h"
#include "microvm/kvm.h"
#include "microvm/x86/cpuid.h"
#include "microvm/x86/layout.h"

#define CR0_PE	 0x1ULL
#define CR0_ET	 0x10ULL
#define CR0_PG	 0x80000000ULL
#define CR4_PAE	 0x20ULL
#define EFER_LME 0x100ULL
#define EFER_LMA 0x400ULL

#define PTE_PRESENT  0x1ULL
#define PTE_WRITABLE 0x2ULL
#define PTE_LARGE    0x80ULL

#define MSR_MISC_ENABLE		 0x1a0U
#define MSR_MTRR_DEF_TYPE	 0x2ffU
#define MISC_ENABLE_FAST_STRINGS 0x1ULL
#define MTRR_ENABLE_WRITE_BACK	 0xc06ULL

#define APIC_LVT0	 0x350
#define APIC_LVT1	 0x360
#define APIC_MODE_MASK	 0x700U
#define APIC_MODE_EXTINT 0x700U
#define APIC_MODE_NMI	 0x400U

/* Types of descriptors, used ones. */
#define CODE	 0xb
#define DATA	 0x3
#define BUSY_TSS 0xb

/* A descriptor's type and attributes, as KVM and the GDT split them. */
struct segment {
	uint16_t selector;
	uint8_t type;
	bool wide; /* 64 bits */
};

static struct kvm_segment make_segment(const struct segment *s)
{
	bool system = s->selector == X86_TR;

	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = s->selector,
		.type = s->type,
		.present = 1,
		.db = !system && !s->wide,
		.s = !system,
		.l = s->wide,
		.g = 1,
	};
}

static uint64_t make_descriptor(const struct kvm_segment *s)
{
	uint64_t limit = s->limit >> 12;

	return (limit & 0xffff) | (uint64_t)s->type << 40 |
	       (uint64_t)s->s << 44 | (uint64_t)s->present << 47 |
	       (limit >> 16 & 0xf) << 48 | (uint64_t)s->l << 53 |
	       (uint64_t)s->db << 54 | (uint64_t)s->g << 55;
}

/* 4 GiB, each address its own, in pages of 2 MiB. */
static int write_page_tables(const struct gmem *m)
{
	uint64_t *pml4 = gmem_at(m, X86_PML4, 0x1000);
	uint64_t *pdpt = gmem_at(m, X86_PDPT, 0x1000);
	uint64_t *pd = gmem_at(m, X86_PD, 4 * 0x1000);

	if (!pml4 || !pdpt || !pd)
		return -EFAULT;
	pml4[0] = X86_PDPT | PTE_PRESENT | PTE_WRITABLE;
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (X86_PD + i * 0x1000) | PTE_PRESENT | PTE_WRITABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE;
	return 0;
}

static int set_segments(const struct gmem *m, struct kvm_sregs *s, bool wide)
{
	struct kvm_segment code =
		make_segment(&(struct segment){ X86_CS, CODE, wide });
	struct kvm_segment data =
		make_segment(&(struct segment){ X86_DS, DATA, false });
	struct kvm_segment task =
		make_segment(&(struct segment){ X86_TR, BUSY_TSS, false });
	uint64_t gdt[] = {
		0,
		0,
		make_descriptor(&code),
		make_descriptor(&data),
		make_descriptor(&task),
	};

	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = task;
	s->gdt.base = X86_GDT;
	s->gdt.limit = sizeof(gdt) - 1;
	s->idt.base = 0;
	s->idt.limit = 0;
	return gmem_write(m, X86_GDT, gdt, sizeof(gdt));
}

static int enter_long_mode(const struct gmem *m, struct kvm_sregs *s)
{
	int r = write_page_tables(m);

	if (r < 0)
		return r;
	s->cr3 = X86_PML4;
	s->cr4 |= CR4_PAE;
	s->cr0 = CR0_PE | CR0_ET | CR0_PG;
	s->efer |= EFER_LME | EFER_LMA;
	return set_segments(m, s, true);
}

static int enter_protected_mode(const struct gmem *m, struct kvm_sregs *s)
{
	s->cr0 = CR0_PE | CR0_ET;
	return set_segments(m, s, false);
}

static int set_registers(int fd, const struct boot_entry *entry, struct err *e)
{
	struct kvm_regs regs = {
		.rflags = 2,
		.rip = entry->ip,
		.rsi = entry->param, /* Linux */
		.rbx = entry->param, /* PVH */
	};
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	if (ioctl(fd, KVM_SET_REGS, &regs) < 0)
		return err_errno(e, "KVM: set registers");
	if (ioctl(fd, KVM_SET_FPU, &fpu) < 0)
		return err_errno(e, "KVM: set the floating-point unit");
	return 0;
}

int arch_enter(const struct gmem *m, int fd, const struct boot_entry *entry,
	       struct err *e)
{
	struct kvm_sregs s;
	int r;

	if (ioctl(fd, KVM_GET_SREGS, &s) < 0)
		return err_errno(e, "KVM: get special registers");
	r = entry->protocol == BOOT_PVH ? enter_protected_mode(m, &s)
					: enter_long_mode(m, &s);
	if (r < 0)
		return err_set(e, r, "no memory for page tables");
	if (ioctl(fd, KVM_SET_SREGS, &s) < 0)
		return err_errno(e, "KVM: set special registers");
	return set_registers(fd, entry, e);
}

static int set_msrs(int fd, struct err *e)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} m = {
		.head.nmsrs = 2,
		.entries = {
			{ .index = MSR_MISC_ENABLE,
			  .data = MISC_ENABLE_FAST_STRINGS },
			{ .index = MSR_MTRR_DEF_TYPE,
			  .data = MTRR_ENABLE_WRITE_BACK },
		},
	};
	int n = ioctl(fd, KVM_SET_MSRS, &m);

	if (n < 0)
		return err_errno(e, "KVM: set model-specific registers");
	if (n != 2)
		return err_set(e, -ENOTSUP,
			       "KVM: model-specific register %#x is not there",
			       m.entries[n].index);
	return 0;
}

static void set_lvt(struct kvm_lapic_state *l, int at, uint32_t mode)
{
	uint32_t v;

	memcpy(&v, l->regs + at, sizeof(v));
	v = (v & ~APIC_MODE_MASK) | mode;
	memcpy(l->regs + at, &v, sizeof(v));
}

/* The wiring of a PC: old interrupt controller on one pin, NMI on the other. */
static int set_lapic(int fd, struct err *e)
{
	struct kvm_lapic_state l;

	if (ioctl(fd, KVM_GET_LAPIC, &l) < 0)
		return err_errno(e, "KVM: get the interrupt controller");
	set_lvt(&l, APIC_LVT0, APIC_MODE_EXTINT);
	set_lvt(&l, APIC_LVT1, APIC_MODE_NMI);
	if (ioctl(fd, KVM_SET_LAPIC, &l) < 0)
		return err_errno(e, "KVM: set the interrupt controller");
	return 0;
}

int arch_prepare_vcpu(const struct kvm *k, int fd, unsigned int index,
		      unsigned int n, struct err *e)
{
	int r;

	/* First: the registers that exist depend on it. */
	r = x86_set_cpuid(k, fd, index, n, e);
	if (r == 0)
		r = set_msrs(fd, e);
	if (r == 0)
		r = set_lapic(fd, e);
	return r;
}

int arch_prepare(const struct kvm *k, struct err *e)
{
	uint64_t identity = X86_IDENTITY_MAP;

	/* For Intel processors that cannot run real mode; others ignore it. */
	if (kvm_has(k, KVM_CAP_SET_IDENTITY_MAP_ADDR) &&
	    ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return err_errno(e, "KVM: place the identity map");
	if (kvm_has(k, KVM_CAP_SET_TSS_ADDR) &&
	    ioctl(k->vm, KVM_SET_TSS_ADDR, X86_TSS) < 0)
		return err_errno(e, "KVM: place the task state");
	return 0;
}

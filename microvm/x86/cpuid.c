/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/x86/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "microvm/kvm.h"

#define MAX_ENTRIES 256U

struct topology {
	unsigned int index, n;
	unsigned int bits; /* of an APIC id that tell cores apart */
	bool tsc_deadline;
};

static void set_bits(uint32_t *reg, unsigned int high, unsigned int low,
		     uint32_t value)
{
	uint32_t mask = (high - low == 31 ? 0 : 1U << (high - low + 1)) - 1;

	*reg = (*reg & ~(mask << low)) | (value & mask) << low;
}

static void set_bit(uint32_t *reg, unsigned int bit, bool on)
{
	set_bits(reg, bit, bit, on);
}

static void features(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	set_bits(&x->ebx, 31, 24, t->index);
	set_bits(&x->ebx, 23, 16, t->n);
	set_bit(&x->ecx, 15, false); /* PDCM: performance counters */
	set_bit(&x->ecx, 24, t->tsc_deadline);
	set_bit(&x->ecx, 31, true); /* a hypervisor is here */
	set_bit(&x->edx, 28, t->n > 1);
}

/* Intel's caches: the first two levels are a core's own. */
static void caches(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	unsigned int level = x->eax >> 5 & 7;

	if ((x->eax & 0x1f) == 0)
		return;
	set_bits(&x->eax, 25, 14, level < 3 ? 0 : t->n - 1);
	set_bits(&x->eax, 31, 26, t->n - 1);
}

static void amd_caches(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	unsigned int level = x->eax >> 5 & 7;

	if ((x->eax & 0x1f) != 0)
		set_bits(&x->eax, 25, 14, level < 3 ? 0 : t->n - 1);
}

/* Of thermal and power management only the timer that never stops. */
static void power(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	x->eax &= 1U << 2;
	x->ebx = x->ecx = x->edx = 0;
}

static void more_features(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	if (x->index == 0)
		set_bit(&x->ecx, 5, false); /* WAITPKG: hard to preempt */
}

static void nothing(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	x->eax = x->ebx = x->ecx = x->edx = 0;
}

/* Level 0: threads of a core, one; level 1: cores; 2: no more. */
static void level(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	static const uint32_t kind[] = { 1, 2 };

	x->function = 0xb;
	x->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	x->eax = x->index == 1 ? t->bits : 0;
	x->ebx = x->index == 0 ? 1 : x->index == 1 ? t->n : 0;
	x->ecx = x->index | (x->index < 2 ? kind[x->index] << 8 : 0);
	x->edx = t->index;
}

static void amd_cores(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	set_bits(&x->ecx, 7, 0, t->n - 1);
	set_bits(&x->ecx, 15, 12, t->bits);
}

static void amd_ids(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	x->eax = t->index;
	set_bits(&x->ebx, 7, 0, t->index); /* the core's number */
	set_bits(&x->ebx, 15, 8, 0);	   /* threads in it, less one */
	x->ecx = 0;			   /* one node */
}

static const struct {
	uint32_t leaf;
	void (*fix)(struct kvm_cpuid_entry2 *x, const struct topology *t);
} fixes[] = {
	{ 0x1, features },
	{ 0x4, caches },
	{ 0x6, power },
	{ 0x7, more_features },
	{ 0xa, nothing },
	{ 0xb, nothing },
	{ 0x1f, nothing },
	{ 0x80000008, amd_cores },
	{ 0x8000001d, amd_caches },
	{ 0x8000001e, amd_ids },
};

static void fix_entry(struct kvm_cpuid_entry2 *x, const struct topology *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixes); i++)
		if (x->function == fixes[i].leaf)
			fixes[i].fix(x, t);
}

/*
 * Leaf 0xb has as many entries as there are levels; KVM passes on those of the
 * host, or one. Ours take their place.
 */
static void set_levels(struct kvm_cpuid2 *c, const struct topology *t)
{
	uint32_t n = 0, at;

	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function != 0xb)
			c->entries[n++] = c->entries[i];
	if (n == c->nent || n + 3 > MAX_ENTRIES)
		return; /* a processor without it, whose drivers do not ask */
	for (at = 0; at < 3; at++) {
		c->entries[n] = (struct kvm_cpuid_entry2){ .index = at };
		level(&c->entries[n++], t);
	}
	c->nent = n;
}

int x86_set_cpuid(const struct kvm *k, int vcpu_fd, unsigned int index,
		  unsigned int n, struct err *e)
{
	autofree struct kvm_cpuid2 *c =
		calloc(1, sizeof(*c) + MAX_ENTRIES * sizeof(c->entries[0]));
	struct topology t = { .index = index, .n = n };

	if (!c)
		return err_nomem(e);
	while (1U << t.bits < n)
		t.bits++;
	t.tsc_deadline = kvm_has(k, KVM_CAP_TSC_DEADLINE_TIMER);
	c->nent = MAX_ENTRIES;
	if (ioctl(k->fd, KVM_GET_SUPPORTED_CPUID, c) < 0)
		return err_errno(e, "KVM: ask what processors it can offer");
	for (uint32_t i = 0; i < c->nent; i++)
		fix_entry(&c->entries[i], &t);
	set_levels(c, &t);
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, c) < 0)
		return err_errno(e, "KVM: describe vCPU %u", index);
	return 0;
}

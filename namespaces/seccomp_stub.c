/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc tries new system calls first and falls back when they give ENOSYS. A
 * profile that was written before such a call existed would answer with its
 * default, mostly EPERM, and programs fail that worked yesterday. So numbers
 * above the highest that the profile names are answered first:
 *
 *	load arch
 *	arch == A ?				else next architecture
 *		load number
 *		number > last of A ? ENOSYS
 *		to the profile
 *	...
 *	the profile's own program
 *
 * x86-64 and x32 are one architecture to the kernel; bit 30 of the number
 * tells them apart.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>

#include "namespaces/seccomp_priv.h"

#define X32_BIT 0x40000000U

/* The longest section: load, bit, and two times three. */
#define SECTION_MAX 8

static const struct sock_filter enosys =
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);

static void put(struct ns_bpf *p, struct sock_filter f)
{
	p->v[p->n++] = f;
}

static void load(struct ns_bpf *p, size_t offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    (uint32_t)offset));
}

static void jump(struct ns_bpf *p, uint16_t op, uint32_t k, uint8_t yes,
		 uint8_t no)
{
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | op | BPF_K, k, yes, no));
}

/* To the profile: how far is known at the end, when patch() sees it. */
static void leave(struct ns_bpf *p)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
}

static void put_last(struct ns_bpf *p, const struct ns_seccomp_last *a)
{
	if (a && a->multiplexed) {
		jump(p, BPF_JEQ, 0, 0, 1);
		put(p, enosys);
	}
	if (a) {
		jump(p, BPF_JGT, a->last, 0, 1);
		put(p, enosys);
	}
	leave(p);
}

/* One audit architecture: v[0], and v[1] when both share it. */
static void put_section(struct ns_bpf *p, const struct ns_seccomp_last *v,
			size_t n)
{
	const struct ns_seccomp_last *plain = NULL, *x32 = NULL;
	size_t branch;

	for (size_t i = 0; i < n; i++) {
		if (v[i].x32)
			x32 = &v[i];
		else
			plain = &v[i];
	}
	load(p, offsetof(struct seccomp_data, nr));
	if (v[0].audit != AUDIT_ARCH_X86_64) {
		put_last(p, plain);
		return;
	}
	branch = p->n;
	jump(p, BPF_JSET, X32_BIT, 0, 0);
	put_last(p, plain);
	p->v[branch].jt = (uint8_t)(p->n - branch - 1);
	put_last(p, x32);
}

static void patch(struct ns_bpf *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].code == (BPF_JMP | BPF_JA))
			p->v[i].k = (uint32_t)(p->n - i - 1);
}

int ns_seccomp_stub(const struct ns_seccomp_last *v, size_t n,
		    struct ns_bpf *ret)
{
	struct ns_bpf p = { 0 };

	p.v = calloc(n * (SECTION_MAX + 1) + 2, sizeof(*p.v));
	if (!p.v)
		return -ENOMEM;
	load(&p, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < n;) {
		size_t same = i + 1 < n && v[i + 1].audit == v[i].audit ? 2 : 1;
		size_t at = p.n;

		jump(&p, BPF_JEQ, v[i].audit, 0, 0);
		put_section(&p, &v[i], same);
		p.v[at].jf = (uint8_t)(p.n - at - 1);
		i += same;
	}
	patch(&p);
	*ret = p;
	return 0;
}

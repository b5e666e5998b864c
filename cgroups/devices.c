/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/devices.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cgroups/bpf.h"

#define PROGRAM_NAME "moat_devices"
/* Ten instructions each; far below the verifier's million. */
#define MAX_RULES 10000

/* ctx of the program: u32 access_type (access << 16 | type), major, minor. */
#define CTX_TYPE  (offsetof(struct bpf_cgroup_dev_ctx, access_type))
#define CTX_MAJOR (offsetof(struct bpf_cgroup_dev_ctx, major))
#define CTX_MINOR (offsetof(struct bpf_cgroup_dev_ctx, minor))

#define INSN(c, d, s, o, i)                                                    \
	((struct bpf_insn){ .code = (c),                                       \
			    .dst_reg = (d),                                    \
			    .src_reg = (s),                                    \
			    .off = (int16_t)(o),                               \
			    .imm = (int32_t)(i) })
#define LOAD(d, ctx)   INSN(BPF_LDX | BPF_MEM | BPF_W, d, BPF_REG_1, ctx, 0)
#define SET(d, i)      INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define COPY(d, s)     INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define AND(d, i)      INSN(BPF_ALU | BPF_AND | BPF_K, d, 0, 0, i)
#define SHIFT(d, i)    INSN(BPF_ALU | BPF_RSH | BPF_K, d, 0, 0, i)
#define JNE(d, i, off) INSN(BPF_JMP32 | BPF_JNE | BPF_K, d, 0, off, i)
#define JEQ(d, i, off) INSN(BPF_JMP32 | BPF_JEQ | BPF_K, d, 0, off, i)
#define EXIT()	       INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int put(struct cg_program *p, struct bpf_insn insn)
{
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct bpf_insn *v = reallocarray(p->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->v = v;
		p->room = room;
	}
	p->v[p->n++] = insn;
	return 0;
}

static int put_all(struct cg_program *p, const struct bpf_insn *v, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = put(p, v[i]);
	return r;
}

#define PUT(p, ...)                                                            \
	put_all(p, (const struct bpf_insn[]){ __VA_ARGS__ },                   \
		ARRAY_SIZE(((const struct bpf_insn[]){ __VA_ARGS__ })))

static uint32_t kernel_type(int type)
{
	return type == CG_DEVICE_BLOCK ? BPF_DEVCG_DEV_BLOCK
				       : BPF_DEVCG_DEV_CHAR;
}

/* Jumps to where the rule ends are made with offset 0 and set afterwards. */
static int put_match(struct cg_program *p, const struct cg_device_rule *rule)
{
	int r = 0;

	if (rule->type != CG_DEVICE_ALL)
		r = PUT(p, LOAD(BPF_REG_2, CTX_TYPE), AND(BPF_REG_2, 0xffff),
			JNE(BPF_REG_2, kernel_type(rule->type), 0));
	if (r == 0 && rule->major.set)
		r = PUT(p, LOAD(BPF_REG_2, CTX_MAJOR),
			JNE(BPF_REG_2, rule->major.v, 0));
	if (r == 0 && rule->minor.set)
		r = PUT(p, LOAD(BPF_REG_2, CTX_MINOR),
			JNE(BPF_REG_2, rule->minor.v, 0));
	return r;
}

static int put_verdict(struct cg_program *p, const struct cg_device_rule *rule)
{
	uint32_t access = rule->access & CG_DEVICE_ANY;

	/* Nothing can be left: the verifier is spared the branch, and with it
	 * three of five instructions that it would go through. */
	if (rule->allow && access == CG_DEVICE_ANY)
		return PUT(p, SET(BPF_REG_0, 1), EXIT());
	if (rule->allow)
		return PUT(p, AND(BPF_REG_3, ~access), JNE(BPF_REG_3, 0, 2),
			   SET(BPF_REG_0, 1), EXIT());
	return PUT(p, COPY(BPF_REG_2, BPF_REG_3), AND(BPF_REG_2, access),
		   JEQ(BPF_REG_2, 0, 2), SET(BPF_REG_0, 0), EXIT());
}

static bool is_open_jump(const struct bpf_insn *i)
{
	return i->code == (BPF_JMP32 | BPF_JNE | BPF_K) && i->off == 0;
}

static int put_rule(struct cg_program *p, const struct cg_device_rule *rule)
{
	size_t start = p->n;
	int r;

	r = put_match(p, rule);
	if (r == 0)
		r = put_verdict(p, rule);
	for (size_t i = start; r == 0 && i < p->n; i++) {
		if (is_open_jump(&p->v[i]))
			p->v[i].off = (int16_t)(p->n - i - 1);
	}
	return r;
}

int cg_devices_check(const struct cg_device_rule *rules, size_t n,
		     struct err *e)
{
	if (n > MAX_RULES)
		return err_set(e, -E2BIG, "devices: more than %d rules",
			       MAX_RULES);
	for (size_t i = 0; i < n; i++) {
		if (rules[i].type < CG_DEVICE_ALL ||
		    rules[i].type > CG_DEVICE_BLOCK)
			return err_set(e, -EINVAL,
				       "devices: rule %zu has no type", i);
		if (rules[i].access & ~CG_DEVICE_ANY)
			return err_set(
				e, -EINVAL,
				"devices: rule %zu has an unknown access", i);
	}
	return 0;
}

bool cg_device_rule_all(const struct cg_device_rule *r)
{
	return r->type == CG_DEVICE_ALL && !r->major.set && !r->minor.set &&
	       r->access == CG_DEVICE_ANY;
}

/* From the last rule to the first. Behind one that allows everything nothing
 * would ever run, and the kernel refuses programs with such a rest. */
static int put_rules(struct cg_program *p, const struct cg_device_rule *rules,
		     size_t n)
{
	int r = 0;

	for (size_t i = n; i-- > 0 && r == 0;) {
		r = put_rule(p, &rules[i]);
		if (rules[i].allow && cg_device_rule_all(&rules[i]))
			return r;
	}
	return r < 0 ? r : PUT(p, SET(BPF_REG_0, 0), EXIT());
}

int cg_devices_compile(const struct cg_device_rule *rules, size_t n,
		       struct cg_program *ret, struct err *e)
{
	_cleanup_(cg_program_done) struct cg_program p = { 0 };
	int r;

	r = cg_devices_check(rules, n, e);
	if (r < 0)
		return r;
	r = PUT(&p, LOAD(BPF_REG_3, CTX_TYPE), SHIFT(BPF_REG_3, 16));
	if (r == 0)
		r = put_rules(&p, rules, n);
	if (r < 0)
		return err_nomem(e);
	*ret = p;
	p = (struct cg_program){ 0 };
	return 0;
}

void cg_program_done(struct cg_program *p)
{
	free(p->v);
	*p = (struct cg_program){ 0 };
}

int cg_devices_load(const struct cg_device_rules *rules, struct err *e)
{
	_cleanup_(cg_program_done) struct cg_program p = { 0 };
	int r;

	r = cg_devices_compile(rules->v, rules->n, &p, e);
	return r < 0 ? r : cg_bpf_load(p.v, p.n, PROGRAM_NAME, e);
}

int cg_devices_attach(int group, int program, bool fresh, struct err *e)
{
	return cg_bpf_attach(group, program, fresh ? NULL : PROGRAM_NAME, e);
}

int cg_device_access_parse(const char *text, uint32_t *ret)
{
	uint32_t access = 0;

	for (; *text; text++) {
		if (*text == 'r')
			access |= CG_DEVICE_READ;
		else if (*text == 'w')
			access |= CG_DEVICE_WRITE;
		else if (*text == 'm')
			access |= CG_DEVICE_MKNOD;
		else
			return -EINVAL;
	}
	*ret = access;
	return 0;
}

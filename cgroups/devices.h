/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Device rules as a program for the kernel (v2 has no files for them).
 *
 * A request names a device and one or more of read, write, mknod. Each of
 * them is judged on its own by the last rule that matches: opening for reading
 * and writing is allowed when one rule allows the one and another the other.
 * The program keeps the accesses not yet decided in a register and goes
 * through the rules from the last to the first:
 *
 *	r3 = what is asked for
 *	rule:	type, major, minor differ?	next rule
 *		deny:	r3 & access ?		return 0
 *		allow:	r3 &= ~access; r3 == 0?	return 1
 *		allow all three:	return 1
 *	end:	return 0
 *
 * Every comparison loads its operand anew: nothing but r1 and r3 is alive
 * between rules, and the verifier's work grows with the number of rules, not
 * with its square.
 */
#include <linux/bpf.h>

#include "base/err.h"
#include "cgroups/cg.h"

struct cg_program {
	struct bpf_insn *v;
	size_t n, room;
};

MUST_CHECK int cg_devices_compile(const struct cg_device_rule *rules, size_t n,
				  struct cg_program *ret, struct err *e);
void cg_program_done(struct cg_program *p);

/* The rules as a program in the kernel: where they may still be refused. */
MUST_CHECK int cg_devices_load(const struct cg_device_rules *rules,
			       struct err *e);
/* fresh: the group is new, no program can be attached to it yet. */
MUST_CHECK int cg_devices_attach(int group, int program, bool fresh,
				 struct err *e);
/* The rule is about every device and every access. */
bool cg_device_rule_all(const struct cg_device_rule *r);
/* What type, number and access a rule may have. */
MUST_CHECK int cg_devices_check(const struct cg_device_rule *rules, size_t n,
				struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "cgroups/devices.h"
#include "cgroups/v1_devices.h"
#include "tests/unit/tap.h"

/*
 * The compiled program is run here, by an interpreter of the few instructions
 * it is made of: the kernel offers no test run for programs of this type.
 */
struct request {
	uint32_t type, major, minor, access;
};

static uint64_t run(const struct cg_program *p, const struct request *q)
{
	const struct bpf_cgroup_dev_ctx ctx = {
		.access_type = q->access << 16 | q->type,
		.major = q->major,
		.minor = q->minor,
	};
	uint64_t reg[11] = { 0 };
	size_t pc = 0;

	for (size_t steps = 0; pc < p->n && steps <= p->n; steps++) {
		const struct bpf_insn *i = &p->v[pc++];
		uint32_t word;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			if (!CHECK(i->src_reg == BPF_REG_1 && i->off >= 0 &&
				   (size_t)i->off + 4 <= sizeof(ctx)))
				return 99;
			memcpy(&word, (const char *)&ctx + i->off, 4);
			reg[i->dst_reg] = word;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			reg[i->dst_reg] = (uint64_t)(int64_t)i->imm;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			reg[i->dst_reg] = reg[i->src_reg];
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			reg[i->dst_reg] =
				(uint32_t)reg[i->dst_reg] & (uint32_t)i->imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			reg[i->dst_reg] = (uint32_t)reg[i->dst_reg] >> i->imm;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			if ((uint32_t)reg[i->dst_reg] != (uint32_t)i->imm)
				pc += (size_t)i->off;
			break;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			if ((uint32_t)reg[i->dst_reg] == (uint32_t)i->imm)
				pc += (size_t)i->off;
			break;
		case BPF_JMP | BPF_EXIT:
			return reg[0];
		default:
			CHECK_INT(i->code, -1);
			return 99;
		}
	}
	CHECK_STR("ran off the end", NULL);
	return 99;
}

static bool matches(const struct cg_device_rule *r, const struct request *q,
		    uint32_t bit)
{
	uint32_t type = r->type == CG_DEVICE_CHAR ? BPF_DEVCG_DEV_CHAR
						  : BPF_DEVCG_DEV_BLOCK;

	return (r->type == CG_DEVICE_ALL || type == q->type) &&
	       (!r->major.set || r->major.v == q->major) &&
	       (!r->minor.set || r->minor.v == q->minor) && (r->access & bit);
}

/* By the last rule that matches. */
static bool allowed(const struct cg_device_rule *rules, size_t n,
		    const struct request *q, uint32_t bit)
{
	bool yes = false;

	for (size_t i = 0; i < n; i++) {
		if (matches(&rules[i], q, bit))
			yes = rules[i].allow;
	}
	return yes;
}

/* What the program has to say: each access is judged on its own. */
static bool expected(const struct cg_device_rule *rules, size_t n,
		     const struct request *q)
{
	for (uint32_t bit = 1; bit <= CG_DEVICE_ANY; bit <<= 1) {
		if ((q->access & bit) && !allowed(rules, n, q, bit))
			return false;
	}
	return true;
}

#define ANY                                                                    \
	{                                                                      \
		.set = false                                                   \
	}
#define NR(n)                                                                  \
	{                                                                      \
		.set = true, .v = (n)                                          \
	}
#define R CG_DEVICE_READ
#define W CG_DEVICE_WRITE
#define M CG_DEVICE_MKNOD

/* clang-format off */
static const struct cg_device_rule usual[] = {
	{ false, CG_DEVICE_ALL,   ANY,     ANY,     R | W | M },
	{ true,  CG_DEVICE_CHAR,  ANY,     ANY,     M },
	{ true,  CG_DEVICE_BLOCK, ANY,     ANY,     M },
	{ true,  CG_DEVICE_CHAR,  NR(1),   NR(3),   R | W | M },
	{ true,  CG_DEVICE_CHAR,  NR(136), ANY,     R | W | M },
	{ false, CG_DEVICE_CHAR,  NR(136), NR(7),   W },
	{ true,  CG_DEVICE_CHAR,  NR(10),  NR(200), R },
	{ true,  CG_DEVICE_CHAR,  NR(10),  NR(200), W },
	{ true,  CG_DEVICE_BLOCK, ANY,     NR(5),   R },
	{ true,  CG_DEVICE_ALL,   NR(77),  NR(0),   R | W },
	{ false, CG_DEVICE_BLOCK, NR(77),  NR(0),   R },
	{ true,  CG_DEVICE_CHAR,  NR(0xfffffffe), NR(0xffffffff), R },
};

static const struct cg_device_rule all_but_one[] = {
	{ true,  CG_DEVICE_ALL,  ANY,   ANY,   R | W | M },
	{ false, CG_DEVICE_CHAR, NR(1), NR(1), R | W | M },
};
/* clang-format on */

/* Every number that stands in a rule, and its neighbours. */
static void against_all_requests(const struct cg_device_rule *rules, size_t n)
{
	static const uint32_t numbers[] = { 0,	 1,	     2,		3,
					    4,	 5,	     7,		8,
					    10,	 77,	     136,	137,
					    200, 0xfffffffe, 0xffffffff };
	_cleanup_(cg_program_done) struct cg_program p = { 0 };
	struct err e = { 0 };
	const size_t k = ARRAY_SIZE(numbers);

	REQUIRE_OK(cg_devices_compile(rules, n, &p, &e), &e);
	for (size_t i = 0; i < k * k * 2 * 7; i++) {
		const struct request q = {
			.type = i % 2 ? BPF_DEVCG_DEV_CHAR
				      : BPF_DEVCG_DEV_BLOCK,
			.access = (uint32_t)(i / 2 % 7 + 1),
			.major = numbers[i / 14 % k],
			.minor = numbers[i / 14 / k],
		};

		if (!CHECK_INT(run(&p, &q), expected(rules, n, &q))) {
			tap_note("type %u %u:%u access %u", q.type, q.major,
				 q.minor, q.access);
			return;
		}
	}
}

TEST(the_program_does_what_the_rules_say)
{
	against_all_requests(usual, ARRAY_SIZE(usual));
	against_all_requests(all_but_one, ARRAY_SIZE(all_but_one));
}

/* The kernel refuses a program with a part that cannot be reached. All jumps
 * lead forwards. */
static bool is_reachable(const struct cg_program *p)
{
	bool seen[512] = { true };

	if (!CHECK(p->n < ARRAY_SIZE(seen)))
		return false;
	for (size_t i = 0; i < p->n; i++) {
		if (!seen[i])
			return false;
		if (p->v[i].code != (BPF_JMP | BPF_EXIT))
			seen[i + 1] = true;
		if (BPF_CLASS(p->v[i].code) == BPF_JMP32)
			seen[i + 1 + (size_t)p->v[i].off] = true;
	}
	return true;
}

/* clang-format off */
static const struct cg_device_rule freely[] = {
	{ false, CG_DEVICE_CHAR, NR(1), NR(3), R | W | M },
	{ true,  CG_DEVICE_ALL,  ANY,   ANY,   R | W | M },
	{ false, CG_DEVICE_CHAR, NR(1), NR(5), W },
	{ true,  CG_DEVICE_ALL,  ANY,   ANY,   R },
};
/* clang-format on */

TEST(what_is_compiled_can_be_reached)
{
	for (size_t n = 0; n <= ARRAY_SIZE(usual); n++) {
		_cleanup_(cg_program_done) struct cg_program p = { 0 };
		struct err e = { 0 };

		REQUIRE_OK(cg_devices_compile(usual, n, &p, &e), &e);
		CHECK(is_reachable(&p));
	}
	for (size_t n = 0; n <= ARRAY_SIZE(freely); n++) {
		_cleanup_(cg_program_done) struct cg_program p = { 0 };
		struct err e = { 0 };

		REQUIRE_OK(cg_devices_compile(freely, n, &p, &e), &e);
		CHECK(is_reachable(&p));
		against_all_requests(freely, n);
	}
}

TEST(without_rules_everything_is_denied)
{
	against_all_requests(NULL, 0);
}

TEST(opening_for_both_is_allowed_by_two_rules)
{
	_cleanup_(cg_program_done) struct cg_program p = { 0 };
	const struct request q = { BPF_DEVCG_DEV_CHAR, 10, 200, R | W };
	struct err e = { 0 };

	REQUIRE_OK(cg_devices_compile(usual, ARRAY_SIZE(usual), &p, &e), &e);
	CHECK_INT(run(&p, &q), 1);
}

TEST(the_program_grows_with_the_rules_only)
{
	static struct cg_device_rule many[2000];
	_cleanup_(cg_program_done) struct cg_program p = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = usual[i % ARRAY_SIZE(usual)];
	REQUIRE_OK(cg_devices_compile(many, ARRAY_SIZE(many), &p, &e), &e);
	CHECK(p.n <= 4 + 11 * ARRAY_SIZE(many));
}

TEST(impossible_rules_are_refused)
{
	const struct cg_device_rule odd_type = { true, 9, ANY, ANY, R };
	const struct cg_device_rule odd_access = { true, 0, ANY, ANY, 8 };
	struct cg_program p = { 0 };
	struct err e = { 0 };

	CHECK_INT(cg_devices_compile(&odd_type, 1, &p, &e), -EINVAL);
	CHECK_INT(cg_devices_compile(&odd_access, 1, &p, &e), -EINVAL);
	CHECK_INT(cg_devices_compile(usual, 20000, &p, &e), -E2BIG);
}

TEST(accesses_are_letters)
{
	uint32_t v = 0;

	CHECK_INT(cg_device_access_parse("rwm", &v), 0);
	CHECK_INT(v, CG_DEVICE_ANY);
	CHECK_INT(cg_device_access_parse("mr", &v), 0);
	CHECK_INT(v, R | M);
	CHECK_INT(cg_device_access_parse("rx", &v), -EINVAL);
}

/* --- v1 -------------------------------------------------------------------*/

TEST(v1_lists_follow_from_rules)
{
	_cleanup_(cg_v1_list_done) struct cg_v1_list l = { 0 };
	struct err e = { 0 };

	/* The first five rules; the sixth cuts into the fifth. */
	REQUIRE_OK(cg_v1_list_make(usual, 5, &l, &e), &e);
	CHECK(!l.allow);
	CHECK_INT(l.n, 4);
	CHECK_INT(l.v[2].major.v, 1);
	CHECK_INT(l.v[2].access, CG_DEVICE_ANY);
}

TEST(what_v1_cannot_say_is_refused)
{
	struct cg_v1_list l = { 0 };
	struct err e = { 0 };

	CHECK_INT(cg_v1_list_make(usual, 6, &l, &e), -EOPNOTSUPP);
	CHECK_HAS(e.text, "c 136:7 w");
	CHECK_HAS(e.text, "c 136:* rwm");
}

TEST(a_wider_denial_takes_from_narrower_exceptions)
{
	/* clang-format off */
	static const struct cg_device_rule rules[] = {
		{ true,  CG_DEVICE_CHAR, NR(1), NR(3), R | W },
		{ false, CG_DEVICE_CHAR, NR(1), ANY,   W },
	};
	/* clang-format on */
	_cleanup_(cg_v1_list_done) struct cg_v1_list l = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(cg_v1_list_make(rules, ARRAY_SIZE(rules), &l, &e), &e);
	CHECK_INT(l.n, 1);
	CHECK_INT(l.v[0].access, R);
}

TEST(the_kernels_v1_list_is_read)
{
	_cleanup_(cg_v1_list_done) struct cg_v1_list l = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(cg_v1_list_parse("c 1:3 rwm\nb *:* m\n", &l, &e), &e);
	CHECK_INT(l.n, 2);
	CHECK(!l.v[1].major.set && l.v[1].access == M);
	cg_v1_list_done(&l);
	REQUIRE_OK(cg_v1_list_parse("a *:* rwm\n", &l, &e), &e);
	CHECK(l.allow && l.n == 0);
	CHECK_INT(cg_v1_list_parse("x 1:3 rwm\n", &l, &e), -EPROTO);
	CHECK_INT(cg_v1_list_parse("c 1 rwm\n", &l, &e), -EPROTO);
	CHECK_INT(cg_v1_list_parse("c 1:3\n", &l, &e), -EPROTO);
}

static const struct tap_test tests[] = {
	TAP(the_program_does_what_the_rules_say),
	TAP(what_is_compiled_can_be_reached),
	TAP(without_rules_everything_is_denied),
	TAP(opening_for_both_is_allowed_by_two_rules),
	TAP(the_program_grows_with_the_rules_only),
	TAP(impossible_rules_are_refused),
	TAP(accesses_are_letters),
	TAP(v1_lists_follow_from_rules),
	TAP(what_v1_cannot_say_is_refused),
	TAP(a_wider_denial_takes_from_narrower_exceptions),
	TAP(the_kernels_v1_list_is_read),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows libseccomp. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/seccomp_priv.h"

/* What the kernel takes. */
#define MAX_INSNS 4096

/* clang-format off */
/*
 * The order of this table is that of the stub's sections: x86-64 and x32 stand
 * side by side.
 */
static const struct arch {
	const char *name;
	uint32_t token;
	uint32_t audit;
} archs[] = {
	{ "SCMP_ARCH_AARCH64",     SCMP_ARCH_AARCH64,     AUDIT_ARCH_AARCH64 },
	{ "SCMP_ARCH_ARM",         SCMP_ARCH_ARM,         AUDIT_ARCH_ARM },
	{ "SCMP_ARCH_MIPS",        SCMP_ARCH_MIPS,        AUDIT_ARCH_MIPS },
	{ "SCMP_ARCH_MIPS64",      SCMP_ARCH_MIPS64,      AUDIT_ARCH_MIPS64 },
	{ "SCMP_ARCH_MIPS64N32",   SCMP_ARCH_MIPS64N32,   AUDIT_ARCH_MIPS64N32 },
	{ "SCMP_ARCH_MIPSEL",      SCMP_ARCH_MIPSEL,      AUDIT_ARCH_MIPSEL },
	{ "SCMP_ARCH_MIPSEL64",    SCMP_ARCH_MIPSEL64,    AUDIT_ARCH_MIPSEL64 },
	{ "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32, AUDIT_ARCH_MIPSEL64N32 },
	{ "SCMP_ARCH_PARISC",      SCMP_ARCH_PARISC,      AUDIT_ARCH_PARISC },
	{ "SCMP_ARCH_PARISC64",    SCMP_ARCH_PARISC64,    AUDIT_ARCH_PARISC64 },
	{ "SCMP_ARCH_PPC",         SCMP_ARCH_PPC,         AUDIT_ARCH_PPC },
	{ "SCMP_ARCH_PPC64",       SCMP_ARCH_PPC64,       AUDIT_ARCH_PPC64 },
	{ "SCMP_ARCH_PPC64LE",     SCMP_ARCH_PPC64LE,     AUDIT_ARCH_PPC64LE },
	{ "SCMP_ARCH_RISCV64",     SCMP_ARCH_RISCV64,     AUDIT_ARCH_RISCV64 },
	{ "SCMP_ARCH_S390",        SCMP_ARCH_S390,        AUDIT_ARCH_S390 },
	{ "SCMP_ARCH_S390X",       SCMP_ARCH_S390X,       AUDIT_ARCH_S390X },
	{ "SCMP_ARCH_X86",         SCMP_ARCH_X86,         AUDIT_ARCH_I386 },
	{ "SCMP_ARCH_X86_64",      SCMP_ARCH_X86_64,      AUDIT_ARCH_X86_64 },
	{ "SCMP_ARCH_X32",         SCMP_ARCH_X32,         AUDIT_ARCH_X86_64 },
};

const char *const ns_seccomp_archs[] = {
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_MIPS",
	"SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
	"SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC",
	"SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64",
	"SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390",
	"SCMP_ARCH_S390X", "SCMP_ARCH_X32", "SCMP_ARCH_X86",
	"SCMP_ARCH_X86_64", NULL,
};

static const enum scmp_compare operators[] = {
	[NS_OP_EQ]        = SCMP_CMP_EQ,
	[NS_OP_GE]        = SCMP_CMP_GE,
	[NS_OP_GT]        = SCMP_CMP_GT,
	[NS_OP_LE]        = SCMP_CMP_LE,
	[NS_OP_LT]        = SCMP_CMP_LT,
	[NS_OP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	[NS_OP_NE]        = SCMP_CMP_NE,
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(archs) + 1 == ARRAY_SIZE(ns_seccomp_archs),
	       "every architecture has its name in the list");

static inline void auto_release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

uint64_t ns_seccomp_library(void)
{
	const struct scmp_version *v = seccomp_version();
	uint32_t version = v ? v->major << 16 | v->minor << 8 | v->micro : 0;

	return (uint64_t)seccomp_arch_native() << 32 | version;
}

static uint32_t action_code(const char *name, const struct opt_u32 *code)
{
	const uint32_t value = code->set ? code->v : EPERM;
	enum ns_action action = NS_ACT_KILL_PROCESS;

	if (ns_seccomp_action(name, &action) < 0)
		return SCMP_ACT_KILL_PROCESS; /* checked before */
	switch (action) {
	case NS_ACT_ALLOW:
		return SCMP_ACT_ALLOW;
	case NS_ACT_ERRNO:
		return SCMP_ACT_ERRNO(value);
	case NS_ACT_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case NS_ACT_LOG:
		return SCMP_ACT_LOG;
	case NS_ACT_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case NS_ACT_TRACE:
		return SCMP_ACT_TRACE(value);
	case NS_ACT_TRAP:
		return SCMP_ACT_TRAP;
	case NS_ACT_KILL_PROCESS:
		break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

/* Of those named, or of ours when none is; ours is always in the filter. */
static bool is_named(const struct ns_seccomp *s, const struct arch *a)
{
	return strv_has(s->architectures, a->name) ||
	       a->token == seccomp_arch_native();
}

static int add_archs(scmp_filter_ctx ctx, const struct ns_seccomp *s,
		     struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		int r;

		if (!is_named(s, &archs[i]))
			continue;
		r = seccomp_arch_add(ctx, archs[i].token);
		if (r < 0 && r != -EEXIST)
			return err_set(
				e, r,
				"architecture '%s' cannot be filtered on this one",
				archs[i].name);
	}
	return 0;
}

static struct scmp_arg_cmp comparison(const struct ns_seccomp_arg *a)
{
	enum ns_op op = NS_OP_EQ;
	int r = ns_seccomp_op(a->op, &op);

	return (struct scmp_arg_cmp){
		.arg = a->index,
		.op = r < 0 ? SCMP_CMP_EQ : operators[op],
		.datum_a = a->value,
		.datum_b = a->value_two,
	};
}

/* libseccomp takes one comparison for each argument. */
static bool repeats_argument(const struct ns_seccomp_rule *rule)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < rule->args.n; i++) {
		unsigned int bit = 1U << rule->args.v[i].index;

		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

static int add_call(scmp_filter_ctx ctx, uint32_t action, int number,
		    const struct ns_seccomp_rule *rule)
{
	struct scmp_arg_cmp cmp[6];
	unsigned int n = (unsigned int)rule->args.n;
	int r = 0;

	/* Several comparisons of one argument: runc reads them as "or". */
	if (repeats_argument(rule)) {
		for (size_t i = 0; i < n && r >= 0; i++) {
			cmp[0] = comparison(&rule->args.v[i]);
			r = seccomp_rule_add_array(ctx, action, number, 1, cmp);
		}
		return r;
	}
	for (size_t i = 0; i < n; i++)
		cmp[i] = comparison(&rule->args.v[i]);
	return seccomp_rule_add_array(ctx, action, number, n, cmp);
}

static bool lets_through(uint32_t action)
{
	return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG;
}

/*
 * Profiles name what other libraries and kernels know: to leave that out is
 * harmless where it would be allowed, and where all that has no rule is
 * forbidden. But who lets all through except what he names must be told.
 */
static bool must_be_told(uint32_t default_action, uint32_t action)
{
	return lets_through(default_action) && !lets_through(action);
}

/* 1: a name was left out, and that was told. */
static int add_rule(scmp_filter_ctx ctx, const struct ns_seccomp *s,
		    const struct ns_seccomp_rule *rule, uint32_t default_action,
		    struct err *e)
{
	uint32_t action = action_code(rule->action, &rule->errno_ret);
	bool tell = must_be_told(default_action, action);
	int told = 0;

	/* Says nothing new, and libseccomp refuses it. */
	if (action == default_action)
		return 0;
	STRV_FOREACH(name, rule->names) {
		int number = seccomp_syscall_resolve_name(*name), r;

		if (number == __NR_SCMP_ERROR && s->strict)
			return err_set(e, -EINVAL,
				       "unknown system call '%.64s'", *name);
		if (number == __NR_SCMP_ERROR) {
			log_at(tell ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
			       "seccomp: unknown system call '%.64s' is left out",
			       *name);
			told = told || tell;
			continue;
		}
		r = add_call(ctx, action, number, rule);
		if (r < 0)
			return err_code(e, r, "rule for '%s'", *name);
	}
	return told;
}

/* --- ENOSYS for what is newer than the profile ----------------------------*/

static uint32_t last_number(const struct ns_seccomp *s, uint32_t token)
{
	int last = 0;

	for (size_t i = 0; i < s->rules.n; i++) {
		STRV_FOREACH(name, s->rules.v[i].names) {
			/* Negative: not on this architecture. */
			int number =
				seccomp_syscall_resolve_name_arch(token, *name);

			last = MAX_OF(last, number);
		}
	}
	return (uint32_t)last;
}

/* A permissive default lets new calls through, a tracer has its own answer,
 * and ENOSYS needs no help. */
static bool wants_stub(const struct ns_seccomp *s)
{
	enum ns_action action = NS_ACT_ALLOW;

	if (ns_seccomp_action(s->default_action, &action) < 0 ||
	    action == NS_ACT_ALLOW || action == NS_ACT_LOG ||
	    action == NS_ACT_TRACE)
		return false;
	return action != NS_ACT_ERRNO || !s->default_errno_ret.set ||
	       s->default_errno_ret.v != ENOSYS;
}

static int make_stub(const struct ns_seccomp *s, struct ns_bpf *ret)
{
	struct ns_seccomp_last last[ARRAY_SIZE(archs)];
	size_t n = 0;

	if (!wants_stub(s))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		uint32_t number = is_named(s, &archs[i])
					  ? last_number(s, archs[i].token)
					  : 0;

		if (number == 0)
			continue; /* names none of its calls */
		last[n++] = (struct ns_seccomp_last){
			.audit = archs[i].audit,
			.last = number,
			.x32 = archs[i].token == SCMP_ARCH_X32,
			.multiplexed = archs[i].token == SCMP_ARCH_S390 ||
				       archs[i].token == SCMP_ARCH_S390X,
		};
	}
	return n > 0 ? ns_seccomp_stub(last, n, ret) : 0;
}

/* --- all of it ------------------------------------------------------------*/

static int fill(scmp_filter_ctx ctx, const struct ns_seccomp *s,
		uint32_t default_action, struct err *e)
{
	int r = add_archs(ctx, s, e), told = 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->rules.n; i++) {
		r = add_rule(ctx, s, &s->rules.v[i], default_action, e);
		if (r < 0)
			return err_wrap(e, r, "syscalls: [%zu]", i);
		told = told || r;
	}
	return told;
}

/* What libseccomp writes to a file, behind the stub. */
static int export(scmp_filter_ctx ctx, const struct ns_bpf *stub,
		  struct ns_bpf *ret, struct err *e)
{
	autoclose int fd = memfd_create("bpf", MFD_CLOEXEC);
	size_t head = stub->n * sizeof(*stub->v);
	autofree struct sock_filter *v = NULL;
	off_t size;
	int r;

	if (fd < 0)
		return err_errno(e, "memfd_create");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_code(e, r, "compile seccomp filter");
	size = lseek(fd, 0, SEEK_CUR);
	if (size <= 0 || size % (off_t)sizeof(*v) != 0)
		return err_set(e, -EIO, "libseccomp made no program");
	v = malloc(head + (size_t)size);
	if (!v)
		return err_nomem(e);
	if (head > 0)
		(void)memcpy(v, stub->v, head);
	if (pread(fd, v + stub->n, (size_t)size, 0) != size)
		return err_set(e, -EIO, "read compiled seccomp filter");
	ret->n = stub->n + (size_t)size / sizeof(*v);
	if (ret->n > MAX_INSNS)
		return err_set(
			e, -E2BIG,
			"seccomp filter of %zu instructions: the kernel takes %d",
			ret->n, MAX_INSNS);
	ret->v = steal_ptr(v);
	return 0;
}

int ns_seccomp_build(const struct ns_seccomp *s, struct ns_bpf *ret,
		     struct err *e)
{
	uint32_t action = action_code(s->default_action, &s->default_errno_ret);
	_cleanup_(auto_release) scmp_filter_ctx ctx = seccomp_init(action);
	struct ns_bpf stub = { 0 };
	int r, told;

	if (!ctx)
		return err_set(e, -EINVAL,
			       "libseccomp refuses the default action '%s'",
			       s->default_action);
	told = fill(ctx, s, action, e);
	if (told < 0)
		return told;
	if (make_stub(s, &stub) < 0)
		return err_nomem(e);
	r = export(ctx, &stub, ret, e);
	free(stub.v);
	return r < 0 ? r : told;
}

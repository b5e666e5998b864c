/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/seccomp.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/str.h"
#include "tests/unit/tap.h"

#define X32 0x40000000

/* --- a machine for such programs, to try what cannot be called here --------*/

static bool holds(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k;
	case BPF_JGT:
		return a > f->k;
	case BPF_JGE:
		return a >= f->k;
	case BPF_JSET:
		return a & f->k;
	default:
		return CHECK(!"a known jump");
	}
}

/* What the program answers to a system call; 0xdead when it runs astray. */
static uint32_t answer(const struct ns_seccomp_program *p,
		       const struct seccomp_data *d)
{
	const struct sock_filter *v = (const void *)p->bpf.v;
	size_t n = p->bpf.n / sizeof(*v);
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *f = &v[pc];

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			(void)memcpy(&a, (const char *)d + f->k, sizeof(a));
			break;
		case BPF_ALU:
			a &= f->k;
			break;
		case BPF_RET:
			return f->k;
		default:
			if (f->code == (BPF_JMP | BPF_JA))
				pc += f->k;
			else
				pc += holds(f, a) ? f->jt : f->jf;
		}
	}
	return 0xdead;
}

static uint32_t call(const struct ns_seccomp_program *p, uint32_t arch, int nr,
		     uint64_t arg0)
{
	const struct seccomp_data d = {
		.nr = nr,
		.arch = arch,
		.args = { arg0 },
	};

	return answer(p, &d);
}

#define ERRNO_OF(code) (SECCOMP_RET_ERRNO | (code))

/* --- profiles as users write them ------------------------------------------*/

static int read_profile(const char *text, struct ns_seccomp *ret, struct err *e)
{
	return json_read(text, strlen(text), &ns_seccomp_table, ret, "profile",
			 e);
}

/* Checked and compiled. */
static int compile(const char *text, int cachefd,
		   struct ns_seccomp_program *ret, struct err *e)
{
	struct ns_seccomp s = { 0 };
	int r = read_profile(text, &s, e);

	if (r >= 0)
		r = ns_seccomp_check(&s, e);
	if (r >= 0)
		r = ns_seccomp_compile(&s, cachefd, ret, e);
	json_free(&ns_seccomp_table, &s);
	return r;
}

/* clang-format off */
static const char allow_some[] =
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\","
	"\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],"
	"\"syscalls\":[{\"names\":[\"read\",\"openat2\",\"no_such_call\"],"
	"\"action\":\"SCMP_ACT_ALLOW\"}]}";
/* clang-format on */

TEST(calls_newer_than_the_profile_do_not_exist)
{
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(compile(allow_some, -1, &p, &e), &e);
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_read, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_mkdir, 0), ERRNO_OF(EPERM));
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_openat2, 0),
		  SECCOMP_RET_ALLOW);
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_openat2 + 1, 0),
		  ERRNO_OF(ENOSYS));
	/* i386 counts its own way: read is 3, mkdir 39, openat2 437. */
	CHECK_INT(call(&p, AUDIT_ARCH_I386, 3, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(call(&p, AUDIT_ARCH_I386, 39, 0), ERRNO_OF(EPERM));
	CHECK_INT(call(&p, AUDIT_ARCH_I386, 438, 0), ERRNO_OF(ENOSYS));
	/* x32: the same numbers with bit 30. */
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, X32 | SYS_read, 0),
		  SECCOMP_RET_ALLOW);
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, X32 | SYS_mkdir, 0),
		  ERRNO_OF(EPERM));
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, X32 | 900, 0), ERRNO_OF(ENOSYS));
	/* An architecture that is not in the profile gets no hint. */
	CHECK_INT(call(&p, AUDIT_ARCH_AARCH64, 9999, 0),
		  SECCOMP_RET_KILL_THREAD);
	ns_seccomp_program_done(&p);
}

/* What the default says of itself needs no stub before it. */
TEST(a_permissive_or_enosys_default_stays_as_it_is)
{
	static const struct {
		const char *text;
		uint32_t want;
	} cases[] = {
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		  "\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ERRNO\"}]}",
		  SECCOMP_RET_ALLOW },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{"
		  "\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ERRNO\"}]}",
		  SECCOMP_RET_LOG },
		{ "{\"defaultAction\":\"SCMP_ACT_TRACE\",\"defaultErrnoRet\":7,"
		  "\"syscalls\":[{\"names\":[\"mkdir\"],"
		  "\"action\":\"SCMP_ACT_ALLOW\"}]}",
		  SECCOMP_RET_TRACE | 7 },
		{ "{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"syscalls\":[{"
		  "\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		  ERRNO_OF(ENOSYS) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ns_seccomp_program p = { 0 };
		struct err e = { 0 };

		REQUIRE_OK(compile(cases[i].text, -1, &p, &e), &e);
		if (!CHECK_INT(call(&p, AUDIT_ARCH_X86_64, 9999, 0),
			       cases[i].want))
			tap_note("in %s", cases[i].text);
		ns_seccomp_program_done(&p);
	}
}

TEST(every_action_becomes_what_the_kernel_calls_it)
{
	static const struct {
		const char *action;
		uint32_t want;
	} cases[] = {
		{ "SCMP_ACT_ERRNO", ERRNO_OF(EPERM) },
		{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
		{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
		{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
		{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
		{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
		{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE | EPERM },
		{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ns_seccomp_program p = { 0 };
		struct err e = { 0 };
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "{\"defaultAction\":\"SCMP_ACT_ALLOW\","
			       "\"listenerPath\":\"/x\",\"syscalls\":[{"
			       "\"names\":[\"mkdir\"],\"action\":\"%s\"}]}",
			       cases[i].action);
		REQUIRE_OK(compile(text, -1, &p, &e), &e);
		if (!CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_mkdir, 0),
			       cases[i].want))
			tap_note("action %s", cases[i].action);
		CHECK_INT(p.notify,
			  strcmp(cases[i].action, "SCMP_ACT_NOTIFY") == 0);
		ns_seccomp_program_done(&p);
	}
}

TEST(operators_compare_64_bits)
{
	static const struct {
		const char *op;
		uint64_t value, two, yes, no;
	} cases[] = {
		{ "SCMP_CMP_EQ", 0x100000001, 0, 0x100000001, 1 },
		{ "SCMP_CMP_NE", 5, 0, 6, 5 },
		{ "SCMP_CMP_LT", 0x100000000, 0, 0xffffffff, 0x100000000 },
		{ "SCMP_CMP_LE", 5, 0, 5, 6 },
		{ "SCMP_CMP_GT", 0xffffffff, 0, 0x100000000, 0xffffffff },
		{ "SCMP_CMP_GE", 5, 0, 5, 4 },
		{ "SCMP_CMP_MASKED_EQ", 0xf0, 0x30, 0x3f, 0x40 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ns_seccomp_program p = { 0 };
		struct err e = { 0 };
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "{\"defaultAction\":\"SCMP_ACT_ALLOW\","
			       "\"syscalls\":[{\"names\":[\"mkdir\"],"
			       "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":9,"
			       "\"args\":[{\"index\":0,\"value\":%" PRIu64
			       ",\"valueTwo\":%" PRIu64 ",\"op\":\"%s\"}]}]}",
			       cases[i].value, cases[i].two, cases[i].op);
		REQUIRE_OK(compile(text, -1, &p, &e), &e);
		if (!CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_mkdir,
				    cases[i].yes),
			       ERRNO_OF(9)) ||
		    !CHECK_INT(
			    call(&p, AUDIT_ARCH_X86_64, SYS_mkdir, cases[i].no),
			    SECCOMP_RET_ALLOW))
			tap_note("operator %s", cases[i].op);
		ns_seccomp_program_done(&p);
	}
}

TEST(a_rule_that_repeats_the_default_says_nothing_new)
{
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };

	/* clang-format off */
	REQUIRE_OK(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ERRNO\"}]}", -1, &p, &e), &e);
	/* clang-format on */
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_read, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_mkdir, 0), ERRNO_OF(EPERM));
	ns_seccomp_program_done(&p);
}

/* As runc has it; libseccomp itself would refuse. */
TEST(several_comparisons_of_one_argument_mean_or)
{
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };

	/* clang-format off */
	REQUIRE_OK(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		"\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":["
		"{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},"
		"{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}", -1, &p, &e), &e);
	/* clang-format on */
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_mkdir, 1), ERRNO_OF(EPERM));
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_mkdir, 2), ERRNO_OF(EPERM));
	CHECK_INT(call(&p, AUDIT_ARCH_X86_64, SYS_mkdir, 3), SECCOMP_RET_ALLOW);
	ns_seccomp_program_done(&p);
}

/* clang-format off */
static const struct {
	const char *text;
	const char *says;
} bad[] = {
	{ "{\"defaultAction\":\"SCMP_ACT_DANCE\"}", "unknown action 'SCMP_ACT_DANCE'" },
	{ "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "cannot be the default action" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}", "takes no errno" },
	{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":70000}", "too large" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_VAX\"]}", "unknown architecture" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_X\"]}", "unknown flag" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_LOG\"}]}", "no names" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"x\"}]}", "syscalls: [0]: unknown action" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"errnoRet\":1}]}", "takes no errno" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\",\"syscalls\":[{\"names\":[\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}", "'write'" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}", "listenerPath" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}", "have six" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"==\"}]}]}", "unknown operator" },
	{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_S390X\"]}", "cannot be filtered" },
};
/* clang-format on */

TEST(what_does_not_fit_is_refused_with_its_place)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ns_seccomp_program p = { 0 };
		struct err e = { 0 };

		if (!CHECK(compile(bad[i].text, -1, &p, &e) < 0) ||
		    !CHECK_HAS(e.text, bad[i].says))
			tap_note("in %s", bad[i].text);
		ns_seccomp_program_done(&p);
	}
}

/* --- loading --------------------------------------------------------------*/

static void load_and_try(void)
{
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };
	int listener = 7;

	/* clang-format off */
	REQUIRE_OK(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		"\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}",
		-1, &p, &e), &e);
	/* clang-format on */
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE_OK(ns_seccomp_load(&p, &listener, &e), &e);
	CHECK_INT(listener, -1);
	CHECK(syscall(SYS_mkdir, "/", 0) < 0 && errno == ENOSYS);
	ns_seccomp_program_done(&p);
}

static void load_listener(void)
{
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };
	int listener = -1;

	/* clang-format off */
	REQUIRE_OK(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\","
		"\"flags\":[\"SECCOMP_FILTER_FLAG_TSYNC\",\"SECCOMP_FILTER_FLAG_LOG\"],"
		"\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		-1, &p, &e), &e);
	/* clang-format on */
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE_OK(ns_seccomp_load(&p, &listener, &e), &e);
	CHECK(listener >= 0);
	CHECK(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	/* A second one is more than the kernel allows. */
	CHECK_INT(ns_seccomp_load(&p, &listener, &e), -EBUSY);
	CHECK_HAS(e.text, "listens");
	ns_seccomp_program_done(&p);
}

static void in_child(void (*body)(void))
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		body();
		_exit(tap_child_status());
	}
	(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
	CHECK_INT(status, 0);
}

TEST(a_loaded_filter_answers)
{
	in_child(load_and_try);
}

TEST(a_notifying_filter_gives_its_listener)
{
	in_child(load_listener);
}

TEST(what_the_kernel_has_is_among_what_we_know)
{
	char **list = NULL;
	size_t n = 0;

	REQUIRE(ns_seccomp_flags_supported(&list) >= 0);
	for (; list && list[n]; n++)
		CHECK(strv_has((char *const *)ns_seccomp_flags_known, list[n]));
	strv_free(list);
	CHECK(n >= 3); /* all but the youngest are older than Linux 5.10 */
}

static const struct tap_test tests[] = {
	TAP(calls_newer_than_the_profile_do_not_exist),
	TAP(a_permissive_or_enosys_default_stays_as_it_is),
	TAP(every_action_becomes_what_the_kernel_calls_it),
	TAP(operators_compare_64_bits),
	TAP(a_rule_that_repeats_the_default_says_nothing_new),
	TAP(several_comparisons_of_one_argument_mean_or),
	TAP(what_does_not_fit_is_refused_with_its_place),
	TAP(a_loaded_filter_answers),
	TAP(a_notifying_filter_gives_its_listener),
	TAP(what_the_kernel_has_is_among_what_we_know),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

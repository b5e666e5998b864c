/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "microvm/jail.h"

/*
 * The filters, as lists of permitted system calls. One argument of a call may
 * be looked at: it must equal a value, or lack some bits. libseccomp would do
 * the same, but it is for the containers' profiles; these are known when
 * compiling, and their few instructions are built without it.
 */
enum condition {
	ALWAYS,
	EQUAL, /* the lower half of argument arg */
	LACKS,
};

struct rule {
	int nr;
	enum condition condition;
	uint8_t arg;
	uint32_t value;
};

/* clang-format off */
#define CALL(name) { .nr = SYS_##name }
#define CALL_IF(name, cond, n, v)                                              \
	{ .nr = SYS_##name, .condition = (cond), .arg = (n), .value = (v) }
#define IOCTL(request) CALL_IF(ioctl, EQUAL, 1, (uint32_t)(request))

/* The C library's own needs: locks, the end of a thread, abort(). */
#define EVERY_THREAD                                                           \
	CALL(futex), CALL(write), CALL(rt_sigreturn), CALL(rt_sigprocmask),    \
	CALL(restart_syscall), CALL(sched_yield), CALL(madvise),               \
	CALL(munmap), CALL(getpid), CALL(gettid), CALL(tgkill), CALL(exit),    \
	CALL(exit_group)
/* clang-format on */

static const struct rule vcpu_rules[] = {
	IOCTL(KVM_RUN), /* first: the most frequent by far */
	EVERY_THREAD,
};

static const struct rule device_rules[] = {
	EVERY_THREAD,
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(epoll_ctl),
	CALL(read),
	CALL(readv),
	CALL(writev),
	/* sockets: connections of the guest, UNIX ones only */
	CALL_IF(socket, EQUAL, 0, AF_UNIX),
	CALL(connect),
	CALL(accept4),
	CALL(recvmsg),
	CALL(sendmsg),
	CALL(recvfrom),
	CALL(sendto),
	CALL(shutdown),
	CALL(getsockopt),
	CALL(close),
	/* memory, never executable */
	CALL(brk),
	CALL_IF(mmap, LACKS, 2, PROT_EXEC),
	CALL_IF(mprotect, LACKS, 2, PROT_EXEC),
	CALL(mremap),
	CALL(getrandom),
	/* what the guest's driver chooses for a tap */
	IOCTL(TUNSETOFFLOAD),
	/* time */
	CALL(clock_gettime),
	CALL(timerfd_create),
	CALL(timerfd_settime),
};

static const struct rule disk_rules[] = {
	EVERY_THREAD,	 CALL(preadv),	  CALL(pwritev),
	CALL(fdatasync), CALL(fallocate), CALL(clock_gettime),
};

/* Names are the guest's, of one component; paths are descriptors' numbers
 * (fuse_path()). What is executable stays so in files, never in memory. */
static const struct rule share_rules[] = {
	EVERY_THREAD,
	CALL(preadv),
	CALL(pwritev),
	CALL(statx),
	CALL(openat),
	CALL(close),
	CALL(getdents64),
	CALL(lseek),
	CALL(readlinkat),
	CALL(mkdirat),
	CALL(mknodat),
	CALL(symlinkat),
	CALL(linkat),
	CALL(unlinkat),
	CALL(renameat), /* the C library's renameat2() without flags */
	CALL(renameat2),
	CALL(fchmodat),
	CALL(fchownat),
	CALL(ftruncate),
	CALL(utimensat),
	CALL(fallocate),
	CALL(copy_file_range),
	CALL(fstatfs),
	CALL(fsync),
	CALL(fdatasync),
	CALL(syncfs),
	CALL(setxattr),
	CALL(getxattr),
	CALL(listxattr),
	CALL(removexattr),
	CALL_IF(fcntl, EQUAL, 1, F_DUPFD_CLOEXEC),
	/* users and rights, the thread's own */
	CALL(setfsuid),
	CALL(setfsgid),
	CALL(geteuid),
	CALL(getegid),
	CALL(capget),
	CALL(capset),
	/* memory, never executable */
	CALL(brk),
	CALL_IF(mmap, LACKS, 2, PROT_EXEC),
	CALL_IF(mprotect, LACKS, 2, PROT_EXEC),
	CALL(mremap),
};

static const struct {
	const struct rule *rules;
	size_t n;
} roles[] = {
	[JAIL_VCPU] = { vcpu_rules, ARRAY_SIZE(vcpu_rules) },
	[JAIL_DEVICE] = { device_rules, ARRAY_SIZE(device_rules) },
	[JAIL_DISK] = { disk_rules, ARRAY_SIZE(disk_rules) },
	[JAIL_SHARE] = { share_rules, ARRAY_SIZE(share_rules) },
};

#define MAX_RULES    80
#define MAX_CODE     (4 + 4 * MAX_RULES + 1)
#define THIS_ARCH    AUDIT_ARCH_X86_64
#define OFFSET_OF(m) ((uint32_t)offsetof(struct seccomp_data, m))
#define ARGUMENT(i)  ((uint32_t)(offsetof(struct seccomp_data, args) + 8U * (i)))

struct code {
	struct sock_filter at[MAX_CODE];
	unsigned short n;
};

static void put(struct code *c, uint16_t op, uint32_t k, uint8_t yes,
		uint8_t no)
{
	c->at[c->n++] = (struct sock_filter){ op, yes, no, k };
}

static void put_load(struct code *c, uint32_t offset)
{
	put(c, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void put_return(struct code *c, uint32_t verdict)
{
	put(c, BPF_RET | BPF_K, verdict, 0, 0);
}

/* The number is in the accumulator, before and after. */
static void put_rule(struct code *c, const struct rule *r)
{
	static const uint16_t tests[] = {
		[EQUAL] = BPF_JMP | BPF_JEQ | BPF_K,
		[LACKS] = BPF_JMP | BPF_JSET | BPF_K,
	};

	if (r->condition == ALWAYS) {
		put(c, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0, 1);
		put_return(c, SECCOMP_RET_ALLOW);
		return;
	}
	put(c, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0, 4);
	put_load(c, ARGUMENT(r->arg));
	if (r->condition == EQUAL)
		put(c, tests[EQUAL], r->value, 0, 1);
	else
		put(c, tests[LACKS], r->value, 1, 0);
	put_return(c, SECCOMP_RET_ALLOW);
	put_load(c, OFFSET_OF(nr));
}

static void build(struct code *c, const struct rule *rules, size_t n)
{
	put_load(c, OFFSET_OF(arch));
	put(c, BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
	put_return(c, SECCOMP_RET_KILL_PROCESS);
	put_load(c, OFFSET_OF(nr));
	for (size_t i = 0; i < n; i++)
		put_rule(c, &rules[i]);
	/* Everything else, the other numbering of the same calls (x32)
	 * included: none of the numbers above has its bit. */
	put_return(c, SECCOMP_RET_KILL_PROCESS);
}

int jail_filter(enum jail_role role, struct err *e)
{
	struct code c = { .n = 0 };
	struct sock_fprog prog = { .filter = c.at };

	_Static_assert(ARRAY_SIZE(device_rules) <= MAX_RULES, "rules");
	_Static_assert(ARRAY_SIZE(share_rules) <= MAX_RULES, "rules");
	int r = jail_set_caps(role, e);

	if (r < 0)
		return r;
	build(&c, roles[role].rules, roles[role].n);
	prog.len = c.n;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_errno(e, "jail: install the filter");
	return 0;
}

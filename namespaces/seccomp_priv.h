/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files behind namespaces/seccomp.h share. */
#include <linux/filter.h>

#include "namespaces/seccomp.h"

enum ns_action {
	NS_ACT_ALLOW,
	NS_ACT_ERRNO,
	NS_ACT_KILL_PROCESS,
	NS_ACT_KILL_THREAD,
	NS_ACT_LOG,
	NS_ACT_NOTIFY,
	NS_ACT_TRACE,
	NS_ACT_TRAP,
};

/* -EINVAL for a name nobody knows. */
MUST_CHECK int ns_seccomp_action(const char *name, enum ns_action *ret);

/* The operators, in the order of ns_seccomp_operators. */
enum ns_op {
	NS_OP_EQ,
	NS_OP_GE,
	NS_OP_GT,
	NS_OP_LE,
	NS_OP_LT,
	NS_OP_MASKED_EQ,
	NS_OP_NE,
};
MUST_CHECK int ns_seccomp_op(const char *name, enum ns_op *ret);

/* A program that grows: instructions, and how many there are. */
struct ns_bpf {
	struct sock_filter *v;
	size_t n;
};

/* The most system call numbers one architecture of a profile names. */
struct ns_seccomp_last {
	uint32_t audit; /* AUDIT_ARCH_* */
	uint32_t last;	/* with x32's bit where it is that */
	bool x32;
	bool multiplexed; /* s390: number 0 stands for those it cannot say */
};

/*
 * What answers ENOSYS to numbers above the last: to be put in front of the
 * profile's own program. Architectures of one audit number stand together.
 */
MUST_CHECK int ns_seccomp_stub(const struct ns_seccomp_last *v, size_t n,
			       struct ns_bpf *ret);

/* By libseccomp. *ret is the caller's to free. 1: the program lacks something,
 * and a warning has said what. */
MUST_CHECK int ns_seccomp_build(const struct ns_seccomp *s, struct ns_bpf *ret,
				struct err *e);

/* A name for the compiled form of s, 64 hexadecimal digits. */
#define NS_SECCOMP_KEY 65
void ns_seccomp_key(const struct ns_seccomp *s, char ret[NS_SECCOMP_KEY]);
/* What else a program depends on: the library's version, the architecture. */
uint64_t ns_seccomp_library(void);

/* -ENOENT: not there, or not to be trusted. Storing may fail unnoticed. */
MUST_CHECK int ns_seccomp_cache_read(int cachefd, const char *key,
				     struct ns_bpf *ret);
void ns_seccomp_cache_write(int cachefd, const char *key,
			    const struct ns_bpf *bpf);

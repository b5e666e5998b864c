/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * System call filters: from the OCI's description to a BPF program, by
 * libseccomp. Compiling needs no rights and no container: it is done in the
 * parent, once, before the clone; loading is one system call of the child.
 *
 * System calls that are newer than the profile (numbers above the highest that
 * the profile names) answer ENOSYS instead of the default action, so that libc
 * falls back as it would on an older kernel.
 */
#include "base/json.h"

struct ns_seccomp_arg {
	uint32_t index; /* 0..5 */
	uint64_t value, value_two;
	char *op; /* SCMP_CMP_* */
};

struct ns_seccomp_rule {
	char **names;
	char *action; /* SCMP_ACT_* */
	struct opt_u32 errno_ret;
	JSON_VEC_OF(struct ns_seccomp_arg) args;
};

struct ns_seccomp {
	char *default_action;
	struct opt_u32 default_errno_ret;
	char **architectures; /* SCMP_ARCH_* */
	char **flags;	      /* SECCOMP_FILTER_FLAG_* */
	char *listener_path;
	char *listener_metadata;
	bool strict; /* an unknown system call is an error */
	JSON_VEC_OF(struct ns_seccomp_rule) rules;
};
extern const struct json_table ns_seccomp_table;

struct ns_seccomp_program {
	struct json_bytes bpf; /* struct sock_filter[] */
	uint32_t flags;	       /* SECCOMP_FILTER_FLAG_* for seccomp(2) */
	bool notify;	       /* a listener descriptor comes back */
};

/* Names, operators, flags and arguments are known and fit each other. Pure. */
MUST_CHECK int ns_seccomp_check(const struct ns_seccomp *s, struct err *e);

/*
 * cachefd: a folder of compiled programs by digest of the description, or -1.
 * A damaged or foreign entry is ignored, never loaded.
 */
MUST_CHECK int ns_seccomp_compile(const struct ns_seccomp *s, int cachefd,
				  struct ns_seccomp_program *ret,
				  struct err *e);
void ns_seccomp_program_done(struct ns_seccomp_program *p);

/* Needs no_new_privs or CAP_SYS_ADMIN. *ret_listener: the notify descriptor,
 * or -1. */
MUST_CHECK int ns_seccomp_load(const struct ns_seccomp_program *p,
			       int *ret_listener, struct err *e);

/* For `features`. NULL-terminated. */
extern const char *const ns_seccomp_actions[];
extern const char *const ns_seccomp_operators[];
extern const char *const ns_seccomp_archs[];
extern const char *const ns_seccomp_flags_known[];
/* Those of ns_seccomp_flags_known that this kernel has. */
MUST_CHECK int ns_seccomp_flags_supported(char ***ret);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Starting the programs a monitor consists of. They live as long as their
 * starter and no longer, are in a session of their own (a ^C on the caller's
 * terminal is not meant for them), and say what they have to say into one
 * small file in memory, whose end belongs into an error message.
 */
#include <sys/types.h>

#include "base/err.h"

struct vm_spawn {
	const char *path; /* absolute */
	char *const *argv;
	const int *keep; /* open in the program under the same numbers */
	size_t n_keep;
	int log; /* its stdout and stderr */
	/* In the child, before the program; may be NULL. */
	int (*prepare)(void *arg, struct err *e);
	void *arg;
};

/* Gives the pid of a process that has become its program. */
MUST_CHECK pid_t vm_spawn(const struct vm_spawn *s, struct err *e);

/* The first of these that can be executed; names without a slash are looked
 * for in PATH. The caller frees. -ENOENT without a sentence. */
MUST_CHECK int vm_find_program(const char *const *names, char **ret);

#define VM_LOG_MAX 16384 /* more is not kept */

MUST_CHECK int vm_log_new(struct err *e);
/* What it ends with, at most size - 1 bytes from the start of a line. */
void vm_log_tail(int log, char *ret, size_t size);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The processes of a group and of all below it; the same in both versions. */
#include <sys/types.h>

#include "base/err.h"

struct cg_procs {
	pid_t *v;
	size_t n;
};

/* fd: of the group's folder. Sorted, each once. */
MUST_CHECK int cg_procs_list(int fd, struct cg_procs *ret, struct err *e);
void cg_procs_done(struct cg_procs *p);

/* Sends sig to each; processes that are gone, or not ours to signal because
 * they are kernel threads, do not matter. Gives how many got it. */
MUST_CHECK int cg_procs_signal(const struct cg_procs *p, int sig,
			       struct err *e);
/* SIGKILL, again and again, until a list brings nobody new. */
MUST_CHECK int cg_procs_kill(int fd, struct err *e);

/* Milliseconds of CLOCK_MONOTONIC, and those left until a deadline (>= 0;
 * -1 for none). */
uint64_t cg_now_ms(void);
/* now + timeout_ms; UINT64_MAX for a negative one: never. */
uint64_t cg_deadline(int timeout_ms);
int cg_left_ms(uint64_t deadline);

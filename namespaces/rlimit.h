/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Resource limits by name, and the OOM score. */
#include <sys/types.h>

#include "base/json.h"

struct ns_rlimit {
	char *type; /* RLIMIT_NOFILE, ... */
	uint64_t soft, hard;
};
extern const struct json_table ns_rlimit_table;

/* The name is known, soft <= hard. */
MUST_CHECK int ns_rlimit_check(const struct ns_rlimit *l, struct err *e);
/* By pid (0: us): a process in a user namespace may not raise its own. */
MUST_CHECK int ns_rlimit_set(pid_t pid, const struct ns_rlimit *l,
			     struct err *e);

MUST_CHECK int ns_oom_score_set(int procfd, pid_t pid, int32_t score,
				struct err *e);

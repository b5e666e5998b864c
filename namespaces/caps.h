/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Capabilities: names, and the five sets of a process. Bit n is capability n.
 */
#include <sys/types.h>

#include "base/json.h"

struct ns_caps {
	bool set; /* false: the process keeps what execve gives it */
	uint64_t bounding, effective, inheritable, permitted, ambient;
};
extern const struct json_table ns_caps_table;

/* "CAP_CHOWN" or "chown", any case. -EINVAL for a name nobody knows. */
MUST_CHECK int ns_cap_parse(const char *name, unsigned int *ret);
/* NULL beyond the last one known. */
const char *ns_cap_name(unsigned int cap);
/* What this kernel has: 2^(last + 1) - 1, from one prctl search. */
uint64_t ns_caps_known(void);

/*
 * The change of identity, in the only order that works: bounding set while
 * CAP_SETPCAP is there, keep caps over the uid change, groups, gid, uid, then
 * the four other sets, ambient last.
 */
struct ns_user {
	uint32_t uid, gid;
	struct json_u32v groups;
	bool keep_groups;     /* the caller's, instead of those */
	struct opt_u32 umask; /* not set: 0022, as runc has it */
};
extern const struct json_table ns_user_table;

/* Where the user namespace denies setgroups(2), having asked for groups is an
 * error; having asked for none is not. */
MUST_CHECK int ns_user_become(const struct ns_user *u, const struct ns_caps *c,
			      struct err *e);

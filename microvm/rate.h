/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A token bucket: so much per second, with a burst of one second's worth. What
 * costs more than the bucket holds is let through and waited for afterwards.
 */
#include "base/util.h"

struct vm_bucket {
	uint64_t per_second; /* 0: no limit */
	int64_t tokens;	     /* negative: in debt */
	uint64_t at_ns;
};

/* now: of any clock that does not go back. */
void vm_bucket_init(struct vm_bucket *b, uint64_t per_second, uint64_t now_ns);

/* Takes n; gives for how long to wait before going on. */
uint64_t vm_bucket_take(struct vm_bucket *b, uint64_t n, uint64_t now_ns);

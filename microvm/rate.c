/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/rate.h"

#define SECOND 1000000000ULL

static int64_t full(const struct vm_bucket *b)
{
	return (int64_t)MIN_OF(b->per_second, (uint64_t)INT64_MAX / 4);
}

void vm_bucket_init(struct vm_bucket *b, uint64_t per_second, uint64_t now_ns)
{
	*b = (struct vm_bucket){ .per_second = per_second, .at_ns = now_ns };
	b->tokens = full(b);
}

static void refill(struct vm_bucket *b, uint64_t now_ns)
{
	/* Beyond some seconds it is full in any case, or still in the same
	 * debt as a clock that stands; both keep the product small. */
	uint64_t passed = MIN_OF(now_ns - b->at_ns, 64 * SECOND);
	uint64_t more =
		(uint64_t)((unsigned __int128)passed * b->per_second / SECOND);

	if (more == 0)
		return; /* too short for one token: it still counts */
	b->at_ns = now_ns;
	b->tokens =
		(int64_t)MIN_OF((__int128)b->tokens + more, (__int128)full(b));
}

uint64_t vm_bucket_take(struct vm_bucket *b, uint64_t n, uint64_t now_ns)
{
	unsigned __int128 debt;

	if (b->per_second == 0)
		return 0;
	refill(b, now_ns);
	b->tokens -= (int64_t)MIN_OF(n, (uint64_t)INT64_MAX / 4);
	if (b->tokens >= 0)
		return 0;
	debt = (unsigned __int128)(-b->tokens) * SECOND;
	return (uint64_t)(debt / b->per_second);
}

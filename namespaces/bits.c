/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/bits.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static int add(void *arg, uint64_t first, uint64_t last)
{
	uint64_t *bits = arg;

	for (uint64_t i = first; i <= last; i++)
		bits[i / 64] |= (uint64_t)1 << (i % 64);
	return 0;
}

int ns_bits_parse(const char *text, uint64_t *bits, size_t n)
{
	(void)memset(bits, 0, n / 8);
	if (!text || !*text)
		return -EINVAL;
	return str_each_range(text, n - 1, add, bits);
}

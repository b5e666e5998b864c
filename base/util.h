/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The few words every file uses.
 *
 * struct opt_*: a number that may be absent. Limits need the difference
 * between "0" and "not asked for"; a sentinel would be a value some kernel
 * file accepts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	  (sizeof(a) / sizeof((a)[0]))
#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN	  __attribute__((noreturn))

#ifdef __CPPCHECK__ /* gives up on a file with these in an initialiser */
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#else
#define MIN_OF(a, b)                                                           \
	({                                                                     \
		__typeof__(a) min_a_ = (a);                                    \
		__typeof__(b) min_b_ = (b);                                    \
		min_a_ < min_b_ ? min_a_ : min_b_;                             \
	})
#define MAX_OF(a, b)                                                           \
	({                                                                     \
		__typeof__(a) max_a_ = (a);                                    \
		__typeof__(b) max_b_ = (b);                                    \
		max_a_ > max_b_ ? max_a_ : max_b_;                             \
	})
#endif

#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct opt_bool {
	bool set;
	bool v;
};

struct opt_i64 {
	bool set;
	int64_t v;
};

struct opt_u64 {
	bool set;
	uint64_t v;
};

struct opt_u32 {
	bool set;
	uint32_t v;
};

#define OPT_OF(x)                                                              \
	{                                                                      \
		.set = true, .v = (x)                                          \
	}

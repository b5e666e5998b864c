/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Out of memory is an ordinary error. A job is done again and again: first
 * with its first allocation failing, then with its second, until nothing fails
 * any more.
 *
 *	CHECK(until_it_works(job) > 7);
 *
 * The linker puts our allocators before libc's: $(nomem_wrap).
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/unit/scratch.h"

/* So many allocations succeed, one fails, the others succeed; -1: all do. */
static long left = -1;
static bool failed;

static bool fails_now(void)
{
	if (left < 0 || left-- > 0)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

#define WRAP(type, name, params, args)                                         \
	type __real_##name params;                                             \
	type __wrap_##name params;                                             \
	type __wrap_##name params                                              \
	{                                                                      \
		return fails_now() ? NULL : __real_##name args;                \
	}

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t size), (p, size))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))
WRAP(DIR *, fdopendir, (int fd), (fd))

/* Gives how many allocations were made to fail. */
static inline int until_it_works(int (*job)(struct err *e))
{
	for (long n = 0; n < 10000; n++) {
		struct err e = { 0 };
		int before = open_fds(), r;

		left = n;
		failed = false;
		r = job(&e);
		left = -1;
		CHECK_INT(open_fds(), before);
		if (!failed)
			return CHECK_INT(r, 0) ? (int)n : -1;
		if (!CHECK_INT(r, -ENOMEM)) {
			tap_note("allocation %ld: %s", n, e.text);
			return -1;
		}
	}
	(void)CHECK(!"it never ends");
	return -1;
}

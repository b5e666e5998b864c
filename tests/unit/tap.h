/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Unit tests that print TAP.
 *
 *	TEST(a_reversed_range_is_refused)
 *	{
 *		CHECK_INT(str_each_range("3-1", 9, add, NULL), -EINVAL);
 *	}
 *
 *	static const struct tap_test tests[] = {
 *		TAP(a_reversed_range_is_refused),
 *	};
 *
 *	int main(void)
 *	{
 *		return tap_run(tests, ARRAY_SIZE(tests));
 *	}
 *
 * CHECK...   says what failed and where, goes on, and gives whether it held
 * REQUIRE    the same, but leaves the test: what follows depends on it
 * CHECK_OK   a result that must not be negative; shows the struct err
 * SKIP       leaves the test with a reason; a failure under TEST_STRICT=1
 *
 * A test with its own tables names the row with tap_note("...") on failure:
 *	if (!CHECK_INT(r, c->want))
 *		tap_note("in '%s'", c->text);
 *
 * A forked child may CHECK too and ends with _exit(tap_child_status()).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"

struct tap_test {
	const char *name;
	void (*run)(void);
};

#define TEST(f) static void f(void)
#define TAP(f)                                                                 \
	{                                                                      \
#f, f                                                          \
	}

struct tap_state_ {
	unsigned int failed; /* checks of this test */
	char skip[256];	     /* the reason, empty: not skipped */
};

static struct tap_state_ tap_;

PRINTF_LIKE(1, 2) static inline void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)printf("#   ");
	(void)vprintf(fmt, ap);
	(void)printf("\n");
	va_end(ap);
	(void)fflush(stdout);
}

PRINTF_LIKE(3, 4)
static inline bool tap_fail_(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	tap_.failed++;
	va_start(ap, fmt);
	(void)printf("# %s:%d: ", file, line);
	(void)vprintf(fmt, ap);
	(void)printf("\n");
	va_end(ap);
	(void)fflush(stdout);
	return false;
}

static inline bool tap_int_(const char *file, int line, const char *what,
			    long long got, long long want)
{
	return got == want ||
	       tap_fail_(file, line, "%s is %lld, not %lld", what, got, want);
}

static inline bool tap_str_(const char *file, int line, const char *what,
			    const char *got, const char *want)
{
	if (got == want || (got && want && strcmp(got, want) == 0))
		return true;
	return tap_fail_(file, line, "%s is '%s', not '%s'", what,
			 got ? got : "(null)", want ? want : "(null)");
}

static inline bool tap_has_(const char *file, int line, const char *what,
			    const char *got, const char *part)
{
	return (got && strstr(got, part)) ||
	       tap_fail_(file, line, "%s is '%s', without '%s'", what,
			 got ? got : "(null)", part);
}

static inline bool tap_ok_(const char *file, int line, const char *what,
			   long long r, const struct err *e)
{
	return r >= 0 || tap_fail_(file, line, "%s is %lld: %s", what, r,
				   e && e->text[0] ? e->text : "no text");
}

#define CHECK(cond)                                                            \
	((cond) ? true                                                         \
		: tap_fail_(__FILE__, __LINE__, "does not hold: %s", #cond))
#define CHECK_INT(got, want)                                                   \
	tap_int_(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want) tap_str_(__FILE__, __LINE__, #got, got, want)
/* want is a part of the text. */
#define CHECK_HAS(got, want) tap_has_(__FILE__, __LINE__, #got, got, want)
#define CHECK_OK(r, e)	     tap_ok_(__FILE__, __LINE__, #r, (long long)(r), e)

#define REQUIRE(cond)                                                          \
	do {                                                                   \
		if (!CHECK(cond))                                              \
			return;                                                \
	} while (0)
#define REQUIRE_OK(r, e)                                                       \
	do {                                                                   \
		if (!CHECK_OK(r, e))                                           \
			return;                                                \
	} while (0)

#define SKIP(...)                                                              \
	do {                                                                   \
		(void)snprintf(tap_.skip, sizeof(tap_.skip), __VA_ARGS__);     \
		return;                                                        \
	} while (0)

static inline int tap_child_status(void)
{
	return tap_.failed > 0;
}

static inline bool tap_strict_(void)
{
	const char *strict = getenv("TEST_STRICT");

	return strict && *strict && strcmp(strict, "0") != 0;
}

/* The function's name as a sentence. */
static inline const char *tap_name_(const struct tap_test *t, char buf[256])
{
	(void)snprintf(buf, 256, "%s", t->name);
	for (char *p = buf; *p; p++)
		if (*p == '_')
			*p = ' ';
	return buf;
}

static inline bool tap_run_one_(const struct tap_test *t, size_t number)
{
	bool skipped, failed;
	char name[256];

	(void)memset(&tap_, 0, sizeof(tap_));
	t->run();

	skipped = tap_.skip[0] && !tap_.failed;
	failed = tap_.failed || (skipped && tap_strict_());
	if (skipped && failed)
		tap_note("skipped under TEST_STRICT: %s", tap_.skip);
	(void)printf("%s %zu - %s%s%s\n", failed ? "not ok" : "ok", number,
		     tap_name_(t, name), skipped && !failed ? " # SKIP " : "",
		     skipped && !failed ? tap_.skip : "");
	(void)fflush(stdout);
	return !failed;
}

/* For main(): 0 when nothing failed. */
static inline int tap_run(const struct tap_test *tests, size_t n)
{
	int status = 0;

	(void)printf("1..%zu\n", n);
	(void)fflush(stdout);
	for (size_t i = 0; i < n; i++)
		if (!tap_run_one_(&tests[i], i + 1))
			status = 1;
	return status;
}

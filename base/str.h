/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Strings, lists of strings (NULL-terminated "strv") and numbers in them.
 * Parsing is strict: the whole text, no sign where none belongs, no blanks.
 */
#include "base/cleanup.h"
#include "base/err.h"

/* The caller's to free; NULL when out of memory. */
MUST_CHECK char *str_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

bool str_eq(const char *a, const char *b); /* both may be NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

MUST_CHECK int str_to_u64(const char *s, uint64_t *ret);
MUST_CHECK int str_to_i64(const char *s, int64_t *ret);
MUST_CHECK int str_to_u32(const char *s, uint32_t *ret);
MUST_CHECK int str_to_int(const char *s, int *ret);
MUST_CHECK int str_to_u64_base(const char *s, int base, uint64_t *ret);

/* "512m", "1.5g", "4096", "2KiB", "1tb": powers of 1024. -ERANGE on overflow.
 */
MUST_CHECK int str_to_bytes(const char *s, uint64_t *ret);
/* "02:00:5e:10:00:ff", with two digits each. */
MUST_CHECK int str_to_mac(const char *s, uint8_t ret[6]);
/* "1.5" with at most 9 places -> 1500000000 billionths. */
MUST_CHECK int str_to_nano(const char *s, uint64_t *ret);

/* "0-3,7" -> calls add(first, last) per part; refuses reversed ranges and
 * numbers over max. */
MUST_CHECK int str_each_range(const char *s, uint64_t max,
			      int (*add)(void *arg, uint64_t first,
					 uint64_t last),
			      void *arg);

/* "2026-11-21T10:00:00Z" from seconds since 1970, for the years to 9999. */
#define STR_TIME_MAX 48
void str_time(int64_t seconds, char ret[STR_TIME_MAX]);

/* Hexadecimal and base64 (standard alphabet, padded). */
void str_hex(const uint8_t *data, size_t len, char *ret /* 2 * len + 1 */);
MUST_CHECK char *str_base64(const void *data, size_t len);
/* *ret has a NUL behind *ret_len bytes. One spelling only: padded, no blanks,
 * unused bits 0. */
MUST_CHECK int str_from_base64(const char *s, void **ret, size_t *ret_len);

/* Bytes of the UTF-8 character at s, of which len > 0 are there; 0 when it is
 * none: cut short, overlong, a surrogate, beyond U+10FFFF. */
size_t str_utf8_char(const char *s, size_t len);
/* Puts '?' for what a terminal may obey instead of show: control characters,
 * those above ASCII (C1) too, but for tabs; and bytes that are no UTF-8, which
 * some take for such. */
void str_make_printable(char *s, size_t len);

#define STRV_FOREACH(s, v)                                                     \
	for (char *const *s = (char *const *)(v); s && *s; s++)

size_t strv_len(char *const *v);
void strv_free(char **v);
/* Appends a copy (strv_add) or the string itself (strv_take, which frees it
 * when it fails). *v may be NULL. */
MUST_CHECK int strv_add(char ***v, const char *s);
MUST_CHECK int strv_take(char ***v, char *s);
MUST_CHECK int strv_addf(char ***v, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_CHECK char **strv_copy(char *const *v); /* of NULL: an empty list */
/* Empty parts are kept ("a::" gives three); an empty text gives none. */
MUST_CHECK int strv_split(const char *s, char sep, char ***ret);
bool strv_has(char *const *v, const char *s);

/* Environments: a list of "NAME=value". */
const char *strv_env_get(char *const *v, const char *name);
MUST_CHECK int strv_env_set(char ***v, const char *name, const char *value);

static inline void auto_strv_free_(char ***v)
{
	strv_free(*v);
}
#define autostrv _cleanup_(auto_strv_free_)

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned int)(c - 'A') + 10;
	return UINT_MAX;
}

/*
 * Digits from *s on; *s is then at what stopped it. Not strtoull(): that one
 * takes blanks and signs, and gives ULLONG_MAX - 1 for "-2".
 */
static int take_digits(const char **s, unsigned int base, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	if (digit_of(*p) >= base)
		return -EINVAL;
	for (; digit_of(*p) < base; p++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, digit_of(*p), &v))
			return -ERANGE;
	*s = p;
	*ret = v;
	return 0;
}

int str_to_u64_base(const char *s, int base, uint64_t *ret)
{
	uint64_t v;
	int r;

	if (base < 2 || base > 36)
		return -EINVAL;
	r = take_digits(&s, (unsigned int)base, &v);
	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	*ret = v;
	return 0;
}

int str_to_mac(const char *s, uint8_t ret[6])
{
	uint8_t mac[6];

	for (size_t i = 0; i < sizeof(mac); i++, s += 2) {
		if (i > 0 && *s++ != ':')
			return -EINVAL;
		if (digit_of(s[0]) >= 16 || digit_of(s[1]) >= 16)
			return -EINVAL;
		mac[i] = (uint8_t)(digit_of(s[0]) << 4 | digit_of(s[1]));
	}
	if (*s)
		return -EINVAL;
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

int str_to_u64(const char *s, uint64_t *ret)
{
	return str_to_u64_base(s, 10, ret);
}

int str_to_i64(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v, max = INT64_MAX;
	int r;

	r = str_to_u64(s + negative, &v);
	if (r < 0)
		return r;
	if (v > max + negative)
		return -ERANGE;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int str_to_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r;

	r = str_to_u64(s, &v);
	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)v;
	return 0;
}

int str_to_int(const char *s, int *ret)
{
	int64_t v;
	int r;

	r = str_to_i64(s, &v);
	if (r < 0)
		return r;
	if (v < INT_MIN || v > INT_MAX)
		return -ERANGE;
	*ret = (int)v;
	return 0;
}

/* "12.345" -> 12 and 345000000 billionths; *s behind it. */
static int take_decimal(const char **s, uint64_t *whole, uint64_t *nano)
{
	uint64_t scale = 100000000;
	int r;

	r = take_digits(s, 10, whole);
	if (r < 0)
		return r;
	*nano = 0;
	if (**s != '.')
		return 0;
	if (digit_of(*++*s) >= 10)
		return -EINVAL;
	for (; digit_of(**s) < 10; ++*s, scale /= 10) {
		if (scale == 0)
			return -EINVAL; /* a tenth place */
		*nano += digit_of(**s) * scale;
	}
	return 0;
}

int str_to_nano(const char *s, uint64_t *ret)
{
	uint64_t whole, nano;
	int r;

	r = take_decimal(&s, &whole, &nano);
	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, 1000000000U, &whole) ||
	    __builtin_add_overflow(whole, nano, &whole))
		return -ERANGE;
	*ret = whole;
	return 0;
}

/* "", "b", "k", "kb", "kib" and so on -> the power of two, or -1. */
static int unit_shift(const char *s)
{
	static const char units[] = "kmgtpe";
	const char *at = *s ? strchr(units, *s | 0x20) : NULL;

	if (!at)
		return !*s || strcasecmp(s, "b") == 0 ? 0 : -1;
	s++;
	if (*s && strcasecmp(s, "b") != 0 && strcasecmp(s, "ib") != 0)
		return -1;
	return 10 * (int)(at - units + 1);
}

int str_to_bytes(const char *s, uint64_t *ret)
{
	uint64_t whole, nano;
	int r, shift;

	r = take_decimal(&s, &whole, &nano);
	if (r < 0)
		return r;
	shift = unit_shift(s);
	if (shift < 0 || (shift == 0 && nano != 0))
		return -EINVAL;
	if (whole > UINT64_MAX >> shift)
		return -ERANGE;
	/* Below 2^30 * 2^60: the product needs more than 64 bits. */
	*ret = (whole << shift) +
	       (uint64_t)(((unsigned __int128)nano << shift) / 1000000000U);
	return 0;
}

/* "3" or "3-5"; *s behind it. */
static int take_range(const char **s, uint64_t *first, uint64_t *last)
{
	int r = take_digits(s, 10, first);

	if (r < 0)
		return r;
	*last = *first;
	if (**s != '-')
		return 0;
	++*s;
	return take_digits(s, 10, last);
}

int str_each_range(const char *s, uint64_t max,
		   int (*add)(void *arg, uint64_t first, uint64_t last),
		   void *arg)
{
	uint64_t first, last;
	int r;

	do {
		r = take_range(&s, &first, &last);
		if (r < 0)
			return r;
		if ((*s && *s != ',') || first > last)
			return -EINVAL;
		if (last > max)
			return -ERANGE;
		r = add(arg, first, last);
		if (r < 0)
			return r;
	} while (*s++ == ',');
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *str_printf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

size_t str_utf8_char(const char *s, size_t len)
{
	/* Lead byte, and the range of the byte behind it: that is where
	 * overlong forms, surrogates and too high values show. */
	static const struct {
		uint8_t lead_min, lead_max, next_min, next_max, n;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const uint8_t *b = (const uint8_t *)s;
	size_t i = 0, n = 2;

	if (b[0] < 0x80)
		return 1;
	while (i < ARRAY_SIZE(forms) &&
	       (b[0] < forms[i].lead_min || b[0] > forms[i].lead_max))
		i++;
	if (i == ARRAY_SIZE(forms) || len < forms[i].n ||
	    b[1] < forms[i].next_min || b[1] > forms[i].next_max)
		return 0;
	while (n < forms[i].n && (b[n] & 0xc0) == 0x80)
		n++;
	return n == forms[i].n ? n : 0;
}

static bool is_control(const char *s, size_t n)
{
	const uint8_t *b = (const uint8_t *)s;

	if (n == 1)
		return (b[0] < ' ' && b[0] != '\t') || b[0] == 0x7f;
	return n == 2 && b[0] == 0xc2 && b[1] < 0xa0;
}

void str_make_printable(char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = str_utf8_char(s + i, len - i);

		if (n == 0 || is_control(s + i, n)) {
			n = n ? n : 1;
			(void)memset(s + i, '?', n);
		}
		i += n;
	}
}

/*
 * Not by gmtime_r(), which reads /etc/localtime first: system calls, and in a
 * container's child the container's file. The year begins in March here, so
 * that the leap day is its last; 719468 days lie between 0000-03-01 and
 * 1970-01-01, 146097 in 400 years.
 */
void str_time(int64_t seconds, char ret[STR_TIME_MAX])
{
	unsigned int sec = (unsigned int)(seconds % 86400);
	unsigned int days = (unsigned int)(seconds / 86400) + 719468;
	unsigned int era = days / 146097, doe = days % 146097;
	unsigned int yoe =
		(doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned int month = (5 * doy + 2) / 153;
	unsigned int day = doy - (153 * month + 2) / 5 + 1;
	unsigned int year = yoe + era * 400 + (month >= 10);

	month = month < 10 ? month + 3 : month - 9;
	(void)snprintf(ret, STR_TIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ",
		       year, month, day, sec / 3600, sec / 60 % 60, sec % 60);
}

void str_hex(const uint8_t *data, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*ret++ = digits[data[i] >> 4];
		*ret++ = digits[data[i] & 15];
	}
	*ret = '\0';
}

static const char base64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *str_base64(const void *data, size_t len)
{
	const uint8_t *in = data;
	char *text, *out;

	if (len > SIZE_MAX / 2)
		return NULL;
	text = malloc((len + 2) / 3 * 4 + 1);
	if (!text)
		return NULL;

	out = text;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t three = (uint32_t)in[i] << 16;

		if (left > 1)
			three |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			three |= in[i + 2];
		*out++ = base64[three >> 18];
		*out++ = base64[three >> 12 & 63];
		*out++ = left > 1 ? base64[three >> 6 & 63] : '=';
		*out++ = left > 2 ? base64[three & 63] : '=';
	}
	*out = '\0';
	return text;
}

/* The six bits a character stands for, or -1. */
static int six_bits(char c)
{
	const char *at = c ? strchr(base64, c) : NULL;

	return at ? (int)(at - base64) : -1;
}

/*
 * Four characters into up to three bytes; gives their number or -1. Bits that
 * no byte takes must be 0, so that a value has one spelling only.
 */
static int take_four(const char *s, uint8_t *out)
{
	int n = s[3] != '=' ? 3 : s[2] != '=' ? 2 : 1;
	uint32_t bits = 0;

	for (int i = 0; i < 4; i++) {
		int six = i <= n ? six_bits(s[i]) : 0;

		if (six < 0)
			return -1;
		bits = bits << 6 | (uint32_t)six;
	}
	if ((bits & (0xffffffU >> 8 * n)) != 0)
		return -1;
	for (int i = 0; i < n; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	return n;
}

int str_from_base64(const char *s, void **ret, size_t *ret_len)
{
	size_t len = strlen(s), done = 0;
	autofree uint8_t *data = NULL;

	if (len % 4 != 0)
		return -EINVAL;
	data = malloc(len / 4 * 3 + 1);
	if (!data)
		return -ENOMEM;

	for (size_t i = 0; i < len; i += 4) {
		int n = take_four(s + i, data + done);

		if (n < 0 || (n < 3 && i + 4 < len))
			return -EINVAL;
		done += (size_t)n;
	}
	data[done] = '\0';
	*ret = steal_ptr(data);
	*ret_len = done;
	return 0;
}

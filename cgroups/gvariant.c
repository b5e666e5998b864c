/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/gvariant.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define MAX_DEPTH 8
#define SIG_MAX	  128

/*
 * The text is gone through twice: first for the type, which D-Bus wants to
 * know before the value, then for the value itself.
 */
struct reader {
	const char *s;
	unsigned int depth;
	struct cg_dbus_out *m; /* NULL: for the type alone */
};

static void skip_space(struct reader *r)
{
	r->s += strspn(r->s, " \t");
}

static bool eat(struct reader *r, char c)
{
	skip_space(r);
	if (*r->s != c)
		return false;
	r->s++;
	return true;
}

static const struct {
	const char *word;
	char type;
	int64_t min;
	uint64_t max;
} numbers[] = {
	{ "byte", 'y', 0, UINT8_MAX },
	{ "int16", 'n', INT16_MIN, INT16_MAX },
	{ "uint16", 'q', 0, UINT16_MAX },
	{ "int32", 'i', INT32_MIN, INT32_MAX },
	{ "uint32", 'u', 0, UINT32_MAX },
	{ "int64", 'x', INT64_MIN, INT64_MAX },
	{ "uint64", 't', 0, UINT64_MAX },
};
#define PLAIN_NUMBER 3

static void put_number(struct cg_dbus_out *m, char type, uint64_t v)
{
	switch (type) {
	case 'y':
		cg_dbus_byte(m, (uint8_t)v);
		break;
	case 'n':
	case 'q':
		cg_dbus_u16(m, (uint16_t)v);
		break;
	case 'i':
	case 'u':
		cg_dbus_u32(m, (uint32_t)v);
		break;
	default:
		cg_dbus_u64(m, v);
		break;
	}
}

/* The digits at r->s; *ret in two's complement. */
static int take_number(struct reader *r, size_t kind, uint64_t *ret)
{
	size_t len = strspn(r->s, "0123456789abcdefABCDEFxX+-");
	char digits[32], *end;
	bool negative = *r->s == '-';

	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, r->s, len);
	digits[len] = '\0';
	if (!isdigit((unsigned char)digits[negative]))
		return -EINVAL;
	errno = 0;
	if (negative) {
		int64_t v = strtoll(digits, &end, 0);

		if (errno || *end || v < numbers[kind].min)
			return -EINVAL;
		*ret = (uint64_t)v;
	} else {
		*ret = strtoull(digits, &end, 0);
		if (errno || *end || *ret > numbers[kind].max)
			return -EINVAL;
	}
	r->s += len;
	return 0;
}

static int read_number(struct reader *r, size_t kind, char **sig)
{
	uint64_t v;
	int ret;

	skip_space(r);
	ret = take_number(r, kind, &v);
	if (ret < 0)
		return ret;
	*(*sig)++ = numbers[kind].type;
	if (r->m)
		put_number(r->m, numbers[kind].type, v);
	return 0;
}

static int read_string(struct reader *r, char **sig)
{
	char quote = *r->s++;
	autofree char *text = malloc(strlen(r->s) + 1);
	size_t n = 0;

	if (!text)
		return -ENOMEM;
	for (; *r->s && *r->s != quote; r->s++) {
		if (*r->s == '\\' && r->s[1])
			r->s++;
		text[n++] = *r->s;
	}
	if (*r->s != quote)
		return -EINVAL;
	r->s++;
	text[n] = '\0';
	*(*sig)++ = 's';
	if (r->m)
		cg_dbus_str(r->m, text);
	return 0;
}

static size_t alignment(char type)
{
	switch (type) {
	case 'y':
		return 1;
	case 'n':
	case 'q':
		return 2;
	case 'x':
	case 't':
	case 'd':
	case '(':
		return 8;
	default:
		return 4;
	}
}

static int read_value(struct reader *r, char **sig, const char *limit);

/* The elements of an array must be of one type, which the first gives. */
static int read_elements(struct reader *r, char *type, const char *limit)
{
	char other[SIG_MAX];
	bool first = true;

	do {
		char *end = first ? type : other;
		int ret = read_value(r, &end,
				     first ? limit : other + sizeof(other));

		if (ret < 0)
			return ret;
		*end = '\0';
		if (!first && !str_eq(type, other))
			return -EINVAL;
		first = false;
	} while (eat(r, ','));
	return eat(r, ']') ? 0 : -EINVAL;
}

static int read_array(struct reader *r, char **sig, const char *limit)
{
	struct cg_dbus_array a = { 0 };
	struct reader ahead = *r;
	char type[SIG_MAX] = "";
	int ret;

	*(*sig)++ = 'a';
	if (r->m) {
		/* The element's alignment comes with its type. */
		ahead.m = NULL;
		ret = read_elements(&ahead, type, type + sizeof(type));
		if (ret < 0)
			return ret;
		a = cg_dbus_open(r->m, alignment(type[0]));
	}
	ret = read_elements(r, *sig, limit);
	if (ret < 0)
		return ret;
	*sig += strlen(*sig);
	if (r->m)
		cg_dbus_close(r->m, a);
	return 0;
}

static int read_tuple(struct reader *r, char **sig, const char *limit)
{
	*(*sig)++ = '(';
	if (r->m)
		cg_dbus_align(r->m, 8);
	do {
		int ret = read_value(r, sig, limit);

		if (ret < 0)
			return ret;
	} while (eat(r, ','));
	*(*sig)++ = ')';
	return eat(r, ')') ? 0 : -EINVAL;
}

/* "@as []": an empty array needs its type said. */
static int read_empty(struct reader *r, char **sig, const char *limit)
{
	size_t n = strcspn(r->s, " ");

	if (n < 2 || n > 8 || r->s[0] != 'a' ||
	    strspn(r->s, "abynqiuxtdsog()") != n || limit - *sig < 10)
		return -EINVAL;
	memcpy(*sig, r->s, n);
	*sig += n;
	if (r->m)
		cg_dbus_close(r->m, cg_dbus_open(r->m, alignment(r->s[1])));
	r->s += n;
	return eat(r, '[') && eat(r, ']') ? 0 : -EINVAL;
}

static int read_word(struct reader *r, char **sig)
{
	size_t n = strspn(r->s, "abcdefghijklmnopqrstuvwxyz0123456789");
	bool yes = n == 4 && memcmp(r->s, "true", 4) == 0;

	if (yes || (n == 5 && memcmp(r->s, "false", 5) == 0)) {
		r->s += n;
		*(*sig)++ = 'b';
		if (r->m)
			cg_dbus_u32(r->m, yes);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (strlen(numbers[i].word) == n &&
		    memcmp(r->s, numbers[i].word, n) == 0) {
			r->s += n;
			return read_number(r, i, sig);
		}
	}
	return read_number(r, PLAIN_NUMBER, sig);
}

static int read_nested(struct reader *r, char **sig, const char *limit)
{
	char open = *r->s++;
	int ret;

	if (++r->depth > MAX_DEPTH)
		return -EINVAL;
	if (open == '[')
		ret = read_array(r, sig, limit);
	else if (open == '(')
		ret = read_tuple(r, sig, limit);
	else
		ret = read_empty(r, sig, limit);
	r->depth--;
	return ret;
}

/* Recursion is bounded by MAX_DEPTH. limit: the end of the room at *sig. */
static int read_value(struct reader *r, char **sig, const char *limit)
{
	skip_space(r);
	if (limit - *sig < 4)
		return -EINVAL;
	switch (*r->s) {
	case '\'':
	case '"':
		return read_string(r, sig);
	case '[':
	case '(':
	case '@':
		return read_nested(r, sig, limit);
	default:
		return read_word(r, sig);
	}
}

int cg_gvariant_put(struct cg_dbus_out *m, const char *text, struct err *e)
{
	struct reader type = { .s = text }, value = { .s = text, .m = m };
	char sig[SIG_MAX], *end = sig;
	int r;

	r = read_value(&type, &end, sig + sizeof(sig));
	skip_space(&type);
	if (r < 0 || *type.s)
		return err_set(e, -EINVAL,
			       "'%s' is no value in GVariant's text form",
			       text);
	*end = '\0';
	cg_dbus_sig(m, sig);
	end = sig;
	r = read_value(&value, &end, sig + sizeof(sig));
	return r < 0 ? err_set(e, r, "'%s' is no value", text) : 0;
}

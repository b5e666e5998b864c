/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static void fail(struct json_out *o, int error)
{
	if (!o->error)
		o->error = error;
}

static void grow(struct json_out *o, size_t more)
{
	size_t size = MAX_OF(o->size * 2, (size_t)512);
	char *text;

	while (more >= size - o->len)
		size *= 2;
	text = realloc(o->text, size);
	if (!text) {
		fail(o, -ENOMEM);
		return;
	}
	o->text = text;
	o->size = size;
}

/* There is always room for the NUL that json_out_take() adds. */
static void put(struct json_out *o, const char *s, size_t n)
{
	if (!o->error && n >= o->size - o->len)
		grow(o, n);
	if (o->error)
		return;
	(void)memcpy(o->text + o->len, s, n);
	o->len += n;
}

static void new_line(struct json_out *o)
{
	if (!o->pretty)
		return;
	put(o, "\n", 1);
	for (unsigned int i = 0; i < o->depth; i++)
		put(o, "  ", 2);
}

static bool in_object(const struct json_out *o)
{
	return o->depth > 0 && (o->objects >> (o->depth - 1) & 1);
}

static void separate(struct json_out *o)
{
	if (o->has_items)
		put(o, ",", 1);
	if (o->depth > 0)
		new_line(o);
	o->has_items = true;
}

/* Before each value: one at the top, behind a key in an object. */
static void begin_value(struct json_out *o)
{
	if (in_object(o) != o->after_key || (o->depth == 0 && o->has_items))
		fail(o, -EINVAL);
	if (!o->after_key)
		separate(o);
	o->after_key = false;
}

void json_out_begin(struct json_out *o, char bracket)
{
	uint64_t bit;

	begin_value(o);
	if (o->depth == 64) {
		fail(o, -E2BIG);
		return;
	}
	put(o, &bracket, 1);
	bit = (uint64_t)1 << o->depth;
	o->objects = bracket == '{' ? o->objects | bit : o->objects & ~bit;
	o->depth++;
	o->has_items = false;
}

void json_out_end(struct json_out *o, char bracket)
{
	if (o->depth == 0 || o->after_key || in_object(o) != (bracket == '}')) {
		fail(o, -EINVAL);
		return;
	}
	o->depth--;
	if (o->has_items)
		new_line(o);
	put(o, &bracket, 1);
	o->has_items = true;
}

static void put_escape(struct json_out *o, unsigned char c)
{
	static const char short_from[] = "\"\\\b\f\n\r\t";
	static const char short_to[] = "\"\\bfnrt";
	const char *at = strchr(short_from, c);
	char text[8];
	int n;

	if (c && at)
		n = snprintf(text, sizeof(text), "\\%c",
			     short_to[at - short_from]);
	else
		n = snprintf(text, sizeof(text), "\\u%04x", c);
	put(o, text, (size_t)n);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* U+0080 to U+009F, for which JSON asks no escape: a terminal takes them for
 * ESC sequences. */
static bool is_c1(const char *s)
{
	return (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0;
}

static void put_string(struct json_out *o, const char *s, size_t len)
{
	const char *end = s + len;
	size_t n;

	put(o, "\"", 1);
	while (s < end) {
		const char *from = s;

		while (s < end && is_plain((unsigned char)*s))
			s++;
		put(o, from, (size_t)(s - from));
		if (s == end)
			break;
		n = str_utf8_char(s, (size_t)(end - s));
		if (n == 0)
			put(o, "\xef\xbf\xbd", 3); /* U+FFFD */
		else if (n == 1 || is_c1(s))
			put_escape(o, (unsigned char)s[n - 1]);
		else
			put(o, s, n);
		s += MAX_OF(n, (size_t)1);
	}
	put(o, "\"", 1);
}

void json_out_keyn(struct json_out *o, const char *key, size_t len)
{
	if (!in_object(o) || o->after_key)
		fail(o, -EINVAL);
	separate(o);
	put_string(o, key, len);
	put(o, ": ", o->pretty ? 2 : 1);
	o->after_key = true;
}

void json_out_key(struct json_out *o, const char *key)
{
	json_out_keyn(o, key, strlen(key));
}

void json_out_rawn(struct json_out *o, const char *json, size_t len)
{
	begin_value(o);
	put(o, json, len);
}

void json_out_raw(struct json_out *o, const char *json)
{
	json_out_rawn(o, json, strlen(json));
}

void json_out_null(struct json_out *o)
{
	json_out_raw(o, "null");
}

void json_out_bool(struct json_out *o, bool v)
{
	json_out_raw(o, v ? "true" : "false");
}

void json_out_strn(struct json_out *o, const char *s, size_t len)
{
	begin_value(o);
	put_string(o, s, len);
}

void json_out_str(struct json_out *o, const char *s)
{
	if (s)
		json_out_strn(o, s, strlen(s));
	else
		json_out_null(o);
}

void json_out_u64(struct json_out *o, uint64_t v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	json_out_raw(o, text);
}

void json_out_i64(struct json_out *o, int64_t v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, v);
	json_out_raw(o, text);
}

/* The shortest text that reads back as the same number. */
void json_out_f64(struct json_out *o, double v)
{
	char text[40];

	if (!__builtin_isfinite(v)) {
		fail(o, -EINVAL); /* JSON has no word for it */
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	json_out_raw(o, text);
}

int json_out_take(struct json_out *o, char **ret, size_t *ret_len,
		  struct err *e)
{
	if (o->depth > 0 || !o->has_items)
		fail(o, -EINVAL);
	if (o->error)
		return err_code(e, o->error, "write JSON");
	o->text[o->len] = '\0';
	if (ret_len)
		*ret_len = o->len;
	*ret = steal_ptr(o->text);
	json_out_done(o);
	return 0;
}

void json_out_done(struct json_out *o)
{
	bool pretty = o->pretty;

	free(o->text);
	*o = (struct json_out){ .pretty = pretty };
}

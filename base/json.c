/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_priv.h"
#include "base/str.h"

/* --- what yajl lets pass ------------------------------------------------ */

/*
 * yajl decodes \u0000 to a NUL, half a surrogate pair to "?", and takes
 * overlong UTF-8 for characters. So the text is looked through before: yajl
 * gets what is before the first fault, and where it then stands is the place
 * that the message names.
 *
 * Backslashes are only allowed in strings, so this need not know where those
 * begin: in front of the first syntax error, that yajl finds, each backslash
 * begins an escape.
 */
struct fault {
	size_t at; /* the length of the text when there is none */
	const char *what;
};

static int hex4(const char *s, const char *end)
{
	int v = 0;

	if (end - s < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef";
		int c = (unsigned char)s[i];
		const char *at = strchr(digits, c >= 'A' ? c | 0x20 : c);

		if (!c || !at)
			return -1;
		v = v << 4 | (int)(at - digits);
	}
	return v;
}

/* An escape at s; gives its length. Bad digits are left to yajl. */
static size_t check_escape(const char *s, const char *end, const char **fault)
{
	int high, low = -1;

	if (end - s < 2 || s[1] != 'u')
		return MIN_OF((size_t)(end - s), (size_t)2);
	high = hex4(s + 2, end);
	if (high == 0)
		*fault = "NUL in a string";
	if (high < 0xd800 || high > 0xdfff)
		return 2;
	if (end - s >= 12 && s[6] == '\\' && s[7] == 'u')
		low = hex4(s + 8, end);
	if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
		*fault = "half a surrogate pair in a string";
	return 12;
}

/* Bytes from s on that are ASCII and no backslash; eight at a time. */
static size_t count_plain(const char *s, size_t len)
{
	const uint64_t ones = 0x0101010101010101, highs = ones << 7;
	size_t n = 0;
	uint64_t eight, other;

	for (; len - n >= sizeof(eight); n += sizeof(eight)) {
		(void)memcpy(&eight, s + n, sizeof(eight));
		/* A byte of other is 0 where there is a backslash. */
		other = eight ^ ones * '\\';
		if ((eight | ((other - ones) & ~other)) & highs)
			break;
	}
	while (n < len && s[n] != '\\' && (s[n] & 0x80) == 0)
		n++;
	return n;
}

/* An escape, or a character that is not ASCII. */
static size_t check_special(const char *s, const char *end, const char **fault)
{
	size_t n;

	if (*s == '\\')
		return check_escape(s, end, fault);
	n = str_utf8_char(s, (size_t)(end - s));
	if (n == 0)
		*fault = "invalid UTF-8";
	return n;
}

static struct fault find_fault(const char *text, size_t len)
{
	struct fault f = { .at = count_plain(text, len) };

	while (f.at < len) {
		size_t n = check_special(text + f.at, text + len, &f.what);

		if (f.what)
			break;
		f.at += n;
		f.at += count_plain(text + f.at, len - f.at);
	}
	return f;
}

/* --- yajl's events ------------------------------------------------------ */

static int on_value(void *reader, const struct json_value *v)
{
	return json_on_value(reader, v) == 0;
}

static int on_null(void *reader)
{
	return on_value(reader, &(struct json_value){ .event = JSON_E_NULL });
}

static int on_boolean(void *reader, int truth)
{
	return on_value(reader, &(struct json_value){ .event = JSON_E_BOOL,
						      .truth = truth != 0 });
}

static int on_number(void *reader, const char *text, size_t len)
{
	return on_value(reader, &(struct json_value){ .event = JSON_E_NUMBER,
						      .text = text,
						      .len = len });
}

static int on_string(void *reader, const unsigned char *text, size_t len)
{
	return on_value(reader,
			&(struct json_value){ .event = JSON_E_STRING,
					      .text = (const char *)text,
					      .len = len });
}

static int on_map(void *reader)
{
	return on_value(reader, &(struct json_value){ .event = JSON_E_MAP });
}

static int on_array(void *reader)
{
	return on_value(reader, &(struct json_value){ .event = JSON_E_ARRAY });
}

static int on_key(void *reader, const unsigned char *key, size_t len)
{
	return json_on_key(reader, (const char *)key, len) == 0;
}

static int on_end(void *reader)
{
	return json_on_end(reader) == 0;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number, /* as text: yajl's own has 63 bits */
	.yajl_string = on_string,
	.yajl_start_map = on_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end,
};

static size_t line_of(const char *text, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

/* yajl's words are "parse error: ...\n". */
static int refuse_syntax(struct json_reader *r, yajl_handle y, size_t at)
{
	unsigned char *words = yajl_get_error(y, 0, NULL, 0);
	const char *text = words ? (const char *)words : "not JSON";
	int error;

	r->depth = 0; /* the line says it better than a path does */
	error = json_refuse(r, -EINVAL, "line %zu: %.*s", line_of(r->text, at),
			    (int)strcspn(text, "\n"), text);
	if (words)
		yajl_free_error(y, words);
	return error;
}

/* --- yajl's memory ------------------------------------------------------ */

/*
 * yajl does not look at what its allocator gives, so ours does not return
 * without memory, but jumps: it is called by yajl alone, never from within a
 * callback, and what is left behind yajl_free() finds in order. Only while
 * yajl makes its own few structs it would not; those come from the pool, which
 * cannot fail, and spare some calls of malloc().
 */
static bool in_pool(const struct json_reader *r, const void *p)
{
	const char *at = p;

	return at >= r->pool && at < r->pool + sizeof(r->pool);
}

static void *take_pool(struct json_reader *r, size_t size)
{
	const size_t unit = sizeof(max_align_t);
	char *p = r->pool + r->pool_used;

	if (size > sizeof(r->pool) - r->pool_used)
		return NULL;
	size = (size + unit - 1) / unit * unit;
	r->pool_used += MIN_OF(size, sizeof(r->pool) - r->pool_used);
	return p;
}

static void *or_jump(struct json_reader *r, void *p)
{
	if (!p)
		longjmp(r->no_memory, 1);
	return p;
}

static void *yajl_malloc(void *reader, size_t size)
{
	void *p = take_pool(reader, size);

	return p ? p : or_jump(reader, malloc(size));
}

static void *yajl_realloc(void *reader, void *old, size_t size)
{
	assert(!in_pool(reader, old)); /* structs do not grow */
	return or_jump(reader, realloc(old, size));
}

static void yajl_release(void *reader, void *p)
{
	if (!in_pool(reader, p))
		free(p);
}

/* --- reading ------------------------------------------------------------ */

static int feed(struct json_reader *r, yajl_handle y)
{
	struct fault fault = find_fault(r->text, r->len);
	yajl_status status;

	status = yajl_parse(y, (const unsigned char *)r->text, fault.at);
	if (status == yajl_status_client_canceled)
		return r->error;
	if (status != yajl_status_ok)
		return refuse_syntax(r, y, yajl_get_bytes_consumed(y));
	if (fault.what)
		return json_refuse_next(r, fault.what);
	if (yajl_complete_parse(y) != yajl_status_ok)
		return r->error ? r->error : refuse_syntax(r, y, r->len);
	return 0;
}

/* All that happens between setjmp() and a jump is in other functions: no local
 * of this one can be lost. */
static int feed_or_fail(struct json_reader *r, yajl_handle y)
{
	if (setjmp(r->no_memory) != 0)
		return json_nomem(r);
	return feed(r, y);
}

static yajl_handle make_parser(struct json_reader *r)
{
	yajl_alloc_funcs functions = {
		.malloc = yajl_malloc,
		.realloc = yajl_realloc,
		.free = yajl_release,
		.ctx = r,
	};

	if (setjmp(r->no_memory) != 0)
		return NULL;
	return yajl_alloc(&callbacks, &functions, r);
}

static int read_all(struct json_reader *r)
{
	yajl_handle y;
	int error;

	if (r->len > JSON_MAX_SIZE)
		return json_refuse(r, -E2BIG, "more than %u bytes",
				   JSON_MAX_SIZE);
	y = make_parser(r);
	if (!y)
		return json_nomem(r);
	/* find_fault() has done it, and better. */
	(void)yajl_config(y, yajl_dont_validate_strings, 1);
	error = feed_or_fail(r, y);
	yajl_free(y);
	return error;
}

int json_read(const char *text, size_t len, const struct json_table *table,
	      void *obj, const char *name, struct err *e)
{
	_cleanup_(json_reader_done) struct json_reader r = {
		.text = text,
		.len = len,
		.name = name,
		.root = { .type = JSON_T_OBJ, .table = table },
		.obj = obj,
		.e = e,
	};
	int error;

	json_init(table, obj);
	error = read_all(&r);
	if (error < 0)
		json_free(table, obj);
	return error;
}

typedef int (*reader)(int dirfd, const char *path, size_t max, char **ret,
		      size_t *ret_len, struct err *e);

static int read_by(reader read, int dirfd, const char *path,
		   const struct json_table *table, void *obj, struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	int r;

	r = read(dirfd, path, JSON_MAX_SIZE, &text, &len, e);
	if (r < 0)
		return r;
	return json_read(text, len, table, obj, path, e);
}

int json_read_file_at(int dirfd, const char *path,
		      const struct json_table *table, void *obj, struct err *e)
{
	return read_by(fd_read_file_at, dirfd, path, table, obj, e);
}

int json_read_given_at(int dirfd, const char *path,
		       const struct json_table *table, void *obj, struct err *e)
{
	return read_by(fd_read_given_at, dirfd, path, table, obj, e);
}

int json_reformat(const char *text, size_t len, bool pretty, char **ret,
		  struct err *e)
{
	char *formatted = NULL;
	_cleanup_(json_reader_done) struct json_reader r = {
		.text = text,
		.len = len,
		.name = "JSON",
		.root = { .type = JSON_T_RAW },
		.obj = &formatted,
		.raw = { .pretty = pretty },
		.e = e,
	};
	int error = read_all(&r);

	if (error < 0) {
		free(formatted);
		return error;
	}
	*ret = formatted;
	return 0;
}

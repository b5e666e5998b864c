/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/str.h"
#include "tests/unit/tap.h"

#define OUT _cleanup_(json_out_done) struct json_out o = { 0 }

static void check_text(struct json_out *o, const char *want)
{
	autofree char *text = NULL;
	struct err e = { 0 };
	size_t len = 0;

	REQUIRE_OK(json_out_take(o, &text, &len, &e), &e);
	CHECK_STR(text, want);
	CHECK_INT(len, strlen(want));
}

static void write_some(struct json_out *o)
{
	json_out_begin(o, '{');
	json_out_key(o, "list");
	json_out_begin(o, '[');
	json_out_u64(o, UINT64_MAX);
	json_out_i64(o, INT64_MIN);
	json_out_bool(o, true);
	json_out_bool(o, false);
	json_out_null(o);
	json_out_str(o, NULL);
	json_out_raw(o, "{\"raw\":1}");
	json_out_end(o, ']');
	json_out_key(o, "none");
	json_out_begin(o, '{');
	json_out_end(o, '}');
	json_out_keyn(o, "cut off", 3);
	json_out_strn(o, "cut off", 3);
	json_out_key(o, "empty");
	json_out_begin(o, '[');
	json_out_end(o, ']');
	json_out_end(o, '}');
}

TEST(values_are_written_compact)
{
	OUT;

	write_some(&o);
	check_text(&o, "{\"list\":[18446744073709551615,-9223372036854775808,"
		       "true,false,null,null,{\"raw\":1}],\"none\":{},"
		       "\"cut\":\"cut\",\"empty\":[]}");
}

TEST(values_are_written_for_people)
{
	OUT;

	o.pretty = true;
	write_some(&o);
	check_text(&o, "{\n  \"list\": [\n    18446744073709551615,\n"
		       "    -9223372036854775808,\n    true,\n    false,\n"
		       "    null,\n    null,\n    {\"raw\":1}\n  ],\n"
		       "  \"none\": {},\n  \"cut\": \"cut\",\n"
		       "  \"empty\": []\n}");
}

TEST(a_writer_may_be_used_again)
{
	OUT;

	o.pretty = true;
	json_out_u64(&o, 1);
	check_text(&o, "1");
	json_out_begin(&o, '[');
	json_out_u64(&o, 2);
	json_out_end(&o, ']');
	check_text(&o, "[\n  2\n]");
}

TEST(a_text_of_any_length_has_room)
{
	char text[1200];

	(void)memset(text, 'x', sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++) {
		autofree char *out = NULL;
		OUT;

		json_out_rawn(&o, text, n);
		REQUIRE(json_out_take(&o, &out, NULL, NULL) == 0);
		CHECK_INT(strlen(out), n);
	}
}

TEST(strings_are_escaped_so_that_they_stay_strings)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
		{ "", "\"\"" },
		{ "plain / text", "\"plain / text\"" },
		{ "\"\\", "\"\\\"\\\\\"" },
		{ "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
		/* C1: what a terminal would obey, and the first that it shows */
		{ "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0",
		  "\"\\u0080\\u009b\\u009f\xc2\xa0\"" },
		{ "\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		/* what is not UTF-8 becomes U+FFFD, byte by byte */
		{ "a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80x",
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		OUT;

		json_out_str(&o, rows[i].text);
		check_text(&o, rows[i].written);
	}
}

static size_t encode(uint32_t c, char *out)
{
	if (c < 0x80)
		return (size_t)snprintf(out, 5, "%c", (int)c);
	if (c < 0x800)
		return (size_t)snprintf(out, 5, "%c%c", 0xc0 | (int)(c >> 6),
					0x80 | (int)(c & 63));
	if (c < 0x10000)
		return (size_t)snprintf(out, 5, "%c%c%c", 0xe0 | (int)(c >> 12),
					0x80 | (int)(c >> 6 & 63),
					0x80 | (int)(c & 63));
	return (size_t)snprintf(out, 5, "%c%c%c%c", 0xf0 | (int)(c >> 18),
				0x80 | (int)(c >> 12 & 63),
				0x80 | (int)(c >> 6 & 63),
				0x80 | (int)(c & 63));
}

struct holder {
	char *text;
};

TEST(every_character_comes_back_the_same)
{
	static const struct json_field fields[] = {
		JSON_STR(struct holder, text, "text"),
	};
	static const struct json_table table =
		JSON_TABLE(struct holder, fields);
	autofree char *all = malloc(0x110000 * 4 + 1), *json = NULL;
	struct holder h = { 0 }, back = { 0 };
	struct err e = { 0 };
	size_t n = 0, len = 0;

	REQUIRE(all);
	for (uint32_t c = 1; c < 0x110000; c++)
		if (c < 0xd800 || c > 0xdfff)
			n += encode(c, all + n);
	h.text = all;
	REQUIRE_OK(json_write(&table, &h, false, &json, &len, &e), &e);
	REQUIRE_OK(json_read(json, len, &table, &back, "all", &e), &e);
	CHECK(strlen(back.text) == n && strcmp(back.text, all) == 0);
	json_free(&table, &back);
}

TEST(numbers_are_short_and_exact)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {
		{ 0.0, "0" },
		{ -0.0, "-0" },
		{ 1.5, "1.5" },
		{ 0.1, "0.1" },
		{ 100, "100" },
		{ 1e300, "1e+300" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ DBL_MAX, "1.7976931348623157e+308" },
		{ 5e-324, "4.94065645841247e-324" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		OUT;

		json_out_f64(&o, rows[i].v);
		check_text(&o, rows[i].text);
	}
}

/* What json_out_take() is to refuse. */
static const char *const wrong[] = {
	"",   "{",   "[",   "1 1",  "{}1", "[}", "{]",	"}",   "{1}",  "{k}",
	"k1", "[k]", "{kk", "{k1]", "[]]", "n",	 "[n]", "{k{", "{k}}",
};

static void write_word(struct json_out *o, char word)
{
	switch (word) {
	case '{':
	case '[':
		json_out_begin(o, word);
		break;
	case '}':
	case ']':
		json_out_end(o, word);
		break;
	case 'k':
		json_out_key(o, "key");
		break;
	case '1':
		json_out_u64(o, 1);
		break;
	case 'n':
		json_out_f64(o, (double)NAN);
		break;
	default:
		break;
	}
}

TEST(wrong_nesting_is_reported_at_the_end)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct err e = { 0 };
		char *text = NULL;
		OUT;

		for (const char *p = wrong[i]; *p; p++)
			write_word(&o, *p);
		if (!CHECK_INT(json_out_take(&o, &text, NULL, &e), -EINVAL))
			tap_note("'%s' gives '%s'", wrong[i], text);
		free(text);
	}
}

TEST(nesting_has_a_bound)
{
	for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
		char *text = NULL;
		OUT;

		for (int i = 0; i < depth; i++)
			json_out_begin(&o, '[');
		for (int i = 0; i < depth; i++)
			json_out_end(&o, ']');
		CHECK_INT(json_out_take(&o, &text, NULL, NULL),
			  depth > JSON_MAX_DEPTH ? -E2BIG : 0);
		free(text);
	}
}

/* --- by table ----------------------------------------------------------- */

struct inner {
	char *path;
	uint32_t mode;
};

struct outer {
	bool flag, always;
	uint32_t number;
	char *secret;
	char *name;
	int kind;
	char **list;
	struct inner inner;
	struct inner *ptr;
};

static const struct json_field inner_fields[] = {
	JSON_STR(struct inner, path, "path", .required = true),
	JSON_U32(struct inner, mode, "mode"),
};
static const struct inner inner_defaults = { .mode = 7 };
static const struct json_table inner_table =
	JSON_TABLE(struct inner, inner_fields, .defaults = &inner_defaults);

static const char *const kinds[] = { "none", "some", NULL };
static const struct json_field outer_fields[] = {
	JSON_BOOL(struct outer, flag, "flag"),
	JSON_BOOL(struct outer, always, "always", .always = true),
	JSON_U32(struct outer, number, "number"),
	JSON_STR(struct outer, secret, "secret", .secret = true,
		 .always = true),
	JSON_STR(struct outer, name, "name"),
	JSON_ENUM(struct outer, kind, "kind", kinds),
	JSON_STRV(struct outer, list, "list"),
	JSON_OBJ(struct outer, inner, "inner", struct inner, inner_table),
	JSON_PTR(struct outer, ptr, "ptr", struct inner, inner_table),
};
static const struct outer outer_defaults = { .number = 5 };
static const struct json_table outer_table =
	JSON_TABLE(struct outer, outer_fields, .defaults = &outer_defaults);

static void check_written(const struct outer *v, const char *want)
{
	autofree char *text = NULL;
	struct err e = { 0 };

	REQUIRE_OK(json_write(&outer_table, v, false, &text, NULL, &e), &e);
	CHECK_STR(text, want);
}

TEST(what_reading_restores_anyhow_is_left_out)
{
	struct outer v = { .number = 5, .inner = { .mode = 7 } };

	check_written(&v, "{\"always\":false,\"number\":5}");
	v.number = 0; /* the default is not */
	check_written(&v, "{\"always\":false,\"number\":0}");
	v.number = 6;
	v.inner.mode = 0;
	check_written(&v, "{\"always\":false,\"number\":6,"
			  "\"inner\":{\"path\":null,\"mode\":0}}");
}

TEST(empty_is_not_absent_for_strings_and_secrets_stay)
{
	struct outer v = {
		.flag = true,
		.number = 5,
		.secret = (char[]){ "password" },
		.name = (char[]){ "" },
		.kind = 1,
		.list = (char *[]){ NULL },
		.inner = { .path = (char[]){ "/x" }, .mode = 7 },
		.ptr = &(struct inner){ .path = (char[]){ "/y" } },
	};

	check_written(&v, "{\"flag\":true,\"always\":false,\"number\":5,"
			  "\"name\":\"\",\"kind\":\"some\","
			  "\"inner\":{\"path\":\"/x\",\"mode\":7},"
			  "\"ptr\":{\"path\":\"/y\",\"mode\":0}}");
}

TEST(a_value_without_a_name_is_an_error)
{
	static const int bad[] = { 2, -1, 1000000 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct outer v = { .kind = bad[i] };
		struct err e = { 0 };
		char *text = NULL;

		CHECK_INT(json_write(&outer_table, &v, false, &text, NULL, &e),
			  -EINVAL);
		CHECK_STR(e.text, "write JSON: Invalid argument");
	}
}

struct everything {
	bool b;
	struct opt_bool ob;
	struct opt_i64 oi;
	struct opt_u64 ou;
	struct opt_u32 ou32;
	char *str, *raw;
	char **strv;
	struct json_map map;
	struct json_u32v u32v;
	struct json_bytes bytes;
	JSON_VEC_OF(struct inner) vec;
	struct inner *ptr;
};

TEST(always_writes_what_is_not_there)
{
	static const struct json_field fields[] = {
		JSON_BOOL(struct everything, b, "b", .always = true),
		JSON_OPT_BOOL(struct everything, ob, "ob", .always = true),
		JSON_OPT_I64(struct everything, oi, "oi", .always = true),
		JSON_OPT_U64(struct everything, ou, "ou", .always = true),
		JSON_OPT_U32(struct everything, ou32, "ou32", .always = true),
		JSON_STR(struct everything, str, "str", .always = true),
		JSON_RAW(struct everything, raw, "raw", .always = true),
		JSON_STRV(struct everything, strv, "strv", .always = true),
		JSON_MAP(struct everything, map, "map", .always = true),
		JSON_U32V(struct everything, u32v, "u32v", .always = true),
		JSON_BYTES(struct everything, bytes, "bytes", .always = true),
		JSON_VEC(struct everything, vec, "vec", struct inner,
			 inner_table, .always = true),
		JSON_PTR(struct everything, ptr, "ptr", struct inner,
			 inner_table, .always = true),
	};
	static const struct json_table table =
		JSON_TABLE(struct everything, fields);
	struct everything none = { 0 };
	autofree char *text = NULL;
	struct err e = { 0 };

	REQUIRE_OK(json_write(&table, &none, false, &text, NULL, &e), &e);
	CHECK_STR(text, "{\"b\":false,\"ob\":null,\"oi\":null,\"ou\":null,"
			"\"ou32\":null,\"str\":null,\"raw\":null,\"strv\":[],"
			"\"map\":{},\"u32v\":[],\"bytes\":\"\",\"vec\":[],"
			"\"ptr\":null}");
}

static const struct tap_test tests[] = {
	TAP(values_are_written_compact),
	TAP(values_are_written_for_people),
	TAP(a_writer_may_be_used_again),
	TAP(a_text_of_any_length_has_room),
	TAP(strings_are_escaped_so_that_they_stay_strings),
	TAP(every_character_comes_back_the_same),
	TAP(numbers_are_short_and_exact),
	TAP(wrong_nesting_is_reported_at_the_end),
	TAP(nesting_has_a_bound),
	TAP(what_reading_restores_anyhow_is_left_out),
	TAP(empty_is_not_absent_for_strings_and_secrets_stay),
	TAP(a_value_without_a_name_is_an_error),
	TAP(always_writes_what_is_not_there),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "tests/unit/json_all.h"
#include "tests/unit/tap.h"

static const struct {
	const char *text, *message;
} refused[] = {
	/* not one JSON object */
	{ "", "line 1: parse error: premature EOF" },
	{ "   \n", "line 2: parse error: premature EOF" },
	{ "{", "line 1: parse error: premature EOF" },
	{ "{} x", "line 1: parse error: trailing garbage" },
	{ "{}{}", "line 1: parse error: trailing garbage" },
	{ "{},", "line 1: parse error: trailing garbage" },
	{ "[]", "expected an object" },
	{ "null", "expected an object" },
	{ "1", "expected an object" },
	{ "\xef\xbb\xbf{}",
	  "line 1: lexical error: invalid char in json text." },
	{ "{\"a\":1,}", "line 1: parse error: invalid object key" },
	{ "{\"a\" 1}", "line 1: parse error: object key and value must" },
	{ "{\"a\":[1,]}", "line 1: parse error: unallowed token" },
	{ "{'a':1}", "line 1: lexical error" },
	{ "{\"a\":tru}", "line 1: lexical error" },
	{ "{\"a\":01}", "line 1: parse error" },
	{ "{\"a\":1.}", "line 1: lexical error" },
	{ "{\"a\":.5}", "line 1: lexical error" },
	{ "{\"a\":+1}", "line 1: lexical error" },
	{ "{\"a\":NaN}", "line 1: lexical error" },
	{ "{\"a\":\"\n\"}", "line 1: lexical error" },
	{ "{\"a\":\"\\x\"}", "line 1: lexical error" },
	{ "{\"a\":\"\\u12g4\"}", "line 1: lexical error" },
	{ "{\"a\":\"\\u12", "line 1: lexical error" },
	{ "{\n\n\"a\"\n:}", "line 4: parse error: unallowed token" },
	/* comments */
	{ "{/* x */}", "line 1: lexical error" },
	{ "{} // x", "line 1: parse error: trailing garbage" },
	{ "{\"a\":1 # x\n}", "line 1: lexical error" },
	/* NUL */
	{ "{\"str\":\"x\\u0000y\"}", "str: NUL in a string" },
	{ "{\"x\\u0000y\":1}", "NUL in a string" },
	{ "{\"new\":[{\"k\":[1,\"\\u0000\"]}]}",
	  "new: [0]: k: [1]: NUL in a string" },
	{ "{\"str\":\"a\",\"x\\u0000y\":1}", "NUL in a string" },
	{ "{\"user\":{},\"x\\u0000y\":1}", "NUL in a string" },
	/* UTF-8 and surrogates */
	{ "{\"str\":\"\xff\"}", "str: invalid UTF-8" },
	{ "{\"str\":\"\xc0\x80\"}", "str: invalid UTF-8" },
	{ "{\"str\":\"\xed\xa0\x80\"}", "str: invalid UTF-8" },
	{ "{\"str\":\"\xf4\x90\x80\x80\"}", "str: invalid UTF-8" },
	{ "{\"str\":\"0123456\xe2\x82\"}", "str: invalid UTF-8" },
	{ "{\"\xc3\x28\":1}", "invalid UTF-8" },
	{ "{\"new\":{\"a\":\"\xfe\"}}", "new: a: invalid UTF-8" },
	{ "{\"str\":\"\\ud800\"}", "str: half a surrogate pair in a string" },
	{ "{\"str\":\"\\udc00\"}", "str: half a surrogate pair in a string" },
	{ "{\"str\":\"\\udc00\\udc00\"}", "str: half a surrogate pair" },
	{ "{\"str\":\"\\ud800\\n\"}", "str: half a surrogate pair" },
	{ "{\"str\":\"\\ud800\\u0041\"}", "str: half a surrogate pair" },
	{ "{\"str\":\"\\uD83D\\uD83D\"}", "str: half a surrogate pair" },
	{ "{\"str\":\"\\\\\\udc00\"}", "str: half a surrogate pair" },
	{ "{\"str\":\"\\ud83d\\ude0", "str: half a surrogate pair" },
	/* duplicate keys */
	{ "{\"str\":\"a\",\"str\":\"b\"}", "duplicate key 'str'" },
	{ "{\"str\":null,\"str\":\"b\"}", "duplicate key 'str'" },
	{ "{\"str\":\"a\",\"\\u0073tr\":\"b\"}", "duplicate key 'str'" },
	{ "{\"user\":{\"uid\":1,\"uid\":1}}", "user: duplicate key 'uid'" },
	{ "{\"new\":1,\"new\":2}", "duplicate key 'new'" },
	{ "{\"n\\u0065w\":1,\"new\":2}", "duplicate key 'new'" },
	{ "{\"\":1,\"\":2}", "duplicate key ''" },
	{ "{\"\\u0061\":1,\"b\":1,\"\\u0061\":2}", "duplicate key 'a'" },
	{ "{\"new\":{\"a\":[{\"b\":1,\"b\":2}]}}",
	  "new: a: [0]: duplicate key 'b'" },
	{ "{\"map\":{\"a\":\"1\",\"a\":\"2\"}}", "map: duplicate key 'a'" },
	{ "{\"ports\":{\"a\":{},\"a\":{}}}", "ports: duplicate key 'a'" },
	{ "{\"raw\":[0,{\"a\":1,\"a\":2}]}", "raw: [1]: duplicate key 'a'" },
	/* numbers */
	{ "{\"u32\":-1}", "u32: expected an unsigned number" },
	{ "{\"u32\":-0}", "u32: expected an unsigned number" },
	{ "{\"u32\":\"1\"}", "u32: expected an unsigned number" },
	{ "{\"u32\":4294967296}", "u32: number over 4294967295" },
	{ "{\"u32\":1.0}", "u32: expected a whole number in digits, not 1.0" },
	{ "{\"u32\":1e3}", "u32: expected a whole number in digits, not 1e3" },
	{ "{\"u64\":18446744073709551616}",
	  "u64: number over 18446744073709551615" },
	{ "{\"u64\":99999999999999999999999}",
	  "u64: number over 18446744073709551615" },
	{ "{\"i32\":2147483648}",
	  "i32: number not in -2147483648 .. 2147483647" },
	{ "{\"i32\":-2147483649}",
	  "i32: number not in -2147483648 .. 2147483647" },
	{ "{\"i64\":9223372036854775808}",
	  "i64: number not in -9223372036854775808 .. 9223372036854775807" },
	{ "{\"i64\":-9223372036854775809}",
	  "i64: number not in -9223372036854775808 .. 9223372036854775807" },
	{ "{\"i64\":1E2}", "i64: expected a whole number in digits, not 1E2" },
	{ "{\"i64\":true}", "i64: expected a whole number" },
	{ "{\"f64\":1e999}", "f64: number out of range" },
	{ "{\"f64\":\"1\"}", "f64: expected a number" },
	{ "{\"ou32\":4294967296}", "ou32: number over 4294967295" },
	{ "{\"oi64\":1.5}",
	  "oi64: expected a whole number in digits, not 1.5" },
	{ "{\"u32v\":[1,-1]}", "u32v: [1]: expected an unsigned number" },
	{ "{\"u32v\":[null]}", "u32v: [0]: expected an unsigned number" },
	/* other types */
	{ "{\"flag\":1}", "flag: expected true or false" },
	{ "{\"ob\":\"true\"}", "ob: expected true or false" },
	{ "{\"str\":1}", "str: expected a string" },
	{ "{\"str\":[]}", "str: expected a string" },
	{ "{\"color\":\"gree\"}",
	  "color: expected one of 'red', 'green', 'blue'" },
	{ "{\"color\":\"greens\"}", "color: expected one of" },
	{ "{\"color\":1}", "color: expected one of" },
	{ "{\"bytes\":\"AA\"}", "bytes: expected base64" },
	{ "{\"strv\":{}}", "strv: expected an array of strings" },
	{ "{\"strv\":[\"a\",null]}", "strv: [1]: expected a string" },
	{ "{\"strv\":[[\"a\"]]}", "strv: [0]: expected a string" },
	{ "{\"map\":[]}", "map: expected an object" },
	{ "{\"map\":{\"a\":1}}", "map: a: expected a string" },
	{ "{\"u32v\":{}}", "u32v: expected an array" },
	{ "{\"user\":[]}", "user: expected an object" },
	{ "{\"ptr\":1}", "ptr: expected an object" },
	{ "{\"limits\":{}}", "limits: expected an array" },
	{ "{\"limits\":[null]}", "limits: [0]: expected an object" },
	{ "{\"ports\":[]}", "ports: expected an object" },
	{ "{\"ports\":{\"a\":1}}", "ports: a: expected an object" },
	/* required, and where */
	{ "{\"limits\":[{\"type\":\"x\",\"soft\":1},{\"type\":\"y\",\"soft\":-1}]}",
	  "limits: [1]: soft: expected an unsigned number" },
	{ "{\"limits\":[{\"soft\":1}]}", "limits: [0]: type: is required" },
	{ "{\"limits\":[{\"soft\":1,\"type\":null}]}",
	  "limits: [0]: type: is required" },
	{ "{\"ports\":{\"web\":{\"number\":\"80\"}}}",
	  "ports: web: number: expected an unsigned number" },
	/* too many */
	{ "{\"strv\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}",
	  "strv: [6]: more than 6 entries" },
	{ "{\"u32v\":[1,2,3,4,5,6,7]}", "u32v: [6]: more than 6 entries" },
	{ "{\"ports\":{\"1\":{},\"2\":{},\"3\":{},\"4\":{},\"5\":{},\"6\":{},"
	  "\"7\":{}}}",
	  "ports: 7: more than 6 entries" },
};

TEST(hostile_texts_are_refused_with_their_place)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		autofree char *want =
			str_printf("t.json: %s", refused[i].message);
		struct err e = { 0 };
		struct all a, zero;
		int r;

		(void)memset(&zero, 0, sizeof(zero));
		r = read_all(refused[i].text, &a, &e);
		if (!CHECK(r < 0) ||
		    !CHECK(strncmp(e.text, want, strlen(want)) == 0))
			tap_note("'%s' gives '%s'", refused[i].text, e.text);
		CHECK_INT(e.code, r);
		/* nothing is left to free */
		CHECK(memcmp(&a, &zero, sizeof(a)) == 0);
	}
}

/* A NUL byte itself, and a text whose length says less than it holds. */
TEST(the_length_counts_not_a_nul)
{
	static const char nul[] = "{\"str\":\"a\0b\"}";
	struct err e = { 0 };
	ALL;

	CHECK_INT(json_read(nul, sizeof(nul) - 1, &all_table, &a, "n", &e),
		  -EINVAL);
	CHECK_INT(json_read("{}\0", 3, &all_table, &a, "n", &e), -EINVAL);
	CHECK_OK(json_read("{}x", 2, &all_table, &a, "n", &e), &e);
}

TEST(a_text_that_is_cut_anywhere_is_refused)
{
	for (size_t n = 0; n + 1 < sizeof(everything) - 1; n++) {
		/* A copy of exact size: ASan sees a byte too far. */
		autofree char *cut = malloc(n + 1);
		struct err e = { 0 };
		ALL;

		REQUIRE(cut);
		(void)memcpy(cut, everything, n);
		cut = realloc(cut, n + (n == 0));
		REQUIRE(cut);
		CHECK(json_read(cut, n, &all_table, &a, "t", &e) < 0);
	}
}

/* "{"new":" or "{"raw":" around depth brackets. */
static int read_nested(const char *key, size_t depth, bool closed,
		       struct err *e)
{
	autofree char *text = malloc(depth * 2 + 16);
	size_t n;
	ALL;

	if (!text)
		return -ENOMEM;
	n = (size_t)snprintf(text, 16, "{\"%s\":", key);
	(void)memset(text + n, '[', depth);
	n += depth;
	if (closed) {
		(void)memset(text + n, ']', depth);
		n += depth;
		text[n++] = '}';
	}
	return json_read(text, n, &all_table, &a, "deep", e);
}

TEST(nesting_ends_at_its_bound)
{
	static const char *const keys[] = { "new", "raw" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct err e = { 0 };

		CHECK_OK(read_nested(keys[i], JSON_MAX_DEPTH - 1, true, &e),
			 &e);
		CHECK_INT(read_nested(keys[i], JSON_MAX_DEPTH, true, &e),
			  -EINVAL);
		CHECK_HAS(e.text, ": [0]: [0]: nested deeper than 64");
		CHECK_INT(read_nested(keys[i], 2000000, true, &e), -EINVAL);
		CHECK_INT(read_nested(keys[i], 2000000, false, &e), -EINVAL);
	}
}

TEST(size_ends_at_its_bound)
{
	autofree char *text = malloc(JSON_MAX_SIZE + 1);
	struct err e = { 0 };
	ALL;

	REQUIRE(text);
	(void)memset(text, ' ', JSON_MAX_SIZE + 1);
	(void)memcpy(text, "{}", 2);
	CHECK_OK(json_read(text, JSON_MAX_SIZE, &all_table, &a, "big", &e), &e);
	CHECK_INT(json_read(text, JSON_MAX_SIZE + 1, &all_table, &a, "big", &e),
		  -E2BIG);
	CHECK_STR(e.text, "big: more than 16777216 bytes");
}

/*
 * Duplicates among many keys: were they found by comparing all with all, this
 * would take minutes.
 */
static int read_many_keys(const char *prefix, const char *last, struct err *e)
{
	const size_t n = 200000;
	autofree char *text = malloc(n * 24 + 64);
	size_t len;
	ALL;

	if (!text)
		return -ENOMEM;
	len = (size_t)snprintf(text, 32, "{\"new\":{");
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, 32, "\"%s%zu\":0,", prefix,
					i * 7919 % n);
	len += (size_t)snprintf(text + len, 32, "\"%s\":0}}", last);
	return json_read(text, len, &all_table, &a, "many", e);
}

TEST(duplicates_among_very_many_keys_are_found)
{
	struct err e = { 0 };

	CHECK_OK(read_many_keys("k", "other", &e), &e);
	CHECK_INT(read_many_keys("k", "k4711", &e), -EINVAL);
	CHECK_STR(e.text, "many: new: duplicate key 'k4711'");
	/* decoded ones are kept elsewhere */
	CHECK_OK(read_many_keys("\\u006b", "other", &e), &e);
	CHECK_INT(read_many_keys("\\u006b", "k199999", &e), -EINVAL);
}

TEST(a_list_ends_at_65536_unless_the_table_says_more)
{
	const size_t n = 65537;
	autofree char *text = malloc(n * 32 + 32);
	struct err e = { 0 };
	size_t len;
	ALL;

	REQUIRE(text);
	len = (size_t)snprintf(text, 16, "{\"limits\":[");
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, 32, "%s%s", i ? "," : "",
					"{\"type\":\"\",\"soft\":1}");
	len += (size_t)snprintf(text + len, 4, "]}");
	CHECK_INT(json_read(text, len, &all_table, &a, "long", &e), -E2BIG);
	CHECK_STR(e.text, "long: limits: [65536]: more than 65536 entries");
}

TEST(a_number_of_very_many_digits_is_refused)
{
	static const char *const keys[] = { "u64", "i64", "f64", "u32v" };
	char text[600];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct err e = { 0 };
		size_t n;
		ALL;

		n = (size_t)snprintf(text, sizeof(text), "{\"%s\":", keys[i]);
		(void)memset(text + n, '1', 500);
		(void)memcpy(text + n + 500, "}", 2);
		CHECK(read_all(text, &a, &e) < 0);
		CHECK(strlen(e.text) < 100);
	}
}

TEST(long_hostile_keys_do_not_fill_the_message)
{
	autofree char *text = malloc(5000);
	struct err e = { 0 };
	size_t n;
	ALL;

	REQUIRE(text);
	n = (size_t)snprintf(text, 16, "{\"map\":{\"");
	(void)memset(text + n, 'k', 4000);
	n += 4000;
	n += (size_t)snprintf(text + n, 16, "\":1}}");
	CHECK_INT(json_read(text, n, &all_table, &a, "t", &e), -EINVAL);
	CHECK(strlen(e.text) < 120);
	CHECK_HAS(e.text, "kkk: expected a string");
}

static const struct tap_test tests[] = {
	TAP(hostile_texts_are_refused_with_their_place),
	TAP(the_length_counts_not_a_nul),
	TAP(a_text_that_is_cut_anywhere_is_refused),
	TAP(nesting_ends_at_its_bound),
	TAP(size_ends_at_its_bound),
	TAP(duplicates_among_very_many_keys_are_found),
	TAP(a_list_ends_at_65536_unless_the_table_says_more),
	TAP(a_number_of_very_many_digits_is_refused),
	TAP(long_hostile_keys_do_not_fill_the_message),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/str.h"
#include "tests/unit/tap.h"

TEST(comparisons_look_at_both_ends_and_take_null)
{
	CHECK(str_eq("a", "a") && str_eq(NULL, NULL));
	CHECK(!str_eq("a", NULL) && !str_eq(NULL, "a") && !str_eq("a", "b"));
	CHECK(str_starts("abc", "ab") && str_starts("abc", ""));
	CHECK(!str_starts("a", "ab") && !str_starts("xab", "ab"));
	CHECK(str_ends("abc", "bc") && str_ends("abc", "") &&
	      str_ends("bc", "bc"));
	CHECK(!str_ends("c", "bc") && !str_ends("bcx", "bc"));
}

TEST(bytes_become_hexadecimal)
{
	const uint8_t data[] = { 0x00, 0x7f, 0xab, 0xff };
	char text[9];

	str_hex(data, sizeof(data), text);
	CHECK_STR(text, "007fabff");
	str_hex(data, 0, text);
	CHECK_STR(text, "");
}

/* From RFC 4648. */
static const struct {
	const char *plain, *coded;
} base64[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/" },
};

TEST(base64_goes_both_ways)
{
	for (size_t i = 0; i < ARRAY_SIZE(base64); i++) {
		const char *plain = base64[i].plain;
		autofree char *coded = str_base64(plain, strlen(plain));
		autofree void *back = NULL;
		size_t len = 99;

		CHECK_STR(coded, base64[i].coded);
		if (!CHECK_INT(str_from_base64(base64[i].coded, &back, &len),
			       0))
			continue;
		CHECK_INT(len, strlen(plain));
		CHECK_STR((char *)back, plain);
	}
}

TEST(base64_has_one_spelling)
{
	static const char *const bad[] = {
		"Z",	"Zg",	 "Zg=",	     "Zg= =", "=",
		"====", "Z===",	 "Zg==Zg==", "Zh==",  "Zm9=",
		"Zm-v", " Zm9v", "Zm9v\n",   "Zm9v=", "Zg\xff=",
	};
	size_t len = 7;
	void *data = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(str_from_base64(bad[i], &data, &len), -EINVAL))
			tap_note("taken: '%s'", bad[i]);
	CHECK(!data && len == 7);
}

static const struct {
	const char *text; /* NUL-terminated, one character */
	size_t len;
} characters[] = {
	{ "a", 1 },
	{ "\x7f", 1 },
	{ "\xc2\x80", 2 },
	{ "\xdf\xbf", 2 },
	{ "\xe0\xa0\x80", 3 },
	{ "\xed\x9f\xbf", 3 },
	{ "\xee\x80\x80", 3 },
	{ "\xef\xbf\xbf", 3 },
	{ "\xf0\x90\x80\x80", 4 },
	{ "\xf4\x8f\xbf\xbf", 4 },
	/* and none: a byte that continues, overlong, surrogates, too high */
	{ "\x80", 0 },
	{ "\xbf", 0 },
	{ "\xc0\x80", 0 },
	{ "\xc1\xbf", 0 },
	{ "\xe0\x9f\xbf", 0 },
	{ "\xed\xa0\x80", 0 },
	{ "\xed\xbf\xbf", 0 },
	{ "\xf0\x8f\xbf\xbf", 0 },
	{ "\xf4\x90\x80\x80", 0 },
	{ "\xf5\x80\x80\x80", 0 },
	{ "\xff", 0 },
	{ "\xc2x", 0 },
	{ "\xe1\x80x", 0 },
	{ "\xf1\x80\x80x", 0 },
};

TEST(utf8_is_told_from_what_only_looks_like_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(characters); i++) {
		const char *s = characters[i].text;

		if (!CHECK_INT(str_utf8_char(s, strlen(s)), characters[i].len))
			tap_note("row %zu", i);
	}
}

TEST(utf8_that_is_cut_short_is_none)
{
	for (size_t i = 0; i < ARRAY_SIZE(characters); i++)
		for (size_t n = 1; n < characters[i].len; n++)
			CHECK_INT(str_utf8_char(characters[i].text, n), 0);
}

TEST(what_a_terminal_obeys_is_made_harmless)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "plain \t text", "plain \t text" },
		{ "\x1b[2J\r\n\b\x7f", "?[2J????" },
		{ "\xc2\x80\xc2\x9b\xc2\x9f", "??????" },
		{ "\xc2\xa0\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x99",
		  "\xc2\xa0\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x99" },
		{ "\x9b"
		  "31m",
		  "?31m" },
		{ "\xc0\x9b \xe0\x82\x9b \xff", "?? ??? ?" },
		{ "cut \xe2\x82", "cut ??" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		(void)strncpy(text, rows[i].text, sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		str_make_printable(text, strlen(text));
		CHECK_STR(text, rows[i].want);
	}
}

/* Every day of 400 years and the second around midnight. */
TEST(the_time_is_what_libc_says_on_every_day)
{
	char text[STR_TIME_MAX], want[STR_TIME_MAX];

	for (int64_t day = 0; day < 146097 + 365; day++) {
		time_t t = day * 86400 + (day % 3 - 1) * 7 + 7;
		struct tm tm;

		str_time(t, text);
		(void)strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ",
			       gmtime_r(&t, &tm));
		if (!CHECK_STR(text, want))
			return;
	}
	str_time(253402300799, text);
	CHECK_STR(text, "9999-12-31T23:59:59Z");
	str_time(1582979696, text);
	CHECK_STR(text, "2020-02-29T12:34:56Z");
}

static const struct tap_test tests[] = {
	TAP(comparisons_look_at_both_ends_and_take_null),
	TAP(bytes_become_hexadecimal),
	TAP(base64_goes_both_ways),
	TAP(base64_has_one_spelling),
	TAP(utf8_is_told_from_what_only_looks_like_it),
	TAP(utf8_that_is_cut_short_is_none),
	TAP(what_a_terminal_obeys_is_made_harmless),
	TAP(the_time_is_what_libc_says_on_every_day),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

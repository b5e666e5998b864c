/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "tests/unit/tap.h"

struct row {
	const char *text;
	int r;
	uint64_t v;
};

static void check_rows(const struct row *rows, size_t n,
		       int (*parse)(const char *s, uint64_t *ret))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 4711;
		int r = parse(rows[i].text, &v);

		if (!CHECK_INT(r, rows[i].r) ||
		    !CHECK_INT(v, r < 0 ? 4711 : rows[i].v))
			tap_note("'%s'", rows[i].text);
	}
}

TEST(unsigned_numbers_are_digits_and_nothing_else)
{
	static const struct row rows[] = {
		{ "0", 0, 0 },
		{ "00012", 0, 12 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "184467440737095516150", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1\n", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
		{ "a", -EINVAL, 0 },
		{ "1/", -EINVAL, 0 },
		{ "1:", -EINVAL, 0 },
	};

	check_rows(rows, ARRAY_SIZE(rows), str_to_u64);
}

TEST(signed_numbers_reach_both_ends)
{
	int64_t v = 0;

	CHECK_INT(str_to_i64("-9223372036854775808", &v), 0);
	CHECK_INT(v, INT64_MIN);
	CHECK_INT(str_to_i64("9223372036854775807", &v), 0);
	CHECK_INT(v, INT64_MAX);
	CHECK_INT(str_to_i64("-0", &v), 0);
	CHECK_INT(v, 0);
	CHECK_INT(str_to_i64("-9223372036854775809", &v), -ERANGE);
	CHECK_INT(str_to_i64("9223372036854775808", &v), -ERANGE);
	CHECK_INT(str_to_i64("--1", &v), -EINVAL);
	CHECK_INT(str_to_i64("-", &v), -EINVAL);
	CHECK_INT(str_to_i64("- 1", &v), -EINVAL);
}

TEST(narrow_numbers_have_their_own_range)
{
	uint32_t u = 0;
	int i = 0;

	CHECK_INT(str_to_u32("4294967295", &u), 0);
	CHECK_INT(u, UINT32_MAX);
	CHECK_INT(str_to_u32("4294967296", &u), -ERANGE);
	CHECK_INT(str_to_int("2147483647", &i), 0);
	CHECK_INT(i, INT32_MAX);
	CHECK_INT(str_to_int("-2147483648", &i), 0);
	CHECK_INT(i, INT32_MIN);
	CHECK_INT(str_to_int("2147483648", &i), -ERANGE);
	CHECK_INT(str_to_int("-2147483649", &i), -ERANGE);
}

TEST(other_bases_take_their_digits_only)
{
	uint64_t v = 0;

	CHECK_INT(str_to_u64_base("fFfF", 16, &v), 0);
	CHECK_INT(v, 0xffff);
	CHECK_INT(str_to_u64_base("0755", 8, &v), 0);
	CHECK_INT(v, 0755);
	CHECK_INT(str_to_u64_base("z", 36, &v), 0);
	CHECK_INT(v, 35);
	CHECK_INT(str_to_u64_base("8", 8, &v), -EINVAL);
	CHECK_INT(str_to_u64_base("g", 16, &v), -EINVAL);
	CHECK_INT(str_to_u64_base("0", 1, &v), -EINVAL);
	CHECK_INT(str_to_u64_base("0", 37, &v), -EINVAL);
}

TEST(bytes_come_in_powers_of_1024)
{
	static const struct row rows[] = {
		{ "4096", 0, 4096 },
		{ "0", 0, 0 },
		{ "1b", 0, 1 },
		{ "512m", 0, 512ULL << 20 },
		{ "512M", 0, 512ULL << 20 },
		{ "1.5g", 0, 3ULL << 29 },
		{ "2KiB", 0, 2048 },
		{ "2kib", 0, 2048 },
		{ "2kB", 0, 2048 },
		{ "1tb", 0, 1ULL << 40 },
		{ "1p", 0, 1ULL << 50 },
		{ "15e", 0, 15ULL << 60 },
		{ "0.5e", 0, 1ULL << 59 },
		{ "0.3k", 0, 307 },
		{ "15.999999999e", 0, 0xffffffffbb47d05f },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "16e", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "18014398509481984k", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "k", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1.5b", -EINVAL, 0 },
		{ "1.k", -EINVAL, 0 },
		{ ".5k", -EINVAL, 0 },
		{ "1kk", -EINVAL, 0 },
		{ "1i", -EINVAL, 0 },
		{ "1ib", -EINVAL, 0 },
		{ "1ki", -EINVAL, 0 },
		{ "1kibs", -EINVAL, 0 },
		{ "1 k", -EINVAL, 0 },
		{ "1z", -EINVAL, 0 },
		{ "0x1k", -EINVAL, 0 },
		{ "1K\xc2\xa0", -EINVAL, 0 },
	};

	check_rows(rows, ARRAY_SIZE(rows), str_to_bytes);
}

TEST(billionths_have_nine_places)
{
	static const struct row rows[] = {
		{ "1", 0, 1000000000 },
		{ "1.5", 0, 1500000000 },
		{ "0.000000001", 0, 1 },
		{ "0", 0, 0 },
		{ "18446744073.709551615", 0, UINT64_MAX },
		{ "18446744073.709551616", -ERANGE, 0 },
		{ "18446744074", -ERANGE, 0 },
		{ "0.0000000001", -EINVAL, 0 },
		{ "1.0000000000", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "1.5.5", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};

	check_rows(rows, ARRAY_SIZE(rows), str_to_nano);
}

struct ranges {
	char text[128];
};

static int add_range(void *arg, uint64_t first, uint64_t last)
{
	struct ranges *r = arg;
	size_t n = strlen(r->text);

	(void)snprintf(r->text + n, sizeof(r->text) - n,
		       "[%" PRIu64 " %" PRIu64 "]", first, last);
	return first == 13 ? -EDOM : 0;
}

TEST(ranges_are_called_in_order)
{
	struct ranges got = { "" };

	CHECK_INT(str_each_range("0-3,7,9-9", 9, add_range, &got), 0);
	CHECK_STR(got.text, "[0 3][7 7][9 9]");
}

TEST(hostile_ranges_are_refused)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ "", -EINVAL },
		{ ",", -EINVAL },
		{ "1,", -EINVAL },
		{ ",1", -EINVAL },
		{ "3-1", -EINVAL },
		{ "1-", -EINVAL },
		{ "-1", -EINVAL },
		{ "1--2", -EINVAL },
		{ "1-2-3", -EINVAL },
		{ "1 ,2", -EINVAL },
		{ "1\n", -EINVAL },
		{ "10", -ERANGE },
		{ "0-10", -ERANGE },
		{ "a", -EINVAL },
		{ "99999999999999999999", -ERANGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ranges got = { "" };

		if (!CHECK_INT(str_each_range(rows[i].text, 9, add_range, &got),
			       rows[i].r))
			tap_note("'%s'", rows[i].text);
	}
}

TEST(a_range_that_is_not_wanted_ends_the_rest)
{
	struct ranges got = { "" };

	CHECK_INT(str_each_range("1,13,2", 99, add_range, &got), -EDOM);
	CHECK_STR(got.text, "[1 1][13 13]");
}

TEST(an_address_of_a_link_has_six_pairs_of_digits)
{
	static const char *const no[] = {
		"",
		"02:00:5e:10:00",
		"02:00:5e:10:00:",
		"02:00:5e:10:00:f",
		"2:00:5e:10:00:ff",
		"02:00:5e:10:00:ff:",
		"02:00:5e:10:00:ff0",
		"02:00:5e:10:00:fg",
		"02-00-5e-10-00-ff",
		" 2:00:5e:10:00:ff",
		"+2:00:5e:10:00:ff",
		"02:00:5e:10:00:ff ",
	};
	static const uint8_t want[6] = { 2, 0, 0x5e, 0x10, 0, 0xff };
	uint8_t mac[6] = { 0 };

	CHECK_INT(str_to_mac("02:00:5e:10:00:Ff", mac), 0);
	CHECK(memcmp(mac, want, sizeof(mac)) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (!CHECK_INT(str_to_mac(no[i], mac), -EINVAL))
			tap_note("'%s'", no[i]);
	CHECK(memcmp(mac, want, sizeof(mac)) == 0);
}

static const struct tap_test tests[] = {
	TAP(unsigned_numbers_are_digits_and_nothing_else),
	TAP(signed_numbers_reach_both_ends),
	TAP(narrow_numbers_have_their_own_range),
	TAP(other_bases_take_their_digits_only),
	TAP(bytes_come_in_powers_of_1024),
	TAP(billionths_have_nine_places),
	TAP(ranges_are_called_in_order),
	TAP(hostile_ranges_are_refused),
	TAP(a_range_that_is_not_wanted_ends_the_rest),
	TAP(an_address_of_a_link_has_six_pairs_of_digits),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

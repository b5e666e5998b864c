/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/str.h"
#include "tests/unit/json_all.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

/* --- what is read ------------------------------------------------------- */

TEST(every_type_finds_its_member)
{
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(read_all(everything, &a, &e), &e);
	CHECK(a.flag && a.i32 == -7 && a.u32 == 7 && a.i64 == -8 && a.u64 == 8);
	CHECK(a.f64 > 1.4 && a.f64 < 1.6);
	CHECK_STR(a.str, "s");
	CHECK(a.ob.set && !a.ob.v && a.oi64.set && a.oi64.v == -1);
	CHECK(a.ou64.set && a.ou64.v == 0 && a.ou32.set && a.ou32.v == 3);
	CHECK_INT(a.color, 2);
	CHECK(strv_len(a.strv) == 2 && str_eq(a.strv[0], "a") && !*a.strv[1]);
	CHECK(a.map.n == 2 && str_eq(a.map.keys[0], "k") && !a.map.keys[2]);
	CHECK(str_eq(a.map.values[0], "v") && !*a.map.values[1] &&
	      !a.map.values[2]);
	CHECK(a.u32v.n == 3 && a.u32v.v[2] == UINT32_MAX);
	CHECK(a.bytes.n == 3 && memcmp(a.bytes.v, "\0\1\xff", 3) == 0);
	CHECK(a.user.uid == 1 && a.user.umask == 7 && a.ptr->uid == 2);
	CHECK(a.limits.n == 1 && a.limits.v[0].soft == UINT64_MAX);
	REQUIRE(a.ports.n == 2);
	CHECK(str_eq(a.ports.v[0].name, "web") && a.ports.v[0].number == 80);
	CHECK(!*a.ports.v[1].name && str_eq(a.ports.v[1].proto, "udp"));
	CHECK_STR(a.raw, "{\"a\":[1,2.50,\"\\u0001\",null,true]}");
}

TEST(what_was_read_is_written_the_same)
{
	autofree char *text = NULL, *pretty = NULL, *compact = NULL;
	struct err e = { 0 };
	size_t len = 0;
	ALL;

	REQUIRE_OK(read_all(everything, &a, &e), &e);
	REQUIRE_OK(json_write(&all_table, &a, false, &text, &len, &e), &e);
	CHECK_STR(text, everything);
	CHECK_INT(len, strlen(everything));
	REQUIRE_OK(json_write(&all_table, &a, true, &pretty, NULL, &e), &e);
	REQUIRE_OK(json_reformat(pretty, strlen(pretty), false, &compact, &e),
		   &e);
	CHECK_STR(compact, everything);
}

TEST(absent_members_are_zero_or_their_default)
{
	struct err e = { 0 };
	struct all zero;
	ALL;

	(void)memset(&zero, 0, sizeof(zero));
	zero.user.umask = 18;
	REQUIRE_OK(read_all(" {\n}\t", &a, &e), &e);
	CHECK(memcmp(&a, &zero, sizeof(a)) == 0);
	all_done(&a);
	zero.user.umask = 0;
	CHECK(memcmp(&a, &zero, sizeof(a)) == 0);
}

TEST(null_is_as_good_as_absent)
{
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(read_all("{\"flag\":null,\"u64\":null,\"str\":null,"
			    "\"ob\":null,\"strv\":null,\"map\":null,"
			    "\"user\":null,\"ptr\":null,\"limits\":null,"
			    "\"ports\":null,\"raw\":null,\"bytes\":null,"
			    "\"color\":null,\"u32v\":null,\"f64\":null}",
			    &a, &e),
		   &e);
	CHECK(!a.str && !a.ob.set && !a.strv && !a.ptr && !a.raw &&
	      a.limits.n == 0 && a.user.umask == 18);
}

TEST(empty_containers_are_there)
{
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(
		read_all("{\"strv\":[],\"map\":{},\"limits\":[],\"ports\":{},"
			 "\"u32v\":[],\"bytes\":\"\",\"str\":\"\",\"raw\":[]}",
			 &a, &e),
		&e);
	CHECK(a.strv && !a.strv[0] && a.map.n == 0 && a.limits.n == 0);
	CHECK(a.bytes.v && a.bytes.n == 0 && str_eq(a.str, ""));
	CHECK_STR(a.raw, "[]");
}

TEST(a_list_of_any_length_keeps_its_order)
{
	for (size_t n = 0; n < 40; n++) {
		_cleanup_(json_out_done) struct json_out o = { 0 };
		autofree char *text = NULL;
		struct err e = { 0 };
		bool same = true;
		ALL;

		json_out_begin(&o, '{');
		json_out_key(&o, "limits");
		json_out_begin(&o, '[');
		for (size_t i = 0; i < n; i++)
			json_out_obj(&o, &limit_table,
				     &(struct limit){ (char[]){ "x" }, i });
		json_out_end(&o, ']');
		json_out_end(&o, '}');
		REQUIRE_OK(json_out_take(&o, &text, NULL, &e), &e);
		REQUIRE_OK(read_all(text, &a, &e), &e);
		CHECK_INT(a.limits.n, n);
		for (size_t i = 0; i < a.limits.n; i++)
			same = same && a.limits.v[i].soft == i;
		CHECK(same);
	}
}

TEST(lists_of_strings_end_with_null_at_any_length)
{
	for (size_t n = 0; n < 40; n++) {
		_cleanup_(json_out_done) struct json_out o = { 0 };
		autofree char *text = NULL;
		struct err e = { 0 };
		char key[16];
		ALL;

		json_out_begin(&o, '{');
		json_out_key(&o, "map");
		json_out_begin(&o, '{');
		for (size_t i = 0; i < n; i++) {
			(void)snprintf(key, sizeof(key), "%zu", i);
			json_out_key(&o, key);
			json_out_str(&o, key);
		}
		json_out_end(&o, '}');
		json_out_end(&o, '}');
		REQUIRE_OK(json_out_take(&o, &text, NULL, &e), &e);
		REQUIRE_OK(read_all(text, &a, &e), &e);
		CHECK_INT(a.map.n, n);
		CHECK_INT(strv_len(a.map.keys), n);
		CHECK_INT(strv_len(a.map.values), n);
	}
}

TEST(numbers_reach_both_ends_of_their_range)
{
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(read_all("{\"i32\":-2147483648,\"i64\":-9223372036854775808,"
			    "\"u32\":4294967295,\"u64\":18446744073709551615,"
			    "\"oi64\":9223372036854775807,\"f64\":-1.5e-3}",
			    &a, &e),
		   &e);
	CHECK(a.i32 == INT32_MIN && a.i64 == INT64_MIN);
	CHECK(a.u32 == UINT32_MAX && a.u64 == UINT64_MAX);
	CHECK(a.oi64.v == INT64_MAX && a.f64 < -0.0014 && a.f64 > -0.0016);
	all_done(&a);
	REQUIRE_OK(
		read_all("{\"i32\":2147483647,\"i64\":-0,\"f64\":3}", &a, &e),
		&e);
	CHECK(a.i32 == INT32_MAX && a.i64 == 0 && a.f64 > 2.9);
}

TEST(the_same_key_in_different_maps_is_no_duplicate)
{
	struct err e = { 0 };
	ALL;

	CHECK_OK(
		read_all(
			"{\"new\":{\"x\":1,\"y\":[{\"x\":1},{\"x\":1}]},"
			"\"x\":1,\"map\":{\"x\":\"1\",\"X\":\"1\",\"xx\":\"1\"},"
			"\"ports\":{\"x\":{\"x\":1}},\"raw\":{\"x\":{\"x\":1}},"
			"\"limits\":[{\"type\":\"\",\"soft\":1,\"x\":1}]}",
			&a, &e),
		&e);
}

TEST(escapes_are_decoded_in_strings_and_keys)
{
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(
		read_all("{\"s\\u0074r\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"
			 "\\ud83d\\ude00\\uFFFF\",\"map\":{\"\\u0061\":\"1\","
			 "\"\\u0062\":\"2\",\"c\":\"3\"}}",
			 &a, &e),
		&e);
	CHECK_STR(a.str, "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbf");
	REQUIRE(a.map.n == 3);
	CHECK(str_eq(a.map.keys[0], "a") && str_eq(a.map.keys[1], "b") &&
	      str_eq(a.map.keys[2], "c"));
}

TEST(unknown_keys_are_skipped_with_all_below)
{
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(
		read_all("{\"new\":{\"str\":[{\"str\":1},[],{}]},\"str\":\"s\","
			 "\"x\":1e999,\"user\":{\"uid\":5,\"gid\":\"odd\"}}",
			 &a, &e),
		&e);
	CHECK_STR(a.str, "s");
	CHECK_INT(a.user.uid, 5);
}

TEST(a_strict_table_knows_all_its_keys)
{
	static const struct json_table strict =
		JSON_TABLE(struct user, user_fields, .strict = true);
	struct user u = { 0 };
	struct err e = { 0 };

	CHECK_INT(json_read("{\"uid\":1,\"gid\":2}", 17, &strict, &u,
			    "moat.conf", &e),
		  -EINVAL);
	CHECK_STR(e.text, "moat.conf: gid: unknown key");
	CHECK_OK(json_read("{\"uid\":1}", 9, &strict, &u, "moat.conf", &e), &e);
}

/* --- ownership, files, texts -------------------------------------------- */

TEST(members_may_be_stolen_and_replaced)
{
	autofree char *stolen = NULL;
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(read_all(everything, &a, &e), &e);
	stolen = steal_ptr(a.str);
	free(a.strv[1]);
	a.strv[1] = strdup("another");
	free(a.ports.v[0].name);
	a.ports.v[0].name = strdup("other");
	CHECK_STR(stolen, "s");
}

struct keyed {
	char *id;
	int x;
};

/* The key as a field too: what stands inside has the last word. */
TEST(a_key_that_is_a_field_too_is_freed_once)
{
	static const struct json_field fields[] = {
		JSON_STR(struct keyed, id, "id"),
	};
	static const struct json_table table = JSON_TABLE(struct keyed, fields);
	struct list {
		JSON_VEC_OF(struct keyed) v;
	} list = { 0 };
	static const struct json_field list_fields[] = {
		JSON_DICT(struct list, v, "v", struct keyed, table),
	};
	static const struct json_table list_table =
		JSON_TABLE(struct list, list_fields);
	const char *text = "{\"v\":{\"a\":{\"id\":\"b\"},\"c\":{}}}";
	struct err e = { 0 };

	REQUIRE_OK(json_read(text, strlen(text), &list_table, &list, "t", &e),
		   &e);
	CHECK(list.v.n == 2 && str_eq(list.v.v[0].id, "b") &&
	      str_eq(list.v.v[1].id, "c"));
	json_free(&list_table, &list);
}

TEST(a_file_is_named_by_its_path)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };
	ALL;

	REQUIRE(scratch_init(&s) && scratch_write(&s, "good", everything) &&
		scratch_write(&s, "bad", "{\"u32\":[]}"));
	CHECK_OK(json_read_file_at(s.fd, "good", &all_table, &a, &e), &e);
	CHECK_STR(a.str, "s");
	all_done(&a);
	CHECK_INT(json_read_file_at(s.fd, "bad", &all_table, &a, &e), -EINVAL);
	CHECK_STR(e.text, "bad: u32: expected an unsigned number");
	CHECK_INT(json_read_file_at(s.fd, "none", &all_table, &a, &e), -ENOENT);
	CHECK_STR(e.text, "open 'none': No such file or directory");
	CHECK_INT(json_read_file_at(AT_FDCWD, "/dev/zero", &all_table, &a, &e),
		  -EINVAL);
	CHECK_STR(e.text, "'/dev/zero' is not a regular file");
}

TEST(any_value_may_be_kept_as_it_is)
{
	static const struct {
		const char *value, *kept;
	} rows[] = {
		{ "1", "1" },
		{ "-1.50e+3", "-1.50e+3" },
		{ "18446744073709551616000", "18446744073709551616000" },
		{ "\"a\\u0062\\/\"", "\"ab/\"" },
		{ "true", "true" },
		{ " [ ] ", "[]" },
		{ " { } ", "{}" },
		{ "{ \"b\" : 1 ,\n\"a\" : [ null , { } ] }",
		  "{\"b\":1,\"a\":[null,{}]}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *text = str_printf("{\"raw\":%s,\"u32\":%zu}",
						 rows[i].value, i);
		struct err e = { 0 };
		ALL;

		REQUIRE(text);
		if (CHECK_OK(read_all(text, &a, &e), &e))
			CHECK_STR(a.raw, rows[i].kept);
		CHECK_INT(a.u32, i);
	}
}

TEST(texts_are_reformatted_and_checked)
{
	const char *text = "[1,{\"a\":[],\"b\":{\"c\":null}}]";
	autofree char *pretty = NULL, *compact = NULL, *null = NULL;
	char *none = NULL;
	struct err e = { 0 };

	REQUIRE_OK(json_reformat(text, strlen(text), true, &pretty, &e), &e);
	CHECK_STR(pretty, "[\n  1,\n  {\n    \"a\": [],\n    \"b\": {\n"
			  "      \"c\": null\n    }\n  }\n]");
	REQUIRE_OK(json_reformat(pretty, strlen(pretty), false, &compact, &e),
		   &e);
	CHECK_STR(compact, text);
	CHECK_OK(json_reformat("null", 4, false, &null, &e), &e);
	CHECK_STR(null, "null");
	CHECK_INT(json_reformat("[1] 2", 5, false, &none, &e), -EINVAL);
	CHECK_INT(json_reformat("{\"a\":1,\"a\":1}", 13, false, &none, &e),
		  -EINVAL);
	CHECK_STR(e.text, "JSON: duplicate key 'a'");
	CHECK(!none);
}

static const struct tap_test tests[] = {
	TAP(every_type_finds_its_member),
	TAP(what_was_read_is_written_the_same),
	TAP(absent_members_are_zero_or_their_default),
	TAP(null_is_as_good_as_absent),
	TAP(empty_containers_are_there),
	TAP(a_list_of_any_length_keeps_its_order),
	TAP(lists_of_strings_end_with_null_at_any_length),
	TAP(numbers_reach_both_ends_of_their_range),
	TAP(the_same_key_in_different_maps_is_no_duplicate),
	TAP(escapes_are_decoded_in_strings_and_keys),
	TAP(unknown_keys_are_skipped_with_all_below),
	TAP(a_strict_table_knows_all_its_keys),
	TAP(members_may_be_stolen_and_replaced),
	TAP(a_key_that_is_a_field_too_is_freed_once),
	TAP(a_file_is_named_by_its_path),
	TAP(any_value_may_be_kept_as_it_is),
	TAP(texts_are_reformatted_and_checked),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "tests/unit/tap.h"

/* The list as "<a><b>". */
static const char *shown(char *const *v)
{
	static char text[256];
	size_t n = 0;

	text[0] = '\0';
	STRV_FOREACH(s, v)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "<%s>", *s);
	return text;
}

TEST(a_list_grows_from_nothing)
{
	autostrv char **v = NULL;

	CHECK_INT(strv_len(v), 0);
	CHECK_INT(strv_add(&v, "a"), 0);
	CHECK_INT(strv_addf(&v, "%d-%s", 7, "b"), 0);
	CHECK_INT(strv_take(&v, strdup("c")), 0);
	CHECK_INT(strv_len(v), 3);
	CHECK_STR(shown(v), "<a><7-b><c>");
	CHECK(strv_has(v, "7-b"));
	CHECK(!strv_has(v, "7") && !strv_has(NULL, "a"));
}

TEST(taking_nothing_is_out_of_memory)
{
	autostrv char **v = NULL;

	CHECK_INT(strv_take(&v, NULL), -ENOMEM);
	CHECK(!v);
}

TEST(a_copy_is_independent)
{
	autostrv char **v = NULL, **copy = NULL, **none = NULL;

	REQUIRE(strv_add(&v, "a") == 0 && strv_add(&v, "") == 0);
	copy = strv_copy(v);
	REQUIRE(copy);
	v[0][0] = 'x';
	CHECK_STR(shown(copy), "<a><>");
	none = strv_copy(NULL);
	CHECK(none && !none[0]);
}

TEST(splitting_keeps_empty_parts)
{
	static const struct {
		const char *text, *parts;
	} rows[] = {
		{ "", "" },	      { "a", "<a>" },	    { "a:b", "<a><b>" },
		{ ":", "<><>" },      { "a:", "<a><>" },    { ":a", "<><a>" },
		{ "a::", "<a><><>" }, { "ab,c", "<ab,c>" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autostrv char **v = NULL;

		CHECK_INT(strv_split(rows[i].text, ':', &v), 0);
		CHECK(v);
		if (!CHECK_STR(shown(v), rows[i].parts))
			tap_note("'%s'", rows[i].text);
	}
}

TEST(environment_names_are_whole_words)
{
	autostrv char **v = NULL;

	REQUIRE(strv_add(&v, "PATHS=1") == 0 &&
		strv_add(&v, "PATH=/bin") == 0 && strv_add(&v, "PATH") == 0 &&
		strv_add(&v, "E=") == 0);
	CHECK_STR(strv_env_get(v, "PATH"), "/bin");
	CHECK_STR(strv_env_get(v, "E"), "");
	CHECK(!strv_env_get(v, "PAT") && !strv_env_get(v, "PATHS=1"));
	CHECK(!strv_env_get(NULL, "PATH"));
}

TEST(setting_a_variable_replaces_or_appends_it)
{
	autostrv char **v = NULL;

	for (int i = 0; i < 50; i++)
		CHECK_INT(strv_env_set(&v, "A", "1"), 0);
	CHECK_INT(strv_env_set(&v, "B", "2=3"), 0);
	CHECK_INT(strv_env_set(&v, "A", "longer than before"), 0);
	CHECK_STR(shown(v), "<A=longer than before><B=2=3>");
}

static const struct tap_test tests[] = {
	TAP(a_list_grows_from_nothing),
	TAP(taking_nothing_is_out_of_memory),
	TAP(a_copy_is_independent),
	TAP(splitting_keeps_empty_parts),
	TAP(environment_names_are_whole_words),
	TAP(setting_a_variable_replaces_or_appends_it),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

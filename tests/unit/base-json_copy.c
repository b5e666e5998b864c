/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "tests/unit/json_all.h"
#include "tests/unit/tap.h"

TEST(a_copy_has_all_of_it)
{
	autofree char *text = NULL;
	_cleanup_(all_done) struct all b = { 0 };
	struct err e = { 0 };
	ALL;

	REQUIRE_OK(read_all(everything, &a, &e), &e);
	REQUIRE_OK(json_copy(&all_table, &a, &b, &e), &e);
	all_done(&a); /* the copy owns what it has */
	REQUIRE_OK(json_write(&all_table, &b, false, &text, NULL, &e), &e);
	(void)CHECK_STR(text, everything);
}

TEST(a_copy_of_nothing_is_nothing)
{
	static const struct all zero;
	struct all b;
	struct err e = { 0 };
	ALL;

	(void)memset(&b, 0xff, sizeof(b));
	REQUIRE_OK(json_copy(&all_table, &a, &b, &e), &e);
	(void)CHECK(!b.str && !b.ptr && !b.strv && b.limits.n == 0);
	(void)CHECK(b.u64 == zero.u64 && !b.oi64.set);
}

TEST(a_copy_may_be_in_memory_of_its_own)
{
	struct user from = { .uid = 5, .umask = 7 };
	struct user *to = json_copy_new(&user_table, &from);

	REQUIRE(to);
	(void)CHECK(to->uid == 5 && to->umask == 7);
	json_free(&user_table, to);
	free(to);
}

static const struct tap_test tests[] = {
	TAP(a_copy_has_all_of_it),
	TAP(a_copy_of_nothing_is_nothing),
	TAP(a_copy_may_be_in_memory_of_its_own),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

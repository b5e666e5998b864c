/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/lock.h"
#include "base/path.h"
#include "tests/unit/scratch.h"

/* Files "old", "x-0" to "x-9", each younger than the one before, with twins. */
static void fill(const struct scratch *s)
{
	char name[32];

	(void)CHECK(scratch_write(s, "old", ""));
	for (int i = 0; i < 10; i++) {
		const struct timespec t[2] = { { .tv_sec = 1000 },
					       { .tv_sec = 1000 + i / 2,
						 .tv_nsec = i % 2 } };

		(void)snprintf(name, sizeof(name), "x-%d", i);
		(void)CHECK(scratch_write(s, name, "") &&
			    utimensat(s->fd, name, t, 0) == 0);
		(void)snprintf(name, sizeof(name), "x-%d.id", i);
		(void)CHECK(scratch_write(s, name, ""));
	}
}

static bool is_there(const struct scratch *s, const char *name)
{
	return faccessat(s->fd, name, F_OK, 0) == 0;
}

static const struct path_prune three = {
	.prefix = "x-",
	.twin = ".id",
	.keep = 3,
};

TEST(the_youngest_stay_with_their_twins)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };
	char name[32];

	REQUIRE(scratch_init(&s));
	fill(&s);
	for (int round = 0; round < 2; round++) {
		REQUIRE_OK(path_prune(s.fd, &three, &e), &e);
		for (int i = 0; i < 10; i++) {
			(void)snprintf(name, sizeof(name), "x-%d", i);
			(void)CHECK(is_there(&s, name) == (i >= 7));
			(void)snprintf(name, sizeof(name), "x-%d.id", i);
			(void)CHECK(is_there(&s, name) == (i >= 7));
		}
	}
	(void)CHECK(is_there(&s, "old"));
}

TEST(what_another_prunes_is_left_to_him)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	fill(&s);
	REQUIRE_OK(lock_fd(s.fd, LOCK_EXCLUSIVE, 0, &e), &e);
	REQUIRE_OK(path_prune(s.fd, &three, &e), &e);
	(void)CHECK(is_there(&s, "x-0"));
}

static const struct tap_test tests[] = {
	TAP(the_youngest_stay_with_their_twins),
	TAP(what_another_prunes_is_left_to_him),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

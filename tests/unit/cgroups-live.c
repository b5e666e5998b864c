/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cgroups-live.h"

#include <fcntl.h>
#include <sys/stat.h>

TEST(a_process_is_cloned_into_its_group_and_listed)
{
	autofree pid_t *pids = NULL;
	struct cg *cg = NULL;
	struct err e = { 0 };
	size_t n = 0;
	pid_t pid;

	NEED_GROUPS();
	REQUIRE_OK(make(&no_limits, false, &cg, &e), &e);
	pid = start(cg, for_ever);
	CHECK_OK(cg_pids(cg, &pids, &n, &e), &e);
	CHECK_INT(n, 1);
	CHECK(contains(pids, n, pid));
	CHECK_INT(cg_delete(cg, 50, &e), -EBUSY);
	CHECK_HAS(e.text, "still holds processes");
	delete_it(cg);
}
WITH_SYSTEMD(a_process_is_cloned_into_its_group_and_listed)

TEST(a_saved_group_is_found_again)
{
	struct cg *cg = NULL, *again = NULL;
	struct cg_paths paths = { 0 }, read = { 0 };
	autofree char *text = NULL;
	struct err e = { 0 };
	pid_t pid;

	NEED_GROUPS();
	REQUIRE_OK(make(&no_limits, false, &cg, &e), &e);
	pid = start(cg, for_ever);
	REQUIRE_OK(cg_save(cg, &paths, &e), &e);
	REQUIRE_OK(json_write(&cg_paths_table, &paths, false, &text, NULL, &e),
		   &e);
	REQUIRE_OK(
		json_read(text, strlen(text), &cg_paths_table, &read, "t", &e),
		&e);
	REQUIRE_OK(cg_load(&read, &again, &e), &e);
	CHECK_OK(cg_kill(again, &e), &e);
	CHECK_INT(ended(pid), SIGKILL);
	CHECK_OK(cg_wait_empty(again, WAIT_MS, &e), &e);
	CHECK_OK(cg_delete(again, WAIT_MS, &e), &e);
	cg_free(again);
	CHECK_INT(cg_load(&read, &again, &e), -ENOENT);
	CHECK_OK(cg_delete(cg, WAIT_MS, &e), &e);
	cg_free(cg);
	json_free(&cg_paths_table, &paths);
	json_free(&cg_paths_table, &read);
}
WITH_SYSTEMD(a_saved_group_is_found_again)

/* --- freezing and killing -------------------------------------------------*/

#define BOMB 500

static void be_a_bomb(void)
{
	/* Each tries to make two more, again and again; the limit of
	 * processes holds them. */
	for (;;)
		(void)fork();
}

static void wait_for_processes(struct cg *cg, size_t want)
{
	for (int i = 0; i < 4000; i++) {
		autofree pid_t *pids = NULL;
		struct err e = { 0 };
		size_t n = 0;

		REQUIRE_OK(cg_pids(cg, &pids, &n, &e), &e);
		if (n >= want)
			return;
		(void)poll(NULL, 0, 5);
	}
	CHECK_INT(want, -1);
}

TEST(a_fork_bomb_is_frozen_and_killed_at_the_first_try)
{
	const struct cg_limits l = { .pids_max = SET(BOMB) };
	struct cg *cg = NULL;
	struct err e = { 0 };
	bool frozen = false;
	int r;

	NEED_GROUPS();
	r = make(&l, false, &cg, &e);
	if (r == -EOPNOTSUPP)
		SKIP("%.200s", e.text);
	REQUIRE_OK(r, &e);
	(void)start(cg, be_a_bomb);
	wait_for_processes(cg, BOMB - 1);
	CHECK_OK(cg_freeze(cg, WAIT_MS, &e), &e);
	CHECK_OK(cg_frozen(cg, &frozen, &e), &e);
	CHECK(frozen);
	CHECK_OK(cg_kill(cg, &e), &e);
	CHECK_OK(cg_wait_empty(cg, WAIT_MS, &e), &e);
	delete_it(cg);
}
WITH_SYSTEMD(a_fork_bomb_is_frozen_and_killed_at_the_first_try)

TEST(what_was_frozen_runs_on_after_a_thaw)
{
	struct cg *cg = NULL;
	struct err e = { 0 };
	bool frozen = true;
	pid_t pid;

	NEED_GROUPS();
	REQUIRE_OK(make(&no_limits, false, &cg, &e), &e);
	pid = start(cg, for_ever);
	CHECK_OK(cg_freeze(cg, WAIT_MS, &e), &e);
	CHECK_OK(cg_thaw(cg, WAIT_MS, &e), &e);
	CHECK_OK(cg_frozen(cg, &frozen, &e), &e);
	CHECK(!frozen);
	CHECK_OK(cg_signal_all(cg, SIGTERM, &e), &e);
	CHECK_INT(ended(pid), SIGTERM);
	delete_it(cg);
}
WITH_SYSTEMD(what_was_frozen_runs_on_after_a_thaw)

/* --- what is refused ------------------------------------------------------*/

TEST(a_group_in_use_is_not_taken)
{
	autofree char *path = group_path("");
	const struct cg_config config = { .driver = live_driver, .path = path };
	struct cg *cg = NULL, *other = NULL;
	struct err e = { 0 };

	NEED_GROUPS();
	REQUIRE_OK(cg_create(&config, &no_limits, &cg, &e), &e);
	(void)start(cg, for_ever);
	CHECK_INT(cg_create(&config, &no_limits, &other, &e), -EBUSY);
	CHECK_HAS(e.text, "holds processes already");
	delete_it(cg);
}

TEST(a_frozen_group_is_not_taken)
{
	autofree char *path = group_path("");
	const struct cg_config config = { .driver = live_driver, .path = path };
	struct cg *cg = NULL, *other = NULL;
	struct err e = { 0 };

	NEED_GROUPS();
	REQUIRE_OK(cg_create(&config, &no_limits, &cg, &e), &e);
	CHECK_OK(cg_freeze(cg, WAIT_MS, &e), &e);
	CHECK_INT(cg_create(&config, &no_limits, &other, &e), -EBUSY);
	CHECK_HAS(e.text, "is frozen");
	CHECK_OK(cg_thaw(cg, WAIT_MS, &e), &e);
	delete_it(cg);
}

/* Whoever were started in it would stand still before his first step. */
TEST(below_a_frozen_group_none_is_made)
{
	autofree char *top = group_path(""), *below = NULL;
	const struct cg_config outer = { .path = top, .envelope = true };
	struct cg_config inner = { 0 };
	struct cg *tenant = NULL, *cg = NULL;
	struct err e = { 0 };
	bool frozen = false;
	pid_t pid;

	NEED_GROUPS();
	below = str_printf("%s/box", top);
	inner.path = below;
	REQUIRE_OK(cg_create(&outer, &no_limits, &tenant, &e), &e);
	REQUIRE_OK(cg_create(&inner, &no_limits, &cg, &e), &e);
	pid = start(cg, for_ever);
	CHECK_OK(cg_freeze(tenant, WAIT_MS, &e), &e);
	CHECK_OK(cg_frozen(cg, &frozen, &e), &e);
	CHECK(frozen);
	CHECK_INT(cg_thaw(cg, 50, &e), -ETIMEDOUT);
	CHECK_HAS(e.text, "a group above is frozen");
	CHECK_OK(cg_thaw(tenant, WAIT_MS, &e), &e);
	CHECK_OK(cg_signal_all(cg, SIGTERM, &e), &e);
	CHECK_INT(ended(pid), SIGTERM);
	delete_it(cg);
	CHECK_OK(cg_freeze(tenant, WAIT_MS, &e), &e);
	CHECK_INT(cg_create(&inner, &no_limits, &cg, &e), -EBUSY);
	CHECK_HAS(e.text, "is frozen");
	CHECK_OK(cg_thaw(tenant, WAIT_MS, &e), &e);
	delete_it(tenant);
}

/* --- groups below ---------------------------------------------------------*/

TEST(groups_that_the_container_made_go_with_it)
{
	struct cg *cg = NULL, *sub = NULL, *of = NULL;
	char *subs[] = { (char *)"/a0/../a0/b", NULL };
	struct err e = { 0 };
	autofree pid_t *pids = NULL;
	char path[4096];
	size_t n = 0;
	pid_t pid;

	NEED_GROUPS();
	REQUIRE_OK(make(&no_limits, false, &cg, &e), &e);
	if (!cg_path(cg)) {
		delete_it(cg);
		SKIP("needs a v2 tree");
	}
	for (int i = 0; i < 5; i++) {
		(void)snprintf(path, sizeof(path), "%s/a%d", cg_path(cg), i);
		CHECK_INT(mkdir(path, 0755), 0);
		(void)snprintf(path, sizeof(path), "%s/a%d/b", cg_path(cg), i);
		CHECK_INT(mkdir(path, 0755), 0);
	}
	REQUIRE_OK(cg_open_sub(cg, subs, &sub, &e), &e);
	pid = start(sub, for_ever);
	CHECK_OK(cg_pids(cg, &pids, &n, &e), &e);
	CHECK(contains(pids, n, pid));
	CHECK_OK(cg_open_of(cg, pid, &of, &e), &e);
	CHECK_STR(cg_path(of), cg_path(sub));
	CHECK_INT(cg_open_of(sub, getpid(), &of, &e), -ENOENT);
	cg_free(of);
	cg_free(sub);
	delete_it(cg);
}
WITH_SYSTEMD(groups_that_the_container_made_go_with_it)

TEST(deep_nests_are_removed)
{
	struct cg *cg = NULL;
	struct err e = { 0 };
	int fd, depth = 0;

	NEED_GROUPS();
	REQUIRE_OK(make(&no_limits, false, &cg, &e), &e);
	if (!cg_path(cg)) {
		delete_it(cg);
		SKIP("needs a v2 tree");
	}
	fd = open(cg_path(cg), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (depth < 600 && mkdirat(fd, "deeper-and-deeper", 0755) == 0) {
		int next = openat(fd, "deeper-and-deeper",
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		(void)close(fd);
		fd = next;
		depth++;
	}
	(void)close(fd);
	/* Deeper than a path can say. */
	CHECK(depth * 18 > 4096);
	delete_it(cg);
}
WITH_SYSTEMD(deep_nests_are_removed)

/* path in any hierarchy */
static bool is_there(const char *path)
{
	_cleanup_(cg_host_done) struct cg_host h = { 0 };
	struct err e = { 0 };
	bool yes = false;

	CHECK_OK(cg_host_find(&h, &e), &e);
	for (size_t i = 0; i <= h.v1.n; i++) {
		const char *mount = i < h.v1.n ? h.v1.v[i].point : h.v2;
		autofree char *group = str_printf("%s%s", mount, path);

		yes = yes || (mount && access(group, F_OK) == 0);
	}
	return yes;
}

/* In every hierarchy, so that limits and account find them. */
static struct cg *make_at(const char *path, bool envelope)
{
	const struct cg_config config = {
		.path = (char *)path,
		.envelope = envelope,
		.account = true,
	};
	struct cg *cg = NULL;
	struct err e = { 0 };

	CHECK_OK(cg_create(&config, &no_limits, &cg, &e), &e);
	return cg;
}

TEST(parents_go_with_the_last_group_in_them)
{
	autofree char *top = group_path(""), *a = NULL, *b = NULL;
	struct cg *one, *other;
	struct err e = { 0 };

	NEED_GROUPS();
	a = str_printf("%s/x/a", top);
	b = str_printf("%s/b", top);
	one = make_at(a, false);
	other = make_at(b, false);
	REQUIRE(one && other);
	CHECK_OK(cg_delete(one, WAIT_MS, &e), &e);
	CHECK(!is_there(a) && is_there(b) && is_there(top));
	CHECK_OK(cg_delete(other, WAIT_MS, &e), &e);
	CHECK(!is_there(top));
	cg_free(one);
	cg_free(other);
}

TEST(a_parent_that_is_not_ours_stays)
{
	autofree char *top = group_path(""), *below = NULL, *deep = NULL;
	struct cg *tenant, *cg;
	struct err e = { 0 };

	NEED_GROUPS();
	deep = str_printf("%s/a/b/c", top);
	below = str_printf("%s/a", top);
	cg = make_at(deep, false);
	/* Made as a parent first, wanted for itself later. */
	tenant = make_at(below, true);
	REQUIRE(cg && tenant);
	CHECK_OK(cg_delete(cg, WAIT_MS, &e), &e);
	CHECK(!is_there(deep) && is_there(below));
	CHECK_OK(cg_delete(tenant, WAIT_MS, &e), &e);
	CHECK(!is_there(top));
	cg_free(cg);
	cg_free(tenant);
}

TEST(a_thousand_groups_come_and_go)
{
	struct err e = { 0 };

	NEED_GROUPS();
	for (int i = 0; i < 1000; i++) {
		struct cg *cg = NULL;

		REQUIRE_OK(make(&no_limits, false, &cg, &e), &e);
		REQUIRE_OK(cg_delete(cg, WAIT_MS, &e), &e);
		CHECK(!cg_path(cg) || access(cg_path(cg), F_OK) < 0);
		cg_free(cg);
	}
}

static const struct tap_test tests[] = {
	TAP(a_process_is_cloned_into_its_group_and_listed),
	TAP(a_process_is_cloned_into_its_group_and_listed_with_systemd),
	TAP(a_saved_group_is_found_again),
	TAP(a_saved_group_is_found_again_with_systemd),
	TAP(a_fork_bomb_is_frozen_and_killed_at_the_first_try),
	TAP(a_fork_bomb_is_frozen_and_killed_at_the_first_try_with_systemd),
	TAP(what_was_frozen_runs_on_after_a_thaw),
	TAP(what_was_frozen_runs_on_after_a_thaw_with_systemd),
	TAP(a_group_in_use_is_not_taken),
	TAP(a_frozen_group_is_not_taken),
	TAP(below_a_frozen_group_none_is_made),
	TAP(groups_that_the_container_made_go_with_it),
	TAP(groups_that_the_container_made_go_with_it_with_systemd),
	TAP(deep_nests_are_removed),
	TAP(deep_nests_are_removed_with_systemd),
	TAP(parents_go_with_the_last_group_in_them),
	TAP(a_parent_that_is_not_ours_stays),
	TAP(a_thousand_groups_come_and_go),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

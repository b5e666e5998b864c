/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/lsm.h"

#include "base/proc.h"
#include "tests/unit/namespaces-world.h"

static void check_without(void)
{
	struct err e = { 0 };
	int procfd = proc_open_fs(&e);

	REQUIRE_OK(procfd, &e);
	if (!ns_apparmor_enabled()) {
		CHECK(ns_apparmor_set(procfd, "moat-default", &e) < 0);
		CHECK_HAS(e.text, "moat-default");
		/* Everybody is that where there is no AppArmor. */
		CHECK_OK(ns_apparmor_set(procfd, "unconfined", &e), &e);
	}
	if (!ns_selinux_enabled()) {
		CHECK(ns_selinux_set(procfd, "u:r:t:s0", &e) < 0);
		CHECK_HAS(e.text, "u:r:t:s0");
		CHECK(ns_selinux_set_key(procfd, "u:r:t:s0", &e) < 0);
	}
}

TEST(a_label_without_its_module_is_an_error)
{
	in_world(check_without);
}

static void check_redirected(void)
{
	static const char *const files[] = {
		"/proc/self/attr/exec",
		"/proc/self/attr/keycreate",
		"/proc/self/attr/apparmor/exec",
	};
	struct err e = { 0 };
	int procfd = proc_open_fs(&e);

	/* Writing nowhere would leave the process without a label. */
	REQUIRE_OK(procfd, &e);
	world_file("/tmp/false", "untouched");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		CHECK(mount("/tmp/false", files[i], NULL, MS_BIND, NULL) == 0 ||
		      errno == ENOENT);
	CHECK(ns_apparmor_set(procfd, "moat-default", &e) < 0);
	CHECK(ns_selinux_set(procfd, "u:r:t:s0", &e) < 0);
	CHECK(ns_selinux_set_key(procfd, "u:r:t:s0", &e) < 0);
	CHECK_STR(world_text("/tmp/false"), "untouched");
}

TEST(what_is_mounted_over_a_label_is_not_written)
{
	in_world(check_redirected);
}

static const struct tap_test tests[] = {
	TAP(a_label_without_its_module_is_an_error),
	TAP(what_is_mounted_over_a_label_is_not_written),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

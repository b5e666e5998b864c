/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts that come to a container later, and go. */
#include <sys/mount.h>

#include "tests/unit/oci-plan.h"
#include "tests/unit/scratch.h"

static const char base_text[] =
	"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
	"\"process\":{\"cwd\":\"/\",\"user\":{},\"args\":[\"x\"]},"
	"\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\"},"
	"{\"destination\":\"/b\",\"type\":\"tmpfs\"},"
	"{\"destination\":\"/a\",\"type\":\"proc\"}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}";

static int read_mounts(const char *text, struct spec_mounts *ret, struct err *e)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;

	if (!scratch_init(&s) || !scratch_write(&s, "m.json", text))
		return -EIO;
	return spec_mounts_read(s.fd, "m.json", ret, e);
}

static int parse_mounts(const char *text, const struct plan *base,
			struct plan_mounts *ret, struct err *e)
{
	struct spec_mounts s = { 0 };
	int r;

	r = read_mounts(text, &s, e);
	if (r < 0)
		return r;
	r = plan_make_mounts(&s, &test_machine, base, ret, e);
	spec_mounts_done(&s);
	return r;
}

TEST(a_list_and_an_object_say_the_same)
{
	static const char *const texts[] = {
		"[{\"destination\":\"/x\"}]",
		" \n[ {\"destination\":\"/x\"} ]\n",
		"{\"mounts\":[{\"destination\":\"/x\"}]}",
		"{\"ociVersion\":\"1\",\"mounts\":[{\"destination\":\"/x\"}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct spec_mounts m = { 0 };
		struct err e = { 0 };

		REQUIRE_OK(read_mounts(texts[i], &m, &e), &e);
		if (CHECK_INT(m.n, 1))
			(void)CHECK_STR(m.v[0].destination, "/x");
		spec_mounts_done(&m);
		(void)CHECK(!m.v && m.n == 0);
	}
}

TEST(what_is_no_list_of_mounts_is_refused)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "m.json" },
		{ "{}", "mounts: is required" },
		{ "[", "m.json" },
		{ "[1]", "mounts" },
		{ "[{}]", "destination: is required" },
		{ "[],\"x\":{}", "m.json" }, /* nor another member */
		{ "{\"mounts\":{}}", "mounts" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct spec_mounts m = { 0 };
		struct err e = { 0 };
		int r = read_mounts(bad[i].text, &m, &e);

		if (CHECK_INT(r, -EINVAL))
			(void)CHECK_HAS(e.text, bad[i].why);
		spec_mounts_done(&m);
	}
}

TEST(mounts_are_judged_as_those_of_a_configuration)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "[{\"destination\":\"/\",\"type\":\"tmpfs\"}]",
		  "mounts: [0]: destination" },
		{ "[{\"destination\":\"/x\"}]", "mounts: [0]: type" },
		{ "[{\"destination\":\"/x\",\"type\":\"tmpfs\"},"
		  "{\"destination\":\"/proc/1\",\"type\":\"tmpfs\"}]",
		  "mounts: [1]: destination" },
		{ "[{\"destination\":\"/x\",\"type\":\"cgroup\"}]",
		  "when the container is created" },
	};
	_cleanup_(plan_done) struct plan base = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(test_parse(base_text, &test_machine, &base, &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct plan_mounts m = { 0 };

		(void)CHECK(parse_mounts(bad[i].text, &base, &m, &e) < 0);
		(void)CHECK_HAS(e.text, bad[i].why);
		(void)CHECK(!m.v && m.n == 0);
		e = (struct err){ 0 };
	}
	(void)CHECK_INT(base.mounts.n, 3);
}

TEST(a_plan_follows_what_was_added)
{
	_cleanup_(plan_done) struct plan base = { 0 };
	struct plan_mounts m = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(test_parse(base_text, &test_machine, &base, &e), &e);
	REQUIRE_OK(parse_mounts("[{\"destination\":\"c/../d\",\"source\":\"s\","
				"\"options\":[\"bind\",\"ro\"]}]",
				&base, &m, &e),
		   &e);
	REQUIRE_OK(plan_mounts_add(&base, &m, &e), &e);
	(void)CHECK(!m.v && m.n == 0);
	REQUIRE(base.mounts.n == 4);
	(void)CHECK_STR(base.mounts.v[3].target, "/d");
	(void)CHECK_STR(base.mounts.v[3].source, "/bundle/s");
}

TEST(a_plan_forgets_the_topmost_of_what_was_removed)
{
	_cleanup_(plan_done) struct plan base = { 0 };
	struct spec_mounts s = { 0 };
	struct plan_mounts m = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(test_parse(base_text, &test_machine, &base, &e), &e);
	REQUIRE_OK(read_mounts("[{\"destination\":\"a\"},"
			       "{\"destination\":\"/none\"}]",
			       &s, &e),
		   &e);
	REQUIRE_OK(plan_make_targets(&s, &(struct ns_root){ 0 }, &m, &e), &e);
	(void)CHECK_INT(m.n, 2);
	plan_mounts_remove(&base, &m);
	if (CHECK_INT(base.mounts.n, 2)) {
		(void)CHECK_STR(base.mounts.v[0].fstype, "tmpfs");
		(void)CHECK_STR(base.mounts.v[1].target, "/b");
	}
	plan_mounts_done(&m);
	spec_mounts_done(&s);
}

/* A checkpoint has only what was mounted for the container alone. */
TEST(what_shows_something_of_the_host_is_external)
{
	struct ns_namespace made = { .kind = NS_CGROUP };
	struct plan own = { .namespaces = { .v = &made, .n = 1 } };
	struct plan joined = { 0 };
	const struct ns_mount bind = { .flags = NS_MOUNT_BIND };
	const struct ns_mount again = { .flags = NS_MOUNT_BIND |
						 NS_MOUNT_REMOUNT };
	const struct ns_mount groups = { .flags = NS_MOUNT_CGROUP };
	const struct ns_mount proc = { 0 };

	CHECK(plan_mount_is_external(&own, &bind));
	CHECK(!plan_mount_is_external(&own, &again));
	CHECK(!plan_mount_is_external(&own, &groups));
	CHECK(plan_mount_is_external(&joined, &groups));
	CHECK(!plan_mount_is_external(&own, &proc));
}

TEST(who_waits_for_readiness_is_mounted_on_top)
{
	struct plan_context ctx = test_machine;
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	ctx.notify_dir = "/run/moat/oci/x/notify";
	REQUIRE_OK(test_parse(base_text, &ctx, &p, &e), &e);
	(void)CHECK(p.notify);
	REQUIRE(p.mounts.n == 4);
	(void)CHECK_STR(p.mounts.v[3].source, ctx.notify_dir);
	(void)CHECK_STR(p.mounts.v[3].target, PLAN_NOTIFY_DIR);
	(void)CHECK(p.mounts.v[3].set & MOUNT_ATTR_RDONLY);
	(void)CHECK_INT(p.mounts.v[3].flags, NS_MOUNT_BIND);
}

TEST(a_micro_vm_has_nobody_to_notify)
{
	struct plan_context ctx = test_machine;
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	ctx.notify_dir = "/run/moat/oci/x/notify";
	ctx.isolation_vm = true;
	REQUIRE_OK(test_parse(base_text, &ctx, &p, &e), &e);
	(void)CHECK(!p.notify);
	(void)CHECK_INT(p.mounts.n, 3);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP(a_list_and_an_object_say_the_same),
		TAP(what_is_no_list_of_mounts_is_refused),
		TAP(mounts_are_judged_as_those_of_a_configuration),
		TAP(a_plan_follows_what_was_added),
		TAP(a_plan_forgets_the_topmost_of_what_was_removed),
		TAP(what_shows_something_of_the_host_is_external),
		TAP(who_waits_for_readiness_is_mounted_on_top),
		TAP(a_micro_vm_has_nobody_to_notify),
	};

	return tap_run(tests, ARRAY_SIZE(tests));
}

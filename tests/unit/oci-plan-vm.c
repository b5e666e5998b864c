/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oci-plan.h"

#define MIB ((uint64_t)1 << 20)

/* A micro-VM with the given resources, and more keys. */
static int plan_vm(const char *resources, const char *more,
		   const struct plan_context *ctx, struct plan *p,
		   struct err *e)
{
	autofree char *text =
		str_printf("{\"ociVersion\":\"1.3.0\","
			   "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
			   "\"root\":{\"path\":\"r\"},"
			   "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],"
			   "\"resources\":{%s}}%s%s}",
			   resources, *more ? "," : "", more);

	return test_parse(text, ctx, p, e);
}

TEST(a_machine_is_as_large_as_its_limits)
{
	/* clang-format off */
	static const struct {
		const char *resources;
		uint32_t vcpus;
		uint64_t memory;
	} rows[] = {
		{ "", 4, 512 * MIB },
		{ "\"cpu\":{\"quota\":150000}", 2, 512 * MIB },
		{ "\"cpu\":{\"quota\":100000,\"period\":100000}", 1, 512 * MIB },
		{ "\"cpu\":{\"quota\":1000,\"period\":100000}", 1, 512 * MIB },
		{ "\"cpu\":{\"quota\":-1}", 4, 512 * MIB },
		{ "\"cpu\":{\"quota\":100000,\"period\":50000}", 2, 512 * MIB },
		{ "\"cpu\":{\"quota\":9900000}", 4, 512 * MIB },
		{ "\"cpu\":{\"cpus\":\"0,2\"}", 2, 512 * MIB },
		{ "\"cpu\":{\"cpus\":\"0-63\"}", 4, 512 * MIB },
		{ "\"cpu\":{\"cpus\":\"1\",\"quota\":300000}", 1, 512 * MIB },
		{ "\"memory\":{\"limit\":1073741824}", 4, 1024 * MIB },
		{ "\"memory\":{\"limit\":1000000000}", 4, 954 * MIB },
		{ "\"memory\":{\"limit\":1}", 4, 128 * MIB },
		{ "\"memory\":{\"limit\":-1}", 4, 512 * MIB },
		{ "\"memory\":{\"limit\":9223372036854771712}", 4, 8192 * MIB },
	};
	/* clang-format on */
	struct plan_context ctx = test_machine;

	ctx.isolation_vm = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		struct err e = { 0 };

		if (!CHECK_OK(plan_vm(rows[i].resources, "", &ctx, &p, &e),
			      &e) ||
		    !CHECK_INT(p.vm.vcpus, rows[i].vcpus) ||
		    !CHECK_INT(p.vm.memory, rows[i].memory))
			tap_note("with %s", rows[i].resources);
		(void)CHECK(p.vm.overhead > 192 * MIB);
	}
}

TEST(what_is_asked_for_by_name_counts_before_limits)
{
	static const char limits[] = "\"cpu\":{\"quota\":100000},"
				     "\"memory\":{\"limit\":1073741824}";
	static const char hardware[] =
		"\"vm\":{\"hwConfig\":{\"vcpus\":3,\"memory\":268435456}}";
	static const char notes[] =
		"\"annotations\":{\"moat.vm.vcpus\":\"2\","
		"\"moat.vm.memory\":\"256m\",\"moat.isolation\":\"vm\"}";
	_cleanup_(plan_done) struct plan p = { 0 }, q = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(plan_vm(limits, hardware, &test_machine, &p, &e), &e);
	(void)CHECK_INT(p.isolation, PLAN_VM);
	(void)CHECK_INT(p.vm.vcpus, 3);
	(void)CHECK_INT(p.vm.memory, 256 * MIB);
	REQUIRE_OK(plan_vm(limits, notes, &test_machine, &q, &e), &e);
	(void)CHECK_INT(q.vm.vcpus, 2);
	(void)CHECK_INT(q.vm.memory, 256 * MIB);
}

TEST(a_machine_is_described_by_its_file_and_annotations)
{
	static const char *const layers[] = { "/l/top", "/l/middle/x",
					      "/l/bottom" };
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(test_plan("vm.json", &test_machine, &p, &e), &e);
	(void)CHECK_STR(p.vm.kernel, "/boot/vmlinuz-6.1");
	(void)CHECK_STR(p.vm.initrd, "/boot/initrd");
	(void)CHECK_STR(p.vm.cmdline, "loglevel=3 quiet debug");
	(void)CHECK_STR(p.vm.backend, "qemu");
	(void)CHECK_INT(p.vm.timeout_ms, 2500);
	(void)CHECK_INT(p.vm.vcpus, 2);
	(void)CHECK_INT(p.vm.memory, 954 * MIB);
	(void)CHECK_INT(p.root.scratch_size, 64 * MIB);
	REQUIRE(strv_len(p.root.layers) == ARRAY_SIZE(layers));
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
		(void)CHECK_STR(p.root.layers[i], layers[i]);
}

TEST(a_container_needs_no_machine)
{
	static const char notes[] =
		"\"annotations\":{\"moat.isolation\":\"container\","
		"\"moat.vm.disk.d\":\"/d\","
		"\"moat.vm.kernel\":\"/k\"},\"vm\":{}";
	struct plan_context ctx = test_machine;
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	ctx.isolation_vm = true; /* the annotation is the nearer word */
	REQUIRE_OK(plan_vm("", notes, &ctx, &p, &e), &e);
	(void)CHECK_INT(p.isolation, PLAN_CONTAINER);
	(void)CHECK_STR(p.vm.kernel, NULL);
	(void)CHECK_INT(p.vm.vcpus, 0);
	(void)CHECK_INT(p.disks.n, 0);
}

TEST(defaults_of_a_machine)
{
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(plan_vm("", "\"vm\":{}", &test_machine, &p, &e), &e);
	(void)CHECK_INT(p.isolation, PLAN_VM);
	(void)CHECK_STR(p.vm.backend, "auto");
	(void)CHECK_STR(p.vm.kernel, NULL);
	(void)CHECK_STR(p.vm.cmdline, NULL);
	(void)CHECK_INT(p.vm.timeout_ms, 60000);
}

TEST(vcpus_are_pinned_and_memory_is_what_was_asked_for)
{
	static const char limits[] = "\"cpu\":{\"cpus\":\"1-3\"}";
	static const char notes[] =
		"\"annotations\":{\"moat.vm.pin\":\"3,1-2\","
		"\"moat.vm.huge-pages\":\"reserve\",\"moat.vm.ksm\":\"true\"},"
		"\"vm\":{}";
	static const uint32_t pin[] = { 3, 1, 2 };
	_cleanup_(plan_done) struct plan p = { 0 }, q = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(plan_vm(limits, notes, &test_machine, &p, &e), &e);
	(void)CHECK_INT(p.vm.huge, PLAN_HUGE_RESERVE);
	(void)CHECK(p.vm.ksm);
	REQUIRE(p.vm.pin.n == ARRAY_SIZE(pin));
	for (size_t i = 0; i < ARRAY_SIZE(pin); i++)
		(void)CHECK_INT(p.vm.pin.v[i], pin[i]);

	REQUIRE_OK(plan_vm("", "\"vm\":{}", &test_machine, &q, &e), &e);
	(void)CHECK_INT(q.vm.huge, PLAN_HUGE_ADVISE);
	(void)CHECK(!q.vm.ksm);
	(void)CHECK_INT(q.vm.pin.n, 0);
}

/* A micro-VM with these linux.devices, rules, and annotations. */
static int plan_disks(const char *devices, const char *rules, const char *notes,
		      struct plan *p, struct err *e)
{
	autofree char *text = str_printf(
		"{\"ociVersion\":\"1.3.0\","
		"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
		"\"root\":{\"path\":\"r\"},\"vm\":{},"
		"\"annotations\":{%s},"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],"
		"\"devices\":[%s],\"resources\":{\"devices\":[%s]}}}",
		notes, devices, rules);

	return test_parse(text, &test_machine, p, e);
}

#define DENY  "{\"allow\":false,\"access\":\"rwm\"}"
#define ALLOW "{\"allow\":true,\"type\":\"b\",\"major\":8,"
#define SDB                                                                    \
	"{\"path\":\"/dev/x\",\"type\":\"b\",\"major\":8,\"minor\":16,"        \
	"\"fileMode\":384,\"uid\":7}"

TEST(block_devices_and_files_are_disks)
{
	static const char notes[] = "\"moat.vm.disk.data\":\"/srv//d.img\","
				    "\"moat.vm.disk.old-1\":\"/srv/o.img:ro\"";
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(plan_disks(SDB, DENY "," ALLOW "\"access\":\"rw\"}", notes,
			      &p, &e),
		   &e);
	REQUIRE(p.disks.n == 3);
	(void)CHECK_STR(p.disks.v[0].path, "/dev/data");
	(void)CHECK_STR(p.disks.v[0].source, "/srv/d.img");
	(void)CHECK(!p.disks.v[0].readonly);
	(void)CHECK_STR(p.disks.v[1].path, "/dev/old-1");
	(void)CHECK_STR(p.disks.v[1].source, "/srv/o.img");
	(void)CHECK(p.disks.v[1].readonly);
	(void)CHECK_STR(p.disks.v[2].path, "/dev/x");
	(void)CHECK(!p.disks.v[2].source && !p.disks.v[2].readonly);
	(void)CHECK_INT(p.disks.v[2].minor, 16);
	(void)CHECK_INT(p.disks.v[2].mode, 0600);
	(void)CHECK_INT(p.disks.v[2].uid, 7);
	for (size_t i = 0; i < p.devices.n; i++)
		(void)CHECK(p.devices.v[i].type != 'b');
}

TEST(a_disk_has_the_rates_behind_its_path)
{
	static const char notes[] =
		"\"moat.vm.disk.a\":\"/a:b:bps=2m:ro:iops=30\","
		"\"moat.vm.disk.b\":\"/b:iops=7\","
		"\"moat.vm.disk.c\":\"/c:bps=5:x\"";
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(plan_disks("", "", notes, &p, &e), &e);
	REQUIRE(p.disks.n == 3);
	(void)CHECK_STR(p.disks.v[0].source, "/a:b");
	(void)CHECK(p.disks.v[0].readonly);
	(void)CHECK_INT(p.disks.v[0].bps, 2 << 20);
	(void)CHECK_INT(p.disks.v[0].iops, 30);
	(void)CHECK_STR(p.disks.v[1].source, "/b");
	(void)CHECK(!p.disks.v[1].readonly);
	(void)CHECK_INT(p.disks.v[1].bps, 0);
	(void)CHECK_INT(p.disks.v[1].iops, 7);
	(void)CHECK_STR(p.disks.v[2].source, "/c:bps=5:x");
	(void)CHECK_INT(p.disks.v[2].bps, 0);
}

TEST(a_rule_says_whether_a_disk_is_written_to)
{
	/* clang-format off */
	static const struct {
		const char *rules;
		bool readonly;
	} rows[] = {
		{ DENY "," ALLOW "\"minor\":16,\"access\":\"rwm\"}", false },
		{ DENY "," ALLOW "\"access\":\"rm\"}", true },
		{ DENY "," ALLOW "\"minor\":17,\"access\":\"rw\"},"
		  ALLOW "\"minor\":16,\"access\":\"r\"}", true },
		{ "{\"allow\":true,\"access\":\"rwm\"},{\"allow\":false,"
		  "\"type\":\"b\",\"major\":8,\"access\":\"w\"}", true },
		{ "{\"allow\":true,\"access\":\"rwm\"},{\"allow\":false,"
		  "\"type\":\"c\",\"major\":8,\"access\":\"w\"}", false },
	};
	/* clang-format on */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		struct err e = { 0 };

		if (!CHECK_OK(plan_disks(SDB, rows[i].rules, "", &p, &e), &e) ||
		    !CHECK(p.disks.n == 1 &&
			   p.disks.v[0].readonly == rows[i].readonly))
			tap_note("row %zu", i);
	}
}

TEST(disks_that_cannot_be_are_refused_by_name)
{
	/* clang-format off */
	static const struct {
		const char *devices, *rules, *notes, *want;
	} rows[] = {
		{ SDB, "", "", "lets '/dev/x' be read" },
		{ SDB, ALLOW "\"access\":\"w\"}", "", "lets '/dev/x' be read" },
		{ SDB "," SDB, ALLOW "\"access\":\"r\"}", "", "duplicate path '/dev/x'" },
		{ SDB, ALLOW "\"access\":\"r\"}", "\"moat.vm.disk.x\":\"/f\"", "duplicate path '/dev/x'" },
		{ "", "", "\"moat.vm.disk.null\":\"/f\"", "duplicate path '/dev/null'" },
		{ "", "", "\"moat.vm.disk.\":\"/f\"", "not a name" },
		{ "", "", "\"moat.vm.disk...\":\"/f\"", "not a name" },
		{ "", "", "\"moat.vm.disk.a/b\":\"/f\"", "'a/b' is not a name" },
		{ "", "", "\"moat.vm.disk.a\":\"f\"", "moat.vm.disk.a: 'f' is not an absolute path" },
		{ "", "", "\"moat.vm.disk.a\":\":ro\"", "not an absolute path" },
		{ "", "", "\"moat.vm.disk.a\":\"/f:bps=0\"", "moat.vm.disk.a: 'bps=0' is not a rate" },
		{ "", "", "\"moat.vm.disk.a\":\"/f:bps=\"", "'bps=' is not a rate" },
		{ "", "", "\"moat.vm.disk.a\":\"/f:iops=1k:ro\"", "'iops=1k' is not a rate" },
		{ "", "", "\"moat.vm.disk.a\":\"/f:bps=1:bps=2\"", "'bps=1' is a second rate" },
		{ "", "", "\"moat.vm.disk.a\":\"/1\",\"moat.vm.disk.b\":\"/1\","
		  "\"moat.vm.disk.c\":\"/1\",\"moat.vm.disk.d\":\"/1\",\"moat.vm.disk.e\":\"/1\","
		  "\"moat.vm.disk.f\":\"/1\",\"moat.vm.disk.g\":\"/1\",\"moat.vm.disk.h\":\"/1\"",
		  "more than 7 disks" },
	};
	/* clang-format on */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		struct err e = { 0 };

		if (!CHECK(plan_disks(rows[i].devices, rows[i].rules,
				      rows[i].notes, &p, &e) < 0) ||
		    !CHECK_HAS(e.text, rows[i].want))
			tap_note("row %zu", i);
	}
}

TEST(a_dev_of_the_host_takes_no_nodes_of_disks)
{
	static const char text[] =
		"{\"ociVersion\":\"1.3.0\",\"vm\":{},"
		"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
		"\"root\":{\"path\":\"r\"},"
		"\"mounts\":[{\"destination\":\"/dev\",\"type\":\"bind\","
		"\"source\":\"/dev\",\"options\":[\"rbind\"]}],"
		"\"annotations\":{\"moat.vm.disk.a\":\"/f\"},"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}";
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	CHECK_INT(test_parse(text, &test_machine, &p, &e), -EINVAL);
	CHECK_HAS(e.text, "disks: /dev is bound from the host");
}

static const struct tap_test tests[] = {
	TAP(a_machine_is_as_large_as_its_limits),
	TAP(what_is_asked_for_by_name_counts_before_limits),
	TAP(a_machine_is_described_by_its_file_and_annotations),
	TAP(a_container_needs_no_machine),
	TAP(defaults_of_a_machine),
	TAP(vcpus_are_pinned_and_memory_is_what_was_asked_for),
	TAP(block_devices_and_files_are_disks),
	TAP(a_disk_has_the_rates_behind_its_path),
	TAP(a_rule_says_whether_a_disk_is_written_to),
	TAP(disks_that_cannot_be_are_refused_by_name),
	TAP(a_dev_of_the_host_takes_no_nodes_of_disks),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

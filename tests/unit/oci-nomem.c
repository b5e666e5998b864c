/* SPDX-License-Identifier: Apache-2.0 */
/* Out of memory, wherever it is while a configuration becomes a plan. */
#include "src/oci/plan_split.h"
#include "src/oci/state.h"
#include "tests/unit/nomem.h"
#include "tests/unit/oci-plan.h"
#include "tests/unit/scratch.h"

static const char *name; /* of the configuration that the jobs are about */
static struct plan base; /* and its plan */

static int make_plan(struct err *e)
{
	_cleanup_(plan_done) struct plan p = { 0 };

	return test_plan(name, &test_machine, &p, e);
}

static int write_and_read_plan(struct err *e)
{
	_cleanup_(plan_done) struct plan p = { 0 };
	autofree char *text = NULL;
	size_t len;
	int r = json_write(&plan_table, &base, true, &text, &len, e);

	return r < 0 ? r : json_read(text, len, &plan_table, &p, name, e);
}

static int exec_process(struct err *e)
{
	char *args[] = { (char[]){ "id" }, NULL };
	char *more[] = { (char[]){ "A=1" }, (char[]){ "HOME=/h" }, NULL };
	char *caps[] = { (char[]){ "CAP_KILL" }, NULL };
	const struct plan_exec x = {
		.args = args,
		.env = more,
		.caps = caps,
		.cwd = "/tmp",
		.groups = { .v = (uint32_t[]){ 7 }, .n = 1 },
		.uid = { .set = true, .v = 3 },
		.apparmor = "x",
		.selinux = "a:b:c:s0",
	};
	_cleanup_(plan_process_done) struct plan_process p = { 0 };
	int r = plan_make_process(NULL, &base, &p, e);

	return r < 0 ? r : plan_apply_exec(&p, &base, &x, e);
}

static const char *const files[] = {
	"minimal.json", "podman.json", "containerd.json",
	"userns.json",	"limits.json", "vm.json",
};

TEST(a_plan_is_whole_or_none)
{
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		name = files[i];
		tap_note("%s", name);
		CHECK(until_it_works(make_plan) > 10);
		REQUIRE_OK(test_plan(name, &test_machine, &base, &e), &e);
		CHECK(until_it_works(write_and_read_plan) > 10);
		CHECK(until_it_works(exec_process) > 5);
		plan_done(&base);
	}
}

static int split(struct err *e)
{
	_cleanup_(plan_done) struct plan host = { 0 };
	_cleanup_(plan_done) struct plan guest = { 0 };

	return plan_split(&base, false, &host, &guest, e);
}

static int split_process(struct err *e)
{
	_cleanup_(plan_process_done) struct plan_process host = { 0 };
	_cleanup_(plan_process_done) struct plan_process guest = { 0 };

	return plan_split_process(&base.process, &host, &guest, e);
}

TEST(halves_are_whole_or_none)
{
	struct err e = { 0 };

	name = "vm.json";
	REQUIRE_OK(test_plan(name, &test_machine, &base, &e), &e);
	CHECK(until_it_works(split) > 10);
	CHECK(until_it_works(split_process) > 2);
	plan_done(&base);
}

#define MOUNTS                                                                 \
	"[{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/s\","        \
	"\"options\":[\"rbind\",\"ro\",\"idmap\"],"                            \
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":1}],"       \
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":1}]},"      \
	"{\"destination\":\"/b\",\"type\":\"tmpfs\",\"source\":\"t\","         \
	"\"options\":[\"size=1m\",\"nosuid\"]}]"

static struct scratch dir = SCRATCH_INIT;

static int add_mounts(struct err *e)
{
	_cleanup_(plan_mounts_done) struct plan_mounts m = { 0 };
	struct spec_mounts s = { 0 };
	int r = spec_mounts_read(dir.fd, "m.json", &s, e);

	if (r == 0)
		r = plan_make_mounts(&s, &test_machine, &base, &m, e);
	spec_mounts_done(&s);
	return r;
}

static int read_targets(struct err *e)
{
	_cleanup_(plan_mounts_done) struct plan_mounts m = { 0 };
	struct spec_mounts s = { 0 };
	int r = spec_mounts_read(dir.fd, "m.json", &s, e);

	if (r == 0)
		r = plan_make_targets(&s, &base.root, &m, e);
	spec_mounts_done(&s);
	return r;
}

TEST(mounts_that_come_later_come_or_do_not)
{
	struct err e = { 0 };

	name = "userns.json";
	REQUIRE(scratch_init(&dir));
	REQUIRE(scratch_write(&dir, "m.json", MOUNTS));
	REQUIRE_OK(test_plan(name, &test_machine, &base, &e), &e);
	CHECK(until_it_works(add_mounts) > 5);
	CHECK(until_it_works(read_targets) > 2);
	plan_done(&base);
	scratch_done(&dir);
}

static const char limits[] =
	"{\"pids\":{\"limit\":5},\"memory\":{\"limit\":1048576},"
	"\"cpu\":{\"cpus\":\"0\",\"mems\":\"0\"},"
	"\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,"
	"\"rate\":9}]},"
	"\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":0}],"
	"\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],"
	"\"unified\":{\"memory.high\":\"7\"}}";

static int read_limits(struct err *e)
{
	_cleanup_(cg_limits_done) struct cg_limits l = { 0 };
	struct spec_resources s = { 0 };
	int r = json_read(limits, strlen(limits), &spec_resources_table, &s,
			  "-", e);

	if (r == 0)
		r = plan_make_limits(&s, &l, e);
	spec_resources_done(&s);
	return r;
}

static int keep_state(struct err *e)
{
	struct state s = {
		.version = (char[]){ "1.0.0" },
		.id = (char[]){ "x" },
		.bundle = (char[]){ "/b" },
		.rootfs = (char[]){ "/b/r" },
		.created = (char[]){ "2026-11-29T00:00:00Z" },
	};
	struct state back = { 0 };
	autofree char *text = NULL;
	int r = state_write(dir.fd, &s, e);

	if (r == 0)
		r = state_read(dir.fd, &back, e);
	if (r == 0)
		r = state_for_hooks(&back, STATE_CREATED, &text, e);
	state_done(&back);
	return r;
}

TEST(limits_and_states_survive)
{
	CHECK(until_it_works(read_limits) > 10);
	REQUIRE(scratch_init(&dir));
	CHECK(until_it_works(keep_state) > 5);
	scratch_done(&dir);
}

static const struct tap_test tests[] = {
	TAP(a_plan_is_whole_or_none),
	TAP(halves_are_whole_or_none),
	TAP(mounts_that_come_later_come_or_do_not),
	TAP(limits_and_states_survive),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/oci/plan_split.h"
#include "tests/unit/oci-plan.h"

#define HEADED(notes)                                                          \
	"{\"ociVersion\":\"1.0.0\","                                           \
	"\"process\":{\"args\":[\"a\"],\"cwd\":\"/w\",\"user\":{\"uid\":5},"   \
	"\"apparmorProfile\":\"p\",\"oomScoreAdj\":7,"                         \
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":9,\"soft\":9}]},"   \
	"\"root\":{\"path\":\"r\",\"readonly\":true},\"hostname\":\"h\","      \
	"\"annotations\":{\"moat.isolation\":\"vm\"" notes "},"
#define HEAD HEADED("")
#define NAMESPACES                                                             \
	"\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},"         \
	"{\"type\":\"uts\"}]"

static const char whole[] = HEAD
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\","
	"\"source\":\"proc\"},"
	"{\"destination\":\"/run\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
	"{\"destination\":\"/run/v\",\"type\":\"bind\",\"source\":\"/srv\","
	"\"options\":[\"rbind\",\"ro\"]}],"
	"\"hooks\":{\"prestart\":[{\"path\":\"/h\"}],"
	"\"startContainer\":[{\"path\":\"/s\"}]},"
	"\"linux\":{" NAMESPACES ",\"resources\":{\"pids\":{\"limit\":20},"
	"\"memory\":{\"limit\":67108864},\"cpu\":{\"shares\":512}}}}";

struct halves {
	struct plan whole, host, guest;
};

static void halves_done(struct halves *h)
{
	plan_done(&h->whole);
	plan_done(&h->host);
	plan_done(&h->guest);
}

static int split(const char *text, bool rootless, struct halves *h,
		 struct err *e)
{
	int r = test_parse(text, &test_machine, &h->whole, e);

	return r < 0 ? r
		     : plan_split(&h->whole, rootless, &h->host, &h->guest, e);
}

#define SPLIT(h, text, rootless)                                               \
	_cleanup_(halves_done) struct halves h = { 0 };                        \
	struct err e = { 0 };                                                  \
	REQUIRE_OK(split(text, rootless, &h, &e), &e)

TEST(binds_are_gathered_on_the_host_and_placed_in_the_guest)
{
	SPLIT(h, whole, false);

	REQUIRE(h.host.mounts.n == 1 && h.guest.mounts.n == 3);
	(void)CHECK_STR(h.host.mounts.v[0].source, "/srv");
	(void)CHECK_STR(h.host.mounts.v[0].target, "/m2");
	(void)CHECK(h.host.mounts.v[0].set == h.guest.mounts.v[2].set);
	(void)CHECK_STR(h.guest.mounts.v[1].target, "/run");
	(void)CHECK_STR(h.guest.mounts.v[2].source, PLAN_SHARE "/m2");
	(void)CHECK_STR(h.guest.mounts.v[2].target, "/run/v");
}

TEST(the_root_is_put_together_on_the_host)
{
	SPLIT(h, whole, false);

	(void)CHECK_STR(h.host.root.path, "/bundle/r");
	(void)CHECK_STR(h.guest.root.path, PLAN_SHARE "/" PLAN_SHARE_ROOT);
	(void)CHECK(h.host.root.readonly && h.guest.root.readonly);
}

TEST(the_network_is_the_hosts_and_the_pids_are_both)
{
	SPLIT(h, whole, false);

	(void)CHECK(plan_makes(&h.host, NS_NET) &&
		    !plan_owns(&h.guest, NS_NET));
	/* By the machine's agent, which has the right to. */
	(void)CHECK(!h.guest.loopback_up);
	/* The program shares the machine's pids, as it asked for; what serves
	 * the machine shares nobody's. */
	(void)CHECK(plan_makes(&h.host, NS_PID) &&
		    !plan_owns(&h.guest, NS_PID));
	(void)CHECK(plan_makes(&h.guest, NS_UTS));
	(void)CHECK_STR(h.guest.hostname, "h");
}

static const struct {
	const char *namespace, *hooks;
	bool want;
} networks[] = {
	{ "{\"type\":\"network\"}", "", false },
	{ "{\"type\":\"network\",\"path\":\"/run/netns/n\"}", "", true },
	{ "{\"type\":\"network\"}", "\"createRuntime\":[{\"path\":\"/h\"}]",
	  true },
	{ "{\"type\":\"network\"}", "\"createContainer\":[{\"path\":\"/h\"}]",
	  true },
	/* Too late: the machine is running. */
	{ "{\"type\":\"network\"}", "\"startContainer\":[{\"path\":\"/h\"}]",
	  false },
};

TEST(links_are_looked_for_where_somebody_can_have_made_them)
{
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		_cleanup_(halves_done) struct halves h = { 0 };
		autofree char *text =
			str_printf(HEAD "\"hooks\":{%s},\"linux\":{"
					"\"namespaces\":[{\"type\":\"mount\"},"
					"{\"type\":\"uts\"},%s]}}",
				   networks[i].hooks, networks[i].namespace);
		struct err e = { 0 };

		REQUIRE_OK(split(text, false, &h, &e), &e);
		if (!CHECK(h.host.vm.network == networks[i].want))
			tap_note("row %zu", i);
		(void)CHECK(!h.guest.vm.network);
	}
}

TEST(limits_bind_where_they_can)
{
	SPLIT(h, whole, false);

	/* A guest is never smaller than 128 MiB; its group has room for it. */
	(void)CHECK_INT(h.whole.vm.memory, 128 << 20);
	(void)CHECK_INT(h.host.limits.memory_max.v,
			(128 << 20) + h.whole.vm.overhead);
	(void)CHECK_INT(h.guest.limits.memory_max.v, 64 << 20);
	(void)CHECK(!h.host.limits.pids_max.set);
	(void)CHECK_INT(h.guest.limits.pids_max.v, 20);
	(void)CHECK_INT(h.host.limits.cpu_shares.v, 512);
	(void)CHECK(!h.guest.limits.cpu_shares.set);
	(void)CHECK(h.host.limits.devices.n == 0 &&
		    h.guest.limits.devices.n > 0);
}

TEST(the_program_is_the_guests)
{
	SPLIT(h, whole, false);

	(void)CHECK_STR(h.guest.process.args[0], "a");
	(void)CHECK_INT(h.guest.process.user.uid, 5);
	(void)CHECK(h.guest.process.rlimits.n == 1 &&
		    !h.guest.process.apparmor);
	(void)CHECK_STR(h.host.process.cwd, "/");
	(void)CHECK(h.host.process.rlimits.n == 0);
	(void)CHECK_INT(h.host.process.oom_score_adj.v, 7);
	(void)CHECK_INT(h.host.process.user.uid, 0);
}

TEST(hooks_run_where_their_namespaces_are)
{
	SPLIT(h, whole, false);

	(void)CHECK_INT(h.host.hooks[PLAN_HOOK_PRESTART].n, 1);
	(void)CHECK_INT(h.host.hooks[PLAN_HOOK_START_CONTAINER].n, 0);
	(void)CHECK_INT(h.guest.hooks[PLAN_HOOK_PRESTART].n, 0);
	(void)CHECK_INT(h.guest.hooks[PLAN_HOOK_START_CONTAINER].n, 1);
}

TEST(the_guests_half_needs_nothing_of_the_machine)
{
	SPLIT(h, whole, false);

	(void)CHECK_INT(h.guest.isolation, PLAN_CONTAINER);
	(void)CHECK(!h.guest.vm.kernel && h.guest.annotations.n == 0);
	(void)CHECK_STR(h.guest.cgroup.path, "/environment");
}

static const char mapped[] =
	HEAD "\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,"
	     "\"size\":65536}],\"gidMappings\":[{\"containerID\":0,"
	     "\"hostID\":100000,\"size\":65536}],"
	     "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},"
	     "{\"type\":\"user\"},{\"type\":\"uts\"}]}}";

#define BINDS(binds) HEAD "\"mounts\":[" binds "],\"linux\":{"

static const char idmapped[] = BINDS(
	"{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/srv\","
	"\"options\":[\"bind\",\"idmap\"]},"
	"{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"/srv\","
	"\"options\":[\"bind\"],\"uidMappings\":[{\"containerID\":0,"
	"\"hostID\":50,\"size\":9}],\"gidMappings\":[{\"containerID\":0,"
	"\"hostID\":50,\"size\":9}]}") "\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":99}],"
				       "\"gidMappings\":[{\"containerID\":0,\"hostID\":200000,\"size\":99}],"
				       "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},"
				       "{\"type\":\"uts\"},{\"type\":\"user\"}]}}";

static const char links[] =
	BINDS("{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/l\","
	      "\"options\":[\"bind\",\"src-nofollow\"]}") NAMESPACES "}}";

static const char devices[] =
	HEAD "\"linux\":{" NAMESPACES
	     ",\"devices\":[{\"path\":\"/dev/nothing\",\"type\":\"c\","
	     "\"major\":1,\"minor\":3},{\"path\":\"/dev/files\",\"type\":\"u\","
	     "\"major\":10,\"minor\":229}]}}";

TEST(a_user_namespace_is_made_where_the_files_are_reached)
{
	SPLIT(h, mapped, false);

	(void)CHECK(!plan_owns(&h.host, NS_USER) && h.host.map.uids.n == 0);
	(void)CHECK(plan_makes(&h.guest, NS_USER) && h.guest.map.uids.n == 1 &&
		    h.guest.root.in_userns);
}

TEST(what_is_mapped_as_the_environment_is_has_its_mappings_on_the_host)
{
	SPLIT(h, idmapped, false);

	REQUIRE(h.host.mounts.n == 2 && h.host.mounts.v[0].uids.n == 1 &&
		h.host.mounts.v[0].gids.n == 1);
	(void)CHECK(h.host.mounts.v[0].uids.v[0].host_id == 100000);
	(void)CHECK(h.host.mounts.v[0].gids.v[0].host_id == 200000);
	/* By mappings of its own: those. */
	(void)CHECK(h.host.mounts.v[1].uids.n == 1 &&
		    h.host.mounts.v[1].uids.v[0].host_id == 50);
	for (size_t i = 0; i < h.guest.mounts.n; i++)
		(void)CHECK(h.guest.mounts.v[i].uids.n == 0 &&
			    !(h.guest.mounts.v[i].flags & NS_MOUNT_IDMAP));
}

TEST(a_source_that_is_a_link_is_one_in_the_guest)
{
	SPLIT(h, links, false);

	REQUIRE(h.guest.mounts.n == 1);
	(void)CHECK(h.host.mounts.v[0].flags & NS_MOUNT_NO_SRC_LINK);
	(void)CHECK(h.guest.mounts.v[0].flags & NS_MOUNT_NO_SRC_LINK);
}

TEST(a_device_of_every_kernel_may_have_another_name)
{
	SPLIT(h, devices, false);

	(void)CHECK(h.host.devices.n == 0 && h.guest.devices.n >= 2);
}

TEST(an_exec_on_cpus_of_the_host_is_refused)
{
	_cleanup_(plan_process_done) struct plan_process host = { 0 };
	_cleanup_(plan_process_done) struct plan_process guest = { 0 };
	char cpus[] = "1";
	const struct plan_process initial = { .cpus_initial = cpus };
	const struct plan_process final = { .cpus_final = cpus };
	struct err e = { 0 };

	(void)CHECK(plan_split_process(&initial, &host, &guest, &e) < 0);
	(void)CHECK_HAS(e.text, "execCPUAffinity");
	(void)CHECK(plan_split_process(&final, &host, &guest, &e) < 0);
}

TEST(without_root_the_hosts_half_has_the_user_namespace)
{
	SPLIT(h, mapped, true);

	(void)CHECK(plan_makes(&h.host, NS_USER) && h.host.map.uids.n == 1);
	(void)CHECK(!plan_owns(&h.guest, NS_USER) && h.guest.map.uids.n == 0 &&
		    !h.guest.root.in_userns);
}

TEST(what_a_disk_is_on_the_host_is_the_hosts_half)
{
	static const char disks[] =
		HEAD "\"linux\":{" NAMESPACES
		     ",\"devices\":[{\"path\":\"/dev/sda\",\"type\":\"b\","
		     "\"major\":8,\"minor\":3}],\"resources\":{\"devices\":["
		     "{\"allow\":true,\"access\":\"r\"}]}}}";
	SPLIT(h, disks, false);

	REQUIRE(h.host.disks.n == 1 && h.guest.disks.n == 1);
	(void)CHECK_INT(h.host.disks.v[0].major, 8);
	(void)CHECK_INT(h.host.disks.v[0].minor, 3);
	(void)CHECK_STR(h.guest.disks.v[0].path, "/dev/sda");
	(void)CHECK(h.guest.disks.v[0].readonly);
	(void)CHECK_INT(h.guest.disks.v[0].major, 0);
}

static const struct {
	const char *text, *want;
} refused[] = {
	{ HEAD
	  "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"}]}}",
	  "cannot share the host's" },
	{ HEAD
	  "\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"path\":\"/x\"},{\"type\":\"uts\"},"
	  "{\"type\":\"network\"}]}}",
	  "mount namespace" },
	{ HEAD "\"mounts\":[{\"destination\":\"/\",\"type\":\"tmpfs\"}],"
	       "\"linux\":{" NAMESPACES "}}",
	  "mount on '/'" },
	{ HEAD "\"linux\":{" NAMESPACES ",\"devices\":[{\"path\":\"/dev/kvm\","
	       "\"type\":\"c\",\"major\":10,\"minor\":232}]}}",
	  "'/dev/kvm'" },
	{ HEAD "\"linux\":{" NAMESPACES ",\"devices\":[{\"path\":\"/dev/null\","
	       "\"type\":\"c\",\"major\":10,\"minor\":232}]}}",
	  "'/dev/null'" },
	{ HEAD "\"linux\":{" NAMESPACES ",\"netDevices\":{\"eth9\":{}}}}",
	  "'eth9'" },
	{ HEAD "\"linux\":{" NAMESPACES
	       ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\","
	       "\"listenerPath\":\"/l\",\"syscalls\":[{\"names\":[\"read\"],"
	       "\"action\":\"SCMP_ACT_NOTIFY\"}]}}}",
	  "listener" },
	{ HEAD "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},"
	       "{\"type\":\"pid\"},{\"type\":\"uts\"}]}}",
	  "cannot share the host's" },
	{ HEADED(",\"run.oci.keep_original_groups\":\"1\"") "\"linux\":{" NAMESPACES
							    "}}",
	  "cannot keep groups" },
	{ HEADED(",\"run.oci.hooks.stdout\":\"/f\"") "\"linux\":{" NAMESPACES
						     "},"
						     "\"hooks\":{\"startContainer\":[{\"path\":\"/s\"}]}}",
	  "cannot write to files of the host" },
};

TEST(what_a_guest_cannot_have_is_refused_by_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		_cleanup_(halves_done) struct halves h = { 0 };
		struct err e = { 0 };

		(void)CHECK(split(refused[i].text, false, &h, &e) < 0);
		if (!CHECK_HAS(e.text, refused[i].want))
			tap_note("row %zu", i);
	}
}

/* --- of a machine that runs -----------------------------------------------*/

static int update(struct cg_limits *asked, struct cg_limits *host,
		  struct cg_limits *guest, struct err *e)
{
	struct plan p = {
		.vm = { .vcpus = 2, .memory = 256 << 20, .overhead = 10 },
	};

	return plan_split_update(&p, asked, host, guest, e);
}

TEST(an_update_is_split_as_the_plan_was)
{
	_cleanup_(cg_limits_done) struct cg_limits host = { 0 }, guest = { 0 };
	struct cg_limits asked = {
		.memory_max = { true, 100 << 20 },
		.memory_swap_total = { true, 130 << 20 },
		.memory_low = { true, 5 },
		.memory_check_usage = true,
		.pids_max = { true, 7 },
		.cpu_quota_us = { true, 200000 },
	};
	struct err e = { 0 };

	REQUIRE_OK(update(&asked, &host, &guest, &e), &e);
	(void)CHECK_INT(guest.memory_max.v, 100 << 20);
	(void)CHECK(guest.memory_check_usage && guest.memory_low.set);
	(void)CHECK_INT(guest.pids_max.v, 7);
	(void)CHECK(!guest.cpu_quota_us.set && !guest.memory_swap_total.set);
	/* What the machine has touched is its own. */
	(void)CHECK(!host.memory_max.set && !host.memory_low.set);
	(void)CHECK(!host.memory_check_usage && !host.pids_max.set);
	(void)CHECK_INT(host.memory_swap_total.v, (286 << 20) + 10);
	(void)CHECK_INT(host.cpu_quota_us.v, 200000);
}

static const struct {
	struct cg_limits asked;
	const char *want; /* NULL: it can be done */
} updates[] = {
	{ { .memory_max = { true, (256 << 20) + 1 } },
	  "268435456 bytes of RAM" },
	{ { .memory_max = { true, 256 << 20 } }, NULL },
	{ { .memory_max = { true, -1 }, .memory_swap_total = { true, -1 } },
	  NULL },
	{ { .memory_swap_total = { true, 5 } }, "needs a limit of memory" },
	{ { .memory_max = { true, 9 }, .memory_swap_total = { true, 5 } },
	  "needs a limit of memory" },
	{ { .cpu_quota_us = { true, 200001 } }, "2 vCPUs" },
	{ { .cpu_quota_us = { true, 200001 },
	    .cpu_period_us = { true, 1000000 } },
	  NULL },
	{ { .cpu_quota_us = { true, 3000 }, .cpu_period_us = { true, 1000 } },
	  "2 vCPUs" },
	{ { .cpu_quota_us = { true, -1 } }, NULL },
};

TEST(what_a_running_machine_cannot_become_is_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(updates); i++) {
		_cleanup_(cg_limits_done) struct cg_limits host = { 0 };
		_cleanup_(cg_limits_done) struct cg_limits guest = { 0 };
		struct cg_limits asked = updates[i].asked;
		struct err e = { 0 };
		int r = update(&asked, &host, &guest, &e);

		if (!(updates[i].want
			      ? CHECK_INT(r, -EINVAL) &&
					CHECK_HAS(e.text, updates[i].want)
			      : CHECK_OK(r, &e)))
			tap_note("row %zu", i);
	}
}

static const struct tap_test tests[] = {
	TAP(binds_are_gathered_on_the_host_and_placed_in_the_guest),
	TAP(the_root_is_put_together_on_the_host),
	TAP(the_network_is_the_hosts_and_the_pids_are_both),
	TAP(links_are_looked_for_where_somebody_can_have_made_them),
	TAP(limits_bind_where_they_can),
	TAP(the_program_is_the_guests),
	TAP(hooks_run_where_their_namespaces_are),
	TAP(the_guests_half_needs_nothing_of_the_machine),
	TAP(a_user_namespace_is_made_where_the_files_are_reached),
	TAP(what_is_mapped_as_the_environment_is_has_its_mappings_on_the_host),
	TAP(a_source_that_is_a_link_is_one_in_the_guest),
	TAP(a_device_of_every_kernel_may_have_another_name),
	TAP(an_exec_on_cpus_of_the_host_is_refused),
	TAP(without_root_the_hosts_half_has_the_user_namespace),
	TAP(what_a_disk_is_on_the_host_is_the_hosts_half),
	TAP(an_update_is_split_as_the_plan_was),
	TAP(what_a_running_machine_cannot_become_is_refused),
	TAP(what_a_guest_cannot_have_is_refused_by_name),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

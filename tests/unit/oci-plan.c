/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oci-plan.h"

#include <sys/mount.h>

#define PLAN(p, name)                                                          \
	_cleanup_(plan_done) struct plan p = { 0 };                            \
	struct err e = { 0 };                                                  \
	REQUIRE_OK(test_plan(name, &test_machine, &p, &e), &e)

/* --- namespaces and names --------------------------------------------------*/

TEST(namespaces_are_new_joined_or_the_callers)
{
	PLAN(p, "containerd.json");

	(void)CHECK_STR(plan_namespace(&p, NS_PID), "");
	(void)CHECK_STR(plan_namespace(&p, NS_NET), "/proc/4711/ns/net");
	(void)CHECK_STR(plan_namespace(&p, NS_USER), NULL);
	(void)CHECK(plan_owns(&p, NS_NET) && !plan_makes(&p, NS_NET));
	(void)CHECK(plan_makes(&p, NS_PID) && !plan_owns(&p, NS_USER));
	(void)CHECK(!p.loopback_up);
}

TEST(a_user_namespace_gets_its_mappings)
{
	PLAN(p, "userns.json");

	(void)CHECK(p.root.in_userns && p.loopback_up);
	REQUIRE(p.map.uids.n == 1 && p.map.gids.n == 1);
	(void)CHECK_INT(p.map.uids.v[0].host_id, 100000);
	(void)CHECK_INT(p.map.gids.v[0].size, 65536);
	REQUIRE(p.time_offsets.n == 1);
	(void)CHECK_STR(p.time_offsets.v[0].clock, "boottime");
	(void)CHECK_INT(p.time_offsets.v[0].secs, -5);
	(void)CHECK_STR(p.hostname, "inside");
	(void)CHECK_STR(p.domainname, "example.org");
}

TEST(devices_and_parameters_of_the_network_are_taken_over)
{
	PLAN(p, "userns.json");

	REQUIRE(p.net_devices.n == 2 && p.sysctls.n == 2);
	(void)CHECK_STR(p.net_devices.v[0].name_inside, "lan");
	(void)CHECK_STR(p.net_devices.v[1].name_inside, "eth2");
	(void)CHECK_STR(p.sysctls.v[1].key, "kernel.shmmax");
	(void)CHECK_STR(p.sysctls.v[1].value, "65536");
}

TEST(an_existing_user_namespace_keeps_its_own_mappings)
{
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(test_parse("{\"ociVersion\":\"1.0.0\","
			      "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\","
			      "\"user\":{\"uid\":5}},"
			      "\"root\":{\"path\":\"r\"},"
			      "\"linux\":{\"uidMappings\":[{\"containerID\":0,"
			      "\"hostID\":0,\"size\":1}],\"namespaces\":["
			      "{\"type\":\"mount\"},"
			      "{\"type\":\"user\",\"path\":\"/x\"}]}}",
			      &test_machine, &p, &e),
		   &e);
	(void)CHECK_INT(p.map.uids.n, 0);
	(void)CHECK_INT(p.process.user.uid, 5);
}

/* --- root and mounts -------------------------------------------------------*/

TEST(relative_paths_are_those_of_the_bundle)
{
	PLAN(p, "userns.json");

	(void)CHECK_STR(p.root.path, "/srv/root");
	REQUIRE(p.mounts.n == 4);
	(void)CHECK_STR(p.mounts.v[2].source, "/bundle/data/sub");
	(void)CHECK_STR(p.mounts.v[3].source, "/lxcfs/uptime");
	(void)CHECK_STR(p.mounts.v[0].source, "proc");
	(void)CHECK_STR(p.mounts.v[1].target, "/sys/fs/cgroup");
}

TEST(options_become_flags_and_the_rest_is_the_file_systems)
{
	PLAN(p, "podman.json");

	REQUIRE(p.mounts.n == 11);
	(void)CHECK_STR(p.mounts.v[1].fstype, "tmpfs");
	(void)CHECK_STR(p.mounts.v[1].data, "mode=755,size=65536k");
	(void)CHECK(p.mounts.v[1].set & MOUNT_ATTR_NOSUID);
	(void)CHECK_STR(p.mounts.v[0].data, NULL);
	(void)CHECK(p.mounts.v[2].set & MOUNT_ATTR_RDONLY);
	(void)CHECK(p.mounts.v[5].flags & NS_MOUNT_BIND);
	(void)CHECK_STR(p.mounts.v[5].fstype, NULL);
	(void)CHECK_INT(p.mounts.v[5].propagation, MS_PRIVATE | MS_REC);
	(void)CHECK(p.mounts.v[10].flags & NS_MOUNT_CGROUP);
}

TEST(mapped_mounts_have_their_own_ids_or_the_containers)
{
	PLAN(p, "userns.json");

	REQUIRE(p.mounts.n == 4);
	(void)CHECK(p.mounts.v[2].flags & NS_MOUNT_RBIND);
	(void)CHECK(p.mounts.v[2].flags & NS_MOUNT_IDMAP);
	(void)CHECK(p.mounts.v[2].rec_set & MOUNT_ATTR_RDONLY);
	REQUIRE(p.mounts.v[2].uids.n == 1 && p.mounts.v[2].gids.n == 1);
	(void)CHECK_INT(p.mounts.v[2].gids.v[0].host_id, 6000);
	(void)CHECK(p.mounts.v[3].flags & NS_MOUNT_IDMAP);
	(void)CHECK_INT(p.mounts.v[3].uids.n, 0);
}

TEST(paths_are_hidden_and_propagation_is_set)
{
	PLAN(p, "userns.json");
	_cleanup_(plan_done) struct plan q = { 0 };

	(void)CHECK_INT(p.root.propagation, MS_SHARED);
	(void)CHECK(!p.root.readonly);
	REQUIRE_OK(test_plan("containerd.json", &test_machine, &q, &e), &e);
	(void)CHECK(q.root.readonly);
	(void)CHECK_STR(q.root.path, "/bundle/rootfs");
	(void)CHECK_INT(strv_len(q.masked), 3);
	(void)CHECK_INT(strv_len(q.readonly), 2);
	(void)CHECK_STR(q.readonly[1], "/proc/sys");
}

/* --- devices ---------------------------------------------------------------*/

static const struct ns_device *find_device(const struct plan *p,
					   const char *path)
{
	for (size_t i = 0; i < p->devices.n; i++)
		if (str_eq(p->devices.v[i].path, path))
			return &p->devices.v[i];
	return NULL;
}

TEST(default_devices_are_there_and_may_be_replaced)
{
	PLAN(p, "userns.json");
	const struct ns_device *d = find_device(&p, "/dev/null");

	(void)CHECK(p.own_dev);
	(void)CHECK_INT(p.devices.n, n_ns_device_defaults + 3);
	REQUIRE(d && d->mode == 0666 && d->uid == 7);
	(void)CHECK(find_device(&p, "/dev/urandom"));
	(void)CHECK(!find_device(&p, "/dev/ptmx"));
	d = find_device(&p, "/dev/fifo");
	REQUIRE(d && d->type == 'p');
}

TEST(a_bound_dev_gets_no_nodes)
{
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(test_parse("{\"ociVersion\":\"1.0.0\","
			      "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
			      "\"root\":{\"path\":\"r\"},"
			      "\"mounts\":[{\"destination\":\"/dev\","
			      "\"source\":\"/dev\",\"type\":\"bind\"}],"
			      "\"linux\":{\"namespaces\":["
			      "{\"type\":\"mount\"}]}}",
			      &test_machine, &p, &e),
		   &e);
	(void)CHECK(!p.own_dev);
	(void)CHECK_INT(p.devices.n, 0);
}

static bool allows(const struct plan *p, int type, uint32_t major,
		   uint32_t minor, uint32_t access)
{
	bool allowed = false;

	for (size_t i = 0; i < p->limits.devices.n; i++) {
		const struct cg_device_rule *r = &p->limits.devices.v[i];

		if ((r->type == CG_DEVICE_ALL || r->type == type) &&
		    (!r->major.set || r->major.v == major) &&
		    (!r->minor.set || r->minor.v == minor) &&
		    (r->access & access) == access)
			allowed = r->allow;
	}
	return allowed;
}

TEST(device_rules_are_the_configurations_and_then_the_defaults)
{
	PLAN(p, "limits.json");

	(void)CHECK(!p.limits.devices.v[0].allow);
	(void)CHECK(allows(&p, CG_DEVICE_CHAR, 1, 3, CG_DEVICE_ANY));
	(void)CHECK(allows(&p, CG_DEVICE_CHAR, 5, 2, CG_DEVICE_ANY));
	(void)CHECK(allows(&p, CG_DEVICE_CHAR, 136, 7, CG_DEVICE_ANY));
	(void)CHECK(allows(&p, CG_DEVICE_CHAR, 10, 229, CG_DEVICE_WRITE));
	(void)CHECK(allows(&p, CG_DEVICE_BLOCK, 8, 3, CG_DEVICE_READ));
	(void)CHECK(allows(&p, CG_DEVICE_BLOCK, 9, 0, CG_DEVICE_MKNOD));
	(void)CHECK(!allows(&p, CG_DEVICE_BLOCK, 8, 3, CG_DEVICE_WRITE));
	(void)CHECK(!allows(&p, CG_DEVICE_CHAR, 1, 1, CG_DEVICE_READ));
}

TEST(without_root_devices_are_not_ruled)
{
	struct plan_context ctx = test_machine;
	_cleanup_(plan_done) struct plan p = { 0 };
	struct err e = { 0 };

	ctx.rootless = true; /* root of podman's user namespace */
	REQUIRE_OK(test_plan("podman.json", &ctx, &p, &e), &e);
	(void)CHECK_INT(p.limits.devices.n, 0);
	(void)CHECK(p.devices.n > 0);
}

/* --- limits ----------------------------------------------------------------*/

TEST(limits_keep_their_scale_and_zero_is_not_asked_for)
{
	PLAN(p, "limits.json");
	const struct cg_limits *l = &p.limits;

	(void)CHECK_INT(l->memory_max.v, 1048576);
	(void)CHECK_INT(l->memory_low.v, 524288);
	(void)CHECK_INT(l->memory_swap_total.v, 2097152);
	(void)CHECK_INT(l->memory_kernel.v, -1);
	(void)CHECK(!l->memory_kernel_tcp.set && !l->memory_no_oom_kill.set);
	(void)CHECK(l->memory_swappiness.set && l->memory_swappiness.v == 0);
	(void)CHECK(l->memory_check_usage);
	(void)CHECK(!l->cpu_shares.set);
	(void)CHECK_INT(l->cpu_quota_us.v, 50000);
	(void)CHECK_INT(l->cpu_burst_us.v, 1000);
	(void)CHECK_INT(l->cpu_rt_runtime_us.v, 950000);
	(void)CHECK_INT(l->cpu_idle.v, 1);
	(void)CHECK_STR(l->cpuset_cpus, "0-1,3");
	(void)CHECK(l->pids_max.set && l->pids_max.v == 1);
}

TEST(limits_of_devices_come_by_device)
{
	PLAN(p, "limits.json");
	const struct cg_limits *l = &p.limits;

	(void)CHECK_INT(l->io_blkio_weight.v, 500);
	(void)CHECK_INT(l->io_blkio_leaf_weight.v, 10);
	REQUIRE(l->io_devices.n == 5);
	(void)CHECK_INT(l->io_devices.v[0].blkio_weight.v, 100);
	(void)CHECK(!l->io_devices.v[0].blkio_leaf_weight.set);
	(void)CHECK_INT(l->io_devices.v[2].write_bps.v, 2);
	(void)CHECK_INT(l->io_devices.v[4].minor, 16);
	(void)CHECK(l->io_devices.v[4].write_iops.set);
	REQUIRE(l->hugetlb.n == 2 && l->rdma.n == 2 && l->net_prio.n == 1);
	(void)CHECK_INT(l->hugetlb.v[0].max, -1);
	(void)CHECK_STR(l->rdma.v[0].device, "mlx5_1");
	(void)CHECK(l->rdma.v[0].handles.v == 3 && !l->rdma.v[0].objects.set);
	(void)CHECK_INT(l->net_prio.v[0].priority, 500);
	(void)CHECK_INT(l->net_cls_classid.v, 1048577);
	(void)CHECK_INT(l->unified.n, 2);
}

TEST(the_group_is_where_the_driver_wants_it)
{
	struct plan_context ctx = test_machine;
	_cleanup_(plan_done) struct plan p = { 0 }, q = { 0 };
	struct err e = { 0 };

	ctx.cgroup_driver = CG_DRIVER_SYSTEMD;
	ctx.v2_only = false;
	REQUIRE_OK(test_plan("podman.json", &ctx, &p, &e), &e);
	(void)CHECK_INT(p.cgroup.driver, CG_DRIVER_SYSTEMD);
	(void)CHECK_STR(p.cgroup.name, "test");
	(void)CHECK(str_starts(p.cgroup.path, "machine.slice:libpod:"));
	REQUIRE(p.cgroup.properties.n == 1);
	(void)CHECK_STR(p.cgroup.properties.keys[0], "KillSignal");
	(void)CHECK_STR(p.cgroup.properties.values[0], "15");
	REQUIRE_OK(test_plan("minimal.json", &test_machine, &q, &e), &e);
	(void)CHECK_STR(q.cgroup.path, NULL);
	(void)CHECK(q.cgroup.account && p.cgroup.account);
}

TEST(who_asks_for_real_time_says_so_to_the_group)
{
	static const char format[] =
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
		"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"scheduler\":{"
		"\"policy\":\"%s\",\"priority\":%d}},\"linux\":{"
		"\"namespaces\":[{\"type\":\"mount\"}]}}";
	static const struct {
		const char *policy;
		int priority;
		bool realtime;
	} rows[] = {
		{ "SCHED_FIFO", 3, true },
		{ "SCHED_RR", 1, true },
		{ "SCHED_OTHER", 0, false },
		{ "SCHED_BATCH", 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		autofree char *text =
			str_printf(format, rows[i].policy, rows[i].priority);
		struct err e = { 0 };

		REQUIRE_OK(test_parse(text, &test_machine, &p, &e), &e);
		(void)CHECK_INT(p.cgroup.realtime, rows[i].realtime);
	}
}

TEST(nobody_else_gets_a_cgroup)
{
	/* Without a user namespace; with one, but a mount that is read-only. */
	static const char format[] =
		"{\"ociVersion\":\"1.0.0\","
		"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
		"\"root\":{\"path\":\"r\"},\"mounts\":["
		"{\"destination\":\"/tmp\",\"type\":\"tmpfs\"},"
		"{\"destination\":\"/c\",\"type\":\"cgroup\",\"options\":[\"%s\"]}],"
		"\"linux\":{%s\"namespaces\":[{\"type\":\"mount\"},"
		"{\"type\":\"cgroup\"}%s]}}";
	static const char maps[] =
		"\"uidMappings\":[{\"containerID\":0,\"hostID\":7,\"size\":1}],"
		"\"gidMappings\":[{\"containerID\":0,\"hostID\":7,\"size\":1}],";
	static const struct {
		const char *option, *maps, *user;
		bool owned;
	} rows[] = {
		{ "rw", "", "", false },
		{ "ro", maps, ",{\"type\":\"user\"}", false },
		{ "rro", maps, ",{\"type\":\"user\"}", false },
		{ "rw", maps, ",{\"type\":\"user\"}", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(plan_done) struct plan p = { 0 };
		autofree char *text = str_printf(format, rows[i].option,
						 rows[i].maps, rows[i].user);
		struct err e = { 0 };

		REQUIRE_OK(test_parse(text, &test_machine, &p, &e), &e);
		(void)CHECK_INT(p.cgroup.owner_uid.set, rows[i].owned);
	}
}

TEST(a_writable_cgroup_in_a_user_namespace_is_its_users)
{
	PLAN(p, "userns.json");
	_cleanup_(plan_done) struct plan q = { 0 };
	struct plan_context ctx = test_machine;

	(void)CHECK(p.cgroup.owner_uid.set);
	(void)CHECK_INT(p.cgroup.owner_uid.v, 100033);
	ctx.v2_only = false;
	REQUIRE_OK(test_plan("userns.json", &ctx, &q, &e), &e);
	(void)CHECK(!q.cgroup.owner_uid.set);
}

/* --- the program -----------------------------------------------------------*/

TEST(the_program_is_as_the_configuration_has_it)
{
	PLAN(p, "podman.json");
	const struct plan_process *x = &p.process;

	(void)CHECK_STR(x->args[0], "sh");
	(void)CHECK(x->terminal && !x->no_new_privs && x->caps.set);
	(void)CHECK_INT(__builtin_popcountll(x->caps.bounding), 11);
	(void)CHECK_INT(x->caps.inheritable, 0);
	(void)CHECK_INT(x->rlimits.n, 2);
	(void)CHECK(x->oom_score_adj.set && x->oom_score_adj.v == 0);
	REQUIRE(p.seccomp);
	(void)CHECK_INT(p.seccomp->rules.n, 12);
	(void)CHECK_INT(p.hooks[PLAN_HOOK_POSTSTOP].n, 1);
}

TEST(the_program_in_a_user_namespace_too)
{
	PLAN(p, "userns.json");
	const struct plan_process *x = &p.process;

	(void)CHECK_STR(x->cwd, "/tmp");
	(void)CHECK_INT(strv_len(x->env), 2);
	(void)CHECK_STR(x->env[0], "B=2");
	(void)CHECK_STR(x->env[1], "A=last");
	(void)CHECK_INT(x->user.umask.v, 077);
	(void)CHECK_INT(x->user.groups.n, 1);
	REQUIRE(x->sched && x->io_priority);
	(void)CHECK_STR(x->sched->policy, "SCHED_BATCH");
	(void)CHECK_INT(x->io_priority->priority, 6);
	(void)CHECK_STR(x->cpus_final, "0-1");
}

TEST(no_capabilities_mean_none)
{
	PLAN(p, "minimal.json");

	(void)CHECK(p.process.caps.set);
	(void)CHECK_INT(p.process.caps.bounding, 0);
}

TEST(hooks_are_kept_with_what_they_need)
{
	PLAN(p, "userns.json");
	const struct plan_hooks *h = &p.hooks[PLAN_HOOK_CREATE_RUNTIME];

	REQUIRE(h->n == 1);
	(void)CHECK_STR(h->v[0].path, "/bin/a");
	(void)CHECK_STR(h->v[0].args[1], "b");
	(void)CHECK_STR(h->v[0].env[0], "X=1");
	(void)CHECK_INT(h->v[0].timeout.v, 3);
	h = &p.hooks[PLAN_HOOK_POSTSTOP];
	REQUIRE(h->n == 1);
	(void)CHECK(h->v[0].inherits && !h->v[0].timeout.set);
}

TEST(schemata_stand_in_the_order_in_which_they_override)
{
	static const char *const want[] = { "L3:0=ff;1=ff", "MB:0=70",
					    "L2:0=f" };
	PLAN(p, "userns.json");

	REQUIRE(p.rdt && strv_len(p.rdt->schemata) == ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		(void)CHECK_STR(p.rdt->schemata[i], want[i]);
	(void)CHECK(p.rdt->monitoring);
	REQUIRE(p.memory_policy && p.personality);
	(void)CHECK_STR(p.memory_policy->nodes, "0");
	(void)CHECK_STR(p.personality->domain, "LINUX32");
}

static const struct tap_test tests[] = {
	TAP(namespaces_are_new_joined_or_the_callers),
	TAP(a_user_namespace_gets_its_mappings),
	TAP(devices_and_parameters_of_the_network_are_taken_over),
	TAP(an_existing_user_namespace_keeps_its_own_mappings),
	TAP(relative_paths_are_those_of_the_bundle),
	TAP(options_become_flags_and_the_rest_is_the_file_systems),
	TAP(mapped_mounts_have_their_own_ids_or_the_containers),
	TAP(paths_are_hidden_and_propagation_is_set),
	TAP(default_devices_are_there_and_may_be_replaced),
	TAP(a_bound_dev_gets_no_nodes),
	TAP(device_rules_are_the_configurations_and_then_the_defaults),
	TAP(without_root_devices_are_not_ruled),
	TAP(limits_keep_their_scale_and_zero_is_not_asked_for),
	TAP(limits_of_devices_come_by_device),
	TAP(the_group_is_where_the_driver_wants_it),
	TAP(who_asks_for_real_time_says_so_to_the_group),
	TAP(nobody_else_gets_a_cgroup),
	TAP(a_writable_cgroup_in_a_user_namespace_is_its_users),
	TAP(the_program_is_as_the_configuration_has_it),
	TAP(the_program_in_a_user_namespace_too),
	TAP(no_capabilities_mean_none),
	TAP(hooks_are_kept_with_what_they_need),
	TAP(schemata_stand_in_the_order_in_which_they_override),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

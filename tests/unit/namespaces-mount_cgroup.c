/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "namespaces/mount.h"
#include "tests/unit/namespaces-world.h"

#define S(s) ((char *)(s))

static struct ns_mount_env make_root(void)
{
	struct ns_mount_env env = { .userns = -1 };

	world_dir("/tmp/root");
	(void)CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)CHECK(mount("/tmp/root", "/tmp/root", NULL, MS_BIND, NULL) == 0);
	env.rootfd = open("/tmp/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)CHECK(env.rootfd >= 0);
	return env;
}

static struct ns_mount cgroup_mount(void)
{
	return (struct ns_mount){
		.source = S("cgroup"),
		.fstype = S("cgroup"),
		.target = S("/sys/fs/cgroup"),
		.flags = NS_MOUNT_CGROUP,
		.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
		       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	};
}

/* Folders that stand for the container's cgroups on a v1 host. */
static const char *const groups[] = {
	"memory:/tmp/cg/memory",
	"cpu,cpuacct:/tmp/cg/cpu,cpuacct",
	"name=systemd:/tmp/cg/systemd",
	NULL,
};

static void make_groups(void)
{
	world_dir("/tmp/cg/memory");
	world_file("/tmp/cg/memory/memory.limit_in_bytes", "7");
	world_dir("/tmp/cg/cpu,cpuacct");
	world_file("/tmp/cg/cpu,cpuacct/cpu.shares", "1024");
	world_dir("/tmp/cg/systemd");
	world_dir("/tmp/cg/unified");
	world_file("/tmp/cg/unified/cgroup.procs", "");
}

#define IN "/tmp/root/sys/fs/cgroup"

static void check_v1_binds(void)
{
	struct ns_mount_env env = make_root();
	const struct ns_mount m = cgroup_mount();
	int before = world_next_fd();
	struct err e = { 0 };
	char link[32] = "";

	make_groups();
	/* As the host's are under systemd. */
	REQUIRE(mount(NULL, "/tmp", NULL, MS_SHARED, NULL) == 0);
	env.cgroups = groups;
	env.cgroup_path = "/tmp/cg/unified";
	REQUIRE_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	CHECK_STR(world_text(IN "/memory/memory.limit_in_bytes"), "7");
	CHECK_STR(world_text(IN "/cpu/cpu.shares"), "1024");
	CHECK(readlink(IN "/cpuacct", link, sizeof(link)) > 0);
	CHECK_STR(link, "cpu,cpuacct");
	CHECK(world_has(IN "/systemd"));
	CHECK(world_has(IN "/unified/cgroup.procs"));
	/* Until then it takes mount points. */
	CHECK(!(world_flags(IN) & ST_RDONLY));
	CHECK_OK(ns_mount_seal(&m, env.rootfd, &e), &e);
	CHECK(world_flags(IN) & ST_RDONLY);
	CHECK(world_flags(IN "/memory") & ST_RDONLY);
	CHECK(world_flags(IN "/memory") & ST_NOEXEC);
	/* What is bound tells nobody outside. */
	CHECK(!strstr(world_mount(IN "/memory"), "shared:"));
	CHECK_INT(world_next_fd(), before);
}

TEST(a_v1_host_shows_the_containers_groups_side_by_side)
{
	in_world(check_v1_binds);
}

static void check_v2_bind(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = cgroup_mount();
	struct err e = { 0 };

	make_groups();
	env.cgroup_path = "/tmp/cg/unified";
	m.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	REQUIRE_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	CHECK(world_has(IN "/cgroup.procs"));
	CHECK(!(world_flags(IN) & ST_RDONLY));
	/* Asked for by its name, it is that one on any host. */
	m.fstype = S("cgroup2");
	m.target = S("/cg2");
	env.cgroups = groups;
	REQUIRE_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	CHECK(world_has("/tmp/root/cg2/cgroup.procs"));
}

TEST(without_a_cgroup_namespace_the_containers_group_is_bound)
{
	in_world(check_v2_bind);
}

static void check_v2_namespace(void)
{
	struct ns_mount_env env = make_root();
	const struct ns_mount m = cgroup_mount();
	struct err e = { 0 };

	REQUIRE(unshare(CLONE_NEWCGROUP) == 0);
	env.cgroupns = true;
	REQUIRE_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	CHECK_HAS(world_mount(IN), " cgroup2 cgroup ");
	CHECK(world_flags(IN) & ST_RDONLY);
	CHECK(world_has(IN "/cgroup.procs"));
}

TEST(a_cgroup_namespace_mounts_cgroup2)
{
	in_world(check_v2_namespace);
}

static void check_v2_refused(void)
{
	struct ns_mount_env env;
	const struct ns_mount m = cgroup_mount();
	struct err e = { 0 };

	/* In a user namespace, with the cgroup namespace of the one outside. */
	REQUIRE(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	REQUIRE(world_map_ids(0, 0) == 0);
	env = make_root();
	make_groups();
	env.cgroupns = true;
	env.cgroup_path = "/tmp/cg/unified";
	REQUIRE_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	CHECK(world_has(IN "/cgroup.procs"));
}

/* The v1 hierarchies that this machine has mounted, as the kernel names them.
 */
static size_t v1_hierarchies(char **ret, size_t max)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[256];
	size_t n = 0;

	while (f && n < max && fgets(line, sizeof(line), f)) {
		char *name = strchr(line, ':'), *end;

		if (!name || name[1] == ':')
			continue; /* cgroup2 */
		end = strchr(++name, ':');
		if (end)
			*end = '\0';
		ret[n++] = str_printf("%s:/nowhere", name);
	}
	if (f)
		(void)fclose(f);
	return n;
}

static void check_v1_namespace(void)
{
	struct ns_mount_env env = make_root();
	const struct ns_mount m = cgroup_mount();
	char *list[32] = { NULL };
	size_t n = v1_hierarchies(list, ARRAY_SIZE(list) - 1);
	struct err e = { 0 };

	REQUIRE(unshare(CLONE_NEWCGROUP) == 0);
	env.cgroupns = true;
	env.cgroups = (const char *const *)list;
	REQUIRE_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	for (size_t i = 0; i < n; i++) {
		char path[PATH_MAX], *name = list[i];

		name[strcspn(name, ":")] = '\0';
		(void)snprintf(path, sizeof(path), IN "/%s/cgroup.procs",
			       str_starts(name, "name=") ? name + 5 : name);
		if (!CHECK(world_has(path)))
			tap_note("hierarchy '%s'", name);
		free(name);
	}
}

TEST(a_cgroup_namespace_mounts_each_v1_hierarchy)
{
	char *first[1] = { NULL };

	if (v1_hierarchies(first, 1) == 0)
		SKIP("this machine has no v1 hierarchy");
	free(first[0]);
	in_world(check_v1_namespace);
}

TEST(a_cgroup_namespace_of_others_is_replaced_by_a_bind)
{
	in_world(check_v2_refused);
}

static void check_bad_lists(void)
{
	static const char *const bad[][2] = {
		{ "memory", NULL },
		{ "../up:/tmp/cg/memory", NULL },
		{ "name=../up:/tmp/cg/memory", NULL },
		{ "memory:/tmp/none", NULL },
	};
	struct ns_mount_env env = make_root();
	const struct ns_mount m = cgroup_mount();

	make_groups();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = { 0 };

		env.cgroups = bad[i];
		if (!CHECK(ns_mount_attach(&m, &env, -1, &e) < 0) ||
		    !CHECK_HAS(e.text, "mount 'cgroup' on '/sys/fs/cgroup'"))
			tap_note("list '%s'", bad[i][0]);
	}
}

TEST(hierarchies_that_are_not_there_are_errors)
{
	in_world(check_bad_lists);
}

static const struct tap_test tests[] = {
	TAP(a_v1_host_shows_the_containers_groups_side_by_side),
	TAP(without_a_cgroup_namespace_the_containers_group_is_bound),
	TAP(a_cgroup_namespace_mounts_cgroup2),
	TAP(a_cgroup_namespace_mounts_each_v1_hierarchy),
	TAP(a_cgroup_namespace_of_others_is_replaced_by_a_bind),
	TAP(hierarchies_that_are_not_there_are_errors),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

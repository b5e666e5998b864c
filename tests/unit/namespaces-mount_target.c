/* SPDX-License-Identifier: Apache-2.0 */
/* Images, and containers beside this one, that want a mount elsewhere. */
#include "namespaces/mount.h"
#include "tests/unit/namespaces-world.h"

#define S(s) ((char *)(s))

static struct ns_mount_env make_root(void)
{
	struct ns_mount_env env = { .userns = -1 };

	world_dir("/tmp/root");
	world_dir("/tmp/src");
	world_file("/tmp/src/file", "source");
	world_dir("/tmp/host");
	(void)CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)CHECK(mount("/tmp/root", "/tmp/root", NULL, MS_BIND, NULL) == 0);
	env.rootfd = open("/tmp/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)CHECK(env.rootfd >= 0);
	return env;
}

static int bind_to(const char *target, const struct ns_mount_env *env,
		   struct err *e)
{
	const struct ns_mount m = {
		.source = S("/tmp/src"),
		.target = S(target),
		.flags = NS_MOUNT_BIND,
	};

	return ns_mount_attach(&m, env, -1, e);
}

/* What an image's link may say, and where a mount on it lands all the same. */
static const struct {
	const char *link, *to;
	const char *target;
	const char *lands;
} hostile[] = {
	{ "in", "/../../tmp/host", "/in", "/tmp/root/tmp/host/file" },
	{ "in", "../../../../tmp/host", "/in", "/tmp/root/tmp/host/file" },
	{ "in", "/tmp/host", "/in/below", "/tmp/root/tmp/host/below/file" },
	{ "in", "..", "/in/tmp/host", "/tmp/root/tmp/host/file" },
	{ "in", "/", "/in/tmp/host", "/tmp/root/tmp/host/file" },
	{ "in", "in2/x", "/in", "/tmp/root/in2/x/file" },
};

static void check_hostile(void)
{
	struct ns_mount_env env = make_root();

	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		char path[PATH_MAX];
		struct err e = { 0 };

		(void)snprintf(path, sizeof(path), "/tmp/root/%s",
			       hostile[i].link);
		(void)unlink(path);
		CHECK(symlink(hostile[i].to, path) == 0);
		if (!CHECK_OK(bind_to(hostile[i].target, &env, &e), &e) ||
		    !CHECK(world_has(hostile[i].lands)) ||
		    !CHECK(!world_has("/tmp/host/file")))
			tap_note("link '%s' -> '%s', target '%s'",
				 hostile[i].link, hostile[i].to,
				 hostile[i].target);
		while (umount2("/tmp/root/tmp/host", MNT_DETACH) == 0)
			;
	}
}

TEST(links_of_the_image_lead_to_places_in_the_image)
{
	in_world(check_hostile);
}

static void check_magic(void)
{
	struct ns_mount_env env = make_root();
	struct err e = { 0 };
	char target[64];
	int host;

	/* A descriptor of the host, and the procfs that has it as a link. */
	host = open("/tmp/host", O_PATH | O_DIRECTORY | O_CLOEXEC);
	world_dir("/tmp/root/proc");
	REQUIRE(mount("/proc", "/tmp/root/proc", NULL, MS_BIND, NULL) == 0);
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", host);
	CHECK_INT(bind_to(target, &env, &e), -ELOOP);
	REQUIRE(symlink("/proc/self/root/tmp/host", "/tmp/root/in") == 0);
	CHECK_INT(bind_to("/in", &env, &e), -ELOOP);
	CHECK(!world_has("/tmp/host/file"));
}

TEST(magic_links_of_procfs_are_not_followed)
{
	in_world(check_magic);
}

static int mount_type(const char *type, const char *target,
		      const struct ns_mount_env *env, struct err *e)
{
	const struct ns_mount m = { .source = S(type),
				    .fstype = S(type),
				    .target = S(target) };

	return ns_mount_attach(&m, env, -1, e);
}

static void check_strict(void)
{
	struct ns_mount_env env = make_root();
	struct err e = { 0 };

	world_dir("/tmp/root/elsewhere");
	REQUIRE(symlink("elsewhere", "/tmp/root/proc") == 0);
	REQUIRE(symlink("/elsewhere", "/tmp/root/sys") == 0);
	CHECK_INT(mount_type("proc", "/proc", &env, &e), -ELOOP);
	CHECK_HAS(e.text, "a part of '/proc' is a symbolic link");
	CHECK_INT(mount_type("sysfs", "/sys", &env, &e), -ELOOP);
	CHECK(!world_has("/tmp/root/elsewhere/self"));

	REQUIRE(unlink("/tmp/root/proc") == 0);
	CHECK_OK(mount_type("proc", "/proc", &env, &e), &e);
	CHECK(world_has("/tmp/root/proc/self"));
}

TEST(proc_and_sys_must_be_where_they_are_said_to_be)
{
	in_world(check_strict);
}

static void check_proc(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = { .source = S("/tmp/src/file"),
			      .target = S("/proc/uptime"),
			      .flags = NS_MOUNT_BIND };
	struct err e = { 0 };

	/* Only a procfs is for /proc itself. */
	CHECK_INT(bind_to("/proc", &env, &e), -EPERM);
	CHECK_INT(mount_type("tmpfs", "/proc", &env, &e), -EPERM);
	CHECK_OK(mount_type("proc", "/proc", &env, &e), &e);

	CHECK_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	CHECK_STR(world_text("/tmp/root/proc/uptime"), "source");
	m.target = S("/proc/self/attr/current");
	CHECK(ns_mount_attach(&m, &env, -1, &e) < 0);
	m.target = S("/proc/sys/kernel/core_pattern");
	CHECK_INT(ns_mount_attach(&m, &env, -1, &e), -EPERM);
	CHECK_HAS(e.text, "is in the container's procfs");
	/* Nor by a detour. */
	REQUIRE(symlink("/proc/sys/kernel", "/tmp/root/detour") == 0);
	m.target = S("/detour/core_pattern");
	CHECK_INT(ns_mount_attach(&m, &env, -1, &e), -EPERM);
	CHECK_INT(bind_to("/proc/sys", &env, &e), -EPERM);
}

TEST(procfs_is_covered_only_where_lxcfs_does)
{
	in_world(check_proc);
}

static void check_bind_of_proc(void)
{
	struct ns_mount_env env = make_root();
	const struct ns_mount m = { .source = S("/proc"),
				    .target = S("/proc"),
				    .flags = NS_MOUNT_BIND | NS_MOUNT_RBIND };
	struct err e = { 0 };

	CHECK_OK(ns_mount_attach(&m, &env, -1, &e), &e);
	CHECK(world_has("/tmp/root/proc/self"));
}

TEST(a_procfs_may_be_bound_on_proc)
{
	in_world(check_bind_of_proc);
}

/*
 * CVE-2021-30465: the place is opened, then somebody who shares the folder
 * swaps it for a link to the host's. The mount must go where it was.
 */
static void check_swap(void)
{
	struct ns_mount_env env = make_root();
	int swapper_ends[2], status = 0;
	pid_t pid;

	world_dir("/tmp/root/vol/place");
	REQUIRE(symlink("/tmp/host", "/tmp/root/vol/link") == 0);
	REQUIRE(pipe2(swapper_ends, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)renameat2(AT_FDCWD, "/tmp/root/vol/place",
					AT_FDCWD, "/tmp/root/vol/link",
					RENAME_EXCHANGE);
	}
	for (int i = 0; i < 500; i++) {
		struct err e = { 0 };

		(void)!bind_to("/vol/place/deep", &env, &e);
		if (!CHECK(!world_has("/tmp/host/deep")))
			break;
		(void)umount2("/tmp/root/vol/place/deep", MNT_DETACH);
		(void)umount2("/tmp/root/vol/link/deep", MNT_DETACH);
	}
	CHECK(kill(pid, SIGKILL) == 0);
	(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
}

TEST(a_place_that_is_swapped_for_a_link_leads_nowhere_else)
{
	in_world(check_swap);
}

static const struct tap_test tests[] = {
	TAP(links_of_the_image_lead_to_places_in_the_image),
	TAP(magic_links_of_procfs_are_not_followed),
	TAP(proc_and_sys_must_be_where_they_are_said_to_be),
	TAP(procfs_is_covered_only_where_lxcfs_does),
	TAP(a_procfs_may_be_bound_on_proc),
	TAP(a_place_that_is_swapped_for_a_link_leads_nowhere_else),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

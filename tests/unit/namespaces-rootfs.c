/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/rootfs.h"

#include "tests/unit/namespaces-world.h"

#define PATH(s) ((char *)(s))

/* A root with the folders images have. */
static void make_image(const char *path)
{
	static const char *const dirs[] = { "proc", "sys", "dev", "tmp",
					    "etc" };
	char full[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void)snprintf(full, sizeof(full), "%s/%s", path, dirs[i]);
		world_dir(full);
	}
	(void)snprintf(full, sizeof(full), "%s/etc/name", path);
	world_file(full, "image");
}

/* Opens the root in a mount namespace of its own. */
static int open_root(const struct ns_root *r)
{
	struct err e = { 0 };
	int tree, root;

	if (!CHECK_OK(ns_root_prepare(r, &tree, &e), &e) ||
	    !CHECK(unshare(CLONE_NEWNS) == 0))
		return -1;
	root = ns_root_open(r, tree, &e);
	(void)CHECK_OK(root, &e);
	return root;
}

static void check_bound_root(void)
{
	const struct ns_root r = { .path = PATH("/tmp/image") };
	struct err e = { 0 };
	char cwd[64];
	int root, free_fd;

	make_image("/tmp/image");
	world_file("/tmp/outside", "host");
	free_fd = world_next_fd();
	root = open_root(&r);
	REQUIRE(root >= 0);
	REQUIRE(mount("proc", "/tmp/image/proc", "proc", 0, NULL) == 0);
	REQUIRE_OK(ns_root_pivot(&r, root, &e), &e);
	(void)close(root);

	CHECK_STR(world_text("/etc/name"), "image");
	CHECK(!world_has("/tmp/outside"));
	CHECK_STR(getcwd(cwd, sizeof(cwd)), "/");
	CHECK_STR(world_text("../../../etc/name"), "image");
	CHECK_INT(world_next_fd(), free_fd);
	/* The root is the only mount that is left beside it. */
	CHECK_STR(world_mount("/tmp"), NULL);
}

TEST(a_folder_becomes_the_root_and_the_old_one_is_gone)
{
	in_world(check_bound_root);
}

TEST(a_folder_becomes_the_root_in_a_user_namespace)
{
	in_user_world(check_bound_root);
}

static void check_nothing_leaks(void)
{
	const struct ns_root r = { .path = PATH("/tmp/image") };
	struct err e = { 0 };
	int status = 0;
	pid_t pid;

	make_image("/tmp/image");
	/* The container's half in a process of its own; we are the host. */
	pid = fork();
	if (pid == 0) {
		int root = open_root(&r);

		if (root >= 0) {
			CHECK(mount("tmpfs", "/tmp/image/tmp", "tmpfs", 0,
				    NULL) == 0);
			CHECK_OK(ns_root_pivot(&r, root, &e), &e);
		}
		_exit(tap_child_status());
	}
	(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
	CHECK_INT(status, 0);
	CHECK(!world_mount("/tmp/image"));
	CHECK(!world_mount("/tmp/image/tmp"));
	/* And what was unmounted there is mounted here. */
	CHECK(world_mount("/proc"));
	CHECK(world_mount("/tmp"));
}

TEST(the_host_sees_nothing_of_it)
{
	in_world(check_nothing_leaks);
}

static void check_no_pivot(void)
{
	const struct ns_root r = { .path = PATH("/tmp/image"),
				   .no_pivot = true };
	struct err e = { 0 };
	int root, host;
	char cwd[64];

	make_image("/tmp/image");
	world_dir("/tmp/more space");
	REQUIRE(mount("proc", "/tmp/more space", "proc", 0, NULL) == 0);
	root = open_root(&r);
	REQUIRE(root >= 0);
	REQUIRE(mount("proc", "/tmp/image/proc", "proc", 0, NULL) == 0);
	host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(faccessat(host, "tmp/more space/self", F_OK, 0) == 0);

	REQUIRE_OK(ns_root_pivot(&r, root, &e), &e);
	CHECK_STR(world_text("/etc/name"), "image");
	CHECK_STR(getcwd(cwd, sizeof(cwd)), "/");
	CHECK_STR(world_text("../../../etc/name"), "image");
	CHECK(world_has("/proc/self"));
	/* The host's procfs is no longer there to vouch for new ones. */
	CHECK(faccessat(host, "tmp/more space", F_OK, 0) == 0);
	CHECK(faccessat(host, "tmp/more space/self", F_OK,
			AT_SYMLINK_NOFOLLOW) < 0);
	CHECK(faccessat(host, "proc/self", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
}

TEST(without_pivot_the_hosts_procfs_is_taken_away)
{
	in_world(check_no_pivot);
}

static void check_seal(void)
{
	static const struct {
		uint32_t flags;
		const char *says;
	} cases[] = {
		{ 0, "master:" },
		{ MS_SLAVE | MS_REC, "master:" },
		{ MS_PRIVATE, " - " },
		{ MS_SHARED | MS_REC, "shared:" },
		{ MS_UNBINDABLE, "unbindable" },
	};

	make_image("/tmp/image");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ns_root r = { .path = PATH("/tmp/image"),
					   .readonly = i % 2,
					   .propagation = cases[i].flags };
		struct err e = { 0 };
		int root, status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			root = open_root(&r);
			CHECK(mount("proc", "/tmp/image/proc", "proc", 0,
				    NULL) == 0);
			CHECK_OK(ns_root_pivot(&r, root, &e), &e);
			CHECK_OK(ns_root_seal(&r, &e), &e);
			CHECK_HAS(world_mount("/"), cases[i].says);
			CHECK_INT((world_flags("/") & ST_RDONLY) != 0, i % 2);
			_exit(tap_child_status());
		}
		(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
		if (!CHECK_INT(status, 0))
			tap_note("case %zu", i);
	}
}

TEST(a_root_is_sealed_read_only_and_with_its_propagation)
{
	in_world(check_seal);
}

static void check_seal_old(void)
{
	world_without("mount_setattr");
	check_seal();
}

TEST(a_root_is_bound_and_sealed_without_mount_setattr)
{
	in_world(check_seal_old);
}

static void check_mapped(void)
{
	struct ns_idmap ids[] = { { 0, 100000, 65536 } };
	const struct ns_root r = { .path = PATH("/tmp/image"),
				   .map = { { ids, 1 }, { ids, 1 } } };
	struct stat st = { 0 };

	world_disk("/tmp/image");
	make_image("/tmp/image");
	REQUIRE(open_root(&r) >= 0);
	CHECK(stat("/tmp/image/etc/name", &st) == 0);
	CHECK_INT(st.st_uid, 100000);
}

TEST(a_root_is_idmapped)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world_with_disk(check_mapped);
}

static void check_missing(void)
{
	const struct ns_root r = { .path = PATH("/tmp/none") };
	struct err e = { 0 };
	int tree = -1;

	CHECK_INT(ns_root_prepare(&r, &tree, &e), -ENOENT);
	CHECK_HAS(e.text, "bind root '/tmp/none'");
}

TEST(a_root_that_is_not_there_is_named)
{
	in_world(check_missing);
}

static void check_out_of_reach(void)
{
	const struct ns_root r = { .path = PATH("/tmp/closed/image") };
	struct err e = { 0 };
	int tree = -1, root;

	make_image("/tmp/closed/image");
	REQUIRE_OK(ns_root_prepare(&r, &tree, &e), &e);
	REQUIRE(chmod("/tmp/closed", 0700) == 0);
	REQUIRE(chown("/tmp/closed", 7, 7) == 0);
	/* Its root may not go where the folder lies. */
	REQUIRE(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	REQUIRE(world_map_ids(0, 0) == 0);
	root = ns_root_open(&r, tree, &e);
	REQUIRE_OK(root, &e);
	REQUIRE_OK(ns_root_pivot(&r, root, &e), &e);
	CHECK_STR(world_text("/etc/name"), "image");
}

TEST(a_root_that_a_user_namespace_cannot_reach_works_all_the_same)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_out_of_reach);
}

static const struct tap_test tests[] = {
	TAP(a_folder_becomes_the_root_and_the_old_one_is_gone),
	TAP(a_folder_becomes_the_root_in_a_user_namespace),
	TAP(the_host_sees_nothing_of_it),
	TAP(without_pivot_the_hosts_procfs_is_taken_away),
	TAP(a_root_is_sealed_read_only_and_with_its_propagation),
	TAP(a_root_is_bound_and_sealed_without_mount_setattr),
	TAP(a_root_is_idmapped),
	TAP(a_root_that_is_not_there_is_named),
	TAP(a_root_that_a_user_namespace_cannot_reach_works_all_the_same),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

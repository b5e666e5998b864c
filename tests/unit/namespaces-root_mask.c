/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/sysmacros.h>

#include "namespaces/rootfs.h"
#include "tests/unit/namespaces-world.h"

#define S(s) ((char *)(s))

/* The root as it is after the pivot: "/" and rootfd are the same. */
static int enter_root(void)
{
	int root;

	world_dir("/tmp/root/dev");
	world_dir("/tmp/root/proc");
	world_dir("/tmp/root/secret");
	world_file("/tmp/root/secret/key", "hidden");
	world_dir("/tmp/root/other");
	world_file("/tmp/root/other/key", "hidden");
	world_file("/tmp/root/file", "hidden");
	world_dir("/tmp/root/data");
	(void)CHECK(unshare(CLONE_NEWNS) == 0);
	(void)CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)CHECK(mount("/tmp/root", "/tmp/root", NULL, MS_BIND | MS_REC,
			  NULL) == 0);
	(void)CHECK(mount("proc", "/tmp/root/proc", "proc", 0, NULL) == 0);
	root = open("/tmp/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)CHECK(root >= 0 && fchdir(root) == 0 && chroot(".") == 0);
	return root;
}

/* The null device: of our own making, or the host's for who may not. */
static void make_null(void)
{
	world_dir("/tmp/root/dev");
	if (geteuid() == 0 &&
	    mknod("/tmp/root/dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0)
		return;
	world_file("/tmp/root/dev/null", "");
}

static void bind_null(void)
{
	struct stat st;

	if (stat("/tmp/root/dev/null", &st) == 0 && !S_ISCHR(st.st_mode))
		CHECK(mount("/dev/null", "/tmp/root/dev/null", NULL, MS_BIND,
			    NULL) == 0);
}

static void check_mask(void)
{
	char *const paths[] = { S("/secret"),	   S("/file"),
				S("/other"),	   S("/none"),
				S("/file/below"),  S("/none/below"),
				S("/proc/uptime"), NULL };
	struct err e = { 0 };
	int root, before;

	make_null();
	bind_null();
	root = enter_root();
	before = world_next_fd();
	REQUIRE_OK(ns_root_mask(root, paths, NULL, &e), &e);
	CHECK_STR(world_text("/file"), "");
	CHECK_STR(world_text("/proc/uptime"), "");
	CHECK(!world_has("/secret/key"));
	CHECK(!world_has("/other/key"));
	CHECK(world_flags("/secret") & ST_RDONLY);
	CHECK(mkdir("/secret/x", 0700) < 0 && errno == EROFS);
	CHECK_INT(world_next_fd(), before);
}

TEST(files_and_folders_are_hidden)
{
	in_world(check_mask);
}

TEST(files_and_folders_are_hidden_in_a_user_namespace)
{
	in_user_world(check_mask);
}

static void check_mask_old(void)
{
	world_without("fsopen");
	check_mask();
}

TEST(folders_are_hidden_without_fsopen)
{
	in_world(check_mask_old);
}

/*
 * CVE-2025-31133: what stands for /dev/null would be bound over the masked
 * file, and so become reachable, writable, under a name that is not masked.
 */
static void check_false_null(void)
{
	static const struct {
		const char *link; /* NULL: a file */
		const char *says;
	} cases[] = {
		{ "/proc/sys/kernel/core_pattern", "'/dev/null'" },
		{ "zero", "'/dev/null'" },
		{ NULL, "is not the null device" },
	};
	char *const paths[] = { S("/file"), NULL };
	int root = enter_root();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = { 0 };

		(void)unlink("/dev/null");
		if (cases[i].link)
			CHECK(symlink(cases[i].link, "/dev/null") == 0);
		else
			world_file("/dev/null", "not null");
		if (!CHECK(ns_root_mask(root, paths, NULL, &e) < 0) ||
		    !CHECK_HAS(e.text, cases[i].says) ||
		    !CHECK(!world_mount("/file")))
			tap_note("case %zu", i);
	}
}

TEST(what_is_not_the_null_device_masks_nothing)
{
	in_world(check_false_null);
}

static void check_other_device(void)
{
	char *const paths[] = { S("/file"), NULL };
	struct err e = { 0 };
	int root;

	world_dir("/tmp/root/dev");
	REQUIRE(mknod("/tmp/root/dev/null", S_IFCHR | 0666, makedev(1, 5)) ==
		0);
	root = enter_root();
	CHECK_INT(ns_root_mask(root, paths, NULL, &e), -EINVAL);
	CHECK_HAS(e.text, "is not the null device");
}

TEST(another_device_is_not_the_null_device)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_other_device);
}

static void check_links(void)
{
	char *const paths[] = { S("/link"), S("/folder-link"), NULL };
	char *const magic[] = { S("/magic"), NULL };
	struct err e = { 0 };
	int root;

	make_null();
	bind_null();
	root = enter_root();
	REQUIRE(symlink("../../file", "/link") == 0);
	REQUIRE(symlink("/secret", "/folder-link") == 0);
	REQUIRE(symlink("/proc/self/root/file", "/magic") == 0);
	/* The place a link leads to is in the container, and is hidden. */
	REQUIRE_OK(ns_root_mask(root, paths, NULL, &e), &e);
	CHECK_STR(world_text("/file"), "");
	CHECK(!world_has("/secret/key"));
	CHECK_INT(ns_root_mask(root, magic, NULL, &e), -ELOOP);
	CHECK_INT(ns_root_readonly(root, magic, &e), -ELOOP);
}

TEST(links_are_hidden_where_they_lead)
{
	in_world(check_links);
}

static void check_readonly(void)
{
	char *const paths[] = { S("/data"), S("/proc/sys"), S("/none"),
				S("/file"), NULL };
	int root, before;
	struct err e = { 0 };

	world_dir("/tmp/root/data/below");
	root = enter_root();
	REQUIRE(mount("tmpfs", "/data/below", "tmpfs", 0, NULL) == 0);
	world_file("/data/below/kept", "seen");
	before = world_next_fd();
	REQUIRE_OK(ns_root_readonly(root, paths, &e), &e);
	CHECK(world_flags("/data") & ST_RDONLY);
	CHECK(world_flags("/proc/sys") & ST_RDONLY);
	CHECK(world_flags("/file") & ST_RDONLY);
	CHECK(!(world_flags("/other") & ST_RDONLY));
	/* A mount below is still there. */
	CHECK_STR(world_text("/data/below/kept"), "seen");
	CHECK_INT(world_next_fd(), before);
}

TEST(paths_become_read_only)
{
	in_world(check_readonly);
}

static void check_readonly_old(void)
{
	world_without("mount_setattr");
	check_readonly();
}

TEST(paths_become_read_only_without_mount_setattr)
{
	in_world(check_readonly_old);
}

static const struct tap_test tests[] = {
	TAP(files_and_folders_are_hidden),
	TAP(files_and_folders_are_hidden_in_a_user_namespace),
	TAP(folders_are_hidden_without_fsopen),
	TAP(what_is_not_the_null_device_masks_nothing),
	TAP(another_device_is_not_the_null_device),
	TAP(links_are_hidden_where_they_lead),
	TAP(paths_become_read_only),
	TAP(paths_become_read_only_without_mount_setattr),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

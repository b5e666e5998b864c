/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/sysmacros.h>
#include <sys/xattr.h>

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

static struct ns_mount tmpfs_on(const char *target, const char *data)
{
	return (struct ns_mount){
		.source = S("shm"),
		.fstype = S("tmpfs"),
		.target = S(target),
		.data = S(data),
	};
}

static int attach(const struct ns_mount *m, const struct ns_mount_env *env,
		  struct err *e)
{
	return ns_mount_attach(m, env, -1, e);
}

static mode_t mode_of(const char *path)
{
	struct stat st = { 0 };

	CHECK(stat(path, &st) == 0);
	return st.st_mode & 07777;
}

/* --- tmpfs ----------------------------------------------------------------*/

static void check_tmpfs(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/t", "size=1m,mode=1750,nr_inodes=100");
	int before = world_next_fd();
	struct err e = { 0 };

	m.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK_HAS(world_mount("/tmp/root/t"), " tmpfs shm ");
	CHECK_HAS(world_mount("/tmp/root/t"), "size=1024k");
	CHECK_INT(mode_of("/tmp/root/t"), 01750);
	CHECK_INT(world_flags("/tmp/root/t") &
			  (ST_NOSUID | ST_NOEXEC | ST_NODEV),
		  ST_NOSUID | ST_NOEXEC);
	CHECK_INT(world_next_fd(), before);
}

TEST(a_file_system_gets_its_options_and_attributes)
{
	in_world(check_tmpfs);
}

static void check_tmpfs_old(void)
{
	world_without("fsopen");
	check_tmpfs();
}

TEST(a_file_system_is_made_without_fsopen_too)
{
	in_world(check_tmpfs_old);
}

static void check_mode(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/closed", NULL);
	struct err e = { 0 };

	world_dir("/tmp/root/closed");
	REQUIRE(chmod("/tmp/root/closed", 0700) == 0);
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK_INT(mode_of("/tmp/root/closed"), 0700);
	m.target = S("/new");
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK_INT(mode_of("/tmp/root/new"), 01777);
}

TEST(a_tmpfs_has_the_mode_of_what_it_covers)
{
	in_world(check_mode);
}

static void check_bad_option(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/t", "size=1m,nosuch=7");
	struct err e = { 0 };

	CHECK(attach(&m, &env, &e) < 0);
	CHECK_STR(
		e.text,
		"mount 'tmpfs' on '/t': option 'nosuch': tmpfs: Unknown parameter 'nosuch'");
	m = tmpfs_on("/t", "size=huge");
	CHECK(attach(&m, &env, &e) < 0);
	CHECK(!world_mount("/tmp/root/t"));
}

TEST(a_refused_option_is_an_error)
{
	in_world(check_bad_option);
}

static void check_sb_flags(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/t", "size=1m");
	struct err e = { 0 };

	m.sb_flags = MS_SYNCHRONOUS | MS_DIRSYNC;
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK_HAS(world_mount("/tmp/root/t"), "sync,dirsync");
	/* Known to mount(2) only. */
	m.target = S("/u");
	m.sb_flags |= MS_SILENT | MS_I_VERSION;
	m.set = MOUNT_ATTR_NODEV;
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK_HAS(world_mount("/tmp/root/u"), "sync,dirsync");
	CHECK(world_flags("/tmp/root/u") & ST_NODEV);
}

TEST(flags_of_the_super_block_are_set)
{
	in_world(check_sb_flags);
}

/* --- read-only, but later -------------------------------------------------*/

static void check_seal(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount dev = tmpfs_on("/dev", "mode=755");
	struct ns_mount shm = tmpfs_on("/dev/shm", "mode=1777");
	struct ns_mount ro = { .source = S("/tmp/src"),
			       .target = S("/b"),
			       .flags = NS_MOUNT_BIND,
			       .set = MOUNT_ATTR_RDONLY };
	struct err e = { 0 };

	dev.set = MOUNT_ATTR_RDONLY;
	dev.flags = NS_MOUNT_RO;
	REQUIRE_OK(attach(&dev, &env, &e), &e);
	/* It still takes a mount point and a file. */
	REQUIRE_OK(attach(&shm, &env, &e), &e);
	world_file("/tmp/root/dev/null", "");

	CHECK_OK(ns_mount_seal(&dev, env.rootfd, &e), &e);
	CHECK(world_flags("/tmp/root/dev") & ST_RDONLY);
	CHECK_OK(ns_mount_seal(&shm, env.rootfd, &e), &e);
	CHECK(!(world_flags("/tmp/root/dev/shm") & ST_RDONLY));
	/* Nothing is there to seal, and nothing is looked for. */
	CHECK_OK(ns_mount_seal(&ro, env.rootfd, &e), &e);
}

TEST(a_read_only_tmpfs_takes_mount_points_until_it_is_sealed)
{
	in_world(check_seal);
}

static void check_seal_old(void)
{
	world_without("mount_setattr");
	check_seal();
}

TEST(sealing_works_without_mount_setattr)
{
	in_world(check_seal_old);
}

static void check_pseudo_ro(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = { .source = S("sysfs"),
			      .fstype = S("sysfs"),
			      .target = S("/sys"),
			      .set = MOUNT_ATTR_RDONLY,
			      .flags = NS_MOUNT_RO };
	struct err e = { 0 };

	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK(world_flags("/tmp/root/sys") & ST_RDONLY);
	/* The super block is the host's too. */
	CHECK(!(world_flags("/sys") & ST_RDONLY) ||
	      strstr(world_mount("/sys"), " ro"));
}

TEST(a_shared_super_block_stays_as_it_is)
{
	in_world(check_pseudo_ro);
}

/* --- tmpcopyup ------------------------------------------------------------*/

static void fill_source(void)
{
	world_dir("/tmp/root/t/dir/deep");
	world_file("/tmp/root/t/dir/deep/file", "content");
	CHECK(chmod("/tmp/root/t/dir", 01750) == 0);
	world_file("/tmp/root/t/program", "#!");
	CHECK(chmod("/tmp/root/t/program", 04751) == 0);
	CHECK(symlink("/etc/passwd", "/tmp/root/t/link") == 0);
	CHECK(symlink("/tmp", "/tmp/root/t/folder-link") == 0);
	CHECK(mkfifo("/tmp/root/t/fifo", 0) == 0);
	CHECK(chmod("/tmp/root/t/fifo", 0626) == 0);
	CHECK(utimensat(AT_FDCWD, "/tmp/root/t/dir",
			(struct timespec[]){ { 1000, 0 }, { 2000, 0 } },
			0) == 0);
}

static void check_copy(void)
{
	struct stat st = { 0 };
	char text[32] = "";

	CHECK_STR(world_text("/tmp/root/t/dir/deep/file"), "content");
	CHECK_INT(mode_of("/tmp/root/t/dir"), 01750);
	CHECK_INT(mode_of("/tmp/root/t/program"), 04751);
	CHECK_INT(mode_of("/tmp/root/t/fifo"), 0626);
	CHECK(stat("/tmp/root/t/dir", &st) == 0 && st.st_mtime == 2000);
	/* As links: nothing of what they name was read. */
	CHECK(readlink("/tmp/root/t/link", text, sizeof(text)) == 11);
	CHECK(lstat("/tmp/root/t/folder-link", &st) == 0 &&
	      S_ISLNK(st.st_mode));
}

static void check_copyup(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/t", "size=4m");
	int before = world_next_fd();
	struct err e = { 0 };

	fill_source();
	m.flags |= NS_MOUNT_COPY_UP;
	m.set = MOUNT_ATTR_RDONLY; /* copied to nevertheless */
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK_HAS(world_mount("/tmp/root/t"), "size=4096k");
	check_copy();
	CHECK_INT(world_next_fd(), before);
	/* A copy: the image keeps its own. */
	world_file("/tmp/root/t/dir/deep/file", "changed");
	REQUIRE(umount2("/tmp/root/t", 0) == 0);
	CHECK_STR(world_text("/tmp/root/t/dir/deep/file"), "content");
}

TEST(tmpcopyup_starts_with_what_the_image_has)
{
	in_world(check_copyup);
}

TEST(tmpcopyup_works_in_a_user_namespace)
{
	in_user_world(check_copyup);
}

static void check_copyup_old(void)
{
	world_without("fsopen");
	check_copyup();
}

TEST(tmpcopyup_works_without_fsopen)
{
	in_world(check_copyup_old);
}

static void check_copyup_owner(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/t", NULL);
	struct err e = { 0 };
	struct stat st = { 0 };
	char value[16] = "";

	world_dir("/tmp/root/t");
	world_file("/tmp/root/t/file", "x");
	REQUIRE(chown("/tmp/root/t/file", 1000, 1001) == 0);
	REQUIRE(mknod("/tmp/root/t/node", S_IFCHR | 0640, makedev(1, 3)) == 0);
	REQUIRE(setxattr("/tmp/root/t/file", "trusted.note", "kept", 4, 0) ==
		0);
	m.flags |= NS_MOUNT_COPY_UP;
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK(stat("/tmp/root/t/file", &st) == 0);
	CHECK_INT(st.st_uid, 1000);
	CHECK_INT(st.st_gid, 1001);
	CHECK(stat("/tmp/root/t/node", &st) == 0 &&
	      st.st_rdev == makedev(1, 3));
	CHECK(getxattr("/tmp/root/t/file", "trusted.note", value,
		       sizeof(value)) == 4);
}

TEST(tmpcopyup_keeps_owners_nodes_and_attributes)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_copyup_owner);
}

static void check_copyup_deep(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/t", "size=1m");
	struct err e = { 0 };

	world_dir("/tmp/root/t");
	REQUIRE(chdir("/tmp/root/t") == 0);
	for (int i = 0; i < 200; i++)
		REQUIRE(mkdir("d", 0755) == 0 && chdir("d") == 0);
	REQUIRE(chdir("/") == 0);
	m.flags |= NS_MOUNT_COPY_UP;
	CHECK_INT(attach(&m, &env, &e), -ELOOP);
	CHECK_HAS(e.text, "more than 128 deep");
	CHECK(!world_mount("/tmp/root/t"));
}

TEST(tmpcopyup_of_a_bottomless_folder_ends)
{
	in_world(check_copyup_deep);
}

static void check_copyup_full(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = tmpfs_on("/t", "size=16k");
	struct err e = { 0 };
	int fd;

	world_dir("/tmp/root/t");
	fd = open("/tmp/root/t/big", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	m.flags |= NS_MOUNT_COPY_UP;
	CHECK_INT(attach(&m, &env, &e), -ENOSPC);
	CHECK_HAS(e.text, "copy 'big'");
}

TEST(tmpcopyup_of_too_much_is_an_error)
{
	in_world(check_copyup_full);
}

/* --- in a user namespace --------------------------------------------------*/

static void check_stand_in(void)
{
	struct ns_mount_env env;
	struct ns_mount m = { .source = S("sysfs"),
			      .fstype = S("sysfs"),
			      .target = S("/sys"),
			      .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
	struct err e = { 0 };

	/* Once more: the network namespace belongs to the one outside. */
	REQUIRE(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	REQUIRE(world_map_ids(0, 0) == 0);
	env = make_root();
	CHECK_INT(attach(&m, &env, &e), -EPERM);
	env.in_userns = true;
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK(world_has("/tmp/root/sys/kernel"));
	CHECK_INT(world_flags("/tmp/root/sys") & (ST_RDONLY | ST_NOSUID),
		  ST_RDONLY | ST_NOSUID);
	if (world_has("/tmp/root/sys/fs/cgroup/cgroup.procs") ||
	    world_mount("/tmp/root/sys/fs/cgroup"))
		CHECK(world_flags("/tmp/root/sys/fs/cgroup") & ST_RDONLY);
}

TEST(the_hosts_sysfs_stands_in_where_none_may_be_mounted)
{
	in_world(check_stand_in);
}

static void check_devpts(void)
{
	struct ns_mount_env env = make_root();
	struct ns_mount m = { .source = S("devpts"),
			      .fstype = S("devpts"),
			      .target = S("/pts"),
			      .data = S("newinstance,ptmxmode=0666,gid=5") };
	struct err e = { 0 };

	/* Group 5 has no id in this user namespace. */
	env.in_userns = true;
	REQUIRE_OK(attach(&m, &env, &e), &e);
	CHECK(!strstr(world_mount("/tmp/root/pts"), "gid=5"));
	CHECK(world_has("/tmp/root/pts/ptmx"));
}

TEST(devpts_does_without_a_group_that_is_not_mapped)
{
	in_user_world(check_devpts);
}

static const struct tap_test tests[] = {
	TAP(a_file_system_gets_its_options_and_attributes),
	TAP(a_file_system_is_made_without_fsopen_too),
	TAP(a_tmpfs_has_the_mode_of_what_it_covers),
	TAP(a_refused_option_is_an_error),
	TAP(flags_of_the_super_block_are_set),
	TAP(a_read_only_tmpfs_takes_mount_points_until_it_is_sealed),
	TAP(sealing_works_without_mount_setattr),
	TAP(a_shared_super_block_stays_as_it_is),
	TAP(tmpcopyup_starts_with_what_the_image_has),
	TAP(tmpcopyup_works_in_a_user_namespace),
	TAP(tmpcopyup_works_without_fsopen),
	TAP(tmpcopyup_keeps_owners_nodes_and_attributes),
	TAP(tmpcopyup_of_a_bottomless_folder_ends),
	TAP(tmpcopyup_of_too_much_is_an_error),
	TAP(the_hosts_sysfs_stands_in_where_none_may_be_mounted),
	TAP(devpts_does_without_a_group_that_is_not_mapped),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

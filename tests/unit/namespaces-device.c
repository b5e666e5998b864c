/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/sysmacros.h>

#include "namespaces/rootfs.h"
#include "tests/unit/namespaces-world.h"

#define S(s) ((char *)(s))

static int make_root(void)
{
	int root;

	world_dir("/tmp/root");
	(void)CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)CHECK(mount("/tmp/root", "/tmp/root", NULL, MS_BIND, NULL) == 0);
	root = open("/tmp/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)CHECK(root >= 0);
	return root;
}

static bool is_char(const char *path, unsigned int major, unsigned int minor)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(major, minor);
}

static void check_defaults(bool may_mknod)
{
	int root = make_root(), before = world_next_fd();
	struct err e = { 0 };

	REQUIRE_OK(ns_device_make(root, ns_device_defaults,
				  n_ns_device_defaults, may_mknod, -1, &e),
		   &e);
	CHECK(is_char("/tmp/root/dev/null", 1, 3));
	CHECK(is_char("/tmp/root/dev/zero", 1, 5));
	CHECK(is_char("/tmp/root/dev/full", 1, 7));
	CHECK(is_char("/tmp/root/dev/random", 1, 8));
	CHECK(is_char("/tmp/root/dev/urandom", 1, 9));
	CHECK(is_char("/tmp/root/dev/tty", 5, 0));
	CHECK_INT(world_next_fd(), before);
}

static void check_made(void)
{
	struct stat st = { 0 };

	check_defaults(true);
	CHECK(!world_mount("/tmp/root/dev/null"));
	/* Whatever the umask says. */
	CHECK(stat("/tmp/root/dev/null", &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0666);
	CHECK_INT(umask(022), 022);
}

TEST(default_devices_are_made)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_made);
}

static void check_bound(void)
{
	check_defaults(false);
	CHECK(world_mount("/tmp/root/dev/null"));
}

TEST(default_devices_are_bound_where_none_may_be_made)
{
	in_user_world(check_bound);
}

static void check_refused_mknod(void)
{
	check_defaults(true);
	CHECK(world_mount("/tmp/root/dev/null"));
}

TEST(a_refused_mknod_leads_to_a_bind)
{
	in_user_world(check_refused_mknod);
}

static void check_others(void)
{
	const struct ns_device v[] = {
		{ S("/dev/net/tun"), 'c', 10, 200, 0620, 7, 8 },
		{ S("/dev/net/pipe"), 'p', 0, 0, 0602, 0, 0 },
		{ S("/dev/block"), 'b', 7, 0, 0600, 0, 0 },
		{ S("/dev/raw"), 'u', 1, 3, 0600, 0, 0 },
		{ S("/top"), 'c', 1, 3, 0600, 0, 0 },
		{ S("/dev/net/more"), 'c', 1, 5, 0600, 0, 0 },
		{ S("/dev/nut/more"), 'c', 1, 7, 0600, 0, 0 },
	};
	int root = make_root();
	struct err e = { 0 };
	struct stat st = { 0 };

	REQUIRE_OK(ns_device_make(root, v, ARRAY_SIZE(v), true, -1, &e), &e);
	CHECK(stat("/tmp/root/dev/net/tun", &st) == 0);
	CHECK_INT(st.st_uid, 7);
	CHECK_INT(st.st_gid, 8);
	CHECK_INT(st.st_mode, S_IFCHR | 0620);
	CHECK(stat("/tmp/root/dev/net/pipe", &st) == 0);
	CHECK_INT(st.st_mode, S_IFIFO | 0602);
	CHECK(stat("/tmp/root/dev/block", &st) == 0 && S_ISBLK(st.st_mode) &&
	      st.st_rdev == makedev(7, 0));
	CHECK(is_char("/tmp/root/dev/raw", 1, 3));
	CHECK(is_char("/tmp/root/top", 1, 3));
	CHECK(is_char("/tmp/root/dev/net/more", 1, 5));
	CHECK(is_char("/tmp/root/dev/nut/more", 1, 7));
	/* All of them again: they are what they should be. */
	CHECK_OK(ns_device_make(root, v, ARRAY_SIZE(v), true, -1, &e), &e);
}

TEST(devices_of_every_type_are_made_where_they_belong)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_others);
}

static void check_in_the_way(void)
{
	const struct ns_device null = { S("/dev/null"), 'c', 1, 3, 0666, 0, 0 };
	int root = make_root();
	struct err e = { 0 };

	world_dir("/tmp/root/dev");
	world_file("/tmp/root/dev/null", "");
	CHECK_INT(ns_device_make(root, &null, 1, true, -1, &e), -EEXIST);
	CHECK_STR(e.text, "device '/dev/null': something else is there");
	REQUIRE(unlink("/tmp/root/dev/null") == 0);
	REQUIRE(symlink("/tmp/elsewhere", "/tmp/root/dev/null") == 0);
	CHECK_INT(ns_device_make(root, &null, 1, true, -1, &e), -EEXIST);
	/* Bound it lies on the link itself, and reaches nothing else. */
	CHECK_OK(ns_device_make(root, &null, 1, false, -1, &e), &e);
	CHECK(is_char("/tmp/root/dev/null", 1, 3));
	CHECK(!world_has("/tmp/elsewhere"));
}

TEST(something_else_in_its_place_is_an_error)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_in_the_way);
}

static void check_folder_link(void)
{
	const struct ns_device null = { S("/dev/null"), 'c', 1, 3, 0666, 0, 0 };
	int root = make_root();
	struct err e = { 0 };

	world_dir("/tmp/host");
	REQUIRE(symlink("../../host", "/tmp/root/dev") == 0);
	REQUIRE_OK(ns_device_make(root, &null, 1, false, -1, &e), &e);
	CHECK(!world_has("/tmp/host/null"));
	CHECK(is_char("/tmp/root/host/null", 1, 3));
	REQUIRE_OK(ns_device_links(root, &e), &e);
	CHECK(!world_has("/tmp/host/fd"));
}

TEST(a_dev_that_is_a_link_stays_in_the_root)
{
	in_world(check_folder_link);
}

static void check_wrong_host_node(void)
{
	/* The host's node of that name is another device. */
	const struct ns_device v = { S("/dev/null"), 'c', 4000, 7, 0666, 0, 0 };
	int root = make_root();
	struct err e = { 0 };

	CHECK(ns_device_make(root, &v, 1, false, -1, &e) < 0);
	CHECK_HAS(e.text, "no node of the host to bind");
	CHECK(!world_has("/tmp/root/dev/null"));
}

TEST(only_the_very_device_is_bound)
{
	in_world(check_wrong_host_node);
}

/* --- a user namespace wants what the host has nowhere ---------------------*/

static const struct ns_device lacking[] = {
	{ S("/dev/null"), 'c', 1, 3, 0666, 0, 0 },
	{ S("/dev/nulltoo"), 'c', 1, 3, 0640, 7, 8 },
	{ S("/dev/pipe"), 'p', 0, 0, 0600, 0, 0 },
	{ S("/dev/lack/disk"), 'b', 4000, 7, 0602, 0, 0 },
};

static struct ns_idmap some_uids = { 0, 100000, 10 };
static struct ns_idmap some_gids = { 0, 200000, 10 };
static const struct ns_map some_map = { .uids = { &some_uids, 1 },
					.gids = { &some_gids, 1 } };

static void check_owner(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st = { 0 };

	CHECK(lstat(path, &st) == 0);
	CHECK_INT(st.st_mode, mode);
	CHECK_INT(st.st_uid, uid);
	CHECK_INT(st.st_gid, gid);
}

static void check_prepared(void)
{
	int root = make_root(), before = world_next_fd(), made = -1, fd;
	struct err e = { 0 };

	REQUIRE_OK(ns_device_prepare(lacking, ARRAY_SIZE(lacking), &some_map,
				     &made, &e),
		   &e);
	REQUIRE(made >= 0);
	CHECK_INT(fcntl(made, F_GETFD), FD_CLOEXEC);
	CHECK_INT(umask(022), 022);
	REQUIRE_OK(ns_device_make(root, lacking, ARRAY_SIZE(lacking), false,
				  made, &e),
		   &e);
	(void)close(made);
	CHECK_INT(world_next_fd(), before);

	CHECK_HAS(world_mount("/tmp/root/dev/null"), "/null /tmp/root");
	CHECK(is_char("/tmp/root/dev/nulltoo", 1, 3));
	check_owner("/tmp/root/dev/nulltoo", S_IFCHR | 0640, 100007, 200008);
	check_owner("/tmp/root/dev/pipe", S_IFIFO | 0600, 0, 0);
	check_owner("/tmp/root/dev/lack/disk", S_IFBLK | 0602, 100000, 200000);
	fd = open("/tmp/root/dev/nulltoo", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	(void)close(fd);
	/* The root is not covered by what they came from. */
	CHECK(world_has("/tmp/root/dev"));
	CHECK(!world_has("/dev/nulltoo"));
}

TEST(a_user_namespace_gets_nodes_that_the_host_lacks)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_prepared);
}

static void check_nothing_lacks(void)
{
	struct err e = { 0 };
	int made = -1;

	CHECK_OK(ns_device_prepare(ns_device_defaults, n_ns_device_defaults,
				   &some_map, &made, &e),
		 &e);
	CHECK_INT(made, -1);
}

TEST(nothing_is_made_where_the_host_has_all)
{
	in_world(check_nothing_lacks);
}

static void check_unmapped(void)
{
	struct ns_device d = lacking[1];
	struct err e = { 0 };
	int made = -1;

	d.uid = 10;
	CHECK_INT(ns_device_prepare(&d, 1, &some_map, &made, &e), -EINVAL);
	CHECK_STR(e.text, "device '/dev/nulltoo': uid 10 is not mapped");
	d.uid = 9;
	d.gid = 10;
	CHECK_INT(ns_device_prepare(&d, 1, &some_map, &made, &e), -EINVAL);
	CHECK_STR(e.text, "device '/dev/nulltoo': gid 10 is not mapped");
	CHECK_INT(made, -1);
}

TEST(an_owner_without_an_id_in_the_user_namespace_is_an_error)
{
	in_world(check_unmapped);
}

static void check_without_rights(void)
{
	int root = make_root(), before = world_next_fd(), made = -1;
	struct err e = { 0 };

	CHECK_OK(ns_device_prepare(lacking, ARRAY_SIZE(lacking), &some_map,
				   &made, &e),
		 &e);
	CHECK_INT(made, -1);
	CHECK_INT(world_next_fd(), before);
	CHECK(ns_device_make(root, lacking, ARRAY_SIZE(lacking), false, made,
			     &e) < 0);
	CHECK_STR(
		e.text,
		"device '/dev/nulltoo': no right to make it, and no node of the host to bind");
}

TEST(without_the_right_to_make_nodes_the_hosts_are_all_there_is)
{
	in_user_world(check_without_rights);
}

static void check_links(void)
{
	int root = make_root();
	struct err e = { 0 };
	char to[64] = "";

	REQUIRE_OK(ns_device_links(root, &e), &e);
	CHECK(readlink("/tmp/root/dev/fd", to, sizeof(to)) == 13);
	CHECK_STR(to, "/proc/self/fd");
	CHECK(world_has("/tmp/root/dev/stdin"));
	CHECK(world_has("/tmp/root/dev/stdout"));
	CHECK(world_has("/tmp/root/dev/stderr"));
	CHECK_INT(world_has("/tmp/root/dev/core"), world_has("/proc/kcore"));

	/* An image's own ptmx gives way, all else stays. */
	REQUIRE(unlink("/tmp/root/dev/ptmx") == 0);
	world_file("/tmp/root/dev/ptmx", "the host's");
	REQUIRE(unlink("/tmp/root/dev/stdin") == 0);
	world_file("/tmp/root/dev/stdin", "the image's");
	REQUIRE_OK(ns_device_links(root, &e), &e);
	(void)memset(to, 0, sizeof(to));
	CHECK(readlink("/tmp/root/dev/ptmx", to, sizeof(to)) == 8);
	CHECK_STR(to, "pts/ptmx");
	CHECK_STR(world_text("/tmp/root/dev/stdin"), "the image's");
}

TEST(links_are_made_and_ptmx_is_the_containers)
{
	in_world(check_links);
}

static const struct tap_test tests[] = {
	TAP(default_devices_are_made),
	TAP(default_devices_are_bound_where_none_may_be_made),
	TAP(a_refused_mknod_leads_to_a_bind),
	TAP(devices_of_every_type_are_made_where_they_belong),
	TAP(something_else_in_its_place_is_an_error),
	TAP(a_dev_that_is_a_link_stays_in_the_root),
	TAP(only_the_very_device_is_bound),
	TAP(a_user_namespace_gets_nodes_that_the_host_lacks),
	TAP(nothing_is_made_where_the_host_has_all),
	TAP(an_owner_without_an_id_in_the_user_namespace_is_an_error),
	TAP(without_the_right_to_make_nodes_the_hosts_are_all_there_is),
	TAP(links_are_made_and_ptmx_is_the_containers),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

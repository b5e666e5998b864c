/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/mount.h"

#include "base/str.h"
#include "tests/unit/namespaces-world.h"

#define S(s) ((char *)(s))

/* A root in /tmp/root, in a mount namespace of the "container". */
static struct ns_mount_env enter_root(void)
{
	struct ns_mount_env env = { .userns = -1 };

	world_dir("/tmp/root");
	world_dir("/tmp/src");
	world_file("/tmp/src/file", "source");
	(void)CHECK(unshare(CLONE_NEWNS) == 0);
	(void)CHECK(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0);
	(void)CHECK(mount("/tmp/root", "/tmp/root", NULL, MS_BIND, NULL) == 0);
	env.rootfd = open("/tmp/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)CHECK(env.rootfd >= 0);
	return env;
}

/* Both halves. */
static int make(const struct ns_mount *m, const struct ns_mount_env *env,
		struct err *e)
{
	int tree, r = ns_mount_prepare(m, env, &tree, e);

	return r < 0 ? r : ns_mount_attach(m, env, tree, e);
}

static struct ns_mount bind_of(const char *source, const char *target)
{
	return (struct ns_mount){
		.source = S(source),
		.target = S(target),
		.flags = NS_MOUNT_BIND,
	};
}

static int make_bind(const char *source, const char *target,
		     const struct ns_mount_env *env, struct err *e)
{
	const struct ns_mount m = bind_of(source, target);

	return make(&m, env, e);
}

/* --- binds ----------------------------------------------------------------*/

static void check_binds(void)
{
	struct ns_mount_env env = enter_root();
	int before = world_next_fd();
	struct err e = { 0 };

	CHECK_OK(make_bind("/tmp/src", "/a/b", &env, &e), &e);
	CHECK_STR(world_text("/tmp/root/a/b/file"), "source");
	CHECK_OK(make_bind("/tmp/src/file", "/a/f", &env, &e), &e);
	CHECK_STR(world_text("/tmp/root/a/f"), "source");
	CHECK_INT(make_bind("/tmp/none", "/x", &env, &e), -ENOENT);
	CHECK_HAS(e.text, "mount '/tmp/none' on '/x'");
	CHECK(!world_has("/tmp/root/x"));
	CHECK(make_bind("/tmp/src", "/a/f", &env, &e) < 0);
	CHECK_HAS(e.text, "one is a folder");
	CHECK_INT(world_next_fd(), before);
}

TEST(a_bind_makes_the_place_it_goes_to)
{
	in_world(check_binds);
}

TEST(a_bind_works_without_any_right_outside)
{
	in_user_world(check_binds);
}

static void check_attributes(void)
{
	struct ns_mount_env env = enter_root();
	struct ns_mount m = bind_of("/tmp/src", "/a");
	const unsigned long all =
		ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME;
	struct err e = { 0 };

	m.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME;
	m.clear = MOUNT_ATTR__ATIME;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(world_flags("/tmp/root/a") & all, all);
	CHECK_INT(world_flags("/tmp/src") & (all & ~(unsigned long)ST_NOATIME),
		  0);

	m = bind_of("/tmp/root/a", "/kept");
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(world_flags("/tmp/root/kept") & all, all);

	m = bind_of("/tmp/root/a", "/b");
	m.set = MOUNT_ATTR_NODEV;
	m.clear = MOUNT_ATTR_RDONLY;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(world_flags("/tmp/root/b") & all, ST_NODEV | ST_NOATIME);

	m = bind_of("/tmp/root/a", "/c");
	m.set = MOUNT_ATTR_NODIRATIME;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(world_flags("/tmp/root/c") & (all | ST_NODIRATIME),
		  ST_NODIRATIME);

	/* Its root may have /a's attributes cleared no more than we. */
	env.in_userns = true;
	m = bind_of("/tmp/root/a", "/d");
	m.clear = MOUNT_ATTR_RDONLY;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(world_flags("/tmp/root/d") & all,
		  all & ~(unsigned long)ST_RDONLY);
}

TEST(attributes_are_added_and_taken_away)
{
	in_world(check_attributes);
}

static void check_attributes_old(void)
{
	world_without("mount_setattr");
	check_attributes();
}

TEST(attributes_work_without_mount_setattr)
{
	in_world(check_attributes_old);
}

static void check_too_old(void)
{
	struct ns_mount_env env = enter_root();
	struct ns_mount m = bind_of("/tmp/src", "/a");
	struct err e = { 0 };

	world_without("mount_setattr");
	m.flags |= NS_MOUNT_RBIND;
	m.rec_set = MOUNT_ATTR_RDONLY;
	CHECK_INT(make(&m, &env, &e), -ENOSYS);
	CHECK_HAS(e.text, "recursive mount attributes need Linux 5.12");
}

TEST(recursive_attributes_need_mount_setattr_and_say_so)
{
	in_world(check_too_old);
}

static void check_recursive(void)
{
	struct ns_mount_env env;
	struct ns_mount m = bind_of("/tmp/src", "/a");
	struct err e = { 0 };

	world_dir("/tmp/src/below");
	REQUIRE(mount("tmpfs", "/tmp/src/below", "tmpfs", 0, NULL) == 0);
	world_file("/tmp/src/below/deep", "deep");
	env = enter_root();

	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK(!world_has("/tmp/root/a/below/deep"));

	m.target = S("/b");
	m.flags |= NS_MOUNT_RBIND;
	m.set = MOUNT_ATTR_RDONLY;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_STR(world_text("/tmp/root/b/below/deep"), "deep");
	CHECK(world_flags("/tmp/root/b") & ST_RDONLY);
	CHECK(!(world_flags("/tmp/root/b/below") & ST_RDONLY));

	m.target = S("/c");
	m.set = 0;
	m.rec_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(world_flags("/tmp/root/c/below") & (ST_RDONLY | ST_NOEXEC),
		  ST_RDONLY | ST_NOEXEC);
	CHECK(!(world_flags("/tmp/src/below") & ST_RDONLY));
}

TEST(recursive_attributes_reach_what_is_mounted_below)
{
	in_world(check_recursive);
}

static void check_propagation(void)
{
	static const struct {
		uint32_t flags;
		const char *says, *not ;
	} cases[] = {
		{ 0, "master:", "shared:" },
		{ MS_SLAVE | MS_REC, "master:", "shared:" },
		{ MS_PRIVATE | MS_REC, " - ", ":" },
		{ MS_SHARED | MS_REC, "shared:", "unbindable" },
		{ MS_UNBINDABLE, "unbindable", "master:" },
	};
	struct ns_mount_env env = enter_root();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char target[8], path[32];
		struct ns_mount m = bind_of("/tmp/src", target);
		struct err e = { 0 };
		const char *tags;

		(void)snprintf(target, sizeof(target), "/%zu", i);
		(void)snprintf(path, sizeof(path), "/tmp/root/%zu", i);
		m.propagation = cases[i].flags;
		REQUIRE_OK(make(&m, &env, &e), &e);
		tags = world_mount(path);
		REQUIRE(tags);
		tags = strstr(tags, "rw,");
		REQUIRE(tags);
		if (!CHECK_HAS(tags, cases[i].says) ||
		    (cases[i].not [1] && !CHECK(!strstr(tags, cases[i].not ))))
			tap_note("case %zu: %s", i, tags);
	}
}

/* The source is what the host shares: prepared there, used here. */
static void check_propagation_of_host(void)
{
	struct err e = { 0 };
	struct ns_mount m = bind_of("/tmp/src", "/a");
	struct ns_mount_env env = { .userns = -1 };
	int trees[2];

	world_dir("/tmp/src");
	world_dir("/tmp/root");
	REQUIRE_OK(ns_mount_prepare(&m, &env, &trees[0], &e), &e);
	m.propagation = MS_SHARED;
	REQUIRE_OK(ns_mount_prepare(&m, &env, &trees[1], &e), &e);
	env = enter_root();
	m.propagation = 0;
	REQUIRE_OK(ns_mount_attach(&m, &env, trees[0], &e), &e);
	CHECK_HAS(world_mount("/tmp/root/a"), "master:");
	CHECK(!strstr(world_mount("/tmp/root/a"), "shared:"));
	m.target = S("/b");
	REQUIRE_OK(ns_mount_attach(&m, &env, trees[1], &e), &e);
	CHECK_HAS(world_mount("/tmp/root/b"), "shared:");
}

TEST(a_bind_receives_from_the_host_unless_told_otherwise)
{
	in_world(check_propagation_of_host);
}

TEST(propagation_is_what_the_options_say)
{
	in_world(check_propagation);
}

static void check_links(void)
{
	struct ns_mount_env env;
	struct ns_mount m = bind_of("/tmp/src/link", "/copied");
	struct err e = { 0 };
	char text[64] = "";

	world_dir("/tmp/src");
	REQUIRE(symlink("file", "/tmp/src/link") == 0);
	env = enter_root();

	m.flags |= NS_MOUNT_COPY_LINK;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK(readlink("/tmp/root/copied", text, sizeof(text)) == 4);
	CHECK_STR(text, "file");
	CHECK_OK(make(&m, &env, &e), &e); /* it is there already */
	world_file("/tmp/root/other", "");
	m.target = S("/other");
	CHECK_INT(make(&m, &env, &e), -EEXIST);

	/* src-nofollow: the link itself is what is mounted. */
	m = bind_of("/tmp/src/link", "/nofollow");
	m.flags |= NS_MOUNT_NO_SRC_LINK;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK(readlink("/tmp/root/nofollow", text, sizeof(text)) == 4);

	/* dest-nofollow: onto the link, not onto what it names. */
	world_file("/tmp/root/named", "named");
	REQUIRE(symlink("named", "/tmp/root/dest") == 0);
	m = bind_of("/tmp/src/file", "/dest");
	m.flags |= NS_MOUNT_NO_DST_LINK;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_STR(world_text("/tmp/root/dest"), "source");
	CHECK_STR(world_text("/tmp/root/named"), "named");
}

TEST(links_are_copied_mounted_or_mounted_over)
{
	in_world(check_links);
}

static void check_remount(void)
{
	struct ns_mount_env env = enter_root();
	struct ns_mount m = { .fstype = S("tmpfs"),
			      .target = S("/t"),
			      .data = S("size=1m") };
	struct err e = { 0 };

	REQUIRE_OK(make(&m, &env, &e), &e);
	m.flags = NS_MOUNT_REMOUNT;
	m.data = S("size=2m");
	m.set = MOUNT_ATTR_NOEXEC;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_HAS(world_mount("/tmp/root/t"), "size=2048k");
	CHECK(world_flags("/tmp/root/t") & ST_NOEXEC);
	/* Nothing is mounted on it twice. */
	REQUIRE(umount2("/tmp/root/t", 0) == 0);
	CHECK(!world_mount("/tmp/root/t"));
}

TEST(a_remount_changes_what_is_there)
{
	in_world(check_remount);
}

static void check_unknown(void)
{
	struct ns_mount_env env = enter_root();
	struct ns_mount m = { .fstype = S("nosuchfs"), .target = S("/b") };
	struct err e = { 0 };

	CHECK_INT(make(&m, &env, &e), -ENODEV);
	CHECK_HAS(e.text, "the kernel has no file system 'nosuchfs'");
}

TEST(an_unknown_file_system_is_named)
{
	in_world(check_unknown);
}

/* --- idmapped -------------------------------------------------------------*/

static uid_t owner_of(const char *path)
{
	struct stat st = { .st_uid = 4242 };

	CHECK(stat(path, &st) == 0);
	return st.st_uid;
}

static void check_idmap(void)
{
	struct ns_idmap ids[] = { { 0, 1000, 10 } };
	const struct ns_map map = { { ids, 1 }, { ids, 1 } };
	struct ns_mount_env env;
	struct ns_mount m = bind_of("/tmp/src", "/a");
	struct err e = { 0 };

	world_disk("/tmp/src");
	env = enter_root();
	m.flags |= NS_MOUNT_IDMAP;
	CHECK_INT(make(&m, &env, &e), -EINVAL);
	CHECK_HAS(e.text, "neither the mount nor the container has mappings");

	m.uids = m.gids = (struct ns_idmaps){ ids, 1 };
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(owner_of("/tmp/root/a/file"), 1000);
	CHECK_INT(owner_of("/tmp/src/file"), 0);

	m = bind_of("/tmp/src", "/b");
	m.flags |= NS_MOUNT_IDMAP;
	env.userns = ns_idmap_userns(&map, &e);
	REQUIRE_OK(env.userns, &e);
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(owner_of("/tmp/root/b/file"), 1000);
}

TEST(ids_of_a_bind_are_mapped)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world_with_disk(check_idmap);
}

static void check_idmap_recursive(void)
{
	struct ns_idmap ids[] = { { 0, 1000, 10 } };
	struct ns_mount_env env;
	struct ns_mount m = bind_of("/tmp/src", "/a");
	struct err e = { 0 };

	world_disk("/tmp/src");
	world_dir("/tmp/src/below");
	world_disk("/tmp/src/below");
	env = enter_root();
	m.flags |= NS_MOUNT_RBIND | NS_MOUNT_IDMAP;
	m.uids = m.gids = (struct ns_idmaps){ ids, 1 };
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(owner_of("/tmp/root/a/below"), 0);
	m.target = S("/b");
	m.flags |= NS_MOUNT_IDMAP_REC;
	REQUIRE_OK(make(&m, &env, &e), &e);
	CHECK_INT(owner_of("/tmp/root/b/below"), 1000);
}

TEST(ridmap_maps_what_is_mounted_below_as_well)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world_with_disk(check_idmap_recursive);
}

static const struct tap_test tests[] = {
	TAP(a_bind_makes_the_place_it_goes_to),
	TAP(a_bind_works_without_any_right_outside),
	TAP(attributes_are_added_and_taken_away),
	TAP(attributes_work_without_mount_setattr),
	TAP(recursive_attributes_need_mount_setattr_and_say_so),
	TAP(recursive_attributes_reach_what_is_mounted_below),
	TAP(a_bind_receives_from_the_host_unless_told_otherwise),
	TAP(propagation_is_what_the_options_say),
	TAP(links_are_copied_mounted_or_mounted_over),
	TAP(a_remount_changes_what_is_there),
	TAP(an_unknown_file_system_is_named),
	TAP(ids_of_a_bind_are_mapped),
	TAP(ridmap_maps_what_is_mounted_below_as_well),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

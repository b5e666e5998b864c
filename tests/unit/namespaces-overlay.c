/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/overlay.h"

#include <sys/fsuid.h>

#include "namespaces/rootfs.h"
#include "tests/unit/namespaces-world.h"

#define S(s) ((char *)(s))

/* Names with everything that means something to overlay's options. */
#define ODD "/tmp/odd:a,b\\c \"d\""

static char *const layers[] = { S("/tmp/top"), S(ODD), S("/tmp/bottom"), NULL };

static void make_layers(void)
{
	world_dir("/tmp/at");
	world_dir("/tmp/top");
	world_dir(ODD);
	world_dir("/tmp/bottom");
	world_file("/tmp/top/which", "top");
	world_file(ODD "/which", "odd");
	world_file(ODD "/odd", "odd");
	world_file("/tmp/bottom/which", "bottom");
	world_file("/tmp/bottom/bottom", "bottom");
	CHECK(chmod("/tmp/top", 0711) == 0);
}

static struct ns_root root_of(void)
{
	return (struct ns_root){
		.path = S("/tmp/at"),
		.layers = (char **)layers,
	};
}

static int open_root(const struct ns_root *r, struct err *e)
{
	int tree = -1, n = ns_root_prepare(r, &tree, e);

	if (n < 0)
		return n;
	if (!CHECK(unshare(CLONE_NEWNS) == 0))
		return -1;
	return ns_root_open(r, tree, e);
}

static void check_content(void)
{
	struct stat st = { 0 };

	CHECK_STR(world_text("/tmp/at/which"), "top");
	CHECK_STR(world_text("/tmp/at/odd"), "odd");
	CHECK_STR(world_text("/tmp/at/bottom"), "bottom");
	CHECK(stat("/tmp/at", &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0711);
	world_file("/tmp/at/which", "changed");
	CHECK_STR(world_text("/tmp/at/which"), "changed");
	CHECK_STR(world_text("/tmp/top/which"), "top");
	CHECK(unlink("/tmp/at/bottom") == 0);
	CHECK(!world_has("/tmp/at/bottom"));
}

static void check_tmpfs(void)
{
	struct ns_root r = root_of();
	int before = world_next_fd(), root;
	struct err e = { 0 };

	make_layers();
	r.scratch_size = 1 << 20;
	root = open_root(&r, &e);
	REQUIRE_OK(root, &e);
	check_content();
	(void)close(root);
	CHECK_INT(world_next_fd(), before);
}

TEST(layers_are_one_root_over_memory)
{
	in_world(check_tmpfs);
}

TEST(layers_are_one_root_in_a_user_namespace)
{
	in_user_world(check_tmpfs);
}

static void check_full(void)
{
	struct ns_root r = root_of();
	struct err e = { 0 };
	char block[4096] = { 1 };
	int fd, n = 0;

	make_layers();
	r.scratch_size = 64 << 10;
	REQUIRE_OK(open_root(&r, &e), &e);
	fd = open("/tmp/at/big", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (n < 100 && write(fd, block, sizeof(block)) > 0)
		n++;
	CHECK(n <= 16);
}

TEST(scratch_in_memory_has_a_size)
{
	in_world(check_full);
}

static void check_scratch(void)
{
	struct ns_root r = root_of();
	struct err e = { 0 };

	make_layers();
	world_dir("/tmp/scr,at:ch");
	r.scratch = S("/tmp/scr,at:ch");
	REQUIRE_OK(open_root(&r, &e), &e);
	check_content();
	CHECK_STR(world_text("/tmp/scr,at:ch/upper/which"), "changed");
}

TEST(changes_are_kept_in_a_scratch_folder)
{
	in_world(check_scratch);
}

static void check_scratch_again(void)
{
	struct ns_root r = root_of();
	struct err e = { 0 };

	make_layers();
	world_dir("/tmp/scratch/upper");
	world_file("/tmp/scratch/upper/earlier", "kept");
	r.scratch = S("/tmp/scratch");
	REQUIRE_OK(open_root(&r, &e), &e);
	CHECK_STR(world_text("/tmp/at/earlier"), "kept");
}

TEST(what_a_scratch_folder_has_is_there_again)
{
	in_world(check_scratch_again);
}

/* The host's own root as an image, with everything on one file system. */
static void check_inside(void)
{
	char *const whole[] = { S("/tmp/whole"), NULL };
	struct ns_root r = { .path = S("/tmp/at"),
			     .layers = (char **)whole,
			     .scratch = S("/tmp/whole/var/scratch") };
	struct err e = { 0 };

	world_dir("/tmp/at");
	world_dir("/tmp/whole/var/scratch");
	world_file("/tmp/whole/file", "x");
	/* Older kernels refuse it, and say so. */
	CHECK(freopen("/dev/null", "we", stderr) != NULL);
	REQUIRE_OK(open_root(&r, &e), &e);
	CHECK_STR(world_text("/tmp/at/file"), "x");
	world_file("/tmp/at/file", "changed");
	CHECK_STR(world_text("/tmp/whole/file"), "x");
}

TEST(a_scratch_folder_may_lie_in_a_layer)
{
	in_world(check_inside);
}

static void check_overlap(void)
{
	char *const inside[] = { S("/tmp/scratch/upper/layer"), NULL };
	struct ns_root r = { .path = S("/tmp/at"),
			     .layers = (char **)inside,
			     .scratch = S("/tmp/scratch") };
	struct err e = { 0 };

	world_dir("/tmp/at");
	world_dir("/tmp/scratch/upper/layer");
	world_file("/tmp/scratch/upper/layer/file", "x");
	/* What says that it fell back is not for this test's output. */
	CHECK(freopen("/dev/null", "we", stderr) != NULL);
	REQUIRE_OK(open_root(&r, &e), &e);
	CHECK_STR(world_text("/tmp/at/file"), "x");
	world_file("/tmp/at/new", "in memory");
	CHECK(!world_has("/tmp/scratch/upper/new"));
}

TEST(a_scratch_folder_that_overlaps_gives_way_to_memory)
{
	in_world(check_overlap);
}

static void check_missing(void)
{
	struct ns_root r = root_of();
	struct err e = { 0 };

	world_dir("/tmp/at");
	CHECK(open_root(&r, &e) < 0);
	CHECK_HAS(e.text, "/tmp/top");
}

TEST(a_layer_that_is_missing_is_named)
{
	in_world(check_missing);
}

static void check_old_kernel(void)
{
	const struct ns_map none = { 0 };
	const struct ns_overlay o = {
		.layers = layers,
		.below = "/tmp/at",
		.map = &none,
	};
	int before = world_next_fd(), tree;
	struct err e = { 0 };

	make_layers();
	tree = ns_overlay_make(&o, NS_OVERLAY_OLD, &e);
	REQUIRE_OK(tree, &e);
	CHECK(faccessat(tree, "odd", F_OK, 0) == 0);
	CHECK(faccessat(tree, "bottom", F_OK, 0) == 0);
	/* Only what is hidden underneath is left where it was made. */
	CHECK(!world_has("/tmp/at/odd"));
	(void)close(tree);
	CHECK_INT(world_next_fd(), before);
}

TEST(an_old_kernel_makes_an_overlay_too)
{
	in_world(check_old_kernel);
}

static void check_no_fsopen(void)
{
	struct ns_root r = root_of();
	struct err e = { 0 };

	world_without("fsopen");
	make_layers();
	world_dir("/tmp/scratch");
	r.scratch = S("/tmp/scratch");
	REQUIRE_OK(open_root(&r, &e), &e);
	check_content();
}

static void check_no_fsopen_tmpfs(void)
{
	world_without("fsopen");
	check_tmpfs();
}

TEST(layers_are_one_root_over_memory_without_fsopen)
{
	in_world(check_no_fsopen_tmpfs);
}

TEST(layers_are_one_root_without_fsopen)
{
	in_world(check_no_fsopen);
}

/* As many as a page would not hold by name. */
static void check_many(void)
{
	const struct ns_map none = { 0 };
	char *many[130] = { NULL }, path[PATH_MAX];
	const struct ns_overlay o = {
		.layers = many,
		.below = "/tmp/at",
		.map = &none,
	};
	struct err e = { 0 };

	world_dir("/tmp/at");
	for (size_t i = 0; i + 1 < ARRAY_SIZE(many); i++) {
		(void)snprintf(path, sizeof(path),
			       "/tmp/a-layer-with-a-name-of-some-length-%zu",
			       i);
		world_dir(path);
		many[i] = strdup(path);
	}
	CHECK_OK(ns_overlay_make(&o, NS_OVERLAY_OLD, &e), &e);
	CHECK_OK(ns_overlay_make(&o, 0, &e), &e);
	for (size_t i = 0; many[i]; i++)
		free(many[i]);
}

TEST(a_hundred_layers_are_no_problem)
{
	in_world(check_many);
}

/* --- for a container with a user namespace, made by root outside ----------*/

/* tmpfs takes no idmapping on older kernels. */
static void make_disk_layers(void)
{
	world_disk("/tmp/disk");
	for (size_t i = 0; layers[i]; i++) {
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "/tmp/disk%s",
			       strrchr(layers[i], '/'));
		world_dir(path);
		world_dir(layers[i]);
		CHECK(mount(path, layers[i], NULL, MS_BIND, NULL) == 0);
	}
	make_layers();
}

static uid_t owner_of(const char *path)
{
	struct stat st = { .st_uid = 4242 };

	CHECK(stat(path, &st) == 0);
	return st.st_uid;
}

static void check_mapped(void)
{
	struct ns_idmap ids[] = { { 0, 100000, 65536 } };
	struct ns_root r = root_of();
	int before = world_next_fd(), root;
	struct err e = { 0 };

	make_disk_layers();
	CHECK(chown("/tmp/top/which", 5, 5) == 0);
	world_dir("/tmp/scratch");
	r.scratch = S("/tmp/scratch");
	r.in_userns = true;
	r.map = (struct ns_map){ { ids, 1 }, { ids, 1 } };
	root = open_root(&r, &e);
	REQUIRE_OK(root, &e);
	CHECK_INT(owner_of("/tmp/at"), 100000);
	CHECK_INT(owner_of("/tmp/at/which"), 100005);
	CHECK_INT(owner_of("/tmp/at/odd"), 100000);
	/* What the container's root writes is its own, outside too. */
	CHECK(setfsuid(100000) >= 0 && setfsgid(100000) >= 0);
	CHECK(mkdir("/tmp/at/made", 0755) == 0);
	CHECK(setfsuid(0) >= 0 && setfsgid(0) >= 0);
	CHECK_INT(owner_of("/tmp/at/made"), 100000);
	CHECK_INT(owner_of("/tmp/scratch/upper/made"), 100000);
	(void)close(root);
	CHECK_INT(world_next_fd(), before);
}

TEST(layers_are_idmapped_for_a_user_namespace)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world_with_disk(check_mapped);
}

static void check_mapped_tmpfs(void)
{
	struct ns_idmap ids[] = { { 0, 100000, 65536 } };
	struct ns_root r = root_of();
	struct err e = { 0 };

	make_disk_layers();
	r.in_userns = true;
	r.map = (struct ns_map){ { ids, 1 }, { ids, 1 } };
	REQUIRE_OK(open_root(&r, &e), &e);
	CHECK_INT(owner_of("/tmp/at"), 100000);
	CHECK_INT(owner_of("/tmp/at/which"), 100000);
}

TEST(idmapped_layers_go_with_memory_too)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world_with_disk(check_mapped_tmpfs);
}

static void check_helper_error(void)
{
	struct ns_root r = root_of();
	int before = world_next_fd(), tree = -1;
	struct err e = { 0 };

	world_dir("/tmp/at");
	r.in_userns = true;
	CHECK_INT(ns_root_prepare(&r, &tree, &e), -ENOENT);
	CHECK_HAS(e.text, "/tmp/top");
	CHECK_INT(tree, -1);
	CHECK_INT(world_next_fd(), before);
}

TEST(the_helpers_error_comes_back_in_its_words)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_helper_error);
}

static const struct tap_test tests[] = {
	TAP(layers_are_one_root_over_memory),
	TAP(layers_are_one_root_in_a_user_namespace),
	TAP(scratch_in_memory_has_a_size),
	TAP(changes_are_kept_in_a_scratch_folder),
	TAP(what_a_scratch_folder_has_is_there_again),
	TAP(a_scratch_folder_may_lie_in_a_layer),
	TAP(a_scratch_folder_that_overlaps_gives_way_to_memory),
	TAP(a_layer_that_is_missing_is_named),
	TAP(an_old_kernel_makes_an_overlay_too),
	TAP(layers_are_one_root_without_fsopen),
	TAP(layers_are_one_root_over_memory_without_fsopen),
	TAP(a_hundred_layers_are_no_problem),
	TAP(layers_are_idmapped_for_a_user_namespace),
	TAP(idmapped_layers_go_with_memory_too),
	TAP(the_helpers_error_comes_back_in_its_words),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

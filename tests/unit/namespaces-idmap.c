/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/idmap.h"

#include "base/proc.h"
#include "namespaces/clone.h"
#include "tests/unit/namespaces-world.h"

#define MAPS(...)                                                              \
	{                                                                      \
		.v = (struct ns_idmap[]){ __VA_ARGS__ },                       \
		.n = sizeof((struct ns_idmap[]){ __VA_ARGS__ }) /              \
		     sizeof(struct ns_idmap)                                   \
	}

static const struct {
	struct ns_idmaps maps;
	const char *says; /* NULL: fine */
} checks[] = {
	{ MAPS({ 0, 1000, 1 }), NULL },
	{ MAPS({ 0, 1000, 1 }, { 1, 100000, 65535 }), NULL },
	{ MAPS({ 0, 0, 4294967295 }), NULL },
	{ MAPS({ 0, 0, 0 }), "empty" },
	{ MAPS({ 1, 0, 4294967295 }), "beyond" },
	{ MAPS({ 4294967295, 0, 1 }), "beyond" },
	{ MAPS({ 0, 4294967295, 1 }), "beyond" },
	{ MAPS({ 0, 0, 10 }, { 9, 100, 1 }), "overlap at container id 9" },
	{ MAPS({ 0, 0, 10 }, { 10, 9, 1 }), "overlap at host id 9" },
	{ MAPS({ 5, 0, 10 }, { 0, 100, 6 }), "overlap at container id 5" },
};

TEST(ranges_that_overlap_or_wrap_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct err e = { 0 };
		int r = ns_idmap_check(&checks[i].maps, "user", &e);
		bool held = checks[i].says
				    ? CHECK_INT(r, -EINVAL) &&
					      CHECK_HAS(e.text, checks[i].says)
				    : CHECK_OK(r, &e);

		if (!held)
			tap_note("case %zu", i);
	}
}

TEST(more_lines_than_the_kernel_takes_are_refused)
{
	static struct ns_idmap v[341];
	const struct ns_idmaps m = { .v = v, .n = ARRAY_SIZE(v) };
	struct err e = { 0 };

	for (uint32_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = (struct ns_idmap){ i, i, 1 };
	CHECK_INT(ns_idmap_check(&m, "group", &e), -E2BIG);
	CHECK_HAS(e.text, "341 group mappings");
}

TEST(ids_are_looked_up_from_inside_to_outside)
{
	const struct ns_idmaps m = MAPS({ 0, 1000, 1 }, { 1, 100000, 10 });
	uint32_t id = 7;

	CHECK_INT(ns_idmap_host(&m, 0, &id), 0);
	CHECK_INT(id, 1000);
	CHECK_INT(ns_idmap_host(&m, 10, &id), 0);
	CHECK_INT(id, 100009);
	CHECK_INT(ns_idmap_host(&m, 11, &id), -ENOENT);
	CHECK_INT(id, 100009);
}

/* --- written for a process ------------------------------------------------*/

struct waiting {
	pid_t pid;
	int end;
};

static struct waiting clone_user(void)
{
	const struct ns_clone c = { .flags = CLONE_NEWUSER, .cgroup_fd = -1 };
	struct waiting w = { .pid = -1 };
	struct err e = { 0 };
	int ends[2];
	char x;

	if (!CHECK(pipe2(ends, O_CLOEXEC) == 0))
		return w;
	w.pid = ns_fork(&c, &e);
	if (w.pid == 0) {
		(void)close(ends[1]);
		_exit(read(ends[0], &x, 1) != 0);
	}
	(void)close(ends[0]);
	w.end = ends[1];
	(void)CHECK_OK(w.pid, &e);
	return w;
}

static const char *file_of(const struct waiting *w, const char *file)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", w->pid, file);
	return path;
}

static void release(struct waiting *w)
{
	struct err e = { 0 };

	(void)close(w->end);
	CHECK_INT(proc_reap(w->pid, &e), 0);
}

static void check_root_writes(void)
{
	const struct ns_map map = {
		.uids = MAPS({ 0, 100000, 10 }, { 10, 0, 1 }),
		.gids = MAPS({ 0, 200000, 10 }),
	};
	struct waiting w = clone_user();
	unsigned int a, b, c;
	struct err e = { 0 };

	REQUIRE(w.pid > 0);
	REQUIRE_OK(ns_idmap_write(w.pid, &map, &e), &e);
	CHECK_INT(sscanf(world_text(file_of(&w, "uid_map")), "%u %u %u", &a, &b,
			 &c),
		  3);
	CHECK_INT(b, 100000);
	CHECK_INT(sscanf(world_text(file_of(&w, "gid_map")), "%u %u %u", &a, &b,
			 &c),
		  3);
	CHECK_INT(b, 200000);
	/* Root gives nothing up. */
	CHECK_STR(world_text(file_of(&w, "setgroups")), "allow");
	release(&w);
}

TEST(root_writes_all_mappings)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_root_writes);
}

static void become_nobody(void)
{
	REQUIRE(setresgid(65534, 65534, 65534) == 0);
	REQUIRE(setresuid(65534, 65534, 65534) == 0);
	REQUIRE(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

static void check_own_id(void)
{
	const struct ns_map map = {
		.uids = MAPS({ 0, 65534, 1 }),
		.gids = MAPS({ 0, 65534, 1 }),
	};
	struct err e = { 0 };
	struct waiting w;

	become_nobody();
	w = clone_user();
	REQUIRE(w.pid > 0);
	REQUIRE_OK(ns_idmap_write(w.pid, &map, &e), &e);
	CHECK_STR(world_text(file_of(&w, "setgroups")), "deny");
	release(&w);
}

TEST(a_single_own_id_needs_no_helper_but_gives_up_setgroups)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_own_id);
}

/* What shadow's newuidmap would be asked. */
static void fake_helper(const char *path)
{
	world_file(path, "#!/bin/sh\n"
			 "echo \"${0##*/} $*\" >> /tmp/asked\n"
			 "[ ! -e /tmp/refuse ] || { echo 'no such range' >&2; "
			 "exit 1; }\n");
	CHECK(chmod(path, 0755) == 0);
}

static void check_helpers(void)
{
	const struct ns_map map = {
		.uids = MAPS({ 0, 65534, 1 }, { 1, 100000, 65536 }),
		.gids = MAPS({ 0, 65534, 1 }, { 1, 300000, 65536 }),
	};
	struct err e = { 0 };
	struct waiting w;
	char want[256];

	world_dir("/tmp/bin");
	fake_helper("/tmp/bin/newuidmap");
	fake_helper("/tmp/bin/newgidmap");
	world_file("/tmp/asked", "");
	CHECK(chmod("/tmp/asked", 0666) == 0);
	CHECK(setenv("PATH", "/tmp/bin:/usr/bin:/bin", 1) == 0);
	become_nobody();
	w = clone_user();
	REQUIRE(w.pid > 0);
	CHECK_OK(ns_idmap_write(w.pid, &map, &e), &e);
	(void)snprintf(want, sizeof(want),
		       "newuidmap %d 0 65534 1 1 100000 65536\n"
		       "newgidmap %d 0 65534 1 1 300000 65536",
		       w.pid, w.pid);
	CHECK_STR(world_text("/tmp/asked"), want);

	world_file("/tmp/refuse", "");
	CHECK_INT(ns_idmap_write(w.pid, &map, &e), -EPERM);
	CHECK_HAS(e.text, "map users");
	CHECK_HAS(e.text, "no such range");
	CHECK(setenv("PATH", "/nowhere", 1) == 0);
	CHECK_INT(ns_idmap_write(w.pid, &map, &e), -ENOENT);
	CHECK_HAS(e.text, "newuidmap, which is not installed");
	release(&w);
}

TEST(more_than_one_id_is_left_to_newuidmap_and_newgidmap)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_helpers);
}

static void check_userns(void)
{
	const struct ns_map map = {
		.uids = MAPS({ 0, 100000, 10 }),
		.gids = MAPS({ 0, 100000, 10 }),
	};
	int before = world_next_fd(), fd, left = 0;
	struct err e = { 0 };
	unsigned int a, b, c;

	fd = ns_idmap_userns(&map, &e);
	REQUIRE_OK(fd, &e);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(waitpid(-1, &left, WNOHANG) < 0 && errno == ECHILD);
	REQUIRE(setns(fd, CLONE_NEWUSER) == 0);
	CHECK_INT(sscanf(world_text("/proc/self/uid_map"), "%u %u %u", &a, &b,
			 &c),
		  3);
	CHECK_INT(b, 100000);
	(void)close(fd);
	CHECK_INT(world_next_fd(), before);
}

TEST(a_user_namespace_outlives_the_process_that_held_it)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_userns);
}

static const struct tap_test tests[] = {
	TAP(ranges_that_overlap_or_wrap_are_refused),
	TAP(more_lines_than_the_kernel_takes_are_refused),
	TAP(ids_are_looked_up_from_inside_to_outside),
	TAP(root_writes_all_mappings),
	TAP(a_single_own_id_needs_no_helper_but_gives_up_setgroups),
	TAP(more_than_one_id_is_left_to_newuidmap_and_newgidmap),
	TAP(a_user_namespace_outlives_the_process_that_held_it),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

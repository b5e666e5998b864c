/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/clone.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/proc.h"
#include "tests/unit/namespaces-world.h"

static const int no_fds[NS_KIND_N_] = { -1, -1, -1, -1, -1, -1, -1, -1 };

TEST(names_stand_in_the_order_of_the_kinds)
{
	for (int k = 0; k < NS_KIND_N_; k++)
		CHECK_STR(ns_kind_names[k], ns_info[k].name);
	CHECK(!ns_kind_names[NS_KIND_N_]);
}

/* The inode that stands for a namespace of a process. */
static ino_t ns_of(pid_t pid, enum ns_kind kind)
{
	char path[64];
	struct stat st = { 0 };

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid,
		       ns_info[kind].file);
	CHECK(stat(path, &st) == 0);
	return st.st_ino;
}

static bool is_in(ino_t ns, enum ns_kind kind)
{
	return ns_of(getpid(), kind) == ns;
}

/* A process that does nothing until it is ended. */
static pid_t fork_idle(uint64_t flags, int *ret_pidfd)
{
	const struct ns_clone c = {
		.flags = flags,
		.cgroup_fd = -1,
		.ret_pidfd = ret_pidfd,
	};
	struct err e = { 0 };
	pid_t pid = ns_fork(&c, &e);

	if (pid == 0) {
		(void)pause();
		_exit(1);
	}
	(void)CHECK_OK(pid, &e);
	return pid;
}

static void end_idle(pid_t pid)
{
	struct err e = { 0 };

	CHECK(kill(pid, SIGKILL) == 0);
	CHECK_INT(proc_reap(pid, &e), 128 + SIGKILL);
}

static void check_fork(void)
{
	int pidfd = -1;
	pid_t pid = fork_idle(CLONE_NEWUTS | CLONE_NEWIPC, &pidfd);

	REQUIRE(pid > 0);
	CHECK(pidfd >= 0);
	CHECK(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	CHECK(!is_in(ns_of(pid, NS_UTS), NS_UTS));
	CHECK(!is_in(ns_of(pid, NS_IPC), NS_IPC));
	CHECK(is_in(ns_of(pid, NS_NET), NS_NET));
	end_idle(pid);
	(void)close(pidfd);
}

TEST(a_process_starts_in_new_namespaces)
{
	in_world(check_fork);
}

static void check_no_clone3(void)
{
	const struct ns_clone c = { .cgroup_fd = -1 };
	struct err e = { 0 };

	world_without("clone3");
	CHECK_INT(ns_fork(&c, &e), -ENOSYS);
	CHECK_HAS(e.text, "clone3 is missing");
}

TEST(a_kernel_without_clone3_is_named)
{
	in_world(check_no_clone3);
}

static void check_bad_cgroup(void)
{
	const struct ns_clone c = { .cgroup_fd =
					    open("/", O_PATH | O_CLOEXEC) };
	struct err e = { 0 };

	CHECK(ns_fork(&c, &e) < 0);
	CHECK_HAS(e.text, "clone");
}

TEST(a_folder_that_is_no_cgroup_takes_no_process)
{
	in_world(check_bad_cgroup);
}

static void check_open(void)
{
	struct err e = { 0 };
	int fd;

	fd = ns_open("/proc/self/ns/uts", NS_UTS, &e);
	CHECK_OK(fd, &e);
	(void)close(fd);
	CHECK_INT(ns_open("/proc/self/ns/uts", NS_NET, &e), -EINVAL);
	CHECK_STR(e.text, "'/proc/self/ns/uts' is not a network namespace");
	world_file("/tmp/file", "x");
	CHECK_INT(ns_open("/tmp/file", NS_NET, &e), -EINVAL);
	CHECK_STR(e.text, "'/tmp/file' is not a namespace");
	CHECK_INT(ns_open("/tmp/none", NS_NET, &e), -ENOENT);
	/* Without O_NONBLOCK this would wait for a writer for ever. */
	REQUIRE(mkfifo("/tmp/fifo", 0600) == 0);
	CHECK_INT(ns_open("/tmp/fifo", NS_NET, &e), -EINVAL);
}

TEST(only_a_namespace_of_that_kind_is_opened)
{
	in_world(check_open);
}

static void check_join_shared(void)
{
	struct err e = { 0 };
	int fds[NS_KIND_N_];
	ino_t uts_ns, user_ns;
	pid_t uts, user;

	/* The user namespace has no say over a uts namespace of ours: that
	 * must be joined while we are still outside. */
	uts = fork_idle(CLONE_NEWUTS, NULL);
	user = fork_idle(CLONE_NEWUSER, NULL);
	REQUIRE(uts > 0 && user > 0);
	uts_ns = ns_of(uts, NS_UTS);
	user_ns = ns_of(user, NS_USER);
	(void)memcpy(fds, no_fds, sizeof(fds));
	fds[NS_UTS] = ns_open_of(uts, NS_UTS, &e);
	fds[NS_USER] = ns_open_of(user, NS_USER, &e);
	CHECK_OK(ns_join(fds, &e), &e);
	CHECK(is_in(uts_ns, NS_UTS));
	CHECK(is_in(user_ns, NS_USER));
	end_idle(uts);
	end_idle(user);
}

TEST(namespaces_of_the_host_are_joined_before_the_user_namespace)
{
	in_world(check_join_shared);
}

static void drop_all_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct none[2] = { 0 };

	CHECK(syscall(SYS_capset, &header, none) == 0);
}

static void check_join_owned(void)
{
	int fds[NS_KIND_N_];
	struct err e = { 0 };
	pid_t pid = fork_idle(CLONE_NEWUSER | CLONE_NEWUTS, NULL);
	ino_t uts;

	REQUIRE(pid > 0);
	uts = ns_of(pid, NS_UTS);
	(void)memcpy(fds, no_fds, sizeof(fds));
	fds[NS_UTS] = ns_open_of(pid, NS_UTS, &e);
	fds[NS_USER] = ns_open_of(pid, NS_USER, &e);
	/* Like somebody without rights, whose container it is. */
	drop_all_capabilities();
	CHECK_OK(ns_join(fds, &e), &e);
	CHECK(is_in(uts, NS_UTS));
	end_idle(pid);
}

TEST(namespaces_of_a_rootless_container_are_joined_after_its_user_namespace)
{
	in_world(check_join_owned);
}

static void check_join_own_user(void)
{
	int fds[NS_KIND_N_];
	struct err e = { 0 };

	(void)memcpy(fds, no_fds, sizeof(fds));
	fds[NS_USER] = ns_open_of(getpid(), NS_USER, &e);
	CHECK_OK(ns_join(fds, &e), &e);
}

TEST(the_user_namespace_one_is_in_is_no_error)
{
	in_user_world(check_join_own_user);
}

static void check_join_refused(void)
{
	int fds[NS_KIND_N_];
	struct err e = { 0 };
	pid_t pid = fork_idle(CLONE_NEWUTS, NULL);

	REQUIRE(pid > 0);
	(void)memcpy(fds, no_fds, sizeof(fds));
	fds[NS_UTS] = ns_open_of(pid, NS_UTS, &e);
	drop_all_capabilities();
	CHECK_INT(ns_join(fds, &e), -EPERM);
	CHECK_HAS(e.text, "join uts namespace");
	end_idle(pid);
}

TEST(a_namespace_one_may_not_join_is_named)
{
	in_world(check_join_refused);
}

static void check_time(void)
{
	char monotonic[] = "monotonic", boottime[] = "boottime";
	const struct ns_time_offset v[] = {
		{ monotonic, 86400, 5 },
		{ boottime, 172800, 0 },
	};
	struct timespec before, after;
	struct err e = { 0 };
	int status = 0;
	pid_t pid;

	REQUIRE(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
	REQUIRE(unshare(CLONE_NEWTIME) == 0);
	REQUIRE_OK(ns_time_write(v, ARRAY_SIZE(v), &e), &e);
	pid = fork();
	if (pid == 0) {
		(void)clock_gettime(CLOCK_MONOTONIC, &after);
		_exit(after.tv_sec - before.tv_sec < 86400);
	}
	(void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
	CHECK_INT(status, 0);
}

TEST(offsets_move_the_clocks_of_a_new_time_namespace)
{
	in_world(check_time);
}

TEST(offsets_of_unknown_clocks_are_refused)
{
	char realtime[] = "realtime", boottime[] = "boottime";
	const struct ns_time_offset clock = { realtime, 1, 0 };
	const struct ns_time_offset nano = { boottime, 1, 1000000000 };
	struct err e = { 0 };

	CHECK_INT(ns_time_write(&clock, 1, &e), -EINVAL);
	CHECK_HAS(e.text, "unknown clock 'realtime'");
	CHECK_INT(ns_time_write(&nano, 1, &e), -EINVAL);
	CHECK_INT(ns_time_write(NULL, 0, &e), 0);
}

static const struct tap_test tests[] = {
	TAP(names_stand_in_the_order_of_the_kinds),
	TAP(a_process_starts_in_new_namespaces),
	TAP(a_kernel_without_clone3_is_named),
	TAP(a_folder_that_is_no_cgroup_takes_no_process),
	TAP(only_a_namespace_of_that_kind_is_opened),
	TAP(namespaces_of_the_host_are_joined_before_the_user_namespace),
	TAP(namespaces_of_a_rootless_container_are_joined_after_its_user_namespace),
	TAP(the_user_namespace_one_is_in_is_no_error),
	TAP(a_namespace_one_may_not_join_is_named),
	TAP(offsets_move_the_clocks_of_a_new_time_namespace),
	TAP(offsets_of_unknown_clocks_are_refused),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

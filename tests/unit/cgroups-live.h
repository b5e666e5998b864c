/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * For tests with real groups of this host, whatever its layout; as root only.
 * Every test has a group of its own, which is gone afterwards. Each can be run
 * with both drivers:
 *
 *	TEST(x) { NEED_GROUPS(); ... }
 *	WITH_SYSTEMD(x)
 *	... TAP(x), TAP(x_with_systemd),
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroups/cg.h"
#include "cgroups/priv.h"
#include "tests/unit/tap.h"

#define SET(x)                                                                 \
	{                                                                      \
		.set = true, .v = (x)                                          \
	}
#define WAIT_MS 20000

static const struct cg_limits no_limits;
static int live_driver = CG_DRIVER_CGROUPFS;

#define WITH_SYSTEMD(f)                                                        \
	TEST(f##_with_systemd)                                                 \
	{                                                                      \
		live_driver = CG_DRIVER_SYSTEMD;                               \
		f();                                                           \
		live_driver = CG_DRIVER_CGROUPFS;                              \
	}

static inline bool can_make_groups(void)
{
	_cleanup_(cg_host_done) struct cg_host h = { 0 };
	struct err e = { 0 };

	if (geteuid() != 0 || cg_host_find(&h, &e) < 0)
		return false;
	return (h.v2 && access(h.v2, W_OK) == 0) ||
	       (h.v1.n > 0 && access(h.v1.v[0].point, W_OK) == 0);
}

#define NEED_GROUPS()                                                          \
	do {                                                                   \
		if (!can_make_groups())                                        \
			SKIP("needs root and a writable cgroup tree");         \
		if (live_driver == CG_DRIVER_SYSTEMD &&                        \
		    access("/run/systemd/system", F_OK) < 0)                   \
			SKIP("needs systemd");                                 \
	} while (0)

static inline char *group_path(const char *below)
{
	static unsigned int n;

	if (live_driver == CG_DRIVER_SYSTEMD)
		return str_printf(":moat-unit:%d-%u", getpid(), n++);
	return str_printf("/moat-unit-%d-%u%s", getpid(), n++, below);
}

static inline int make(const struct cg_limits *l, bool account, struct cg **ret,
		       struct err *e)
{
	autofree char *path = group_path("");
	const struct cg_config config = {
		.driver = live_driver,
		.path = path,
		.name = (char *)"unit",
		.account = account,
	};

	return cg_create(&config, l, ret, e);
}

/* A process in the group, in the way that a runtime puts it there. */
static inline pid_t start(struct cg *cg, void (*run)(void))
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	struct err e = { 0 };
	int go[2], joined[2];
	pid_t pid;
	char c;

	if (!CHECK_INT(pipe2(go, O_CLOEXEC), 0) ||
	    !CHECK_INT(pipe2(joined, O_CLOEXEC), 0))
		return -1;
	cg_join_prepare(cg);
	if (cg_clone_fd(cg) >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cg_clone_fd(cg);
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(go[1]);
		if (cg_join_self(cg, &e) == 0 &&
		    write(joined[1], "x", 1) == 1 && read(go[0], &c, 1) == 1)
			run();
		_exit(1);
	}
	(void)close(go[0]);
	(void)close(joined[1]);
	CHECK(pid > 0);
	if (CHECK_OK(cg_join(cg, pid, &e), &e) &&
	    CHECK_INT(read(joined[0], &c, 1), 1))
		CHECK_INT(write(go[1], "x", 1), 1);
	(void)close(go[1]);
	(void)close(joined[0]);
	return pid;
}

static inline int ended(pid_t pid)
{
	int status = -1;

	(void)waitpid(pid, &status, 0);
	return status;
}

static inline void for_ever(void)
{
	for (;;)
		(void)pause();
}

static inline void delete_it(struct cg *cg)
{
	autofree char *path = cg_path(cg) ? strdup(cg_path(cg)) : NULL;
	struct err e = { 0 };

	CHECK_OK(cg_kill(cg, &e), &e);
	while (waitpid(-1, NULL, 0) > 0)
		;
	CHECK_OK(cg_delete(cg, WAIT_MS, &e), &e);
	CHECK(!path || access(path, F_OK) < 0);
	cg_free(cg);
}

static inline bool contains(const pid_t *v, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == pid)
			return true;
	}
	return false;
}

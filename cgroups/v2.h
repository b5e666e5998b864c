/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A group in the v2 tree. */
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/ctl.h"

/*
 * Makes the folder path (absolute, below mount), parents too, and opens it
 * O_PATH. One that is there is taken when it is empty, or when shared says
 * that others may be in it. *ret_made: it was not there.
 */
MUST_CHECK int cg_v2_make(const char *mount, const char *path, bool shared,
			  int *ret_fd, bool *ret_made, struct err *e);
/* Who enters a frozen group stands still before he has done anything, and so
 * does he below one: -EBUSY, with the name of that group. */
MUST_CHECK int cg_v2_check_thawed(const char *mount, const char *path,
				  struct err *e);
MUST_CHECK int cg_v2_open(const char *path, int *ret_fd, struct err *e);

/* Has ctl available in the group path: enabled in each group above that does
 * not hand it down yet, starting as far down as possible. */
MUST_CHECK int cg_v2_enable(const char *mount, const char *path,
			    enum cg_ctl ctl, struct err *e);
/* As many of mask as the host has; failure is not worth a word. */
void cg_v2_enable_some(const char *mount, const char *path, uint32_t mask);

/* The group whose processes we are may hand down controllers: it is the root
 * of all, not merely of our namespace. */
bool cg_v2_real_root(const char *mount);

MUST_CHECK int cg_v2_chown(int fd, uid_t uid, gid_t gid, struct err *e);
MUST_CHECK int cg_v2_join(int fd, pid_t pid, struct err *e);

MUST_CHECK int cg_v2_kill(int fd, struct err *e);
MUST_CHECK int cg_v2_freeze(int fd, bool on, int timeout_ms, struct err *e);
/* Once "cgroup.freeze" is written: the processes stand still. -ETIMEDOUT. */
MUST_CHECK int cg_v2_await_frozen(int fd, int timeout_ms, struct err *e);
MUST_CHECK int cg_v2_frozen(int fd, bool *ret, struct err *e);
MUST_CHECK int cg_v2_wait_empty(int fd, int timeout_ms, struct err *e);
/* Removes path and what is below; gone is fine. */
MUST_CHECK int cg_v2_remove(const char *path, int timeout_ms, struct err *e);

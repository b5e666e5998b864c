/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * flock(2) on a small file: gone with its holder, however that died. The lock
 * is the descriptor; closing it is the release.
 */
#include "base/err.h"

enum lock_mode {
	LOCK_SHARED,
	LOCK_EXCLUSIVE,
};

/*
 * Opens (creating, 0600) and locks. timeout_ms: 0 tries once, < 0 waits for
 * ever. -EBUSY when it stays taken. A file that was replaced or removed while
 * we waited is opened anew, so the lock is always on what the name means now.
 */
MUST_CHECK int lock_take(int dirfd, const char *name, enum lock_mode mode,
			 int timeout_ms, struct err *e);

/* The same on a descriptor that is open already; a folder's will do. */
MUST_CHECK int lock_fd(int fd, enum lock_mode mode, int timeout_ms,
		       struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the runtime's callers want to be given besides an exit status. Private
 * to src/runtime. */
#include <sys/types.h>

#include "namespaces/seccomp.h"
#include "src/runtime/launch.h"
#include "src/runtime/rt.h"

/* A pid as decimal text, without a newline, whole or not at all. */
MUST_CHECK int rt_write_pid(const char *path, pid_t pid, struct err *e);

/* One connection: the container process state of the specification, then the
 * listener of l as SCM_RIGHTS, which is not ours any more: when the agent goes,
 * nobody shall wait for its answers. state: the container's own state text. */
MUST_CHECK int rt_send_listener(struct launch *l, const char *state,
				struct err *e);

/* The descriptors to be passed on are there, and are the caller's. */
MUST_CHECK int rt_check_fds(const struct rt_io *io, struct err *e);

/*
 * Whether lines of a program's terminal shall end in \r\n, as the kernel has it:
 * for a terminal in raw mode, or its lines were a flight of stairs. That is the
 * caller's while we hold the master, and likely that of who has it sent: he can
 * switch it off. Who writes what we copy to a file wants \n.
 */
bool rt_crlf(const struct rt_io *io);

/* Console, pidfd and pid to where io says, for init and for exec. */
MUST_CHECK int rt_tell(const struct rt_io *io, const struct launch *l,
		       struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the runtime and the process that becomes the container's program say to
 * each other, over one SOCK_SEQPACKET pair. A step that has nothing to do is
 * not said: both sides read the same struct launch.
 *
 *	runtime (launch.c)		child (child.c)
 *	------------------		-------------------------------
 *	clone3() . . . . . . . . . . .	new namespaces, in its cgroup (v2)
 *		    <-----------------	SYNC_CLONED (from an intermediate
 *					process that joined namespaces)
 *	uid_map, gid_map, cgroups (v1)
 *	SYNC_MAPPED ------------------>	become root of the namespace;
 *	limits, devices, state.json	build the root file system
 *		    <-----------------	SYNC_CONSOLE (+ the pty's master)
 *		    <-----------------	SYNC_ROOTFS
 *	prestart, createRuntime hooks
 *	SYNC_HOOKED (+ state text) --->	createContainer hooks, pivot, labels,
 *					identity, seccomp
 *		    <-----------------	SYNC_LISTENER (number of the fd)
 *	takes it by pidfd_getfd
 *	SYNC_TAKEN ------------------->
 *		    <-----------------	SYNC_READY (limits it could not set)
 *	those limits, scheduling
 *	SYNC_KEPT (create) ----------->	lets go of the lock
 *	SYNC_GO, or the FIFO --------->	startContainer hooks, execve
 *		    <-----------------	end of file: it runs; or SYNC_FAILED
 *
 * After seccomp is loaded the child uses read(2) and write(2) alone: a profile
 * may forbid more. A packet is a fixed struct, so that an error written in the
 * child is the error the caller of the runtime reads.
 *
 * create: the child waits on the FIFO "start" in the state's folder and
 * answers on the FIFO "result"; both were opened before the clone. The process
 * that runs "start" speaks the same packets over them. Until SYNC_KEPT it ends
 * with its runtime, and holds the runtime's lock as long: who finds a create
 * that was killed finds either a container that waits, or none.
 */
#include "base/err.h"

enum sync_step {
	SYNC_FAILED,
	SYNC_CLONED,
	SYNC_MAPPED,
	SYNC_CONSOLE,
	SYNC_ROOTFS,
	SYNC_HOOKED,
	SYNC_LISTENER,
	SYNC_TAKEN,
	SYNC_READY,
	SYNC_KEPT,
	SYNC_GO,
	SYNC_N_,
};

struct sync_packet {
	uint32_t step; /* enum sync_step */
	int32_t value; /* SYNC_CLONED: a pid; SYNC_LISTENER: a descriptor */
	struct err err;
};

MUST_CHECK int sync_pair(int ret_ends[2], struct err *e);

/* By write(2): works under any sensible seccomp profile. */
MUST_CHECK int sync_send(int end, enum sync_step step, int value,
			 struct err *e);
/* With a descriptor. */
MUST_CHECK int sync_send_fd(int end, enum sync_step step, int fd,
			    struct err *e);
/* Tells the other side why we give up; best effort. */
void sync_fail(int end, const struct err *e);

/*
 * Waits for exactly this step. A SYNC_FAILED becomes our error, with its code
 * and sentence. ret_fd and ret_value may be NULL. -ENOTCONN when the other
 * side is gone.
 */
MUST_CHECK int sync_wait(int end, enum sync_step step, int *ret_value,
			 struct err *e);
MUST_CHECK int sync_wait_fd(int end, enum sync_step step, int *ret_fd,
			    struct err *e);
/* 0 when the other side closed (the program runs), else its error. */
MUST_CHECK int sync_wait_end(int end, struct err *e);

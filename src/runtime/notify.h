/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sd_notify(3): a service manager has given us a socket and waits for the word
 * "READY=1" there. The program in the container gets a socket of ours, in a
 * folder of the state that is mounted in it, and we pass on what it says.
 *
 *	create, run	make the folder; the plan has it mounted
 *	start, run	bind the socket, before the program runs
 *	run		passes on, as long as the program lives
 *	start, run -d	pass on until it is ready, say which process is the
 *			service's from now on, and end
 *
 * The program is not believed: a few words about itself are passed on, and
 * none that names processes or descriptors. Private to src/runtime.
 */
#include "base/loop.h"

struct notify {
	int sock; /* the container's; -1: nobody waits */
	int host;
	bool ready;
};

#define NOTIFY_INIT                                                            \
	{                                                                      \
		.sock = -1, .host = -1                                         \
	}

/* The folder, below that of the state. */
#define NOTIFY_DIR "notify"
MUST_CHECK int notify_make_dir(int state_dir, struct err *e);

MUST_CHECK int notify_open(struct notify *n, int state_dir, const char *host,
			   struct err *e);
/* Passes on from within a loop. */
MUST_CHECK int notify_add(struct notify *n, struct loop *l, struct err *e);
/* Until it is ready, or has ended. pid: its process, by pidfd. */
MUST_CHECK int notify_await(struct notify *n, pid_t pid, int pidfd,
			    struct err *e);
void notify_close(struct notify *n);

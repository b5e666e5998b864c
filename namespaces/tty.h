/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Terminals. The container's pty is made in its own devpts, after the mounts:
 * the slave becomes stdin, stdout and stderr and is bound on /dev/console; the
 * master travels to whoever asked for it.
 */
#include <sys/ioctl.h>
#include <termios.h>

#include "base/err.h"

struct ns_tty {
	int master;
	int slave;
};

/* From /dev/pts of the container (rootfd: its root), checked to be devpts. */
MUST_CHECK int ns_tty_open(int rootfd, uint32_t rows, uint32_t cols,
			   struct ns_tty *ret, struct err *e);
/* ONLCR off: a line ends in \n for the reader of the master. For who writes it
 * to a file; a terminal in raw mode needs the \r of the kernel's default. */
MUST_CHECK int ns_tty_bare(int slave, struct err *e);
/* setsid() done before: the slave becomes the controlling terminal and stdio.
 */
MUST_CHECK int ns_tty_adopt(int slave, uint32_t uid, struct err *e);
/* The slave on /dev/console of the container. */
MUST_CHECK int ns_tty_console(int rootfd, int slave, struct err *e);

/* The caller's own terminal, raw while a container uses it. */
MUST_CHECK int ns_tty_raw(int fd, struct termios *ret_old, struct err *e);
void ns_tty_restore(int fd, const struct termios *old);
/* 0 and *ret, or -ENOTTY. */
MUST_CHECK int ns_tty_size(int fd, struct winsize *ret);
MUST_CHECK int ns_tty_resize(int fd, const struct winsize *size);

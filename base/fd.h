/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Descriptors: whole reads and writes, small files, packets that carry
 * descriptors. Everything opened here is close-on-exec.
 */
#include <sys/types.h>

#include "base/err.h"

#define FD_SEND_MAX 16

/* All of it or a negative errno; EINTR and short writes are ours. */
MUST_CHECK int fd_write_all(int fd, const void *buf, size_t len);

/* Reads exactly len bytes. -ENODATA when the other side ends early. */
MUST_CHECK int fd_read_exact(int fd, void *buf, size_t len);

/*
 * Reads to the end. *ret is NUL-terminated behind *ret_len bytes, the
 * caller's to free. More than max bytes is -EFBIG.
 */
MUST_CHECK int fd_read_all(int fd, size_t max, char **ret, size_t *ret_len,
			   struct err *e);

/* The same by name, of a regular file; anything else is refused, and nobody is
 * waited for: the name may be a container's to fill. dirfd may be AT_FDCWD.
 * ret_len may be NULL. */
MUST_CHECK int fd_read_file_at(int dirfd, const char *path, size_t max,
			       char **ret, size_t *ret_len, struct err *e);

/* The same for a name on our caller's command line, which may be a pipe as
 * well: a shell's <(...). One that nobody writes to is refused. */
MUST_CHECK int fd_read_given_at(int dirfd, const char *path, size_t max,
				char **ret, size_t *ret_len, struct err *e);

/*
 * Into a fixed buffer, without allocation: what procfs, sysfs and cgroupfs
 * files are read with. NUL-terminated, one trailing newline cut. Gives the
 * length, or a negative errno; a file that does not fit is -EFBIG.
 */
MUST_CHECK ssize_t fd_read_small_at(int dirfd, const char *path, char *buf,
				    size_t size);

/* One write(2) to an existing file: how kernel files are written. */
MUST_CHECK int fd_write_small_at(int dirfd, const char *path, const char *text,
				 struct err *e);

/*
 * Replaces a file so that a reader, or a crash, sees the old or the new one:
 * written beside it, renamed over it. With sync, it is on the disk before it
 * has the name. mode is less the umask. A link by that name is replaced, not
 * followed.
 */
MUST_CHECK int fd_replace_at(int dirfd, const char *name, const void *data,
			     size_t len, mode_t mode, bool sync, struct err *e);

/*
 * A packet with up to FD_SEND_MAX descriptors over a SOCK_SEQPACKET or
 * SOCK_STREAM socket. Receiving insists on exactly len bytes and at most max
 * descriptors, and closes what came with a packet it refuses. Gives the
 * number of descriptors. -ENOTCONN when the peer has closed.
 */
MUST_CHECK int fd_send(int sock, const void *buf, size_t len, const int *fds,
		       size_t n_fds, struct err *e);
MUST_CHECK int fd_recv(int sock, void *buf, size_t len, int *ret_fds,
		       size_t max, struct err *e);

/* Connects to a UNIX stream socket; paths longer than sun_path work too. */
MUST_CHECK int fd_connect_unix(const char *path, struct err *e);

/* Sends one descriptor the way runc's callers want their console: the name
 * as data, the descriptor as SCM_RIGHTS. */
MUST_CHECK int fd_send_named(int sock, const char *name, int fd, struct err *e);

/* Closes everything from first on, except those in keep. */
void fd_close_from(int first, const int *keep, size_t n_keep);
/* Marks everything from first on close-on-exec. */
MUST_CHECK int fd_cloexec_from(int first, struct err *e);

/* A copy numbered at least min, close-on-exec. */
MUST_CHECK int fd_copy(int fd, int min, struct err *e);
MUST_CHECK int fd_set_nonblock(int fd, bool on);
/* 0, 1, 2 exist afterwards: what is closed becomes /dev/null. */
MUST_CHECK int fd_ensure_stdio(struct err *e);

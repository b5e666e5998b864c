/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"

/* What we have opened ourselves may have taken the number of one that is not
 * there, but is close-on-exec; nothing that an execve gave us can be. */
int rt_check_fds(const struct rt_io *io, struct err *e)
{
	uint64_t end = 3 + (uint64_t)io->listen_fds + io->preserve_fds;

	for (uint64_t fd = 3; fd < end; fd++) {
		int flags = fd > INT_MAX ? -1 : fcntl((int)fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			continue;
		return err_set(
			e, -EBADF,
			"descriptor %llu is to be passed on (%s) and is not open",
			(unsigned long long)fd,
			fd < 3 + (uint64_t)io->listen_fds ? "LISTEN_FDS"
							  : "--preserve-fds");
	}
	return 0;
}

int rt_write_pid(const char *path, pid_t pid, struct err *e)
{
	char text[16];
	int n, r;

	n = snprintf(text, sizeof(text), "%d", (int)pid);
	r = fd_replace_at(AT_FDCWD, path, text, (size_t)n, 0644, false, e);
	if (r < 0)
		return err_wrap(e, r, "pid file");
	return 0;
}

bool rt_crlf(const struct rt_io *io)
{
	return io->console_socket ||
	       (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

static int send_to(const char *path, const char *what, const char *name, int fd,
		   struct err *e)
{
	autoclose int sock = -1;
	int r;

	if (!path)
		return 0;
	sock = fd_connect_unix(path, e);
	if (sock < 0)
		return err_wrap(e, sock, "%s", what);
	r = fd_send_named(sock, name, fd, e);
	return r < 0 ? err_wrap(e, r, "%s", what) : 0;
}

int rt_tell(const struct rt_io *io, const struct launch *l, struct err *e)
{
	const char *pidfd_to = io->pidfd_socket;
	int r = 0;

	if (!pidfd_to && !rt_launch_is_exec(l))
		pidfd_to = l->plan->pidfd_receiver;
	if (l->console >= 0)
		r = send_to(io->console_socket, "console socket", "/dev/ptmx",
			    l->console, e);
	if (r >= 0)
		r = send_to(pidfd_to, "pidfd socket", "pidfd", l->pidfd, e);
	if (r >= 0 && io->pid_file)
		r = rt_write_pid(io->pid_file, l->pid, e);
	return r < 0 ? r : 0;
}

/* The "container process state" that agents of seccomp listeners read. */
static int listener_text(const struct ns_seccomp *s, const char *state,
			 pid_t pid, char **ret, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };

	json_out_begin(&o, '{');
	json_out_key(&o, "ociVersion");
	json_out_str(&o, "1.3.0");
	json_out_key(&o, "fds");
	json_out_begin(&o, '[');
	json_out_str(&o, "seccompFd");
	json_out_end(&o, ']');
	json_out_key(&o, "pid");
	json_out_i64(&o, pid);
	if (s->listener_metadata) {
		json_out_key(&o, "metadata");
		json_out_str(&o, s->listener_metadata);
	}
	json_out_key(&o, "state");
	json_out_raw(&o, state);
	json_out_end(&o, '}');
	return json_out_take(&o, ret, NULL, e);
}

int rt_send_listener(struct launch *l, const char *state, struct err *e)
{
	const struct ns_seccomp *s = l->plan->seccomp;
	autoclose int listener = steal_fd(&l->listener);
	autofree char *text = NULL;
	autoclose int sock = -1;
	int r;

	r = listener_text(s, state, l->pid, &text, e);
	if (r < 0)
		return r;
	sock = fd_connect_unix(s->listener_path, e);
	if (sock < 0)
		return err_wrap(e, sock, "seccomp listener");
	return fd_send(sock, text, strlen(text), &listener, 1, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "src/oci/plan.h"

#define MESSAGE_MAX 4096
/* What sd_notify_barrier(3) waits for a manager that is busy. */
#define BARRIER_TIMEOUT_MS 30000

/* What a program may say about itself. */
static const char *const words[] = {
	"READY=",	   "RELOADING=", "STOPPING=", "STATUS=",
	"ERRNO=",	   "BUSERROR=",	 "WATCHDOG=", "EXTEND_TIMEOUT_USEC=",
	"MONOTONIC_USEC=",
};

/* --- the two ends ----------------------------------------------------------*/

int notify_make_dir(int state_dir, struct err *e)
{
	if (mkdirat(state_dir, NOTIFY_DIR, 0755) < 0 && errno != EEXIST)
		return err_errno(e, "make '%s'", NOTIFY_DIR);
	/* Also for a program that is not root, whatever our umask says. */
	if (fchmodat(state_dir, NOTIFY_DIR, 0755, 0) < 0)
		return err_errno(e, "open '%s' to all", NOTIFY_DIR);
	return 0;
}

static int bind_here(int sock, int dir, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char path[PATH_FD_MAX];

	/* By descriptor: the real path may be too long for an address. */
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s",
		       path_of_fd(dir, path), PLAN_NOTIFY_NAME);
	(void)unlinkat(dir, PLAN_NOTIFY_NAME, 0);
	if (bind(sock, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    fchmodat(dir, PLAN_NOTIFY_NAME, 0777, 0) < 0)
		return err_errno(e, "make the container's notify socket");
	return 0;
}

static int make_sock(struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_errno(e, "make a socket") : fd;
}

static int connect_host(int sock, const char *host, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(host);

	if ((host[0] != '/' && host[0] != '@') || len >= sizeof(to.sun_path))
		return err_set(e, -EINVAL,
			       "NOTIFY_SOCKET: '%.128s' is no socket's address",
			       host);
	(void)memcpy(to.sun_path, host, len);
	if (host[0] == '@')
		to.sun_path[0] = '\0';
	else
		len++;
	if (connect(sock, (const struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) <
	    0)
		return err_errno(e, "NOTIFY_SOCKET: connect to '%s'", host);
	return 0;
}

int notify_open(struct notify *n, int state_dir, const char *host,
		struct err *e)
{
	autoclose int dir = -1;
	int r;

	dir = openat(state_dir, NOTIFY_DIR,
		     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "open '%s'", NOTIFY_DIR);
	n->sock = make_sock(e);
	if (n->sock < 0)
		return n->sock;
	n->host = make_sock(e);
	if (n->host < 0)
		return n->host;
	r = connect_host(n->host, host, e);
	return r < 0 ? r : bind_here(n->sock, dir, e);
}

void notify_close(struct notify *n)
{
	if (n->sock >= 0)
		(void)close(steal_fd(&n->sock));
	if (n->host >= 0)
		(void)close(steal_fd(&n->host));
}

/* --- what is said ----------------------------------------------------------*/

static bool is_known(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_starts(line, words[i]))
			return true;
	log_debug("not passed on from the container: '%.64s'", line);
	return false;
}

/* The lines we pass on, each with its end, into out of the same size. */
static size_t sift(struct notify *n, char *text, char *out)
{
	char *line, *rest = text;
	size_t used = 0;

	while ((line = strsep(&rest, "\n"))) {
		size_t len = strlen(line);

		if (len == 0 || !is_known(line))
			continue;
		if (str_eq(line, "READY=1"))
			n->ready = true;
		(void)memcpy(out + used, line, len);
		out[used + len] = '\n';
		used += len + 1;
	}
	return used;
}

static int pass_on(struct notify *n, const char *text, size_t len,
		   struct err *e)
{
	int r = len > 0 ? fd_send(n->host, text, len, NULL, 0, e) : 0;

	return r < 0 ? err_wrap(e, r, "NOTIFY_SOCKET") : 0;
}

/* One message from the container. Its descriptors, if any, are not taken. */
static int relay(struct notify *n, struct err *e)
{
	char text[MESSAGE_MAX + 1], out[MESSAGE_MAX + 1];
	ssize_t len;

	len = recv(n->sock, text, MESSAGE_MAX, MSG_DONTWAIT);
	if (len < 0)
		return errno == EAGAIN || errno == EINTR
			       ? 0
			       : err_errno(e, "read the notify socket");
	text[len] = '\0';
	return pass_on(n, out, sift(n, text, out), e);
}

/* A program that says too much, or a manager that is gone, is no reason to end
 * a container. */
static int on_message(void *arg, int fd, uint32_t events, struct err *e)
{
	struct err why = { 0 };

	if (relay(arg, &why) < 0)
		log_warning("%s", err_text(&why));
	return 0;
}

int notify_add(struct notify *n, struct loop *l, struct err *e)
{
	return loop_add_fd(l, n->sock, EPOLLIN, on_message, n, NULL, e);
}

/* --- until it is ready -----------------------------------------------------*/

/*
 * The manager asks the kernel whose message it was: we stay until it has read
 * it. It closes the descriptor that comes with the barrier when it gets there.
 */
static int await_manager(struct notify *n, struct err *e)
{
	static const char text[] = "BARRIER=1";
	struct pollfd p = { .events = 0 };
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, "make a pipe");
	r = fd_send(n->host, text, strlen(text), &ends[1], 1, e);
	(void)close(ends[1]);
	p.fd = ends[0];
	if (r >= 0 && poll(&p, 1, BARRIER_TIMEOUT_MS) <= 0)
		log_warning("NOTIFY_SOCKET: nobody reads it");
	(void)close(ends[0]);
	return r < 0 ? err_wrap(e, r, "NOTIFY_SOCKET") : 0;
}

int notify_await(struct notify *n, pid_t pid, int pidfd, struct err *e)
{
	struct pollfd p[2] = {
		{ .fd = n->sock, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
	};
	char text[32];
	int len, r;

	while (!n->ready) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_errno(e, "wait for the program");
		r = relay(n, e);
		if (r < 0)
			return r;
		/* What it said last is still ours to pass on. */
		if (!p[0].revents && p[1].revents)
			return 0;
	}
	len = snprintf(text, sizeof(text), "MAINPID=%d\n", (int)pid);
	r = pass_on(n, text, (size_t)len, e);
	return r < 0 ? r : await_manager(n, e);
}

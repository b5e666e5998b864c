/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

/* A union, for the alignment cmsg(3) asks for. */
union fd_control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int) * FD_SEND_MAX)];
};

/*
 * Puts the descriptors into the message. The control buffer must be zero:
 * the kernel gets its padding too.
 */
static void put_fds(struct msghdr *msg, union fd_control *control,
		    const int *fds, size_t n)
{
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * n);
	control->header.cmsg_level = SOL_SOCKET;
	control->header.cmsg_type = SCM_RIGHTS;
	control->header.cmsg_len = CMSG_LEN(sizeof(int) * n);
	(void)memcpy(CMSG_DATA(&control->header), fds, sizeof(int) * n);
}

/* What a stream took only in part goes on without the descriptors. */
static int send_rest(int sock, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n =
			TEMP_FAILURE_RETRY(send(sock, p, len, MSG_NOSIGNAL));

		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_send(int sock, const void *buf, size_t len, const int *fds, size_t n_fds,
	    struct err *e)
{
	union fd_control control = { 0 };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int r;

	assert(len > 0 && n_fds <= FD_SEND_MAX);
	if (n_fds > 0)
		put_fds(&msg, &control, fds, n_fds);

	n = TEMP_FAILURE_RETRY(sendmsg(sock, &msg, MSG_NOSIGNAL));
	r = n < 0 ? -errno
		  : send_rest(sock, (const char *)buf + n, len - (size_t)n);
	if (r == -EPIPE || r == -ECONNRESET)
		return err_set(e, -ENOTCONN, "peer closed the socket");
	return r < 0 ? err_code(e, r, "send packet") : 0;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

/* All descriptors that came; there is no room in the buffer for more than
 * FD_SEND_MAX. */
static size_t take_fds(struct msghdr *msg, int fds[FD_SEND_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		assert(n * sizeof(int) + bytes <= FD_SEND_MAX * sizeof(int));
		(void)memcpy(fds + n, CMSG_DATA(c), bytes);
		n += bytes / sizeof(int);
	}
	return n;
}

static bool is_stream(int sock)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

/*
 * The kernel ends a read of a stream behind the piece that carried the
 * descriptors, MSG_WAITALL or not. Descriptors with the rest are refused.
 */
static ssize_t recv_rest(int sock, char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct iovec iov = { .iov_base = buf + done,
				     .iov_len = len - done };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = TEMP_FAILURE_RETRY(
			recvmsg(sock, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (msg.msg_flags & MSG_CTRUNC)
			return -EPROTO;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Bytes of one packet, the descriptors beside it; 0: the peer has closed. */
static ssize_t recv_packet(int sock, struct msghdr *msg)
{
	ssize_t got = TEMP_FAILURE_RETRY(
		recvmsg(sock, msg, MSG_CMSG_CLOEXEC | MSG_WAITALL));

	if (got < 0)
		return errno == ECONNRESET ? 0 : -errno;
	return got;
}

int fd_recv(int sock, void *buf, size_t len, int *ret_fds, size_t max,
	    struct err *e)
{
	union fd_control control;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[FD_SEND_MAX];
	ssize_t got, rest = 0;
	size_t n;

	got = recv_packet(sock, &msg);
	if (got < 0)
		return err_code(e, (int)got, "receive packet");
	if (got == 0)
		return err_set(e, -ENOTCONN, "peer closed the socket");

	/*
	 * Take the descriptors before judging the packet: from here on they
	 * are ours, and a refused packet must not leak them.
	 */
	n = take_fds(&msg, fds);
	if ((size_t)got < len && is_stream(sock))
		rest = recv_rest(sock, (char *)buf + got, len - (size_t)got);
	if (rest > 0)
		got += rest;
	if (rest < 0 || (size_t)got != len || n > max ||
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		close_all(fds, n);
		return err_set(e, -EPROTO,
			       "unexpected packet: %zd bytes, %zu descriptors",
			       got, n);
	}

	if (n > 0)
		(void)memcpy(ret_fds, fds, sizeof(int) * n);
	return (int)n;
}

/* A path that sun_path has no room for is reached through its inode. */
static int set_address(struct sockaddr_un *addr, const char *path, int *ret_fd)
{
	char via[PATH_FD_MAX];

	if (strlen(path) >= sizeof(addr->sun_path)) {
		*ret_fd = open(path, O_PATH | O_CLOEXEC);
		if (*ret_fd < 0)
			return -errno;
		path = path_of_fd(*ret_fd, via);
	}
	(void)memcpy(addr->sun_path, path, strlen(path) + 1);
	return 0;
}

int fd_connect_unix(const char *path, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autoclose int sock = -1, via = -1;
	int r;

	r = set_address(&addr, path, &via);
	if (r < 0)
		return err_code(e, r, "open '%s'", path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return err_errno(e, "make a socket");
	if (TEMP_FAILURE_RETRY(connect(sock, (const struct sockaddr *)&addr,
				       sizeof(addr))) < 0)
		return err_errno(e, "connect to '%s'", path);
	return steal_fd(&sock);
}

int fd_send_named(int sock, const char *name, int fd, struct err *e)
{
	int r = fd_send(sock, name, strlen(name), &fd, 1, e);

	return r < 0 ? err_wrap(e, r, "send descriptor '%s'", name) : 0;
}

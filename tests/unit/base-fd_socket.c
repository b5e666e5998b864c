/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

struct pair {
	int a, b;
};

static void pair_done(struct pair *p)
{
	(void)close(p->a);
	(void)close(p->b);
}

static struct pair make_pair(int type)
{
	int ends[2] = { -1, -1 };

	(void)!socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends);
	return (struct pair){ ends[0], ends[1] };
}

#define PAIR(type) _cleanup_(pair_done) struct pair p = make_pair(type)

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

TEST(a_packet_arrives_with_its_descriptors)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		PAIR(types[i]);
		int got[2] = { -1, -1 };
		struct err e = { 0 };
		char buf[5] = "";

		CHECK_OK(fd_send(p.a, "hello", 5, (int[]){ p.a, p.b }, 2, &e),
			 &e);
		REQUIRE(CHECK_INT(fd_recv(p.b, buf, 5, got, 2, &e), 2));
		CHECK_INT(memcmp(buf, "hello", 5), 0);
		CHECK(same_file(got[0], p.a) && same_file(got[1], p.b));
		CHECK_INT(fcntl(got[0], F_GETFD), FD_CLOEXEC);
		(void)close(got[0]);
		(void)close(got[1]);
	}
}

TEST(a_packet_needs_no_descriptors)
{
	PAIR(SOCK_SEQPACKET);
	struct err e = { 0 };
	char buf[2];

	CHECK_OK(fd_send(p.a, "hi", 2, NULL, 0, &e), &e);
	CHECK_INT(fd_recv(p.b, buf, 2, NULL, 0, &e), 0);
}

TEST(refused_packets_leak_no_descriptor)
{
	static const struct {
		size_t send, recv, n_fds, max;
	} rows[] = {
		{ 4, 4, 3, 1 },	 /* too many descriptors */
		{ 4, 4, 1, 0 },	 /* none wanted */
		{ 3, 4, 2, 2 },	 /* too short */
		{ 5, 4, 2, 2 },	 /* too long */
		{ 4, 4, 16, 1 }, /* as many as fit */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PAIR(SOCK_SEQPACKET);
		int fds[FD_SEND_MAX], before = open_fds(), got[FD_SEND_MAX];
		struct err e = { 0 };
		char buf[8] = "";

		for (size_t k = 0; k < FD_SEND_MAX; k++)
			fds[k] = p.a;
		CHECK_OK(fd_send(p.a, "12345678", rows[i].send, fds,
				 rows[i].n_fds, &e),
			 &e);
		if (!CHECK_INT(fd_recv(p.b, buf, rows[i].recv, got, rows[i].max,
				       &e),
			       -EPROTO))
			tap_note("row %zu", i);
		CHECK_HAS(e.text, "unexpected packet");
		CHECK_INT(open_fds(), before);
	}
}

/* More than fd_send() would ever send. */
static int send_many(int sock, size_t n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 64)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	int fds[64];

	for (size_t i = 0; i < n; i++)
		fds[i] = sock;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int) * n);
	(void)memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n);
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

TEST(more_descriptors_than_there_is_room_for_are_refused)
{
	PAIR(SOCK_SEQPACKET);
	int before = open_fds(), got[FD_SEND_MAX];
	struct err e = { 0 };
	char buf[1];

	REQUIRE(send_many(p.a, 40) == 0);
	CHECK_INT(fd_recv(p.b, buf, 1, got, FD_SEND_MAX, &e), -EPROTO);
	CHECK_INT(open_fds(), before);
}

struct sender {
	int sock;
	char *data;
	size_t len;
	int r;
};

static void *send_in_thread(void *arg)
{
	struct sender *s = arg;

	s->r = fd_send(s->sock, s->data, s->len, &s->sock, 1, NULL);
	return NULL;
}

/* The kernel cuts it into pieces, of which the first carries the descriptor. */
TEST(a_large_packet_comes_whole_over_a_stream)
{
	PAIR(SOCK_STREAM);
	const size_t len = 700001;
	autofree char *sent = malloc(len), *got = calloc(1, len);
	struct sender s = { .sock = p.a, .data = sent, .len = len };
	struct err e = { 0 };
	pthread_t thread;
	int fd = -1;

	REQUIRE(sent && got);
	for (size_t i = 0; i < len; i++)
		sent[i] = (char)(i * 7 + i / 251);
	REQUIRE(pthread_create(&thread, NULL, send_in_thread, &s) == 0);
	CHECK_INT(fd_recv(p.b, got, len, &fd, 1, &e), 1);
	(void)pthread_join(thread, NULL);
	CHECK_INT(s.r, 0);
	CHECK_INT(memcmp(sent, got, len), 0);
	CHECK(same_file(fd, p.a));
	(void)close(fd);
}

TEST(a_stream_that_takes_no_more_is_an_error_not_a_hang)
{
	PAIR(SOCK_STREAM);
	const size_t len = 8 << 20;
	autofree char *data = calloc(1, len);
	struct err e = { 0 };

	REQUIRE(data && fd_set_nonblock(p.a, true) == 0);
	CHECK_INT(fd_send(p.a, data, len, NULL, 0, &e), -EAGAIN);
	CHECK_STR(e.text, "send packet: Resource temporarily unavailable");
	CHECK_INT(fd_recv(p.a, data, 1, NULL, 0, &e), -EAGAIN);
}

TEST(descriptors_in_the_middle_of_a_packet_are_refused)
{
	PAIR(SOCK_STREAM);
	int before = open_fds(), got[2];
	struct err e = { 0 };
	char buf[4];

	REQUIRE_OK(fd_send(p.a, "12", 2, &p.a, 1, &e), &e);
	REQUIRE_OK(fd_send(p.a, "34", 2, &p.b, 1, &e), &e);
	CHECK_INT(fd_recv(p.b, buf, 4, got, 2, &e), -EPROTO);
	CHECK_INT(open_fds(), before);
}

TEST(a_stream_that_ends_early_is_refused)
{
	PAIR(SOCK_STREAM);
	int before = open_fds(), got[1];
	struct err e = { 0 };
	char buf[4];

	REQUIRE_OK(fd_send(p.a, "12", 2, &p.b, 1, &e), &e);
	(void)shutdown(p.a, SHUT_WR);
	CHECK_INT(fd_recv(p.b, buf, 4, got, 1, &e), -EPROTO);
	CHECK_INT(open_fds(), before);
}

TEST(a_peer_that_has_gone_is_told_apart_and_no_signal_kills)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		PAIR(types[i]);
		struct err e = { 0 };
		char buf[4];

		/* With something unread it is a reset, without it an end. */
		REQUIRE_OK(fd_send(p.b, "xxxx", 4, NULL, 0, &e), &e);
		(void)close(steal_fd(&p.a));
		CHECK_INT(fd_recv(p.b, buf, 4, NULL, 0, &e), -ENOTCONN);
		CHECK_INT(fd_recv(p.b, buf, 4, NULL, 0, &e), -ENOTCONN);
		CHECK_INT(fd_send(p.b, "xxxx", 4, NULL, 0, &e), -ENOTCONN);
		CHECK_STR(e.text, "peer closed the socket");
	}
}

static int make_listener(int dirfd, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autoclose int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char at[PATH_FD_MAX];

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s",
		       path_of_fd(dirfd, at), name);
	if (bind(sock, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(sock, 1) < 0)
		return -1;
	return steal_fd(&sock);
}

static void check_console(const char *path, int listener)
{
	struct err e = { 0 };
	autoclose int sock = fd_connect_unix(path, &e), peer = -1, fd = -1;
	char name[9] = "";

	REQUIRE_OK(sock, &e);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK_OK(fd_send_named(sock, "/dev/pty", listener, &e), &e);
	CHECK_INT(fd_recv(peer, name, 8, &fd, 1, &e), 1);
	CHECK_STR(name, "/dev/pty");
	CHECK(same_file(fd, listener));
}

TEST(sockets_are_found_by_short_and_by_long_paths)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autoclose int dir = -1, near = -1, far = -1;
	autofree char *path = NULL, *deep = NULL;
	char name[101];
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	(void)memset(name, 'd', 100);
	name[100] = '\0';
	REQUIRE(mkdirat(s.fd, name, 0755) == 0);
	dir = openat(s.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	near = make_listener(s.fd, "s");
	far = make_listener(dir, "s");
	REQUIRE(near >= 0 && far >= 0);

	path = str_printf("%s/s", s.path);
	deep = str_printf("%s/%s/s", s.path, name);
	REQUIRE(path && deep && strlen(deep) > 108);
	check_console(path, near);
	check_console(deep, far);
	CHECK_INT(fd_connect_unix("/no/such", &e), -ENOENT);
	CHECK_HAS(e.text, "'/no/such'");
	(void)unlinkat(dir, "s", 0);
	CHECK_INT(fd_connect_unix(deep, &e), -ENOENT);
}

static const struct tap_test tests[] = {
	TAP(a_packet_arrives_with_its_descriptors),
	TAP(a_packet_needs_no_descriptors),
	TAP(refused_packets_leak_no_descriptor),
	TAP(more_descriptors_than_there_is_room_for_are_refused),
	TAP(a_large_packet_comes_whole_over_a_stream),
	TAP(a_stream_that_takes_no_more_is_an_error_not_a_hang),
	TAP(descriptors_in_the_middle_of_a_packet_are_refused),
	TAP(a_stream_that_ends_early_is_refused),
	TAP(a_peer_that_has_gone_is_told_apart_and_no_signal_kills),
	TAP(sockets_are_found_by_short_and_by_long_paths),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

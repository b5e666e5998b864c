/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "src/agent/boot.h"

/* As microvm/backend.h has them on the host's side. */
#define AGENT_PORT 1024
#define AGENT_NAME "moat.agent"

#define PORTS "/sys/class/virtio-ports"

/* The ports are announced by the host one by one, after their driver has been
 * loaded; nothing else happens in this machine meanwhile. */
#define TRIES	 5000
#define PAUSE_NS 1000000

static void wait_a_moment(void)
{
	const struct timespec t = { .tv_nsec = PAUSE_NS };

	/* allow nanosleep: there is no event for a port's name */
	(void)nanosleep(&t, NULL);
}

static int connect_vsock(void)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = AGENT_PORT,
	};
	autoclose int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return steal_fd(&fd);
}

static bool is_ours(int dir, const char *port)
{
	char path[300], name[64];

	(void)snprintf(path, sizeof(path), "%s/name", port);
	return fd_read_small_at(dir, path, name, sizeof(name)) >= 0 &&
	       str_eq(name, AGENT_NAME);
}

static int open_port(void)
{
	autoclosedir DIR *dir = opendir(PORTS);
	struct dirent *d;
	char path[300];

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || !is_ours(dirfd(dir), d->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%s", d->d_name);
		return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	return -1;
}

/* A port whose other end is not connected yet reads as ended. */
static bool host_is_there(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP);
}

static int await_port(struct err *e)
{
	autoclose int fd = -1;

	for (int i = 0; i < TRIES; i++) {
		if (fd < 0)
			fd = open_port();
		if (fd >= 0 && host_is_there(fd))
			return steal_fd(&fd);
		wait_a_moment();
	}
	return err_set(e, -ENODEV,
		       "no way to the host: neither vsock nor a port '%s'",
		       AGENT_NAME);
}

int agent_connect(struct err *e)
{
	int fd = connect_vsock();

	return fd >= 0 ? fd : await_port(e);
}

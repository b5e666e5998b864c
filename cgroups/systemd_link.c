/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define MANAGER	     "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"

/*
 * Never blocks: the backlog of a stopped listener fills up, and a blocking
 * connect(2) would wait for it for ever.
 */
static int connect_to(const char *path, bool abstract, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	autoclose int fd = -1;
	size_t n = strlen(path);
	socklen_t len;

	if (n + abstract >= sizeof(a.sun_path))
		return err_set(e, -ENAMETOOLONG, "socket '%s': name too long",
			       path);
	memcpy(a.sun_path + abstract, path, n);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
			  n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, "make a socket");
	if (connect(fd, (const struct sockaddr *)&a, len) < 0)
		return err_errno(e, "connect to '%s'", path);
	return steal_fd(&fd);
}

/* "unix:path=/run/x,guid=..;unix:abstract=y": the first that can be had. */
static int connect_address(const char *address, struct err *e)
{
	autostrv char **all = NULL;
	int r = -EINVAL;

	if (strv_split(address, ';', &all) < 0)
		return err_nomem(e);
	STRV_FOREACH(one, all) {
		bool abstract = str_starts(*one, "unix:abstract=");
		char *path = strchr(*one, '=');

		if (!abstract && !str_starts(*one, "unix:path="))
			continue;
		path++;
		path[strcspn(path, ",")] = '\0';
		r = connect_to(path, abstract, e);
		if (r >= 0)
			return r;
	}
	if (r == -EINVAL)
		return err_set(e, r, "D-Bus address '%s' is not understood",
			       address);
	return r;
}

static int open_link(struct cg_dbus_link *l, int fd, bool is_bus,
		     int timeout_ms, struct err *e)
{
	if (fd < 0)
		return fd;
	return cg_dbus_link_open(l, fd, is_bus, timeout_ms, e);
}

static int connect_system(struct cg_dbus_link *l, int timeout_ms, struct err *e)
{
	int r;

	/* As root straight to the manager. */
	r = open_link(l, connect_to("/run/systemd/private", false, e), false,
		      timeout_ms, e);
	if (r == 0 || r == -ETIMEDOUT)
		return r;
	return open_link(l, connect_to("/run/dbus/system_bus_socket", false, e),
			 true, timeout_ms, e);
}

static int connect_user(struct cg_dbus_link *l, int timeout_ms, struct err *e)
{
	const char *bus = getenv("DBUS_SESSION_BUS_ADDRESS");
	const char *dir = getenv("XDG_RUNTIME_DIR");
	int r = -ENOENT;

	if (dir && *dir == '/') {
		autofree char *path = str_printf("%s/systemd/private", dir);

		if (!path)
			return err_nomem(e);
		r = open_link(l, connect_to(path, false, e), false, timeout_ms,
			      e);
		if (r == 0 || r == -ETIMEDOUT)
			return r;
	}
	if (bus && *bus)
		return open_link(l, connect_address(bus, e), true, timeout_ms,
				 e);
	if (dir && *dir == '/') {
		autofree char *path = str_printf("%s/bus", dir);

		if (!path)
			return err_nomem(e);
		return open_link(l, connect_to(path, false, e), true,
				 timeout_ms, e);
	}
	return err_set(
		e, r,
		"neither XDG_RUNTIME_DIR nor DBUS_SESSION_BUS_ADDRESS is set");
}

void cg_systemd_call(const struct cg_dbus_link *l, struct cg_dbus_out *m,
		     const char *method, const char *signature)
{
	cg_dbus_call(m, l->is_bus ? MANAGER : NULL, MANAGER_PATH,
		     MANAGER ".Manager", method, signature);
}

int cg_systemd_connect(struct cg_dbus_link *l, bool user, int timeout_ms,
		       struct err *e)
{
	const char *who = user ? "the user's systemd" : "systemd";
	int r;

	r = user ? connect_user(l, timeout_ms, e)
		 : connect_system(l, timeout_ms, e);
	if (r == -ETIMEDOUT || r == -EAGAIN)
		return err_set(e, -ETIMEDOUT, "%s does not answer", who);
	if (r < 0)
		return err_wrap(
			e, r,
			"%s is not to be reached (the cgroupfs driver does without it)",
			who);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "namespaces/place.h"
#include "namespaces/tree.h"

/* Unix98 slaves have the majors 136 to 143. */
#define SLAVE_FIRST 136
#define SLAVE_LAST  143

static bool is_on_devpts(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && st.f_type == DEVPTS_SUPER_MAGIC;
}

static int open_master(int rootfd, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;

	fd = path_open_in_root(rootfd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY,
			       RESOLVE_NO_SYMLINKS, e);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at '/dev/pts/ptmx'");
	/* An image may have anything of that name. */
	if (!is_on_devpts(fd) || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(5, 2))
		return err_set(e, -EINVAL,
			       "'/dev/pts' of the container is not a devpts");
	return steal_fd(&fd);
}

/*
 * From the master, not by its name: between the two somebody could have put
 * something else there (CVE-2025-52565).
 */
static int open_slave(int master, struct err *e)
{
	autoclose int fd = -1;
	int locked = 0;
	struct stat st;

	if (ioctl(master, TIOCSPTLCK, &locked) < 0)
		return err_errno(e, "unlock pty");
	fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "open pty slave");
	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at pty slave");
	if (!is_on_devpts(fd) || !S_ISCHR(st.st_mode) ||
	    major(st.st_rdev) < SLAVE_FIRST || major(st.st_rdev) > SLAVE_LAST)
		return err_set(e, -EINVAL, "the pty has a foreign slave");
	return steal_fd(&fd);
}

static int set_size(int slave, uint32_t rows, uint32_t cols, struct err *e)
{
	const struct winsize size = {
		.ws_row = (unsigned short)MIN_OF(rows, (uint32_t)UINT16_MAX),
		.ws_col = (unsigned short)MIN_OF(cols, (uint32_t)UINT16_MAX),
	};

	if ((rows || cols) && ioctl(slave, TIOCSWINSZ, &size) < 0)
		return err_errno(e, "set pty size");
	return 0;
}

int ns_tty_open(int rootfd, uint32_t rows, uint32_t cols, struct ns_tty *ret,
		struct err *e)
{
	autoclose int master = open_master(rootfd, e), slave = -1;
	int r;

	if (master < 0)
		return err_wrap(e, master, "terminal");
	slave = open_slave(master, e);
	if (slave < 0)
		return err_wrap(e, slave, "terminal");
	r = set_size(slave, rows, cols, e);
	if (r < 0)
		return err_wrap(e, r, "terminal");
	ret->master = steal_fd(&master);
	ret->slave = steal_fd(&slave);
	return 0;
}

int ns_tty_bare(int slave, struct err *e)
{
	struct termios t;

	if (tcgetattr(slave, &t) < 0)
		return err_errno(e, "read pty settings");
	t.c_oflag &= ~(tcflag_t)ONLCR;
	if (tcsetattr(slave, TCSANOW, &t) < 0)
		return err_errno(e, "change pty settings");
	return 0;
}

int ns_tty_adopt(int slave, uint32_t uid, struct err *e)
{
	/* The user must be able to open /dev/tty and its own stdio again; the
	 * group stays what devpts gave (tty). */
	if (fchown(slave, uid, (gid_t)-1) < 0 && errno != EINVAL &&
	    errno != EPERM)
		return err_errno(e, "give the terminal to uid %u", uid);
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_errno(e, "make the pty the controlling terminal");
	for (int fd = 0; fd < 3; fd++) {
		if (fd == slave)
			continue;
		/* Stdio is what the program inherits: no O_CLOEXEC. */
		if (dup3(slave, fd, 0) < 0)
			return err_errno(e, "terminal as descriptor %d", fd);
	}
	return 0;
}

int ns_tty_console(int rootfd, int slave, struct err *e)
{
	const struct ns_attrs a = { .propagation = MS_PRIVATE, .userns = -1 };
	autoclose int dev = -1, target = -1, tree = -1;
	const char *name;
	struct stat st;
	int r;

	dev = path_parent_in_root(rootfd, "/dev/console", &name, e);
	if (dev < 0)
		return dev;
	target = ns_place_file(dev, name, e);
	if (target < 0)
		return target;
	if (fstat(target, &st) < 0)
		return err_errno(e, "look at '/dev/console'");
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(
			e, -EINVAL,
			"'/dev/console' of the container is neither a file nor a device");

	tree = ns_tree_clone(slave, "", 0);
	r = tree < 0 ? err_code(e, tree, "bind pty")
		     : ns_tree_place(tree, &a, target, e);
	return r < 0 ? err_wrap(e, r, "console") : 0;
}

int ns_tty_raw(int fd, struct termios *ret_old, struct err *e)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return err_errno(e, "read terminal settings");
	*ret_old = t;
	cfmakeraw(&t);
	if (tcsetattr(fd, TCSANOW, &t) < 0)
		return err_errno(e, "change terminal settings");
	return 0;
}

void ns_tty_restore(int fd, const struct termios *old)
{
	(void)tcsetattr(fd, TCSANOW, old);
}

int ns_tty_size(int fd, struct winsize *ret)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return -errno;
	*ret = size;
	return 0;
}

int ns_tty_resize(int fd, const struct winsize *size)
{
	return ioctl(fd, TIOCSWINSZ, size) < 0 ? -errno : 0;
}

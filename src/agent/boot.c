/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/boot.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

#define MODULES "/modules"
#define BASE	"/base"

/* --- modules --------------------------------------------------------------*/

static int is_module(const struct dirent *d)
{
	return str_ends(d->d_name, ".ko");
}

/*
 * -ENODEV and its like: a driver for a processor or device that this machine
 * has not, such as crc32c-intel under emulation. Whoever needs what is really
 * missing will say so.
 */
static int load_module(int dir, const char *name, struct err *e)
{
	autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open module '%s'", name);
	if (syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST ||
	    errno == ENODEV)
		return 0;
	return err_errno(e, "load module '%s'", name);
}

/* In the order of their names, which is the order that the host has found. */
static int load_modules(struct err *trouble)
{
	autoclose int dir = open(MODULES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int n;

	if (dir < 0)
		return 0;
	n = scandir(MODULES, &names, is_module, alphasort);
	for (int i = 0; i < n; i++) {
		(void)!load_module(dir, names[i]->d_name, trouble);
		/* The initramfs is memory. */
		(void)unlinkat(dir, names[i]->d_name, 0);
		free(names[i]);
	}
	free(names);
	return 0;
}

/* --- mounts ---------------------------------------------------------------*/

/* clang-format off */
static const struct {
	const char *type, *target, *data;
	unsigned long flags;
} mounts[] = {
	{ "devtmpfs", "/dev",           "mode=0755", MS_NOSUID },
	{ "proc",     "/proc",          NULL,        MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs",    "/sys",           NULL,        MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "cgroup2",  "/sys/fs/cgroup", NULL,        MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "tmpfs",    "/run",           "mode=0755", MS_NOSUID | MS_NODEV },
};
/* clang-format on */

/*
 * The initramfs is the kernel's rootfs, from which nobody can pivot away. With
 * a tmpfs moved over it, containers are made as on any host.
 */
static int make_root(struct err *e)
{
	if (mkdir(BASE, 0755) < 0 && errno != EEXIST)
		return err_errno(e, "make '%s'", BASE);
	if (mount("tmpfs", BASE, "tmpfs", MS_NOSUID, "mode=0755") < 0)
		return err_errno(e, "mount a root of our own");
	if (chdir(BASE) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		return err_errno(e, "enter a root of our own");
	return 0;
}

static int make_mounts(struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (mkdir(mounts[i].target, 0755) < 0 && errno != EEXIST)
			return err_errno(e, "make '%s'", mounts[i].target);
		if (mount(mounts[i].type, mounts[i].target, mounts[i].type,
			  mounts[i].flags, mounts[i].data) < 0)
			return err_errno(e, "mount '%s'", mounts[i].target);
	}
	return 0;
}

int agent_boot(struct err *trouble, struct err *e)
{
	int r;

	(void)umask(022);
	r = load_modules(trouble);
	if (r == 0)
		r = make_root(e);
	if (r == 0)
		r = make_mounts(e);
	return r;
}

void agent_power_off(void)
{
	sync();
	(void)reboot(RB_POWER_OFF);
	/* No way to switch it off: the host ends the machine then. */
	for (;;)
		(void)pause();
}

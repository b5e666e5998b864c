/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "src/oci/plan_split.h"
#include "src/runtime/vm_host.h"

/*
 * Disks: opened by the runtime, served by the monitor. Two kernels that write
 * to the same file system destroy it, so who writes is alone: a device must not
 * be mounted or be another guest's to write to, a file is locked as long as a
 * monitor has it open.
 */

#define DEVNAME "\nDEVNAME="

/* A FIFO would wait for its other end. */
static int open_flags(const struct plan_disk *d)
{
	return (d->readonly ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY;
}

/* 0 when that is a device of this number, or a path that was asked for. */
static int look(const char *path, const struct plan_disk *d, struct stat *st)
{
	if (stat(path, st) < 0)
		return -errno;
	if (d->source)
		return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode) ? 0
								    : -ENOTBLK;
	return S_ISBLK(st->st_mode) &&
			       st->st_rdev == makedev(d->major, d->minor)
		       ? 0
		       : -ENODEV;
}

/* Looked at once more when it is open: it may have been replaced. */
static int open_at(const char *path, const struct plan_disk *d, struct err *e)
{
	autoclose int fd = -1;
	struct stat st, now;
	int r = look(path, d, &st), exclusive;

	if (r < 0)
		return err_code(e, r, "'%s'", path);
	exclusive = S_ISBLK(st.st_mode) && !d->readonly ? O_EXCL : 0;
	fd = open(path, open_flags(d) | exclusive | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "open '%s'%s", path,
				 exclusive ? " for itself alone" : "");
	if (fstat(fd, &now) < 0 || now.st_ino != st.st_ino ||
	    now.st_dev != st.st_dev)
		return err_set(e, -ESTALE, "'%s' was replaced", path);
	if (S_ISREG(st.st_mode) &&
	    flock(fd, (d->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0)
		return err_errno(e, "lock '%s'", path);
	return steal_fd(&fd);
}

/* What the kernel calls a device, as its node in /dev. NULL: it has none. */
static char *name_of(const struct plan_disk *d)
{
	char path[64], text[1024];
	const char *name;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent",
		       d->major, d->minor);
	if (fd_read_small_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return NULL;
	name = strstr(text, DEVNAME);
	if (!name)
		return NULL;
	name += strlen(DEVNAME);
	return str_printf("/dev/%.*s", (int)strcspn(name, "\n"), name);
}

/* By its number: the same path as inside, or the kernel's name for it. */
static int open_device(const struct plan_disk *d, struct err *e)
{
	autofree char *path = NULL;
	struct stat st;

	if (look(d->path, d, &st) == 0)
		return open_at(d->path, d, e);
	path = name_of(d);
	if (path && look(path, d, &st) == 0)
		return open_at(path, d, e);
	return err_set(e, -ENODEV, "the host has no block device %u:%u",
		       d->major, d->minor);
}

int rt_vm_open_disks(struct rt_vm *vm, struct err *e)
{
	for (size_t i = 0; i < vm->host.disks.n; i++) {
		const struct plan_disk *d = &vm->host.disks.v[i];
		int fd = d->source ? open_at(d->source, d, e)
				   : open_device(d, e);

		if (fd < 0)
			return err_wrap(e, fd, "disk '%s'", d->path);
		vm->disks[i] = fd;
	}
	return 0;
}

void rt_vm_close_disks(struct rt_vm *vm)
{
	for (size_t i = 0; i < ARRAY_SIZE(vm->disks); i++)
		if (vm->disks[i] >= 0)
			(void)close(steal_fd(&vm->disks[i]));
}

int rt_vm_add_disks(const struct rt_vm *vm, struct vm_config *c, struct err *e)
{
	size_t n = vm->host.disks.n;

	if (n == 0)
		return 0;
	c->disks.v = calloc(n, sizeof(*c->disks.v));
	if (!c->disks.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct vm_disk *d = &c->disks.v[i];

		c->disks.n = i + 1;
		d->fd = vm->disks[i];
		d->readonly = vm->host.disks.v[i].readonly;
		d->rate.bytes = vm->host.disks.v[i].bps;
		d->rate.ops = vm->host.disks.v[i].iops;
		d->id = str_printf(PLAN_DISK_SERIAL, i);
		if (!d->id)
			return err_nomem(e);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/initramfs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "microvm/cache.h"
#include "microvm/image.h"
#include "microvm/modules.h"
#include "microvm/unpack.h"

#define AGENT_MAX  (64U << 20)
#define MODULE_MAX (64U << 20)

/* With the changes that this file's own ways would make necessary. */
#define FORMAT "2"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int add_module(struct vm_cpio *cpio, int folder, const char *path,
		      size_t number, struct err *e)
{
	const char *base = base_name(path);
	autofree char *packed = NULL, *name = NULL;
	autofree void *data = NULL;
	autoclose int fd = -1;
	size_t len = 0, n = 0;
	int r;

	fd = path_open_in_root(folder, path, O_RDONLY, 0, e);
	if (fd < 0)
		return fd;
	r = fd_read_all(fd, MODULE_MAX, &packed, &len, e);
	if (r == 0)
		r = vm_unpack(vm_packing_of(packed, len), packed, len,
			      MODULE_MAX, &data, &n, e);
	if (r < 0)
		return r;
	/* "virtio.ko.xz" is unpacked now, and called so. */
	name = str_printf("modules/%03zu-%.*s.ko", number,
			  (int)strcspn(base, "."), base);
	if (!name)
		return err_nomem(e);
	vm_cpio_add(cpio, name, S_IFREG | 0400, data, n);
	return 0;
}

static int add_modules(struct vm_cpio *cpio, const char *dir,
		       const struct vm_modules *m, unsigned int needs,
		       struct err *e)
{
	autoclose int folder = -1;
	autostrv char **list = NULL;
	int r;

	r = vm_modules_resolve(m, needs, &list, e);
	if (r < 0)
		return r;
	vm_cpio_add(cpio, "modules", S_IFDIR | 0755, NULL, 0);
	if (strv_len(list) == 0)
		return 0;
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return err_errno(e, "open '%s'", dir);
	for (size_t i = 0; list[i]; i++) {
		r = add_module(cpio, folder, list[i], i, e);
		if (r < 0)
			return err_wrap(e, r, "module '%s'", list[i]);
	}
	return 0;
}

static int add_agent(struct vm_cpio *cpio, int fd, struct err *e)
{
	autofree char *data = NULL;
	size_t len = 0;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "rewind the agent");
	r = fd_read_all(fd, AGENT_MAX, &data, &len, e);
	if (r < 0)
		return err_wrap(e, r, "agent");
	/* The guest's kernel copies it byte by byte before it starts. */
	vm_cpio_add(cpio, "init", S_IFREG | 0755, data, vm_elf_cut(data, len));
	return 0;
}

static int make(const struct vm_initramfs *c, const struct vm_modules *m,
		unsigned int needs, struct vm_cpio *cpio, struct err *e)
{
	int r;

	vm_cpio_add(cpio, "dev", S_IFDIR | 0755, NULL, 0);
	vm_cpio_add_device(cpio, "dev/console", S_IFCHR | 0600, 5, 1);
	r = add_agent(cpio, c->agent, e);
	if (r == 0)
		r = add_modules(cpio, c->kernel->modules, m, needs, e);
	if (r == 0)
		r = vm_cpio_finish(cpio, e);
	return r;
}

/* Everything that goes into it. The list of modules stands for the modules:
 * whoever installs some runs depmod. */
static int identify(const struct vm_initramfs *c, char **ret, struct err *e)
{
	autofree char *id = NULL, *dep = NULL;
	autoclose int fd = -1;
	int r;

	r = vm_cache_add_text(&id, "format", FORMAT, e);
	if (r == 0)
		r = vm_cache_add_source(&id, "kernel", c->kernel->file, e);
	if (r == 0)
		r = vm_cache_add_source(&id, "agent", c->agent, e);
	if (r == 0 && c->kernel->modules) {
		dep = path_join(c->kernel->modules, "modules.dep");
		if (!dep)
			return err_nomem(e);
		fd = open(dep, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_errno(e, "open '%s'", dep);
		r = vm_cache_add_source(&id, "modules", fd, e);
	}
	if (r == 0)
		*ret = steal_ptr(id);
	return r;
}

static char *name_for(const struct vm_initramfs *c, unsigned int needs)
{
	return str_printf("initramfs-%s-%x", c->kernel->version, needs);
}

static int make_into(const struct vm_initramfs *c, int dirfd, const char *id,
		     unsigned int *ret_needs, struct err *e)
{
	_cleanup_(vm_cpio_done) struct vm_cpio cpio = { 0 };
	_cleanup_(auto_vm_modules_free) struct vm_modules *m = NULL;
	unsigned int bus = c->bus[0], needs;
	autofree char *name = NULL;
	int r;

	r = vm_modules_read(c->kernel->modules, &m, e);
	if (r < 0)
		return r;
	if (c->bus[1] && !vm_modules_can(m, bus) &&
	    vm_modules_can(m, c->bus[1]))
		bus = c->bus[1];
	needs = c->needs | bus;
	r = make(c, m, needs, &cpio, e);
	if (r < 0)
		return r;
	name = name_for(c, needs);
	if (!name)
		return err_nomem(e);
	*ret_needs = needs;
	return vm_cache_put(dirfd, name, id, cpio.data, cpio.len, e);
}

int vm_initramfs_open(const struct vm_initramfs *c, unsigned int *ret_needs,
		      struct err *e)
{
	autofree char *id = NULL;
	autoclose int dirfd = -1;
	int r;

	dirfd = vm_cache_open(c->places, e);
	if (dirfd < 0)
		return dirfd;
	r = identify(c, &id, e);
	if (r < 0)
		return r;

	/* What is in the cache was possible: no need to ask the modules. */
	for (size_t i = 0; i < ARRAY_SIZE(c->bus) && c->bus[i]; i++) {
		autofree char *name = name_for(c, c->needs | c->bus[i]);

		if (!name)
			return err_nomem(e);
		r = vm_cache_get(dirfd, name, id, e);
		if (r >= 0) {
			*ret_needs = c->needs | c->bus[i];
			return r;
		}
	}
	r = make_into(c, dirfd, id, ret_needs, e);
	if (r < 0)
		return err_wrap(e, r, "initramfs for kernel '%s'",
				c->kernel->path);
	return r;
}

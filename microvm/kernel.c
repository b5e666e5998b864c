/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/kernel.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "microvm/cache.h"
#include "microvm/unpack.h"

#define BOOT	"/boot"
#define MODULES "/lib/modules"
#define PREFIX	"vmlinuz-"
/* A bzImage has its version below. */
#define HEADER_MAX (66U << 10)

static int open_file(const char *path, int *ret, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "'%s' is not a file", path);
	if (st.st_size > VM_IMAGE_MAX)
		return err_set(e, -EFBIG, "'%s' is too large for a kernel",
			       path);
	*ret = steal_fd(&fd);
	return 0;
}

/* NULL in *ret: it has none. */
static int find_modules(const struct vm_places *places, const char *version,
			char **ret, struct err *e)
{
	const char *base = places->modules ? places->modules : MODULES;
	autofree char *dir = str_printf("%s/%s", base, version);
	autofree char *dep = dir ? path_join(dir, "modules.dep") : NULL;

	if (!dep)
		return err_nomem(e);
	if (version[0] && access(dep, R_OK) == 0)
		*ret = steal_ptr(dir);
	return 0;
}

/* Does a newer version come out of the file's name, and has it modules? */
static int consider(const struct vm_places *places, const char *name,
		    char **best, struct err *e)
{
	autofree char *modules = NULL;
	const char *version = name + strlen(PREFIX);
	int r;

	if (!str_starts(name, PREFIX) ||
	    (*best && strverscmp(version, *best) <= 0))
		return 0;
	r = find_modules(places, version, &modules, e);
	if (r < 0 || !modules)
		return r;
	free(*best);
	*best = strdup(version);
	return *best ? 0 : err_nomem(e);
}

static int find_newest(const struct vm_places *places, char **ret,
		       struct err *e)
{
	const char *boot = places->boot ? places->boot : BOOT;
	autoclosedir DIR *dir = opendir(boot);
	autofree char *best = NULL;
	struct dirent *entry;
	int r;

	while (dir && (entry = readdir(dir))) {
		r = consider(places, entry->d_name, &best, e);
		if (r < 0)
			return r;
	}
	if (!best)
		return err_set(
			e, -ENOENT,
			"no kernel for a micro-VM in '%s': install one (Debian: linux-image-cloud-amd64) or name one by --kernel",
			boot);
	*ret = str_printf("%s/" PREFIX "%s", boot, best);
	return *ret ? 0 : err_nomem(e);
}

/* A vmlinux says it anywhere. */
static int read_whole_version(struct vm_kernel *k, struct err *e)
{
	autofree char *data = NULL;
	struct vm_image image = { 0 };
	size_t len = 0;
	int r;

	r = fd_read_all(k->file, VM_IMAGE_MAX, &data, &len, e);
	if (r == 0)
		r = vm_image_parse(data, len, &image, e);
	if (r < 0)
		return err_wrap(e, r, "kernel '%s'", k->path);
	k->version = strdup(image.version);
	return k->version ? 0 : err_nomem(e);
}

/* What the kernel calls itself, not its file: modules must fit. */
static int read_version(struct vm_kernel *k, struct err *e)
{
	autofree char *head = malloc(HEADER_MAX);
	char version[VM_VERSION_MAX];
	ssize_t n;

	if (!head)
		return err_nomem(e);
	n = pread(k->file, head, HEADER_MAX, 0);
	if (n < 0)
		return err_errno(e, "read '%s'", k->path);
	if (!vm_image_version(head, (size_t)n, version))
		return read_whole_version(k, e);
	k->version = strdup(version);
	return k->version ? 0 : err_nomem(e);
}

int vm_kernel_find(const struct vm_places *places, const char *file,
		   struct vm_kernel *ret, struct err *e)
{
	_cleanup_(vm_kernel_done) struct vm_kernel k = VM_KERNEL_INIT;
	int r;

	if (file) {
		k.path = strdup(file);
		r = k.path ? 0 : err_nomem(e);
	} else {
		r = find_newest(places, &k.path, e);
	}
	if (r == 0)
		r = open_file(k.path, &k.file, e);
	if (r == 0)
		r = read_version(&k, e);
	if (r == 0)
		r = find_modules(places, k.version, &k.modules, e);
	if (r < 0)
		return r;

	*ret = k;
	k = (struct vm_kernel)VM_KERNEL_INIT;
	return 0;
}

int vm_cache_open(const struct vm_places *places, struct err *e)
{
	int fd, r;

	r = path_make_dirs(places->cache, 0755, e);
	if (r < 0)
		return r;
	fd = open(places->cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", places->cache) : fd;
}

static int unpack(const struct vm_kernel *k, void **ret, size_t *ret_len,
		  struct err *e)
{
	autofree char *data = NULL;
	autofree void *elf = NULL;
	struct vm_image image = { 0 };
	size_t len = 0;
	int r;

	if (lseek(k->file, 0, SEEK_SET) < 0)
		return err_errno(e, "rewind");
	r = fd_read_all(k->file, VM_IMAGE_MAX, &data, &len, e);
	if (r == 0)
		r = vm_image_parse(data, len, &image, e);
	if (r == 0)
		r = vm_unpack(image.packing, data + image.offset, image.len,
			      image.unpacked, &elf, ret_len, e);
	if (r < 0)
		return r;
	if (*ret_len != image.unpacked)
		return err_set(
			e, -EBADMSG,
			"unpacks to %zu bytes, and not to %zu as it says",
			*ret_len, image.unpacked);
	r = vm_elf_check(elf, *ret_len, e);
	if (r == 0)
		*ret = steal_ptr(elf);
	return r;
}

static int unpack_into(int dirfd, const char *name, const char *id,
		       struct vm_kernel *k, struct err *e)
{
	autofree void *elf = NULL;
	size_t len = 0;
	int r;

	r = unpack(k, &elf, &len, e);
	if (r < 0)
		return err_wrap(e, r, "kernel '%s'", k->path);
	return vm_cache_put(dirfd, name, id, elf, len, e);
}

int vm_kernel_unpack(const struct vm_places *places, struct vm_kernel *k,
		     struct err *e)
{
	autofree char *id = NULL, *name = NULL;
	autoclose int dirfd = -1;
	int r;

	dirfd = vm_cache_open(places, e);
	if (dirfd < 0)
		return dirfd;
	name = str_printf("vmlinux-%s", k->version);
	if (!name)
		return err_nomem(e);
	r = vm_cache_add_source(&id, "kernel", k->file, e);
	if (r < 0)
		return r;

	r = vm_cache_get(dirfd, name, id, e);
	if (r == -ENOENT)
		r = unpack_into(dirfd, name, id, k, e);
	if (r < 0)
		return r;
	k->vmlinux = r;
	return 0;
}

void vm_kernel_done(struct vm_kernel *k)
{
	free(k->path);
	free(k->version);
	free(k->modules);
	if (k->file >= 0)
		(void)close(k->file);
	if (k->vmlinux >= 0)
		(void)close(k->vmlinux);
	*k = (struct vm_kernel)VM_KERNEL_INIT;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/boot.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "microvm/gmem.h"

static int (*const loaders[])(const struct gmem *m, const struct boot_file *f,
			      struct boot_image *ret, struct err *e) = {
	boot_load_elf,
	boot_load_bzimage,
};

int boot_read(const struct boot_file *f, uint64_t offset, void *data,
	      size_t len, struct err *e)
{
	ssize_t n;

	if (offset > f->size || len > f->size - offset)
		return err_set(e, -EINVAL, "it ends too early");
	n = TEMP_FAILURE_RETRY(pread(f->fd, data, len, (off_t)offset));
	if (n < 0)
		return err_errno(e, "read");
	if ((size_t)n != len)
		return err_set(e, -EINVAL, "it ends too early");
	return 0;
}

static int open_file(int fd, struct boot_file *ret, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at it");
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "not a regular file");
	*ret = (struct boot_file){ .fd = fd, .size = (uint64_t)st.st_size };
	return 0;
}

static int load_kernel(const struct boot_config *c, struct boot_image *ret,
		       struct err *e)
{
	struct boot_file f;
	int r;

	r = open_file(c->kernel_fd, &f, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
		*ret = (struct boot_image){ 0 };
		r = loaders[i](c->mem, &f, ret, e);
		if (r != -ENOEXEC)
			return r;
	}
	return err_set(e, -ENOEXEC,
		       "neither an ELF vmlinux nor a bzImage for 64 bits");
}

static uint64_t page_up(uint64_t n)
{
	return (n + GMEM_PAGE - 1) & ~(GMEM_PAGE - 1);
}

/* Each piece begins on a page, so that it can be mapped; the zeros between
 * them are what cpio archives may be padded with. */
static int measure_initrds(const struct json_u32v *fds, uint64_t *ret_pages,
			   uint64_t *ret_size, struct err *e)
{
	uint64_t pages = 0, size = 0;
	struct boot_file f;
	int r;

	for (size_t i = 0; i < fds->n; i++) {
		r = open_file((int)fds->v[i], &f, e);
		if (r < 0)
			return err_wrap(e, r, "initramfs %zu", i);
		if (f.size > UINT32_MAX)
			return err_set(e, -EFBIG, "initramfs %zu: too large",
				       i);
		size = pages + f.size;
		pages += page_up(f.size);
	}
	*ret_pages = pages;
	*ret_size = size;
	return 0;
}

static int load_initrds(const struct boot_config *c,
			const struct boot_image *image, struct boot_initrd *ret,
			struct err *e)
{
	uint64_t top = MIN_OF(gmem_low_end(c->mem), image->initrd_max);
	uint64_t pages, size, at;
	struct boot_file f;
	int r;

	r = measure_initrds(c->initrd_fds, &pages, &size, e);
	if (r < 0 || size == 0)
		return r;
	top &= ~(GMEM_PAGE - 1);
	if (pages > top || top - pages < page_up(image->end))
		return err_set(
			e, -ENOMEM,
			"an initramfs of %llu bytes does not fit into memory beside the kernel",
			(unsigned long long)size);
	*ret = (struct boot_initrd){ .start = top - pages, .size = size };

	at = ret->start;
	for (size_t i = 0; i < c->initrd_fds->n; i++) {
		r = open_file((int)c->initrd_fds->v[i], &f, e);
		if (r == 0 && f.size > top - at)
			r = err_set(e, -EAGAIN, "it has grown meanwhile");
		if (r == 0)
			r = gmem_load(c->mem, at, f.fd, 0, f.size, e);
		if (r < 0)
			return err_wrap(e, r, "initramfs %zu", i);
		at += page_up(f.size);
	}
	return 0;
}

int boot_load(const struct boot_config *c, struct boot_entry *ret,
	      struct err *e)
{
	struct boot_initrd initrd = { 0 };
	struct boot_image image;
	uint64_t param;
	int r;

	r = load_kernel(c, &image, e);
	if (r < 0)
		return err_wrap(e, r, "kernel");
	if (c->cmdline && strlen(c->cmdline) > image.cmdline_max)
		return err_set(
			e, -E2BIG,
			"the kernel command line has %zu bytes, this kernel takes %u",
			strlen(c->cmdline), image.cmdline_max);
	r = load_initrds(c, &image, &initrd, e);
	if (r < 0)
		return r;
	r = boot_write_params(c, &image, &initrd, &param, e);
	if (r < 0)
		return r;
	*ret = (struct boot_entry){ image.protocol, image.entry, param };
	return 0;
}

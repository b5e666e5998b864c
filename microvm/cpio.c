/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/initramfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * newc: a header of 110 characters, the name with its NUL, the data; name and
 * data each filled up to 4 bytes.
 */
#define HEADER	    110
#define ARCHIVE_MAX (256U << 20)

static bool reserve(struct vm_cpio *c, size_t more)
{
	size_t cap = c->cap ? c->cap : 1U << 16;
	char *data;

	if (c->failed || more > ARCHIVE_MAX - c->len) {
		c->failed = true;
		return false;
	}
	while (cap < c->len + more)
		cap *= 2;
	if (cap == c->cap)
		return true;
	data = realloc(c->data, cap);
	if (!data) {
		c->failed = true;
		return false;
	}
	c->data = data;
	c->cap = cap;
	return true;
}

static void append(struct vm_cpio *c, const void *data, size_t len)
{
	if (!reserve(c, len + 3))
		return;
	if (len)
		memcpy(c->data + c->len, data, len);
	c->len += len;
	while (c->len % 4)
		c->data[c->len++] = '\0';
}

struct entry {
	const char *name;
	uint32_t mode;
	uint32_t major, minor; /* of a device */
	const void *data;
	size_t len;
};

static void add(struct vm_cpio *c, const struct entry *e)
{
	size_t name_len = strlen(e->name) + 1;
	char header[HEADER + 256];
	int n;

	/* magic ino mode uid gid nlink mtime filesize devmajor devminor
	 * rdevmajor rdevminor namesize check, and the name */
	n = snprintf(
		header, sizeof(header),
		"070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s",
		++c->inode, e->mode, 0U, 0U, 1U, 0U, (uint32_t)e->len, 0U, 0U,
		e->major, e->minor, (uint32_t)name_len, 0U, e->name);
	if (n < 0 || (size_t)n >= sizeof(header) || e->len > ARCHIVE_MAX) {
		c->failed = true;
		return;
	}
	append(c, header, (size_t)n + 1);
	append(c, e->data, e->len);
}

void vm_cpio_add(struct vm_cpio *c, const char *name, uint32_t mode,
		 const void *data, size_t len)
{
	add(c, &(struct entry){
		       .name = name, .mode = mode, .data = data, .len = len });
}

void vm_cpio_add_device(struct vm_cpio *c, const char *name, uint32_t mode,
			uint32_t major, uint32_t minor)
{
	add(c, &(struct entry){ .name = name,
				.mode = mode,
				.major = major,
				.minor = minor });
}

int vm_cpio_finish(struct vm_cpio *c, struct err *e)
{
	add(c, &(struct entry){ .name = "TRAILER!!!" });
	if (c->failed)
		return err_set(
			e, -ENOMEM,
			"initramfs: out of memory, or larger than %u bytes",
			ARCHIVE_MAX);
	return 0;
}

void vm_cpio_done(struct vm_cpio *c)
{
	free(c->data);
	*c = (struct vm_cpio){ 0 };
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files that are made once and kept: unpacked kernels, initramfs.
 *
 *	NAME-HASH	the file
 *	NAME-HASH.id	from what it was made, and which inode it is
 *
 * An identity is a text of one line per source: its device, inode, length
 * and times, as they cost nothing to read and change with every change. HASH
 * only keeps different ones apart; the text itself is compared, so that
 * nobody gains from a collision. The inode in it ties the two files together:
 * whoever reads between two writers finds no match and makes the file anew.
 *
 * Of each kind the files that were used last are kept, see cache.c.
 *
 *	r = vm_cache_add_source(&id, "kernel", kernel_fd, e);
 *	fd = vm_cache_get(dirfd, "vmlinux-6.1.0", id, e);
 *	if (fd == -ENOENT)
 *		... make it ... fd = vm_cache_put(dirfd, name, id, data, n, e);
 */
#include "base/err.h"

/* Appends a line about an open file to *id, which begins as NULL. */
MUST_CHECK int vm_cache_add_source(char **id, const char *what, int fd,
				   struct err *e);
/* Appends a line of the caller's own words. */
MUST_CHECK int vm_cache_add_text(char **id, const char *what, const char *text,
				 struct err *e);

/* A read-only descriptor, or -ENOENT when it is not there, is of another
 * identity or can be written by others. */
MUST_CHECK int vm_cache_get(int dirfd, const char *name, const char *id,
			    struct err *e);
/* Keeps data and gives a read-only descriptor of it. */
MUST_CHECK int vm_cache_put(int dirfd, const char *name, const char *id,
			    const void *data, size_t len, struct err *e);

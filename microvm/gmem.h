/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Guest memory. Addresses of the guest become host pointers here and nowhere
 * else, and only through gmem_at(), which answers for whole ranges: what it
 * gives may be touched from its first to its last byte.
 *
 *	0 ............ ram_low   up to 0xc0000000; then the hole for devices
 *	0x100000000 .. ram_high  the rest
 *
 * The host mapping has an inaccessible page before and behind it, so that a
 * fault of ours stays ours. Memory is taken when touched (MAP_NORESERVE) and
 * not part of core dumps.
 */
#include <sys/types.h>

#include "base/err.h"

#define GMEM_HOLE    0xc0000000ULL
#define GMEM_HIGH    0x100000000ULL
#define GMEM_PAGE    4096ULL
#define GMEM_REGIONS 2

struct vm_memory;

struct gmem_region {
	uint64_t gpa, size;
	char *host;
};

struct gmem {
	struct gmem_region region[GMEM_REGIONS];
	size_t n;
	bool huge; /* hugetlbfs pages: files cannot be mapped over them */
	char *map; /* with its guard pages */
	size_t map_size;
};

MUST_CHECK int gmem_init(struct gmem *m, const struct vm_memory *config,
			 struct err *e);
void gmem_done(struct gmem *m);

/* NULL unless [gpa, gpa + len) is RAM, in one region. */
void *gmem_at(const struct gmem *m, uint64_t gpa, uint64_t len);

/* -EFAULT when the range is not RAM. */
MUST_CHECK int gmem_read(const struct gmem *m, uint64_t gpa, void *data,
			 size_t len);
MUST_CHECK int gmem_write(const struct gmem *m, uint64_t gpa, const void *data,
			  size_t len);

/*
 * Puts a piece of a file there. Whole pages are mapped privately when file
 * and guest agree about page boundaries, so that all guests share the page
 * cache and nothing is read before it is needed; the rest is copied. The
 * caller has checked that the file is that long.
 */
MUST_CHECK int gmem_load(const struct gmem *m, uint64_t gpa, int fd,
			 off_t offset, uint64_t len, struct err *e);

/* Gives whole pages back to the host; they read as zeros afterwards. */
MUST_CHECK int gmem_discard(const struct gmem *m, uint64_t gpa, uint64_t len);

/* The end of RAM below the hole: where an initramfs goes. */
uint64_t gmem_low_end(const struct gmem *m);

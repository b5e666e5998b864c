/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where accesses to I/O ports and device memory go: one sorted list of ranges
 * per kind. It is complete before the first vCPU runs and read-only then, so
 * nobody locks it. What nobody claims reads as ones and swallows writes, as on
 * a PC.
 *
 * Handlers run on vCPU threads, several at once; offset + len lies within the
 * range they were added with, len is 1, 2, 4 or 8.
 */
#include "base/err.h"

#define BUS_MAX_RANGES 32

struct bus_ops {
	const char *name;
	void (*read)(void *dev, uint64_t offset, uint8_t *data, uint32_t len);
	void (*write)(void *dev, uint64_t offset, const uint8_t *data,
		      uint32_t len);
};

struct bus_range {
	uint64_t start, len;
	const struct bus_ops *ops;
	void *dev;
};

struct bus {
	struct bus_range range[BUS_MAX_RANGES];
	size_t n;
};

/* -EEXIST when ranges overlap, -ENOSPC when there are too many. */
MUST_CHECK int bus_add(struct bus *b, uint64_t start, uint64_t len,
		       const struct bus_ops *ops, void *dev, struct err *e);

void bus_read(const struct bus *b, uint64_t addr, uint8_t *data, uint32_t len);
void bus_write(const struct bus *b, uint64_t addr, const uint8_t *data,
	       uint32_t len);

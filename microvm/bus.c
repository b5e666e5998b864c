/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/bus.h"

#include <errno.h>
#include <string.h>

/* The number of ranges that start at or below addr. */
static size_t upper(const struct bus *b, uint64_t addr)
{
	size_t from = 0, to = b->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (b->range[mid].start <= addr)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static const struct bus_range *find(const struct bus *b, uint64_t addr,
				    uint32_t len)
{
	size_t i = upper(b, addr);
	const struct bus_range *r;
	uint64_t offset;

	if (i == 0)
		return NULL;
	r = &b->range[i - 1];
	offset = addr - r->start;
	return offset < r->len && len <= r->len - offset ? r : NULL;
}

int bus_add(struct bus *b, uint64_t start, uint64_t len,
	    const struct bus_ops *ops, void *dev, struct err *e)
{
	size_t i = upper(b, start);

	if (b->n == BUS_MAX_RANGES)
		return err_set(e, -ENOSPC, "no room on the bus for '%s'",
			       ops->name);
	if (len == 0 || start + len < start ||
	    (i > 0 && b->range[i - 1].start + b->range[i - 1].len > start) ||
	    (i < b->n && b->range[i].start < start + len))
		return err_set(e, -EEXIST,
			       "'%s' at %#llx collides with another device",
			       ops->name, (unsigned long long)start);

	memmove(&b->range[i + 1], &b->range[i],
		(b->n - i) * sizeof(b->range[0]));
	b->range[i] = (struct bus_range){ start, len, ops, dev };
	b->n++;
	return 0;
}

void bus_read(const struct bus *b, uint64_t addr, uint8_t *data, uint32_t len)
{
	const struct bus_range *r = find(b, addr, len);

	memset(data, 0xff, len);
	if (r && r->ops->read)
		r->ops->read(r->dev, addr - r->start, data, len);
}

void bus_write(const struct bus *b, uint64_t addr, const uint8_t *data,
	       uint32_t len)
{
	const struct bus_range *r = find(b, addr, len);

	if (r && r->ops->write)
		r->ops->write(r->dev, addr - r->start, data, len);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "src/oci/plan_parts.h"

/* linux.resources.blockIO: six lists by what is limited become one by device.
 */

#define MAJOR_MAX 0xfffU
#define MINOR_MAX 0xfffffU

/* 0 is "as it is", the caller could not leave it out. */
static int check_weight(const char *what, const struct opt_u32 *w,
			struct err *e)
{
	if (!w->set || w->v == 0 || (w->v >= 10 && w->v <= 1000))
		return 0;
	return err_set(e, -EINVAL, "%s: %u is not in 10..1000", what, w->v);
}

static int check_device(int64_t major, int64_t minor, struct err *e)
{
	if (major < 0 || major > MAJOR_MAX || minor < 0 || minor > MINOR_MAX)
		return err_set(e, -EINVAL, "%lld:%lld is not a device",
			       (long long)major, (long long)minor);
	return 0;
}

/* One entry per line of the configuration; the same device may come again. */
static struct cg_io_device *next(struct cg_limits *l, int64_t major,
				 int64_t minor)
{
	struct cg_io_device *dev = &l->io_devices.v[l->io_devices.n++];

	dev->major = (uint32_t)major;
	dev->minor = (uint32_t)minor;
	return dev;
}

static int add_weights(const struct spec_block_io *s, struct cg_limits *l,
		       struct err *e)
{
	for (size_t i = 0; i < s->weight_device.n; i++) {
		const struct spec_weight_device *w = &s->weight_device.v[i];
		struct cg_io_device *dev;
		int r;

		r = check_device(w->major, w->minor, e);
		if (r == 0)
			r = check_weight("weight", &w->weight, e);
		if (r == 0)
			r = check_weight("leafWeight", &w->leaf_weight, e);
		if (r < 0)
			return err_wrap(e, r, "weightDevice: [%zu]", i);
		dev = next(l, w->major, w->minor);
		if (w->weight.v > 0)
			dev->blkio_weight = w->weight;
		if (w->leaf_weight.v > 0)
			dev->blkio_leaf_weight = w->leaf_weight;
	}
	return 0;
}

struct throttle {
	const char *name;
	const struct spec_throttle_list *list;
	size_t offset; /* of the member of struct cg_io_device */
};

static int add_throttle(const struct throttle *t, struct cg_limits *l,
			struct err *e)
{
	for (size_t i = 0; i < t->list->n; i++) {
		const struct spec_throttle_device *s = &t->list->v[i];
		struct cg_io_device *dev;
		struct opt_u64 *rate;
		int r;

		r = check_device(s->major, s->minor, e);
		if (r < 0)
			return err_wrap(e, r, "%s: [%zu]", t->name, i);
		dev = next(l, s->major, s->minor);
		rate = (struct opt_u64 *)(void *)((char *)dev + t->offset);
		*rate = (struct opt_u64)OPT_OF(s->rate);
	}
	return 0;
}

int plan_block_io(const struct spec_block_io *s, struct cg_limits *l,
		  struct err *e)
{
	const struct throttle throttles[] = {
		{ "throttleReadBpsDevice", &s->read_bps,
		  offsetof(struct cg_io_device, read_bps) },
		{ "throttleWriteBpsDevice", &s->write_bps,
		  offsetof(struct cg_io_device, write_bps) },
		{ "throttleReadIOPSDevice", &s->read_iops,
		  offsetof(struct cg_io_device, read_iops) },
		{ "throttleWriteIOPSDevice", &s->write_iops,
		  offsetof(struct cg_io_device, write_iops) },
	};
	size_t n = s->weight_device.n;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(throttles); i++)
		n += throttles[i].list->n;
	l->io_devices.v = calloc(n + 1, sizeof(*l->io_devices.v));
	if (!l->io_devices.v)
		return err_nomem(e);
	r = check_weight("weight", &s->weight, e);
	if (r == 0)
		r = check_weight("leafWeight", &s->leaf_weight, e);
	if (r < 0)
		return r;
	if (s->weight.v > 0)
		l->io_blkio_weight = s->weight;
	if (s->leaf_weight.v > 0)
		l->io_blkio_leaf_weight = s->leaf_weight;
	r = add_weights(s, l, e);
	for (size_t i = 0; i < ARRAY_SIZE(throttles) && r == 0; i++)
		r = add_throttle(&throttles[i], l, e);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/*
 * Weights. Which file the kernel has depends on how it was built and on the
 * scheduler modules loaded: io.weight belongs to the iocost model,
 * io.bfq.weight to the BFQ scheduler. Where both are there both are written,
 * as the scheduler of a disk can be changed at any time.
 */
#define EITHER_FILE "io.weight or io.bfq.weight (neither iocost nor BFQ)"

bool cg_io_weight_asked(const struct cg_limits *l)
{
	return l->io_weight.set || l->io_blkio_weight.set;
}

/* Into the two scales. BFQ's ends at 1000. */
static int both_weights(const struct opt_u32 *own, const struct opt_u32 *blkio,
			uint64_t *ret_weight, uint64_t *ret_bfq, struct err *e)
{
	if (own->set && blkio->set)
		return err_set(e, -EINVAL,
			       "io: a weight is given on two scales");
	if (blkio->set && (blkio->v < 10 || blkio->v > 1000))
		return err_set(e, -ERANGE,
			       "io: weight %" PRIu32 " is not within 10..1000",
			       blkio->v);
	if (own->set && (own->v < 1 || own->v > 10000))
		return err_set(e, -ERANGE,
			       "io: weight %" PRIu32 " is not within 1..10000",
			       own->v);
	*ret_weight = own->set ? own->v : cg_blkio_to_io_weight(blkio->v);
	*ret_bfq = own->set ? MAX_OF(own->v / 10, 1U) : blkio->v;
	return 0;
}

/* dev: "" for the default of all devices, else "8:0 ". */
static int add_weights(const struct opt_u32 *own, const struct opt_u32 *blkio,
		       const char *dev, int dirfd, struct cg_set *set,
		       struct err *e)
{
	const char *word = dev[0] ? dev : "default ";
	uint64_t weight, bfq;
	struct cg_setting *s;
	int r;

	r = both_weights(own, blkio, &weight, &bfq, e);
	if (r < 0)
		return r;
	s = cg_set_add(set, dirfd, CG_CTL_IO, "io.bfq.weight", "%s%" PRIu64,
		       word, bfq);
	cg_setting_keyed(s, dev[0] ? "default" : "100");
	if (s)
		s->one_of = EITHER_FILE;
	s = cg_set_add(set, dirfd, CG_CTL_IO, "io.weight", "%s%" PRIu64, word,
		       weight);
	cg_setting_keyed(s, dev[0] ? "default" : "100");
	if (s)
		s->one_of = EITHER_FILE;
	return 0;
}

int cg_io_add_weight(const struct cg_limits *l, int dirfd, struct cg_set *set,
		     struct err *e)
{
	return add_weights(&l->io_weight, &l->io_blkio_weight, "", dirfd, set,
			   e);
}

bool cg_io_devices_asked(const struct cg_limits *l)
{
	return l->io_devices.n > 0;
}

static void rate_text(char *buf, size_t size, const char *word,
		      const struct opt_u64 *v)
{
	buf[0] = '\0';
	if (v->set && v->v == 0)
		(void)snprintf(buf, size, " %s=max", word);
	else if (v->set)
		(void)snprintf(buf, size, " %s=%" PRIu64, word, v->v);
}

static void add_rates(const struct cg_io_device *d, const char *dev, int dirfd,
		      struct cg_set *set)
{
	char rbps[40], wbps[40], riops[40], wiops[40];

	if (!d->read_bps.set && !d->write_bps.set && !d->read_iops.set &&
	    !d->write_iops.set)
		return;
	rate_text(rbps, sizeof(rbps), "rbps", &d->read_bps);
	rate_text(wbps, sizeof(wbps), "wbps", &d->write_bps);
	rate_text(riops, sizeof(riops), "riops", &d->read_iops);
	rate_text(wiops, sizeof(wiops), "wiops", &d->write_iops);
	cg_setting_keyed(cg_set_add(set, dirfd, CG_CTL_IO, "io.max",
				    "%s%s%s%s%s", dev, rbps, wbps, riops,
				    wiops),
			 "rbps=max wbps=max riops=max wiops=max");
}

static int add_device(const struct cg_io_device *d, int dirfd,
		      struct cg_set *set, struct err *e)
{
	char dev[32];
	int r;

	if (d->blkio_leaf_weight.set)
		return err_set(e, -EOPNOTSUPP,
			       "io: leaf weights exist with cgroup v1 only");
	(void)snprintf(dev, sizeof(dev), "%" PRIu32 ":%" PRIu32, d->major,
		       d->minor);
	add_rates(d, dev, dirfd, set);
	if (d->latency_us.set)
		cg_setting_keyed(cg_set_add(set, dirfd, CG_CTL_IO, "io.latency",
					    "%s target=%" PRIu64, dev,
					    d->latency_us.v),
				 "target=0");
	if (!d->weight.set && !d->blkio_weight.set)
		return 0;
	(void)snprintf(dev, sizeof(dev), "%" PRIu32 ":%" PRIu32 " ", d->major,
		       d->minor);
	r = add_weights(&d->weight, &d->blkio_weight, dev, dirfd, set, e);
	return r;
}

int cg_io_add_devices(const struct cg_limits *l, int dirfd, struct cg_set *set,
		      struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->io_devices.n && r == 0; i++)
		r = add_device(&l->io_devices.v[i], dirfd, set, e);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "microvm/virtio.h"
#include "microvm/vm_config.h"

/*
 * From a config to the list of devices. Their order depends on nothing but
 * the config: the guest sees them at fixed places.
 */
struct list {
	struct virtio_dev **dev;
	unsigned int n;
};

/* Where the next device goes; counted when it has been made. */
static struct virtio_dev **next(struct list *l)
{
	return &l->dev[l->n];
}

static int made(struct list *l, int r)
{
	if (r == 0)
		l->n++;
	return r;
}

static int make_console(const struct vm_config *c, struct list *l,
			struct err *e)
{
	return c->ports.n ? made(l, virtio_console_new(c, next(l), e)) : 0;
}

static int make_balloon(const struct vm_config *c, struct list *l,
			struct err *e)
{
	return c->balloon ? made(l, virtio_balloon_new(next(l), e)) : 0;
}

static int make_rng(const struct vm_config *c, struct list *l, struct err *e)
{
	return c->rng ? made(l, virtio_rng_new(next(l), e)) : 0;
}

static int make_vsock(const struct vm_config *c, struct list *l, struct err *e)
{
	return c->vsock ? made(l, virtio_vsock_new(c, next(l), e)) : 0;
}

static int make_disks(const struct vm_config *c, struct list *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < c->disks.n && r == 0; i++)
		r = made(l, virtio_blk_new(&c->disks.v[i], next(l), e));
	return r;
}

static int make_nics(const struct vm_config *c, struct list *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < c->nics.n && r == 0; i++)
		r = made(l, virtio_net_new(&c->nics.v[i], next(l), e));
	return r;
}

static int make_shares(const struct vm_config *c, struct list *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < c->shares.n && r == 0; i++)
		r = made(l, virtio_fs_new(&c->shares.v[i], next(l), e));
	return r;
}

static int (*const kinds[])(const struct vm_config *c, struct list *l,
			    struct err *e) = {
	make_vsock, make_console, make_rng,    make_balloon,
	make_disks, make_nics,	  make_shares,
};

int virtio_make_all(const struct vm_config *c, struct virtio_dev **ret,
		    unsigned int *ret_n, struct err *e)
{
	struct list l = { .dev = ret };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++)
		r = kinds[i](c, &l, e);
	if (r < 0)
		for (unsigned int i = 0; i < l.n; i++)
			virtio_free(l.dev[i]);
	else
		*ret_n = l.n;
	return r;
}

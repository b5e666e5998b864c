/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/fuse_priv.h"

/*
 * Nodes by number, and by what they are. A node that was forgotten keeps its
 * place for the next one; its generation tells the two apart.
 */
#define FIRST_BUCKETS 256U
#define NO_HANDLE     UINT32_MAX

/* --- nodes ----------------------------------------------------------------*/

static uint64_t mix(uint64_t dev, uint64_t ino, uint64_t mount)
{
	uint64_t h = (ino ^ mount << 40 ^ dev << 20) * 0x9e3779b97f4a7c15ULL;

	return h ^ h >> 29;
}

static struct fuse_node **bucket_of(const struct fuse *f,
				    const struct fuse_node *n)
{
	return &f->bucket[mix(n->dev, n->ino, n->mount) & (f->n_buckets - 1)];
}

static void link_node(struct fuse *f, struct fuse_node *n)
{
	struct fuse_node **at = bucket_of(f, n);

	n->next = *at;
	*at = n;
}

static void unlink_node(struct fuse *f, const struct fuse_node *n)
{
	struct fuse_node **at = bucket_of(f, n);

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
}

static struct fuse_node *find(const struct fuse *f, const struct fuse_node *key)
{
	struct fuse_node *n = f->n_buckets ? *bucket_of(f, key) : NULL;

	while (n && (n->ino != key->ino || n->dev != key->dev ||
		     n->mount != key->mount))
		n = n->next;
	return n;
}

/* As many buckets as places. */
static int grow(struct fuse *f)
{
	uint32_t cap = f->n_buckets ? 2 * f->n_buckets : FIRST_BUCKETS;
	struct fuse_node **node, **bucket;

	node = reallocarray(f->node, cap, sizeof(struct fuse_node *));
	if (!node)
		return -ENOMEM;
	f->node = node;
	bucket = calloc(cap, sizeof(struct fuse_node *));
	if (!bucket)
		return -ENOMEM;
	free(f->bucket);
	f->bucket = bucket;
	f->n_buckets = cap;
	for (uint32_t i = FUSE_ROOT_ID; i < f->n_nodes; i++)
		if (f->node[i]->fd >= 0)
			link_node(f, f->node[i]);
	return 0;
}

/* A place that is free, or a new one. */
static int take_place(struct fuse *f, struct fuse_node **ret)
{
	struct fuse_node *n = f->free_nodes;
	int r;

	if (n) {
		f->free_nodes = n->next;
		*ret = n;
		return 0;
	}
	if (f->n_nodes >= f->max_nodes)
		return -ENFILE;
	if (f->n_nodes == f->n_buckets) {
		r = grow(f);
		if (r < 0)
			return r;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	if (f->n_nodes == 0)
		f->node[f->n_nodes++] = NULL; /* 0 is nobody's number */
	n->id = f->n_nodes;
	f->node[f->n_nodes++] = n;
	*ret = n;
	return 0;
}

static void give_back(struct fuse *f, struct fuse_node *n)
{
	unlink_node(f, n);
	(void)close(steal_fd(&n->fd));
	n->next = f->free_nodes;
	f->free_nodes = n;
}

struct fuse_node *fuse_node_get(const struct fuse *f, uint64_t id)
{
	struct fuse_node *n = NULL;

	if (id >= FUSE_ROOT_ID && id < f->n_nodes)
		n = f->node[id];
	return n && n->fd >= 0 ? n : NULL;
}

int fuse_node_add(struct fuse *f, int fd, const struct statx *st,
		  struct fuse_node **ret)
{
	autoclose int taken = fd;
	struct fuse_node key = {
		.dev = makedev(st->stx_dev_major, st->stx_dev_minor),
		.ino = st->stx_ino,
		.mount = st->stx_mask & STATX_MNT_ID ? st->stx_mnt_id : 0,
		.type = st->stx_mode & (uint32_t)S_IFMT,
		.lookups = 1,
	};
	struct fuse_node *n = find(f, &key);
	int r;

	if (n) {
		n->lookups++;
		*ret = n;
		return 0;
	}
	r = take_place(f, &n);
	if (r < 0)
		return r;
	key.id = n->id;
	key.generation = ++f->generation;
	key.fd = steal_fd(&taken);
	*n = key;
	link_node(f, n);
	*ret = n;
	return 0;
}

void fuse_node_forget(struct fuse *f, uint64_t id, uint64_t lookups)
{
	struct fuse_node *n = fuse_node_get(f, id);

	if (!n || id == FUSE_ROOT_ID)
		return;
	n->lookups -= MIN_OF(lookups, n->lookups);
	if (n->lookups == 0)
		give_back(f, n);
}

void fuse_nodes_clear(struct fuse *f)
{
	for (uint32_t i = FUSE_ROOT_ID + 1; i < f->n_nodes; i++)
		if (f->node[i]->fd >= 0)
			give_back(f, f->node[i]);
}

/* --- open files -----------------------------------------------------------*/

static int add_handle_place(struct fuse *f)
{
	struct fuse_handle *v;

	if (f->n_handles == FUSE_HANDLES_MAX)
		return -ENFILE;
	/* Powers of two, so that it is asked for seldom. */
	if ((f->n_handles & (f->n_handles - 1)) == 0) {
		v = reallocarray(f->handle, f->n_handles ? f->n_handles * 2 : 1,
				 sizeof(*v));
		if (!v)
			return -ENOMEM;
		f->handle = v;
	}
	f->handle[f->n_handles] =
		(struct fuse_handle){ .fd = -1, .next = f->free_handle };
	f->free_handle = f->n_handles++;
	return 0;
}

int fuse_handle_add(struct fuse *f, int fd, bool dir, uint64_t *ret)
{
	autoclose int taken = fd;
	struct fuse_handle *h;
	int r;

	if (f->n_handles == 0)
		f->free_handle = NO_HANDLE;
	if (f->free_handle == NO_HANDLE) {
		r = add_handle_place(f);
		if (r < 0)
			return r;
	}
	*ret = (uint64_t)f->free_handle + 1;
	h = &f->handle[f->free_handle];
	f->free_handle = h->next;
	h->fd = steal_fd(&taken);
	h->dir = dir;
	return 0;
}

int fuse_handle_fd(const struct fuse *f, uint64_t fh, bool dir)
{
	if (fh < 1 || fh > f->n_handles || f->handle[fh - 1].fd < 0 ||
	    f->handle[fh - 1].dir != dir)
		return -EBADF;
	return f->handle[fh - 1].fd;
}

int fuse_handle_close(struct fuse *f, uint64_t fh, bool dir)
{
	struct fuse_handle *h;

	if (fuse_handle_fd(f, fh, dir) < 0)
		return -EBADF;
	h = &f->handle[fh - 1];
	(void)close(steal_fd(&h->fd));
	h->next = f->free_handle;
	f->free_handle = (uint32_t)fh - 1;
	return 0;
}

void fuse_handles_clear(struct fuse *f)
{
	for (uint32_t i = 0; i < f->n_handles; i++)
		if (f->handle[i].fd >= 0)
			(void)fuse_handle_close(f, (uint64_t)i + 1,
						f->handle[i].dir);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "microvm/fuse.h"
#include "microvm/virtio.h"
#include "microvm/virtio_worker.h"
#include "microvm/vm_config.h"

/*
 * A shared folder. The guest's kernel speaks FUSE (fuse.h) over two queues:
 * one for what must not wait behind other requests, forgetting files, and one
 * for all others. A single worker serves both, so that the server's tables
 * need no locks; what takes long is the host's disk, and it reads ahead.
 */
enum {
	QUEUE_FORGET,
	QUEUE_REQUESTS,
	QUEUES,
};

#define QUEUE_MAX 1024 /* Linux wants room for the pages of one request */

struct fs {
	struct virtio_dev dev;
	struct virtio_fs_config config;
	struct virtio_worker worker;
	struct fuse *fuse;
	struct virtq_chain chain;
};

static struct fs *to_fs(struct virtio_dev *dev)
{
	return CONTAINER_OF(dev, struct fs, dev);
}

/* As a kick: VIRTIO_AGAIN, 0, or negative. */
static int serve_queue(struct fs *fs, unsigned int q)
{
	struct virtq *vq = &fs->dev.queue[q];
	int served = 0, r;

	while ((r = virtq_pop(vq, fs->dev.mem, &fs->chain)) > 0) {
		r = fuse_serve(fs->fuse, &fs->chain);
		if (r < 0)
			return r;
		virtq_push(vq, fs->chain.head, (uint32_t)r);
		virtio_notify(&fs->dev, q);
		if (++served == VIRTIO_BATCH)
			return VIRTIO_AGAIN;
	}
	return r;
}

static int fs_serve(struct virtio_worker *w)
{
	struct fs *fs = to_fs(w->dev);
	int forget = serve_queue(fs, QUEUE_FORGET), r;

	if (forget < 0)
		return forget;
	r = serve_queue(fs, QUEUE_REQUESTS);
	return r < 0 ? r : MAX_OF(r, forget);
}

static int fs_enter(struct virtio_worker *w, struct err *e)
{
	return fuse_enter(to_fs(w->dev)->fuse, w->jailed, e);
}

/* The device. */

static int fs_kick(struct virtio_dev *dev, unsigned int q)
{
	return virtio_worker_kick(&to_fs(dev)->worker);
}

static int fs_start(struct virtio_dev *dev, bool jailed, struct err *e)
{
	return virtio_worker_start(&to_fs(dev)->worker, jailed, e);
}

static int fs_activate(struct virtio_dev *dev, struct err *e)
{
	virtio_worker_lend(&to_fs(dev)->worker);
	return 0;
}

/* The next driver begins with nothing. */
static void fs_reset(struct virtio_dev *dev)
{
	virtio_worker_take(&to_fs(dev)->worker);
	fuse_forget_all(to_fs(dev)->fuse);
}

static void fs_free(struct virtio_dev *dev)
{
	virtio_worker_stop(&to_fs(dev)->worker);
	fuse_free(to_fs(dev)->fuse);
	virtio_done(dev);
	free(to_fs(dev));
}

static const struct virtio_ops fs_ops = {
	.name = "fs",
	.id = VIRTIO_ID_FS,
	.start = fs_start,
	.activate = fs_activate,
	.kick = fs_kick,
	.reset = fs_reset,
	.free = fs_free,
};

static int set_up(struct fs *fs, const struct vm_share *share, struct err *e)
{
	struct stat st;

	if (fstat(share->dir_fd, &st) < 0)
		return err_errno(e, "look at it");
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "not a folder");
	return fuse_new(share->dir_fd, share->readonly, &fs->fuse, e);
}

int virtio_fs_new(const struct vm_share *share, struct virtio_dev **ret,
		  struct err *e)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return err_nomem(e);
	virtio_init(&fs->dev, &fs_ops, QUEUES, QUEUE_MAX);
	fs->worker = (struct virtio_worker){
		.dev = &fs->dev,
		.q = QUEUE_REQUESTS,
		.enter = fs_enter,
		.serve = fs_serve,
		.role = JAIL_SHARE,
	};
	memcpy(fs->config.tag, share->tag,
	       strnlen(share->tag, sizeof(fs->config.tag)));
	fs->config.num_request_queues = QUEUES - QUEUE_REQUESTS;
	fs->dev.config = (uint8_t *)&fs->config;
	fs->dev.config_len = sizeof(fs->config);
	r = set_up(fs, share, e);
	if (r < 0) {
		fs_free(&fs->dev);
		return err_wrap(e, r, "share '%s'", share->tag);
	}
	*ret = &fs->dev;
	return 0;
}

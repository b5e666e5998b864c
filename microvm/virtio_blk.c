/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "microvm/rate.h"
#include "microvm/virtio.h"
#include "microvm/virtio_worker.h"
#include "microvm/vm_config.h"

/*
 * A disk: a raw file or a block device, through the host's page cache. A
 * request is a header, data, and a byte for the result. A worker serves them
 * one after the other; a flush is an fdatasync(), and a driver that does not
 * know flushes gets one after each write.
 */
#define QUEUE_MAX   256
#define SEG_MAX	    254 /* of data; header and result come on top */
#define SECTOR_SIZE 512U
#define MAX_ZEROES  (1U << 22) /* sectors in one request to discard */

struct blk {
	struct virtio_dev dev;
	struct virtio_blk_config config;
	struct virtio_worker worker;
	int fd;
	bool readonly;
	char id[VIRTIO_BLK_ID_BYTES];
	struct vm_bucket bytes, ops;
};

struct request {
	struct virtio_blk_outhdr header;
	struct iovec *data; /* to be written or read */
	uint32_t n_data;
	uint64_t len;	  /* of the data */
	uint32_t written; /* into the guest's memory, but for the result */
};

static struct blk *to_blk(struct virtio_dev *dev)
{
	return CONTAINER_OF(dev, struct blk, dev);
}

/* The whole of it, sector by sector, must be on the disk. */
static bool in_range(const struct blk *b, uint64_t sector, uint64_t len)
{
	return len % SECTOR_SIZE == 0 && sector <= b->config.capacity &&
	       len / SECTOR_SIZE <= b->config.capacity - sector;
}

typedef ssize_t (*transfer_fn)(int fd, const struct iovec *v, int n, off_t at);

static uint8_t transfer(struct blk *b, struct request *rq, transfer_fn fn)
{
	off_t at = (off_t)(rq->header.sector * SECTOR_SIZE);

	if (!in_range(b, rq->header.sector, rq->len))
		return VIRTIO_BLK_S_IOERR;
	while (rq->n_data > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(
			fn(b->fd, rq->data, (int)rq->n_data, at));

		if (n <= 0)
			return VIRTIO_BLK_S_IOERR;
		at += n;
		rq->n_data = virtq_skip(rq->data, rq->n_data, (size_t)n);
	}
	return VIRTIO_BLK_S_OK;
}

static uint8_t do_read(struct blk *b, struct request *rq)
{
	uint8_t status = transfer(b, rq, preadv);

	rq->written = status == VIRTIO_BLK_S_OK ? (uint32_t)rq->len : 0;
	return status;
}

static uint8_t do_flush(struct blk *b, struct request *rq)
{
	return fdatasync(b->fd) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static uint8_t do_write(struct blk *b, struct request *rq)
{
	uint8_t status = transfer(b, rq, pwritev);

	if (status == VIRTIO_BLK_S_OK &&
	    !virtio_has(&b->dev, VIRTIO_BLK_F_FLUSH))
		status = do_flush(b, rq);
	return status;
}

static uint8_t do_id(struct blk *b, struct request *rq)
{
	rq->written = (uint32_t)virtq_copy_to(rq->data, rq->n_data, 0, b->id,
					      sizeof(b->id));
	return VIRTIO_BLK_S_OK;
}

/* Both leave zeros; the difference is whether the host keeps the place. */
static uint8_t clear(struct blk *b, struct request *rq, bool keep)
{
	struct virtio_blk_discard_write_zeroes range;
	int mode = FALLOC_FL_KEEP_SIZE;
	uint64_t len;

	if (rq->len != sizeof(range))
		return VIRTIO_BLK_S_UNSUPP; /* we said: one range each */
	(void)virtq_copy_from(rq->data, rq->n_data, 0, &range, sizeof(range));
	len = (uint64_t)range.num_sectors * SECTOR_SIZE;
	if (range.flags & ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP ||
	    range.num_sectors > MAX_ZEROES)
		return VIRTIO_BLK_S_UNSUPP;
	if (!in_range(b, range.sector, len))
		return VIRTIO_BLK_S_IOERR;
	if (len == 0)
		return VIRTIO_BLK_S_OK;
	mode |= keep && !range.flags ? FALLOC_FL_ZERO_RANGE
				     : FALLOC_FL_PUNCH_HOLE;
	if (fallocate(b->fd, mode, (off_t)(range.sector * SECTOR_SIZE),
		      (off_t)len) < 0)
		return errno == EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP
					   : VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static uint8_t do_discard(struct blk *b, struct request *rq)
{
	return clear(b, rq, false);
}

static uint8_t do_zeroes(struct blk *b, struct request *rq)
{
	return clear(b, rq, true);
}

static const struct {
	uint8_t (*serve)(struct blk *b, struct request *rq);
	bool to_guest; /* its data are written into guest memory */
	bool writes;   /* not for read-only disks */
} requests[] = {
	[VIRTIO_BLK_T_IN] = { do_read, .to_guest = true },
	[VIRTIO_BLK_T_OUT] = { do_write, .writes = true },
	[VIRTIO_BLK_T_FLUSH] = { do_flush },
	[VIRTIO_BLK_T_GET_ID] = { do_id, .to_guest = true },
	[VIRTIO_BLK_T_DISCARD] = { do_discard, .writes = true },
	[VIRTIO_BLK_T_WRITE_ZEROES] = { do_zeroes, .writes = true },
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* False: the queue is to be given back. */
static bool within_rate(struct blk *b, const struct request *rq)
{
	uint64_t now = now_ns();
	uint64_t bytes = vm_bucket_take(&b->bytes, rq->len, now);
	uint64_t ops = vm_bucket_take(&b->ops, 1, now);
	uint64_t wait = MAX_OF(bytes, ops);

	return wait == 0 || virtio_worker_wait(&b->worker, wait);
}

/* The result's byte is the last that we may write. */
static int split(const struct virtq_chain *c, struct request *rq,
		 uint8_t **ret_status)
{
	size_t out = virtq_len(c->out, c->n_out);
	struct iovec *last;
	uint32_t type;

	if (virtq_copy_from(c->in, c->n_in, 0, &rq->header,
			    sizeof(rq->header)) != sizeof(rq->header) ||
	    out == 0)
		return -EPROTO;
	last = &c->out[c->n_out - 1];
	if (last->iov_len == 0)
		return -EPROTO;
	*ret_status = (uint8_t *)last->iov_base + last->iov_len - 1;

	type = rq->header.type;
	if (type < ARRAY_SIZE(requests) && requests[type].to_guest) {
		rq->data = c->out;
		rq->n_data = virtq_cut(c->out, c->n_out, out - 1);
	} else {
		rq->data = c->in;
		rq->n_data = virtq_skip(c->in, c->n_in, sizeof(rq->header));
	}
	rq->len = virtq_len(rq->data, rq->n_data);
	return 0;
}

static uint8_t serve(struct blk *b, struct request *rq)
{
	uint32_t type = rq->header.type;

	if (type >= ARRAY_SIZE(requests) || !requests[type].serve)
		return VIRTIO_BLK_S_UNSUPP;
	if (requests[type].writes && b->readonly)
		return VIRTIO_BLK_S_IOERR;
	return requests[type].serve(b, rq);
}

static int blk_serve(struct virtio_worker *w)
{
	struct blk *b = to_blk(w->dev);
	struct virtq *vq = &b->dev.queue[0];
	struct virtq_chain c;
	int served = 0, r;

	while ((r = virtq_pop(vq, b->dev.mem, &c)) > 0) {
		struct request rq = { .written = 0 };
		uint8_t *status = NULL;

		r = split(&c, &rq, &status);
		if (r < 0)
			return r;
		if (!within_rate(b, &rq)) {
			virtq_unpop(vq);
			break;
		}
		*status = serve(b, &rq);
		virtq_push(vq, c.head, rq.written + 1);
		virtio_notify(&b->dev, 0);
		if (++served == VIRTIO_BATCH)
			return VIRTIO_AGAIN;
	}
	return r < 0 ? r : 0;
}

/* The device. */

static int blk_kick(struct virtio_dev *dev, unsigned int q)
{
	return virtio_worker_kick(&to_blk(dev)->worker);
}

static int blk_start(struct virtio_dev *dev, bool jailed, struct err *e)
{
	return virtio_worker_start(&to_blk(dev)->worker, jailed, e);
}

static int blk_activate(struct virtio_dev *dev, struct err *e)
{
	virtio_worker_lend(&to_blk(dev)->worker);
	return 0;
}

static void blk_reset(struct virtio_dev *dev)
{
	virtio_worker_take(&to_blk(dev)->worker);
}

static void blk_free(struct virtio_dev *dev)
{
	virtio_worker_stop(&to_blk(dev)->worker);
	virtio_done(dev);
	free(to_blk(dev));
}

static const struct virtio_ops blk_ops = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.start = blk_start,
	.activate = blk_activate,
	.kick = blk_kick,
	.reset = blk_reset,
	.free = blk_free,
};

static int measure(int fd, uint64_t *ret_size, uint32_t *ret_block,
		   struct err *e)
{
	struct stat st;
	int block = 0;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at it");
	*ret_block = SECTOR_SIZE;
	*ret_size = (uint64_t)st.st_size;
	if (S_ISREG(st.st_mode))
		return 0;
	if (!S_ISBLK(st.st_mode))
		return err_set(e, -EINVAL, "neither a file nor a block device");
	if (ioctl(fd, BLKGETSIZE64, ret_size) < 0 ||
	    ioctl(fd, BLKSSZGET, &block) < 0)
		return err_errno(e, "measure it");
	*ret_block = (uint32_t)block;
	return 0;
}

static int set_up(struct blk *b, const struct vm_disk *disk, struct err *e)
{
	uint64_t size;
	uint32_t block;
	int r = measure(disk->fd, &size, &block, e);

	if (r < 0)
		return r;
	b->fd = disk->fd;
	b->readonly = disk->readonly;
	if (disk->id)
		memcpy(b->id, disk->id, strnlen(disk->id, sizeof(b->id)));
	vm_bucket_init(&b->bytes, disk->rate.bytes, now_ns());
	vm_bucket_init(&b->ops, disk->rate.ops, now_ns());
	b->config.capacity = size / SECTOR_SIZE;
	b->config.seg_max = SEG_MAX;
	b->config.blk_size = block;
	b->config.max_discard_sectors = MAX_ZEROES;
	b->config.max_discard_seg = 1;
	b->config.discard_sector_alignment = block / SECTOR_SIZE;
	b->config.max_write_zeroes_sectors = MAX_ZEROES;
	b->config.max_write_zeroes_seg = 1;
	b->config.write_zeroes_may_unmap = 1;
	b->dev.offered |= 1ULL << VIRTIO_BLK_F_SEG_MAX |
			  1ULL << VIRTIO_BLK_F_BLK_SIZE |
			  1ULL << VIRTIO_BLK_F_FLUSH;
	b->dev.offered |= b->readonly
				  ? 1ULL << VIRTIO_BLK_F_RO
				  : 1ULL << VIRTIO_BLK_F_DISCARD |
					    1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	return 0;
}

int virtio_blk_new(const struct vm_disk *disk, struct virtio_dev **ret,
		   struct err *e)
{
	struct blk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_nomem(e);
	virtio_init(&b->dev, &blk_ops, 1, QUEUE_MAX);
	b->worker = (struct virtio_worker){
		.dev = &b->dev,
		.serve = blk_serve,
		.role = JAIL_DISK,
	};
	b->dev.config = (uint8_t *)&b->config;
	b->dev.config_len = sizeof(b->config);
	r = set_up(b, disk, e);
	if (r < 0) {
		blk_free(&b->dev);
		return err_wrap(e, r, "disk '%s'", disk->id ? disk->id : "");
	}
	*ret = &b->dev;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */

/* virtio-blk on a file in memory. */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/rate.h"
#include "tests/unit/microvm-driver.h"

#define SECTORS 64

struct disk {
	struct drv d;
	int fd;
	struct vm_disk setup;
};

static bool begin(struct disk *k, bool readonly, uint64_t features)
{
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };
	static char id[] = "serial-number-20-byt";

	memset(k, 0, sizeof(*k));
	k->fd = memfd_create("disk", MFD_CLOEXEC);
	if (!CHECK(k->fd >= 0 && ftruncate(k->fd, SECTORS * 512) == 0))
		return false;
	for (char i = 0; i < SECTORS; i++)
		CHECK(pwrite(k->fd, &(char){ (char)('0' + i) }, 1, i * 512) ==
		      1);
	k->setup =
		(struct vm_disk){ .fd = k->fd, .readonly = readonly, .id = id };
	if (!drv_init(&k->d) ||
	    !CHECK_OK(virtio_blk_new(&k->setup, &dev, &e), &e))
		return false;
	drv_attach(&k->d, dev);
	return CHECK_OK(virtio_start(dev, false, &e), &e) &&
	       CHECK_OK(drv_start(&k->d, features, &e), &e);
}

static void end(struct disk *k)
{
	drv_done(&k->d);
	(void)close(k->fd);
}

struct rq {
	uint32_t type;
	uint64_t sector;
	uint32_t len;
	uint64_t data; /* its address, after ask() */
	uint32_t used;
};

/* One request with one segment of data, waited for. The status, or -1. */
static int ask(struct disk *k, struct rq *rq, const void *data)
{
	struct virtio_blk_outhdr h = { .type = rq->type, .sector = rq->sector };
	bool in =
		rq->type == VIRTIO_BLK_T_IN || rq->type == VIRTIO_BLK_T_GET_ID;
	uint64_t at = drv_alloc(&k->d, sizeof(h));
	uint64_t status = drv_alloc(&k->d, 1);
	struct drv_seg s[3] = { { at, sizeof(h), false },
				{ 0, rq->len, in },
				{ status, 1, true } };
	uint32_t id;

	s[1].gpa = rq->data = drv_alloc(&k->d, rq->len);
	memcpy(drv_at(&k->d, at, sizeof(h)), &h, sizeof(h));
	if (data)
		memcpy(drv_at(&k->d, s[1].gpa, rq->len), data, rq->len);
	*(uint8_t *)drv_at(&k->d, status, 1) = 0xee;
	if (rq->len == 0)
		s[1] = s[2];
	(void)drv_add(&k->d, 0, s, rq->len ? 3 : 2);
	drv_kick(&k->d, 0);
	if (!CHECK(DRV_UNTIL(&k->d, __atomic_load_n(&k->d.q[0].used[1],
						    __ATOMIC_ACQUIRE) !=
					    k->d.q[0].seen)))
		return -1;
	CHECK(drv_used(&k->d, 0, &id, &rq->used));
	return *(uint8_t *)drv_at(&k->d, status, 1);
}

#define FLUSH (1ULL << VIRTIO_BLK_F_FLUSH)

TEST(sectors_are_read)
{
	struct rq rq = { VIRTIO_BLK_T_IN, 3, 1024, 0, 0 };
	const char *data;
	struct disk k;

	if (!begin(&k, true, FLUSH))
		return;
	CHECK_INT(ask(&k, &rq, NULL), VIRTIO_BLK_S_OK);
	CHECK_INT(rq.used, 1025);
	data = drv_at(&k.d, rq.data, 1024);
	CHECK_INT(data[0], '3');
	CHECK_INT(data[512], '4');
	end(&k);
}

TEST(sectors_are_written)
{
	struct rq rq = { VIRTIO_BLK_T_OUT, 5, 512, 0, 0 };
	struct rq flush = { VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0 };
	char block[512];
	struct disk k;

	memset(block, 'w', sizeof(block));
	if (!begin(&k, false, FLUSH))
		return;
	CHECK_INT(ask(&k, &rq, block), VIRTIO_BLK_S_OK);
	CHECK_INT(rq.used, 1);
	CHECK_INT(ask(&k, &flush, NULL), VIRTIO_BLK_S_OK);
	memset(block, 0, sizeof(block));
	CHECK_INT(pread(k.fd, block, 512, 5L * 512), 512);
	CHECK_INT(block[511], 'w');
	CHECK_INT(pread(k.fd, block, 1, 6L * 512), 1);
	CHECK_INT(block[0], '6');
	end(&k);
}

/* /dev/null takes every write, and cannot be flushed: what nobody flushes goes
 * well there. */
static bool begin_unflushable(struct disk *k, uint64_t features)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return begin(k, false, features) &&
	       CHECK(null >= 0 && dup3(null, k->fd, O_CLOEXEC) == k->fd);
}

TEST(a_flush_reaches_the_host_and_says_when_it_fails)
{
	struct rq rq = { VIRTIO_BLK_T_OUT, 5, 512, 0, 0 };
	struct rq flush = { VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0 };
	const char block[512] = { 0 };
	struct disk k;

	if (!begin_unflushable(&k, FLUSH))
		return;
	CHECK_INT(ask(&k, &rq, block), VIRTIO_BLK_S_OK);
	CHECK_INT(ask(&k, &flush, NULL), VIRTIO_BLK_S_IOERR);
	end(&k);
}

TEST(who_knows_no_flush_has_one_after_each_write)
{
	struct rq rq = { VIRTIO_BLK_T_OUT, 5, 512, 0, 0 };
	const char block[512] = { 0 };
	struct disk k;

	if (!begin(&k, false, 0))
		return;
	CHECK_INT(ask(&k, &rq, block), VIRTIO_BLK_S_OK);
	end(&k);
	if (!begin_unflushable(&k, 0))
		return;
	CHECK_INT(ask(&k, &rq, block), VIRTIO_BLK_S_IOERR);
	end(&k);
}

TEST(a_read_only_disk_is_not_written)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_OUT,
					  VIRTIO_BLK_T_DISCARD,
					  VIRTIO_BLK_T_WRITE_ZEROES };
	char block[512] = "xxxxxxxx";
	struct disk k;

	if (!begin(&k, true, FLUSH))
		return;
	CHECK(virtio_has(k.d.dev, VIRTIO_BLK_F_RO) ||
	      k.d.dev->offered & 1ULL << VIRTIO_BLK_F_RO);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct rq rq = { types[i], 0, 512, 0, 0 };

		CHECK_INT(ask(&k, &rq, block), VIRTIO_BLK_S_IOERR);
	}
	CHECK_INT(pread(k.fd, block, 1, 0), 1);
	CHECK_INT(block[0], '0');
	end(&k);
}

TEST(the_disk_has_a_serial_number)
{
	struct rq rq = { VIRTIO_BLK_T_GET_ID, 0, 20, 0, 0 };
	struct disk k;

	if (!begin(&k, true, FLUSH))
		return;
	CHECK_INT(ask(&k, &rq, NULL), VIRTIO_BLK_S_OK);
	CHECK(memcmp(drv_at(&k.d, rq.data, 20), "serial-number-20-byt", 20) ==
	      0);
	end(&k);
}

TEST(zeroes_and_discards_leave_zeros)
{
	struct virtio_blk_discard_write_zeroes range = { 8, 2, 0 };
	struct rq zero = { VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0, 0 };
	struct rq discard = { VIRTIO_BLK_T_DISCARD, 0, 16, 0, 0 };
	char c = 'x';
	struct disk k;

	if (!begin(&k, false, FLUSH))
		return;
	/* A file in memory knows no FALLOC_FL_ZERO_RANGE: said, not done. */
	CHECK_INT(ask(&k, &zero, &range), VIRTIO_BLK_S_UNSUPP);
	range.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	CHECK_INT(ask(&k, &zero, &range), VIRTIO_BLK_S_OK);
	CHECK_INT(pread(k.fd, &c, 1, 9L * 512), 1);
	CHECK_INT(c, 0);
	range.flags = 0;
	range.sector = 12;
	CHECK_INT(ask(&k, &discard, &range), VIRTIO_BLK_S_OK);
	CHECK_INT(pread(k.fd, &c, 1, 13L * 512), 1);
	CHECK_INT(c, 0);
	CHECK_INT(pread(k.fd, &c, 1, 14L * 512), 1);
	CHECK_INT(c, '0' + 14);
	end(&k);
}

static const struct {
	const char *what;
	struct rq rq;
	int status;
} bad[] = {
	{ "behind the end", { VIRTIO_BLK_T_IN, SECTORS, 512, 0, 0 }, 1 },
	{ "across the end", { VIRTIO_BLK_T_IN, SECTORS - 1, 1024, 0, 0 }, 1 },
	{ "a sector that wraps around",
	  { VIRTIO_BLK_T_IN, UINT64_MAX, 1024, 0, 0 },
	  1 },
	{ "an offset that wraps around",
	  { VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, 512, 0, 0 },
	  1 },
	{ "half a sector", { VIRTIO_BLK_T_IN, 0, 100, 0, 0 }, 1 },
	{ "an unknown request", { 99, 0, 512, 0, 0 }, 2 },
	{ "a gap in the numbers", { 5, 0, 512, 0, 0 }, 2 },
	{ "a range that is too short",
	  { VIRTIO_BLK_T_DISCARD, 0, 8, 0, 0 },
	  2 },
};

TEST(bad_requests_get_an_answer)
{
	char block[1024] = "";
	struct disk k;

	if (!begin(&k, false, FLUSH))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rq rq = bad[i].rq;

		if (!CHECK_INT(ask(&k, &rq, block), bad[i].status))
			tap_note("%s", bad[i].what);
	}
	CHECK_INT(k.d.failures, 0);
	end(&k);
}

static const struct {
	const char *what;
	struct drv_seg seg[2];
	size_t n;
} hostile[] = {
	{ "no place for the result", { { DRV_HEAP, 16, false } }, 1 },
	{ "half a header",
	  { { DRV_HEAP, 8, false }, { DRV_HEAP + 64, 1, true } },
	  2 },
	{ "a result without length",
	  { { DRV_HEAP, 16, false }, { DRV_HEAP + 64, 0, true } },
	  2 },
};

TEST(hostile_requests_stop_the_device)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct disk k;

		if (!begin(&k, false, FLUSH))
			return;
		(void)drv_add(&k.d, 0, hostile[i].seg, hostile[i].n);
		drv_kick(&k.d, 0);
		if (!CHECK(DRV_UNTIL(&k.d, k.d.failures == 1)))
			tap_note("%s", hostile[i].what);
		CHECK(!k.d.dev->active);
		end(&k);
	}
}

TEST(a_disk_serves_again_after_a_reset)
{
	struct rq rq = { VIRTIO_BLK_T_IN, 1, 512, 0, 0 };
	struct err e = { 0 };
	struct disk k;

	if (!begin(&k, true, FLUSH))
		return;
	CHECK_INT(ask(&k, &rq, NULL), VIRTIO_BLK_S_OK);
	virtio_reset(k.d.dev);
	REQUIRE_OK(drv_start(&k.d, FLUSH, &e), &e);
	CHECK_INT(ask(&k, &rq, NULL), VIRTIO_BLK_S_OK);
	end(&k);
}

TEST(a_bucket_lets_through_what_it_holds)
{
	struct vm_bucket b;

	vm_bucket_init(&b, 1000, 0);
	CHECK_INT(vm_bucket_take(&b, 1000, 0), 0);
	CHECK_INT(vm_bucket_take(&b, 500, 0), 500000000);
	/* Half a second later the debt is paid, and nothing is left. */
	CHECK_INT(vm_bucket_take(&b, 0, 500000000), 0);
	CHECK_INT(vm_bucket_take(&b, 1, 500000000), 1000000);
	/* After a long time it holds one second's worth, not more. */
	CHECK_INT(vm_bucket_take(&b, 1000, 1000000000000), 0);
	CHECK_INT(vm_bucket_take(&b, 1, 1000000000000), 1000000);
	/* Steps too small for a token add up. */
	vm_bucket_init(&b, 1, 0);
	CHECK_INT(vm_bucket_take(&b, 1, 0), 0);
	for (uint64_t t = 0; t <= 1000000000; t += 100000000)
		if (vm_bucket_take(&b, 0, t) != 0)
			(void)CHECK(false);
	CHECK_INT(vm_bucket_take(&b, 1, 1000000000), 0);
	vm_bucket_init(&b, 0, 0);
	CHECK_INT(vm_bucket_take(&b, UINT64_MAX, 0), 0);
	vm_bucket_init(&b, UINT64_MAX, 0);
	CHECK_INT(vm_bucket_take(&b, UINT64_MAX / 8, 0), 0);
	(void)vm_bucket_take(&b, UINT64_MAX, UINT64_MAX);
}

static const struct tap_test tests[] = {
	TAP(sectors_are_read),
	TAP(sectors_are_written),
	TAP(a_flush_reaches_the_host_and_says_when_it_fails),
	TAP(who_knows_no_flush_has_one_after_each_write),
	TAP(a_read_only_disk_is_not_written),
	TAP(the_disk_has_a_serial_number),
	TAP(zeroes_and_discards_leave_zeros),
	TAP(bad_requests_get_an_answer),
	TAP(hostile_requests_stop_the_device),
	TAP(a_disk_serves_again_after_a_reset),
	TAP(a_bucket_lets_through_what_it_holds),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

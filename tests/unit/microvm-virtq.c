/* SPDX-License-Identifier: Apache-2.0 */

/* The queue, against drivers that lie. */
#include <linux/virtio_ring.h>

#include "microvm/gmem.h"
#include "microvm/virtq.h"
#include "microvm/vm_config.h"
#include "tests/unit/tap.h"

#define MEMORY	(16ULL << 20)
#define DESC	0x1000ULL
#define AVAIL	0x2000ULL
#define USED	0x3000ULL
#define BUFFERS 0x100000ULL
#define SIZE	8

#define NEXT	 VRING_DESC_F_NEXT
#define WRITE	 VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

struct queue {
	struct gmem mem;
	struct virtq vq;
	struct vring_desc *desc;
	uint16_t *avail, *used;
};

static bool start(struct queue *q, uint64_t features)
{
	struct vm_memory m = { .bytes = MEMORY };
	struct err e = { 0 };

	memset(q, 0, sizeof(*q));
	if (!CHECK_OK(gmem_init(&q->mem, &m, &e), &e))
		return false;
	q->vq = (struct virtq){
		.desc_gpa = DESC,
		.avail_gpa = AVAIL,
		.used_gpa = USED,
		.size = SIZE,
		.max = 64,
	};
	q->desc = gmem_at(&q->mem, DESC, 0x1000);
	q->avail = gmem_at(&q->mem, AVAIL, 0x1000);
	q->used = gmem_at(&q->mem, USED, 0x1000);
	return CHECK_INT(virtq_start(&q->vq, &q->mem, features), 0);
}

static void offer(struct queue *q, uint16_t head)
{
	q->avail[2 + q->avail[1] % SIZE] = head;
	q->avail[1]++;
}

#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)

TEST(a_request_is_what_the_driver_wrote)
{
	struct virtq_chain c;
	struct queue q;

	if (!start(&q, 0))
		return;
	q.desc[3] = (struct vring_desc){ BUFFERS, 16, NEXT, 1 };
	q.desc[1] = (struct vring_desc){ BUFFERS + 64, 100, WRITE | NEXT, 7 };
	q.desc[7] = (struct vring_desc){ BUFFERS + 512, 1, WRITE, 0 };
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 0);
	offer(&q, 3);
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 1);
	CHECK_INT(c.head, 3);
	CHECK_INT(c.n_in, 1);
	CHECK_INT(c.n_out, 2);
	CHECK(c.in[0].iov_base == gmem_at(&q.mem, BUFFERS, 16));
	CHECK(c.out[0].iov_base == gmem_at(&q.mem, BUFFERS + 64, 100));
	CHECK_INT(virtq_len(c.out, c.n_out), 101);
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 0);

	virtq_push(&q.vq, 3, 101);
	CHECK_INT(q.used[1], 1);
	CHECK_INT(q.used[2], 3);
	CHECK_INT(q.used[4], 101);
	gmem_done(&q.mem);
}

TEST(an_indirect_table_is_followed)
{
	struct vring_desc *table;
	struct virtq_chain c;
	struct queue q;

	if (!start(&q, 0))
		return;
	table = gmem_at(&q.mem, BUFFERS, 0x1000);
	table[0] = (struct vring_desc){ BUFFERS + 0x2000, 8, NEXT, 2 };
	table[2] = (struct vring_desc){ BUFFERS + 0x3000, 9, WRITE, 0 };
	q.desc[0] = (struct vring_desc){ BUFFERS + 0x4000, 4, NEXT, 5 };
	q.desc[5] = (struct vring_desc){ BUFFERS, 3 * 16, INDIRECT, 0 };
	offer(&q, 0);
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 1);
	CHECK_INT(c.n_in, 2);
	CHECK_INT(c.n_out, 1);
	CHECK_INT(virtq_len(c.in, c.n_in), 12);
	gmem_done(&q.mem);
}

static const struct {
	const char *what;
	struct vring_desc desc[3];
	struct vring_desc table[2]; /* at BUFFERS */
	uint16_t head;
} hostile[] = {
	{ "a head outside the table", .desc = { { BUFFERS, 1, 0, 0 } },
	  .head = SIZE },
	{ "a next outside the table", .desc = { { BUFFERS, 1, NEXT, SIZE } } },
	{ "a loop of one", .desc = { { BUFFERS, 1, NEXT, 0 } } },
	{ "a loop of two",
	  .desc = { { BUFFERS, 1, NEXT, 1 }, { BUFFERS, 1, NEXT, 0 } } },
	{ "a buffer outside memory", .desc = { { MEMORY, 1, 0, 0 } } },
	{ "a buffer that ends outside memory",
	  .desc = { { MEMORY - 8, 9, 0, 0 } } },
	{ "a buffer that wraps around",
	  .desc = { { UINT64_MAX - 3, 16, 0, 0 } } },
	{ "the longest buffer", .desc = { { BUFFERS, UINT32_MAX, 0, 0 } } },
	{ "readable behind writable",
	  .desc = { { BUFFERS, 1, WRITE | NEXT, 1 }, { BUFFERS, 1, 0, 0 } } },
	{ "an indirect table with a successor",
	  .desc = { { BUFFERS, 16, INDIRECT | NEXT, 1 }, { BUFFERS, 1, 0, 0 } },
	  .table = { { BUFFERS, 1, 0, 0 } } },
	{ "an empty indirect table", .desc = { { BUFFERS, 0, INDIRECT, 0 } } },
	{ "half an indirect descriptor",
	  .desc = { { BUFFERS, 24, INDIRECT, 0 } },
	  .table = { { BUFFERS, 1, 0, 0 } } },
	{ "an indirect table outside memory",
	  .desc = { { MEMORY, 16, INDIRECT, 0 } } },
	{ "an indirect table at an odd place",
	  .desc = { { BUFFERS + 1, 16, INDIRECT, 0 } } },
	{ "an indirect table in an indirect table",
	  .desc = { { BUFFERS, 16, INDIRECT, 0 } },
	  .table = { { BUFFERS, 16, INDIRECT, 0 } } },
	{ "a loop in an indirect table",
	  .desc = { { BUFFERS, 32, INDIRECT, 0 } },
	  .table = { { BUFFERS, 1, NEXT, 1 }, { BUFFERS, 1, NEXT, 0 } } },
	{ "a next outside the indirect table",
	  .desc = { { BUFFERS, 32, INDIRECT, 0 } },
	  .table = { { BUFFERS, 1, NEXT, 2 } } },
};

TEST(hostile_chains_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct virtq_chain c;
		struct queue q;

		if (!start(&q, 0))
			return;
		memcpy(q.desc, hostile[i].desc, sizeof(hostile[i].desc));
		memcpy(gmem_at(&q.mem, BUFFERS, 32), hostile[i].table,
		       sizeof(hostile[i].table));
		offer(&q, hostile[i].head);
		if (!CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), -EPROTO))
			tap_note("%s", hostile[i].what);
		gmem_done(&q.mem);
	}
}

TEST(more_requests_than_the_queue_holds_are_a_lie)
{
	struct virtq_chain c;
	struct queue q;

	if (!start(&q, 0))
		return;
	q.desc[0] = (struct vring_desc){ BUFFERS, 1, 0, 0 };
	q.avail[1] = SIZE;
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 1);
	q.avail[1] = SIZE + 2;
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), -EPROTO);
	q.avail[1] = 0; /* back in time */
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), -EPROTO);
	gmem_done(&q.mem);
}

static const struct {
	const char *what;
	uint64_t desc, avail, used;
	uint16_t size;
} bad_queues[] = {
	{ "no entries", DESC, AVAIL, USED, 0 },
	{ "not a power of two", DESC, AVAIL, USED, 6 },
	{ "more than offered", DESC, AVAIL, USED, 128 },
	{ "descriptors at an odd place", DESC + 8, AVAIL, USED, SIZE },
	{ "descriptors outside memory", MEMORY, AVAIL, USED, SIZE },
	{ "descriptors that end outside", MEMORY - 16, AVAIL, USED, SIZE },
	{ "available outside memory", DESC, MEMORY - 2, USED, SIZE },
	{ "used that wraps around", DESC, AVAIL, UINT64_MAX - 3, SIZE },
	{ "used at an odd place", DESC, AVAIL, USED + 2, SIZE },
};

TEST(queues_that_are_not_in_memory_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_queues); i++) {
		struct virtq_chain c;
		struct queue q;

		if (!start(&q, 0))
			return;
		virtq_stop(&q.vq);
		q.vq.desc_gpa = bad_queues[i].desc;
		q.vq.avail_gpa = bad_queues[i].avail;
		q.vq.used_gpa = bad_queues[i].used;
		q.vq.size = bad_queues[i].size;
		if (!CHECK_INT(virtq_start(&q.vq, &q.mem, 0), -EPROTO))
			tap_note("%s", bad_queues[i].what);
		CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 0);
		virtq_push(&q.vq, 0, 0); /* goes nowhere */
		gmem_done(&q.mem);
	}
}

TEST(interrupts_are_as_wanted)
{
	struct queue q;

	if (!start(&q, 0))
		return;
	CHECK(!virtq_wants_interrupt(&q.vq));
	virtq_push(&q.vq, 0, 0);
	CHECK(virtq_wants_interrupt(&q.vq));
	CHECK(!virtq_wants_interrupt(&q.vq));
	q.avail[0] = VRING_AVAIL_F_NO_INTERRUPT;
	virtq_push(&q.vq, 0, 0);
	CHECK(!virtq_wants_interrupt(&q.vq));
	gmem_done(&q.mem);
}

TEST(with_event_indices_interrupts_come_when_passed)
{
	struct virtq_chain c;
	struct queue q;

	if (!start(&q, EVENT_IDX))
		return;
	q.avail[2 + SIZE] = 1; /* used_event: tell me of the second */
	virtq_push(&q.vq, 0, 0);
	CHECK(!virtq_wants_interrupt(&q.vq));
	virtq_push(&q.vq, 0, 0);
	CHECK(virtq_wants_interrupt(&q.vq));
	virtq_push(&q.vq, 0, 0);
	CHECK(!virtq_wants_interrupt(&q.vq));

	/* And the other way: an empty queue asks for the next request. */
	q.desc[0] = (struct vring_desc){ BUFFERS, 1, 0, 0 };
	offer(&q, 0);
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 1);
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 0);
	CHECK_INT(q.used[2 + 4 * SIZE], 1);
	gmem_done(&q.mem);
}

TEST(a_request_given_back_comes_again)
{
	struct virtq_chain c;
	struct queue q;

	if (!start(&q, 0))
		return;
	q.desc[2] = (struct vring_desc){ BUFFERS, 1, 0, 0 };
	offer(&q, 2);
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 1);
	CHECK(virtq_empty(&q.vq));
	virtq_unpop(&q.vq);
	CHECK(!virtq_empty(&q.vq));
	CHECK_INT(virtq_pop(&q.vq, &q.mem, &c), 1);
	CHECK_INT(c.head, 2);
	gmem_done(&q.mem);
}

TEST(answers_can_be_published_together)
{
	struct queue q;

	if (!start(&q, 0))
		return;
	for (uint16_t i = 0; i < SIZE - 1; i++)
		virtq_push(&q.vq, i, 0);
	virtq_stage(&q.vq, 0, 1, 11); /* the last place */
	virtq_stage(&q.vq, 1, 2, 22); /* and the first */
	CHECK_INT(q.used[1], SIZE - 1);
	virtq_publish(&q.vq, 2);
	CHECK_INT(q.used[1], SIZE + 1);
	CHECK_INT(q.used[2 + 4 * (SIZE - 1) + 2], 11);
	CHECK_INT(q.used[2 + 2], 22);
	gmem_done(&q.mem);
}

TEST(segments_are_skipped_cut_and_copied)
{
	char a[] = "abcd", b[] = "efgh", text[9] = "";
	struct iovec v[3] = { { a, 4 }, { b, 0 }, { b, 4 } };

	CHECK_INT(virtq_copy_from(v, 3, 2, text, 5), 5);
	CHECK_STR(text, "cdefg");
	CHECK_INT(virtq_copy_from(v, 3, 7, text, 5), 1);
	CHECK_INT(virtq_copy_to(v, 3, 3, "XY", 2), 2);
	CHECK_STR(a, "abcX");
	CHECK_STR(b, "Yfgh");
	CHECK_INT(virtq_cut(v, 3, 6), 3);
	CHECK_INT(virtq_len(v, 3), 6);
	CHECK_INT(virtq_skip(v, 3, 5), 1);
	CHECK_INT(v[0].iov_len, 1);
	CHECK_INT(virtq_skip(v, 1, 5), 0);
}

static const struct tap_test tests[] = {
	TAP(a_request_is_what_the_driver_wrote),
	TAP(an_indirect_table_is_followed),
	TAP(hostile_chains_are_refused),
	TAP(more_requests_than_the_queue_holds_are_a_lie),
	TAP(queues_that_are_not_in_memory_are_refused),
	TAP(interrupts_are_as_wanted),
	TAP(with_event_indices_interrupts_come_when_passed),
	TAP(a_request_given_back_comes_again),
	TAP(answers_can_be_published_together),
	TAP(segments_are_skipped_cut_and_copied),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

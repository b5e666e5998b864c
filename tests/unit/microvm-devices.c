/* SPDX-License-Identifier: Apache-2.0 */

/* rng, balloon and console, with a driver of ours. */
#include <fcntl.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_console.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "tests/unit/microvm-driver.h"

/* --- rng */

TEST(the_guest_gets_random_bytes)
{
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };
	struct drv_seg s = { .len = 64, .writable = true };
	uint32_t id, len;
	uint8_t zero[64] = { 0 };
	struct drv d;

	if (!drv_init(&d))
		return;
	REQUIRE_OK(virtio_rng_new(&dev, &e), &e);
	drv_attach(&d, dev);
	REQUIRE_OK(drv_start(&d, 0, &e), &e);
	s.gpa = drv_alloc(&d, 64);
	(void)drv_add(&d, 0, &s, 1);
	drv_kick(&d, 0);
	REQUIRE(drv_used(&d, 0, &id, &len));
	CHECK_INT(len, 64);
	CHECK(memcmp(drv_at(&d, s.gpa, 64), zero, 64) != 0);
	CHECK_INT(d.interrupts, 1);
	drv_done(&d);
}

TEST(one_driver_cannot_keep_the_device_thread)
{
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };
	struct drv d;

	if (!drv_init(&d))
		return;
	REQUIRE_OK(virtio_rng_new(&dev, &e), &e);
	dev->queue[0].max = VIRTQ_MAX_SIZE;
	drv_attach(&d, dev);
	dev->queue[0].size = VIRTQ_MAX_SIZE;
	/* A queue of 1024, all of them the same one-byte buffer. */
	REQUIRE_OK(drv_start(&d, 0, &e), &e);
	virtq_stop(&dev->queue[0]);
	dev->queue[0] = (struct virtq){ .desc_gpa = DRV_RING(0),
					.avail_gpa = DRV_RING(0) + DRV_AVAIL,
					.used_gpa = DRV_RING(0) + DRV_USED,
					.size = VIRTQ_MAX_SIZE,
					.max = VIRTQ_MAX_SIZE };
	REQUIRE(virtq_start(&dev->queue[0], &d.mem, 0) == 0);
	d.q[0].desc[0] =
		(struct vring_desc){ DRV_HEAP, 1, VRING_DESC_F_WRITE, 0 };
	d.q[0].avail[1] = VRING_DESC_F_WRITE * 500; /* 1000 requests */
	drv_kick(&d, 0);
	CHECK_INT(d.q[0].used[1], VIRTIO_BATCH);
	CHECK_INT(d.again, 1);
	drv_done(&d);
}

/* --- balloon */

static bool balloon(struct drv *d)
{
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };

	if (!drv_init(d) || !CHECK_OK(virtio_balloon_new(&dev, &e), &e))
		return false;
	drv_attach(d, dev);
	return CHECK_OK(drv_start(d, 1ULL << VIRTIO_BALLOON_F_REPORTING, &e),
			&e);
}

static bool resident(struct drv *d, uint64_t gpa)
{
	unsigned char v = 0;

	CHECK(mincore(drv_at(d, gpa, 4096), 4096, &v) == 0);
	return v & 1;
}

TEST(reported_pages_go_back_to_the_host)
{
	struct virtio_balloon_sizes sizes;
	struct drv_seg s[2] = { { 0x800000, 8192, true },
				{ 0x900000, 4096, true } };
	struct drv d;

	if (!balloon(&d))
		return;
	memset(drv_at(&d, 0x800000, 8192), 1, 8192);
	memset(drv_at(&d, 0x900000, 8192), 1, 8192);
	CHECK(resident(&d, 0x800000) && resident(&d, 0x900000));
	(void)drv_add(&d, 2, s, 2);
	drv_kick(&d, 2);
	CHECK(!resident(&d, 0x800000) && !resident(&d, 0x801000));
	CHECK(!resident(&d, 0x900000) && resident(&d, 0x901000));
	CHECK(virtio_balloon_stat(d.dev, &sizes));
	CHECK_INT(sizes.reported, 12288);
	drv_done(&d);
}

TEST(inflated_pages_go_back_to_the_host)
{
	uint32_t *pfn;
	struct drv_seg s = { .len = 12 };
	struct drv d;

	if (!balloon(&d))
		return;
	memset(drv_at(&d, 0x800000, 16384), 1, 16384);
	s.gpa = drv_alloc(&d, 16);
	pfn = drv_at(&d, s.gpa, 12);
	pfn[0] = 0x800;
	pfn[1] = 0x801;
	pfn[2] = 0x803;
	(void)drv_add(&d, 0, &s, 1);
	drv_kick(&d, 0);
	CHECK(!resident(&d, 0x800000) && !resident(&d, 0x801000));
	CHECK(resident(&d, 0x802000) && !resident(&d, 0x803000));
	(void)drv_add(&d, 1, &s, 1); /* deflate: nothing to do */
	drv_kick(&d, 1);
	CHECK_INT(d.q[1].used[1], 1);
	CHECK_INT(d.failures, 0);
	drv_done(&d);
}

TEST(the_size_asked_for_and_the_size_reached_are_seen)
{
	struct virtio_balloon_sizes sizes;
	struct virtio_balloon_config c;
	struct err e = { 0 };
	uint32_t actual = 5;
	struct drv d;

	if (!balloon(&d))
		return;
	CHECK_OK(virtio_balloon_set(d.dev, 8 << 20, &e), &e);
	virtio_get_config(d.dev, 0, &c, 8);
	CHECK_INT(c.num_pages, 2048);
	CHECK_INT(d.config_changes, 1);
	d.dev->ops->config(d.dev, 4, (uint8_t *)&actual, 4);
	CHECK(virtio_balloon_stat(d.dev, &sizes));
	CHECK_INT(sizes.given_up, 20480);
	CHECK_INT(virtio_balloon_set(d.dev, UINT64_MAX, &e), -ERANGE);
	drv_done(&d);
}

static const struct {
	const char *what;
	unsigned int queue;
	struct drv_seg seg;
	uint32_t pfn;
} bad_balloon[] = {
	{ "half a page", 2, { 0x800000, 2048, true }, 0 },
	{ "across two pages", 2, { 0x800800, 4096, true }, 0 },
	{ "a page outside memory", 0, { DRV_HEAP, 4, false }, 0x100000 },
	{ "the last page there could be",
	  0,
	  { DRV_HEAP, 4, false },
	  UINT32_MAX },
};

TEST(a_balloon_of_lies_is_stopped)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_balloon); i++) {
		struct drv d;

		if (!balloon(&d))
			return;
		memcpy(drv_at(&d, DRV_HEAP, 4), &bad_balloon[i].pfn, 4);
		(void)drv_add(&d, bad_balloon[i].queue, &bad_balloon[i].seg, 1);
		drv_kick(&d, bad_balloon[i].queue);
		if (!CHECK_INT(d.failures, 1))
			tap_note("%s", bad_balloon[i].what);
		drv_done(&d);
	}
}

/* --- console */

struct con {
	struct drv d;
	struct vm_config config;
	struct vm_port port[2];
	int host[2];
};

#define CTRL_RX 2
#define CTRL_TX 3
#define CTRL	sizeof(struct virtio_console_control)

static void lend(struct con *c, unsigned int q, uint32_t len)
{
	struct drv_seg s = { drv_alloc(&c->d, len), len, true };

	(void)drv_add(&c->d, q, &s, 1);
	drv_kick(&c->d, q);
}

static bool con_begin(struct con *c, uint64_t features)
{
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };
	static char names[2][8] = { "one", "two" };

	memset(c, 0, sizeof(*c));
	if (!drv_init(&c->d))
		return false;
	for (int i = 0; i < 2; i++) {
		int pair[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				 pair) == 0);
		c->host[i] = pair[0];
		CHECK(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
		c->port[i] = (struct vm_port){ names[i], pair[1], -1 };
	}
	c->config = (struct vm_config)VM_CONFIG_INIT;
	c->config.ports.v = c->port;
	c->config.ports.n = 2;
	if (!CHECK_OK(virtio_console_new(&c->config, &dev, &e), &e))
		return false;
	drv_attach(&c->d, dev);
	return CHECK_OK(drv_start(&c->d, features, &e), &e);
}

static void con_end(struct con *c)
{
	drv_done(&c->d);
	for (int i = 0; i < 2; i++) {
		(void)close(c->host[i]);
		(void)close(c->port[i].fd);
	}
}

static void say(struct con *c, uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control m = { id, event, value };
	struct drv_seg s = { drv_alloc(&c->d, CTRL), CTRL, false };

	memcpy(drv_at(&c->d, s.gpa, CTRL), &m, CTRL);
	(void)drv_add(&c->d, CTRL_TX, &s, 1);
	drv_kick(&c->d, CTRL_TX);
}

/* The next control message of the device and the text behind it. */
static bool hear(struct con *c, struct virtio_console_control *m, char *text)
{
	uint32_t id, len;
	const char *at;

	if (!drv_used(&c->d, CTRL_RX, &id, &len) || len < CTRL)
		return false;
	at = drv_at(&c->d, c->d.q[CTRL_RX].desc[id].addr, len);
	memcpy(m, at, CTRL);
	if (text) {
		memcpy(text, at + CTRL, len - CTRL);
		text[len - CTRL] = '\0';
	}
	return true;
}

#define MULTIPORT (1ULL << VIRTIO_CONSOLE_F_MULTIPORT)

/* Both ports announced, named and open on both sides. */
static bool con_open(struct con *c)
{
	struct virtio_console_control m;

	if (!con_begin(c, MULTIPORT))
		return false;
	for (int i = 0; i < 10; i++)
		lend(c, CTRL_RX, 64);
	say(c, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	for (uint32_t i = 0; i < 2; i++) {
		say(c, i, VIRTIO_CONSOLE_PORT_READY, 1);
		say(c, i, VIRTIO_CONSOLE_PORT_OPEN, 1);
	}
	for (int i = 0; i < 6; i++)
		if (!CHECK(hear(c, &m, NULL)))
			return false;
	return true;
}

TEST(ports_are_announced_with_their_names)
{
	struct virtio_console_control m;
	char text[64];
	struct con c;

	if (!con_begin(&c, MULTIPORT))
		return;
	say(&c, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	CHECK(!hear(&c, &m, NULL)); /* no buffer was lent yet */
	lend(&c, CTRL_RX, 64);
	CHECK(hear(&c, &m, NULL));
	CHECK_INT(m.event, VIRTIO_CONSOLE_PORT_ADD);
	CHECK_INT(m.id, 0);
	lend(&c, CTRL_RX, 64);
	CHECK(hear(&c, &m, NULL));
	CHECK_INT(m.id, 1);
	say(&c, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	lend(&c, CTRL_RX, 64);
	CHECK(hear(&c, &m, text));
	CHECK_INT(m.event, VIRTIO_CONSOLE_PORT_NAME);
	CHECK_STR(text, "two");
	lend(&c, CTRL_RX, 64);
	CHECK(hear(&c, &m, NULL));
	CHECK_INT(m.event, VIRTIO_CONSOLE_PORT_OPEN);
	CHECK_INT(m.value, 1);
	con_end(&c);
}

TEST(a_port_carries_bytes_both_ways)
{
	struct drv_seg s = { .len = 5 };
	uint32_t id, len;
	char buf[16] = "";
	struct con c;

	if (!con_open(&c))
		return;
	s.gpa = drv_alloc(&c.d, 5);
	memcpy(drv_at(&c.d, s.gpa, 5), "hello", 5);
	(void)drv_add(&c.d, 5, &s, 1); /* tx of port two */
	drv_kick(&c.d, 5);
	CHECK_INT(read(c.host[1], buf, sizeof(buf)), 5);
	CHECK_STR(buf, "hello");

	lend(&c, 4, 64);
	CHECK_INT(write(c.host[1], "world", 5), 5);
	CHECK(DRV_UNTIL(&c.d, c.d.q[4].used[1] == 1));
	CHECK(drv_used(&c.d, 4, &id, &len));
	CHECK_INT(len, 5);
	CHECK(memcmp(drv_at(&c.d, c.d.q[4].desc[id].addr, 5), "world", 5) == 0);
	con_end(&c);
}

TEST(what_the_host_says_waits_for_the_guest_to_open)
{
	struct con c;

	if (!con_begin(&c, MULTIPORT))
		return;
	lend(&c, 0, 64);
	CHECK_INT(write(c.host[0], "early", 5), 5);
	for (int i = 0; i < 3; i++)
		drv_turn(&c.d);
	CHECK_INT(c.d.q[0].used[1], 0);
	say(&c, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK(DRV_UNTIL(&c.d, c.d.q[0].used[1] == 1));
	con_end(&c);
}

TEST(a_slow_host_loses_nothing)
{
	static char block[8192], buf[8192];
	size_t sent = 0, got = 0;
	struct drv_seg s = { .len = sizeof(block) };
	ssize_t n;
	struct con c;

	if (!con_open(&c))
		return;
	s.gpa = drv_alloc(&c.d, sizeof(block));
	memset(drv_at(&c.d, s.gpa, sizeof(block)), 'x', sizeof(block));
	for (; sent < 60 * sizeof(block); sent += sizeof(block)) {
		(void)drv_add(&c.d, 1, &s, 1);
		drv_kick(&c.d, 1);
	}
	CHECK(c.d.q[1].used[1] < 60); /* the rest waits in the queue */
	while (got < sent &&
	       CHECK(DRV_UNTIL(&c.d,
			       (n = read(c.host[0], buf, sizeof(buf))) > 0)))
		got += (size_t)n;
	CHECK_INT(got, sent);
	CHECK(DRV_UNTIL(&c.d, c.d.q[1].used[1] == 60));
	con_end(&c);
}

TEST(the_end_of_a_side_is_the_end_for_the_other)
{
	struct virtio_console_control m;
	struct drv_seg s = { .len = 4 };
	char buf[8];
	struct con c;

	if (!con_open(&c))
		return;
	lend(&c, 0, 64);
	(void)close(c.host[0]);
	c.host[0] = -1;
	CHECK(DRV_UNTIL(&c.d, c.d.q[CTRL_RX].used[1] == 7));
	CHECK(hear(&c, &m, NULL));
	CHECK_INT(m.event, VIRTIO_CONSOLE_PORT_OPEN);
	CHECK_INT(m.value, 0);

	/* What it said before it closed comes first. */
	s.gpa = drv_alloc(&c.d, 4);
	(void)drv_add(&c.d, 5, &s, 1);
	say(&c, 1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	CHECK(DRV_UNTIL(&c.d, read(c.host[1], buf, sizeof(buf)) == 4));
	CHECK(DRV_UNTIL(&c.d, read(c.host[1], buf, sizeof(buf)) == 0));
	con_end(&c);
}

TEST(a_driver_without_multiport_has_the_first_port)
{
	struct con c;

	if (!con_begin(&c, 0))
		return;
	lend(&c, 0, 64);
	CHECK_INT(write(c.host[0], "x", 1), 1);
	CHECK(DRV_UNTIL(&c.d, (drv_kick(&c.d, 0), c.d.q[0].used[1] == 1)));
	con_end(&c);
}

TEST(control_messages_that_make_no_sense_are_harmless)
{
	struct drv_seg s = { DRV_HEAP, 3, false };
	struct con c;

	if (!con_begin(&c, MULTIPORT))
		return;
	say(&c, 77, VIRTIO_CONSOLE_PORT_READY, 1);
	say(&c, UINT32_MAX, VIRTIO_CONSOLE_PORT_OPEN, 1);
	say(&c, 0, 999, 1);
	say(&c, 0, VIRTIO_CONSOLE_PORT_NAME, 1);
	CHECK_INT(c.d.failures, 0);
	(void)drv_add(&c.d, CTRL_TX, &s, 1); /* half a message */
	drv_kick(&c.d, CTRL_TX);
	CHECK_INT(c.d.failures, 1);
	con_end(&c);
}

static const struct tap_test tests[] = {
	TAP(the_guest_gets_random_bytes),
	TAP(one_driver_cannot_keep_the_device_thread),
	TAP(reported_pages_go_back_to_the_host),
	TAP(inflated_pages_go_back_to_the_host),
	TAP(the_size_asked_for_and_the_size_reached_are_seen),
	TAP(a_balloon_of_lies_is_stopped),
	TAP(ports_are_announced_with_their_names),
	TAP(a_port_carries_bytes_both_ways),
	TAP(what_the_host_says_waits_for_the_guest_to_open),
	TAP(a_slow_host_loses_nothing),
	TAP(the_end_of_a_side_is_the_end_for_the_other),
	TAP(a_driver_without_multiport_has_the_first_port),
	TAP(control_messages_that_make_no_sense_are_harmless),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */

/* virtio-net on a packet socket, which stands in for a tap. */
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "tests/unit/microvm-driver.h"

#define RX  0
#define TX  1
#define HDR sizeof(struct virtio_net_hdr_mrg_rxbuf)
#define MRG (1ULL << VIRTIO_NET_F_MRG_RXBUF)

struct card {
	struct drv d;
	int wire; /* the other end of the cable */
	struct vm_nic nic;
};

static bool begin(struct card *c, uint64_t features)
{
	static char mac[] = "02:00:00:00:00:0a";
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };
	int pair[2];

	memset(c, 0, sizeof(*c));
	if (!drv_init(&c->d))
		return false;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
	c->wire = pair[0];
	c->nic = (struct vm_nic){ .fd = pair[1], .mac = mac, .mtu = 1400 };
	if (!CHECK_OK(virtio_net_new(&c->nic, &dev, &e), &e))
		return false;
	drv_attach(&c->d, dev);
	return CHECK_OK(drv_start(&c->d, features, &e), &e);
}

static void end(struct card *c)
{
	drv_done(&c->d);
	(void)close(c->wire);
	(void)close(c->nic.fd);
}

static uint64_t lend(struct card *c, uint32_t len)
{
	struct drv_seg s = { drv_alloc(&c->d, len), len, true };

	(void)drv_add(&c->d, RX, &s, 1);
	drv_kick(&c->d, RX);
	return s.gpa;
}

/* A packet on the wire: a header, then len bytes 'a', 'b', ... */
static void send_packet(struct card *c, size_t len)
{
	char buf[8192] = { 0 };

	for (size_t i = 0; i < len; i++)
		buf[HDR + i] = (char)('a' + i % 26);
	CHECK_INT(write(c->wire, buf, HDR + len), HDR + len);
}

TEST(a_packet_goes_out_as_it_is)
{
	struct virtio_net_hdr_mrg_rxbuf h = { .hdr.gso_size = 77 };
	struct drv_seg s[2] = { { .len = HDR }, { .len = 60 } };
	char buf[128];
	struct card c;

	if (!begin(&c, MRG))
		return;
	s[0].gpa = drv_alloc(&c.d, HDR);
	s[1].gpa = drv_alloc(&c.d, 60);
	memcpy(drv_at(&c.d, s[0].gpa, HDR), &h, HDR);
	memset(drv_at(&c.d, s[1].gpa, 60), 'p', 60);
	(void)drv_add(&c.d, TX, s, 2);
	drv_kick(&c.d, TX);
	CHECK_INT(read(c.wire, buf, sizeof(buf)), HDR + 60);
	CHECK(memcmp(buf, &h, HDR) == 0);
	CHECK_INT(buf[HDR + 59], 'p');
	CHECK_INT(c.d.q[TX].used[1], 1);
	end(&c);
}

TEST(a_packet_comes_in_with_the_number_of_its_buffers)
{
	struct virtio_net_hdr_mrg_rxbuf h;
	uint32_t id, len;
	uint64_t at;
	struct card c;

	if (!begin(&c, MRG))
		return;
	at = lend(&c, 2048);
	send_packet(&c, 100);
	CHECK(DRV_UNTIL(&c.d, drv_used(&c.d, RX, &id, &len)));
	CHECK_INT(len, HDR + 100);
	memcpy(&h, drv_at(&c.d, at, HDR), HDR);
	CHECK_INT(h.num_buffers, 1);
	CHECK(c.d.interrupts > 0);
	end(&c);
}

TEST(a_large_packet_takes_several_buffers_at_once)
{
	struct virtio_net_hdr_mrg_rxbuf h;
	uint32_t id, len, sum = 0;
	uint64_t at[4];
	struct card c;

	if (!begin(&c, MRG))
		return;
	for (int i = 0; i < 3; i++)
		at[i] = lend(&c, 1000);
	send_packet(&c, 3500);
	for (int i = 0; i < 5; i++)
		drv_turn(&c.d);
	CHECK_INT(c.d.q[RX].used[1], 0); /* three are too few: nothing yet */
	at[3] = lend(&c, 1000);
	CHECK(DRV_UNTIL(&c.d, c.d.q[RX].used[1] == 4));
	while (drv_used(&c.d, RX, &id, &len))
		sum += len;
	CHECK_INT(sum, HDR + 3500);
	memcpy(&h, drv_at(&c.d, at[0], HDR), HDR);
	CHECK_INT(h.num_buffers, 4);
	CHECK_INT(*(char *)drv_at(&c.d, at[1], 1),
		  'a' + (1000 - (int)HDR) % 26);
	CHECK_INT(*(char *)drv_at(&c.d, at[3], 1),
		  'a' + (3000 - (int)HDR) % 26);
	end(&c);
}

TEST(without_mergeable_buffers_a_packet_has_one)
{
	struct virtio_net_hdr_mrg_rxbuf h;
	uint32_t id, len;
	uint64_t at;
	struct card c;

	if (!begin(&c, 0))
		return;
	at = lend(&c, 500);
	send_packet(&c, 600); /* lost */
	send_packet(&c, 50);
	CHECK(DRV_UNTIL(&c.d, drv_used(&c.d, RX, &id, &len)));
	CHECK_INT(len, HDR + 50);
	memcpy(&h, drv_at(&c.d, at, HDR), HDR);
	CHECK_INT(h.num_buffers, 1);
	end(&c);
}

TEST(packets_wait_for_a_wire_that_is_full)
{
	static char buf[65536];
	struct drv_seg s[2] = { { DRV_HEAP, HDR, false },
				{ DRV_HEAP + 4096, 30000, false } };
	int got = 0;
	struct card c;

	if (!begin(&c, MRG))
		return;
	for (int i = 0; i < 30; i++)
		(void)drv_add(&c.d, TX, s, 2);
	drv_kick(&c.d, TX);
	CHECK(c.d.q[TX].used[1] < 30);
	while (got < 30 &&
	       CHECK(DRV_UNTIL(&c.d, read(c.wire, buf, sizeof(buf)) > 0)))
		got++;
	CHECK(DRV_UNTIL(&c.d, c.d.q[TX].used[1] == 30));
	end(&c);
}

TEST(the_card_has_an_address_and_a_size)
{
	struct virtio_net_config config;
	struct card c;

	if (!begin(&c, MRG))
		return;
	virtio_get_config(c.d.dev, 0, config.mac, 6);
	CHECK_INT(config.mac[0], 2);
	CHECK_INT(config.mac[5], 10);
	virtio_get_config(c.d.dev, offsetof(struct virtio_net_config, mtu),
			  &config.mtu, 2);
	CHECK_INT(config.mtu, 1400);
	end(&c);
}

TEST(a_bad_address_is_refused)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "x",
					   "02:00:00:00:00:0g",
					   "02-00-00-00-00-0a",
					   "01:00:00:00:00:0a" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vm_nic nic = { .fd = 0 };
		struct virtio_dev *dev = NULL;
		struct err e = { 0 };

		nic.mac = strdup(bad[i]);
		if (!CHECK_INT(virtio_net_new(&nic, &dev, &e), -EINVAL))
			tap_note("'%s'", bad[i]);
		free(nic.mac);
	}
}

TEST(a_packet_without_a_header_stops_the_device)
{
	struct drv_seg s = { DRV_HEAP, 4, false };
	struct card c;

	if (!begin(&c, MRG))
		return;
	(void)drv_add(&c.d, TX, &s, 1);
	drv_kick(&c.d, TX);
	CHECK_INT(c.d.failures, 1);
	end(&c);
}

TEST(buffers_too_small_for_anything_lose_packets_only)
{
	struct card c;

	if (!begin(&c, MRG))
		return;
	(void)lend(&c, 4);
	send_packet(&c, 100);
	for (int i = 0; i < 5; i++)
		drv_turn(&c.d);
	CHECK_INT(c.d.q[RX].used[1], 0);
	CHECK_INT(c.d.failures, 0);
	end(&c);
}

static const struct tap_test tests[] = {
	TAP(a_packet_goes_out_as_it_is),
	TAP(a_packet_comes_in_with_the_number_of_its_buffers),
	TAP(a_large_packet_takes_several_buffers_at_once),
	TAP(without_mergeable_buffers_a_packet_has_one),
	TAP(packets_wait_for_a_wire_that_is_full),
	TAP(the_card_has_an_address_and_a_size),
	TAP(a_bad_address_is_refused),
	TAP(a_packet_without_a_header_stops_the_device),
	TAP(buffers_too_small_for_anything_lose_packets_only),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

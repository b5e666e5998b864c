/* SPDX-License-Identifier: Apache-2.0 */

/* virtio-vsock against guests and hosts that do not keep to the rules. */
#include "tests/unit/microvm-vsock.h"

TEST(what_is_no_greeting_ends_the_connection)
{
	static const char *const bad[] = {
		"GET / HTTP/1.0\n\n",
		"CONNECT\n",
		"CONNECT -1\n",
		"CONNECT 99999999999\n",
		"CONNECT 1 2\n",
		"CONNECT 1\r\n",
		"\n",
		"CONNECT 00000000000000000000",
	};
	struct guest g;

	if (!begin(&g))
		return;
	lend(&g, 4);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoclose int peer = connect_to(g.dir, "host");
		ssize_t n;
		char c;

		CHECK(write(peer, bad[i], strlen(bad[i])) > 0);
		/* The rest of what we wrote may be unread: a reset is fine. */
		(void)CHECK(
			DRV_UNTIL(&g.d, (n = read(peer, &c, 1)) == 0 ||
						(n < 0 && errno != EAGAIN)));
		if (!CHECK(nothing_comes(&g)))
			tap_note("'%s'", bad[i]);
	}
	end(&g);
}

TEST(a_guest_that_sends_more_than_it_may_is_cut_off)
{
	static char block[4096];
	struct virtio_vsock_hdr h;
	uint16_t op = 0;
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	/* Nobody reads: the socket's own buffer, ours, and then one more. */
	for (int i = 0; i < 400 && op != VIRTIO_VSOCK_OP_RST; i++) {
		h = packet(5000, 1024, VIRTIO_VSOCK_OP_RW);
		h.len = sizeof(block);
		put(&g, &h, block, sizeof(block));
		if (g.d.q[RX].seen != g.d.q[RX].used[1] && get(&g, &h, NULL))
			op = h.op;
	}
	CHECK_INT(op, VIRTIO_VSOCK_OP_RST);
	CHECK_INT(g.d.failures, 0);
	end(&g);
}

TEST(the_host_sends_no_more_than_the_guest_has_room_for)
{
	struct virtio_vsock_hdr h = packet(5000, 1024, VIRTIO_VSOCK_OP_REQUEST);
	char buf[RX_BYTES] = "";
	struct guest g;

	if (!begin(&g))
		return;
	lend(&g, 8);
	h.buf_alloc = 10;
	put(&g, &h, NULL, 0);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(write(g.host, "0123456789abcdef", 16), 16);
	CHECK(get(&g, &h, buf));
	CHECK_INT(h.len, 10);
	CHECK(nothing_comes(&g));
	h = packet(5000, 1024, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	h.buf_alloc = 10;
	h.fwd_cnt = 4;
	put(&g, &h, NULL, 0);
	CHECK(get(&g, &h, buf));
	CHECK_INT(h.len, 4);
	/* Less room than it has promised before: no underflow. */
	h = packet(5000, 1024, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	h.buf_alloc = 1;
	h.fwd_cnt = 4;
	put(&g, &h, NULL, 0);
	CHECK(nothing_comes(&g));
	end(&g);
}

TEST(packets_for_no_connection_are_refused_within_bounds)
{
	struct virtio_vsock_hdr h;
	int rsts = 0;
	struct guest g;

	if (!begin(&g))
		return;
	/* No buffer lent: 64 refusals wait, then the guest has to. */
	for (uint32_t i = 0; i < 100; i++) {
		h = packet(i, 4, VIRTIO_VSOCK_OP_RW);
		if (g.d.q[TX].avail[1] - g.d.q[TX].used[1] < DRV_SIZE)
			put(&g, &h, NULL, 0);
	}
	CHECK_INT(g.d.q[TX].used[1], 64);
	lend(&g, 16);
	drv_kick(&g.d, RX);
	while (get(&g, &h, NULL)) {
		CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
		if (++rsts == 100)
			break;
	}
	CHECK_INT(rsts, 100);
	CHECK_INT(g.d.failures, 0);
	end(&g);
}

TEST(a_reset_for_no_connection_is_not_answered)
{
	struct virtio_vsock_hdr h = packet(1, 2, VIRTIO_VSOCK_OP_RST);
	struct guest g;

	if (!begin(&g))
		return;
	lend(&g, 2);
	put(&g, &h, NULL, 0);
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	put(&g, &h, NULL, 0);
	CHECK(nothing_comes(&g));
	end(&g);
}

TEST(strangers_and_other_kinds_of_socket_get_nothing)
{
	struct virtio_vsock_hdr h = packet(5000, 1024, VIRTIO_VSOCK_OP_REQUEST);
	struct guest g;

	if (!begin(&g))
		return;
	lend(&g, 4);
	h.src_cid = CID + 1;
	put(&g, &h, NULL, 0);
	CHECK(nothing_comes(&g));
	h.src_cid = CID;
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	put(&g, &h, NULL, 0);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	h = packet(5000, 1024, VIRTIO_VSOCK_OP_REQUEST);
	h.dst_cid = 99;
	put(&g, &h, NULL, 0);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	end(&g);
}

TEST(a_second_request_for_a_connection_ends_it)
{
	struct virtio_vsock_hdr h = packet(5000, 1024, VIRTIO_VSOCK_OP_REQUEST);
	char c;
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	put(&g, &h, NULL, 0);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	CHECK_INT(read(g.host, &c, 1), 0);
	end(&g);
}

static const struct {
	const char *what;
	uint32_t seg; /* bytes of the only segment */
	uint32_t len; /* what the header says */
	bool writable;
} hostile[] = {
	{ "half a header", 20, 0, false },
	{ "no header", 1, 0, false },
	{ "data beyond the buffer", HDR + 4, 5, false },
	{ "data without end", HDR, UINT32_MAX, false },
	{ "a header we may not read", HDR, 0, true },
};

TEST(hostile_packets_stop_the_device)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct virtio_vsock_hdr h =
			packet(5000, 1024, VIRTIO_VSOCK_OP_RW);
		struct drv_seg s = { .len = hostile[i].seg,
				     .writable = hostile[i].writable };
		struct guest g;

		if (!begin(&g) || !open_conn(&g, 1024))
			return;
		h.len = hostile[i].len;
		s.gpa = drv_alloc(&g.d, 256);
		memcpy(drv_at(&g.d, s.gpa, HDR), &h, HDR);
		(void)drv_add(&g.d, TX, &s, 1);
		drv_kick(&g.d, TX);
		if (!CHECK_INT(g.d.failures, 1))
			tap_note("%s", hostile[i].what);
		drv_kick(&g.d, TX); /* and nothing more happens */
		CHECK(!g.d.dev->active);
		end(&g);
	}
}

TEST(a_buffer_too_small_for_a_packet_stops_the_device)
{
	struct virtio_vsock_hdr h = packet(5000, 1024, VIRTIO_VSOCK_OP_REQUEST);
	struct drv_seg s = { .len = HDR, .writable = true };
	struct guest g;

	if (!begin(&g))
		return;
	s.gpa = drv_alloc(&g.d, 256);
	(void)drv_add(&g.d, RX, &s, 1);
	put(&g, &h, NULL, 0);
	CHECK_INT(g.d.failures, 1);
	end(&g);
}

static const struct tap_test tests[] = {
	TAP(what_is_no_greeting_ends_the_connection),
	TAP(a_guest_that_sends_more_than_it_may_is_cut_off),
	TAP(the_host_sends_no_more_than_the_guest_has_room_for),
	TAP(packets_for_no_connection_are_refused_within_bounds),
	TAP(a_reset_for_no_connection_is_not_answered),
	TAP(strangers_and_other_kinds_of_socket_get_nothing),
	TAP(a_second_request_for_a_connection_ends_it),
	TAP(hostile_packets_stop_the_device),
	TAP(a_buffer_too_small_for_a_packet_stops_the_device),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

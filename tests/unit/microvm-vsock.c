/* SPDX-License-Identifier: Apache-2.0 */

/* virtio-vsock: what an honest guest and an honest host see. */
#include "tests/unit/microvm-vsock.h"

TEST(a_lent_socket_carries_bytes_both_ways)
{
	struct virtio_vsock_hdr h;
	char buf[RX_BYTES] = "";
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	put_data(&g, 1024, "from the guest");
	CHECK_INT(read(g.host, buf, sizeof(buf)), 14);
	CHECK_STR(buf, "from the guest");

	memset(buf, 0, sizeof(buf));
	CHECK_INT(write(g.host, "from the host", 13), 13);
	CHECK(get(&g, &h, buf));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RW);
	CHECK_INT(h.src_cid, 2);
	CHECK_INT(h.dst_cid, CID);
	CHECK_INT(h.fwd_cnt, 14);
	CHECK_STR(buf, "from the host");
	CHECK_INT(g.d.failures, 0);
	end(&g);
}

TEST(a_lent_socket_is_lent_once)
{
	struct virtio_vsock_hdr h = packet(6000, 1024, VIRTIO_VSOCK_OP_REQUEST);
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	put(&g, &h, NULL, 0);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	CHECK_INT(h.dst_port, 6000);
	end(&g);
}

TEST(other_ports_are_sockets_in_the_folder)
{
	autoclose int listener = -1, peer = -1;
	char buf[16] = "";
	struct guest g;

	if (!begin(&g))
		return;
	listener = listen_at(g.dir, "vsock_77");
	if (!open_conn(&g, 77))
		return;
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(peer >= 0);
	put_data(&g, 77, "hello");
	CHECK_INT(read(peer, buf, sizeof(buf)), 5);
	CHECK_STR(buf, "hello");
	end(&g);
}

TEST(a_port_nobody_listens_on_refuses)
{
	struct virtio_vsock_hdr h = packet(5000, 78, VIRTIO_VSOCK_OP_REQUEST);
	struct guest g;

	if (!begin(&g))
		return;
	lend(&g, 1);
	put(&g, &h, NULL, 0);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	CHECK_INT(h.src_port, 78);
	CHECK_INT(h.dst_port, 5000);
	end(&g);
}

TEST(the_host_connects_by_a_greeting)
{
	struct virtio_vsock_hdr h;
	autoclose int peer = -1;
	char buf[64] = "";
	char want[64];
	struct guest g;

	if (!begin(&g))
		return;
	lend(&g, 4);
	peer = connect_to(g.dir, "host");
	/* In pieces, and with data right behind it. */
	CHECK_INT(write(peer, "CONN", 4), 4);
	drv_turn(&g.d);
	CHECK_INT(write(peer, "ECT 52\nabc", 10), 10);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_REQUEST);
	CHECK_INT(h.dst_port, 52);
	CHECK(nothing_comes(&g));

	(void)snprintf(want, sizeof(want), "OK %u\n", h.src_port);
	h = packet(52, h.src_port, VIRTIO_VSOCK_OP_RESPONSE);
	put(&g, &h, NULL, 0);
	CHECK(read(peer, buf, sizeof(buf)) > 0);
	CHECK_STR(buf, want);
	memset(buf, 0, sizeof(buf));
	CHECK(get(&g, &h, buf));
	CHECK_STR(buf, "abc");
	end(&g);
}

TEST(a_guest_that_refuses_ends_the_hosts_connection)
{
	struct virtio_vsock_hdr h;
	autoclose int peer = -1;
	char c;
	struct guest g;

	if (!begin(&g))
		return;
	lend(&g, 4);
	peer = connect_to(g.dir, "host");
	CHECK_INT(write(peer, "CONNECT 9\n", 10), 10);
	CHECK(get(&g, &h, NULL));
	h = packet(9, h.src_port, VIRTIO_VSOCK_OP_RST);
	put(&g, &h, NULL, 0);
	CHECK_INT(read(peer, &c, 1), 0);
	end(&g);
}

TEST(the_end_of_the_hosts_data_reaches_the_guest)
{
	struct virtio_vsock_hdr h;
	char buf[RX_BYTES] = "";
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	CHECK_INT(write(g.host, "bye", 3), 3);
	CHECK(shutdown(g.host, SHUT_WR) == 0);
	CHECK(get(&g, &h, buf));
	CHECK_STR(buf, "bye");
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	CHECK_INT(h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	/* The other direction goes on, to its own end. */
	put_data(&g, 1024, "still");
	CHECK_INT(read(g.host, buf, sizeof(buf)), 5);
	put_op(&g, 1024, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	CHECK_INT(read(g.host, buf, sizeof(buf)), 0);
	end(&g);
}

TEST(the_end_of_the_guests_data_reaches_the_host)
{
	struct virtio_vsock_hdr h;
	char buf[RX_BYTES] = "";
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	put_data(&g, 1024, "bye");
	put_op(&g, 1024, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
	CHECK_INT(read(g.host, buf, sizeof(buf)), 3);
	CHECK_INT(read(g.host, buf, sizeof(buf)), 0);
	CHECK_INT(write(g.host, "more", 4), 4);
	CHECK(get(&g, &h, buf));
	CHECK_STR(buf, "more");
	/* A whole close is answered by a reset: Linux waits for it. */
	put_op(&g, 1024, VIRTIO_VSOCK_OP_SHUTDOWN, 3);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	end(&g);
}

TEST(a_host_that_hangs_up_resets_the_connection)
{
	struct virtio_vsock_hdr h;
	char buf[RX_BYTES] = "";
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	CHECK_INT(write(g.host, "last", 4), 4);
	(void)close(g.host);
	g.host = -1;
	CHECK(get(&g, &h, buf));
	CHECK_STR(buf, "last");
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	/* It is forgotten now. */
	put_data(&g, 1024, "anybody?");
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_RST);
	end(&g);
}

/* A letter for each 4 KiB of the stream. */
static bool is_pattern(const char *buf, size_t n, size_t at)
{
	size_t i = 0;

	while (i < n && buf[i] == (char)('a' + (at + i) / 4096 % 26))
		i++;
	return i == n;
}

TEST(data_that_the_host_has_not_taken_survive_the_guests_reset)
{
	static char block[4096], buf[4096];
	struct virtio_vsock_hdr h;
	size_t sent = 0, got = 0;
	ssize_t n;
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	/* More than the socket holds: the rest waits in the monitor. */
	for (;;) {
		memset(block, (int)('a' + sent / 4096 % 26), sizeof(block));
		h = packet(5000, 1024, VIRTIO_VSOCK_OP_RW);
		h.len = sizeof(block);
		put(&g, &h, block, sizeof(block));
		sent += sizeof(block);
		if (sent == 260000 / 4096 * 4096)
			break;
	}
	put_op(&g, 1024, VIRTIO_VSOCK_OP_RST, 0);
	while (got < sent) {
		if (!CHECK(DRV_UNTIL(&g.d,
				     (n = read(g.host, buf, sizeof(buf))) > 0)))
			break;
		CHECK(is_pattern(buf, (size_t)n, got));
		got += (size_t)n;
	}
	CHECK_INT(got, sent);
	CHECK(DRV_UNTIL(&g.d, read(g.host, buf, 1) == 0));
	CHECK_INT(g.d.failures, 0);
	end(&g);
}

TEST(the_guest_hears_of_room_before_it_runs_out)
{
	static char block[4096], buf[65536];
	struct virtio_vsock_hdr h;
	size_t sent = 0;
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	while (sent < 128 << 10) {
		h = packet(5000, 1024, VIRTIO_VSOCK_OP_RW);
		h.len = sizeof(block);
		put(&g, &h, block, sizeof(block));
		sent += sizeof(block);
		(void)!read(g.host, buf, sizeof(buf));
		drv_turn(&g.d);
		if (g.d.q[RX].seen != g.d.q[RX].used[1])
			break;
	}
	CHECK(sent < 128 << 10);
	CHECK(get(&g, &h, NULL));
	CHECK_INT(h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	CHECK(h.fwd_cnt > 0);
	end(&g);
}

TEST(a_reset_of_the_device_closes_everything)
{
	struct err e = { 0 };
	char c;
	struct guest g;

	if (!begin(&g) || !open_conn(&g, 1024))
		return;
	virtio_reset(g.d.dev);
	CHECK_INT(read(g.host, &c, 1), 0);
	drv_turn(&g.d);
	CHECK_OK(drv_start(&g.d, 0, &e), &e);
	end(&g);
}

static const struct tap_test tests[] = {
	TAP(a_lent_socket_carries_bytes_both_ways),
	TAP(a_lent_socket_is_lent_once),
	TAP(other_ports_are_sockets_in_the_folder),
	TAP(a_port_nobody_listens_on_refuses),
	TAP(the_host_connects_by_a_greeting),
	TAP(a_guest_that_refuses_ends_the_hosts_connection),
	TAP(the_end_of_the_hosts_data_reaches_the_guest),
	TAP(the_end_of_the_guests_data_reaches_the_host),
	TAP(a_host_that_hangs_up_resets_the_connection),
	TAP(data_that_the_host_has_not_taken_survive_the_guests_reset),
	TAP(the_guest_hears_of_room_before_it_runs_out),
	TAP(a_reset_of_the_device_closes_everything),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

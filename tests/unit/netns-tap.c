/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/tap.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/unit/netns-links.h"

#define HDR  sizeof(struct virtio_net_hdr)
#define TYPE 0x88b5 /* for experiments */

/* A socket for raw frames on a link. */
static int open_link(const char *name)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(TYPE),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(TYPE));

	(void)CHECK(fd >= 0);
	(void)CHECK(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

static size_t make_frame(uint8_t *at, char mark)
{
	struct ethhdr eth = { .h_proto = htons(TYPE) };

	(void)memset(eth.h_dest, 0xff, ETH_ALEN);
	eth.h_source[0] = 2;
	(void)memcpy(at, &eth, sizeof(eth));
	(void)memset(at + sizeof(eth), mark, 100);
	return sizeof(eth) + 100;
}

/* For a while: until a frame of ours has come whose bytes are the mark's. */
static bool frame_comes(int fd, size_t skip, char mark)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buf[2048], want[200];
	size_t len = make_frame(want, mark);

	while (poll(&p, 1, 100) > 0) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n == (ssize_t)(skip + len) &&
		    memcmp(buf + skip, want, len) == 0)
			return true;
	}
	return false;
}

static bool send_frame(int fd, size_t skip, char mark)
{
	uint8_t buf[HDR + 200] = { 0 };
	size_t len = make_frame(buf + skip, mark);

	return write(fd, buf, skip + len) == (ssize_t)(skip + len);
}

/* A link that is up drops what it is given until the kernel has heard of its
 * carrier. */
static bool passes(int from, size_t from_skip, int to, size_t to_skip,
		   char mark)
{
	for (int i = 0; i < 300; i++)
		if (send_frame(from, from_skip, mark) &&
		    frame_comes(to, to_skip, mark))
			return true;
	return false;
}

static bool is_quiet(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static bool have_tun(void)
{
	return access("/dev/net/tun", R_OK | W_OK) == 0;
}

static struct net_link link_named(char *name)
{
	return (struct net_link){
		.name = name,
		.mtu = 1400,
		.index = (int)if_nametoindex(name),
	};
}

static void pass_frames(void)
{
	static char name[] = "guest";
	struct net_link l;
	struct err e = { 0 };
	int tap, outside;

	if (!links_add_pair("outside", name))
		return;
	links_up("outside");
	links_up(name);
	l = link_named(name);
	outside = open_link("outside");
	tap = net_tap_join(&l, &e);
	if (!CHECK_OK(tap, &e))
		return;
	(void)CHECK(passes(outside, 0, tap, HDR, 'a'));
	(void)CHECK(passes(tap, HDR, outside, 0, 'b'));

	/* Nobody else can have the link meanwhile. */
	(void)CHECK_INT(net_tap_join(&l, &e), -EBUSY);
	(void)CHECK(strstr(e.text, "'guest'") != NULL);
	(void)CHECK(passes(outside, 0, tap, HDR, 'c'));
}

TEST(frames_pass_between_link_and_tap_in_both_directions)
{
	if (!have_tun())
		SKIP("no access to /dev/net/tun");
	in_world(pass_frames);
}

static void stay_deaf(void)
{
	static char name[] = "guest";
	struct net_link l;
	struct err e = { 0 };
	int tap, outside, inside;

	if (!links_add_pair("outside", name))
		return;
	links_up("outside");
	links_up(name);
	l = link_named(name);
	outside = open_link("outside");
	/* Bound to one protocol: behind traffic control, as IP is. */
	inside = open_link(name);
	(void)CHECK(passes(outside, 0, inside, 0, '-'));
	tap = net_tap_join(&l, &e);
	if (!CHECK_OK(tap, &e))
		return;
	(void)CHECK(passes(outside, 0, tap, HDR, 'a'));
	(void)CHECK(is_quiet(inside));
}

TEST(the_namespace_itself_hears_nothing)
{
	if (!have_tun())
		SKIP("no access to /dev/net/tun");
	in_world(stay_deaf);
}

static void come_back(void)
{
	static char name[] = "guest";
	autoclose int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int tap, outside, inside;
	struct err e = { 0 };
	struct net_link l;

	if (!links_add_pair("outside", name))
		return;
	links_up("outside");
	links_up(name);
	l = link_named(name);
	outside = open_link("outside");
	inside = open_link(name);
	/* Twice: what the first has left is no hindrance. */
	for (int i = 0; i < 2; i++) {
		tap = net_tap_join(&l, &e);
		if (!CHECK_OK(tap, &e))
			return;
		/* Not while it lives. */
		(void)CHECK_OK(net_tap_release(ns, &e), &e);
		(void)CHECK(passes(outside, 0, tap, HDR, 'a'));
		(void)CHECK(is_quiet(inside));
		(void)close(tap);
	}
	(void)CHECK_OK(net_tap_release(ns, &e), &e);
	(void)CHECK(passes(outside, 0, inside, 0, 'd'));
	(void)CHECK_OK(net_tap_release(ns, &e), &e);
}

TEST(a_link_is_released_when_its_tap_has_gone)
{
	if (!have_tun())
		SKIP("no access to /dev/net/tun");
	in_world(come_back);
}

static const struct tap_test tests[] = {
	TAP(frames_pass_between_link_and_tap_in_both_directions),
	TAP(the_namespace_itself_hears_nothing),
	TAP(a_link_is_released_when_its_tap_has_gone),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

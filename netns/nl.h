/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * rtnetlink, as much of it as we need: a message is built in a buffer of fixed
 * size, sent, and its answer awaited. Private to netns; our own because what
 * is static (moat-oci, moat-guest) finds no static library for it.
 *
 *	_cleanup_(nl_close) struct nl nl = NL_INIT;
 *	struct ifinfomsg head = { .ifi_index = 5 };
 *	struct nl_msg m;
 *
 *	r = nl_open(&nl, e);
 *	nl_begin(&m, RTM_NEWLINK, 0, &head, sizeof(head));
 *	nl_put_u32(&m, IFLA_MTU, 1400);
 *	NL_NEST(&m, IFLA_AF_SPEC) {
 *		...
 *	}
 *	r = nl_talk(&nl, &m, e);	-> "set mtu: out of range"
 *
 * A message that does not fit is remembered and refused when it is sent, so
 * that building one needs no checks. What the kernel answers is believed in
 * its meaning, but no length of it is followed out of the buffer.
 */
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NL_ROOM 2048

struct nl {
	int fd;
	uint32_t seq; /* of the request under way */
};

/* clang-format off */
#define NL_INIT { .fd = -1 }
/* clang-format on */

struct nl_msg {
	union {
		struct nlmsghdr head;
		char bytes[NL_ROOM];
	};
	bool full;
};

struct nl_nest {
	size_t at;
	bool open;
};

MUST_CHECK int nl_open(struct nl *nl, struct err *e);
/* In the network namespace behind the descriptor; we ourselves stay. */
MUST_CHECK int nl_open_in(struct nl *nl, int nsfd, struct err *e);
void nl_close(struct nl *nl);

/* --- building -------------------------------------------------------------*/

/* head: the struct that such a message begins with. */
void nl_begin(struct nl_msg *m, uint16_t type, uint16_t flags, const void *head,
	      size_t len);
void nl_put(struct nl_msg *m, uint16_t type, const void *data, size_t len);
void nl_put_u8(struct nl_msg *m, uint16_t type, uint8_t v);
void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t v);
void nl_put_str(struct nl_msg *m, uint16_t type, const char *s);

/* What is put in the block behind it is inside the attribute. No break. */
#define NL_NEST(m, type)  NL_NEST_(m, type, __LINE__)
#define NL_NEST_(m, t, l) NL_NEST__(m, t, l)
#define NL_NEST__(m, t, l)                                                     \
	for (struct nl_nest nest_##l = nl_nest((m), (t)); nest_##l.open;       \
	     nl_nest_end((m), &nest_##l))
struct nl_nest nl_nest(struct nl_msg *m, uint16_t type);
void nl_nest_end(struct nl_msg *m, struct nl_nest *nest);

/* --- asking ---------------------------------------------------------------*/

/* Sends it; the kernel's refusal, with its own words, is our error. */
MUST_CHECK int nl_talk(struct nl *nl, struct nl_msg *m, struct err *e);

/* fn is called for each message of the answer; it must not talk over nl. */
typedef int (*nl_each_fn)(void *arg, const struct nlmsghdr *h, struct err *e);
MUST_CHECK int nl_dump(struct nl *nl, struct nl_msg *m, nl_each_fn fn,
		       void *arg, struct err *e);

/* --- reading --------------------------------------------------------------*/

/* The struct at the message's beginning, or NULL when it is too short. */
const void *nl_head(const struct nlmsghdr *h, size_t len);
/* The attribute behind a head of that length; NULL when there is none, or
 * when it has fewer than min bytes. */
const struct nlattr *nl_attr(const struct nlmsghdr *h, size_t head,
			     uint16_t type, size_t min);
const struct nlattr *nl_inner(const struct nlattr *a, uint16_t type,
			      size_t min);
const void *nl_data(const struct nlattr *a);
size_t nl_len(const struct nlattr *a);
/* 0 when a is NULL. */
uint32_t nl_u32(const struct nlattr *a);
/* Cut to size; "" when a is NULL. */
void nl_text(const struct nlattr *a, char *ret, size_t size);

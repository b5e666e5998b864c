/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nl.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The kernel fills at most so much at a time. */
#define ANSWER 32768

/* --- the socket -----------------------------------------------------------*/

int nl_open(struct nl *nl, struct err *e)
{
	const int on = 1;

	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (nl->fd < 0)
		return err_errno(e, "open an rtnetlink socket");
	/* Niceties, of Linux 4.12 and 4.20: the kernel's words for what it
	 * refuses; filters in the heads of dumps. Nothing depends on them. */
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
			 sizeof(on));
	return 0;
}

int nl_open_in(struct nl *nl, int nsfd, struct err *e)
{
	autoclose int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (own < 0)
		return err_errno(e, "open our own network namespace");
	if (setns(nsfd, CLONE_NEWNET) < 0)
		return err_errno(e, "enter the network namespace");
	/* A socket belongs to the namespace that it was made in. */
	r = nl_open(nl, e);
	if (setns(own, CLONE_NEWNET) < 0)
		return err_errno(e, "leave the network namespace");
	return r;
}

void nl_close(struct nl *nl)
{
	if (nl->fd >= 0)
		(void)close(steal_fd(&nl->fd));
}

/* --- building -------------------------------------------------------------*/

/* Room for len bytes at the aligned end, zeroed; NULL: there is none. */
static void *extend(struct nl_msg *m, size_t len)
{
	size_t at = NLMSG_ALIGN(m->head.nlmsg_len);
	/* Of the whole; the compiler takes m->bytes for the head, which lies in
	 * the same place, and warns of its end. */
	char *start = (char *)m;

	if (m->full || len > NL_ROOM - at) {
		m->full = true;
		return NULL;
	}
	(void)memset(start + at, 0, MIN_OF(NLMSG_ALIGN(len), NL_ROOM - at));
	m->head.nlmsg_len = (uint32_t)(at + len);
	return start + at;
}

void nl_begin(struct nl_msg *m, uint16_t type, uint16_t flags, const void *head,
	      size_t len)
{
	void *at;

	m->full = false;
	m->head = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN,
		.nlmsg_type = type,
		.nlmsg_flags = flags,
	};
	at = extend(m, len);
	if (at)
		(void)memcpy(at, head, len);
}

void nl_put(struct nl_msg *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = { .nla_type = type };
	char *at;

	/* Its length field has 16 bits; the buffer is far smaller. */
	at = len < NL_ROOM ? extend(m, NLA_HDRLEN + len) : NULL;
	if (!at) {
		m->full = true;
		return;
	}
	a.nla_len = (uint16_t)(NLA_HDRLEN + len);
	(void)memcpy(at, &a, sizeof(a));
	if (len > 0)
		(void)memcpy(at + NLA_HDRLEN, data, len);
}

void nl_put_u8(struct nl_msg *m, uint16_t type, uint8_t v)
{
	nl_put(m, type, &v, sizeof(v));
}

void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t v)
{
	nl_put(m, type, &v, sizeof(v));
}

void nl_put_str(struct nl_msg *m, uint16_t type, const char *s)
{
	nl_put(m, type, s, strlen(s) + 1);
}

struct nl_nest nl_nest(struct nl_msg *m, uint16_t type)
{
	struct nl_nest nest = {
		.at = NLMSG_ALIGN(m->head.nlmsg_len),
		.open = true,
	};

	nl_put(m, type, NULL, 0);
	return nest;
}

void nl_nest_end(struct nl_msg *m, struct nl_nest *nest)
{
	struct nlattr a;

	nest->open = false;
	if (m->full)
		return;
	(void)memcpy(&a, m->bytes + nest->at, sizeof(a));
	a.nla_len = (uint16_t)(m->head.nlmsg_len - nest->at);
	(void)memcpy(m->bytes + nest->at, &a, sizeof(a));
}

/* --- reading --------------------------------------------------------------*/

const void *nl_head(const struct nlmsghdr *h, size_t len)
{
	return h->nlmsg_len >= NLMSG_HDRLEN + len ? NLMSG_DATA(h) : NULL;
}

const void *nl_data(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

size_t nl_len(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

static const struct nlattr *find(const char *p, size_t len, uint16_t type,
				 size_t min)
{
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		size_t step;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return nl_len(a) >= min ? a : NULL;
		step = NLA_ALIGN(a->nla_len);
		if (step > len)
			return NULL;
		p += step;
		len -= step;
	}
	return NULL;
}

const struct nlattr *nl_attr(const struct nlmsghdr *h, size_t head,
			     uint16_t type, size_t min)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(head);

	if (h->nlmsg_len < at)
		return NULL;
	return find((const char *)h + at, h->nlmsg_len - at, type, min);
}

const struct nlattr *nl_inner(const struct nlattr *a, uint16_t type, size_t min)
{
	return a ? find(nl_data(a), nl_len(a), type, min) : NULL;
}

uint32_t nl_u32(const struct nlattr *a)
{
	uint32_t v = 0;

	if (a)
		(void)memcpy(&v, nl_data(a), MIN_OF(nl_len(a), sizeof(v)));
	return v;
}

void nl_text(const struct nlattr *a, char *ret, size_t size)
{
	size_t n = a ? MIN_OF(nl_len(a), size - 1) : 0;

	if (n > 0)
		(void)memcpy(ret, nl_data(a), n);
	ret[n] = '\0';
}

/* --- asking ---------------------------------------------------------------*/

static int send_msg(struct nl *nl, struct nl_msg *m, uint16_t flags,
		    struct err *e)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	if (m->full)
		return err_set(e, -EMSGSIZE,
			       "an rtnetlink message of over %d bytes",
			       NL_ROOM);
	m->head.nlmsg_flags |= NLM_F_REQUEST | flags;
	m->head.nlmsg_seq = ++nl->seq;
	n = sendto(nl->fd, m->bytes, m->head.nlmsg_len, 0,
		   (struct sockaddr *)&kernel, sizeof(kernel));
	return n < 0 ? err_errno(e, "send to rtnetlink") : 0;
}

/* Behind the code: the request's head, for that was asked for, then words. */
static int take_verdict(const struct nlmsghdr *h, struct err *e)
{
	const struct nlmsgerr *v = nl_head(h, sizeof(*v));
	const struct nlattr *words = NULL;
	char text[160];

	if (!v)
		return err_set(e, -EPROTO, "a short answer of rtnetlink");
	if (v->error == 0)
		return 0;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		words = nl_attr(h,
				h->nlmsg_flags & NLM_F_CAPPED
					? sizeof(*v)
					: sizeof(v->error) + v->msg.nlmsg_len,
				NLMSGERR_ATTR_MSG, 1);
	nl_text(words, text, sizeof(text));
	if (v->error > 0 || v->error < -4095)
		return err_set(e, -EPROTO, "a strange answer of rtnetlink");
	return err_set(e, v->error, "%s%s%s", strerrordesc_np(-v->error),
		       text[0] ? ": " : "", text);
}

struct question {
	nl_each_fn fn; /* NULL: an acknowledgement is all there is */
	void *arg;
	uint32_t seq;
};

/* 1: that was the last of it; 0: there is more. */
static int take_one(const struct question *q, const struct nlmsghdr *h,
		    struct err *e)
{
	int r;

	if (h->nlmsg_seq != q->seq)
		return 0;
	if (h->nlmsg_type == NLMSG_ERROR) {
		r = take_verdict(h, e);
		return r < 0 ? r : 1;
	}
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		return err_set(e, -EAGAIN,
			       "the network changes while it is read");
	if (h->nlmsg_type == NLMSG_DONE)
		return 1;
	if (!q->fn)
		return 0;
	r = q->fn(q->arg, h, e);
	return r < 0 ? r : 0;
}

static int take_all(const struct question *q, const char *buf, size_t len,
		    struct err *e)
{
	while (len >= NLMSG_HDRLEN) {
		const struct nlmsghdr *h = (const void *)buf;
		size_t step = NLMSG_ALIGN(h->nlmsg_len);
		int r;

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len)
			return err_set(e, -EPROTO, "half a message");
		r = take_one(q, h, e);
		if (r != 0)
			return r;
		buf += MIN_OF(step, len);
		len -= MIN_OF(step, len);
	}
	return 0;
}

static int await(struct nl *nl, const struct question *q, struct err *e)
{
	autofree char *buf = malloc(ANSWER);
	int r = 0;

	if (!buf)
		return err_nomem(e);
	while (r == 0) {
		ssize_t n = TEMP_FAILURE_RETRY(
			recv(nl->fd, buf, ANSWER, MSG_TRUNC));

		if (n < 0)
			return err_errno(e, "hear from rtnetlink");
		if ((size_t)n > ANSWER)
			return err_set(e, -EMSGSIZE,
				       "an answer of rtnetlink of %zd bytes",
				       n);
		r = take_all(q, buf, (size_t)n, e);
	}
	return r < 0 ? r : 0;
}

int nl_talk(struct nl *nl, struct nl_msg *m, struct err *e)
{
	struct question q = { 0 };
	int r = send_msg(nl, m, NLM_F_ACK, e);

	q.seq = nl->seq;
	return r < 0 ? r : await(nl, &q, e);
}

int nl_dump(struct nl *nl, struct nl_msg *m, nl_each_fn fn, void *arg,
	    struct err *e)
{
	struct question q = { .fn = fn, .arg = arg };
	int r = send_msg(nl, m, NLM_F_DUMP, e);

	q.seq = nl->seq;
	return r < 0 ? r : await(nl, &q, e);
}

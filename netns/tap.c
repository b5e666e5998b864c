/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/tap.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/nl_link.h"

#define TUN "/dev/net/tun"

/* The ingress qdisc has no other handle. Ours among its filters is known by
 * its rank. */
#define INGRESS 0xffff0000U
#define RANK	0x6d74U

/* Named for its link: there can be one for each. */
static void tap_name(int link, char ret[IFNAMSIZ])
{
	(void)snprintf(ret, IFNAMSIZ, "moat%u", (unsigned int)link);
}

/* --- the tap --------------------------------------------------------------*/

static int make_tap(const struct net_link *l, struct err *e)
{
	struct ifreq ifr = { .ifr_flags =
				     (short)(IFF_TAP | IFF_NO_PI |
					     IFF_VNET_HDR | IFF_TUN_EXCL) };
	autoclose int fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open '" TUN "'");
	tap_name(l->index, ifr.ifr_name);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return steal_fd(&fd);
	if (errno == EBUSY)
		return err_set(e, -EBUSY, "another micro-VM has it");
	return err_errno(e, "make a tap");
}

static int set_tap(struct nl *nl, const char *name, const struct net_link *l,
		   int *ret_index, struct err *e)
{
	struct nl_link_change c = { .mtu = l->mtu, .up = true };
	unsigned int index = if_nametoindex(name);
	int r;

	if (index == 0)
		return err_errno(e, "find tap '%s'", name);
	/* The namespace shall not speak for itself on it. */
	r = nl_link_no_auto(nl, (int)index, e);
	if (r == 0)
		r = nl_link_set(nl, (int)index, &c, e);
	if (r == 0)
		*ret_index = (int)index;
	return r < 0 ? err_wrap(e, r, "tap '%s'", name) : 0;
}

/* --- traffic control ------------------------------------------------------*/

static struct tcmsg at_ingress(int link)
{
	return (struct tcmsg){
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = link,
		.tcm_parent = INGRESS,
	};
}

static struct tcmsg filter_of(int link)
{
	struct tcmsg head = at_ingress(link);

	head.tcm_info = TC_H_MAKE(RANK << 16, htons(ETH_P_ALL));
	return head;
}

static int add_qdisc(struct nl *nl, int link, struct err *e)
{
	struct tcmsg head = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = link,
		.tcm_handle = INGRESS,
		.tcm_parent = TC_H_INGRESS,
	};
	struct err why = { 0 };
	struct nl_msg m;
	int r;

	nl_begin(&m, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &head,
		 sizeof(head));
	nl_put_str(&m, TCA_KIND, "ingress");
	r = nl_talk(nl, &m, &why);
	/* Somebody's own, or clsact: our filter finds its place in them. */
	if (r == 0 || r == -EEXIST)
		return 0;
	return err_set(e, r, "add the ingress qdisc: %s", err_text(&why));
}

static void put_mirred(struct nl_msg *m, int to)
{
	const struct tc_mirred mirred = {
		.action = TC_ACT_STOLEN,
		.eaction = TCA_EGRESS_REDIR,
		.ifindex = (uint32_t)to,
	};

	nl_put_str(m, TCA_ACT_KIND, "mirred");
	NL_NEST(m, TCA_ACT_OPTIONS) {
		nl_put(m, TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
	}
}

static void put_actions(struct nl_msg *m, int to)
{
	NL_NEST(m, TCA_U32_ACT) {
		NL_NEST(m, 1) {
			put_mirred(m, to);
		}
	}
}

/* Every frame that comes in by one goes out by the other. */
static int redirect(struct nl *nl, int from, int to, struct err *e)
{
	struct {
		struct tc_u32_sel sel;
		struct tc_u32_key key; /* zero bits of it must be zero */
	} all = { .sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };
	struct tcmsg head = filter_of(from);
	struct nl_msg m;
	int r = add_qdisc(nl, from, e);

	if (r < 0)
		return r;
	nl_begin(&m, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &head,
		 sizeof(head));
	nl_put_str(&m, TCA_KIND, "u32");
	NL_NEST(&m, TCA_OPTIONS) {
		nl_put(&m, TCA_U32_SEL, &all, sizeof(all));
		put_actions(&m, to);
	}
	r = nl_talk(nl, &m, e);
	return r < 0 ? err_wrap(e, r, "redirect frames (cls_u32, act_mirred)")
		     : 0;
}

/* 1: there was one; 0: there was none. */
static int remove_filter(struct nl *nl, int link, struct err *e)
{
	struct tcmsg head = filter_of(link);
	struct err why = { 0 };
	struct nl_msg m;
	int r;

	nl_begin(&m, RTM_DELTFILTER, 0, &head, sizeof(head));
	r = nl_talk(nl, &m, &why);
	/* -EINVAL: not even a qdisc. */
	if (r == -ENOENT || r == -EINVAL)
		return 0;
	return r < 0 ? err_set(e, r, "remove the old redirection: %s",
			       err_text(&why))
		     : 1;
}

static int count(void *arg, const struct nlmsghdr *h, struct err *e)
{
	if (h->nlmsg_type == RTM_NEWTFILTER)
		(*(unsigned int *)arg)++;
	return 0;
}

/* An ingress qdisc without filters is one that we have made, or does as
 * little as none. */
static int remove_qdisc(struct nl *nl, int link, struct err *e)
{
	struct tcmsg head = at_ingress(link);
	unsigned int n = 0;
	struct nl_msg m;
	int r;

	nl_begin(&m, RTM_GETTFILTER, 0, &head, sizeof(head));
	r = nl_dump(nl, &m, count, &n, e);
	if (r < 0 || n > 0)
		return r;
	head.tcm_handle = INGRESS;
	head.tcm_parent = TC_H_INGRESS;
	nl_begin(&m, RTM_DELQDISC, 0, &head, sizeof(head));
	nl_put_str(&m, TCA_KIND, "ingress");
	return nl_talk(nl, &m, e);
}

/* --- together -------------------------------------------------------------*/

static int connect_both(const struct net_link *l, struct err *e)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	char name[IFNAMSIZ];
	int tap = 0, r;

	tap_name(l->index, name);
	r = nl_open(&nl, e);
	if (r == 0)
		r = set_tap(&nl, name, l, &tap, e);
	if (r == 0)
		r = redirect(&nl, tap, l->index, e);
	/* Of a tap that is gone; a living one would have kept its name. */
	if (r == 0)
		r = remove_filter(&nl, l->index, e);
	return r < 0 ? r : redirect(&nl, l->index, tap, e);
}

int net_tap_join(const struct net_link *l, struct err *e)
{
	autoclose int fd = make_tap(l, e);
	int r = fd < 0 ? fd : connect_both(l, e);

	if (r < 0)
		return err_wrap(e, r, "join link '%s'", l->name);
	log_debug("tap 'moat%d' has the place of '%s'", l->index, l->name);
	return steal_fd(&fd);
}

/* --- afterwards -----------------------------------------------------------*/

#define LINKS_MAX 1024

struct survey {
	int *links, *taps; /* taps: the links that they belong to */
	size_t n_links, n_taps;
};

static int note(void *arg, const struct nl_link *l, struct err *e)
{
	struct survey *s = arg;
	uint32_t link;

	if (s->n_links == LINKS_MAX || s->n_taps == LINKS_MAX)
		return err_set(e, -E2BIG, "more than %d links", LINKS_MAX);
	if (!str_eq(l->kind, "tun"))
		s->links[s->n_links++] = l->index;
	else if (str_starts(l->name, "moat") &&
		 str_to_u32(l->name + strlen("moat"), &link) == 0)
		s->taps[s->n_taps++] = (int)link;
	return 0;
}

static bool is_alive(const struct survey *s, int link)
{
	for (size_t i = 0; i < s->n_taps; i++)
		if (s->taps[i] == link)
			return true;
	return false;
}

static int release(struct nl *nl, const struct survey *s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < s->n_links && r >= 0; i++) {
		if (is_alive(s, s->links[i]))
			continue;
		r = remove_filter(nl, s->links[i], e);
		if (r > 0)
			r = remove_qdisc(nl, s->links[i], e);
	}
	return r < 0 ? r : 0;
}

int net_tap_release(int nsfd, struct err *e)
{
	_cleanup_(nl_close) struct nl nl = NL_INIT;
	autofree int *links = calloc(LINKS_MAX, sizeof(*links));
	autofree int *taps = calloc(LINKS_MAX, sizeof(*taps));
	struct survey s = { .links = links, .taps = taps };
	int r;

	if (!links || !taps)
		return err_nomem(e);
	r = nl_open_in(&nl, nsfd, e);
	if (r == 0)
		r = nl_link_each(&nl, note, &s, e);
	if (r == 0)
		r = release(&nl, &s, e);
	return r < 0 ? err_wrap(e, r, "release links of a micro-VM") : 0;
}

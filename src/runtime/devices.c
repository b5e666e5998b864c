/* SPDX-License-Identifier: Apache-2.0 */
/* Network devices of the host that become a container's. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "netns/link.h"
#include "src/runtime/launch.h"

/* One given by path, that the child only joins later, or its new one. */
static int find_container(struct launch *l, struct err *e)
{
	l->netns = l->ns_fds[NS_NET] >= 0 ? fd_copy(l->ns_fds[NS_NET], 3, e)
					  : ns_open_of(l->pid, NS_NET, e);
	return l->netns < 0 ? l->netns : 0;
}

int rt_devices_move(struct launch *l, struct err *e)
{
	const struct plan *p = l->plan;
	autoclose int here = -1;
	int r;

	if (p->net_devices.n == 0 || rt_launch_is_exec(l))
		return 0;
	here = ns_open_of(getpid(), NS_NET, e);
	if (here < 0)
		return here;
	r = find_container(l, e);
	for (size_t i = 0; r >= 0 && i < p->net_devices.n; i++) {
		const struct net_move move = {
			.from = here,
			.to = l->netns,
			.name = p->net_devices.v[i].name,
			.name_there = p->net_devices.v[i].name_inside,
		};

		r = net_link_move(&move, e);
		l->n_moved += r >= 0;
	}
	return r < 0 ? err_wrap(e, r, "netDevices") : 0;
}

/*
 * The kernel would destroy virtual ones with the namespace, and give the
 * others back under their new names.
 */
void rt_devices_return(struct launch *l)
{
	struct err e = { 0 };
	autoclose int here = -1;

	if (l->n_moved == 0)
		return;
	here = ns_open_of(getpid(), NS_NET, &e);
	while (here >= 0 && l->n_moved > 0) {
		const struct plan_net_device *d =
			&l->plan->net_devices.v[--l->n_moved];
		const struct net_move move = {
			.from = l->netns,
			.to = here,
			.name = d->name_inside,
			.name_there = d->name,
		};

		if (net_link_move(&move, &e) < 0)
			log_debug("not taken back: %s", err_text(&e));
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "netns/tap.h"
#include "src/runtime/env.h"
#include "src/runtime/vm_host.h"
#include "src/runtime/vm_steps.h"

/*
 * The guest's network. Whoever has made the namespace that the plan names, or
 * the hooks that we have just run, has put links with addresses into it; each
 * becomes a card of the guest, by a tap in its place.
 */
int rt_step_vm_network(struct child *c, struct err *e)
{
	struct rt_vm *vm = c->l->vm;
	int r = net_config_read(&vm->net, e);

	for (size_t i = 0; i < vm->net.links.n && r == 0; i++) {
		vm->taps[i] = net_tap_join(&vm->net.links.v[i], e);
		r = vm->taps[i] < 0 ? vm->taps[i] : 0;
	}
	return r;
}

int rt_vm_add_nics(const struct rt_vm *vm, struct vm_config *c, struct err *e)
{
	size_t n = vm->net.links.n;

	if (n == 0)
		return 0;
	c->nics.v = calloc(n, sizeof(*c->nics.v));
	if (!c->nics.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		c->nics.n = i + 1;
		c->nics.v[i].fd = vm->taps[i];
		c->nics.v[i].mac = strdup(vm->net.links.v[i].mac);
		if (!c->nics.v[i].mac)
			return err_nomem(e);
	}
	return 0;
}

void rt_vm_net_close(struct rt_vm *vm)
{
	for (size_t i = 0; i < vm->net.links.n; i++)
		(void)close(steal_fd(&vm->taps[i]));
}

void rt_vm_net_release(const struct plan *p)
{
	const char *path = plan_namespace(p, NS_NET);
	struct err e = { 0 };
	autoclose int ns = -1;

	/* One that was made for it went with it. */
	if (p->isolation != PLAN_VM || !path || !path[0])
		return;
	ns = ns_open(path, NS_NET, &e);
	if (ns < 0 || net_tap_release(ns, &e) < 0)
		log_debug("%s", err_text(&e));
}

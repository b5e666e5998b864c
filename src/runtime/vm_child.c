/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/vm_steps.h"

/* The third column, as in child.c. */
static bool always(const struct launch *l)
{
	return true;
}

static bool has_terminal(const struct launch *l)
{
	return l->process->terminal;
}

static bool has_network(const struct launch *l)
{
	return l->plan->vm.network;
}

static bool has_user_namespace(const struct launch *l)
{
	return plan_owns(l->plan, NS_USER);
}

/*
 * The init of a micro-VM on the host's side. The program itself, and all that
 * it sees, is made by the steps of child.c, in the guest.
 */
/* clang-format off */
static const struct step steps[] = {
	{ "mapping",         rt_step_mapping,         rt_launch_waits_mapped },
	{ "namespaces",      rt_step_join,            always                 },
	{ "root user",       rt_step_become_root,     has_user_namespace     },
	{ "hide",            rt_step_undumpable,      always                 },
	{ "signals",         rt_step_signals,         always                 },
	{ "session",         rt_step_session,         always                 },
	{ "stdio",           rt_step_stdio,           always                 },
	{ "descriptors",     rt_step_vm_descriptors,  always                 }, /* before helpers are started with what is open */
	{ "network",         rt_step_network,         always                 },
	{ "root",            rt_step_root,            always                 }, /* cuts propagation: before the first mount */
	{ "share",           rt_step_share,           always                 },
	{ "mounts",          rt_step_mounts,          always                 }, /* binds, into the share */
	{ "seal share",      rt_step_seal_share,      always                 },
	{ "console",         rt_step_vm_console,      has_terminal           },
	{ "rootfs ready",    rt_step_report_rootfs,   rt_launch_has_hooks    },
	{ "hooks",           rt_step_await_hooks,     rt_launch_has_hooks    },
	{ "container hooks", rt_step_container_hooks, rt_launch_has_hooks    },
	{ "guest network",   rt_step_vm_network,      has_network            }, /* after the hooks, which may put links into it */
	{ "machine",         rt_step_machine,         always                 }, /* last: all that it is made of is there */
	{ "ready",           rt_step_ready,           always                 },
};
/* clang-format on */

int rt_vm_child(struct child *c, struct err *e)
{
	int r = rt_run_steps(c, steps, ARRAY_SIZE(steps), e);

	return r < 0 ? r : rt_vm_serve(c, e);
}

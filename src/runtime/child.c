/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/child.h"

#include <unistd.h>

#include "base/log.h"
#include "src/runtime/child_steps.h"
#include "src/runtime/sync.h"

/* The third column: whether the step has anything to do for this launch. */
static bool always(const struct launch *l)
{
	return true;
}

static bool own_mounts(const struct launch *l)
{
	return !l->plan->root.shared;
}

static bool shared_mounts(const struct launch *l)
{
	return l->plan->root.shared;
}

/* A folder of the host on /dev is not ours to fill. */
static bool own_dev(const struct launch *l)
{
	return l->plan->own_dev;
}

static bool has_terminal(const struct launch *l)
{
	return l->process->terminal;
}

static bool waits_for_start(const struct launch *l)
{
	return l->start_fifo >= 0;
}

static bool has_user_namespace(const struct launch *l)
{
	return plan_owns(l->plan, NS_USER);
}

/*
 * The order is the subject. Each line says what would break, or who would get
 * in, if it stood elsewhere.
 */
/* clang-format off */
static const struct step init_steps[] = {
	{ "mapping",         rt_step_mapping,            rt_launch_waits_mapped }, /* first: without ids we are nobody */
	{ "namespaces",      rt_step_join,               always                 }, /* those given by path */
	{ "root user",       rt_step_become_root,        has_user_namespace     }, /* all below needs its rights */
	{ "hide",            rt_step_undumpable,         always                 }, /* before anybody inside can look at our descriptors */
	{ "signals",         rt_step_signals,            always                 },
	{ "session",         rt_step_session,            always                 }, /* before the terminal, which needs a leader */
	{ "stdio",           rt_step_stdio,              always                 },
	{ "keyring",         rt_step_keyring,            always                 },
	{ "cgroup view",     rt_step_cgroup_view,        always                 }, /* after joining the group, before it is mounted */
	{ "network",         rt_step_network,            always                 },
	{ "hostname",        rt_step_hostname,           always                 },
	{ "root",            rt_step_root,               always                 }, /* cuts propagation, if it may: before the first mount, or the host sees it */
	{ "mounts",          rt_step_mounts,             always                 }, /* before the pivot: overlay layers are host paths */
	{ "devices",         rt_step_devices,            own_dev                }, /* after /dev is mounted */
	{ "null",            rt_step_null,               own_dev                }, /* the host's would be a descriptor of nowhere inside */
	{ "console",         rt_step_console,            has_terminal           }, /* in the container's own devpts */
	{ "rootfs ready",    rt_step_report_rootfs,      rt_launch_has_hooks    },
	{ "hooks",           rt_step_await_hooks,        rt_launch_has_hooks    }, /* createRuntime sees the mounts, not the pivot */
	{ "container hooks", rt_step_container_hooks,    rt_launch_has_hooks    }, /* host paths still resolve */
	{ "pivot",           rt_step_pivot,              own_mounts             },
	{ "root directory",  rt_step_chroot,             shared_mounts          },
	{ "sysctl",          rt_step_sysctl,             always                 }, /* through the host's procfs, held open since before the pivot */
	{ "paths",           rt_step_paths,              always                 }, /* after sysctl: /proc/sys becomes read-only here */
	{ "cwd folder",      rt_step_cwd_folder,         always                 }, /* while a read-only root can still be written to */
	{ "seal",            rt_step_seal,               always                 }, /* last of the mounts */
	{ "personality",     rt_step_personality,        always                 },
	{ "memory policy",   rt_step_memory_policy,      always                 },
	{ "cwd",             rt_step_cwd,                always                 }, /* a path of the container; must not lead outside */
	{ "label",           rt_step_label,              always                 }, /* needs the rights that the next lines take */
	{ "privileges",      rt_step_no_new_privs,       always                 }, /* before seccomp, which may depend on it */
	{ "descriptors",     rt_step_descriptors,        always                 }, /* before the profile forbids close_range */
	{ "environment",     rt_step_environment,        always                 }, /* HOME is in the container's passwd */
	{ "limits",          rt_step_limits,             always                 }, /* after the last descriptor was opened, before we are somebody else */
	{ "seccomp",         rt_step_seccomp_privileged, always                 }, /* without no_new_privs it needs CAP_SYS_ADMIN */
	{ "user",            rt_step_user,               always                 },
	{ "cwd as user",     rt_step_cwd_late,           always                 }, /* a folder only the user may enter */
	{ "program",         rt_step_program,            always                 }, /* as the user: found means executable */
	{ "seccomp late",    rt_step_seccomp_late,       always                 }, /* as close to the program as can be */
	{ "ready",           rt_step_ready,              always                 },
	{ "kept",            rt_step_kept,               waits_for_start        }, /* before it outlives the runtime */
	{ "start",           rt_step_await_start,        always                 },
	{ "start hooks",     rt_step_start_hooks,        rt_launch_has_hooks    },
};

/* A program in a running container: its world stands, only the process is
 * made. */
static const struct step exec_steps[] = {
	{ "mapping",         rt_step_mapping,            rt_launch_waits_mapped },
	{ "hide",            rt_step_undumpable,         always                 }, /* before setns: inside they could look at us */
	{ "namespaces",      rt_step_enter,              always                 },
	{ "root user",       rt_step_become_root,        has_user_namespace     },
	{ "signals",         rt_step_signals,            always                 },
	{ "session",         rt_step_session,            always                 },
	{ "stdio",           rt_step_stdio,              always                 },
	{ "keyring",         rt_step_keyring,            always                 },
	{ "console",         rt_step_console,            has_terminal           },
	{ "personality",     rt_step_personality,        always                 },
	{ "memory policy",   rt_step_memory_policy,      always                 },
	{ "cwd",             rt_step_cwd,                always                 },
	{ "label",           rt_step_label,              always                 },
	{ "privileges",      rt_step_no_new_privs,       always                 },
	{ "descriptors",     rt_step_descriptors,        always                 },
	{ "environment",     rt_step_environment,        always                 },
	{ "limits",          rt_step_limits,             always                 },
	{ "seccomp",         rt_step_seccomp_privileged, always                 },
	{ "user",            rt_step_user,               always                 },
	{ "cwd as user",     rt_step_cwd_late,           always                 },
	{ "program",         rt_step_program,            always                 }, /* as the user: found means executable */
	{ "seccomp late",    rt_step_seccomp_late,       always                 },
	{ "ready",           rt_step_ready,              always                 },
	{ "start",           rt_step_await_start,        always                 },
};
/* clang-format on */

int rt_run_steps(struct child *c, const struct step *steps, size_t n,
		 struct err *e)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!steps[i].when(c->l))
			continue;
		r = steps[i].run(c, e);
		if (r < 0)
			return err_wrap(e, r, "%s", steps[i].name);
		log_debug("child: %s", steps[i].name);
	}
	return 0;
}

void rt_child(struct launch *l)
{
	struct child c = { .l = l, .end = l->child_end, .root = -1 };
	struct err e = { 0 };
	int r;

	/* Our copy of the runtime's end would hide its death from us. */
	(void)close(l->sync);

	r = l->cgroup ? cg_join_self(l->cgroup, &e) : 0;
	if (r < 0)
		(void)err_wrap(&e, r, "cgroup");
	else if (l->instead)
		r = l->instead(&c, &e);
	else if (l->init_pidfd >= 0)
		r = rt_run_steps(&c, exec_steps, ARRAY_SIZE(exec_steps), &e);
	else
		r = rt_run_steps(&c, init_steps, ARRAY_SIZE(init_steps), &e);
	if (r == 0)
		r = rt_execute(&c, &e);
	sync_fail(c.end, &e);
	_exit(RT_CHILD_FAILED);
}

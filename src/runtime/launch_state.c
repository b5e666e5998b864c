/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/launch_state.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

bool rt_launch_is_exec(const struct launch *l)
{
	return l->init_pidfd >= 0;
}

bool rt_launch_waits_mapped(const struct launch *l)
{
	/* v1 groups are joined from outside, and are mounted by the child. An
	 * intermediate process has to name it before it says a word. */
	return l->joiner ||
	       (!rt_launch_is_exec(l) &&
		(plan_makes(l->plan, NS_USER) || l->plan->net_devices.n > 0)) ||
	       (l->cgroup && cg_must_join(l->cgroup)) || l->cgroup_binds ||
	       l->process->oom_score_adj.set;
}

bool rt_launch_has_hooks(const struct launch *l)
{
	const struct plan_hooks *h = l->plan->hooks;

	return !rt_launch_is_exec(l) && (h[PLAN_HOOK_PRESTART].n > 0 ||
					 h[PLAN_HOOK_CREATE_RUNTIME].n > 0 ||
					 h[PLAN_HOOK_CREATE_CONTAINER].n > 0 ||
					 h[PLAN_HOOK_START_CONTAINER].n > 0);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(steal_fd(fd));
}

void rt_launch_done(struct launch *l)
{
	int *const fds[] = { &l->sync,	    &l->child_end,    &l->procfd,
			     &l->root_tree, &l->pidfd,	      &l->console,
			     &l->listener,  &l->idmap_userns, &l->seccomp_cache,
			     &l->netns,	    &l->device_tree };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close_fd(fds[i]);
	for (int k = 0; k < NS_KIND_N_; k++)
		close_fd(&l->ns_fds[k]);
	for (size_t i = 0; l->mount_trees && i < l->plan->mounts.n; i++)
		close_fd(&l->mount_trees[i]);
	free(steal_ptr(l->mount_trees));
	strv_free(steal_ptr(l->cgroup_binds));
	json_free(&cg_paths_table, &l->cgroup_paths);
	hooks_output_close(&l->hooks_output);
	ns_seccomp_program_done(&l->seccomp);
}

struct ns_mount_env rt_launch_mount_env(const struct launch *l, int root)
{
	const struct plan *p = l->plan;

	return (struct ns_mount_env){
		.rootfd = root,
		.root_path = p->root.path,
		.userns = l->idmap_userns,
		.label = p->mount_label,
		.in_userns = plan_owns(p, NS_USER),
		.cgroups = (const char *const *)l->cgroup_binds,
		.cgroupns = plan_makes(p, NS_CGROUP),
		.cgroup_path = l->cgroup ? cg_path(l->cgroup) : NULL,
	};
}

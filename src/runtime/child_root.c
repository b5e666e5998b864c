/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/child_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/sysctl.h"
#include "namespaces/tty.h"
#include "src/oci/hooks.h"
#include "src/oci/state.h"
#include "src/runtime/sync.h"

#define HOOK_STATE_MAX (1U << 20)

static struct ns_mount_env mount_env(const struct child *c)
{
	return rt_launch_mount_env(c->l, c->root);
}

int rt_step_root(struct child *c, struct err *e)
{
	c->root =
		ns_root_open(&c->l->plan->root, steal_fd(&c->l->root_tree), e);
	return c->root < 0 ? c->root : 0;
}

int rt_step_mounts(struct child *c, struct err *e)
{
	const struct plan *p = c->l->plan;
	struct ns_mount_env env = mount_env(c);
	int r;

	for (size_t i = 0; i < p->mounts.n; i++) {
		r = ns_mount_attach(&p->mounts.v[i], &env, c->l->mount_trees[i],
				    e);
		if (r == 0 && str_eq(p->mounts.v[i].target, "/")) {
			r = ns_root_reopen(&p->root, &c->root, e);
			env.rootfd = c->root;
		}
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	return 0;
}

int rt_step_devices(struct child *c, struct err *e)
{
	const struct plan *p = c->l->plan;
	/* Nodes of a user namespace's making do not work, ever. */
	bool may_mknod = !plan_owns(p, NS_USER);
	int r;

	r = ns_device_make(c->root, p->devices.v, p->devices.n, may_mknod,
			   c->l->device_tree, e);
	if (r < 0)
		return r;
	return ns_device_links(c->root, e);
}

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(1, 3);
}

/* As runc has it: a checkpoint finds the container's own null device again,
 * not the host's. The node is ours: it has just been made. */
int rt_step_null(struct child *c, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		autoclose int fd = -1;

		if (!is_null(i))
			continue;
		fd = path_open_in_root(c->root, "/dev/null",
				       O_RDWR | O_NOCTTY | O_CLOEXEC, 0, e);
		if (fd < 0)
			return fd;
		if (is_null(fd) && dup2(fd, i) < 0) /* to survive execve */
			return err_errno(e, "set up stdio");
	}
	return 0;
}

int rt_step_console(struct child *c, struct err *e)
{
	const struct plan_process *p = c->l->process;
	autoclose int slave = -1, master = -1;
	struct ns_tty tty;
	int r;

	r = ns_tty_open(c->root, p->rows, p->cols, &tty, e);
	if (r < 0)
		return r;
	master = tty.master;
	slave = tty.slave;
	if (!p->crlf) {
		r = ns_tty_bare(slave, e);
		if (r < 0)
			return r;
	}

	if (c->l->init_pidfd < 0) {
		r = ns_tty_console(c->root, slave, e);
		if (r < 0)
			return r;
	}
	r = sync_send_fd(c->end, SYNC_CONSOLE, master, e);
	if (r < 0)
		return r;
	return ns_tty_adopt(slave, p->user.uid, e);
}

int rt_step_report_rootfs(struct child *c, struct err *e)
{
	return sync_send(c->end, SYNC_ROOTFS, 0, e);
}

int rt_step_await_hooks(struct child *c, struct err *e)
{
	autoclose int fd = -1;
	int r;

	r = sync_wait_fd(c->end, SYNC_HOOKED, &fd, e);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "rewind the state");
	return fd_read_all(fd, HOOK_STATE_MAX, &c->hook_state, NULL, e);
}

/* Ours is the process they are told of. */
static int hooks_inside(struct child *c, enum plan_hook_kind kind,
			enum state_status status, struct hooks_call call,
			struct err *e)
{
	autofree char *text = NULL;
	int r;

	r = state_for_hooks_inside(c->hook_state, getpid(), status, &text, e);
	if (r < 0)
		return r;
	call.state = text;
	call.output = c->l->hooks_output;
	return hooks_run(c->l->plan, kind, &call, e);
}

/* As with runc they start in the root, which they are there to fill. */
int rt_step_container_hooks(struct child *c, struct err *e)
{
	if (c->l->plan->hooks[PLAN_HOOK_CREATE_CONTAINER].n == 0)
		return 0;
	return hooks_inside(c, PLAN_HOOK_CREATE_CONTAINER, STATE_CREATING,
			    (struct hooks_call){ .dir = c->root }, e);
}

/* In the program's own folder. */
int rt_step_start_hooks(struct child *c, struct err *e)
{
	if (c->l->plan->hooks[PLAN_HOOK_START_CONTAINER].n == 0)
		return 0;
	/* They have the HOME of the program. */
	return hooks_inside(c, PLAN_HOOK_START_CONTAINER, STATE_CREATED,
			    (struct hooks_call){ .env = c->env }, e);
}

int rt_step_pivot(struct child *c, struct err *e)
{
	return ns_root_pivot(&c->l->plan->root, c->root, e);
}

int rt_step_chroot(struct child *c, struct err *e)
{
	return ns_root_chroot(c->root, e);
}

int rt_step_sysctl(struct child *c, struct err *e)
{
	const struct plan *p = c->l->plan;
	int r;

	for (size_t i = 0; i < p->sysctls.n; i++) {
		r = ns_sysctl_write(c->l->procfd, p->sysctls.v[i].key,
				    p->sysctls.v[i].value, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int rt_step_paths(struct child *c, struct err *e)
{
	const struct plan *p = c->l->plan;
	int r;

	r = ns_root_readonly(c->root, p->readonly, e);
	if (r < 0)
		return r;
	return ns_root_mask(c->root, p->masked, p->mount_label, e);
}

/* What a later mount hides is not what its path leads to. A remount changes
 * what is there, and hides nothing. */
static bool is_covered(const struct plan_mounts *m, size_t i)
{
	for (size_t j = i + 1; j < m->n; j++)
		if (!(m->v[j].flags & NS_MOUNT_REMOUNT) &&
		    path_below(m->v[i].target, m->v[j].target))
			return true;
	return false;
}

int rt_step_seal(struct child *c, struct err *e)
{
	const struct plan *p = c->l->plan;
	int r;

	for (size_t i = 0; i < p->mounts.n; i++) {
		if (is_covered(&p->mounts, i))
			continue;
		r = ns_mount_seal(&p->mounts.v[i], c->root, e);
		if (r < 0)
			return r;
	}
	return ns_root_seal(&c->l->plan->root, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/vm_steps.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "namespaces/tty.h"
#include "src/oci/plan_split.h"
#include "src/runtime/sync.h"

int rt_step_vm_descriptors(struct child *c, struct err *e)
{
	const struct launch *l = c->l;
	const int keep[] = {
		c->end,		 l->locked,    l->start_fifo, l->result_fifo,
		l->procfd,	 l->root_tree, l->vm->kernel, l->vm->initramfs,
		l->vm->listener, log_fd(),
	};
	int used[ARRAY_SIZE(keep) + PLAN_DISKS_MAX + 64];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		if (keep[i] >= 0)
			used[n++] = keep[i];
	for (size_t i = 0; i < l->vm->host.disks.n; i++)
		used[n++] = l->vm->disks[i];
	for (size_t i = 0; i < l->plan->mounts.n; i++) {
		if (n == ARRAY_SIZE(used))
			return err_set(e, -E2BIG,
				       "a micro-VM takes at most 64 binds");
		if (l->mount_trees[i] >= 0)
			used[n++] = l->mount_trees[i];
	}
	/* The caller's other descriptors would be ours for a long time. */
	fd_close_from(3, used, n);
	return 0;
}

/* --- the share ------------------------------------------------------------*/

/*
 * A tmpfs over the state's folder: it is a place that is surely there and of
 * no use in here, and the mount is in our own mount namespace alone.
 */
static int make_stage(const char *place, struct err *e)
{
	if (mount("moat", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0755,size=1m") < 0)
		return err_errno(e, "mount on '%s'", place);
	return open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int add_root(int stage, int root, struct err *e)
{
	autoclose int tree = -1;

	if (mkdirat(stage, PLAN_SHARE_ROOT, 0755) < 0)
		return err_errno(e, "make '%s'", PLAN_SHARE_ROOT);
	tree = open_tree(root, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
				 AT_EMPTY_PATH);
	if (tree < 0 || move_mount(tree, "", stage, PLAN_SHARE_ROOT,
				   MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, "put the root into the share");
	return 0;
}

int rt_step_share(struct child *c, struct err *e)
{
	autoclose int stage = make_stage(c->l->vm->place, e);
	int r;

	if (stage < 0)
		return stage;
	r = add_root(stage, c->root, e);
	if (r < 0)
		return r;
	(void)close(c->root);
	c->root = steal_fd(&stage);
	return 0;
}

/* The share's own folder is the host's memory. A guest that could make files
 * there would fill that with their inodes, which no size counts. */
int rt_step_seal_share(struct child *c, struct err *e)
{
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount_setattr(c->root, "", AT_EMPTY_PATH, &readonly,
			  sizeof(readonly)) < 0)
		return err_errno(e, "make the share's folder read-only");
	return 0;
}

/* --- the console ----------------------------------------------------------*/

/*
 * Bytes pass as they are: lines, echo and the characters that make signals are
 * the business of the guest's own pty.
 */
int rt_step_vm_console(struct child *c, struct err *e)
{
	const struct plan_process *p = c->l->process;
	autoclose int slash = -1, master = -1, slave = -1;
	struct termios old;
	struct ns_tty tty;
	int r;

	slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (slash < 0)
		return err_errno(e, "open '/'");
	r = ns_tty_open(slash, p->rows, p->cols, &tty, e);
	if (r < 0)
		return r;
	master = tty.master;
	slave = tty.slave;
	r = ns_tty_raw(slave, &old, e);
	if (r == 0)
		r = sync_send_fd(c->end, SYNC_CONSOLE, master, e);
	if (r < 0)
		return r;
	return ns_tty_adopt(slave, 0, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/child_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/rootfs.h"
#include "netns/link.h"
#include "src/runtime/sync.h"

int rt_step_mapping(struct child *c, struct err *e)
{
	return sync_wait(c->end, SYNC_MAPPED, NULL, e);
}

int rt_step_join(struct child *c, struct err *e)
{
	/* With an intermediate process it has happened before we were made. */
	if (c->l->joiner)
		return 0;
	return ns_join(c->l->ns_fds, e);
}

int rt_step_enter(struct child *c, struct err *e)
{
	struct launch *l = c->l;

	if (!l->joiner) {
		/* The pid namespace is the parent's doing: it only takes
		 * effect for children. */
		uint64_t flags = l->clone_flags & ~(uint64_t)CLONE_NEWPID;

		if (flags && setns(l->init_pidfd, (int)flags) < 0)
			return err_errno(e, "join the container's namespaces");
	}
	if (l->init_root >= 0) {
		int r = ns_root_chroot(l->init_root, e);

		if (r < 0)
			return r;
	}
	c->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root < 0)
		return err_errno(e, "open '/'");
	return 0;
}

/* Root, or the first there is where no root is mapped: who has no id there may
 * make no file. A namespace given by path has mappings that we did not write. */
static uint32_t first_id(const struct ns_idmaps *m)
{
	uint32_t host;

	return m->n == 0 || ns_idmap_host(m, 0, &host) >= 0
		       ? 0
		       : m->v[0].container_id;
}

int rt_step_become_root(struct child *c, struct err *e)
{
	const struct plan *p = c->l->plan;
	uint32_t uid = first_id(&p->map.uids), gid = first_id(&p->map.gids);

	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return err_errno(e, "become group %u of the user namespace",
				 gid);
	if (syscall(SYS_setresuid, uid, uid, uid) < 0)
		return err_errno(e, "become user %u of the user namespace",
				 uid);
	return 0;
}

int rt_step_undumpable(struct child *c, struct err *e)
{
	(void)c;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno(e, "become undumpable");
	return 0;
}

int rt_step_signals(struct child *c, struct err *e)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	/* Ignored signals survive execve: a caller that ignores SIGPIPE must
	 * not make every program in the container do so. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &usual, NULL);
	if (c->l->old_mask &&
	    sigprocmask(SIG_SETMASK, c->l->old_mask, NULL) < 0)
		return err_errno(e, "restore the signal mask");
	return 0;
}

int rt_step_session(struct child *c, struct err *e)
{
	(void)c;
	if (setsid() < 0)
		return err_errno(e, "start a session");
	return 0;
}

int rt_step_stdio(struct child *c, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		int fd = c->l->stdio[i];

		if (fd < 0)
			continue;
		/* Onto itself dup2 keeps close-on-exec; such a caller must
		 * not have set it. */
		if (fd != i && dup2(fd, i) < 0) /* meant to survive execve */
			return err_errno(e, "set up stdio");
	}
	return 0;
}

int rt_step_keyring(struct child *c, struct err *e)
{
	autofree char *name = NULL;

	if (!c->l->new_keyring)
		return 0;
	name = str_printf("_ses.%s", c->l->id);
	if (!name)
		return err_nomem(e);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) >=
	    0)
		return 0;
	/* A kernel without keyrings, or an outer profile that forbids them. */
	if (errno == ENOSYS || errno == EPERM) {
		log_debug("no session keyring: %s", strerrordesc_np(errno));
		return 0;
	}
	return err_errno(e, "join a session keyring");
}

int rt_step_cgroup_view(struct child *c, struct err *e)
{
	const char *path = plan_namespace(c->l->plan, NS_CGROUP);

	if (!path || path[0])
		return 0;
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_errno(e, "make a cgroup namespace");
	return 0;
}

int rt_step_network(struct child *c, struct err *e)
{
	return c->l->plan->loopback_up ? net_loopback_up(e) : 0;
}

int rt_step_hostname(struct child *c, struct err *e)
{
	const struct plan *p = c->l->plan;

	if (p->hostname && sethostname(p->hostname, strlen(p->hostname)) < 0)
		return err_errno(e, "set hostname '%s'", p->hostname);
	if (p->domainname &&
	    setdomainname(p->domainname, strlen(p->domainname)) < 0)
		return err_errno(e, "set domainname '%s'", p->domainname);
	return 0;
}

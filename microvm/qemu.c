/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/qemu_priv.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "microvm/spawn.h"

#define NOBODY 65534

static const char *const programs[] = {
	"qemu-system-x86_64",
	"/usr/libexec/qemu-kvm",
	NULL,
};

static int find_qemu(char **ret, struct err *e)
{
	if (vm_find_program(programs, ret) < 0)
		return err_set(
			e, -ENOENT,
			"qemu-system-x86_64 is not installed (Debian: qemu-system-x86)");
	return 0;
}

static int usable(struct err *e)
{
	autofree char *program = NULL;

	return find_qemu(&program, e);
}

static void add_child(struct vm_monitor *m, pid_t pid, const char *name)
{
	m->child[m->n_children++] = (struct vm_child){ pid, name };
}

/*
 * QEMU opens nothing but its own firmware and /dev/kvm: nobody can do that, if
 * he is in the group that the device belongs to. A root without other users
 * (of a user namespace) can at least gain nothing.
 */
static int become_nobody(void *arg, struct err *e)
{
	struct stat st;
	gid_t group = NOBODY;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "forbid new privileges");
	if (geteuid() != 0)
		return 0;
	if (stat("/dev/kvm", &st) == 0)
		group = st.st_gid;
	if (setgroups(1, &group) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return errno == EINVAL || errno == EPERM
			       ? 0
			       : err_errno(e, "become nobody");
	return 0;
}

/* QEMU connects to them as it starts, so they must be there before. */
static int start_shares(struct vm_qemu *q, struct vm_monitor *m, struct err *e)
{
	for (size_t i = 0; i < q->c->shares.n; i++) {
		pid_t pid =
			vm_qemu_fs(&q->c->shares.v[i], m->log, &q->fs[i], e);

		if (pid < 0)
			return pid;
		add_child(m, pid, "virtiofsd");
	}
	return 0;
}

static int start_qemu(struct vm_qemu *q, struct vm_monitor *m, struct err *e)
{
	int keep[VM_CONFIG_FDS_MAX + VM_SHARES_MAX + 1];
	autofree char *program = NULL;
	autostrv char **argv = NULL;
	struct vm_spawn s = {
		.keep = keep,
		.log = m->log,
		.prepare = become_nobody,
	};
	pid_t pid;
	int n, r;

	r = find_qemu(&program, e);
	if (r == 0)
		r = vm_qemu_args(q, program, &argv, e);
	if (r < 0)
		return r;
	n = vm_config_fds(q->c, keep, VM_CONFIG_FDS_MAX);
	if (n < 0)
		return err_code(e, n, "descriptors of the machine");
	for (size_t i = 0; i < q->c->shares.n; i++)
		keep[n++] = q->fs[i];
	keep[n++] = q->qmp;
	s.path = program;
	s.argv = argv;
	s.n_keep = (size_t)n;
	STRV_FOREACH(a, argv)
		log_debug("qemu: %s", *a);
	pid = vm_spawn(&s, e);
	if (pid < 0)
		return pid;
	/* In front: child[0] is the monitor itself. */
	add_child(m, pid, "qemu");
	m->child[m->n_children - 1] = m->child[0];
	m->child[0] = (struct vm_child){ pid, "qemu" };
	return 0;
}

static int start_all(struct vm_qemu *q, struct vm_monitor *m, struct err *e)
{
	int ends[2], r;

	if (q->c->shares.n > VM_SHARES_MAX)
		return err_set(e, -E2BIG, "more than %d shares", VM_SHARES_MAX);
	if (q->c->cpus.n > 0)
		return err_set(e, -ENOTSUP,
			       "it cannot keep vCPUs on chosen CPUs");
	if (q->c->initrd_fds.n > 1)
		return err_set(e, -ENOTSUP, "qemu takes one initramfs only");
	m->log = vm_log_new(e);
	if (m->log < 0)
		return m->log;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(e, "make a socket pair");
	m->control = ends[0];
	q->qmp = ends[1];
	r = start_shares(q, m, e);
	return r < 0 ? r : start_qemu(q, m, e);
}

static int start(const struct vm_config *c, unsigned int needs,
		 struct vm_monitor *ret, struct err *e)
{
	struct vm_monitor m = VM_MONITOR_INIT;
	struct vm_qemu q = {
		.c = c,
		.pci = needs & VM_NEED_PCI,
		.qmp = -1,
	};
	struct err why = { 0 };
	int r;

	for (size_t i = 0; i < VM_SHARES_MAX; i++)
		q.fs[i] = -1;
	m.backend = &vm_backend_qemu;
	q.kvm = vm_kvm_usable(c->kvm_fd, &why) == 0;
	m.emulated = !q.kvm;
	if (m.emulated) {
		log_debug("qemu emulates: %s", err_text(&why));
		q.tsc_khz = vm_tsc_khz();
	}
	r = start_all(&q, &m, e);
	for (size_t i = 0; i < VM_SHARES_MAX; i++)
		if (q.fs[i] >= 0)
			(void)close(q.fs[i]);
	if (q.qmp >= 0)
		(void)close(q.qmp);
	if (r < 0) {
		vm_monitor_stop(&m);
		return err_wrap(e, r, "qemu");
	}
	*ret = m;
	return 0;
}

const struct vm_backend vm_backend_qemu = {
	.name = "qemu",
	.bus = { VM_NEED_MMIO, VM_NEED_PCI },
	.agent = VM_NEED_CONSOLE,
	.usable = usable,
	.start = start,
	.pause = vm_qemu_pause,
	.resume = vm_qemu_resume,
};

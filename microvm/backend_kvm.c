/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"
#include "base/str.h"
#include "microvm/backend.h"
#include "microvm/control.h"
#include "microvm/spawn.h"
#include "microvm/vm.h"

/* Our own monitor, as a program of its own: moat-vmm. */

#define PROGRAM "moat-vmm"

/* What the machine has: a serial line, the reset port, and no PCI. */
#define PARAMETERS "console=ttyS0 reboot=k pci=off"

/* Where we are told that programs are (a build folder), or installed. */
static int find_vmm(char **ret, struct err *e)
{
	const char *dir = getenv("MOAT_LIBEXECDIR");
	autofree char *path =
		str_printf("%s/" PROGRAM, dir ? dir : PKGLIBEXECDIR);
	const char *const names[] = { path, NULL };

	if (!path)
		return err_nomem(e);

	if (vm_find_program(names, ret) < 0)
		return err_set(e, -ENOENT, "'%s' is missing", path);
	return 0;
}

static int usable(struct err *e)
{
	return vm_kvm_usable(-1, e);
}

/* The machine's description in a file in memory, which the monitor reads. */
static int write_config(const struct vm_config *c, struct err *e)
{
	autoclose int fd = memfd_create("moat-vm-config", MFD_CLOEXEC);
	autofree char *text = NULL;
	size_t len = 0;
	int r;

	if (fd < 0)
		return err_errno(e, "make a memory file");
	r = json_write(&vm_config_table, c, false, &text, &len, e);
	if (r < 0)
		return r;
	if (fd_write_all(fd, text, len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "write the machine's description");
	return steal_fd(&fd);
}

static int spawn(const struct vm_config *c, struct vm_monitor *m, struct err *e)
{
	int keep[VM_CONFIG_FDS_MAX + 1];
	autofree char *program = NULL;
	autoclose int config = -1;
	char number[16], name[] = PROGRAM;
	char *argv[] = { name, number, NULL };
	struct vm_spawn s = { .argv = argv, .keep = keep, .log = m->log };
	int n, r;

	r = find_vmm(&program, e);
	if (r < 0)
		return r;
	config = write_config(c, e);
	if (config < 0)
		return config;
	n = vm_config_fds(c, keep, VM_CONFIG_FDS_MAX);
	if (n < 0)
		return err_set(e, n, "the machine has too many descriptors");
	keep[n++] = config;
	(void)snprintf(number, sizeof(number), "%d", config);
	s.path = program;
	s.n_keep = (size_t)n;
	m->child[0] = (struct vm_child){ vm_spawn(&s, e), PROGRAM };
	if (m->child[0].pid < 0)
		return m->child[0].pid;
	m->n_children = 1;
	return 0;
}

static int start_monitor(const struct vm_config *c, struct vm_monitor *m,
			 struct err *e)
{
	struct vm_config full = *c;
	autofree char *cmdline = NULL;
	autoclose int theirs = -1;
	int ends[2];

	m->log = vm_log_new(e);
	if (m->log < 0)
		return m->log;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(e, "make a socket pair");
	m->control = ends[0];
	theirs = ends[1];
	cmdline = str_printf(PARAMETERS "%s%s", c->cmdline ? " " : "",
			     c->cmdline ? c->cmdline : "");
	if (!cmdline)
		return err_nomem(e);
	full.cmdline = cmdline;
	full.control_fd = theirs;
	full.jail = true;
	return spawn(&full, m, e);
}

static int start(const struct vm_config *c, unsigned int needs,
		 struct vm_monitor *ret, struct err *e)
{
	struct vm_monitor m = VM_MONITOR_INIT;
	int r;

	m.backend = &vm_backend_kvm;
	r = start_monitor(c, &m, e);
	if (r < 0) {
		vm_monitor_stop(&m);
		return err_wrap(e, r, "monitor");
	}
	*ret = m;
	return 0;
}

static int pause_guest(struct vm_monitor *m, struct err *e)
{
	return vm_control(m->control, VM_PAUSE, 0, NULL, e);
}

static int resume_guest(struct vm_monitor *m, struct err *e)
{
	return vm_control(m->control, VM_RESUME, 0, NULL, e);
}

const struct vm_backend vm_backend_kvm = {
	.name = "kvm",
	.bus = { VM_NEED_MMIO },
	.agent = VM_NEED_VSOCK,
	.usable = usable,
	.start = start,
	.pause = pause_guest,
	.resume = resume_guest,
};

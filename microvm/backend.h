/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A micro-VM as its starter sees it, whichever monitor runs it.
 *
 *	the environment's own namespaces and cgroup
 *	+-------------------------------------------------------------+
 *	|  the environment's init, on the host's side                 |
 *	|      | agent            ^ console                           |
 *	|      | (byte stream)    | (text)                            |
 *	|  monitor: moat-vmm, or qemu-system + a virtiofsd per share  |
 *	|   +------------------------------------------------------+  |
 *	|   | guest: distribution kernel, initramfs, moat-guest    |  |
 *	|   +------------------------------------------------------+  |
 *	+-------------------------------------------------------------+
 *
 * The starter opens everything, puts the descriptors into a vm_config (vm.h),
 * and keeps the other ends of two stream socket pairs: the agent's, which
 * carries what src/oci/wire.h describes, unaltered, to and from a byte stream
 * in the guest; and serial_fd, the console's text. The agent's stream is
 * vsock port VM_AGENT_PORT of host CID 2, to which the guest connects, or a
 * virtio-console port named VM_AGENT_NAME: vm_backend.needs says which. It is
 * handed over by vm_agent_stream(), so that the starter need not care.
 *
 *	struct vm_monitor m = VM_MONITOR_INIT;
 *	r = vm_agent_stream(backend, &config, pair[1], e);
 *	r = backend->start(&config, needs, &m, e);
 *	... poll agent, console and children; vm_monitor_ended() names one ...
 *	vm_monitor_stop(&m);
 *
 * What start() makes are children of the caller, with PR_SET_PDEATHSIG set to
 * SIGKILL: a monitor lives no longer than its starter. child[0] is the monitor
 * itself; its status 0 says that the guest has powered off. The exit status of
 * the guest's program comes over the wire, never from here.
 *
 * Everything that comes out of agent and console is written by the guest and
 * hostile.
 */
#include <sys/types.h>

#include "microvm/vm.h"

#define VM_AGENT_PORT 1024
#define VM_AGENT_NAME "moat.agent"
#define VM_GUEST_CID  3

/*
 * A guest's command line begins so, on every monitor. "quiet": a console is
 * slow, and its last lines shall be the trouble. Ciphers test themselves at no
 * boot but with fips=1, when the kernel takes no heed of the word. There is one
 * serial line; the ports of others are not probed.
 */
#define VM_KERNEL_WORDS "quiet panic=-1 cryptomgr.notests 8250.nr_uarts=1"

#define VM_SHARES_MAX	16
#define VM_CHILDREN_MAX (1 + VM_SHARES_MAX)

/* What the guest kernel must know; each bit stands for modules (modules.h). */
enum vm_need {
	VM_NEED_MMIO = 1 << 0, /* devices found through ACPI */
	VM_NEED_PCI = 1 << 1,
	VM_NEED_CONSOLE = 1 << 2,
	VM_NEED_VSOCK = 1 << 3,
	VM_NEED_FS = 1 << 4,
	VM_NEED_BLK = 1 << 5,
	VM_NEED_EROFS = 1 << 6,
	VM_NEED_OVERLAY = 1 << 7,
	VM_NEED_NET = 1 << 8,
	VM_NEED_RNG = 1 << 9,
	VM_NEED_BALLOON = 1 << 10,
};

struct vm_child {
	pid_t pid; /* 0: has been reaped */
	const char *name;
};

struct vm_backend;

struct vm_monitor {
	const struct vm_backend *backend;
	struct vm_child child[VM_CHILDREN_MAX];
	size_t n_children;
	int control;   /* the monitor's command socket, -1: none */
	int log;       /* what its programs say, see vm_monitor_words() */
	bool emulated; /* no KVM: everything takes about ten times as long */
};

/* clang-format off */
#define VM_MONITOR_INIT { .control = -1, .log = -1 }
/* clang-format on */

struct vm_backend {
	const char *name; /* "kvm", "qemu" */
	/*
	 * Kinds of bus in order of preference, 0 at the end. The first one
	 * that the guest kernel knows is put among the needs given to start().
	 */
	unsigned int bus[2];
	unsigned int agent; /* VM_NEED_VSOCK or VM_NEED_CONSOLE */
	/*
	 * Can it boot a kernel on this host, here and now? -errno and a
	 * sentence that says what is missing; costs milliseconds.
	 */
	int (*usable)(struct err *e);
	/* Takes over nothing; leaves nothing behind when it fails. */
	int (*start)(const struct vm_config *config, unsigned int needs,
		     struct vm_monitor *ret, struct err *e);
	/* The vCPUs stand still, memory is kept. */
	int (*pause)(struct vm_monitor *m, struct err *e);
	int (*resume)(struct vm_monitor *m, struct err *e);
};

extern const struct vm_backend vm_backend_kvm;
extern const struct vm_backend vm_backend_qemu;

/* Puts the agent's stream among the config's ports or vsock ports, as the
 * back end wants it. fd stays the caller's. */
MUST_CHECK int vm_agent_stream(const struct vm_backend *b, struct vm_config *c,
			       int fd, struct err *e);

/* The name of the child whose pid this was, now marked as reaped; or NULL. */
const char *vm_monitor_ended(struct vm_monitor *m, pid_t pid);

/* The last words of its programs, for an error message; "" when none. */
void vm_monitor_words(const struct vm_monitor *m, char *ret, size_t size);

/* Kills and reaps what still runs. Fine when half-started or ended. */
void vm_monitor_stop(struct vm_monitor *m);

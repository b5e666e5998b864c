/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/backend.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "microvm/spawn.h"

static int add_port(struct vm_config *c, int fd, struct err *e)
{
	struct vm_port *v =
		reallocarray(c->ports.v, c->ports.n + 1, sizeof(*v));
	char *name = strdup(VM_AGENT_NAME);

	if (v)
		c->ports.v = v;
	if (!v || !name) {
		free(name);
		return err_nomem(e);
	}
	v[c->ports.n++] =
		(struct vm_port){ .name = name, .fd = fd, .out_fd = -1 };
	return 0;
}

static int add_vsock_port(struct vm_config *c, int fd, struct err *e)
{
	struct vm_vsock_port *v;

	if (!c->vsock) {
		c->vsock = calloc(1, sizeof(*c->vsock));
		if (!c->vsock)
			return err_nomem(e);
		c->vsock->cid = VM_GUEST_CID;
		c->vsock->listen_fd = c->vsock->dir_fd = -1;
	}
	v = reallocarray(c->vsock->ports.v, c->vsock->ports.n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	c->vsock->ports.v = v;
	v[c->vsock->ports.n++] =
		(struct vm_vsock_port){ .port = VM_AGENT_PORT, .fd = fd };
	return 0;
}

int vm_agent_stream(const struct vm_backend *b, struct vm_config *c, int fd,
		    struct err *e)
{
	if (b->agent == VM_NEED_VSOCK)
		return add_vsock_port(c, fd, e);
	return add_port(c, fd, e);
}

const char *vm_monitor_ended(struct vm_monitor *m, pid_t pid)
{
	for (size_t i = 0; i < m->n_children; i++) {
		if (m->child[i].pid != pid)
			continue;
		m->child[i].pid = 0;
		return m->child[i].name;
	}
	return NULL;
}

void vm_monitor_words(const struct vm_monitor *m, char *ret, size_t size)
{
	vm_log_tail(m->log, ret, size);
}

void vm_monitor_stop(struct vm_monitor *m)
{
	for (size_t i = 0; i < m->n_children; i++)
		if (m->child[i].pid > 0)
			(void)kill(m->child[i].pid, SIGKILL);
	for (size_t i = 0; i < m->n_children; i++) {
		if (m->child[i].pid > 0 && proc_reap(m->child[i].pid, NULL) < 0)
			log_debug("%s is gone", m->child[i].name);
		m->child[i].pid = 0;
	}
	if (m->control >= 0)
		(void)close(steal_fd(&m->control));
	if (m->log >= 0)
		(void)close(steal_fd(&m->log));
}

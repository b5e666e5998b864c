/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The steps of the environment's init on the host's side of a micro-VM; for
 * the table of vm_child.c.
 */
#include "base/loop.h"
#include "src/oci/wire.h"
#include "src/runtime/child.h"
#include "src/runtime/child_steps.h"
#include "src/runtime/vm.h"

/* Only what it needs stays open. */
int rt_step_vm_descriptors(struct child *c, struct err *e);
/* The shared folder, with the root in it; it is c->root from here on. */
int rt_step_share(struct child *c, struct err *e);
/* Binds are in it: nobody makes anything else there. */
int rt_step_seal_share(struct child *c, struct err *e);
/* A tap for each link of the environment's network namespace. */
int rt_step_vm_network(struct child *c, struct err *e);
/* A pty of the host: the guest has its own behind it. */
int rt_step_vm_console(struct child *c, struct err *e);
/* The monitor runs, the guest is up, its program waits. */
int rt_step_machine(struct child *c, struct err *e);

/* launch.instead of an exec, see vm_client.h. */
int rt_vm_exec_child(struct child *c, struct err *e);

/* All signals that can be sent on, taken by fn. */
MUST_CHECK int rt_vm_take_signals(struct loop *l, loop_signal_fn fn, void *arg,
				  struct err *e);
/* The size of the terminal that is our stdin. */
MUST_CHECK int rt_vm_send_size(struct wire *wire, uint16_t session,
			       struct err *e);

/* Starts the program and stays with it; only returns when it never ran. */
int rt_vm_serve(struct child *c, struct err *e);

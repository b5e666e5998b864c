/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A connection to somebody who speaks D-Bus, with an end to every wait: a
 * manager that does not answer becomes an error, not a hang.
 *
 * Two kinds of peers. A bus wants to be greeted and told whom a call is for;
 * systemd's private socket is systemd itself. The second is one process less
 * on the way, and works without a bus.
 */
#include "cgroups/dbus.h"

struct cg_dbus_link {
	int fd;
	bool is_bus;
	uint32_t serial;
	uint64_t deadline; /* of whatever is waited for; see cg_deadline() */
};

#define CG_DBUS_LINK_INIT                                                      \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Takes over a connected stream socket, authenticates, greets a bus. */
MUST_CHECK int cg_dbus_link_open(struct cg_dbus_link *l, int fd, bool is_bus,
				 int timeout_ms, struct err *e);
void cg_dbus_link_close(struct cg_dbus_link *l);

/* Sends what was begun by cg_dbus_call(). Gives the serial. */
MUST_CHECK int cg_dbus_send(struct cg_dbus_link *l, struct cg_dbus_out *m,
			    uint32_t *ret_serial, struct err *e);
/* The next message, whatever it is. */
MUST_CHECK int cg_dbus_receive(struct cg_dbus_link *l, struct cg_dbus_in *ret,
			       struct err *e);

/*
 * Sends and waits for the answer. A message in between, a signal perhaps, is
 * shown to other (may be NULL). An error answer is -EREMOTEIO with its name
 * and words, unless the name is known: see dbus_link.c.
 */
MUST_CHECK int cg_dbus_talk(struct cg_dbus_link *l, struct cg_dbus_out *m,
			    struct cg_dbus_in *ret,
			    void (*other)(void *arg, struct cg_dbus_in *m),
			    void *arg, struct err *e);

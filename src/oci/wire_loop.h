/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A wire in an event loop: frames go to a function as they come, what is
 * queued is written as the other side takes it.
 *
 *	r = wire_attach(w, loop, &handler, arg, &link, e);
 *	... wire_send() from any callback ...
 *	wire_detach(link);	before wire_free()
 */
#include "src/oci/wire.h"

struct loop;
struct wire_link;

struct wire_handler {
	/* A negative result ends the loop with it. */
	int (*frame)(void *arg, const struct wire_frame *f, struct err *e);
	/* The queue was full and is no more: sources may go on. */
	int (*drained)(void *arg, struct err *e);
	/* The other side has closed (-ENOTCONN), or broken the rules
	 * (-EPROTO). The link reports nothing any more; it may be detached
	 * from within. */
	int (*closed)(void *arg, int why, struct err *e);
};

MUST_CHECK int wire_attach(struct wire *w, struct loop *l,
			   const struct wire_handler *h, void *arg,
			   struct wire_link **ret, struct err *e);
void wire_detach(struct wire_link *link);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ttyS0: a 16550A with what Linux's driver and early messages need. What the
 * guest says is kept in a ring, for error messages, and written to a
 * descriptor by the device thread. A guest never waits for that descriptor:
 * when more than the ring holds is said meanwhile, the oldest is lost.
 */
#include "microvm/bus.h"

#define SERIAL_RING 16384U

struct loop;
struct serial;

struct serial_config {
	struct loop *loop;
	int out_fd; /* -1: the ring only; becomes non-blocking */
	int in_fd;  /* -1: nobody types */
};

extern const struct bus_ops serial_bus_ops; /* its dev: struct serial */

MUST_CHECK int serial_new(const struct serial_config *c, struct serial **ret,
			  struct err *e);
void serial_free(struct serial *s);

/* An eventfd for the interrupt. */
int serial_irq_fd(const struct serial *s);

/* The end of what was said, at most max bytes, cut at a line's start where
 * something had to go. The caller's to free. */
MUST_CHECK char *serial_text(struct serial *s, size_t max);

/* Writes out what has not been, as far as it goes without waiting. */
void serial_flush(struct serial *s);

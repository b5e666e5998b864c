/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pumps carry bytes between descriptors and the wire, with the flow control
 * that wire.h describes; host and guest use the same ones.
 *
 *	source: descriptor -> DATA, END		stdin on the host, stdout and
 *						stderr in the guest
 *	sink:   DATA, END -> descriptor		the other way round
 *
 * Descriptors may be pipes, sockets, terminals, files; the pump takes them
 * over. They may be shared with other processes (a shell's terminal), so they
 * are never made non-blocking in place: where that matters the pump opens
 * them anew, or writes no more than poll() has promised.
 *
 * A source stands still until its first wire_pump_resume().
 *
 * Frames that concern a stream are given to its pump by wire_pump_frame();
 * whoever owns the wire calls wire_pump_resume() on all when wire_full()
 * has become false again. `over` is called once, when the last byte has gone
 * and the descriptor is closed; the pump may be freed from within.
 */
#include "src/oci/wire.h"

struct loop;
struct wire_pump;

typedef void (*wire_pump_over_fn)(void *arg, struct wire_pump *p);

struct wire_pump_config {
	struct wire *wire;
	struct loop *loop;
	uint16_t session;
	enum wire_stream_id stream;
	wire_pump_over_fn over;
	void *arg;
};

/* fd is taken over, in any case. */
MUST_CHECK int wire_pump_source_new(const struct wire_pump_config *c, int fd,
				    struct wire_pump **ret, struct err *e);
MUST_CHECK int wire_pump_sink_new(const struct wire_pump_config *c, int fd,
				  struct wire_pump **ret, struct err *e);
void wire_pump_free(struct wire_pump *p);

/* DATA and END to a sink, CREDIT and CLOSED to a source; -EPROTO for the
 * rest, and for DATA beyond the window or CREDIT beyond what was sent. */
MUST_CHECK int wire_pump_frame(struct wire_pump *p, const struct wire_frame *f,
			       struct err *e);
MUST_CHECK int wire_pump_resume(struct wire_pump *p, struct err *e);
/* Whoever is behind the descriptor has gone: it is closed, and the other side
 * is told. `over` comes as ever. */
MUST_CHECK int wire_pump_abandon(struct wire_pump *p, struct err *e);
bool wire_pump_is_over(const struct wire_pump *p);
enum wire_stream_id wire_pump_stream(const struct wire_pump *p);

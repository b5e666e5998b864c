/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the host and the agent in a micro-VM say to each other over one byte
 * stream. A frame is a header, little endian, and a body:
 *
 *	 0        4      5        6         8
 *	+--------+------+--------+---------+---------------------+
 *	| length | type | stream | session | body: length bytes  |
 *	+--------+------+--------+---------+---------------------+
 *
 * A session is one program with its stdio; the host numbers them, 1 is the
 * environment's init, 0 is the machine itself. A life:
 *
 *	host                              guest
 *	-------------------------         ------------------------------
 *	                    <------------ HELLO        version, kernel
 *	SETUP ----------------------->    clock, entropy, shares, address
 *	                    <------------ DONE
 *	CREATE 1, the plan ---------->    rt_launch(): waits before execve
 *	                    <------------ DONE 1       or FAILED 1: a sentence
 *	START 1 --------------------->    execve
 *	                    <------------ DONE 1
 *	DATA 1 stdin ---------------->
 *	                    <------------ CREDIT 1 stdin
 *	                    <------------ DATA 1 stdout
 *	CREDIT 1 stdout ------------->
 *	EXEC 2, a plan_process ------>    another program in the same place
 *	SIGNAL 1, RESIZE 1 ---------->
 *	UPDATE 3, limits ------------>    of its cgroup
 *	                    <------------ DONE 3
 *	END 1 stdin ----------------->    end of file, the output goes on
 *	                    <------------ END 1 stdout, END 1 stderr
 *	                    <------------ EXITED 1     its status
 *	POWEROFF -------------------->    and the stream ends
 *
 * Requests of one session are answered in their order, each by one DONE or
 * FAILED. What needs no answer gets none: SIGNAL, RESIZE, CLOCK, ENTROPY,
 * and the frames of streams. A session is over when EXITED and
 * the END of its outputs have come, in any order: a program may leave children
 * that still write.
 *
 * Flow control, per stream and direction: the sender of DATA begins with
 * WIRE_WINDOW bytes of credit, spends it with what it sends, and gets it back
 * by CREDIT when the receiver has passed the bytes on. So a program that does
 * not read, or a terminal that is stopped, holds up its own stream only and no
 * side keeps more than a window for it. END: the sender has no more. CLOSED:
 * the receiver wants no more; whoever fills the stream shall get its SIGPIPE.
 *
 * The host takes every frame of the guest for hostile: a type that only the
 * host may send, a length over the type's bound, a session that is not there,
 * more data than credit, a body that does not parse - the connection fails
 * with -EPROTO and the machine is ended. Nothing of the guest's is believed
 * beyond what the program in it could have written to its own stdout. The
 * agent checks by the same code, against mistakes.
 */
#include <sys/types.h>

#include "base/json.h"

#define WIRE_VERSION  1
#define WIRE_HEADER   8
#define WIRE_DATA_MAX (64U << 10)  /* bytes of one DATA */
#define WIRE_WINDOW   (256U << 10) /* credit of a stream at its start */
#define WIRE_HIGH     (512U << 10) /* more in the queue: do not add DATA */

enum wire_type {
	/* guest to host */
	WIRE_HELLO,
	WIRE_DONE,
	WIRE_FAILED,
	WIRE_EXITED,
	/* host to guest */
	WIRE_SETUP,
	WIRE_CREATE,
	WIRE_START,
	WIRE_EXEC,
	WIRE_SIGNAL,
	WIRE_RESIZE,
	WIRE_CLOCK,
	WIRE_ENTROPY,
	WIRE_POWEROFF,
	/* both ways, per stream */
	WIRE_DATA,
	WIRE_CREDIT, /* body: u32, bytes */
	WIRE_END,
	WIRE_CLOSED,
	/* host to guest; last, for an init that is older than its client */
	WIRE_UPDATE,
	WIRE_TYPE_N_,
};

/* The streams of a session. A terminal has no stderr. */
enum wire_stream_id {
	WIRE_STDIN,
	WIRE_STDOUT,
	WIRE_STDERR,
	WIRE_STREAM_N_,
};

enum wire_side {
	WIRE_HOST,
	WIRE_GUEST,
};

struct wire_frame {
	enum wire_type type;
	enum wire_stream_id stream; /* 0 where it means nothing */
	uint16_t session;
	const char *body; /* valid until the next wire_read() */
	size_t len;
};

struct wire;

/* fd: a stream socket or a character device; made non-blocking, taken over. */
MUST_CHECK int wire_new(int fd, enum wire_side side, struct wire **ret,
			struct err *e);
void wire_free(struct wire *w);
int wire_fd(const struct wire *w);
/* The name of a type, "?" when it is none. */
const char *wire_type_name(unsigned int type);

/*
 * Receiving: wire_read() takes what has come (-ENOTCONN at the stream's end,
 * -EAGAIN when there is nothing), then wire_next() gives one frame after the
 * other: 1, or 0 when the rest has not come yet. -EPROTO is final.
 */
MUST_CHECK int wire_read(struct wire *w, struct err *e);
MUST_CHECK int wire_next(struct wire *w, struct wire_frame *ret, struct err *e);
/* The body of a frame by its table (wire_body.h, plan.h). */
MUST_CHECK int wire_parse(const struct wire_frame *f,
			  const struct json_table *table, void *obj,
			  struct err *e);

/*
 * Sending: frames are queued; wire_flush() writes what the descriptor takes
 * now and gives the number of bytes left. Whoever has bytes to stream asks
 * wire_full() first and waits while it is true; control frames are always
 * taken, bounded by the requests that they answer.
 */
MUST_CHECK int wire_send(struct wire *w, enum wire_type type, uint16_t session,
			 const void *body, size_t len, struct err *e);
MUST_CHECK int wire_send_json(struct wire *w, enum wire_type type,
			      uint16_t session, const struct json_table *table,
			      const void *obj, struct err *e);
MUST_CHECK int wire_send_stream(struct wire *w, enum wire_type type,
				uint16_t session, enum wire_stream_id stream,
				const void *body, size_t len, struct err *e);
MUST_CHECK ssize_t wire_flush(struct wire *w, struct err *e);
bool wire_full(const struct wire *w);
bool wire_is_empty(const struct wire *w);
/* Called after each frame that was queued; for wire_loop.h. */
void wire_on_queued(struct wire *w, int (*fn)(void *arg, struct err *e),
		    void *arg);

/*
 * DATA without a copy: up to WIRE_DATA_MAX bytes are written to where
 * wire_reserve() points, then committed. NULL when out of memory.
 */
char *wire_reserve(struct wire *w);
MUST_CHECK int wire_commit(struct wire *w, uint16_t session,
			   enum wire_stream_id stream, size_t len,
			   struct err *e);

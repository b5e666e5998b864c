/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The environment's init on the host's side of a micro-VM: one loop for the
 * monitor's processes, the console, the wire, the sessions on it, and those
 * who come to start further ones. Private to src/runtime/vm_*.c.
 *
 *	vm_host.c	the machine: started, asked, explained, ended
 *	vm_session.c	programs and their stdio
 *	vm_client.c	exec from outside
 *	vm_serve.c	from CREATE to the exit status
 *
 * All that comes over the wire is hostile, see wire.h. A breach of the rules
 * ends the loop with -EPROTO, and with it the machine.
 */
#include "base/loop.h"
#include "src/oci/wire_loop.h"
#include "src/oci/wire_pump.h"
#include "src/runtime/vm.h"

#define RT_HOST_CONSOLE 4096
#define RT_HOST_INIT	1 /* the session of the environment's program */

struct rt_host;
struct rt_host_client;

enum rt_host_phase {
	RT_HOST_ASKING,	  /* no program: a question of a client's */
	RT_HOST_CREATING, /* asked for, not answered */
	RT_HOST_WAITING,  /* there, not started */
	RT_HOST_STARTING,
	RT_HOST_RUNNING,
};

struct rt_host_session {
	struct rt_host_session *next;
	struct rt_host *host;
	uint16_t id;
	enum rt_host_phase phase;
	bool terminal;
	int fds[WIRE_STREAM_N_]; /* until the pumps take them */
	struct wire_pump *pump[WIRE_STREAM_N_];
	struct rt_host_client *client; /* NULL: the init's, or gone */
	struct loop_source *patience;  /* while a client waits for an answer */
	unsigned int ticks;
	bool exited;
	int status;
};

struct rt_host {
	const struct rt_vm *vm;
	struct loop *loop;
	struct wire *wire;
	struct wire_link *link;
	struct vm_monitor monitor;
	int console;
	struct loop_source *console_source;
	char text[RT_HOST_CONSOLE]; /* its last bytes */
	size_t text_len;
	bool greeted; /* HELLO has come */
	char *trouble;
	bool ending; /* POWEROFF is under way: all ends are good ones */

	/* One question of our own at a time, see rt_host_ask(). */
	bool asking;
	uint16_t asked;
	int answer;
	struct err why;

	struct rt_host_session *sessions;
	struct rt_host_client *clients;
	uint64_t patience_ms; /* of clients with the guest's agent */
	bool over;	      /* the init's session is */
	int status;
};

/* Boots: returns when the agent has said HELLO. share: the folder. */
MUST_CHECK int rt_host_new(const struct rt_vm *vm, int share,
			   struct rt_host **ret, struct err *e);
/* Kills what still runs. */
void rt_host_free(struct rt_host *h);

/*
 * Sends a request and runs the loop until its answer: what FAILED says becomes
 * our error. body may be NULL.
 */
MUST_CHECK int rt_host_ask(struct rt_host *h, enum wire_type type,
			   uint16_t session, const void *body, size_t len,
			   struct err *e);
MUST_CHECK int rt_host_ask_json(struct rt_host *h, enum wire_type type,
				uint16_t session,
				const struct json_table *table, const void *obj,
				struct err *e);

/* The taps, as cards of the machine. */
MUST_CHECK int rt_vm_add_nics(const struct rt_vm *vm, struct vm_config *c,
			      struct err *e);
/* The disks, in their order. */
MUST_CHECK int rt_vm_add_disks(const struct rt_vm *vm, struct vm_config *c,
			       struct err *e);
/* The monitor has them. */
void rt_vm_net_close(struct rt_vm *vm);

/* Puts into e what monitor and console said last. Gives r. */
int rt_host_explain(struct rt_host *h, int r, struct err *e);

/* --- sessions ---------------------------------------------------------------
 */

/* fds: 0, 1, 2 of the program's user, or one for a terminal (the others -1);
 * taken over. Numbered by id, 0: the next free number. */
MUST_CHECK int rt_host_session_new(struct rt_host *h, uint16_t id,
				   const int fds[WIRE_STREAM_N_],
				   struct rt_host_session **ret, struct err *e);
void rt_host_session_free(struct rt_host_session *s);
struct rt_host_session *rt_host_session_find(struct rt_host *h, uint16_t id);
/* Before START is sent, and once it was answered: its stdio runs. */
MUST_CHECK int rt_host_session_start(struct rt_host_session *s, struct err *e);
MUST_CHECK int rt_host_session_run(struct rt_host_session *s, struct err *e);
/* EXITED, and the frames of streams. */
MUST_CHECK int rt_host_session_frame(struct rt_host *h,
				     const struct wire_frame *f, struct err *e);
/* Nobody is there any more for its stdio: a guest that does not end it must
 * not hold the descriptors of who had asked. May free the session. */
MUST_CHECK int rt_host_session_mute(struct rt_host_session *s, struct err *e);
MUST_CHECK int rt_host_sessions_resume(struct rt_host *h, struct err *e);

/* --- clients ----------------------------------------------------------------
 */

MUST_CHECK int rt_host_listen(struct rt_host *h, int listener, struct err *e);
void rt_host_clients_free(struct rt_host *h);
/* An answer for a session that a client has asked for, perhaps before it went
 * away. */
MUST_CHECK int rt_host_client_answer(struct rt_host_session *s,
				     const struct wire_frame *f, struct err *e);
/* Its session has ended, streams and all. */
MUST_CHECK int rt_host_client_over(struct rt_host_session *s, struct err *e);

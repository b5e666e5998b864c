/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The agent at work. One loop, one wire, and a session per program: what is
 * launched, by the same code as on a host, with its stdio pumped to the host.
 *
 *	serve.c		frames -> the functions of a table
 *	session.c	one program: made, started, signalled, over
 *	disks.c		the plan's disks, as this kernel knows them
 *	machine.c	what concerns the machine itself: clock, entropy, shares
 *
 * Whatever fails here fails towards the host, as FAILED; only the end of the
 * stream and a lack of memory end the agent.
 */
#include "base/loop.h"
#include "cgroups/cg.h"
#include "src/oci/plan.h"
#include "src/oci/wire_loop.h"
#include "src/oci/wire_pump.h"
#include "src/runtime/launch.h"

#define AGENT_INIT_SESSION 1
#define AGENT_CGROUP	   "/environment"

struct agent;

struct agent_session {
	struct agent_session *next;
	struct agent *agent;
	uint16_t id;
	struct plan_process process; /* an exec's own */
	struct launch launch;
	struct wire_pump *pump[WIRE_STREAM_N_];
	bool exited; /* and reaped; its streams may go on */
};

struct agent {
	struct loop *loop;
	struct wire *wire;
	struct wire_link *link;
	struct plan plan;
	char *state;	   /* for hooks, from SETUP */
	struct cg *cgroup; /* of the environment, NULL before CREATE */
	struct agent_session *sessions;
};

/* Disks become devices of the plan. */
MUST_CHECK int agent_add_disks(struct plan *p, struct err *e);
/* CREATE and EXEC: a process that waits for START, or an error and nothing. */
MUST_CHECK int agent_create(struct agent *a, const struct wire_frame *f,
			    struct err *e);
MUST_CHECK int agent_exec(struct agent *a, const struct wire_frame *f,
			  struct err *e);
MUST_CHECK int agent_start(struct agent *a, const struct wire_frame *f,
			   struct err *e);
MUST_CHECK int agent_signal(struct agent *a, const struct wire_frame *f,
			    struct err *e);
MUST_CHECK int agent_resize(struct agent *a, const struct wire_frame *f,
			    struct err *e);
MUST_CHECK int agent_update(struct agent *a, const struct wire_frame *f,
			    struct err *e);
/* A frame of a stream; one that is over is no error: frames cross. */
MUST_CHECK int agent_stream(struct agent *a, const struct wire_frame *f,
			    struct err *e);
/* The wire has room again. */
MUST_CHECK int agent_resume(struct agent *a, struct err *e);
/* A child has ended: whose it was is told the host. */
MUST_CHECK int agent_reap(struct agent *a, struct err *e);
void agent_forget_sessions(struct agent *a);

MUST_CHECK int agent_setup(struct agent *a, const struct wire_frame *f,
			   struct err *e);
MUST_CHECK int agent_clock(struct agent *a, const struct wire_frame *f,
			   struct err *e);
MUST_CHECK int agent_entropy(struct agent *a, const struct wire_frame *f,
			     struct err *e);

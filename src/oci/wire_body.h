/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The bodies of the wire's control frames, each with its JSON table. The plan
 * (CREATE) and the process (EXEC) have theirs in plan.h.
 */
#include "base/json.h"
#include "netns/config.h"
#include "src/oci/wire.h"

/* HELLO: the agent is there. */
struct wire_hello {
	uint32_t version; /* WIRE_VERSION */
	char *release;	  /* of the kernel */
	char *trouble;	  /* what it could not do at boot, or NULL */
};
extern const struct json_table wire_hello_table;

/* SETUP: what makes the machine the environment's own. */
struct wire_mount {
	char *tag;
	char *target; /* absolute, in the agent's own tree */
	bool readonly;
};

struct wire_setup {
	int64_t clock_secs; /* CLOCK_REALTIME */
	uint32_t clock_nanosecs;
	struct json_bytes entropy;
	char *state; /* what hooks in the guest get on stdin, or NULL */
	bool debug;  /* the agent says on the console what it does */
	JSON_VEC_OF(struct wire_mount) mounts; /* virtiofs by tag, in order */
	struct net_config *network; /* what its cards are called, and have */
	char *hostname;		    /* the host's, for who shares its names */
	char *domainname;
};
extern const struct json_table wire_setup_table;

/* FAILED: a struct err. */
struct wire_failed {
	int32_t code; /* negative errno */
	char *text;
};
extern const struct json_table wire_failed_table;
/* The error that a FAILED stands for: a code below 0, and the sentence in
 * why. */
MUST_CHECK int wire_failed_take(const struct wire_frame *f, int *ret,
				struct err *why, struct err *e);

struct wire_exited {
	int32_t status; /* as waitpid() gives it */
	bool oom;	/* the guest's kernel killed it for lack of memory */
};
extern const struct json_table wire_exited_table;

struct wire_signal {
	int32_t signal;
	bool all; /* every process of the environment */
};
extern const struct json_table wire_signal_table;

struct wire_resize {
	uint32_t rows, cols;
};
extern const struct json_table wire_resize_table;

struct wire_clock {
	int64_t secs;
	uint32_t nanosecs;
};
extern const struct json_table wire_clock_table;

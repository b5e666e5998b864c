/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Programs of the configuration's that run at the turns of a container's life,
 * with its state as JSON on their stdin. Which namespaces and which folder they
 * run in is the caller's: the runtime's own for most, the container's for
 * createContainer and startContainer.
 */
#include "src/oci/plan.h"

/* Where the plan has their output go; <= 0: stdout nowhere, stderr into the
 * error. */
struct hooks_output {
	int out, err;
};

MUST_CHECK int hooks_output_open(const struct plan *plan,
				 struct hooks_output *ret, struct err *e);
void hooks_output_close(struct hooks_output *o);

struct hooks_call {
	const char *state; /* from state_for_hooks() */
	char **env;	   /* of those that name none; NULL: hooks.c says */
	int dir;	   /* where they start; <= 0: here */
	int stop_fd;	   /* > 0: readable ends them, with -ECANCELED */
	struct hooks_output output;
};

/*
 * Runs the plan's hooks of one kind, in order, each to its end or its timeout.
 * The first failure ends it: e names kind, number and path, and has the last
 * of what the hook said on stderr. Not so with poststop: there a failure is
 * logged as a warning, the next one runs, and the result is 0, as the
 * specification wants it.
 */
MUST_CHECK int hooks_run(const struct plan *plan, enum plan_hook_kind kind,
			 const struct hooks_call *call, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Programs of the configuration's that run at the turns of a container's life,
 * with its state as JSON on their stdin. Which namespaces and which folder they
 * run in is the caller's: the runtime's own for most, the container's for
 * createContainer and startContainer.
 */
#include "src/oci/plan.h"

struct hooks_call {
	const char *state; /* from state_for_hooks() */
	int dir;	   /* where they start; <= 0: here */
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

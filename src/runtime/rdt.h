/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* intelRdt of a plan, made, joined and removed; nothing where there is none.
 * Private to src/runtime. */
#include "src/oci/plan.h"

/* state_dir gets a mark when something is made that is the container's alone:
 * without it rt_rdt_delete() removes nothing. */
MUST_CHECK int rt_rdt_create(const struct plan *p, const char *id,
			     int state_dir, struct err *e);
MUST_CHECK int rt_rdt_join(const struct plan *p, const char *id, pid_t pid,
			   struct err *e);
MUST_CHECK int rt_rdt_delete(const struct plan *p, const char *id,
			     int state_dir, struct err *e);
MUST_CHECK int rt_rdt_update(const struct plan *p, const char *id,
			     char *const *schemata, struct err *e);
/* The member "intel_rdt" of events. */
void rt_rdt_out(const struct plan *p, const char *id, struct json_out *o);

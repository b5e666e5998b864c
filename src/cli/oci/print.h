/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What moat-oci prints in more than one command. */
#include "base/json_out.h"
#include "src/oci/state.h"

/* The state as `state` and `list --format json` have it. */
void oci_write_state(struct json_out *o, const struct state *s);
/* The text and a newline to stdout. */
MUST_CHECK int oci_print(struct json_out *o, struct err *e);

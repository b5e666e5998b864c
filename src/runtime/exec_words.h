/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The process of an exec that was given as words of a command line. */
#include "src/oci/plan.h"
#include "src/runtime/rt.h"

/* A copy of the container's own process with what the words change. */
MUST_CHECK int rt_exec_process(const struct plan *base,
			       const struct rt_exec_words *w,
			       struct plan_process *ret, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What run and restore do alike. Private to src/runtime. */
#include "src/runtime/make.h"

MUST_CHECK int run_become_subreaper(const struct rt_create *c, struct err *e);
/* The program has ended with this status: the rest goes, unless it is kept. */
MUST_CHECK int run_finish(struct make *m, int status, struct err *e);

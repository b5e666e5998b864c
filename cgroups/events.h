/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* cgroup.events: the two facts of a v2 group that can be waited for. */
#include "base/err.h"

struct cg_events {
	bool populated; /* it or a group below holds a process */
	bool frozen;
};

MUST_CHECK int cg_events_read(int fd, struct cg_events *ret, struct err *e);

/* Until until(ev) holds. -ETIMEDOUT without a sentence; -ENODEV when the
 * group was removed. */
MUST_CHECK int cg_events_wait(int fd, bool (*until)(const struct cg_events *),
			      int timeout_ms, struct err *e);

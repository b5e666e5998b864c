/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the host asks for, as src/oci/wire.h draws it.
 */
#include "base/err.h"

/* Until POWEROFF (0) or the end of the stream. fd is taken over. */
MUST_CHECK int agent_serve(int fd, const struct err *trouble, struct err *e);

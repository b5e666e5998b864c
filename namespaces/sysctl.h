/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kernel parameters of the container's own namespaces. Only what belongs to a
 * namespace the container does not share may be written: else a container's
 * configuration would change the host.
 */
#include "base/json.h"
#include "namespaces/clone.h"

/* own: bit (1 << kind) per enum ns_kind that is not the host's. */
MUST_CHECK int ns_sysctl_check(const char *key, unsigned int own,
			       struct err *e);
MUST_CHECK int ns_sysctl_write(int procfd, const char *key, const char *value,
			       struct err *e);

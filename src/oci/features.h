/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The document of `features`: what this runtime can do, as the specification
 * 1.3 shapes it. What it names is tested; what a host lacks is not asked, but
 * for the seccomp flags of its kernel. */
#include "base/err.h"

/* Indented JSON; the caller frees *ret. */
MUST_CHECK int features_write(char **ret, struct err *e);

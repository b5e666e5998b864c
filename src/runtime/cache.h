/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The folder of compiled seccomp programs below root, where the states live:
 * made when it is not there. -1 when there is none, or somebody else could
 * write in it; then every start compiles its profile anew.
 */
#include "base/util.h"

MUST_CHECK int rt_seccomp_cache(const char *root);

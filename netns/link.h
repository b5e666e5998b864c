/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links of a network namespace. */
#include "base/err.h"

/* Brings "lo" up in the caller's network namespace. */
MUST_CHECK int net_loopback_up(struct err *e);

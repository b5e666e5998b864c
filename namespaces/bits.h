/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bit sets as the kernel takes them for CPUs and memory nodes; private. */
#include "base/util.h"

/*
 * "0-3,7" into n bits (a multiple of 64), which are cleared first. -EINVAL for
 * what is no list, an empty one included; -ERANGE beyond n.
 */
MUST_CHECK int ns_bits_parse(const char *text, uint64_t *bits, size_t n);

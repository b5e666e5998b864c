/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Unpacking kernels and modules, once per kernel, for the cache. LZ4 by
 * ourselves; gzip, xz and zstd by the programs of these names, which are asked
 * for by name when missing: it is no reason to link their libraries into a
 * program that starts containers.
 */
#include "microvm/image.h"

/* *ret is the caller's to free; more than max bytes is -EFBIG. */
MUST_CHECK int vm_unpack(enum vm_packing packing, const void *data, size_t len,
			 size_t max, void **ret, size_t *ret_len,
			 struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * LZ4, only as the kernel's build packs it ("lz4 -l", the legacy frame): a
 * magic number, then blocks of a little-endian length and that many bytes,
 * each of which unpacks to at most 8 MiB and refers to nothing before itself.
 * Debian's cloud kernel comes like this and no lz4 program is installed by
 * default.
 *
 *	block:    sequence sequence ... last one without a match
 *	sequence: token | literal length 255* | literals | offset 2 bytes |
 *		  match length 255*
 */
#include "base/err.h"

#define VM_LZ4_MAGIC 0x184c2102U

/* Unpacks in to out; *ret_len is what came out. -EBADMSG for what is no such
 * stream, -EFBIG for one that does not fit into cap. */
MUST_CHECK int vm_lz4_unpack(const void *in, size_t len, void *out, size_t cap,
			     size_t *ret_len, struct err *e);

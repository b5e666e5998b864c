/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SHA-256 (FIPS 180-4), for keys of caches in programs that link no libcrypto.
 *
 *	struct sha256 h;
 *	sha256_init(&h);
 *	sha256_add(&h, text, len);
 *	sha256_end(&h, digest);
 */
#include "base/util.h"

#define SHA256_SIZE 32

struct sha256 {
	uint32_t state[8];
	uint64_t len; /* bytes so far */
	uint8_t block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_end(struct sha256 *h, uint8_t ret[SHA256_SIZE]);

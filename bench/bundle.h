/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The bundle that all runtimes are measured with, in a folder of its own. */
#include "base/err.h"

struct bench_bundle {
	char dir[64]; /* made by mkdtemp() */
	char rootfs[80];
};

/* busybox: a static one. The configuration is runc's default without a network
 * namespace, with `sleep` or `true` as its program. */
MUST_CHECK int bench_bundle_make(struct bench_bundle *b, const char *busybox,
				 bool sleeps, struct err *e);
void bench_bundle_remove(const struct bench_bundle *b);

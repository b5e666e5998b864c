/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * --no-pivot: the root is moved onto "/" and entered by chroot; private to this
 * folder. For hosts that run from an initramfs, which cannot be pivoted away
 * from. The host's mounts stay below; its procfs and sysfs are taken away
 * first, because whoever has them in its mount namespace may mount new ones
 * without the masks (the kernel only looks for one that is fully visible).
 */
#include "base/err.h"

/* The working directory is the new root, mounted on path. */
MUST_CHECK int ns_root_move(const char *path, struct err *e);

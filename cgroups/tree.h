/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * All groups below a group, deepest last or deepest first. Whoever owns a
 * delegated group may nest groups as deep as memory lasts and make and remove
 * them while we look; so the walk keeps one descriptor open, climbs by "..",
 * and begins anew when its place was removed under it.
 */
#include "base/err.h"

/* fd: of the group, O_RDONLY. A negative errno ends the walk. */
typedef int (*cg_tree_fn)(void *arg, int fd, struct err *e);

/* The group was removed: nobody is in it any more. */
bool cg_tree_gone(int fd);

/* The group itself included, parents before children. fn may see a group
 * twice. One that is gone has nobody to see: 0. */
MUST_CHECK int cg_tree_walk(int fd, cg_tree_fn fn, void *arg, struct err *e);

/* Removes all groups below fd, not fd's own. Those that are busy stay, and
 * give -EBUSY at the end. */
MUST_CHECK int cg_tree_remove(int fd, struct err *e);

/* The same with the group itself, by its path. Gone is fine; -EBUSY without a
 * wait. */
MUST_CHECK int cg_tree_rmdir(const char *path, struct err *e);

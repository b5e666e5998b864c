/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files behind namespaces/mount.h share. */
#include "namespaces/mount.h"
#include "namespaces/tree.h"

/* rbind alone is a bind too. */
static inline bool ns_mount_is_bind(const struct ns_mount *m)
{
	return m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND);
}

/* The attributes as ns_tree_set() wants them; idmapping is not among them. */
struct ns_attrs ns_mount_attrs(const struct ns_mount *m);

/*
 * The mount point, opened in the root or made there. tree: what will be
 * attached, which decides whether a folder or a file is made; -1: a folder.
 * Refused: places in procfs that no one has business to cover. ret_made: it was
 * not there before; or NULL.
 */
MUST_CHECK int ns_mount_target(const struct ns_mount *m, int rootfd, int tree,
			       bool *ret_made, struct err *e);

/* Type cgroup, by the host's layout. */
MUST_CHECK int ns_mount_cgroup(const struct ns_mount *m,
			       const struct ns_mount_env *env, struct err *e);

/* The mode of the folder that a tmpfs covers: what the tmpfs gets as well,
 * unless it was only made for it. */
#define NS_MODE_MAX 8
MUST_CHECK int ns_mount_mode_of(int target, char ret[NS_MODE_MAX]);

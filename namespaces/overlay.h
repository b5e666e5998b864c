/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The overlay a root with layers consists of; private to this folder. It is
 * made in a mount namespace that nobody else uses: what it needs underneath
 * (a tmpfs, idmapped layers) is attached there on a folder, and vanishes with
 * the old root or with the namespace. Only the overlay itself holds on to it.
 */
#include "namespaces/idmap.h"

struct ns_overlay {
	char *const *layers; /* host paths, the first on top; at least one */
	const char *below;   /* host path that hides what is underneath */
	const char *scratch; /* host path; NULL: a tmpfs */
	uint64_t scratch_size;
	const char *label;	  /* SELinux context, or NULL */
	const struct ns_map *map; /* idmapped layers when not empty */
};

enum ns_overlay_flag {
	NS_OVERLAY_USERXATTR = 1 << 0, /* root in a user namespace only */
	NS_OVERLAY_OLD = 1 << 1	       /* as on an old kernel, for tests */
};

/*
 * The overlay's detached mount.
 *
 * Linux before 6.8 has no lowerdir+, and fsconfig(2) takes no value longer than
 * 255 bytes: there mount(2) makes it, on o->below, where it does not stay.
 */
MUST_CHECK int ns_overlay_make(const struct ns_overlay *o, unsigned int flags,
			       struct err *e);

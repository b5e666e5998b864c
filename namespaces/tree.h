/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mount trees that are not attached anywhere yet, each a descriptor; private
 * to this folder. What one does with them, in this order:
 *
 *	ns_tree_clone()	 from a place that is mounted (a bind)
 *	ns_fs_make()	 from a file system (namespaces/fs.h)
 *	ns_tree_set()	 attributes, propagation, idmapping: nobody sees it yet
 *	ns_tree_attach() on a mount point, itself a descriptor
 *
 * The descriptor stays good as a name of the mount after it is attached.
 *
 * Linux 5.10 and 5.11 lack mount_setattr(2). There ns_tree_set() answers
 * -ENOSYS, and ns_tree_place() sets what it can after attaching.
 */
#include "base/err.h"

struct ns_attrs {
	uint64_t set, clear; /* MOUNT_ATTR_* of the topmost mount */
	uint64_t unsaid; /* of the topmost: cleared where it is not locked */
	uint64_t rec_set, rec_clear;
	uint32_t propagation; /* MS_PRIVATE ... | MS_REC; 0: as it is */
	int userns;	      /* idmapped by this; -1: not */
	bool idmap_rec;
};

enum ns_tree_flag {
	NS_TREE_REC = 1 << 0,	  /* with what is mounted below */
	NS_TREE_NOFOLLOW = 1 << 1 /* a symlink itself */
};

/* A copy of what dirfd/path shows. path "": dirfd itself. No sentence. */
MUST_CHECK int ns_tree_clone(int dirfd, const char *path, unsigned int flags);
MUST_CHECK int ns_tree_set(int tree, const struct ns_attrs *a, struct err *e);
MUST_CHECK int ns_tree_attach(int tree, int target, struct err *e);

/* set and attach, or on old kernels attach and set. */
MUST_CHECK int ns_tree_place(int tree, const struct ns_attrs *a, int target,
			     struct err *e);

/* The same of a mount that is attached: old kernels have mount(2) for it. */
MUST_CHECK int ns_tree_change(int tree, const struct ns_attrs *a,
			      struct err *e);

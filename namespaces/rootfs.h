/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The container's root: where it comes from, its /dev, what is hidden in it,
 * and how it becomes "/".
 *
 *	ns_root_prepare	 before the clone, in the runtime's namespaces
 *	ns_root_open	 in the new mount namespace: attached, O_PATH fd
 *	... mounts, devices ...
 *	ns_root_pivot	 it is "/"; the old one is gone
 *	ns_root_mask, ns_root_readonly, ns_root_seal
 *			 hidden and read-only paths, read-only root, propagation
 */
#include "base/json.h"
#include "namespaces/idmap.h"
#include "namespaces/mount.h"

/*
 * Without layers: path is bound. With layers: an overlay of them, the first
 * on top, over scratch (upper and work below it) or, without scratch, over a
 * tmpfs that vanishes with the container. With a map the layers are idmapped,
 * and what is written to scratch has the host's ids.
 */
struct ns_root {
	char *path;	       /* absolute host path; the mount point in our
				  mount namespace */
	char **layers;	       /* absolute host paths, or NULL */
	char *scratch;	       /* absolute host path of a folder, or NULL */
	uint64_t scratch_size; /* bytes of the tmpfs; 0: kernel's default */
	bool readonly;
	uint32_t propagation; /* rootfsPropagation: MS_* | MS_REC; 0: rslave
				 as runc has it */
	bool no_pivot;	      /* MS_MOVE and chroot: for initramfs hosts */
	char *label;	      /* SELinux context for the overlay */
	struct ns_map map;    /* idmapped root: the layers' ids as seen */
	bool shared;	 /* its mount namespace is not of our making: nothing
				 there is changed but what lies on path */
	uint64_t covers; /* shared with us: the mount that path is on, by
				 its number; 0: none of our business */
	bool in_userns;	 /* the container has a user namespace of its own:
				 an overlay made in it uses user.* xattrs */
};
extern const struct json_table ns_root_table;

/* A node in /dev. Without mknod rights it is bound from the host, or from a
 * file system of nodes that were made outside. */
struct ns_device {
	char *path; /* absolute, in the container */
	int type;   /* 'c', 'b', 'p', 'u' */
	int64_t major, minor;
	uint32_t mode;
	uint32_t uid, gid;
};
extern const struct json_table ns_device_table;

/* null zero full random urandom tty: what every container has. */
extern const struct ns_device ns_device_defaults[];
extern const size_t n_ns_device_defaults;

MUST_CHECK int ns_root_prepare(const struct ns_root *r, int *ret_tree,
			       struct err *e);
/* tree: from prepare, taken over. Cuts the propagation of all mounts first,
 * unless they are shared. */
MUST_CHECK int ns_root_open(const struct ns_root *r, int tree, struct err *e);
/* Something was mounted on the root: *rootfd is that, now. */
MUST_CHECK int ns_root_reopen(const struct ns_root *r, int *rootfd,
			      struct err *e);

/* The host's path from where it can be bound, maybe in buf; NULL: from none. */
#define NS_DEVICE_SOURCE 64
const char *ns_device_source(const struct ns_device *d,
			     char buf[NS_DEVICE_SOURCE]);

/*
 * Before the clone, for a user namespace with this map: *ret_tree is a tmpfs,
 * attached nowhere, with the nodes of v that the host has nowhere to bind from.
 * Left alone when none is missing, or when nobody here may make one.
 */
MUST_CHECK int ns_device_prepare(const struct ns_device *v, size_t n,
				 const struct ns_map *map, int *ret_tree,
				 struct err *e);

/*
 * Nodes (all at once, so that /dev is looked up once), and the links (fd,
 * stdin, stdout, stderr, core, ptmx). A node that is there already is accepted
 * when it is the same device. made: from prepare, good for one call; or -1.
 */
MUST_CHECK int ns_device_make(int rootfd, const struct ns_device *v, size_t n,
			      bool may_mknod, int made, struct err *e);
MUST_CHECK int ns_device_links(int rootfd, struct err *e);

MUST_CHECK int ns_root_pivot(const struct ns_root *r, int rootfd,
			     struct err *e);

/* Where a pivot would take the root from others. */
MUST_CHECK int ns_root_chroot(int rootfd, struct err *e);

/* Shared with us: notes what it will cover; takes it away again, if it is
 * there. */
MUST_CHECK int ns_root_note_cover(struct ns_root *r, struct err *e);
MUST_CHECK int ns_root_uncover(const struct ns_root *r, struct err *e);

/* After the pivot; rootfd is the new "/". A path that is not there is fine; a
 * link in it leads to another place in the container, or is an error. label:
 * mountLabel for what hides directories, or NULL. */
MUST_CHECK int ns_root_mask(int rootfd, char *const *paths, const char *label,
			    struct err *e);
MUST_CHECK int ns_root_readonly(int rootfd, char *const *paths, struct err *e);
MUST_CHECK int ns_root_seal(const struct ns_root *r, struct err *e);

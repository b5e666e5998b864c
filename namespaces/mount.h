/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mounts, by the new mount API: a mount is made detached, gets its attributes
 * while nobody sees it, and is then attached to a place that openat2() found
 * inside the container's root.
 *
 * It happens in two halves, because a container in a user namespace may not
 * reach the sources and may not idmap: ns_mount_prepare() runs in the
 * runtime's own namespaces, before the clone, and makes what is bound or
 * idmapped; ns_mount_attach() runs in the container's mount namespace, makes
 * the file systems, and attaches both kinds.
 */
#include "base/json.h"
#include "namespaces/idmap.h"

enum ns_mount_flag {
	NS_MOUNT_BIND = 1 << 0,	   /* source is a path of the host */
	NS_MOUNT_RBIND = 1 << 1,   /* with what is mounted below it */
	NS_MOUNT_COPY_UP = 1 << 3, /* tmpcopyup: start with the image's files */
	NS_MOUNT_IDMAP = 1 << 4,   /* by own mappings, or the container's */
	NS_MOUNT_IDMAP_REC = 1 << 5, /* ridmap */
	NS_MOUNT_CGROUP = 1
			  << 6, /* type cgroup: what the host's layout gives */
	NS_MOUNT_NO_SRC_LINK = 1 << 7, /* src-nofollow */
	NS_MOUNT_NO_DST_LINK = 1 << 8, /* dest-nofollow */
	NS_MOUNT_COPY_LINK = 1 << 9,   /* copy-symlink */
	NS_MOUNT_RO = 1 << 10,	     /* also the file system itself read-only */
	NS_MOUNT_REMOUNT = 1 << 11,  /* changes what is mounted there */
	NS_MOUNT_REL_UIDS = 1 << 12, /* "idmap=uids=@...": uids and gids are */
	NS_MOUNT_REL_GIDS = 1 << 13, /* relative: ns_mount_idmap_resolve() */
};

struct ns_mount {
	char *source;	/* BIND: absolute host path; else what fsconfig gets */
	char *target;	/* absolute and clean, in the container's root */
	char *fstype;	/* NULL for binds */
	char *data;	/* options of the file system, "a=b,c"; may be NULL */
	uint32_t flags; /* enum ns_mount_flag */
	uint32_t sb_flags; /* MS_SYNCHRONOUS, MS_LAZYTIME ... of the super block
			    */
	uint32_t propagation; /* MS_PRIVATE, MS_SLAVE, ... | MS_REC; 0: a bind
				 receives from the host (slave), as with runc */
	uint64_t set, clear;  /* MOUNT_ATTR_* of this mount */
	uint64_t rec_set,
		rec_clear; /* of it and all below (rro, rnosuid ...) */
	struct ns_idmaps uids, gids; /* IDMAP with mappings of its own */
};
extern const struct json_table ns_mount_table;

/*
 * One word of a mount's options, into m. 1 when it was ours, 0 when it is for
 * the file system (the caller appends it to data), negative with a sentence
 * when it contradicts.
 */
MUST_CHECK int ns_mount_option(struct ns_mount *m, const char *word,
			       struct err *e);

/*
 * Makes absolute what "@" marks: the host's ids of the mapping are read as
 * ids of the container, whose own mapping is given.
 */
MUST_CHECK int ns_mount_idmap_resolve(struct ns_mount *m,
				      const struct ns_map *container,
				      struct err *e);

/* Options and members that do not fit each other. Pure. */
MUST_CHECK int ns_mount_check(const struct ns_mount *m, struct err *e);

/* Names of all options known, sorted; for `features`. */
extern const char *const ns_mount_option_names[];
extern const size_t n_ns_mount_option_names;

struct ns_mount_env {
	int rootfd;	       /* the container's root, O_PATH */
	const char *root_path; /* the same, as host paths have it; or NULL */
	int userns;	       /* for idmap without mappings, from
			      ns_idmap_userns(); -1: none */
	const char *label;     /* mountLabel, without "context="; or NULL */
	bool in_userns;	       /* no mknod, no sysfs without netns, ... */
	const char *const *cgroups; /* v1: list of "controllers:path", path of
				       the container's cgroup on the host
				       ("memory:/sys/fs/cgroup/memory/x",
				       "name=systemd:..."); NULL: pure v2 */
	bool cgroupns;		    /* the container has its own cgroup ns */
	const char *cgroup_path;    /* host path of its v2 cgroup: for the bind
				       when it has no cgroup namespace, and on
				       hybrid hosts for "unified"; or NULL */
};

/* -1: nothing to prepare, else a descriptor: of the detached mount, or of the
 * ids that one will have whose source is in the root. */
MUST_CHECK int ns_mount_prepare(const struct ns_mount *m,
				const struct ns_mount_env *env, int *ret_tree,
				struct err *e);

/* tree: what prepare gave; taken over, closed in any case. */
MUST_CHECK int ns_mount_attach(const struct ns_mount *m,
			       const struct ns_mount_env *env, int tree,
			       struct err *e);

/* Something is mounted right on target (clean, in the root). */
MUST_CHECK int ns_mount_check_point(const char *target, int rootfd,
				    struct err *e);
/*
 * Takes away what is mounted on target (clean, in the root), also while
 * somebody uses it. procfd: a procfs, from proc_open_fs(); becomes the working
 * directory, for the container's own procfs is not to be believed.
 */
MUST_CHECK int ns_mount_detach(const char *target, int rootfd, int procfd,
			       struct err *e);

/*
 * What is asked to be read-only but must take mount points, nodes and links
 * first (tmpfs) becomes so here: after all mounts, devices and the console.
 * Does nothing for all others, so that it may be called for each.
 */
MUST_CHECK int ns_mount_seal(const struct ns_mount *m, int rootfd,
			     struct err *e);

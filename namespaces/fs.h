/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * File systems, made detached by fsopen(2); private to this folder. What the
 * kernel says about a refused option comes back in the error's sentence.
 */
#include "base/err.h"

struct ns_fs {
	const char *type;
	const char *source; /* NULL: the type's name */
	const char *data;   /* "a=b,c"; may be NULL */
	const char *label;  /* SELinux context for all of it, or NULL */
	const char *mode;   /* of a tmpfs' root, octal; NULL: as data says */
	uint32_t sb_flags;  /* MS_SYNCHRONOUS ... */
	bool readonly;	    /* the super block too */
	bool in_userns;
	uint64_t attrs; /* MOUNT_ATTR_* of the mount */
};

/*
 * The mount's descriptor. -EOPNOTSUPP: only mount(2) can make it, see
 * ns_fs_mount(), because the kernel or an option does not know the other way.
 * -EINVAL: the file system refuses an option, which it may still take from
 * mount(2)'s data.
 */
MUST_CHECK int ns_fs_make(const struct ns_fs *fs, struct err *e);

/* By mount(2), on target at once. */
MUST_CHECK int ns_fs_mount(const struct ns_fs *fs, int target, struct err *e);

/* New data and sb_flags for the file system that is mounted at fd. */
MUST_CHECK int ns_fs_reconfigure(int fd, const struct ns_fs *fs, struct err *e);

/* Whether a comma list has "name" or "name=...". */
bool ns_fs_has_option(const char *data, const char *name);

/*
 * For file systems whose options are not a list of words (overlay): the
 * context, its parameters, its mount. ns_fs_set: value NULL for a flag.
 */
MUST_CHECK int ns_fs_open(const char *type, struct err *e);
MUST_CHECK int ns_fs_set(int fsfd, const char *key, const char *value,
			 struct err *e);
MUST_CHECK int ns_fs_create(int fsfd, uint64_t attrs, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* A mount as a table of members, and what of it does not fit together. */
#include <errno.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_priv.h"

/* clang-format off */
static const struct json_field mount_fields[] = {
	JSON_STR(struct ns_mount, source,      "source"),
	JSON_STR(struct ns_mount, target,      "target", .required = true),
	JSON_STR(struct ns_mount, fstype,      "fstype"),
	JSON_STR(struct ns_mount, data,        "data"),
	JSON_U32(struct ns_mount, flags,       "flags"),
	JSON_U32(struct ns_mount, sb_flags,    "superFlags"),
	JSON_U32(struct ns_mount, propagation, "propagation"),
	JSON_U64(struct ns_mount, set,         "set"),
	JSON_U64(struct ns_mount, clear,       "clear"),
	JSON_U64(struct ns_mount, rec_set,     "recursiveSet"),
	JSON_U64(struct ns_mount, rec_clear,   "recursiveClear"),
	JSON_VEC(struct ns_mount, uids,        "uidMappings", struct ns_idmap, ns_idmap_table),
	JSON_VEC(struct ns_mount, gids,        "gidMappings", struct ns_idmap, ns_idmap_table),
};

/* Options that are for one kind of mount only. */
static const struct {
	uint32_t flag;
	bool bind; /* for binds; else for tmpfs */
	const char *what;
} only_for[] = {
	{ NS_MOUNT_IDMAP,       true,  "idmap" },
	{ NS_MOUNT_NO_SRC_LINK, true,  "src-nofollow" },
	{ NS_MOUNT_COPY_LINK,   true,  "copy-symlink" },
	{ NS_MOUNT_COPY_UP,     false, "tmpcopyup" },
};
/* clang-format on */

const struct json_table ns_mount_table =
	JSON_TABLE(struct ns_mount, mount_fields);

static int check_target(const struct ns_mount *m, struct err *e)
{
	if (!m->target || m->target[0] != '/')
		return err_set(e, -EINVAL, "the target '%s' is not absolute",
			       m->target ? m->target : "");
	return 0;
}

static int check_source(const struct ns_mount *m, struct err *e)
{
	bool bind = ns_mount_is_bind(m);

	if (m->flags & NS_MOUNT_REMOUNT)
		return 0;
	if (bind && (!m->source || m->source[0] != '/'))
		return err_set(e, -EINVAL,
			       "the source '%s' of a bind is not absolute",
			       m->source ? m->source : "");
	if (!bind && !(m->flags & NS_MOUNT_CGROUP) &&
	    (!m->fstype || !*m->fstype))
		return err_set(e, -EINVAL, "neither a bind nor a type");
	if (bind && m->sb_flags)
		return err_set(
			e, -EINVAL,
			"sync, dirsync, mand, lazytime, iversion, acl and silent are the file system's; a bind cannot change them");
	return 0;
}

static int check_flags(const struct ns_mount *m, struct err *e)
{
	bool bind = ns_mount_is_bind(m);
	bool tmpfs = str_eq(m->fstype, "tmpfs");

	for (size_t i = 0; i < ARRAY_SIZE(only_for); i++) {
		if (!(m->flags & only_for[i].flag))
			continue;
		if (only_for[i].bind ? !bind : bind || !tmpfs)
			return err_set(e, -EINVAL, "'%s' is for %s only",
				       only_for[i].what,
				       only_for[i].bind ? "bind mounts"
							: "tmpfs");
	}
	return 0;
}

static int check_idmap(const struct ns_mount *m, struct err *e)
{
	int r;

	if ((m->uids.n == 0) != (m->gids.n == 0))
		return err_set(
			e, -EINVAL,
			"an idmapped mount needs user and group mappings");
	if (m->uids.n > 0 && !(m->flags & NS_MOUNT_IDMAP))
		return err_set(e, -EINVAL, "mappings without idmap");
	r = ns_idmap_check(&m->uids, "user", e);
	return r < 0 ? r : ns_idmap_check(&m->gids, "group", e);
}

int ns_mount_check(const struct ns_mount *m, struct err *e)
{
	int r = check_target(m, e);

	if (r >= 0)
		r = check_source(m, e);
	if (r >= 0)
		r = check_flags(m, e);
	if (r >= 0)
		r = check_idmap(m, e);
	return r < 0 ? err_wrap(e, r, "mount on '%s'",
				m->target ? m->target : "")
		     : 0;
}

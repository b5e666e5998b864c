/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a mount's option list. A word either belongs to the mount
 * (attributes), to the super block (sb), to both (ro), to the way it is made
 * (bind, tmpcopyup), or to none of these: then it is the file system's own.
 *
 * A later word overrides an earlier one, as with mount(8).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "namespaces/mount.h"

#define RO	NS_MOUNT_RO
#define A_RO	MOUNT_ATTR_RDONLY
#define A_SUID	MOUNT_ATTR_NOSUID
#define A_DEV	MOUNT_ATTR_NODEV
#define A_EXEC	MOUNT_ATTR_NOEXEC
#define A_NOAT	MOUNT_ATTR_NOATIME
#define A_STRI	MOUNT_ATTR_STRICTATIME
#define A_DIR	MOUNT_ATTR_NODIRATIME
#define A_LINK	MOUNT_ATTR_NOSYMFOLLOW
#define A_ATIME MOUNT_ATTR__ATIME

struct option {
	const char *name;
	uint32_t flags, no_flags;
	uint32_t sb, no_sb;
	uint64_t set, clear; /* of the mount: clear first, then set */
	uint64_t rec_set, rec_clear;
	uint32_t propagation;
};

/*
 * Sorted: it is searched by bisection, tests/unit/namespaces-mount_options.c
 * checks it.
 *
 * relatime is what remains when the atime attributes are cleared: "norelatime"
 * has therefore nothing to say, as with the kernel's own flags. "rsync" and its
 * kind are crun's; a super block has no below, so they are their plain forms.
 */
/* clang-format off */
static const struct option options[] = {
	{ "acl",            .sb = MS_POSIXACL },
	{ "async",          .no_sb = MS_SYNCHRONOUS },
	{ "atime",          .clear = A_ATIME },
	{ "bind",           .flags = NS_MOUNT_BIND },
	{ "copy-symlink",   .flags = NS_MOUNT_COPY_LINK },
	{ "defaults",       .flags = 0 },
	{ "dest-nofollow",  .flags = NS_MOUNT_NO_DST_LINK },
	{ "dev",            .clear = A_DEV },
	{ "diratime",       .clear = A_DIR },
	{ "dirsync",        .sb = MS_DIRSYNC },
	{ "exec",           .clear = A_EXEC },
	{ "idmap",          .flags = NS_MOUNT_IDMAP },
	{ "iversion",       .sb = MS_I_VERSION },
	{ "lazytime",       .sb = MS_LAZYTIME },
	{ "loud",           .no_sb = MS_SILENT },
	{ "mand",           .sb = MS_MANDLOCK },
	{ "noacl",          .no_sb = MS_POSIXACL },
	{ "noatime",        .set = A_NOAT, .clear = A_ATIME },
	{ "nodev",          .set = A_DEV },
	{ "nodiratime",     .set = A_DIR },
	{ "noexec",         .set = A_EXEC },
	{ "noiversion",     .no_sb = MS_I_VERSION },
	{ "nolazytime",     .no_sb = MS_LAZYTIME },
	{ "nomand",         .no_sb = MS_MANDLOCK },
	{ "norelatime",     .flags = 0 },
	{ "nostrictatime",  .clear = A_ATIME },
	{ "nosuid",         .set = A_SUID },
	{ "nosymfollow",    .set = A_LINK },
	{ "private",        .propagation = MS_PRIVATE },
	{ "rasync",         .no_sb = MS_SYNCHRONOUS },
	{ "ratime",         .rec_clear = A_ATIME },
	{ "rbind",          .flags = NS_MOUNT_BIND | NS_MOUNT_RBIND },
	{ "rdev",           .rec_clear = A_DEV },
	{ "rdiratime",      .rec_clear = A_DIR },
	{ "rdirsync",       .sb = MS_DIRSYNC },
	{ "relatime",       .clear = A_ATIME },
	{ "remount",        .flags = NS_MOUNT_REMOUNT },
	{ "rexec",          .rec_clear = A_EXEC },
	{ "ridmap",         .flags = NS_MOUNT_IDMAP | NS_MOUNT_IDMAP_REC },
	{ "rmand",          .sb = MS_MANDLOCK },
	{ "rnoatime",       .rec_set = A_NOAT, .rec_clear = A_ATIME },
	{ "rnodev",         .rec_set = A_DEV },
	{ "rnodiratime",    .rec_set = A_DIR },
	{ "rnoexec",        .rec_set = A_EXEC },
	{ "rnomand",        .no_sb = MS_MANDLOCK },
	{ "rnorelatime",    .flags = 0 },
	{ "rnostrictatime", .rec_clear = A_ATIME },
	{ "rnosuid",        .rec_set = A_SUID },
	{ "rnosymfollow",   .rec_set = A_LINK },
	{ "ro",             .flags = RO, .set = A_RO },
	{ "rprivate",       .propagation = MS_PRIVATE | MS_REC },
	{ "rrelatime",      .rec_clear = A_ATIME },
	{ "rro",            .rec_set = A_RO },
	{ "rrw",            .rec_clear = A_RO },
	{ "rshared",        .propagation = MS_SHARED | MS_REC },
	{ "rslave",         .propagation = MS_SLAVE | MS_REC },
	{ "rstrictatime",   .rec_set = A_STRI, .rec_clear = A_ATIME },
	{ "rsuid",          .rec_clear = A_SUID },
	{ "rsymfollow",     .rec_clear = A_LINK },
	{ "rsync",          .sb = MS_SYNCHRONOUS },
	{ "runbindable",    .propagation = MS_UNBINDABLE | MS_REC },
	{ "rw",             .no_flags = RO, .clear = A_RO },
	{ "shared",         .propagation = MS_SHARED },
	{ "silent",         .sb = MS_SILENT },
	{ "slave",          .propagation = MS_SLAVE },
	{ "src-nofollow",   .flags = NS_MOUNT_NO_SRC_LINK },
	{ "strictatime",    .set = A_STRI, .clear = A_ATIME },
	{ "suid",           .clear = A_SUID },
	{ "symfollow",      .clear = A_LINK },
	{ "sync",           .sb = MS_SYNCHRONOUS },
	{ "tmpcopyup",      .flags = NS_MOUNT_COPY_UP },
	{ "unbindable",     .propagation = MS_UNBINDABLE },
};

/* The same order: the test compares. */
const char *const ns_mount_option_names[] = {
	"acl", "async", "atime", "bind", "copy-symlink", "defaults",
	"dest-nofollow", "dev", "diratime", "dirsync", "exec", "idmap",
	"iversion", "lazytime", "loud", "mand", "noacl", "noatime", "nodev",
	"nodiratime", "noexec", "noiversion", "nolazytime", "nomand",
	"norelatime", "nostrictatime", "nosuid", "nosymfollow", "private",
	"rasync", "ratime", "rbind", "rdev", "rdiratime", "rdirsync",
	"relatime", "remount", "rexec", "ridmap", "rmand", "rnoatime",
	"rnodev", "rnodiratime", "rnoexec", "rnomand", "rnorelatime",
	"rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate",
	"rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime",
	"rsuid", "rsymfollow", "rsync", "runbindable", "rw", "shared",
	"silent", "slave", "src-nofollow", "strictatime", "suid", "symfollow",
	"sync", "tmpcopyup", "unbindable",
};
/* clang-format on */

const size_t n_ns_mount_option_names = ARRAY_SIZE(ns_mount_option_names);

_Static_assert(ARRAY_SIZE(options) == ARRAY_SIZE(ns_mount_option_names),
	       "every option has its name in the list");

static int compare(const void *word, const void *option)
{
	return strcmp(word, ((const struct option *)option)->name);
}

static void apply(struct ns_mount *m, const struct option *o)
{
	m->flags = (m->flags & ~o->no_flags) | o->flags;
	m->sb_flags = (m->sb_flags & ~o->no_sb) | o->sb;
	m->set = (m->set & ~o->clear) | o->set;
	m->clear = (m->clear & ~o->set) | o->clear;
	m->rec_set = (m->rec_set & ~o->rec_clear) | o->rec_set;
	m->rec_clear = (m->rec_clear & ~o->rec_set) | o->rec_clear;
	if (o->propagation)
		m->propagation = o->propagation;
}

/* "0-1000-10" into *ret. */
static int parse_triplet(const char *text, struct ns_idmap *ret)
{
	uint32_t *out[] = { &ret->container_id, &ret->host_id, &ret->size };
	autostrv char **part = NULL;
	int r;

	r = strv_split(text, '-', &part);
	if (r < 0)
		return r;
	if (strv_len(part) != ARRAY_SIZE(out))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(out) && r >= 0; i++)
		r = str_to_u32(part[i], out[i]);
	return r;
}

/* "0-1-10#10-11-10" */
static int parse_triplets(const char *text, struct ns_idmaps *ret)
{
	autostrv char **list = NULL;
	autofree struct ns_idmap *v = NULL;
	size_t n;
	int r;

	r = strv_split(text, '#', &list);
	if (r < 0)
		return r;
	n = strv_len(list);
	v = calloc(n ? n : 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = parse_triplet(list[i], &v[i]);
	if (r < 0)
		return r;
	free(ret->v);
	ret->v = steal_ptr(v);
	ret->n = n;
	return 0;
}

/* clang-format off */
static const struct {
	const char *prefix;
	size_t maps; /* offset in struct ns_mount */
	uint32_t relative;
} sides[] = {
	{ "uids=", offsetof(struct ns_mount, uids), NS_MOUNT_REL_UIDS },
	{ "gids=", offsetof(struct ns_mount, gids), NS_MOUNT_REL_GIDS },
};
/* clang-format on */

static int parse_side(struct ns_mount *m, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		const char *v = text + strlen(sides[i].prefix);

		if (!str_starts(text, sides[i].prefix))
			continue;
		m->flags &= ~sides[i].relative;
		if (*v == '@') {
			m->flags |= sides[i].relative;
			v++;
		}
		return parse_triplets(v, (void *)((char *)m + sides[i].maps));
	}
	return -EINVAL;
}

/* crun's "idmap=uids=0-1000-10;gids=0-1000-10", and the same for ridmap. */
static int parse_idmap(struct ns_mount *m, const char *word, struct err *e)
{
	const char *value = strchr(word, '=') + 1;
	autostrv char **part = NULL;
	int r;

	m->flags |= NS_MOUNT_IDMAP;
	if (*word == 'r')
		m->flags |= NS_MOUNT_IDMAP_REC;
	r = strv_split(value, ';', &part);
	if (r < 0)
		return err_nomem(e);
	STRV_FOREACH(s, part) {
		r = parse_side(m, *s);
		if (r < 0)
			break;
	}
	if (r < 0 || m->uids.n == 0 || m->gids.n == 0)
		return err_set(
			e, r < 0 ? r : -EINVAL,
			"mount option '%s': expected 'uids=A-B-N[#...];gids=A-B-N[#...]'",
			word);
	return 1;
}

int ns_mount_option(struct ns_mount *m, const char *word, struct err *e)
{
	const struct option *o = bsearch(word, options, ARRAY_SIZE(options),
					 sizeof(options[0]), compare);

	if (o) {
		apply(m, o);
		return 1;
	}
	if (str_starts(word, "idmap=") || str_starts(word, "ridmap="))
		return parse_idmap(m, word, e);
	return 0;
}

static int resolve(struct ns_idmaps *m, const struct ns_idmaps *container,
		   const char *what, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		uint32_t id, last;

		/* A range must not cross into another piece of the mapping:
		 * its ids would not be next to each other outside. */
		if (ns_idmap_host(container, m->v[i].host_id, &id) < 0 ||
		    ns_idmap_host(container,
				  m->v[i].host_id + (m->v[i].size - 1),
				  &last) < 0 ||
		    last - id != m->v[i].size - 1)
			return err_set(
				e, -EINVAL,
				"relative %s mapping %zu is not within one of the container's",
				what, i);
		m->v[i].host_id = id;
	}
	return 0;
}

int ns_mount_idmap_resolve(struct ns_mount *m, const struct ns_map *container,
			   struct err *e)
{
	int r = 0;

	if (m->flags & NS_MOUNT_REL_UIDS)
		r = resolve(&m->uids, &container->uids, "user", e);
	if (r >= 0 && (m->flags & NS_MOUNT_REL_GIDS))
		r = resolve(&m->gids, &container->gids, "group", e);
	if (r >= 0)
		m->flags &= ~(NS_MOUNT_REL_UIDS | NS_MOUNT_REL_GIDS);
	return r;
}

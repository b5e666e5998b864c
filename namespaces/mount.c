/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/copyup.h"
#include "namespaces/fs.h"
#include "namespaces/mount_priv.h"

/* clang-format off */
/*
 * Who is root only in a user namespace may not make these without the network
 * or IPC namespace they show; the host's own stands in, as users know it.
 */
static const struct {
	const char *fstype;
	const char *path;
	unsigned int flags;
} stand_ins[] = {
	{ "mqueue", "/dev/mqueue", 0 },
	{ "sysfs",  "/sys",        NS_TREE_REC },
};
/* clang-format on */

/*
 * A tmpfs (and whatever is on /dev) that shall be read-only still has to take
 * mount points, nodes and links: ns_mount_seal() closes it. So does the tmpfs
 * with the hierarchies of v1: the next mount may bring one that is not there.
 */
static bool seals_late(const struct ns_mount *m)
{
	uint64_t set = (m->set & ~m->rec_clear) | m->rec_set;

	if (ns_mount_is_bind(m) || (m->flags & NS_MOUNT_REMOUNT))
		return false;
	return (set & MOUNT_ATTR_RDONLY) &&
	       (str_eq(m->fstype, "tmpfs") || (m->flags & NS_MOUNT_CGROUP) ||
		strcmp(m->target, "/dev") == 0);
}

struct ns_attrs ns_mount_attrs(const struct ns_mount *m)
{
	struct ns_attrs a = {
		.set = m->set,
		.clear = m->clear,
		.rec_set = m->rec_set,
		.rec_clear = m->rec_clear,
		.propagation = m->propagation,
		.userns = -1,
		.idmap_rec = m->flags & NS_MOUNT_IDMAP_REC,
	};

	if (!a.propagation && ns_mount_is_bind(m))
		a.propagation = MS_SLAVE | MS_REC;
	if (m->flags & NS_MOUNT_RBIND)
		return a;

	/* One mount alone: what is for all is for it, in one call. */
	a.set = (a.set & ~a.rec_clear) | a.rec_set;
	a.clear |= a.rec_clear;
	a.rec_set = a.rec_clear = 0;
	a.propagation &= ~(uint32_t)MS_REC;
	a.idmap_rec = false;
	return a;
}

/*
 * Who says anything of a bind's attributes says all of them, as with runc and
 * crun: "ro" of what is nosuid outside gives one that is only read-only. Where
 * nothing is said all stays as it is outside, and in a user namespace whatever
 * is locked there.
 */
static uint64_t unsaid(const struct ns_mount *m, const struct ns_mount_env *env)
{
	const uint64_t atime = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
	uint64_t said = m->set | m->clear;
	uint64_t all = MOUNT_ATTR_NOSYMFOLLOW;

	if (!said)
		return 0;
	if (env->in_userns)
		return all & ~said;
	all |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	       MOUNT_ATTR_NOEXEC;
	if (m->set & atime)
		all |= atime;
	return all & ~said;
}

static struct ns_attrs bind_attrs(const struct ns_mount *m,
				  const struct ns_mount_env *env)
{
	struct ns_attrs a = ns_mount_attrs(m);

	a.unsaid = unsaid(m, env);
	return a;
}

/* The mapping's user namespace: our own to close, or the caller's. */
static int idmap_userns(const struct ns_mount *m,
			const struct ns_mount_env *env, int *ret_own,
			struct err *e)
{
	const struct ns_map map = { .uids = m->uids, .gids = m->gids };

	if (map.uids.n > 0) {
		*ret_own = ns_idmap_userns(&map, e);
		return *ret_own;
	}
	if (env->userns < 0)
		return err_set(
			e, -EINVAL,
			"idmap: neither the mount nor the container has mappings");
	return env->userns;
}

/* Its path is the image's, which must not lead outside. */
static bool is_inside(const struct ns_mount *m, const struct ns_mount_env *env)
{
	return env->root_path && path_below(m->source, env->root_path) &&
	       !(m->flags & (NS_MOUNT_NO_SRC_LINK | NS_MOUNT_COPY_LINK));
}

/* What may be an earlier mount of the container's is looked for when it is this
 * one's turn; but in a user namespace nobody could map ids then. */
static bool waits_its_turn(const struct ns_mount *m,
			   const struct ns_mount_env *env)
{
	return is_inside(m, env) &&
	       !(env->in_userns && (m->flags & NS_MOUNT_IDMAP));
}

static int clone_inside(const struct ns_mount *m,
			const struct ns_mount_env *env, unsigned int flags,
			struct err *e)
{
	const char *path = m->source + strlen(env->root_path);
	autoclose int fd = -1, own = -1;

	if (env->rootfd < 0)
		own = open(env->root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (env->rootfd < 0 && own < 0)
		return err_errno(e, "open '%s'", env->root_path);
	fd = path_open_in_root(MAX_OF(env->rootfd, own), *path ? path : "/",
			       O_PATH, 0, e);
	if (fd < 0)
		return fd;
	return ns_tree_clone(fd, "", flags);
}

static int clone_source(const struct ns_mount *m,
			const struct ns_mount_env *env, struct err *e)
{
	unsigned int flags = 0;
	int tree;

	if (m->flags & NS_MOUNT_RBIND)
		flags |= NS_TREE_REC;
	if (m->flags & NS_MOUNT_NO_SRC_LINK)
		flags |= NS_TREE_NOFOLLOW;
	tree = is_inside(m, env) ? clone_inside(m, env, flags, e)
				 : ns_tree_clone(AT_FDCWD, m->source, flags);
	if (tree == -EINVAL)
		return err_set(
			e, tree,
			"bind '%s': it is unbindable, or only rbind may show what is locked below it",
			m->source);
	return tree < 0 ? err_code(e, tree, "bind '%s'", m->source) : tree;
}

/* A bind's tree with its attributes; -ENOSYS where they must wait. */
static int make_bind(const struct ns_mount *m, const struct ns_mount_env *env,
		     int *ret_tree, struct err *e)
{
	struct ns_attrs a = bind_attrs(m, env);
	autoclose int tree = -1, own = -1;
	int r;

	tree = clone_source(m, env, e);
	if (tree < 0)
		return tree;
	if (m->flags & NS_MOUNT_IDMAP) {
		a.userns = idmap_userns(m, env, &own, e);
		if (a.userns < 0)
			return a.userns;
	}
	r = ns_tree_set(tree, &a, e);
	if (r < 0)
		return r;
	*ret_tree = steal_fd(&tree);
	return 0;
}

/* Its tree comes later, but nobody in the container could map ids. */
static int prepare_inside(const struct ns_mount *m,
			  const struct ns_mount_env *env, int *ret_userns,
			  struct err *e)
{
	autoclose int own = -1;
	int r;

	if (!(m->flags & NS_MOUNT_IDMAP))
		return 0;
	r = idmap_userns(m, env, &own, e);
	if (r < 0)
		return r;
	*ret_userns = own >= 0 ? steal_fd(&own) : fcntl(r, F_DUPFD_CLOEXEC, 3);
	return *ret_userns < 0 ? err_errno(e, "dup") : 0;
}

/* copy-symlink: where the source is a link, the link is what is wanted. */
static bool is_copied_link(const struct ns_mount *m, char target[PATH_MAX])
{
	ssize_t n;

	if (!(m->flags & NS_MOUNT_COPY_LINK))
		return false;
	n = readlink(m->source, target, PATH_MAX - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return true;
}

int ns_mount_prepare(const struct ns_mount *m, const struct ns_mount_env *env,
		     int *ret_tree, struct err *e)
{
	char link[PATH_MAX];
	int r;

	*ret_tree = -1;
	if (!ns_mount_is_bind(m) || (m->flags & NS_MOUNT_REMOUNT) ||
	    is_copied_link(m, link))
		return 0;

	r = waits_its_turn(m, env) ? prepare_inside(m, env, ret_tree, e)
				   : make_bind(m, env, ret_tree, e);
	if (r >= 0)
		return 0;
	/* Without rights here, or on an old kernel: the container's half does
	 * it. Nobody there could idmap. */
	if ((r == -EPERM || r == -ENOSYS) && !(m->flags & NS_MOUNT_IDMAP))
		return 0;
	return err_wrap(e, r, "mount '%s' on '%s'", m->source, m->target);
}

static int make_link(const struct ns_mount *m, const struct ns_mount_env *env,
		     const char *content, struct err *e)
{
	autoclose int parent = -1;
	char there[PATH_MAX];
	const char *name;
	ssize_t n;

	parent = path_parent_in_root(env->rootfd, m->target, &name, e);
	if (parent < 0)
		return parent;
	if (symlinkat(content, parent, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(e, "create link");
	n = readlinkat(parent, name, there, sizeof(there) - 1);
	there[n > 0 ? n : 0] = '\0';
	if (n < 0 || strcmp(there, content) != 0)
		return err_set(e, -EEXIST,
			       "something else than the link to '%s' is there",
			       content);
	return 0;
}

static int attach_bind(const struct ns_mount *m, const struct ns_mount_env *env,
		       int prepared, struct err *e)
{
	autoclose int target = -1, tree = -1;
	struct ns_attrs a = bind_attrs(m, env);
	char link[PATH_MAX];

	if (prepared < 0 && is_copied_link(m, link))
		return make_link(m, env, link, e);
	if (prepared < 0 && (m->flags & NS_MOUNT_IDMAP))
		return err_set(e, -EPERM, "idmap was not prepared");
	if (waits_its_turn(m, env)) {
		a.userns = prepared;
		prepared = -1;
	}
	if (prepared < 0)
		prepared = tree = clone_source(m, env, e);
	if (prepared < 0)
		return prepared;
	target = ns_mount_target(m, env->rootfd, prepared, NULL, e);
	if (target < 0)
		return target;
	return tree < 0 ? ns_tree_attach(prepared, target, e)
			: ns_tree_place(tree, &a, target, e);
}

static int attach_stand_in(const struct ns_mount *m, int target, struct err *e)
{
	struct ns_attrs a = ns_mount_attrs(m);
	autoclose int tree = -1;

	for (size_t i = 0; i < ARRAY_SIZE(stand_ins); i++) {
		if (!str_eq(m->fstype, stand_ins[i].fstype))
			continue;
		tree = ns_tree_clone(AT_FDCWD, stand_ins[i].path,
				     stand_ins[i].flags);
		if (tree < 0)
			return -EPERM; /* e says why it was wanted */
		log_debug("%s: not ours to mount; '%s' stands in", m->fstype,
			  stand_ins[i].path);
		a.propagation = MS_SLAVE | MS_REC;
		/* Also what is mounted in it: read-only means all of /sys. */
		a.rec_set = a.set & MOUNT_ATTR_RDONLY;
		return ns_tree_place(tree, &a, target, e);
	}
	return -EPERM;
}

/* mqueue takes no context=, but a label on its root. */
static int label_mqueue(const struct ns_mount *m,
			const struct ns_mount_env *env, int tree, struct err *e)
{
	char path[PATH_FD_MAX];

	if (!env->label || !str_eq(m->fstype, "mqueue"))
		return 0;
	if (setxattr(path_of_fd(tree, path), "security.selinux", env->label,
		     strlen(env->label) + 1, 0) < 0)
		return err_errno(e, "label");
	return 0;
}

/* By mount(2): visible at once, so that its attributes come with it. */
static int attach_old(const struct ns_mount *m, const struct ns_mount_env *env,
		      const struct ns_fs *fs, int target, struct err *e)
{
	struct ns_attrs a = { .propagation = m->propagation, .userns = -1 };
	autoclose int top = -1;
	int r;

	r = ns_fs_mount(fs, target, e);
	if (r < 0)
		return r;
	top = ns_mount_target(m, env->rootfd, -1, NULL, e);
	if (top < 0)
		return top;
	if (m->flags & NS_MOUNT_COPY_UP)
		r = ns_copyup(target, top, e);
	if (r >= 0)
		r = label_mqueue(m, env, top, e);
	if (r >= 0)
		r = ns_tree_change(top, &a, e);
	return r;
}

static int attach_new(const struct ns_mount *m, const struct ns_mount_env *env,
		      int tree, int target, struct err *e)
{
	struct ns_attrs a = { .propagation = m->propagation, .userns = -1 };
	int r = 0;

	if (m->flags & NS_MOUNT_COPY_UP)
		r = ns_copyup(target, tree, e);
	if (r >= 0)
		r = label_mqueue(m, env, tree, e);
	return r < 0 ? r : ns_tree_place(tree, &a, target, e);
}

static int attach_fs(const struct ns_mount *m, const struct ns_mount_env *env,
		     struct err *e)
{
	struct ns_fs fs = {
		.type = m->fstype,
		.source = m->source,
		.data = m->data,
		.label = env->label,
		.sb_flags = m->sb_flags,
		.readonly = m->flags & NS_MOUNT_RO,
		.in_userns = env->in_userns,
		.attrs = ns_mount_attrs(m).set,
	};
	autoclose int target = -1, tree = -1;
	char mode[NS_MODE_MAX];
	bool made;

	target = ns_mount_target(m, env->rootfd, -1, &made, e);
	if (target < 0)
		return target;
	if (str_eq(m->fstype, "tmpfs") && !made &&
	    !ns_fs_has_option(m->data, "mode") &&
	    ns_mount_mode_of(target, mode) >= 0)
		fs.mode = mode;
	if (seals_late(m)) {
		fs.attrs &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		fs.readonly = false;
	}

	tree = ns_fs_make(&fs, e);
	if (tree == -EOPNOTSUPP)
		return attach_old(m, env, &fs, target, e);
	/* Should this fail as well, the words of the first are the better. */
	if (tree == -EINVAL && attach_old(m, env, &fs, target, NULL) >= 0)
		return 0;
	if (tree == -EPERM && env->in_userns)
		return attach_stand_in(m, target, e);
	return tree < 0 ? tree : attach_new(m, env, tree, target, e);
}

static int remount(const struct ns_mount *m, const struct ns_mount_env *env,
		   struct err *e)
{
	const struct ns_fs fs = {
		.type = m->fstype ? m->fstype : "",
		.data = m->data,
		.sb_flags = m->sb_flags,
	};
	struct ns_attrs a = ns_mount_attrs(m);
	autoclose int fd = -1;
	int r = 0;

	a.propagation = m->propagation;
	fd = path_open_in_root(env->rootfd, m->target, O_PATH, 0, e);
	if (fd < 0)
		return fd;
	if (m->sb_flags || (m->data && *m->data))
		r = ns_fs_reconfigure(fd, &fs, e);
	if (r >= 0)
		r = ns_tree_change(fd, &a, e);
	return r;
}

int ns_mount_attach(const struct ns_mount *m, const struct ns_mount_env *env,
		    int tree, struct err *e)
{
	autoclose int owned = tree;
	const char *what = ns_mount_is_bind(m) ? m->source : m->fstype;
	int r;

	if (m->flags & NS_MOUNT_REMOUNT)
		r = remount(m, env, e);
	else if (m->flags & NS_MOUNT_CGROUP)
		r = ns_mount_cgroup(m, env, e);
	else if (ns_mount_is_bind(m))
		r = attach_bind(m, env, owned, e);
	else
		r = attach_fs(m, env, e);
	if (r >= 0)
		return 0;
	return err_wrap(e, r, "mount '%s' on '%s'", what ? what : "cgroup",
			m->target);
}

/* A mount of cgroup v2 has been read-only from the start. */
static bool is_tmpfs(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && s.f_type == TMPFS_MAGIC;
}

int ns_mount_seal(const struct ns_mount *m, int rootfd, struct err *e)
{
	const struct ns_attrs a = { .set = MOUNT_ATTR_RDONLY, .userns = -1 };
	autoclose int fd = -1;
	int r;

	if (!seals_late(m))
		return 0;
	fd = path_open_in_root(rootfd, m->target, O_PATH | O_DIRECTORY, 0, e);
	if (fd < 0)
		return fd;
	if ((m->flags & NS_MOUNT_CGROUP) && !is_tmpfs(fd))
		return 0;
	r = ns_tree_change(fd, &a, e);
	return r < 0 ? err_wrap(e, r, "make '%s' read-only", m->target) : 0;
}

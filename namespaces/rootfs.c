/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "namespaces/clone.h"
#include "namespaces/overlay.h"
#include "namespaces/root_move.h"
#include "namespaces/tree.h"

/* clang-format off */
static const struct json_field root_fields[] = {
	JSON_STR(struct ns_root, path,          "path", .required = true),
	JSON_STRV(struct ns_root, layers,       "layers"),
	JSON_STR(struct ns_root, scratch,       "scratch"),
	JSON_U64(struct ns_root, scratch_size,  "scratchSize"),
	JSON_BOOL(struct ns_root, readonly,     "readonly"),
	JSON_U32(struct ns_root, propagation,   "propagation"),
	JSON_BOOL(struct ns_root, no_pivot,     "noPivot"),
	JSON_STR(struct ns_root, label,         "label"),
	JSON_VEC(struct ns_root, map.uids,      "uidMappings", struct ns_idmap, ns_idmap_table),
	JSON_VEC(struct ns_root, map.gids,      "gidMappings", struct ns_idmap, ns_idmap_table),
	JSON_BOOL(struct ns_root, in_userns,    "inUserns"),
	JSON_BOOL(struct ns_root, shared,       "shared"),
	JSON_U64(struct ns_root, covers,        "covers"),
};
/* clang-format on */

const struct json_table ns_root_table = JSON_TABLE(struct ns_root, root_fields);

static bool has_layers(const struct ns_root *r)
{
	return r->layers && r->layers[0];
}

/*
 * Until everything is mounted the root receives at most: were it shared, each
 * mount in it would appear on the host. What the configuration wants is set by
 * ns_root_seal().
 */
static uint32_t quiet_propagation(const struct ns_root *r)
{
	switch (r->propagation & ~(uint32_t)MS_REC) {
	case MS_PRIVATE:
	case MS_UNBINDABLE:
		return MS_PRIVATE | MS_REC;
	default:
		return MS_SLAVE | MS_REC;
	}
}

static struct ns_attrs bound_attrs(const struct ns_root *r)
{
	return (struct ns_attrs){
		.propagation = quiet_propagation(r),
		.userns = -1,
		.idmap_rec = true,
	};
}

/* The rootfs as a tree; -ENOSYS where its attributes must wait. */
static int bind_root(const struct ns_root *r, struct err *e)
{
	struct ns_attrs a = bound_attrs(r);
	autoclose int tree = -1, userns = -1;
	int n;

	tree = ns_tree_clone(AT_FDCWD, r->path, NS_TREE_REC);
	if (tree < 0)
		return err_code(e, tree, "bind root '%s'", r->path);
	if (r->map.uids.n > 0) {
		userns = ns_idmap_userns(&r->map, e);
		if (userns < 0)
			return userns;
		a.userns = userns;
	}
	n = ns_tree_set(tree, &a, e);
	return n < 0 ? err_wrap(e, n, "root '%s'", r->path) : steal_fd(&tree);
}

static int make_overlay(const struct ns_root *r, unsigned int flags,
			struct err *e)
{
	const struct ns_overlay o = {
		.layers = r->layers,
		.below = r->path,
		.scratch = r->scratch,
		.scratch_size = r->scratch_size,
		.label = r->label,
		.map = &r->map,
	};

	return ns_overlay_make(&o, flags, e);
}

/* --- an overlay for a user namespace, made outside of it --- */

/* What the helper says: an error, or an empty one with the descriptor. */
NORETURN static void helper(const struct ns_root *r, int sock)
{
	struct err e = { 0 };
	int tree;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		tree = err_errno(&e, "make mounts private");
	else
		tree = make_overlay(r, 0, &e);
	/* Also on success e may have words, of a way that was tried first. */
	e.code = tree < 0 ? tree : 0;
	_exit(fd_send(sock, &e, sizeof(e), &tree, tree >= 0, NULL) < 0);
}

/*
 * The container's user namespace may neither reach the layers nor idmap them,
 * and our own mount namespace is no place to attach what the overlay is made
 * of. So a child of ours does it in one of its own, and hands over the result.
 */
static int overlay_by_helper(const struct ns_root *r, struct err *e)
{
	const struct ns_clone clone = { .flags = CLONE_NEWNS, .cgroup_fd = -1 };
	autoclose int ours = -1, theirs = -1;
	int ends[2], tree = -1, n;
	struct err told;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(e, "socketpair");
	ours = ends[0];
	theirs = ends[1];
	pid = ns_fork(&clone, e);
	if (pid < 0)
		return pid;
	if (pid == 0)
		helper(r, theirs);

	(void)close(steal_fd(&theirs));
	n = fd_recv(ours, &told, sizeof(told), &tree, 1, e);
	(void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
	if (n < 0)
		return n;
	told.text[ERR_TEXT - 1] = '\0';
	if (told.code < 0)
		return err_set(e, told.code, "%s", told.text);
	return n == 1 ? tree : err_set(e, -EPROTO, "no overlay came back");
}

int ns_root_prepare(const struct ns_root *r, int *ret_tree, struct err *e)
{
	int tree;

	*ret_tree = -1;
	if (!has_layers(r))
		tree = bind_root(r, e);
	else if (r->in_userns || r->map.uids.n > 0)
		tree = overlay_by_helper(r, e);
	else
		return 0; /* cheapest in the container's own namespace */

	if (tree >= 0)
		*ret_tree = tree;
	/* Without rights here, the container's half can still do it. */
	else if ((tree != -EPERM && tree != -ENOSYS) || r->map.uids.n > 0)
		return tree;
	return 0;
}

/* --- in the new mount namespace --- */

static int make_root(const struct ns_root *r, bool *ret_late, struct err *e)
{
	int tree;

	if (has_layers(r))
		return make_overlay(r, r->in_userns ? NS_OVERLAY_USERXATTR : 0,
				    e);

	tree = bind_root(r, e);
	if (tree != -ENOSYS)
		return tree;
	*ret_late = true;
	tree = ns_tree_clone(AT_FDCWD, r->path, NS_TREE_REC);
	return tree < 0 ? err_code(e, tree, "bind root '%s'", r->path) : tree;
}

static int attach_root(const struct ns_root *r, int tree, struct err *e)
{
	const unsigned int how =
		MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;

	if (move_mount(tree, "", AT_FDCWD, r->path, how) == 0)
		return 0;
	/* The root of a user namespace may not get as far as there; only hooks
	 * would look for it by that path. */
	if (errno == EACCES && !r->shared &&
	    move_mount(tree, "", AT_FDCWD, "/", how) == 0) {
		log_debug("'%s' is out of reach: the root is on '/'", r->path);
		return 0;
	}
	return err_errno(e, "attach root on '%s'", r->path);
}

int ns_root_open(const struct ns_root *r, int tree, struct err *e)
{
	const struct ns_attrs a = bound_attrs(r);
	autoclose int root = tree;
	bool late = false;
	int n;

	/* From here on nothing we mount or unmount reaches the host. */
	if (!r->shared &&
	    mount(NULL, "/", NULL, quiet_propagation(r), NULL) < 0)
		return err_errno(e, "cut mount propagation");

	if (root < 0)
		root = make_root(r, &late, e);
	if (root < 0)
		return root;
	n = attach_root(r, root, e);
	if (n >= 0 && late)
		n = ns_tree_change(root, &a, e);
	/* The tree's descriptor names the attached mount's root. */
	return n < 0 ? n : steal_fd(&root);
}

int ns_root_reopen(const struct ns_root *r, int *rootfd, struct err *e)
{
	int fd = open(r->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open root '%s'", r->path);
	(void)close(*rootfd);
	*rootfd = fd;
	return 0;
}

/*
 * pivot_root(".", ".") puts the old root on top of the new one, from where it
 * is unmounted: no folder for it is needed, and none is left.
 */
int ns_root_pivot(const struct ns_root *r, int rootfd, struct err *e)
{
	if (fchdir(rootfd) < 0)
		return err_errno(e, "enter root");
	if (r->no_pivot)
		return ns_root_move(r->path, e);

	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		if (errno == EINVAL)
			return err_set(
				e, -EINVAL,
				"pivot_root: refused; where the host's root is an initramfs, --no-pivot is needed");
		return err_errno(e, "pivot_root");
	}
	if (umount2(".", MNT_DETACH) < 0)
		return err_errno(e, "unmount the old root");
	return 0;
}

int ns_root_chroot(int rootfd, struct err *e)
{
	if (fchdir(rootfd) < 0 || chroot(".") < 0)
		return err_errno(e, "enter root");
	return 0;
}

int ns_root_seal(const struct ns_root *r, struct err *e)
{
	const struct ns_attrs a = {
		.set = r->readonly ? MOUNT_ATTR_RDONLY : 0,
		.propagation = r->propagation,
		.userns = -1,
	};
	autoclose int root = -1;
	int n;

	if (!a.set && !a.propagation)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(e, "open '/'");
	n = ns_tree_change(root, &a, e);
	return n < 0 ? err_wrap(e, n, "seal root") : 0;
}

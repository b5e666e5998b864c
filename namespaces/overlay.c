/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/fs.h"
#include "namespaces/tree.h"

/* Everything that is open while the overlay is being made. */
struct work {
	const struct ns_overlay *o;
	unsigned int flags;
	size_t n;
	int *layer;  /* idmapped copies, or -1 */
	int scratch; /* the folder that upper and work lie in */
	int userns;
};

#define WORK_INIT                                                              \
	{                                                                      \
		.scratch = -1, .userns = -1                                    \
	}

static void work_done(struct work *w)
{
	for (size_t i = 0; w->layer && i < w->n; i++)
		if (w->layer[i] >= 0)
			(void)close(w->layer[i]);
	free(w->layer);
	if (w->scratch >= 0)
		(void)close(w->scratch);
	if (w->userns >= 0)
		(void)close(w->userns);
}

static int work_init(struct work *w, const struct ns_overlay *o,
		     unsigned int flags, struct err *e)
{
	w->o = o;
	w->flags = flags;
	w->n = strv_len(o->layers);
	w->layer = calloc(w->n, sizeof(*w->layer));
	if (!w->layer)
		return err_nomem(e);
	for (size_t i = 0; i < w->n; i++)
		w->layer[i] = -1;
	return 0;
}

/* Where others do not look: see the head of overlay.h. */
static int attach_below(const struct work *w, int tree, struct err *e)
{
	if (move_mount(tree, "", AT_FDCWD, w->o->below,
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
		return err_errno(e, "attach on '%s'", w->o->below);
	return 0;
}

/* A copy of a host's folder in which the ids are the container's. */
static int idmapped(const struct work *w, const char *path, struct err *e)
{
	const struct ns_attrs a = {
		.propagation = MS_PRIVATE,
		.userns = w->userns,
	};
	autoclose int tree = ns_tree_clone(AT_FDCWD, path, 0);
	int r;

	if (tree < 0)
		return err_code(e, tree, "open layer '%s'", path);
	r = ns_tree_set(tree, &a, e);
	if (r >= 0)
		r = attach_below(w, tree, e);
	return r < 0 ? err_wrap(e, r, "layer '%s'", path) : steal_fd(&tree);
}

static int map_layers(struct work *w, struct err *e)
{
	if (w->o->map->uids.n == 0)
		return 0;
	w->userns = ns_idmap_userns(w->o->map, e);
	if (w->userns < 0)
		return w->userns;
	for (size_t i = 0; i < w->n; i++) {
		w->layer[i] = idmapped(w, w->o->layers[i], e);
		if (w->layer[i] < 0)
			return w->layer[i];
	}
	return 0;
}

/*
 * The merged root has the mode and owner of upper: they shall be those of the
 * image. fd: the layer where ids are as they will be written, or -1.
 */
static int make_upper(int scratch, int fd, const char *layer, struct err *e)
{
	struct stat st;

	if (mkdirat(scratch, "work", 0700) < 0 && errno != EEXIST)
		return err_errno(e, "create 'work'");
	if (mkdirat(scratch, "upper", 0700) < 0)
		return errno == EEXIST ? 0 : err_errno(e, "create 'upper'");
	if ((fd < 0 ? stat(layer, &st) : fstat(fd, &st)) < 0)
		return err_errno(e, "look at layer '%s'", layer);
	if (fchownat(scratch, "upper", st.st_uid, st.st_gid, 0) < 0 &&
	    errno != EINVAL)
		return err_errno(e, "change the owner of 'upper'");
	if (fchmodat(scratch, "upper", st.st_mode & 07777, 0) < 0)
		return err_errno(e, "change the mode of 'upper'");
	return 0;
}

/* Not idmapped itself: whoever mounts it (host root) would have no id in it. So
 * ids in upper are those of the host, as in podman's storage. */
static int scratch_folder(struct work *w, struct err *e)
{
	const char *path = w->o->scratch;

	w->scratch = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->scratch < 0)
		return err_errno(e, "open scratch folder '%s'", path);
	return make_upper(w->scratch, w->layer[0], w->o->layers[0], e);
}

/* Without fsopen(2): where the other way attaches it in the end. */
static int tmpfs_old(const struct work *w, const struct ns_fs *fs,
		     struct err *e)
{
	autoclose int below = open(w->o->below, O_PATH | O_CLOEXEC);
	int r, fd;

	if (below < 0)
		return err_errno(e, "open '%s'", w->o->below);
	r = ns_fs_mount(fs, below, e);
	if (r < 0)
		return r;
	fd = open(w->o->below, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", w->o->below) : fd;
}

static int scratch_tmpfs(struct work *w, struct err *e)
{
	struct ns_fs fs = {
		.type = "tmpfs",
		.mode = "0700",
		.label = w->o->label,
	};
	char size[32];
	int r;

	(void)snprintf(size, sizeof(size), "size=%" PRIu64, w->o->scratch_size);
	if (w->o->scratch_size)
		fs.data = size;
	w->scratch = ns_fs_make(&fs, e);
	r = w->scratch;
	if (r >= 0)
		r = attach_below(w, w->scratch, e);
	else if (r == -EOPNOTSUPP)
		r = w->scratch = tmpfs_old(w, &fs, e);
	if (r >= 0)
		r = make_upper(w->scratch, w->layer[0], w->o->layers[0], e);
	return r;
}

/* --- the overlay itself ----------------------------------------------------*/

static int set_lower(const struct work *w, int fsfd, struct err *e)
{
	char path[PATH_FD_MAX];
	int r = 0;

	for (size_t i = 0; i < w->n && r >= 0; i++)
		r = ns_fs_set(fsfd, "lowerdir+",
			      w->layer[i] < 0 ? w->o->layers[i]
					      : path_of_fd(w->layer[i], path),
			      e);
	return r;
}

/* Upper and work by descriptor: so nothing in their paths needs escaping. */
static int set_scratch(const struct work *w, int fsfd, struct err *e)
{
	char fd[PATH_FD_MAX], path[PATH_FD_MAX + 8];
	int r;

	(void)snprintf(path, sizeof(path), "%s/upper",
		       path_of_fd(w->scratch, fd));
	r = ns_fs_set(fsfd, "upperdir", path, e);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/work",
		       path_of_fd(w->scratch, fd));
	return ns_fs_set(fsfd, "workdir", path, e);
}

static int make_new(const struct work *w, int fsfd, struct err *e)
{
	int r = ns_fs_set(fsfd, "source", "overlay", e);

	if (r >= 0)
		r = set_scratch(w, fsfd, e);
	if (r >= 0 && (w->flags & NS_OVERLAY_USERXATTR))
		r = ns_fs_set(fsfd, "userxattr", NULL, e);
	if (r >= 0 && w->o->label)
		r = ns_fs_set(fsfd, "context", w->o->label, e);
	return r < 0 ? r : ns_fs_create(fsfd, 0, e);
}

/* All layers that have no descriptor yet get one. */
static int open_layers(struct work *w, struct err *e)
{
	for (size_t i = 0; i < w->n; i++) {
		const char *name = w->o->layers[i];

		if (w->layer[i] < 0)
			w->layer[i] =
				open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (w->layer[i] < 0)
			return err_errno(e, "open layer '%s'", name);
	}
	return 0;
}

/*
 * mount(2) takes one string of at most a page, in which ':' and ',' separate
 * and a backslash escapes, differently from version to version. Named by
 * descriptor, layers are short and have nothing to escape. Gives the length,
 * which is size or more when it does not fit.
 */
static size_t old_options(const struct work *w, char *text, size_t size)
{
	bool label = w->o->label;
	char path[PATH_FD_MAX];
	size_t len;

	(void)path_of_fd(w->scratch, path);
	len = (size_t)snprintf(
		text, size, "upperdir=%s/upper,workdir=%s/work%s%s%s%s", path,
		path, w->flags & NS_OVERLAY_USERXATTR ? ",userxattr" : "",
		label ? ",context=\"" : "", label ? w->o->label : "",
		label ? "\"" : "");
	for (size_t i = 0; i < w->n && len < size; i++)
		len += (size_t)snprintf(
			text + len, size - len, "%s%s",
			i ? ":" : ",lowerdir=", path_of_fd(w->layer[i], path));
	return len;
}

static int make_old(struct work *w, struct err *e)
{
	char text[4096];
	int r = open_layers(w, e), tree;

	if (r < 0)
		return r;
	if (old_options(w, text, sizeof(text)) >= sizeof(text))
		return err_set(e, -E2BIG, "%zu layers: this kernel takes fewer",
			       w->n);
	if (mount("overlay", w->o->below, "overlay", 0, text) < 0)
		return err_errno(e, "mount overlay");
	tree = ns_tree_clone(AT_FDCWD, w->o->below, 0);
	(void)umount2(w->o->below, MNT_DETACH);
	return tree < 0 ? err_code(e, tree, "bind overlay") : tree;
}

/*
 * EINVAL of the new way may mean that the kernel is too old for it: some take
 * every option, and then refuse to create. Should the old way fail as well, the
 * words of the new one are the better.
 */
static int make(struct work *w, struct err *e)
{
	autoclose int fsfd = -1;
	int r, old;

	if (w->flags & NS_OVERLAY_OLD)
		return make_old(w, e);
	fsfd = ns_fs_open("overlay", e);
	if (fsfd == -ENOSYS)
		return make_old(w, e);
	r = fsfd < 0 ? fsfd : set_lower(w, fsfd, e);
	if (r >= 0)
		r = make_new(w, fsfd, e);
	if (r != -EINVAL)
		return r;
	old = make_old(w, NULL);
	return old >= 0 ? old : r;
}

/*
 * A scratch folder that lies in a layer (the host's own root as an image, with
 * everything on one file system) cannot be the upper one: the container would
 * see it change below itself.
 */
static bool is_overlap(int r)
{
	return r == -ELOOP || r == -EINVAL;
}

int ns_overlay_make(const struct ns_overlay *o, unsigned int flags,
		    struct err *e)
{
	_cleanup_(work_done) struct work w = WORK_INIT;
	int tree;

	tree = work_init(&w, o, flags, e);
	if (tree >= 0)
		tree = map_layers(&w, e);
	if (tree >= 0)
		tree = o->scratch ? scratch_folder(&w, e)
				  : scratch_tmpfs(&w, e);
	if (tree >= 0)
		tree = make(&w, e);
	if (tree >= 0 || !o->scratch || !is_overlap(tree) || w.scratch < 0)
		return tree;

	log_warning(
		"scratch folder '%s' cannot be used (%s): changes are kept in memory and lost at the end",
		o->scratch, err_text(e));
	(void)close(steal_fd(&w.scratch));
	tree = scratch_tmpfs(&w, e);
	return tree < 0 ? tree : make(&w, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and links in the container's /dev. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/fs.h"
#include "namespaces/place.h"
#include "namespaces/rootfs.h"
#include "namespaces/tree.h"

/* clang-format off */
static const struct json_field device_fields[] = {
	JSON_STR(struct ns_device, path,  "path", .required = true),
	JSON_I32(struct ns_device, type,  "type", .always = true),
	JSON_I64(struct ns_device, major, "major", .always = true),
	JSON_I64(struct ns_device, minor, "minor", .always = true),
	JSON_U32(struct ns_device, mode,  "mode", .always = true),
	JSON_U32(struct ns_device, uid,   "uid"),
	JSON_U32(struct ns_device, gid,   "gid"),
};

#define PATH(s) ((char *)(s))

const struct ns_device ns_device_defaults[] = {
	{ PATH("/dev/null"),    'c', 1, 3, 0666, 0, 0 },
	{ PATH("/dev/zero"),    'c', 1, 5, 0666, 0, 0 },
	{ PATH("/dev/full"),    'c', 1, 7, 0666, 0, 0 },
	{ PATH("/dev/random"),  'c', 1, 8, 0666, 0, 0 },
	{ PATH("/dev/urandom"), 'c', 1, 9, 0666, 0, 0 },
	{ PATH("/dev/tty"),     'c', 5, 0, 0666, 0, 0 },
};

/* ptmx is the container's own devpts; core only where the kernel has it. */
static const struct {
	const char *name;
	const char *target;
	const char *needs;
} links[] = {
	{ "fd",     "/proc/self/fd",   NULL },
	{ "stdin",  "/proc/self/fd/0", NULL },
	{ "stdout", "/proc/self/fd/1", NULL },
	{ "stderr", "/proc/self/fd/2", NULL },
	{ "core",   "/proc/kcore",     "/proc/kcore" },
	{ "ptmx",   "pts/ptmx",        NULL },
};
/* clang-format on */

const size_t n_ns_device_defaults = ARRAY_SIZE(ns_device_defaults);
const struct json_table ns_device_table =
	JSON_TABLE(struct ns_device, device_fields);

/* The folder of the last node: the next one is nearly always beside it. */
struct folder {
	int rootfd;
	int fd;
	const char *path; /* of the node that was made in it */
	size_t len;	  /* of the folder in it */
};

static void folder_done(struct folder *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
}

static int enter_folder(struct folder *f, const char *path,
			const char **ret_name, struct err *e)
{
	const char *slash = strrchr(path, '/');

	if (f->fd >= 0 && slash && (size_t)(slash - path) == f->len &&
	    strncmp(path, f->path, f->len) == 0 && slash[1]) {
		*ret_name = slash + 1;
		return 0;
	}
	folder_done(f);
	f->fd = path_parent_in_root(f->rootfd, path, ret_name, e);
	if (f->fd < 0)
		return f->fd;
	f->path = path;
	f->len = (size_t)(*ret_name - path);
	if (f->len > 0)
		f->len--; /* without the slash */
	return 0;
}

static mode_t type_bits(const struct ns_device *d)
{
	switch (d->type) {
	case 'b':
		return S_IFBLK;
	case 'p':
		return S_IFIFO;
	default:
		return S_IFCHR; /* 'u' is a character device by its old name */
	}
}

static dev_t number_of(const struct ns_device *d)
{
	if (d->type == 'p')
		return 0;
	return makedev((unsigned int)d->major, (unsigned int)d->minor);
}

static bool is_device(const struct stat *st, const struct ns_device *d)
{
	return (st->st_mode & S_IFMT) == type_bits(d) &&
	       (d->type == 'p' || st->st_rdev == number_of(d));
}

/* What is there already: the same device, or an error. */
static int accept_there(int dirfd, const char *name, const struct ns_device *d,
			struct err *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "look at it");
	if (!is_device(&st, d))
		return err_set(e, -EEXIST, "something else is there");
	return 0;
}

/* A clone of the host's node at path, if it is this device. */
static int host_node(const char *path, const struct ns_device *d)
{
	autoclose int tree = ns_tree_clone(AT_FDCWD, path, 0);
	struct stat st;

	if (tree < 0)
		return tree;
	if (fstat(tree, &st) < 0)
		return -errno;
	return is_device(&st, d) ? steal_fd(&tree) : -ENXIO;
}

/* What udev links to the number. */
static const char *link_path(const struct ns_device *d,
			     char path[NS_DEVICE_SOURCE])
{
	(void)snprintf(path, NS_DEVICE_SOURCE, "/dev/%s/%" PRId64 ":%" PRId64,
		       d->type == 'b' ? "block" : "char", d->major, d->minor);
	return path;
}

/* The same path on the host, or such a link, or the one that was made for want
 * of both. */
static int find_node(const struct ns_device *d, int made, const char *made_name,
		     struct err *e)
{
	int tree = host_node(d->path, d);
	char path[NS_DEVICE_SOURCE];

	if (tree < 0)
		tree = host_node(link_path(d, path), d);
	if (tree < 0 && made >= 0)
		tree = ns_tree_clone(made, made_name, NS_TREE_NOFOLLOW);
	if (tree >= 0)
		return tree;
	return err_set(e, tree,
		       "no right to make it, and no node of the host to bind");
}

static int bind_node(int dirfd, const char *name, int tree, struct err *e)
{
	const struct ns_attrs a = { .propagation = MS_PRIVATE, .userns = -1 };
	autoclose int place = ns_place_file(dirfd, name, e);

	return place < 0 ? place : ns_tree_place(tree, &a, place, e);
}

/* -EPERM and -EEXIST may have remedies. */
static int make_node(int dirfd, const char *name, const struct ns_device *d,
		     struct err *e)
{
	if (mknodat(dirfd, name, type_bits(d) | (d->mode & 07777),
		    number_of(d)) < 0)
		return err_errno(e, "mknod");
	if ((d->uid || d->gid) &&
	    fchownat(dirfd, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, -EINVAL, "change the owner: %s",
			       strerrordesc_np(errno));
	return 0;
}

/* --- before the clone: nodes that the host lacks --------------------------*/

static bool host_has(const char *path, const struct ns_device *d)
{
	struct stat st;

	return stat(path, &st) == 0 && is_device(&st, d);
}

const char *ns_device_source(const struct ns_device *d,
			     char buf[NS_DEVICE_SOURCE])
{
	if (host_has(d->path, d))
		return d->path;
	return host_has(link_path(d, buf), d) ? buf : NULL;
}

#define NAME_LEN 24

/* The name of a device in the file system of those that are made for it. */
static const char *made_name(size_t i, char name[NAME_LEN])
{
	(void)snprintf(name, NAME_LEN, "%zu", i);
	return name;
}

static int own_as(struct ns_device *d, const struct ns_map *map, struct err *e)
{
	if (ns_idmap_host(&map->uids, d->uid, &d->uid) < 0)
		return err_set(e, -EINVAL, "uid %" PRIu32 " is not mapped",
			       d->uid);
	if (ns_idmap_host(&map->gids, d->gid, &d->gid) < 0)
		return err_set(e, -EINVAL, "gid %" PRIu32 " is not mapped",
			       d->gid);
	return 0;
}

/* A file system of our user namespace: its nodes work in any. */
static int open_made(struct err *e)
{
	const struct ns_fs fs = {
		.type = "tmpfs",
		.mode = "0755",
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	};

	return ns_fs_make(&fs, e);
}

static int prepare_node(int *tree, size_t i, const struct ns_device *d,
			const struct ns_map *map, struct err *e)
{
	struct ns_device own = *d;
	char path[NS_DEVICE_SOURCE], name[NAME_LEN];
	int r;

	if (d->type == 'p' || ns_device_source(d, path))
		return 0;
	r = own_as(&own, map, e);
	if (r < 0)
		return r;
	if (*tree < 0)
		*tree = open_made(e);
	return *tree < 0 ? *tree
			 : make_node(*tree, made_name(i, name), &own, e);
}

int ns_device_prepare(const struct ns_device *v, size_t n,
		      const struct ns_map *map, int *ret_tree, struct err *e)
{
	autoclose int tree = -1;
	mode_t mask = umask(0);
	size_t i;
	int r = 0;

	for (i = 0; i < n && r >= 0; i++)
		r = prepare_node(&tree, i, &v[i], map, e);
	(void)umask(mask);
	/* Without the right to it the host's nodes are all there is: those
	 * inside have the word for what is missing. */
	if (r == -EPERM || r == -EOPNOTSUPP) {
		log_debug("device '%s': %s", v[i - 1].path, e->text);
		return 0;
	}
	if (r < 0)
		return err_wrap(e, r, "device '%s'", v[i - 1].path);
	*ret_tree = steal_fd(&tree);
	return 0;
}

/* --- inside ---------------------------------------------------------------*/

/* Where nodes come from. */
struct source {
	bool may_mknod;
	int made; /* file system of those the host lacks, or -1 */
};

static int put_device(int dirfd, const char *name, const struct ns_device *d,
		      const struct source *from, size_t i, struct err *e)
{
	autoclose int tree = -1;
	char number[NAME_LEN];

	/* A fifo is nobody's privilege. */
	if (from->may_mknod || d->type == 'p') {
		int r = make_node(dirfd, name, d, e);

		if (r == -EEXIST)
			return accept_there(dirfd, name, d, e);
		if (r != -EPERM)
			return r;
	}
	tree = find_node(d, from->made, made_name(i, number), e);
	return tree < 0 ? tree : bind_node(dirfd, name, tree, e);
}

static int put_all(int rootfd, const struct ns_device *v, size_t n,
		   const struct source *from, struct err *e)
{
	_cleanup_(folder_done) struct folder f = { .rootfd = rootfd, .fd = -1 };
	/* The modes are meant as they are. */
	mode_t mask = umask(0);
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		const char *name = "";

		r = enter_folder(&f, v[i].path, &name, e);
		if (r >= 0)
			r = put_device(f.fd, name, &v[i], from, i, e);
		if (r < 0)
			r = err_wrap(e, r, "device '%s'", v[i].path);
	}
	(void)umask(mask);
	return r;
}

static int take_away(int made, struct err *e)
{
	autoclose int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fchdir(made) < 0 || umount2(".", MNT_DETACH) < 0 || fchdir(cwd) < 0)
		return err_errno(e, "unmount the nodes' file system");
	return 0;
}

/*
 * Nodes are cloned from a mount of our own namespace alone, so it is attached
 * meanwhile: on the root, where lookups from the root's descriptor lie below
 * it, and where it goes with the root if we are killed.
 */
int ns_device_make(int rootfd, const struct ns_device *v, size_t n,
		   bool may_mknod, int made, struct err *e)
{
	const struct source from = { .may_mknod = may_mknod, .made = made };
	int r;

	if (made < 0)
		return put_all(rootfd, v, n, &from, e);
	r = ns_tree_attach(made, rootfd, e);
	if (r < 0)
		return err_wrap(e, r, "nodes that the host lacks");
	r = put_all(rootfd, v, n, &from, e);
	return r < 0 ? r : take_away(made, e);
}

static int make_link(int dirfd, size_t i, struct err *e)
{
	if (symlinkat(links[i].target, dirfd, links[i].name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(e, "link '/dev/%s'", links[i].name);
	/* An image's own ptmx would be the host's: it gives way. */
	if (strcmp(links[i].name, "ptmx") != 0)
		return 0;
	if (unlinkat(dirfd, "ptmx", 0) < 0 ||
	    symlinkat(links[i].target, dirfd, "ptmx") < 0)
		return err_errno(e, "replace '/dev/ptmx'");
	return 0;
}

int ns_device_links(int rootfd, struct err *e)
{
	autoclose int dev = path_make_in_root(rootfd, "/dev", PATH_DIR, e);
	int r = 0;

	if (dev < 0)
		return dev;
	for (size_t i = 0; i < ARRAY_SIZE(links) && r >= 0; i++)
		if (!links[i].needs || access(links[i].needs, F_OK) == 0)
			r = make_link(dev, i, e);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A FUSE server for one folder: what a guest sends over virtio-fs is done
 * with the files of the host.
 *
 *	fuse_new()	the folder is open already
 *	fuse_enter()	by the thread that serves, once
 *	fuse_serve()	a request; by this thread alone
 *
 * The guest is not trusted. It names files by node numbers, which are places
 * in our table, and by names of one component: with no '/' and no "..", an
 * openat() with O_NOFOLLOW leads nowhere but one step down, so no request can
 * name anything outside of the folder. Nothing is opened for reading or
 * writing but regular files and directories: the guest's kernel serves
 * devices, pipes and sockets itself, and to open the host's would be a way
 * out.
 *
 * The guest's kernel checks permissions (virtio-fs is always mounted with
 * default_permissions), and its root may do everything in the folder. What a
 * request makes belongs to the user it came from.
 *
 *	fuse.c		parsing, dispatch, answers; INIT
 *	fuse_table.c	nodes and open files
 *	fuse_cred.c	the rights of the thread, and users
 *	fuse_node.c	lookups and attributes
 *	fuse_make.c	names: made, removed, moved
 *	fuse_file.c	open files
 *	fuse_dir.c	directories
 *	fuse_xattr.c	extended attributes
 */
#include "base/err.h"

struct fuse;
struct virtq_chain;

/* dir stays the caller's. readonly: whatever would change something fails. */
MUST_CHECK int fuse_new(int dir, bool readonly, struct fuse **ret,
			struct err *e);
void fuse_free(struct fuse *f);

/*
 * The thread gets a working directory, a umask and, with jailed, a root of
 * its own: the folder.
 */
MUST_CHECK int fuse_enter(struct fuse *f, bool jailed, struct err *e);

/* The bytes written into the chain; -EPROTO: this is no FUSE request. */
MUST_CHECK int fuse_serve(struct fuse *f, const struct virtq_chain *c);

/* All that the guest knew and had open. Not while a request is served. */
void fuse_forget_all(struct fuse *f);

/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"

/*
 * A container without a mount namespace of its own has its root and all its
 * mounts in ours: one tree, attached on the root's folder. It is ours to take
 * away where it lies directly on what that folder was on before.
 */

/* Of the mount that a path is on; *ret_top: the path is where it begins. */
static int mount_id(const char *path, uint64_t *ret, bool *ret_top,
		    struct err *e)
{
	autoclose int fd = -1;
	struct statx stx;

	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return err_errno(e, "look at '%s'", path);
	if (!(stx.stx_mask & STATX_MNT_ID) ||
	    !(stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return err_set(e, -ENOSYS, "the kernel does not number mounts");
	*ret = stx.stx_mnt_id;
	*ret_top = stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return 0;
}

/* "36 35 98:0 /root /mount/point opts shared:1 - type source super": the line
 * of 36, ended; NULL: there is none. */
static char *line_of(char *text, uint64_t id)
{
	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		char *rest;

		if (strtoull(line, &rest, 10) == id && *rest == ' ')
			return line;
	}
	return NULL;
}

/*
 * On a shared mount that shows a part of what it lies on, as one of a folder on
 * itself does, a second mount appears below the first, and both go with ours.
 */
int ns_root_note_cover(struct ns_root *r, struct err *e)
{
	autofree char *text = NULL;
	const char *line, *shared;
	bool top;
	int n;

	n = mount_id(r->path, &r->covers, &top, e);
	if (n < 0 || !top)
		return n;
	n = proc_read_mounts(&text, e);
	if (n < 0)
		return n;
	line = line_of(text, r->covers);
	shared = line ? strstr(line, " shared:") : NULL;
	if (!shared || shared > strstr(line, " - "))
		return 0;
	return err_set(
		e, -EINVAL,
		"'%s' is a shared mount: make it private, or give the container a mount namespace",
		r->path);
}

int ns_root_uncover(const struct ns_root *r, struct err *e)
{
	autofree char *text = NULL;
	struct err ignored = { 0 };
	const char *line, *below;
	uint64_t id;
	bool top;
	int n;

	if (r->covers == 0)
		return 0;
	/* Without the folder there is no mount on it. */
	if (mount_id(r->path, &id, &top, &ignored) < 0 || !top ||
	    id == r->covers)
		return 0;
	n = proc_read_mounts(&text, e);
	if (n < 0)
		return n;
	line = line_of(text, id);
	below = line ? strchr(line, ' ') : NULL;
	if (!below || strtoull(below, NULL, 10) != r->covers) {
		log_warning("'%s' is covered by others: what was mounted stays",
			    r->path);
		return 0;
	}
	if (umount2(r->path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_errno(e, "unmount '%s'", r->path);
	return 0;
}

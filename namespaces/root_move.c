/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/root_move.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"

/* "36 35 98:0 /root /mount/point opts tags - type source super" */
static const char *full_pseudo_mount(char *line)
{
	char *rest = strstr(line, " - "), *word[5], *save = line;

	if (!rest ||
	    (!str_starts(rest + 3, "proc ") && !str_starts(rest + 3, "sysfs ")))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strsep(&save, " ");
		if (!word[i])
			return NULL;
	}
	if (strcmp(word[3], "/") != 0)
		return NULL;
	path_unescape(word[4]);
	return word[4];
}

static int take_away(const char *path, struct err *e)
{
	/* ENOENT: went with the one it was on. */
	if (umount2(path, MNT_DETACH) == 0 || errno == ENOENT)
		return 0;
	if (errno != EINVAL && errno != EPERM)
		return err_errno(e, "unmount '%s'", path);
	/* Locked, because it came from a more privileged user namespace. */
	if (mount("tmpfs", path, "tmpfs", MS_RDONLY, "nr_inodes=1") < 0)
		return err_errno(e, "cover '%s'", path);
	return 0;
}

static int take_all_away(const char *root, struct err *e)
{
	autofree char *text = NULL;
	char *save, *line;
	int r;

	r = proc_read_mounts(&text, e);
	save = text;
	while (r >= 0 && (line = strsep(&save, "\n")) != NULL) {
		const char *path = full_pseudo_mount(line);

		if (path && !path_below(path, root))
			r = take_away(path, e);
	}
	return r;
}

int ns_root_move(const char *path, struct err *e)
{
	int r = take_all_away(path, e);

	if (r < 0)
		return r;
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_errno(e, "move the root onto '/'");
	if (chroot(".") < 0)
		return err_errno(e, "chroot");
	return chdir("/") < 0 ? err_errno(e, "enter '/'") : 0;
}

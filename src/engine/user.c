/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "src/engine/config.h"

#define ACCOUNTS_MAX (4U << 20)

/* A file of the image's, which may be anything: looked up within its root. */
static int read_accounts(int rootfd, const char *path, char **ret,
			 struct err *e)
{
	autoclose int fd = -1;

	fd = path_open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
			       0, e);
	if (fd < 0)
		return fd;
	return fd_read_all(fd, ACCOUNTS_MAX, ret, NULL, e);
}

/*
 * The line "name:password:id:..." of a name, or of a number when by_id.
 * ret_next: the field after the id, a group's for passwd. Cuts text up.
 */
static bool find_line(char *text, const char *name, bool by_id, uint32_t *ret,
		      uint32_t *ret_next)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *field[4] = { 0 };

		for (size_t i = 0; i < ARRAY_SIZE(field) && line; i++)
			field[i] = strsep(&line, ":");
		if (!field[2] || !str_eq(field[by_id ? 2 : 0], name) ||
		    str_to_u32(field[2], ret) < 0)
			continue;
		return !field[3] || !ret_next ||
		       str_to_u32(field[3], ret_next) == 0;
	}
	return false;
}

static int find_user(int rootfd, const char *name, struct eng_user *u,
		     struct err *e)
{
	struct err ignored = { 0 };
	autofree char *text = NULL;
	bool number = str_to_u32(name, &u->uid) == 0;

	u->gid = 0;
	if (read_accounts(rootfd, "/etc/passwd", &text, &ignored) >= 0 &&
	    find_line(text, name, number, &u->uid, &u->gid))
		return 0;
	if (number)
		return 0; /* a number needs no account; its group is root's */
	return err_set(e, -EINVAL, "the image has no user '%s'", name);
}

static int find_group(int rootfd, const char *name, uint32_t *gid,
		      struct err *e)
{
	struct err ignored = { 0 };
	autofree char *text = NULL;

	if (str_to_u32(name, gid) == 0)
		return 0;
	if (read_accounts(rootfd, "/etc/group", &text, &ignored) >= 0 &&
	    find_line(text, name, false, gid, NULL))
		return 0;
	return err_set(e, -EINVAL, "the image has no group '%s'", name);
}

int eng_user_find(int rootfd, const char *text, struct eng_user *ret,
		  struct err *e)
{
	autostrv char **part = NULL;
	struct eng_user u = { 0 };
	int r;

	if (strv_split(text, ':', &part) < 0)
		return err_nomem(e);
	if (strv_len(part) > 2 || !*part[0])
		return err_set(e, -EINVAL, "'%s' is not USER[:GROUP]", text);
	r = find_user(rootfd, part[0], &u, e);
	if (r >= 0 && part[1])
		r = find_group(rootfd, part[1], &u.gid, e);
	if (r < 0)
		return r;
	*ret = u;
	return 0;
}

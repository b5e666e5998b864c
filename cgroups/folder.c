/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#define GROUP_MODE 0755

/* How often the parents may vanish under us, as another's last group goes. */
#define TRIES 100

/* Root has the first in every hierarchy; everybody has the second in his part
 * of the v2 tree, since Linux 5.7. */
static const char *const marks[] = { "trusted.moat.made", "user.moat.made" };

#define AS_PARENT  'p'
#define FOR_ITSELF 'g'

static void mark(const char *path, char as)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (setxattr(path, marks[i], &as, 1, 0) == 0)
			return;
	}
	log_debug("cgroup '%s' cannot be marked as ours", path);
}

/* 0: by somebody else. */
static char made_as(const char *path)
{
	char as;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (getxattr(path, marks[i], &as, sizeof(as)) > 0)
			return as;
	}
	return 0;
}

bool cg_folder_ours(const char *path)
{
	return made_as(path) != 0;
}

void cg_folder_keep(const char *path)
{
	if (made_as(path) == AS_PARENT)
		mark(path, FOR_ITSELF);
}

void cg_folder_prune(const char *path)
{
	autofree char *group = strdup(path);
	char *slash;

	while (group && (slash = strrchr(group, '/')) && slash > group) {
		*slash = '\0';
		if (made_as(group) != AS_PARENT || rmdir(group) < 0)
			break;
	}
}

/* path may be cut at an end that is not the last. */
static int make_one(const char *path, bool last, cg_folder_fn made, void *arg,
		    struct err *e)
{
	if (mkdir(path, GROUP_MODE) < 0)
		return errno == EEXIST ? 0
				       : err_errno(e, "make cgroup '%s'", path);
	mark(path, last ? FOR_ITSELF : AS_PARENT);
	if (made) {
		int r = made(arg, path, e);

		if (r < 0) {
			(void)rmdir(path);
			return r;
		}
	}
	return 1;
}

/* Gives 1 when the last one was made. */
static int make_each(char *path, size_t mount_len, cg_folder_fn made, void *arg,
		     struct err *e)
{
	char *end = path + mount_len;
	bool last = false;
	int r = 0;

	while (!last && r >= 0) {
		end = strchrnul(end + 1, '/');
		last = !*end;
		*end = '\0';
		r = make_one(path, last, made, arg, e);
		*end = last ? '\0' : '/';
	}
	return r;
}

int cg_folder_make(const char *mount, const char *path, cg_folder_fn made,
		   void *arg, bool *ret_made, struct err *e)
{
	autofree char *copy = strdup(path);
	int r = -ENOENT;

	if (!copy)
		return err_nomem(e);
	for (int i = 0; i < TRIES && r == -ENOENT; i++)
		r = make_each(copy, strlen(mount), made, arg, e);
	if (r < 0) {
		cg_folder_prune(path);
		return r;
	}
	*ret_made = r > 0;
	return 0;
}

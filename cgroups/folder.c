/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/folder.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
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

/*
 * A process can be killed between mkdir() and the mark; the first takes long
 * enough for that to happen. So a group is announced on its parent until it has
 * its mark: "trusted.moat.made.NAME".
 */
typedef bool (*notice_fn)(const char *parent, const char *name, char *as);

/* The first of the marks with which it can be done. */
static bool with_notice(const char *path, notice_fn todo, char *as)
{
	const char *slash = strrchr(path, '/');
	autofree char *parent =
		slash ? strndup(path, (size_t)(slash - path)) : NULL;
	char name[XATTR_NAME_MAX + 1];

	for (size_t i = 0; parent && i < ARRAY_SIZE(marks); i++) {
		int n = snprintf(name, sizeof(name), "%s.%s", marks[i],
				 slash + 1);

		if (n <= XATTR_NAME_MAX && todo(parent, name, as))
			return true;
	}
	return false;
}

static bool announce(const char *parent, const char *name, char *as)
{
	return setxattr(parent, name, as, 1, 0) == 0;
}

static bool withdraw(const char *parent, const char *name, char *as)
{
	return removexattr(parent, name) == 0;
}

static bool look(const char *parent, const char *name, char *as)
{
	return getxattr(parent, name, as, 1) > 0;
}

/* 0: by somebody else. */
static char made_as(const char *path)
{
	char as = 0;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (getxattr(path, marks[i], &as, sizeof(as)) > 0)
			return as;
	}
	return with_notice(path, look, &as) ? as : 0;
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

	(void)with_notice(path, withdraw, NULL);
	while (group && (slash = strrchr(group, '/')) && slash > group) {
		*slash = '\0';
		if (made_as(group) != AS_PARENT || rmdir(group) < 0)
			break;
		(void)with_notice(group, withdraw, NULL);
	}
}

/* path may be cut at an end that is not the last. */
static int make_one(const char *path, bool last, cg_folder_fn made, void *arg,
		    struct err *e)
{
	char as = last ? FOR_ITSELF : AS_PARENT;

	if (access(path, F_OK) == 0)
		return 0;
	(void)with_notice(path, announce, &as);
	if (mkdir(path, GROUP_MODE) < 0) {
		int code = errno;

		(void)with_notice(path, withdraw, NULL);
		errno = code;
		return code == EEXIST ? 0
				      : err_errno(e, "make cgroup '%s'", path);
	}
	mark(path, as);
	(void)with_notice(path, withdraw, NULL);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define RESCTRL "/sys/fs/resctrl"
#define GROUPS	"mon_groups"

/* --- folders ---------------------------------------------------------------*/

int cg_rdt_open_root(const struct cg_rdt *r, struct err *e)
{
	const char *path = r->root ? r->root : RESCTRL;
	autoclose int fd = -1;
	struct statfs fs;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_errno(e, "open '%s'", path);
	if (!r->root && (fd < 0 || fstatfs(fd, &fs) < 0 ||
			 fs.f_type != RDTGROUP_SUPER_MAGIC))
		return err_set(
			e, -EOPNOTSUPP,
			"no resctrl is mounted on '%s': 'mount -t resctrl resctrl %s' where the CPU has it",
			path, path);
	return fd < 0 ? err_code(e, -ENOENT, "open '%s'", path) : steal_fd(&fd);
}

static bool is_own(const struct cg_rdt *r)
{
	return !r->class;
}

/* As a path below the root. */
static const char *class_of(const struct cg_rdt *r)
{
	if (is_own(r))
		return r->name;
	return str_eq(r->class, "/") ? "." : r->class;
}

int cg_rdt_open_class(const struct cg_rdt *r, int root, struct err *e)
{
	int fd = openat(root, class_of(r),
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_errno(e, "class '%s'", class_of(r)) : fd;
}

static int open_groups(int class, struct err *e)
{
	int fd = openat(class, GROUPS,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_errno(e, "monitoring: open '" GROUPS "'") : fd;
}

/* --- schemata --------------------------------------------------------------*/

/* "0=0fff" and "0=FFF" are the same share. */
static bool same_share(const char *a, size_t na, const char *b, size_t nb)
{
	while (na > 1 && *a == '0') {
		a++;
		na--;
	}
	while (nb > 1 && *b == '0') {
		b++;
		nb--;
	}
	return na == nb && strncasecmp(a, b, na) == 0;
}

/* The share of a domain ("0") in a list as "0=ff;1=f", or NULL. */
static const char *find_share(const char *list, const char *domain, size_t n,
			      size_t *ret_len)
{
	while (*list && *list != '\n') {
		size_t len;

		list += strspn(list, "; \t");
		len = strcspn(list, ";\n");
		if (len > n && list[n] == '=' &&
		    strncmp(list, domain, n) == 0) {
			*ret_len = len - n - 1;
			return list + n + 1;
		}
		list += len;
	}
	return NULL;
}

/* The list behind "L3:" in the file's text, which indents its lines. */
static const char *find_resource(const char *text, const char *name, size_t n)
{
	while (*text) {
		text += strspn(text, " \t\n");
		if (strncmp(text, name, n) == 0 && text[n] == ':')
			return text + n + 1;
		text += strcspn(text, "\n");
	}
	return NULL;
}

/* Whether the class has every share that the line asks for. */
static bool has_line(const char *text, const char *line)
{
	size_t n = strcspn(line, ":");
	const char *want = line[n] ? line + n + 1 : "";
	const char *list = find_resource(text, line, n);

	while (list && *want) {
		size_t len, have_len, key;
		const char *have;

		want += strspn(want, "; \t");
		len = strcspn(want, ";");
		key = strcspn(want, "=");
		if (len == 0)
			break;
		have = key < len ? find_share(list, want, key, &have_len)
				 : NULL;
		if (!have ||
		    !same_share(have, have_len, want + key + 1, len - key - 1))
			return false;
		want += len;
	}
	return list;
}

static int compare(const struct cg_rdt *r, int class, struct err *e)
{
	autofree char *text = NULL;
	int error;

	if (!r->schemata || !*r->schemata)
		return 0;
	error = fd_read_file_at(class, "schemata", CG_RDT_SCHEMATA_MAX, &text,
				NULL, e);
	if (error < 0)
		return error;
	STRV_FOREACH(line, r->schemata)
		if (!has_line(text, *line))
			return err_set(
				e, -EEXIST,
				"class '%s' is there, and its schemata are others than '%s'",
				class_of(r), *line);
	return 0;
}

/* resctrl says why, in a file of its own. */
static int with_reason(int root, int r, struct err *e)
{
	const struct err bare = *e;
	char why[160];

	if (fd_read_small_at(root, "info/last_cmd_status", why, sizeof(why)) <=
	    0)
		return r;
	why[strcspn(why, "\n")] = '\0';
	return err_set(e, r, "%s: %s", err_text(&bare), why);
}

static int write_schemata(const struct cg_rdt *r, int root, int class,
			  struct err *e)
{
	int error;

	/* One line each: the kernel's word is then about this one. */
	STRV_FOREACH(line, r->schemata) {
		autofree char *text = str_printf("%s\n", *line);

		if (!text)
			return err_nomem(e);
		error = fd_write_small_at(class, "schemata", text, e);
		if (error < 0)
			return with_reason(root, error, e);
	}
	return 0;
}

/* --- a container's ---------------------------------------------------------*/

static int check_free(int dir, const char *name, const char *what,
		      struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : err_errno(e, "%s '%s'", what, name);
	return err_set(e, -EEXIST, "%s '%s' is there already", what, name);
}

int cg_rdt_check(const struct cg_rdt *r, struct err *e)
{
	autoclose int root = -1, class = -1, groups = -1;

	root = cg_rdt_open_root(r, e);
	if (root < 0)
		return root;
	if (is_own(r))
		return check_free(root, r->name, "class", e);
	class = openat(root, class_of(r), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (class < 0 || !r->monitoring)
		return 0;
	groups = open_groups(class, e);
	return groups < 0 ? groups
			  : check_free(groups, r->name, "monitoring group", e);
}

/* 1 when it is new, 0 when it was there. */
static int make_class(const struct cg_rdt *r, int root, struct err *e)
{
	bool wanted = is_own(r) || (r->schemata && *r->schemata);

	if (str_eq(class_of(r), "."))
		return 0;
	/* By the specification a class that nothing is said of must be there.
	 */
	if (!wanted)
		return 0;
	if (mkdirat(root, class_of(r), 0755) == 0)
		return 1;
	if (errno == ENOSPC)
		return err_set(e, -ENOSPC,
			       "class '%s': the CPU has no more classes",
			       class_of(r));
	return errno == EEXIST ? 0
			       : err_errno(e, "make class '%s'", class_of(r));
}

static int make_group(const struct cg_rdt *r, int class, struct err *e)
{
	autoclose int groups = -1;

	if (!r->monitoring)
		return 0;
	groups = open_groups(class, e);
	if (groups < 0)
		return groups;
	if (mkdirat(groups, r->name, 0755) < 0 && errno != EEXIST)
		return err_errno(e, "make monitoring group '%s'", r->name);
	return 0;
}

int cg_rdt_create(const struct cg_rdt *r, struct err *e)
{
	autoclose int root = -1, class = -1;
	int error, made;

	root = cg_rdt_open_root(r, e);
	if (root < 0)
		return root;
	made = make_class(r, root, e);
	if (made < 0)
		return made;
	class = cg_rdt_open_class(r, root, e);
	if (class < 0)
		return class;
	error = made ? write_schemata(r, root, class, e) : compare(r, class, e);
	if (error >= 0)
		error = make_group(r, class, e);
	/* One with a name is nobody's to undo later. */
	if (error < 0 && made)
		(void)unlinkat(root, class_of(r), AT_REMOVEDIR);
	return error < 0 ? error : 0;
}

static int add_task(int dir, const char *path, pid_t pid, struct err *e)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	return fd_write_small_at(dir, path, text, e);
}

int cg_rdt_join(const struct cg_rdt *r, pid_t pid, struct err *e)
{
	autoclose int root = -1, class = -1;
	autofree char *path = NULL;
	int error;

	root = cg_rdt_open_root(r, e);
	if (root < 0)
		return root;
	class = cg_rdt_open_class(r, root, e);
	if (class < 0)
		return class;
	/* The class first: a group takes only what is in its class. */
	error = add_task(class, "tasks", pid, e);
	if (error < 0 || !r->monitoring)
		return error;
	path = str_printf(GROUPS "/%s/tasks", r->name);
	return path ? add_task(class, path, pid, e) : err_nomem(e);
}

int cg_rdt_update(const struct cg_rdt *r, struct err *e)
{
	autoclose int root = -1, class = -1;

	root = cg_rdt_open_root(r, e);
	if (root < 0)
		return root;
	class = cg_rdt_open_class(r, root, e);
	return class < 0 ? class : write_schemata(r, root, class, e);
}

int cg_rdt_delete(const struct cg_rdt *r, struct err *e)
{
	autofree char *path = NULL;
	autoclose int root = -1;

	root = cg_rdt_open_root(r, e);
	if (root == -EOPNOTSUPP || root == -ENOENT)
		return 0; /* unmounted meanwhile: all is gone */
	if (root < 0)
		return root;
	path = is_own(r) ? str_printf("%s", r->name)
			 : str_printf("%s/" GROUPS "/%s", class_of(r), r->name);
	if (!path)
		return err_nomem(e);
	if (!is_own(r) && !r->monitoring)
		return 0;
	/* The group in an own class goes with it. */
	if (unlinkat(root, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(e, "remove '%s'", path);
	return 0;
}

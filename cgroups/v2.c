/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cgroups/events.h"
#include "cgroups/folder.h"

/* --- making it ------------------------------------------------------------*/

int cg_v2_open(const char *path, int *ret_fd, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open cgroup '%s'", path);
	*ret_fd = fd;
	return 0;
}

static int check_vacant(int fd, const char *path, struct err *e)
{
	struct cg_events ev;
	int r;

	r = cg_events_read(fd, &ev, e);
	if (r < 0)
		return err_wrap(e, r, "cgroup '%s'", path);
	if (ev.populated)
		return err_set(e, -EBUSY, "cgroup '%s' holds processes already",
			       path);
	return 0;
}

/* Below a threaded group the kernel takes threads of one process only, and
 * refuses everybody else later, with fewer words. */
static int check_domain(int fd, const char *path, struct err *e)
{
	char type[64];
	ssize_t n = fd_read_small_at(fd, "cgroup.type", type, sizeof(type));

	if (n < 0)
		return err_set(e, (int)n, "read type of cgroup '%s'", path);
	if (!str_eq(type, "domain") && !str_eq(type, "domain threaded"))
		return err_set(
			e, -EOPNOTSUPP,
			"cgroup '%s' is '%s': it lies below threads of another process",
			path, type);
	return 0;
}

static bool parent_is(const char *path, const char *mount)
{
	size_t n = strlen(mount);

	return !strchr(path + n + 1, '/');
}

int cg_v2_make(const char *mount, const char *path, bool shared, int *ret_fd,
	       bool *ret_made, struct err *e)
{
	autoclose int fd = -1;
	bool made;
	int r;

	r = cg_folder_make(mount, path, NULL, NULL, &made, e);
	if (r < 0)
		return r;
	r = cg_v2_open(path, &fd, e);
	if (r == 0 && !made && !shared)
		r = check_vacant(fd, path, e);
	/* Children of the root are domains always. */
	if (r == 0 && !parent_is(path, mount))
		r = check_domain(fd, path, e);
	if (r < 0) {
		if (made && rmdir(path) == 0)
			cg_folder_prune(path);
		return r;
	}
	if (shared && !made)
		cg_folder_keep(path);
	*ret_fd = steal_fd(&fd);
	*ret_made = made;
	return 0;
}

/* --- controllers ----------------------------------------------------------*/

static int hand_down(const char *group, const char *words)
{
	autofree char *file = str_printf("%s/cgroup.subtree_control", group);
	autoclose int fd = -1;

	if (!file)
		return -ENOMEM;
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, words, strlen(words)) < 0 ? -errno : 0;
}

static int explain(int r, const char *group, enum cg_ctl ctl, struct err *e)
{
	const char *name = cg_ctl_name(ctl);

	switch (r) {
	case -ENOENT:
		return err_set(e, -EOPNOTSUPP,
			       "this host has no controller '%s'", name);
	case -EBUSY:
		return err_set(
			e, r,
			"cgroup '%s' holds processes, therefore it cannot hand controller '%s' to groups below it",
			group, name);
	case -EOPNOTSUPP:
		return err_set(
			e, r,
			"cgroup '%s' has threaded groups below it, therefore controller '%s' cannot be had there",
			group, name);
	case -EINVAL:
		return err_set(
			e, r,
			"cgroup '%s' cannot hand down controller '%s' (for cpu: realtime processes are in the way)",
			group, name);
	default:
		return err_set(e, r,
			       "enable controller '%s' in cgroup '%s': %s",
			       name, group, strerrordesc_np(-r));
	}
}

/* Cuts the last part off; false when nothing of it lies below mount. */
static bool to_parent(char *path, const char *mount)
{
	char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) < strlen(mount))
		return false;
	*slash = '\0';
	return true;
}

int cg_v2_check_thawed(const char *mount, const char *path, struct err *e)
{
	autofree char *group = strdup(path);

	if (!group)
		return err_nomem(e);
	do {
		autofree char *file = str_printf("%s/cgroup.freeze", group);
		char text[8];

		if (!file)
			return err_nomem(e);
		if (fd_read_small_at(AT_FDCWD, file, text, sizeof(text)) > 0 &&
		    text[0] == '1')
			return err_set(e, -EBUSY, "cgroup '%s' is frozen",
				       group);
	} while (to_parent(group, mount));
	return 0;
}

/* Puts the next part back that to_parent() cut off. */
static void to_child(char *path, const char *whole)
{
	size_t n = strlen(path);

	if (whole[n] == '/') {
		path[n] = '/';
		path[n + 1 + strcspn(whole + n + 1, "/")] = '\0';
	}
}

int cg_v2_enable(const char *mount, const char *path, enum cg_ctl ctl,
		 struct err *e)
{
	autofree char *whole = strdup(path), *group = strdup(path);
	char words[32];
	int r;

	if (ctl == CG_CTL_CORE)
		return 0;
	if (!whole || !group)
		return err_nomem(e);
	(void)to_parent(whole, mount);
	(void)to_parent(group, mount);
	(void)snprintf(words, sizeof(words), "+%s", cg_ctl_name(ctl));

	/* -ENOENT: the group does not have it itself. */
	do {
		r = hand_down(group, words);
	} while (r == -ENOENT && to_parent(group, mount));

	while (r == 0 && strlen(group) < strlen(whole)) {
		to_child(group, whole);
		r = hand_down(group, words);
	}
	return r < 0 ? explain(r, group, ctl, e) : 0;
}

/* Most often all of them are there: one write tells. */
static bool enable_at_once(const char *mount, const char *path, uint32_t mask)
{
	autofree char *group = strdup(path);
	char words[128] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < CG_CTL_N_; i++) {
		if (mask & CG_BIT(i))
			n += (size_t)snprintf(words + n, sizeof(words) - n,
					      "+%s ",
					      cg_ctl_name((enum cg_ctl)i));
	}
	return n < sizeof(words) && group && to_parent(group, mount) &&
	       hand_down(group, words) == 0;
}

/* What of mask the v2 tree has at all; a hybrid host has the rest on v1. */
static uint32_t offered(const char *mount, uint32_t mask)
{
	autofree char *file = str_printf("%s/cgroup.controllers", mount);
	char text[512], *word = text;
	uint32_t found = 0;

	if (!file || fd_read_small_at(AT_FDCWD, file, text, sizeof(text)) < 0)
		return mask;
	while (*word) {
		size_t n = strcspn(word, " ");

		found |= CG_BIT(cg_ctl_find(word, n));
		word += n + (word[n] == ' ');
	}
	return mask & found;
}

void cg_v2_enable_some(const char *mount, const char *path, uint32_t mask)
{
	struct err e = { 0 };

	mask = offered(mount, mask);
	if (enable_at_once(mount, path, mask))
		return;
	for (unsigned int i = 0; i < CG_CTL_N_; i++) {
		if ((mask & CG_BIT(i)) &&
		    cg_v2_enable(mount, path, (enum cg_ctl)i, &e) < 0)
			log_debug("cgroup: not handed down: %s", err_text(&e));
	}
}

bool cg_v2_real_root(const char *mount)
{
	autofree char *file = str_printf("%s/cgroup.type", mount);

	return file && access(file, F_OK) < 0;
}

/* --- owners and members ---------------------------------------------------*/

/* For kernels whose list cannot be read. */
static const char delegated[] = "cgroup.procs\ncgroup.threads\n"
				"cgroup.subtree_control\n";

int cg_v2_chown(int fd, uid_t uid, gid_t gid, struct err *e)
{
	autofree char *list = NULL;
	char *save = NULL;

	if (fd_read_file_at(AT_FDCWD, "/sys/kernel/cgroup/delegate", 1 << 16,
			    &list, NULL, NULL) < 0)
		list = strdup(delegated);
	if (!list)
		return err_nomem(e);
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_errno(e, "give the cgroup to user %u", uid);
	for (char *name = strtok_r(list, "\n", &save); name;
	     name = strtok_r(NULL, "\n", &save)) {
		if (fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return err_errno(e, "give '%s' to user %u", name, uid);
	}
	return 0;
}

int cg_v2_join(int fd, pid_t pid, struct err *e)
{
	char text[16];
	int r;

	(void)snprintf(text, sizeof(text), "%d", pid);
	r = fd_write_small_at(fd, "cgroup.procs", text, e);
	return r < 0 ? err_wrap(e, r, "move process %d into the cgroup", pid)
		     : 0;
}

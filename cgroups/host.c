/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "cgroups/cg.h"

#define USUAL_MOUNT "/sys/fs/cgroup"

static bool is_fs(const char *path, unsigned long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

/*
 * 36 35 98:0 /root /mount/point rw,noatime master:1 - type source options
 * Optional fields end with the "-".
 */
enum field {
	FIELD_ROOT = 3,
	FIELD_POINT = 4,
	FIELD_OPTIONAL = 6,
};

struct mount_line {
	char *root, *point, *type, *options;
};

static bool split_line(char *line, struct mount_line *ret)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);

	for (int i = 0; word; i++, word = strtok_r(NULL, " ", &save)) {
		if (i == FIELD_ROOT)
			ret->root = word;
		else if (i == FIELD_POINT)
			ret->point = word;
		else if (i >= FIELD_OPTIONAL && str_eq(word, "-"))
			break;
	}
	if (!word)
		return false;
	ret->type = strtok_r(NULL, " ", &save);
	(void)strtok_r(NULL, " ", &save);
	ret->options = strtok_r(NULL, " ", &save);
	if (!ret->options)
		return false;
	path_unescape(ret->root);
	path_unescape(ret->point);
	return true;
}

static int add_mount(struct cg_host *h, const struct mount_line *m, bool verify,
		     struct err *e)
{
	if (str_eq(m->type, "cgroup2") && !h->v2 &&
	    (!verify || is_fs(m->point, CGROUP2_SUPER_MAGIC))) {
		h->v2 = strdup(m->point);
		return h->v2 ? 0 : err_nomem(e);
	}
	if (str_eq(m->type, "cgroup") &&
	    (!verify || is_fs(m->point, CGROUP_SUPER_MAGIC)))
		return cg_v1_host_add(&h->v1, m->root, m->point, m->options, e);
	return 0;
}

int cg_host_parse(const char *mountinfo, bool verify, struct cg_host *ret,
		  struct err *e)
{
	autofree char *text = strdup(mountinfo);
	_cleanup_(cg_host_done) struct cg_host h = { 0 };
	char *save = NULL;

	if (!text)
		return err_nomem(e);
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m = { 0 };
		int r;

		if (!strstr(line, " - cgroup") || !split_line(line, &m))
			continue;
		r = add_mount(&h, &m, verify, e);
		if (r < 0)
			return r;
	}
	*ret = h;
	h = (struct cg_host){ 0 };
	return 0;
}

static bool is_v2_host(void)
{
	return is_fs(USUAL_MOUNT, CGROUP2_SUPER_MAGIC);
}

int cg_host_find(struct cg_host *ret, struct err *e)
{
	autofree char *text = NULL;
	int r;

	if (is_v2_host()) {
		*ret = (struct cg_host){ .v2 = strdup(USUAL_MOUNT) };
		return ret->v2 ? 0 : err_nomem(e);
	}
	r = proc_read_mounts(&text, e);
	if (r < 0)
		return r;
	return cg_host_parse(text, true, ret, e);
}

void cg_host_done(struct cg_host *h)
{
	free(h->v2);
	cg_v1_host_done(&h->v1);
	*h = (struct cg_host){ 0 };
}

int cg_host_membership(pid_t pid, char **ret, struct err *e)
{
	char path[40] = "/proc/self/cgroup";

	if (pid > 0)
		(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	return fd_read_file_at(AT_FDCWD, path, 1 << 20, ret, NULL, e);
}

int cg_host_v2_path(const char *membership, char **ret, struct err *e)
{
	const char *line = membership;

	*ret = NULL;
	while (line && !str_starts(line, "0::")) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	/* "/../x": outside of our namespace. A removed group keeps its path
	 * with a word behind it. */
	if (!line || str_starts(line, "0::/..") || strstr(line, " (deleted)"))
		return 0;
	line += strlen("0::");
	*ret = strndup(line, strcspn(line, "\n"));
	return *ret ? 0 : err_nomem(e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define DEFAULT_IMAGES "checkpoint"
#define DEFAULT_CONFIG "/etc/criu/moat-oci.conf"
#define CONFIG_KEY     "org.criu.config"
#define LOG_LEVEL      4
#define CGROUP_MAX     65536
/* A bit per kind, as clone(2) has them; criu knows this one alone. */
#define EMPTY_NETWORK 0x40000000

const char *const rt_criu_cgroup_modes[] = { "soft", "full", "strict", "ignore",
					     NULL };
#define CGROUPS_IGNORE 0
static const int cgroup_modes[] = { 3, 4, 5, CGROUPS_IGNORE };

const char *const rt_criu_network_locks[] = { "default", "iptables", "nftables",
					      "skip", NULL };

static const struct json_field notes_fields[] = {
	JSON_STRV(struct criu_notes, stdio, "descriptors", .required = true,
		  .max = 3),
	JSON_MAP(struct criu_notes, points, "mountPoints"),
};
const struct json_table criu_notes_table =
	JSON_TABLE(struct criu_notes, notes_fields);

static int open_dir(const char *path, bool make, char **ret, struct err *e)
{
	autoclose int fd = -1;
	int r;

	if (make) {
		r = path_make_dirs(path, 0700, e);
		if (r < 0)
			return r;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret = fd < 0 ? NULL : realpath(path, NULL);
	return *ret ? steal_fd(&fd) : err_errno(e, "open '%s'", path);
}

int criu_dirs_open(struct criu_dirs *d, const struct rt_criu *c, bool make,
		   struct err *e)
{
	const char *images = c->image_path ? c->image_path : DEFAULT_IMAGES;

	d->images_fd = open_dir(images, make, &d->images, e);
	if (d->images_fd < 0)
		return err_wrap(e, d->images_fd, "image path");
	d->work_fd = open_dir(c->work_path ? c->work_path : images, true,
			      &d->work, e);
	return d->work_fd < 0 ? err_wrap(e, d->work_fd, "work path") : 0;
}

void criu_dirs_close(struct criu_dirs *d)
{
	free(steal_ptr(d->images));
	free(steal_ptr(d->work));
	if (d->images_fd >= 0)
		(void)close(steal_fd(&d->images_fd));
	if (d->work_fd >= 0)
		(void)close(steal_fd(&d->work_fd));
}

/* As runc has it: the annotation names another file, or none. */
static const char *config_file(const struct plan *p)
{
	const struct json_map *a = &p->annotations;

	for (size_t i = 0; i < a->n; i++)
		if (str_eq(a->keys[i], CONFIG_KEY))
			return *a->values[i] ? a->values[i] : NULL;
	return DEFAULT_CONFIG;
}

static int put_empty(struct criu_msg *m, const struct rt_criu *c, struct err *e)
{
	STRV_FOREACH(name, c->empty_ns) {
		if (!str_eq(*name, "network"))
			return err_set(e, -EINVAL,
				       "--empty-ns: '%s' is not 'network'",
				       *name);
		criu_put_num(m, CRIU_EMPTY_NS, EMPTY_NETWORK);
	}
	return 0;
}

int criu_put_common(struct criu_msg *m, const struct rt_criu *c,
		    const struct criu_dirs *d, const char *log,
		    const struct plan *p, struct err *e)
{
	criu_put_num(m, CRIU_IMAGES_DIR_FD, d->images_fd);
	criu_put_num(m, CRIU_WORK_DIR_FD, d->work_fd);
	criu_put_num(m, CRIU_LOG_LEVEL, LOG_LEVEL);
	criu_put_str(m, CRIU_LOG_FILE, log);
	criu_put_str(m, CRIU_CONFIG_FILE, config_file(p));
	criu_put_flag(m, CRIU_NOTIFY_SCRIPTS, true);
	criu_put_flag(m, CRIU_EXT_UNIX_SK, c->ext_unix_sk);
	criu_put_flag(m, CRIU_TCP_ESTABLISHED, c->tcp_established);
	criu_put_flag(m, CRIU_TCP_CLOSE, c->tcp_close);
	criu_put_flag(m, CRIU_SHELL_JOB, c->shell_job);
	criu_put_flag(m, CRIU_FILE_LOCKS, c->file_locks);
	criu_put_flag(m, CRIU_AUTO_DEDUP, c->auto_dedup);
	criu_put_flag(m, CRIU_LAZY_PAGES, c->lazy_pages);
	/* A terminal's other end is outside; binds come from there. */
	criu_put_flag(m, CRIU_ORPHAN_PTS_MASTER, true);
	criu_put_flag(m, CRIU_EXT_SHARING, true);
	criu_put_flag(m, CRIU_EXT_MASTERS, true);
	criu_put_flag(m, CRIU_MANAGE_CGROUPS, true);
	criu_put_num(m, CRIU_CGROUPS_MODE,
		     p->cgroup.driver == CG_DRIVER_DISABLED
			     ? CGROUPS_IGNORE
			     : cgroup_modes[c->cgroups_mode]);
	if (c->network_lock > 0)
		criu_put_num(m, CRIU_NETWORK_LOCK, c->network_lock);
	return put_empty(m, c, e);
}

/* A line "ID:CONTROLLERS:/path" of /proc/PID/cgroup; criu has a root for each
 * controller, and one for all that are not named: cgroup v2, then. */
static int put_cgroup(struct criu_msg *m, const char *line)
{
	autostrv char **names = NULL;
	const char *list = strchr(line, ':');
	const char *path = list ? strchr(list + 1, ':') : NULL;
	autofree char *own =
		path ? strndup(list + 1, (size_t)(path - list) - 1) : NULL;

	if (!path)
		return 0;
	if (!own || strv_split(own, ',', &names) < 0)
		return -ENOMEM;
	if (!*own)
		criu_put_pair(m, CRIU_CG_ROOT, NULL, path + 1);
	STRV_FOREACH(name, names)
		criu_put_pair(m, CRIU_CG_ROOT, *name, path + 1);
	return 0;
}

int criu_put_cgroups(struct criu_msg *m, pid_t criu, struct err *e)
{
	autofree char *text = NULL;
	autostrv char **lines = NULL;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)criu);
	r = fd_read_file_at(AT_FDCWD, path, CGROUP_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	if (strv_split(text, '\n', &lines) < 0)
		return err_nomem(e);
	STRV_FOREACH(line, lines)
		if (put_cgroup(m, *line) < 0)
			return err_nomem(e);
	return 0;
}

const char *criu_point(const struct criu_notes *n, const char *target)
{
	for (size_t i = 0; i < n->points.n; i++)
		if (str_eq(n->points.keys[i], target))
			return n->points.values[i];
	return target;
}

const char *criu_external_key(enum ns_kind kind)
{
	if (kind == NS_NET)
		return "extRootNetNS";
	return kind == NS_PID ? "extRootPidNS" : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cgroups/priv.h"
#include "cgroups/stat.h"

/*
 * v2: memory.events changes when somebody is killed, cgroup.events when the
 * last process is gone; one inotify descriptor watches both. v1 has an
 * eventfd, which also counts up when the group is removed.
 *
 * systemd removes a group as soon as it is empty, and with it the count of
 * the kill that emptied it. The kernel's log still has it: a line per kill,
 * written before the victim dies, with the group's path.
 */
static int watch(int fd, const char *group, const char *file, struct err *e)
{
	autofree char *path = str_printf("%s/%s", group, file);

	if (!path)
		return err_nomem(e);
	if (inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return err_errno(e, "watch '%s'", path);
	return 0;
}

static int open_v2(const struct cg *cg, struct err *e)
{
	autoclose int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int r;

	if (fd < 0)
		return err_errno(e, "watch the cgroup");
	r = watch(fd, cg->path, "memory.events", e);
	if (r == -ENOENT)
		return err_set(e, -EOPNOTSUPP,
			       "cgroup '%s' has no controller 'memory'",
			       cg->path);
	if (r == 0)
		r = watch(fd, cg->path, "cgroup.events", e);
	return r < 0 ? r : steal_fd(&fd);
}

/* Something had happened. */
static bool drain(int fd)
{
	char buf[4096];
	bool any = false;
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
		any = any || n > 0;
	} while (n == (ssize_t)sizeof(buf));
	return any;
}

static int kills_v2(const struct cg *cg, uint64_t *ret, struct err *e)
{
	static const struct cg_stat_field kills[] = {
		CG_STAT("memory.events", "oom_kill", memory_oom_kills),
	};
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	int r;

	r = cg_stat_fields(cg->fd, kills, ARRAY_SIZE(kills), &s, e);
	if (r == 0 && !s.memory_oom_kills.set)
		return err_set(e, -ENODEV, "the cgroup is gone");
	*ret = s.memory_oom_kills.v;
	return r;
}

/* --- the kernel's log -----------------------------------------------------*/

/* From now on; who may not read it goes without. */
static void open_log(struct cg *cg)
{
	auto_close_(&cg->log);
	cg->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (cg->log >= 0 && lseek(cg->log, 0, SEEK_END) < 0)
		log_debug("the kernel's log is read from its start");
	cg->log_kills = cg->oom_kills;
}

/* "6,1234,5678,-;oom-kill:...,task_memcg=/a/b,task=x,pid=1,uid=0": in the
 * group or below it? group: as the end of a path. */
bool cg_oom_line(const char *line, const char *group)
{
	const char *at = strstr(line, ",task_memcg=");
	size_t n = strlen(group);

	if (!at || !strstr(line, ";oom-kill:"))
		return false;
	for (at = strstr(at, group); at; at = strstr(at + 1, group)) {
		if (at[n] == ',' || at[n] == '/')
			return true;
	}
	return false;
}

/* One record at a time; EPIPE: some were overwritten. */
static uint64_t kills_in_log(struct cg *cg)
{
	const char *group = strrchr(cg->path, '/');
	char line[4096];
	ssize_t n;

	while ((n = read(cg->log, line, sizeof(line) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		line[MAX_OF(n, 0)] = '\0';
		cg->log_kills += cg_oom_line(line, group);
	}
	return MAX_OF(cg->log_kills, cg->oom_kills);
}

/* --- both -----------------------------------------------------------------*/

int cg_oom_open(struct cg *cg, struct err *e)
{
	int r;

	if (cg_v1_fd(&cg->v1, CG_CTL_MEMORY) >= 0)
		return cg_v1_oom_open(&cg->v1, e);
	if (cg->fd < 0)
		return err_set(e, -EOPNOTSUPP,
			       "the cgroup has no controller 'memory'");
	r = open_v2(cg, e);
	if (r >= 0 && cg->unit.name) {
		if (kills_v2(cg, &cg->oom_kills, NULL) < 0)
			log_debug("the cgroup has gone already");
		open_log(cg);
	}
	return r;
}

int cg_oom_read(struct cg *cg, int fd, uint64_t *ret_kills, struct err *e)
{
	bool any = drain(fd);
	int r;

	if (cg_v1_fd(&cg->v1, CG_CTL_MEMORY) >= 0)
		r = cg_v1_oom_kills(&cg->v1, any ? &cg->oom_kills : NULL,
				    ret_kills, e);
	else
		r = kills_v2(cg, ret_kills, e);
	if (r == -ENODEV && cg->log >= 0) {
		*ret_kills = kills_in_log(cg);
		r = 0;
	}
	if (r == 0)
		cg->oom_kills = *ret_kills;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/str.h"
#include "cgroups/priv.h"
#include "cgroups/stat.h"

/*
 * v2: memory.events changes when somebody is killed, cgroup.events when the
 * last process is gone; one inotify descriptor watches both. v1 has an
 * eventfd, which also counts up when the group is removed.
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

int cg_oom_open(struct cg *cg, struct err *e)
{
	if (cg_v1_fd(&cg->v1, CG_CTL_MEMORY) >= 0)
		return cg_v1_oom_open(&cg->v1, e);
	if (cg->fd >= 0)
		return open_v2(cg, e);
	return err_set(e, -EOPNOTSUPP, "the cgroup has no controller 'memory'");
}

static void drain(int fd)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf))
		;
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

int cg_oom_read(struct cg *cg, int fd, uint64_t *ret_kills, struct err *e)
{
	int r;

	drain(fd);
	if (cg_v1_fd(&cg->v1, CG_CTL_MEMORY) >= 0)
		r = cg_v1_oom_kills(&cg->v1, cg->oom_kills, ret_kills, e);
	else
		r = kills_v2(cg, ret_kills, e);
	if (r == 0)
		cg->oom_kills = *ret_kills;
	return r;
}

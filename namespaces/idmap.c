/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/clone.h"

/* UID_GID_MAP_MAX_EXTENTS, and what one write to uid_map may be long. */
#define MAX_LINES 340
#define MAX_TEXT  4096

/* clang-format off */
static const struct json_field idmap_fields[] = {
	JSON_U32(struct ns_idmap, container_id, "containerID", .required = true, .always = true),
	JSON_U32(struct ns_idmap, host_id,      "hostID",      .required = true, .always = true),
	JSON_U32(struct ns_idmap, size,         "size",        .required = true, .always = true),
};
/* clang-format on */

const struct json_table ns_idmap_table =
	JSON_TABLE(struct ns_idmap, idmap_fields);

/* What differs between users and groups. */
struct side {
	const char *file;
	const char *helper;
	const char *what;
};

static const struct side users = { "uid_map", "newuidmap", "user" };
static const struct side groups = { "gid_map", "newgidmap", "group" };

/* 4294967295 is "no id" to the kernel and belongs to no range. */
static bool fits(uint32_t first, uint32_t size)
{
	return size > 0 && size <= UINT32_MAX - first;
}

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < (uint64_t)b + b_size && b < (uint64_t)a + a_size;
}

static int check_pair(const struct ns_idmap *a, const struct ns_idmap *b,
		      const char *what, struct err *e)
{
	if (overlap(a->container_id, a->size, b->container_id, b->size))
		return err_set(e, -EINVAL,
			       "%s mappings overlap at container id %" PRIu32,
			       what, MAX_OF(a->container_id, b->container_id));
	if (overlap(a->host_id, a->size, b->host_id, b->size))
		return err_set(e, -EINVAL,
			       "%s mappings overlap at host id %" PRIu32, what,
			       MAX_OF(a->host_id, b->host_id));
	return 0;
}

int ns_idmap_check(const struct ns_idmaps *m, const char *what, struct err *e)
{
	int r = 0;

	if (m->n > MAX_LINES)
		return err_set(e, -E2BIG,
			       "%zu %s mappings, but the kernel takes %d", m->n,
			       what, MAX_LINES);
	for (size_t i = 0; i < m->n; i++) {
		const struct ns_idmap *a = &m->v[i];

		if (!fits(a->container_id, a->size) ||
		    !fits(a->host_id, a->size))
			return err_set(
				e, -EINVAL,
				"%s mapping %zu: empty or beyond 4294967294",
				what, i);
		for (size_t j = 0; j < i && r == 0; j++)
			r = check_pair(&m->v[j], a, what, e);
	}
	return r;
}

int ns_idmap_host(const struct ns_idmaps *m, uint32_t container_id,
		  uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct ns_idmap *a = &m->v[i];

		if (container_id < a->container_id ||
		    container_id - a->container_id >= a->size)
			continue;
		*ret = a->host_id + (container_id - a->container_id);
		return 0;
	}
	return -ENOENT;
}

static int map_text(const struct ns_idmaps *m, char text[MAX_TEXT],
		    struct err *e)
{
	size_t len = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct ns_idmap *a = &m->v[i];

		len += (size_t)snprintf(text + len, MAX_TEXT - len,
					"%" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
					a->container_id, a->host_id, a->size);
		if (len >= MAX_TEXT)
			return err_set(e, -E2BIG,
				       "id mappings longer than a page");
	}
	return 0;
}

/* newuidmap PID INSIDE OUTSIDE SIZE ... */
static int run_helper(const struct side *side, pid_t pid,
		      const struct ns_idmaps *m, struct err *e)
{
	struct proc_run run = { .path = side->helper, .quiet = true };
	autostrv char **argv = NULL;
	int r;

	r = strv_addf(&argv, "%s", side->helper);
	if (r >= 0)
		r = strv_addf(&argv, "%d", pid);
	for (size_t i = 0; i < m->n && r >= 0; i++) {
		r = strv_addf(&argv, "%" PRIu32, m->v[i].container_id);
		if (r >= 0)
			r = strv_addf(&argv, "%" PRIu32, m->v[i].host_id);
		if (r >= 0)
			r = strv_addf(&argv, "%" PRIu32, m->v[i].size);
	}
	if (r < 0)
		return err_nomem(e);

	run.argv = argv;
	r = proc_run(&run, e);
	if (r == -ENOENT)
		return err_set(
			e, r,
			"mapping more than one's own %s needs %s, which is not installed",
			side->what, side->helper);
	return r > 0 ? err_wrap(e, -EPERM, "map %ss", side->what) : r;
}

static bool is_single(const struct ns_idmaps *m, uint32_t own_id)
{
	return m->n == 1 && m->v[0].size == 1 && m->v[0].host_id == own_id;
}

static int write_file(pid_t pid, const char *file, const char *text,
		      struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fd_write_small_at(AT_FDCWD, path, text, e);
}

static int write_uids(pid_t pid, const struct ns_idmaps *m, struct err *e)
{
	char text[MAX_TEXT];
	int r;

	r = map_text(m, text, e);
	if (r < 0)
		return r;
	r = write_file(pid, users.file, text, e);
	if (r != -EPERM || is_single(m, geteuid()))
		return r;
	return run_helper(&users, pid, m, e);
}

/*
 * Without rights over groups a process may map its own one only after it has
 * given up setgroups(2) in the namespace: else it could drop a group that
 * denies it something.
 */
static int write_gids(pid_t pid, const struct ns_idmaps *m, struct err *e)
{
	char text[MAX_TEXT];
	int r;

	r = map_text(m, text, e);
	if (r < 0)
		return r;
	r = write_file(pid, groups.file, text, e);
	if (r != -EPERM)
		return r;
	if (!is_single(m, getegid()))
		return run_helper(&groups, pid, m, e);
	r = write_file(pid, "setgroups", "deny", e);
	if (r < 0)
		return r;
	return write_file(pid, groups.file, text, e);
}

int ns_idmap_write(pid_t pid, const struct ns_map *map, struct err *e)
{
	int r = 0;

	if (map->uids.n > 0)
		r = write_uids(pid, &map->uids, e);
	if (r >= 0 && map->gids.n > 0)
		r = write_gids(pid, &map->gids, e);
	return r;
}

/* Lives until the other end of the pipe is closed, by us or by our death. */
NORETURN static void hold(const int ends[2])
{
	char c;

	(void)close(ends[1]);
	while (read(ends[0], &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

int ns_idmap_userns(const struct ns_map *map, struct err *e)
{
	const struct ns_clone clone = {
		.flags = CLONE_NEWUSER,
		.cgroup_fd = -1,
	};
	autoclose int wait_end = -1, hold_end = -1;
	int ends[2], fd = -1, r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	wait_end = ends[0];
	hold_end = ends[1];
	pid = ns_fork(&clone, e);
	if (pid < 0)
		return pid;
	if (pid == 0)
		hold(ends);

	r = ns_idmap_write(pid, map, e);
	if (r >= 0)
		r = fd = ns_open_of(pid, NS_USER, e);
	(void)close(steal_fd(&hold_end));
	(void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
	return r < 0 ? r : fd;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "src/runtime/attend.h"
#include "src/runtime/criu.h"
#include "src/runtime/env.h"
#include "src/runtime/make.h"
#include "src/runtime/rdt.h"
#include "src/runtime/run.h"

#define LOG_FILE "restore.log"

struct restore {
	struct make make;
	const struct rt_criu *args;
	struct criu_dirs dirs;
	struct criu_msg opts;
	struct criu_notes notes;
	int fds[NS_KIND_N_ + 3];
	size_t n_fds;
};

static void restore_done(struct restore *r)
{
	for (size_t i = 0; i < r->n_fds; i++)
		if (r->fds[i] > 2)
			(void)close(r->fds[i]);
	json_free(&criu_notes_table, &r->notes);
	criu_msg_done(&r->opts);
	criu_dirs_close(&r->dirs);
	make_done(&r->make);
}

static int check(const struct restore *r, struct err *e)
{
	const struct plan *p = &r->make.plan;

	if (p->isolation == PLAN_VM)
		return err_set(e, -EOPNOTSUPP,
			       "criu cannot restore into a micro-VM");
	if (r->make.ctx->rootless)
		return err_set(e, -EPERM, "a restore needs root");
	if (p->root.layers)
		return err_set(e, -EOPNOTSUPP,
			       "a root of layers cannot be restored");
	if (plan_covers_root(p))
		return err_set(e, -EOPNOTSUPP,
			       "criu cannot restore a mount on '/'");
	if (p->root.shared)
		return err_set(
			e, -EOPNOTSUPP,
			"criu restores into a mount namespace of its own");
	if (p->net_devices.n > 0)
		return err_set(e, -EOPNOTSUPP,
			       "netDevices: criu cannot give '%s' back",
			       p->net_devices.v[0].name);
	return 0;
}

/* --- what criu is told -----------------------------------------------------*/

static void put_mounts(struct restore *r)
{
	const struct plan *p = &r->make.plan;

	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct ns_mount *m = &p->mounts.v[i];

		if (!plan_mount_is_external(p, m))
			continue;
		criu_put_pair(&r->opts, CRIU_EXT_MNT,
			      criu_point(&r->notes, m->target),
			      m->flags & NS_MOUNT_CGROUP
				      ? cg_path(r->make.cgroup)
				      : m->source);
	}
}

/* In a user namespace they are mounts. What the host lacks was made for the
 * first start alone. */
static int put_devices(struct restore *r, struct err *e)
{
	const struct plan *p = &r->make.plan;

	for (size_t i = 0; p->own_dev && i < p->devices.n; i++) {
		const struct ns_device *d = &p->devices.v[i];
		char buf[NS_DEVICE_SOURCE];
		const char *source = ns_device_source(d, buf);

		if (d->type == 'p')
			continue;
		if (source)
			criu_put_pair(&r->opts, CRIU_EXT_MNT,
				      criu_point(&r->notes, d->path), source);
		else if (plan_owns(p, NS_USER))
			return err_set(
				e, -ENODEV,
				"device '%s': no node of the host for criu to bind",
				d->path);
	}
	return 0;
}

static void put_fd(struct restore *r, const char *key, int fd)
{
	r->fds[r->n_fds++] = fd;
	criu_put_fd(&r->opts, CRIU_INHERIT_FD, key, fd);
}

static int put_namespace(struct restore *r, enum ns_kind kind, struct err *e)
{
	const char *path = plan_namespace(&r->make.plan, kind);
	int fd;

	if (!path || !path[0])
		return 0;
	if (kind == NS_CGROUP)
		return err_set(e, -EOPNOTSUPP,
			       "criu cannot join a cgroup namespace");
	if (!criu_external_key(kind)) {
		criu_put_pair(&r->opts, CRIU_JOIN_NS, ns_info[kind].file, path);
		return 0;
	}
	fd = ns_open(path, kind, e);
	if (fd < 0)
		return fd;
	put_fd(r, criu_external_key(kind), fd);
	return 0;
}

/* Pipes of ours for pipes that were others'. */
static void put_stdio(struct restore *r)
{
	int fd = 0;

	STRV_FOREACH(name, r->notes.stdio) {
		if (str_starts(*name, "pipe:"))
			put_fd(r, *name, fd);
		fd++;
	}
}

static int read_notes(struct restore *r, struct err *e)
{
	int error = json_read_file_at(r->dirs.images_fd, CRIU_NOTES_FILE,
				      &criu_notes_table, &r->notes, e);

	return error < 0 ? err_wrap(e, error, "'%s' is not a checkpoint",
				    r->dirs.images)
			 : 0;
}

static int put_options(struct restore *r, struct err *e)
{
	const struct rt_criu *c = r->args;
	struct criu_msg *m = &r->opts;
	int error;

	error = criu_put_common(m, c, &r->dirs, LOG_FILE, &r->make.plan, e);
	if (error < 0)
		return error;
	criu_put_flag(m, CRIU_RST_SIBLING, true);
	criu_put_str(m, CRIU_ROOT, r->make.plan.root.path);
	criu_put_str(m, CRIU_LSM_PROFILE, c->lsm_profile);
	criu_put_str(m, CRIU_LSM_MOUNT_CONTEXT, c->lsm_mount_context);
	put_mounts(r);
	put_stdio(r);
	error = put_devices(r, e);
	for (int k = 0; k < NS_KIND_N_ && error >= 0; k++)
		error = put_namespace(r, (enum ns_kind)k, e);
	return error < 0 ? error : 0;
}

/* --- where it goes ---------------------------------------------------------*/

/* The last of the mounts before it that it lies below; NULL: the root. */
static const struct ns_mount *mount_above(const struct plan_mounts *m, size_t i)
{
	for (size_t k = i; k-- > 0;)
		if (path_below(m->v[i].target, m->v[k].target))
			return &m->v[k];
	return NULL;
}

/*
 * Where the point of a mount lies on the host: the root, or the folder that is
 * bound there. NULL: in a file system that comes with the image, and its
 * folders with it.
 */
static const char *find_below(const struct plan *p, size_t i,
			      const char **ret_point)
{
	const struct ns_mount *above = mount_above(&p->mounts, i);

	*ret_point = p->mounts.v[i].target;
	if (!above)
		return p->root.path;
	if (!(above->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND)))
		return NULL;
	*ret_point += strlen(above->target);
	return **ret_point ? above->source : NULL;
}

static int make_point(const struct plan *p, size_t i, struct err *e)
{
	const struct ns_mount *m = &p->mounts.v[i];
	const char *point, *below = find_below(p, i, &point);
	enum path_kind kind = PATH_DIR;
	autoclose int root = -1, fd = -1;
	struct stat st;

	if (!below)
		return 0;
	root = open(below, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(e, "open '%s'", below);
	if (plan_mount_is_external(p, m) && m->source &&
	    stat(m->source, &st) == 0 && !S_ISDIR(st.st_mode))
		kind = PATH_FILE;
	fd = path_make_in_root(root, point, kind, e);
	return fd < 0 && fd != -EEXIST ? fd : 0;
}

/* Root and volumes may be new ones. */
static int make_points(const struct plan *p, struct err *e)
{
	int r;

	for (size_t i = 0; i < p->mounts.n; i++) {
		r = make_point(p, i, e);
		if (r < 0)
			return err_wrap(e, r, "mounts: [%zu]", i);
	}
	return 0;
}

static int run_hooks(struct make *m, int pid, struct err *e)
{
	int r;

	m->state.pid = pid;
	r = env_host_hooks(&m->plan, PLAN_HOOK_PRESTART, &m->state,
			   m->launch.stop, e);
	if (r < 0)
		return r;
	return env_host_hooks(&m->plan, PLAN_HOOK_CREATE_RUNTIME, &m->state,
			      m->launch.stop, e);
}

static int on_script(void *arg, const char *script, int pid, int fd,
		     struct err *e)
{
	struct restore *r = arg;

	if (str_eq(script, "orphan-pts-master") && r->make.launch.console < 0)
		r->make.launch.console = steal_fd(&fd);
	if (fd >= 0)
		(void)close(fd);
	return str_eq(script, "setup-namespaces") ? run_hooks(&r->make, pid, e)
						  : 0;
}

/*
 * In the user namespace criu still asks for images, as a root who may not even
 * search their folder: in criu's sight they are his. -1: on a file system that
 * cannot show it they stay as they are.
 */
static int map_images(const struct restore *r)
{
	const struct plan *p = &r->make.plan;
	struct ns_mount m = {
		.source = r->dirs.images,
		.target = r->dirs.images,
		.flags = NS_MOUNT_BIND | NS_MOUNT_IDMAP,
	};
	struct ns_mount_env env = { .rootfd = -1 };
	struct err why = { 0 };
	autoclose int userns = -1;
	int tree = -1;

	if (p->map.uids.n == 0)
		return -1;
	userns = ns_idmap_userns(&p->map, &why);
	env.userns = userns;
	if (userns < 0 || ns_mount_prepare(&m, &env, &tree, &why) < 0)
		log_debug("images: %s", err_text(&why));
	return tree;
}

/* --- the restore -----------------------------------------------------------*/

static int adopt(struct restore *r, pid_t pid, struct err *e)
{
	struct make *m = &r->make;
	int error;

	m->launch.pid = pid;
	m->launch.pidfd = proc_pidfd_open(pid, e);
	if (m->launch.pidfd < 0)
		return m->launch.pidfd;
	error = make_note_init(m, e);
	if (error >= 0)
		error = make_limit(m, e);
	if (error >= 0)
		error = rt_rdt_join(&m->plan, m->args->id, pid, e);
	return error < 0 ? error : make_announce(m, e);
}

static int restore(struct restore *r, struct err *e)
{
	struct make *m = &r->make;
	struct criu_job job = {
		.type = CRIU_RESTORE,
		.opts = &r->opts,
		.dirs = &r->dirs,
		.log_file = LOG_FILE,
		.on_script = on_script,
		.arg = r,
		.stop = m->launch.stop,
		.root = m->plan.root.path,
		.old_mask = m->launch.old_mask,
	};
	autoclose int images = -1;
	int error;

	error = make_reserve(m, e);
	if (error >= 0)
		error = make_group(m, e);
	/* If we are killed, what criu has made is in there, and ours. */
	if (error >= 0)
		error = state_write(m->dir, &m->state, e);
	if (error >= 0)
		error = make_points(&m->plan, e);
	if (error >= 0)
		error = put_options(r, e);
	if (error < 0)
		return error;
	m->launch.plan = &m->plan;
	m->launch.process = &m->plan.process;
	images = map_images(r);
	job.images_tree = images;
	job.cgroup = m->cgroup;
	job.fds = r->fds;
	job.n_fds = r->n_fds;
	error = criu_run(&job, e);
	return error < 0 ? error : adopt(r, job.restored, e);
}

static int restore_attended(struct restore *r, struct err *e)
{
	_cleanup_(attend_done) struct attend a = { 0 };
	struct make *m = &r->make;
	int status;

	status = attend_begin(&a, e);
	if (status < 0)
		return status;
	m->launch.old_mask = attend_mask(&a);
	m->launch.stop = a.stop;
	status = restore(r, e);
	if (status >= 0) {
		make_unlock(m);
		status = attend_wait(&a, &m->launch, e);
	}
	if (status >= 0)
		return run_finish(m, status, e);
	make_undo(m);
	return attend_stopped(&a, status);
}

int rt_restore(const struct rt_context *ctx, const struct rt_create *create,
	       const struct rt_criu *c, struct err *e)
{
	_cleanup_(restore_done) struct restore r = {
		.make = MAKE_INIT,
		.args = c,
		.dirs = CRIU_DIRS_INIT,
	};
	int error;

	r.make.ctx = ctx;
	r.make.args = create;
	error = make_plan(&r.make, e);
	if (error >= 0)
		error = check(&r, e);
	if (error >= 0)
		error = criu_dirs_open(&r.dirs, c, false, e);
	if (error >= 0)
		error = read_notes(&r, e);
	if (error >= 0)
		error = run_become_subreaper(create, e);
	if (error < 0)
		return error;
	if (!create->io.detach)
		return restore_attended(&r, e);
	error = restore(&r, e);
	if (error < 0)
		make_undo(&r.make);
	return error;
}

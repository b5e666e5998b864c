/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"
#include "base/path.h"
#include "base/str.h"
#include "src/runtime/criu.h"
#include "src/runtime/env.h"

#define LOG_FILE "dump.log"

struct dump {
	const struct rt_criu *args;
	struct env env;
	struct criu_dirs dirs;
	struct criu_msg opts;
	struct criu_notes notes;
};

#define DUMP_INIT                                                              \
	{                                                                      \
		.env = ENV_INIT, .dirs = CRIU_DIRS_INIT                        \
	}

static void dump_done(struct dump *d)
{
	json_free(&criu_notes_table, &d->notes);
	criu_msg_done(&d->opts);
	criu_dirs_close(&d->dirs);
	env_close(&d->env);
}

/* --- may it be done --------------------------------------------------------*/

static int check(const struct dump *d, const struct rt_context *ctx,
		 struct err *e)
{
	const struct state *s = &d->env.state;

	if (s->isolation == PLAN_VM)
		return err_set(e, -EOPNOTSUPP,
			       "criu cannot look into micro-VM '%s'", s->id);
	if (ctx->rootless)
		return err_set(e, -EPERM, "a checkpoint needs root");
	if (s->status != STATE_RUNNING && s->status != STATE_PAUSED)
		return err_set(e, -EINVAL,
			       "cannot checkpoint container '%s' in state '%s'",
			       s->id, state_status_names[s->status]);
	if (d->env.plan.root.layers)
		return err_set(
			e, -EOPNOTSUPP,
			"container '%s' has a root of layers, which end with it",
			s->id);
	if (plan_covers_root(&d->env.plan))
		return err_set(
			e, -EOPNOTSUPP,
			"container '%s' has a mount on '/', which criu cannot find again",
			s->id);
	if (d->env.plan.root.shared)
		return err_set(
			e, -EOPNOTSUPP,
			"container '%s' has no mount namespace of its own",
			s->id);
	return 0;
}

static int check_parent(const struct dump *d, struct err *e)
{
	const char *parent = d->args->parent_path;
	struct stat st;

	if (!parent)
		return 0;
	if (parent[0] == '/')
		return err_set(e, -EINVAL,
			       "--parent-path is relative to the image path");
	if (fstatat(d->dirs.images_fd, parent, &st, 0) < 0)
		return err_errno(e, "--parent-path '%s'", parent);
	return 0;
}

/* --- what criu is told -----------------------------------------------------*/

static int note_point(struct dump *d, const char *target, const char *point)
{
	struct json_map *m = &d->notes.points;

	if (str_eq(target, point))
		return 0;
	if (strv_add(&m->keys, target) < 0 || strv_add(&m->values, point) < 0)
		return -ENOMEM;
	m->n++;
	return 0;
}

/* criu looks for mounts where they are, which is behind any link. */
static int put_mount(struct dump *d, int root, const char *target)
{
	struct err ignored = { 0 };
	char link[PATH_FD_MAX], point[PATH_MAX];
	autoclose int fd = path_open_in_root(root, target, O_PATH, 0, &ignored);
	ssize_t n = fd < 0 ? -1
			   : readlink(path_of_fd(fd, link), point,
				      sizeof(point) - 1);

	point[n > 0 ? n : 0] = '\0';
	if (point[0] != '/') /* nobody can say: criu will */
		(void)snprintf(point, sizeof(point), "%s", target);
	criu_put_pair(&d->opts, CRIU_EXT_MNT, point, point);
	return note_point(d, target, point);
}

/* Where nodes could not be made they are mounts, too; criu passes over others. */
static int put_devices(struct dump *d, int root)
{
	const struct plan *p = &d->env.plan;

	for (size_t i = 0; p->own_dev && i < p->devices.n; i++)
		if (p->devices.v[i].type != 'p' &&
		    put_mount(d, root, p->devices.v[i].path) < 0)
			return -ENOMEM;
	return 0;
}

static int put_mounts(struct dump *d, struct err *e)
{
	const struct plan_mounts *m = &d->env.plan.mounts;
	autoclose int root = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/root", d->env.state.pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(e, "open '%s'", path);
	for (size_t i = 0; i < m->n; i++)
		if (plan_mount_is_external(&d->env.plan, &m->v[i]) &&
		    put_mount(d, root, m->v[i].target) < 0)
			return err_nomem(e);
	return put_devices(d, root) < 0 ? err_nomem(e) : 0;
}

static int put_namespaces(struct dump *d, struct err *e)
{
	static const enum ns_kind kinds[] = { NS_NET, NS_PID };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *path = plan_namespace(&d->env.plan, kinds[i]);
		autofree char *text = NULL;
		struct stat st;

		if (!path || !path[0])
			continue;
		if (stat(path, &st) < 0)
			return err_errno(e, "look at '%s'", path);
		text = str_printf("%s[%ju]:%s", ns_info[kinds[i]].file,
				  (uintmax_t)st.st_ino,
				  criu_external_key(kinds[i]));
		if (!text)
			return err_nomem(e);
		criu_put_str(&d->opts, CRIU_EXTERNAL, text);
	}
	return 0;
}

static int put_page_server(struct dump *d, struct err *e)
{
	const char *text = d->args->page_server;
	struct criu_msg server = { 0 };
	autofree char *address = NULL;
	const char *colon;
	uint32_t port;

	if (!text)
		return 0;
	colon = strrchr(text, ':');
	if (!colon || colon == text || str_to_u32(colon + 1, &port) < 0 ||
	    port == 0 || port > 65535)
		return err_set(e, -EINVAL,
			       "--page-server: '%s' is not ADDRESS:PORT", text);
	address = strndup(text, (size_t)(colon - text));
	if (!address)
		return err_nomem(e);
	criu_put_str(&server, 1, address);
	criu_put_num(&server, 2, port);
	criu_put_msg(&d->opts, CRIU_PAGE_SERVER, &server);
	criu_msg_done(&server);
	return 0;
}

/* criu then freezes by the group; else it stops them one by one. */
static void put_freezer(struct dump *d)
{
	struct err ignored = { 0 };

	if (d->env.state.cgroup.hierarchies.n > 0 &&
	    env_cgroup(&d->env, &ignored) == 0)
		criu_put_str(&d->opts, CRIU_FREEZE_CGROUP,
			     cg_path(d->env.cgroup));
}

static int put_options(struct dump *d, struct err *e)
{
	const struct rt_criu *c = d->args;
	struct criu_msg *m = &d->opts;
	int r;

	r = criu_put_common(m, c, &d->dirs, LOG_FILE, &d->env.plan, e);
	if (r < 0)
		return r;
	criu_put_num(m, CRIU_PID, d->env.state.pid);
	criu_put_str(m, CRIU_ROOT, d->env.plan.root.path);
	criu_put_flag(m, CRIU_LEAVE_RUNNING, c->leave_running);
	criu_put_flag(m, CRIU_TCP_SKIP_IN_FLIGHT, c->tcp_skip_in_flight);
	criu_put_flag(m, CRIU_LINK_REMAP, c->link_remap);
	criu_put_str(m, CRIU_PARENT_IMG, c->parent_path);
	criu_put_flag(m, CRIU_TRACK_MEM, c->parent_path || c->pre_dump);
	put_freezer(d);
	r = c->pre_dump ? 0 : put_mounts(d, e);
	if (r >= 0)
		r = put_namespaces(d, e);
	return r < 0 ? r : put_page_server(d, e);
}

/* --- what criu does not write down -----------------------------------------*/

static int note_stdio(struct dump *d)
{
	for (int fd = 0; fd < 3; fd++) {
		char path[64], name[PATH_MAX];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d",
			       d->env.state.pid, fd);
		n = readlink(path, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		if (strv_add(&d->notes.stdio, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int write_notes(struct dump *d, struct err *e)
{
	autofree char *text = NULL;
	int r;

	if (note_stdio(d) < 0)
		return err_nomem(e);
	r = json_write(&criu_notes_table, &d->notes, false, &text, NULL, e);
	if (r < 0)
		return r;
	return fd_replace_at(d->dirs.images_fd, CRIU_NOTES_FILE, text,
			     strlen(text), 0600, false, e);
}

/* --- the dump --------------------------------------------------------------*/

/* A reader of lazy pages may begin now. */
static int on_script(void *arg, const char *script, int pid, int fd,
		     struct err *e)
{
	const struct rt_criu *c = arg;

	if (fd >= 0)
		(void)close(fd);
	if (!str_eq(script, "status-ready") || !c->status_fd.set)
		return 0;
	if (fd_write_all((int)c->status_fd.v, "", 1) < 0)
		return err_set(e, -EBADF, "--status-fd: cannot write to it");
	(void)close((int)c->status_fd.v);
	return 0;
}

static int dump(struct dump *d, struct err *e)
{
	struct criu_job job = {
		.type = d->args->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP,
		.opts = &d->opts,
		.dirs = &d->dirs,
		.log_file = LOG_FILE,
		.on_script = on_script,
		.arg = (void *)d->args,
		.stop = -1,
		.images_tree = -1,
	};
	int r;

	r = put_options(d, e);
	if (r >= 0 && !d->args->pre_dump)
		r = write_notes(d, e);
	return r < 0 ? r : criu_run(&job, e);
}

/* It has ended; what is left goes as with "delete". */
static int finish(struct dump *d, const struct rt_context *ctx, const char *id,
		  struct err *e)
{
	int r;

	if (d->args->leave_running || d->args->pre_dump)
		return 0;
	r = env_erase_opened(&d->env, ctx, id, e);
	if (r < 0)
		return r;
	env_poststop(&d->env.plan, &d->env.state);
	return 0;
}

int rt_checkpoint(const struct rt_context *ctx, const char *id,
		  const struct rt_criu *c, struct err *e)
{
	_cleanup_(dump_done) struct dump d = DUMP_INIT;
	int r;

	d.args = c;
	if (c->status_fd.set && fcntl((int)c->status_fd.v, F_GETFD) < 0)
		return err_errno(e, "--status-fd %d", (int)c->status_fd.v);
	r = env_open(&d.env, ctx, id, e);
	if (r >= 0)
		r = env_lock(d.env.dir, e);
	if (r >= 0)
		r = env_plan(&d.env, e);
	if (r >= 0)
		r = check(&d, ctx, e);
	if (r >= 0)
		r = criu_dirs_open(&d.dirs, c, true, e);
	if (r >= 0)
		r = check_parent(&d, e);
	if (r >= 0)
		r = dump(&d, e);
	return r < 0 ? r : finish(&d, ctx, id, e);
}

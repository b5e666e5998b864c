/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/make.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "src/oci/spec.h"
#include "src/runtime/cache.h"
#include "src/runtime/env.h"
#include "src/runtime/io.h"
#include "src/runtime/rdt.h"

/* --- read and decide ------------------------------------------------------*/

static int find_bundle(struct make *m, struct err *e)
{
	const char *given = m->args->bundle ? m->args->bundle : ".";

	m->bundle = realpath(given, NULL);
	if (!m->bundle)
		return err_errno(e, "bundle '%s'", given);
	return 0;
}

static const char *config_name(const struct make *m)
{
	return m->args->config ? m->args->config : "config.json";
}

static int read_config(struct make *m, struct spec *spec, struct err *e)
{
	autoclose int dir = -1;

	dir = open(m->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "bundle '%s'", m->bundle);
	return spec_read(m->args->config ? AT_FDCWD : dir, config_name(m), spec,
			 e);
}

static uint64_t host_memory(void)
{
	struct sysinfo si;

	return sysinfo(&si) < 0 ? 0 : (uint64_t)si.totalram * si.mem_unit;
}

bool rt_v2_only(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 &&
	       fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Of the state that will be; the root may be named from where we are. */
static int find_notify_dir(struct make *m, struct err *e)
{
	autofree char *cwd = NULL, *root = NULL;

	if (!m->ctx->notify_socket)
		return 0;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return err_errno(e, "look up the current folder");
	root = path_join(cwd, m->ctx->root);
	if (root)
		m->notify_dir =
			str_printf("%s/%s/" NOTIFY_DIR, root, m->args->id);
	return m->notify_dir ? 0 : err_nomem(e);
}

/* Under whatever name: the same folder of the same mount. */
static bool is_hosts_root(const char *path)
{
	struct statx a, b;

	return statx(AT_FDCWD, path, 0, STATX_INO | STATX_MNT_ID, &a) == 0 &&
	       statx(AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &b) == 0 &&
	       a.stx_ino == b.stx_ino && a.stx_mnt_id == b.stx_mnt_id;
}

/* The first that would notice is the child, in the middle of a mount. */
static int check_root(const struct ns_root *root, struct err *e)
{
	struct stat st;

	if (root->layers)
		return 0;
	if (stat(root->path, &st) < 0)
		return err_errno(e, "root: path: '%s'", root->path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "root: path: '%s' is not a folder",
			       root->path);
	if (is_hosts_root(root->path))
		return err_set(e, -EINVAL,
			       "root: path: '%s' is the host's own root",
			       root->path);
	return 0;
}

static int decide(struct make *m, const struct spec *spec, struct err *e)
{
	struct plan_context ctx = {
		.id = m->args->id,
		.bundle = m->bundle,
		.rootless = m->ctx->rootless,
		.uid = geteuid(),
		.gid = getegid(),
		.cgroup_driver = m->ctx->cgroup_driver,
		.isolation_vm = m->ctx->isolation_vm,
		.no_pivot = m->args->no_pivot,
		.notify_dir = m->notify_dir,
		.v2_only = rt_v2_only(),
		.n_cpus = (unsigned int)get_nprocs_conf(),
		.host_memory = host_memory(),
	};
	int r;

	r = plan_make(spec, &ctx, &m->plan, e);
	if (r >= 0)
		r = check_root(&m->plan.root, e);
	return r < 0 ? err_wrap(e, r, "%s", config_name(m)) : 0;
}

/* A terminal needs somebody who takes its other end, and nobody else may. */
static int decide_terminal(struct make *m, struct err *e)
{
	const struct rt_io *io = &m->args->io;
	bool terminal = m->plan.process.terminal;

	m->plan.process.crlf = terminal && rt_crlf(io);
	if (!terminal && io->console_socket)
		return err_set(e, -EINVAL,
			       "--console-socket without process.terminal");
	if (terminal && !io->console_socket && (io->detach || m->waits))
		return err_set(
			e, -EINVAL,
			"process.terminal needs --console-socket when nobody stays attached");
	return 0;
}

int make_plan(struct make *m, struct err *e)
{
	_cleanup_(spec_done) struct spec spec = { 0 };
	int r;

	r = state_check_id(m->args->id, e);
	if (r >= 0)
		r = rt_check_fds(&m->args->io, e);
	if (r >= 0)
		r = find_bundle(m, e);
	if (r >= 0)
		r = read_config(m, &spec, e);
	if (r >= 0)
		r = find_notify_dir(m, e);
	if (r >= 0)
		r = decide(m, &spec, e);
	if (r >= 0)
		r = decide_terminal(m, e);
	return r < 0 ? r : 0;
}

/* --- the state ------------------------------------------------------------*/

static char *now_text(void)
{
	char text[STR_TIME_MAX];
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	str_time(ts.tv_sec, text);
	/* The nanoseconds go before the Z. */
	return str_printf("%.*s.%09ldZ", (int)strlen(text) - 1, text,
			  ts.tv_nsec);
}

static int copy_annotations(struct make *m)
{
	const struct json_map *from = &m->plan.annotations;
	struct json_map *to = &m->state.annotations;

	to->keys = strv_copy(from->keys);
	to->values = strv_copy(from->values);
	to->n = from->n;
	return from->n > 0 && (!to->keys || !to->values) ? -ENOMEM : 0;
}

static int begin_state(struct make *m, struct err *e)
{
	struct state *s = &m->state;

	s->version = strdup("1.3.0");
	s->id = strdup(m->args->id);
	s->bundle = strdup(m->bundle);
	s->rootfs = strdup(m->plan.root.path);
	s->created = now_text();
	s->owner = str_printf("%u", getuid());
	s->isolation = m->plan.isolation;
	s->status = STATE_CREATING;
	if (!s->version || !s->id || !s->bundle || !s->rootfs || !s->created ||
	    !s->owner || copy_annotations(m) < 0)
		return err_nomem(e);
	return 0;
}

int make_reserve(struct make *m, struct err *e)
{
	int r;

	m->dir = state_reserve(m->ctx->root, m->args->id, e);
	if (m->dir < 0)
		return m->dir;
	r = env_lock(m->dir, e);
	if (r < 0)
		return r;
	r = begin_state(m, e);
	if (r < 0)
		return r;
	r = m->plan.notify ? notify_make_dir(m->dir, e) : 0;
	if (r < 0)
		return r;
	if (!plan_owns(&m->plan, NS_MNT)) {
		r = ns_root_note_cover(&m->plan.root, e);
		if (r < 0)
			return err_wrap(e, r, "root");
	}
	/* Before the group: a killed create can then be cleaned up. */
	return env_write_plan(m->dir, &m->plan, e);
}

/* --- do -------------------------------------------------------------------*/

/* What of the plan is executed on the host. */
static const struct plan *plan_here(const struct make *m)
{
	return m->vm ? &m->vm->host : &m->plan;
}

static int make_cgroup(struct make *m, struct err *e)
{
	const struct plan *p = plan_here(m);
	int r;

	if (p->cgroup.driver == CG_DRIVER_DISABLED)
		return 0;
	/* The limits may come while the child builds its root: nothing of the
	 * container's runs before. */
	r = cg_begin(&p->cgroup, &p->limits, &m->cgroup, e);
	if ((r == -EACCES || r == -EPERM || r == -EROFS) && m->ctx->rootless &&
	    !cg_limits_any(&p->limits)) {
		log_debug("no cgroup: %s", err_text(e));
		*e = (struct err){ 0 };
		return 0;
	}
	if (r < 0)
		return err_wrap(e, r, "cgroup");
	return cg_save(m->cgroup, &m->state.cgroup, e);
}

static int make_fifo(int dir, const char *name, int *ret, struct err *e)
{
	if (mkfifoat(dir, name, 0600) < 0)
		return err_errno(e, "make '%s'", name);
	/* Both directions, so that neither opening nor waiting depends on
	 * whether somebody is at the other side yet. */
	*ret = openat(dir, name, O_RDWR | O_CLOEXEC);
	return *ret < 0 ? err_errno(e, "open '%s'", name) : 0;
}

int make_group(struct make *m, struct err *e)
{
	int r = make_cgroup(m, e);

	return r < 0 ? r : rt_rdt_create(plan_here(m), m->args->id, m->dir, e);
}

static int open_fifos(struct make *m, struct err *e)
{
	int r;

	if (!m->waits)
		return 0;
	m->launch.locked = m->dir;
	r = make_fifo(m->dir, ENV_START, &m->launch.start_fifo, e);
	if (r < 0)
		return r;
	return make_fifo(m->dir, ENV_RESULT, &m->launch.result_fifo, e);
}

static void fill_launch(struct make *m)
{
	struct launch *l = &m->launch;

	l->plan = plan_here(m);
	l->process = &l->plan->process;
	l->vm = m->vm;
	l->instead = m->vm ? rt_vm_child : NULL;
	l->id = m->args->id;
	l->cgroup = m->cgroup;
	l->preserve_fds = m->args->io.preserve_fds;
	l->listen_fds = m->args->io.listen_fds;
	l->new_keyring = !m->args->no_new_keyring;
	l->rootless = m->ctx->rootless;
	l->notify = m->plan.notify;
	if (l->plan->seccomp)
		l->seccomp_cache = rt_seccomp_cache(m->ctx->root);
}

static int run_hooks(struct make *m, struct err *e)
{
	autofree char *text = NULL;
	int r;

	if (!rt_launch_has_hooks(&m->launch))
		return 0;
	r = state_for_hooks(&m->state, STATE_CREATING, &text, e);
	if (r < 0)
		return r;
	r = env_host_hooks(&m->plan, PLAN_HOOK_PRESTART, &m->state,
			   m->launch.stop, e);
	if (r < 0)
		return r;
	r = env_host_hooks(&m->plan, PLAN_HOOK_CREATE_RUNTIME, &m->state,
			   m->launch.stop, e);
	if (r < 0)
		return r;
	return rt_launch_hooked(&m->launch, text, e);
}

int make_note_init(struct make *m, struct err *e)
{
	int r;

	m->state.pid = m->launch.pid;
	r = proc_start_time(m->launch.pid, &m->state.start_time);
	if (r < 0)
		return err_set(e, r, "process %d is gone", m->launch.pid);
	/* Hooks may ask for the state. */
	return state_write(m->dir, &m->state, e);
}

int make_limit(struct make *m, struct err *e)
{
	const struct plan *p = plan_here(m);
	int r;

	if (!m->cgroup)
		return 0;
	r = cg_finish(m->cgroup, &p->cgroup, &p->limits, e);
	return r < 0 ? err_wrap(e, r, "cgroup") : 0;
}

static int make_vm(struct make *m, struct err *e)
{
	const struct rt_io *io = &m->args->io;
	autofree char *place = NULL;

	if (m->plan.isolation != PLAN_VM)
		return 0;
	if (io->preserve_fds || io->listen_fds)
		return err_set(
			e, -EOPNOTSUPP,
			"a micro-VM takes no open descriptors but stdio");
	place = path_join(m->ctx->root, m->args->id);
	if (!place)
		return err_nomem(e);
	return rt_vm_new(&m->plan, m->ctx->rootless, m->dir, place, &m->vm, e);
}

static int pass_listener(struct make *m, struct err *e)
{
	autofree char *text = NULL;
	int r;

	r = rt_launch_listen(&m->launch, e);
	if (r < 0 || m->launch.listener < 0)
		return r;
	r = state_for_hooks(&m->state, STATE_CREATING, &text, e);
	if (r < 0)
		return r;
	return rt_send_listener(&m->launch, text, e);
}

int make_execute(struct make *m, struct err *e)
{
	struct launch *l = &m->launch;
	int r;

	r = make_vm(m, e);
	if (r < 0)
		return r;
	r = make_group(m, e);
	if (r < 0)
		return r;
	fill_launch(m);
	r = open_fifos(m, e);
	if (r < 0)
		return r;
	r = rt_launch_prepare(l, e);
	if (r < 0)
		return r;
	r = rt_launch_clone(l, e);
	if (r < 0)
		return r;
	r = make_note_init(m, e);
	if (r < 0)
		return r;
	r = make_limit(m, e);
	if (r < 0)
		return r;
	r = rt_launch_build(l, e);
	if (r < 0)
		return r;
	r = run_hooks(m, e);
	if (r < 0)
		return r;
	r = pass_listener(m, e);
	return r < 0 ? r : rt_launch_finish(l, e);
}

/* --- tell -----------------------------------------------------------------*/

int make_announce(struct make *m, struct err *e)
{
	return rt_tell(&m->args->io, &m->launch, e);
}

/* --- the end --------------------------------------------------------------*/

void make_unlock(struct make *m)
{
	(void)flock(m->dir, LOCK_UN);
}

void make_done(struct make *m)
{
	/* A waiting child has our descriptors, and the lock with them. */
	if (m->dir >= 0)
		make_unlock(m);
	rt_launch_done(&m->launch);
	if (m->launch.start_fifo >= 0)
		(void)close(steal_fd(&m->launch.start_fifo));
	if (m->launch.result_fifo >= 0)
		(void)close(steal_fd(&m->launch.result_fifo));
	if (m->dir >= 0)
		(void)close(steal_fd(&m->dir));
	cg_free(steal_ptr(m->cgroup));
	rt_vm_free(steal_ptr(m->vm));
	plan_done(&m->plan);
	state_done(&m->state);
	notify_close(&m->notify);
	free(steal_ptr(m->bundle));
	free(steal_ptr(m->notify_dir));
}

void make_undo(struct make *m)
{
	struct err e = { 0 };

	rt_devices_return(&m->launch);
	rt_launch_abort(&m->launch);
	if (m->dir < 0)
		return; /* the id is somebody else's */
	if (env_erase(m->ctx, m->args->id, &e) < 0) {
		log_warning(
			"container '%s' is left half-made: %s; 'delete --force' removes it",
			m->args->id, err_text(&e));
		return; /* that runs the hooks, too */
	}
	if (m->state.id)
		env_poststop(&m->plan, &m->state);
}

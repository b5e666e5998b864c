/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/child_steps.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/lsm.h"
#include "src/runtime/rt.h"
#include "src/runtime/sync.h"

#define DEFAULT_PATH                                                           \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PASSWD_MAX (1U << 20)

int rt_step_personality(struct child *c, struct err *e)
{
	const struct ns_personality *p = c->l->plan->personality;

	return p ? ns_personality_set(p, e) : 0;
}

int rt_step_memory_policy(struct child *c, struct err *e)
{
	const struct ns_memory_policy *p = c->l->plan->memory_policy;

	return p ? ns_memory_policy_set(p, e) : 0;
}

/* --- the working directory ------------------------------------------------*/

/*
 * A descriptor of the host that leaked to us, or a /proc/self/fd link, could
 * make a folder of the host our working directory (CVE-2024-21626). The kernel
 * then says so: what is not reachable from our root has no path.
 */
static int check_inside(struct err *e)
{
	char path[PATH_MAX];

	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		return err_errno(e, "look up the working directory");
	if (path[0] != '/')
		return err_set(e, -EPERM,
			       "the working directory is outside the root");
	return 0;
}

/* As runc has it: a folder that is missing is made. */
static int make_cwd(struct child *c, const char *cwd)
{
	struct err ignored = { 0 };
	autoclose int fd = -1;

	if (c->l->init_pidfd >= 0)
		return -ENOENT;
	fd = path_make_in_root(c->root, cwd, PATH_DIR, &ignored);
	return fd < 0 ? fd : 0;
}

/* A root that is about to become read-only gets it now; why it could not be
 * made is told when it is missed. */
int rt_step_cwd_folder(struct child *c, struct err *e)
{
	if (c->l->plan->root.readonly)
		(void)make_cwd(c, c->l->process->cwd);
	return 0;
}

int rt_step_cwd(struct child *c, struct err *e)
{
	const char *cwd = c->l->process->cwd;
	int r;

	r = chdir(cwd);
	if (r < 0 && errno == ENOENT && make_cwd(c, cwd) == 0)
		r = chdir(cwd);
	if (r < 0 && errno == EACCES)
		return 0; /* "cwd as user" tries again */
	if (r < 0)
		return err_errno(e, "chdir '%s'", cwd);
	c->cwd_done = true;
	return check_inside(e);
}

int rt_step_cwd_late(struct child *c, struct err *e)
{
	if (c->cwd_done)
		return 0;
	if (chdir(c->l->process->cwd) < 0)
		return err_errno(e, "chdir '%s'", c->l->process->cwd);
	return check_inside(e);
}

/* --- rights ---------------------------------------------------------------*/

int rt_step_label(struct child *c, struct err *e)
{
	const struct plan_process *p = c->l->process;
	int r;

	if (p->apparmor && p->apparmor[0]) {
		r = ns_apparmor_set(c->l->procfd, p->apparmor, e);
		if (r < 0)
			return r;
	}
	if (p->selinux && p->selinux[0])
		return ns_selinux_set(c->l->procfd, p->selinux, e);
	return 0;
}

int rt_step_no_new_privs(struct child *c, struct err *e)
{
	if (!c->l->process->no_new_privs)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "set no_new_privs");
	return 0;
}

int rt_step_descriptors(struct child *c, struct err *e)
{
	unsigned int first = 3 + c->l->listen_fds + c->l->preserve_fds;

	if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return err_errno(e, "mark descriptors close-on-exec");
	return fd_cloexec_from((int)first, e);
}

static int load_seccomp(struct child *c, struct err *e)
{
	int listener = -1, r;

	r = ns_seccomp_load(&c->l->seccomp, &listener, e);
	if (r < 0 || listener < 0)
		return r;
	/* The profile may already forbid sendmsg(2): the runtime takes the
	 * descriptor out of us by its number. */
	r = sync_send(c->end, SYNC_LISTENER, listener, e);
	if (r < 0)
		return r;
	r = sync_wait(c->end, SYNC_TAKEN, NULL, e);
	(void)close(listener);
	return r;
}

int rt_step_seccomp_privileged(struct child *c, struct err *e)
{
	if (!c->l->plan->seccomp || c->l->process->no_new_privs)
		return 0;
	return load_seccomp(c, e);
}

int rt_step_seccomp_late(struct child *c, struct err *e)
{
	if (!c->l->plan->seccomp || !c->l->process->no_new_privs)
		return 0;
	return load_seccomp(c, e);
}

/* Ourselves, as long as we are who our parent is; what needs more rights than
 * we have in here, the parent tries from outside. */
int rt_step_limits(struct child *c, struct err *e)
{
	const struct plan_process *p = c->l->process;
	int r;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		struct err why = { 0 };

		r = ns_rlimit_set(0, &p->rlimits.v[i], &why);
		if (r == -EPERM)
			c->refused |= 1U << i;
		else if (r < 0)
			return err_set(e, r, "%s", err_text(&why));
	}
	return 0;
}

/* The program may open /dev/stdout and its like anew: they must be its own.
 * What cannot be given away (a socket of somebody else, a read-only file
 * system) stays as it is. */
static void give_stdio(uint32_t uid)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &st) < 0 || st.st_uid == uid)
			continue;
		if (S_ISCHR(st.st_mode) && major(st.st_rdev) == 1)
			continue; /* /dev/null is everybody's */
		(void)!fchown(fd, uid, st.st_gid);
	}
}

int rt_step_user(struct child *c, struct err *e)
{
	const struct plan_process *p = c->l->process;

	if (p->user.uid != 0 && !p->terminal)
		give_stdio(p->user.uid);
	return ns_user_become(&p->user, &p->caps, e);
}

/* --- the program ----------------------------------------------------------*/

/* The home of uid in a passwd text, or NULL. Cuts the text up. */
static const char *find_home(char *text, uint32_t uid)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *field[7] = { 0 };
		uint32_t id;

		/* name:password:uid:gid:comment:home:shell */
		for (size_t i = 0; i < ARRAY_SIZE(field) && line; i++)
			field[i] = strsep(&line, ":");
		if (field[5] && str_to_u32(field[2], &id) == 0 && id == uid)
			return field[5][0] == '/' ? field[5] : NULL;
	}
	return NULL;
}

/* Ours is a copy from now on; it is gone with execve. */
static int set_env(struct child *c, const char *name, const char *value)
{
	if (c->env == c->l->process->env) {
		c->env = strv_copy(c->env);
		if (!c->env && c->l->process->env)
			return -ENOMEM;
	}
	return strv_env_set(&c->env, name, value);
}

/* HOME when the configuration has none; an empty one counts as none. */
static int add_home(struct child *c)
{
	const char *home = strv_env_get(c->env, "HOME");
	struct err ignored = { 0 };
	autofree char *text = NULL;

	if (home && home[0])
		return 0;
	home = NULL;
	if (fd_read_file_at(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &text, NULL,
			    &ignored) >= 0)
		home = find_home(text, c->l->process->user.uid);
	return set_env(c, "HOME", home ? home : "/");
}

/* Sockets of a service manager, as sd_listen_fds(3) expects them. */
static int add_listen_fds(struct child *c)
{
	char n[16];
	int r;

	if (c->l->listen_fds == 0)
		return 0;
	(void)snprintf(n, sizeof(n), "%u", c->l->listen_fds);
	r = set_env(c, "LISTEN_FDS", n);
	if (r < 0)
		return r;
	(void)snprintf(n, sizeof(n), "%d", (int)getpid());
	return set_env(c, "LISTEN_PID", n);
}

int rt_step_environment(struct child *c, struct err *e)
{
	c->env = c->l->process->env;
	if (add_home(c) < 0 || add_listen_fds(c) < 0)
		return err_nomem(e);
	if (c->l->notify && set_env(c, "NOTIFY_SOCKET", PLAN_NOTIFY_SOCKET) < 0)
		return err_nomem(e);
	return 0;
}

/* Callers make 126 and 127 of our words; docker only of lower case ones, which
 * is how Go writes them. */
static int no_program(const char *name, int why, struct err *e)
{
	bool missing = why == -ENOENT || why == -ENOTDIR;
	const char *words = strerrordesc_np(-why);

	return err_set(e, missing ? RT_NOT_FOUND : RT_NOT_EXECUTABLE,
		       "'%s': %c%s", name, tolower((unsigned char)*words),
		       words + 1);
}

/*
 * access() asks for the real user without his capabilities, but CAP_DAC_OVERRIDE
 * executes what others may not. A seccomp profile, by now in force, may know
 * only the old call, and kill for another.
 */
static int may(const char *path, int mode)
{
	int why;

	if (access(path, mode) == 0)
		return 0;
	why = -errno;
	if (why != -EACCES)
		return why;
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 ? 0 : why;
}

static bool is_folder(const char *path)
{
	autofree char *within = str_printf("%s/.", path);

	return within && may(within, F_OK) == 0;
}

/* As execvp: a candidate we may not execute is remembered. */
static int search_path(struct child *c, const char *name, struct err *e)
{
	const char *path = strv_env_get(c->env, "PATH");
	autostrv char **dirs = NULL;
	int r, why = -ENOENT;

	r = strv_split(path ? path : DEFAULT_PATH, ':', &dirs);
	if (r < 0)
		return err_nomem(e);
	STRV_FOREACH(dir, dirs) {
		autofree char *full = path_join(**dir ? *dir : ".", name);

		if (!full)
			return err_nomem(e);
		if (may(full, F_OK) < 0 || is_folder(full))
			continue;
		r = may(full, X_OK);
		if (r == 0) {
			c->program = steal_ptr(full);
			return 0;
		}
		why = r;
	}
	if (why == -ENOENT)
		return err_set(e, RT_NOT_FOUND,
			       "'%s': executable file not found in $PATH",
			       name);
	return no_program(name, why, e);
}

int rt_step_program(struct child *c, struct err *e)
{
	const struct plan_process *p = c->l->process;
	int r;

	if (!strchr(p->args[0], '/'))
		return search_path(c, p->args[0], e);
	r = may(p->args[0], X_OK);
	/* Of a folder only execve() would tell, and in these words: callers make
	 * an exit status of them. */
	if (r == 0 && is_folder(p->args[0]))
		r = -EACCES;
	if (r < 0)
		return no_program(p->args[0], r, e);
	c->program = p->args[0];
	return 0;
}

int rt_execute(struct child *c, struct err *e)
{
	(void)execve(c->program, c->l->process->args, c->env);
	return no_program(c->program, -errno, e);
}

int rt_step_ready(struct child *c, struct err *e)
{
	return sync_send(c->end, SYNC_READY, (int)c->refused, e);
}

/* What waits for "start" may wait for days: without the lock, or nobody could
 * delete it when its runtime was killed. */
int rt_step_kept(struct child *c, struct err *e)
{
	int r = sync_wait(c->end, SYNC_KEPT, NULL, e);

	if (r == 0)
		(void)close(c->l->locked);
	return r;
}

int rt_step_await_start(struct child *c, struct err *e)
{
	struct launch *l = c->l;

	if (l->start_fifo < 0)
		return sync_wait(c->end, SYNC_GO, NULL, e);
	/* Nobody listens on the socket any more. */
	(void)close(c->end);
	c->end = l->result_fifo;
	return sync_wait(l->start_fifo, SYNC_GO, NULL, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

/*
 * HOME is not decided here: when it is not set, or empty, it comes from the
 * container's own /etc/passwd, which is there only once its root is.
 */

/* --- what is run, and where ------------------------------------------------*/

static int set_args(const struct spec_process *s, struct plan_process *p,
		    struct err *e)
{
	if (!s->args || !s->args[0])
		return err_set(e, -EINVAL, "args: empty");
	if (*s->args[0] == '\0')
		return err_set(e, -EINVAL, "args: [0]: empty");
	return plan_copy_list(s->args, &p->args, e);
}

static int set_cwd(const char *cwd, struct plan_process *p, struct err *e)
{
	int r;

	r = plan_copy_path(cwd, &p->cwd, e);
	return r < 0 ? err_wrap(e, r, "cwd") : 0;
}

static int set_env(char *const *env, struct plan_process *p, struct err *e)
{
	char **list = NULL;
	int r;

	r = plan_env(env, &list, e);
	if (r < 0)
		return err_wrap(e, r, "env");
	strv_free(p->env);
	p->env = list;
	return 0;
}

/* What TIOCSWINSZ holds. */
#define SIZE_MAX_TTY 65535U

static int set_terminal(const struct spec_process *s, struct plan_process *p,
			struct err *e)
{
	const struct spec_box *box = s->console_size;

	p->terminal = s->terminal;
	if (!box || !s->terminal)
		return 0;
	if (box->height > SIZE_MAX_TTY || box->width > SIZE_MAX_TTY)
		return err_set(e, -EINVAL,
			       "consoleSize: %u by %u is more than %u",
			       box->height, box->width, SIZE_MAX_TTY);
	p->rows = box->height;
	p->cols = box->width;
	return 0;
}

/* --- as whom ---------------------------------------------------------------*/

static int set_user(const struct spec_user *s, struct ns_user *u, struct err *e)
{
	if (s->umask.v > 0777)
		return err_set(e, -EINVAL, "umask: 0%o is more than 0777",
			       s->umask.v);
	u->uid = s->uid;
	u->gid = s->gid;
	u->umask = s->umask;
	if (s->additional_gids.n == 0)
		return 0;
	u->groups.v =
		reallocarray(NULL, s->additional_gids.n, sizeof(*u->groups.v));
	if (!u->groups.v)
		return err_nomem(e);
	u->groups.n = s->additional_gids.n;
	(void)memcpy(u->groups.v, s->additional_gids.v,
		     u->groups.n * sizeof(*u->groups.v));
	return 0;
}

static int check_mapped(const struct ns_idmaps *m, const char *what,
			uint32_t id, struct err *e)
{
	uint32_t host;

	if (ns_idmap_host(m, id, &host) == 0)
		return 0;
	return err_set(e, -EINVAL, "%s: %u has no mapping", what, id);
}

/* Of an existing user namespace we do not know the mappings. */
static int check_user(const struct plan *plan, const struct ns_user *u,
		      struct err *e)
{
	int r;

	if (u->uid == UINT32_MAX || u->gid == UINT32_MAX)
		return err_set(e, -EINVAL, "%s: 4294967295 means no one",
			       u->uid == UINT32_MAX ? "uid" : "gid");
	if (!plan_makes(plan, NS_USER))
		return 0;
	r = check_mapped(&plan->map.uids, "uid", u->uid, e);
	if (r == 0)
		r = check_mapped(&plan->map.gids, "gid", u->gid, e);
	for (size_t i = 0; i < u->groups.n && r == 0; i++)
		r = check_mapped(&plan->map.gids, "additionalGids",
				 u->groups.v[i], e);
	return r;
}

/* --- with which limits -----------------------------------------------------*/

static bool has_type(const struct ns_rlimit *v, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].type, type))
			return true;
	return false;
}

/* More than there are kinds must repeat one: the search below stays short. */
#define RLIMITS_MAX 32

static int check_rlimits(const struct spec_process *s, struct err *e)
{
	const struct ns_rlimit *v = s->rlimits.v;
	int r;

	for (size_t i = 0; i < s->rlimits.n; i++) {
		r = i < RLIMITS_MAX ? ns_rlimit_check(&v[i], e) : 0;
		if (r < 0)
			return err_wrap(e, r, "rlimits: [%zu]", i);
		if (i >= RLIMITS_MAX || has_type(v, i, v[i].type))
			return err_set(e, -EINVAL,
				       "rlimits: [%zu]: duplicate '%.64s'", i,
				       v[i].type);
	}
	return 0;
}

static int set_rlimits(const struct spec_process *s, struct plan_process *p,
		       struct err *e)
{
	size_t n = s->rlimits.n;
	int r;

	r = check_rlimits(s, e);
	if (r < 0 || n == 0)
		return r;
	p->rlimits.v = calloc(n, sizeof(*p->rlimits.v));
	if (!p->rlimits.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		p->rlimits.n = i + 1;
		r = json_copy(&ns_rlimit_table, &s->rlimits.v[i],
			      &p->rlimits.v[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_oom_score(const struct spec_process *s, struct plan_process *p,
			 struct err *e)
{
	const struct opt_i64 *score = &s->oom_score_adj;

	if (score->set && (score->v < -1000 || score->v > 1000))
		return err_set(e, -EINVAL,
			       "oomScoreAdj: %lld is not in -1000..1000",
			       (long long)score->v);
	p->oom_score_adj = *score;
	return 0;
}

static int set_sched(const struct spec_process *s, struct plan_process *p,
		     struct err *e)
{
	int r;

	if (!s->scheduler)
		return 0;
	r = ns_sched_check(s->scheduler, e);
	if (r < 0)
		return err_wrap(e, r, "scheduler");
	p->sched = json_copy_new(&ns_sched_table, s->scheduler);
	return p->sched ? 0 : err_nomem(e);
}

static int set_io_priority(const struct spec_process *s, struct plan_process *p,
			   struct err *e)
{
	int r;

	if (!s->io_priority)
		return 0;
	r = ns_io_priority_check(s->io_priority, e);
	if (r < 0)
		return err_wrap(e, r, "ioPriority");
	p->io_priority = json_copy_new(&ns_io_priority_table, s->io_priority);
	return p->io_priority ? 0 : err_nomem(e);
}

static int set_cpus(const char *what, const char *list, char **to,
		    struct err *e)
{
	int r;

	if (!list || *list == '\0')
		return 0;
	r = ns_affinity_check(list, e);
	if (r < 0)
		return err_wrap(e, r, "execCPUAffinity: %s", what);
	return plan_copy(list, to, e);
}

static int set_affinity(const struct spec_process *s, struct plan_process *p,
			struct err *e)
{
	const struct spec_affinity *a = s->exec_cpu_affinity;
	int r;

	if (!a)
		return 0;
	r = set_cpus("initial", a->initial, &p->cpus_initial, e);
	return r < 0 ? r : set_cpus("final", a->final, &p->cpus_final, e);
}

static int set_labels(const struct spec_process *s, struct plan_process *p,
		      struct err *e)
{
	int r;

	r = plan_copy(s->apparmor_profile, &p->apparmor, e);
	return r < 0 ? r : plan_copy(s->selinux_label, &p->selinux, e);
}

/* --- all of it -------------------------------------------------------------*/

static int wrap_user(int r, struct err *e)
{
	return r < 0 ? err_wrap(e, r, "user") : 0;
}

static int set_what(const struct spec_process *s, struct plan_process *p,
		    struct err *e)
{
	int r;

	r = set_args(s, p, e);
	if (r == 0)
		r = set_env(s->env, p, e);
	if (r == 0)
		r = set_cwd(s->cwd, p, e);
	if (r == 0)
		r = set_terminal(s, p, e);
	return r;
}

static int set_how(const struct spec_process *s, struct plan_process *p,
		   struct err *e)
{
	int r;

	p->no_new_privs = s->no_new_privileges;
	r = set_rlimits(s, p, e);
	if (r == 0)
		r = set_oom_score(s, p, e);
	if (r == 0)
		r = set_sched(s, p, e);
	if (r == 0)
		r = set_io_priority(s, p, e);
	if (r == 0)
		r = set_affinity(s, p, e);
	if (r == 0)
		r = set_labels(s, p, e);
	return r;
}

static int make_process(const struct spec_process *s, const struct plan *plan,
			struct plan_process *p, struct err *e)
{
	int r;

	r = set_what(s, p, e);
	if (r < 0)
		return r;
	r = wrap_user(set_user(&s->user, &p->user, e), e);
	if (r < 0)
		return r;
	r = wrap_user(check_user(plan, &p->user, e), e);
	return r < 0 ? r : set_how(s, p, e);
}

int plan_add_process(struct plan_draft *d, struct err *e)
{
	const struct spec_process *s = d->spec->process;
	struct plan_process *p = &d->plan->process;
	int r;

	if (!s)
		return err_set(e, -EINVAL, "missing");
	r = make_process(s, d->plan, p, e);
	return r < 0 ? r : plan_caps(s->capabilities, &p->caps, e);
}

/* --- exec ------------------------------------------------------------------*/

/* A member that a process.json left out, from the container's program. */
static int inherit(const struct spec_process *s, const struct plan_process *b,
		   struct plan_process *p, struct err *e)
{
	autofree struct plan_process *copy = NULL;

	copy = json_copy_new(&plan_process_table, b);
	if (!copy)
		return err_nomem(e);
#define TAKE(member, absent)                                                   \
	do {                                                                   \
		__typeof__(p->member) mine_ = p->member;                       \
		if (absent) {                                                  \
			p->member = copy->member;                              \
			copy->member = mine_;                                  \
		}                                                              \
	} while (0)
	TAKE(caps, !s->capabilities);
	TAKE(rlimits, s->rlimits.n == 0);
	TAKE(sched, !p->sched);
	TAKE(io_priority, !p->io_priority);
	TAKE(cpus_initial, !s->exec_cpu_affinity);
	TAKE(cpus_final, !s->exec_cpu_affinity);
	TAKE(apparmor, !p->apparmor);
	TAKE(selinux, !p->selinux);
#undef TAKE
	plan_process_done(copy);
	return 0;
}

static int make_exec(const struct spec_process *s, const struct plan *base,
		     struct plan_process *p, struct err *e)
{
	int r;

	p->user.keep_groups = base->process.user.keep_groups;
	r = make_process(s, base, p, e);
	if (r == 0)
		r = plan_caps(s->capabilities, &p->caps, e);
	return r < 0 ? r : inherit(s, &base->process, p, e);
}

int plan_make_process(const struct spec_process *s, const struct plan *base,
		      struct plan_process *ret, struct err *e)
{
	int r;

	if (!s)
		return json_copy(&plan_process_table, &base->process, ret, e);
	*ret = (struct plan_process){ 0 };
	r = make_exec(s, base, ret, e);
	if (r < 0)
		plan_process_done(ret);
	return r;
}

static void add_caps(struct plan_process *p, char *const *names)
{
	unsigned int cap;

	/* Not inheritable (CVE-2022-29162): who becomes another user must not
	 * keep it, unless the configuration lets it be inherited; then it is
	 * ambient too, as with runc. An unknown one is left out as in a
	 * configuration, which is what runc and crun agree on. */
	STRV_FOREACH(name, names) {
		if (ns_cap_parse(*name, &cap) < 0) {
			log_warning("unknown capability '%.64s' is left out",
				    *name);
			continue;
		}
		p->caps.set = true;
		p->caps.bounding |= (uint64_t)1 << cap;
		p->caps.effective |= (uint64_t)1 << cap;
		p->caps.permitted |= (uint64_t)1 << cap;
		p->caps.ambient |= p->caps.inheritable & (uint64_t)1 << cap;
	}
}

static int add_env(struct plan_process *p, char *const *env, struct err *e)
{
	autofree char **all = NULL;
	size_t n = strv_len(p->env), more = strv_len(env);

	if (more == 0)
		return 0;
	all = calloc(n + more + 1, sizeof(*all));
	if (!all)
		return err_nomem(e);
	if (n > 0)
		(void)memcpy(all, p->env, n * sizeof(*all));
	(void)memcpy(all + n, env, more * sizeof(*all));
	return set_env(all, p, e);
}

static int add_groups(struct ns_user *u, const struct json_u32v *more,
		      struct err *e)
{
	uint32_t *v;

	if (more->n == 0)
		return 0;
	v = reallocarray(u->groups.v, u->groups.n + more->n, sizeof(*v));
	if (!v)
		return err_nomem(e);
	(void)memcpy(v + u->groups.n, more->v, more->n * sizeof(*v));
	u->groups.v = v;
	u->groups.n += more->n;
	return 0;
}

static int apply_user(struct plan_process *p, const struct plan *base,
		      const struct plan_exec *x, struct err *e)
{
	int r;

	if (x->uid.set)
		p->user.uid = x->uid.v;
	if (x->gid.set)
		p->user.gid = x->gid.v;
	r = add_groups(&p->user, &x->groups, e);
	return r < 0 ? r : wrap_user(check_user(base, &p->user, e), e);
}

int plan_apply_exec(struct plan_process *p, const struct plan *base,
		    const struct plan_exec *x, struct err *e)
{
	int r;

	if (x->terminal.set)
		p->terminal = x->terminal.v;
	p->no_new_privs = p->no_new_privs || x->no_new_privs;
	r = plan_copy_list(x->args, &p->args, e);
	if (r == 0)
		r = add_env(p, x->env, e);
	if (r == 0 && x->cwd)
		r = set_cwd(x->cwd, p, e);
	if (r == 0)
		r = apply_user(p, base, x, e);
	if (r == 0)
		add_caps(p, x->caps);
	if (r == 0)
		r = plan_copy(x->apparmor, &p->apparmor, e);
	if (r == 0)
		r = plan_copy(x->selinux, &p->selinux, e);
	return r;
}

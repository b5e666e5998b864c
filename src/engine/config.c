/* SPDX-License-Identifier: Apache-2.0 */
#include "src/engine/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/oci/plan.h"
#include "src/oci/spec.h"

#define CPU_PERIOD_US 100000
#define CPU_QUOTA_MIN 1000 /* the kernel's own */
#define DEFAULT_PIDS  2048
#define NANO	      1000000000ULL

static int set(char **at, const char *value, struct err *e)
{
	free(*at);
	*at = strdup(value);
	return *at ? 0 : err_nomem(e);
}

static int set_list(char ***at, const char *const *values, struct err *e)
{
	strv_free(*at);
	*at = strv_copy((char *const *)values);
	return *at ? 0 : err_nomem(e);
}

/* A zeroed object behind a pointer, unless there is one. */
#define NEED(p) ((p) || ((p) = calloc(1, sizeof(*(p)))))

/* --- process --------------------------------------------------------------*/

static int add_env(struct spec_process *p, const char *word, struct err *e)
{
	const char *equals = strchr(word, '=');
	autofree char *name = NULL;
	const char *value;

	if (equals == word)
		return err_set(e, -EINVAL, "--env '%s': no name", word);
	name = equals ? strndup(word, (size_t)(equals - word)) : strdup(word);
	if (!name)
		return err_nomem(e);
	value = equals ? equals + 1 : getenv(name);
	if (!value)
		return 0; /* ours, but we have none */
	return strv_env_set(&p->env, name, value) < 0 ? err_nomem(e) : 0;
}

static int set_env(const struct eng_run *run, const char *hostname,
		   struct spec_process *p, struct err *e)
{
	const char *term = getenv("TERM");
	int r;

	r = set_list(&p->env, eng_default_env, e);
	if (r >= 0)
		r = strv_env_set(&p->env, "HOSTNAME", hostname);
	if (r >= 0 && run->tty)
		r = strv_env_set(&p->env, "TERM", term ? term : "xterm");
	if (r < 0)
		return err_nomem(e);
	STRV_FOREACH(word, run->env) {
		r = add_env(p, *word, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_user(const struct eng_run *run, struct spec_process *p,
		    struct err *e)
{
	autoclose int root = -1;
	struct eng_user u;
	int r;

	if (!run->user)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(e, "open '/'");
	r = eng_user_find(root, run->user, &u, e);
	if (r < 0)
		return err_wrap(e, r, "--user");
	p->user.uid = u.uid;
	p->user.gid = u.gid;
	return 0;
}

static void drop_rlimits(struct spec_process *p)
{
	for (size_t i = 0; i < p->rlimits.n; i++)
		free(p->rlimits.v[i].type);
	free(steal_ptr(p->rlimits.v));
	p->rlimits.n = 0;
}

static int set_process(const struct eng_run *run, struct spec *s, struct err *e)
{
	struct spec_process *p = s->process;
	int r;

	p->terminal = run->tty;
	drop_rlimits(p);
	r = set_list(&p->args, (const char *const *)run->args, e);
	if (r >= 0)
		r = set_env(run, s->hostname, p, e);
	if (r >= 0)
		r = set(&p->cwd, run->workdir ? run->workdir : "/", e);
	if (r >= 0 && !NEED(p->capabilities))
		r = err_nomem(e);
	if (r >= 0)
		r = eng_grant_caps(run, p->capabilities, e);
	return r < 0 ? r : set_user(run, p, e);
}

/* --- limits ---------------------------------------------------------------*/

static int set_cpu(const struct eng_run *run, struct spec_resources *res,
		   struct err *e)
{
	uint64_t quota;

	if (!run->cpu_shares.set && !run->cpus.set)
		return 0;
	if (!NEED(res->cpu))
		return err_nomem(e);
	res->cpu->shares = run->cpu_shares;
	if (!run->cpus.set)
		return 0;
	if (run->cpus.v > 100000 * NANO)
		return err_set(e, -ERANGE, "--cpus: more than any machine has");
	quota = run->cpus.v / (NANO / CPU_PERIOD_US);
	if (quota < CPU_QUOTA_MIN)
		return err_set(e, -ERANGE, "--cpus: less than 0.01");
	res->cpu->period = (struct opt_u64)OPT_OF(CPU_PERIOD_US);
	res->cpu->quota = (struct opt_i64)OPT_OF((int64_t)quota);
	return 0;
}

static int set_limits(const struct eng_run *run, struct spec *s, struct err *e)
{
	struct spec_resources *res;

	if (!NEED(s->os->resources) || !NEED(s->os->resources->pids))
		return err_nomem(e);
	res = s->os->resources;
	res->pids->limit = run->pids;
	if (!run->pids.set)
		res->pids->limit = (struct opt_i64)OPT_OF(DEFAULT_PIDS);
	if (run->memory.set) {
		if (!NEED(res->memory))
			return err_nomem(e);
		res->memory->limit = run->memory;
	}
	return set_cpu(run, res, e);
}

/* --- what it sees ---------------------------------------------------------*/

/* A namespace that is not listed is the host's. */
static void share_network(struct spec *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->os->namespaces.n; i++) {
		struct spec_namespace *ns = &s->os->namespaces.v[i];

		if (str_eq(ns->type, "network")) {
			free(ns->type);
			free(ns->path);
			continue;
		}
		s->os->namespaces.v[kept++] = *ns;
	}
	s->os->namespaces.n = kept;
}

static int deny_calls(struct spec *s, struct err *e)
{
	char *const *caps = s->process->capabilities->bounding;
	const struct eng_denied_call *call;
	struct ns_seccomp *p;

	if (!NEED(s->os->seccomp))
		return err_nomem(e);
	p = s->os->seccomp;
	p->rules.v = calloc(1, sizeof(*p->rules.v));
	if (!p->rules.v)
		return err_nomem(e);
	p->rules.n = 1;
	if (set(&p->default_action, "SCMP_ACT_ALLOW", e) < 0 ||
	    set(&p->rules.v[0].action, "SCMP_ACT_ERRNO", e) < 0)
		return -ENOMEM;
	for (call = eng_denied_calls; call->name; call++)
		if (!(call->unless && strv_has(caps, call->unless)) &&
		    strv_add(&p->rules.v[0].names, call->name) < 0)
			return err_nomem(e);
	return 0;
}

static int annotate(struct spec *s, const char *key, const char *value,
		    struct err *e)
{
	struct json_map *m = &s->annotations;

	if (strv_add(&m->keys, key) < 0 || strv_add(&m->values, value) < 0)
		return err_nomem(e);
	m->n++;
	return 0;
}

/* What is said twice, by us or by the user, is refused when it is read. */
static int set_annotations(const struct eng_run *run, struct spec *s,
			   struct err *e)
{
	STRV_FOREACH(a, run->annotations) {
		const char *value = strchr(*a, '=');
		autofree char *key = NULL;
		int r;

		if (!value || value == *a)
			return err_set(e, -EINVAL,
				       "--annotation '%s' is not KEY=VALUE",
				       *a);
		key = strndup(*a, (size_t)(value - *a));
		if (!key)
			return err_nomem(e);
		r = annotate(s, key, value + 1, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_root(const struct eng_run *run, const struct eng_bundle *b,
		    struct spec *s, struct err *e)
{
	int r;

	s->root->readonly = run->readonly;
	r = set(&s->root->path, "rootfs", e);
	if (r >= 0)
		r = annotate(s, "moat.rootfs.layers", "/", e);
	if (r >= 0)
		r = annotate(s, "moat.rootfs.scratch", b->scratch, e);
	if (r >= 0)
		r = eng_grant_volumes(run, &s->mounts, e);
	/* The lower layer is the whole host: our own store would be in it. */
	if (r >= 0 && strv_add(&s->os->masked_paths, b->store) < 0)
		r = err_nomem(e);
	return r;
}

static int set_isolation(const struct eng_run *run, struct spec *s,
			 struct err *e)
{
	int r;

	if (run->isolation == PLAN_VM) {
		r = annotate(s, "moat.isolation", "vm", e);
		if (r >= 0 && run->kernel)
			r = annotate(s, "moat.vm.kernel", run->kernel, e);
		if (r < 0)
			return r;
	} else if (run->kernel) {
		return err_set(e, -EINVAL,
			       "--kernel goes with --isolation vm alone");
	}
	if (run->network == ENG_NETWORK_HOST)
		share_network(s);
	return deny_calls(s, e);
}

/* --- the whole ------------------------------------------------------------*/

static int set_names(const struct eng_run *run, const struct eng_bundle *b,
		     struct spec *s, struct err *e)
{
	char host[HOST_NAME_MAX + 1] = "";
	autofree char *group = str_printf("/moat/%s", b->id);
	const char *name = run->hostname ? run->hostname : b->id;

	if (run->network == ENG_NETWORK_HOST && !run->hostname &&
	    gethostname(host, sizeof(host) - 1) == 0)
		name = host;
	if (!group || set(&s->os->cgroups_path, group, e) < 0)
		return -ENOMEM;
	return set(&s->hostname, name, e);
}

static int fill(const struct eng_run *run, const struct eng_bundle *b,
		struct spec *s, struct err *e)
{
	int r;

	r = set_names(run, b, s, e);
	if (r >= 0)
		r = set_process(run, s, e);
	if (r >= 0)
		r = set_limits(run, s, e);
	if (r >= 0)
		r = set_root(run, b, s, e);
	if (r >= 0)
		r = set_isolation(run, s, e);
	if (r >= 0)
		r = set_annotations(run, s, e);
	return r < 0 ? r : 0;
}

int eng_config(const struct eng_context *ctx, const struct eng_run *run,
	       const struct eng_bundle *b, char **ret, struct err *e)
{
	_cleanup_(spec_done) struct spec s = { 0 };
	struct spec_default d = {
		.rootless = ctx->rootless,
		.uid = geteuid(),
		.gid = getegid(),
		.cgroup_namespace = true,
		/* Nobody else may mount a sysfs of the host's network. */
		.host_network =
			ctx->rootless && run->network == ENG_NETWORK_HOST,
	};
	autofree char *base = NULL;
	int r;

	r = spec_default(&d, &base, e);
	if (r < 0)
		return r;
	r = spec_parse(base, strlen(base), "defaults", &s, e);
	if (r < 0)
		return r;
	r = fill(run, b, &s, e);
	if (r < 0)
		return r;
	return json_write(&spec_table, &s, true, ret, NULL, e);
}

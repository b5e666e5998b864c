/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "cgroups/priv.h"
#include "cgroups/procs.h"
#include "cgroups/v2.h"

/* --- members --------------------------------------------------------------*/

int cg_clone_fd(const struct cg *cg)
{
	return cg->foreign ? -1 : cg->fd;
}

const char *cg_path(const struct cg *cg)
{
	return cg->path;
}

bool cg_must_join(const struct cg *cg)
{
	return (cg->v1.n > 0 && !cg->itself) || (cg->foreign && cg->fd >= 0);
}

static int join_v2(struct cg *cg, pid_t pid, struct err *e)
{
	int r = cg_v2_join(cg->fd, pid, e);

	/* From another part of the tree only the system's manager may. */
	if ((r == -EACCES || r == -EPERM) && cg->unit.name)
		return cg_systemd_attach(&cg->unit, cg->below, pid, e);
	return r;
}

int cg_move(struct cg *cg, pid_t pid, struct err *e)
{
	int r = 0;

	if (cg->fd >= 0)
		r = join_v2(cg, pid, e);
	if (r == 0)
		r = cg_v1_join(&cg->v1, 0, pid, e);
	if (r == 0)
		cg_unit_release(&cg->unit);
	return r;
}

void cg_join_prepare(struct cg *cg)
{
	struct err e = { 0 };

	/* The holder goes when cg_join() is through; if nobody were in the
	 * scope by then, systemd would end it. */
	if (cg->unit.name && cg->fd < 0)
		return;
	cg->itself = cg->v1.n > 0 && cg_v1_prepare(&cg->v1, &e) == 0;
	if (cg->v1.n > 0 && !cg->itself)
		log_debug("cgroup: the process is moved: %s", err_text(&e));
}

int cg_join_self(const struct cg *cg, struct err *e)
{
	return cg->itself ? cg_v1_join_self(&cg->v1, e) : 0;
}

int cg_join(struct cg *cg, pid_t pid, struct err *e)
{
	int r = 0;

	if (cg_clone_fd(cg) < 0 && cg->fd >= 0)
		r = join_v2(cg, pid, e);
	if (r == 0 && !cg->itself)
		r = cg_v1_join(&cg->v1, 0, pid, e);
	cg_v1_unprepare(&cg->v1);
	if (r == 0)
		cg_unit_release(&cg->unit);
	return r;
}

/* --- groups below ---------------------------------------------------------*/

/* A handle like cg, without its groups. */
static int new_below(const struct cg *cg, struct cg **ret, struct err *e)
{
	struct cg *sub;
	int r = cg_new(cg->driver, &sub, e);

	if (r < 0)
		return r;
	sub->foreign = cg->foreign;
	sub->unit.user = cg->unit.user;
	if (cg->unit.name) {
		sub->unit.name = strdup(cg->unit.name);
		if (!sub->unit.name) {
			cg_free(sub);
			return err_nomem(e);
		}
	}
	*ret = sub;
	return 0;
}

/* "" or "/a/b" below cg. */
static int open_below(const struct cg *cg, struct cg *sub, const char *below,
		      struct err *e)
{
	sub->path = str_printf("%s%s", cg->path, below);
	sub->below = *below ? strdup(below) : NULL;
	if (!sub->path || (*below && !sub->below))
		return err_nomem(e);
	return cg_v2_open(sub->path, &sub->fd, e);
}

static int check_below(const char *sub, struct err *e)
{
	autofree char *path = str_printf("/group/%s", sub);
	autofree char *clean = path ? path_clean(path) : NULL;

	if (!clean)
		return err_nomem(e);
	if (!path_below(clean, "/group"))
		return err_set(e, -EINVAL,
			       "cgroup '%s': not below the container's", sub);
	return 0;
}

/* None that leads out of ours, or names a controller of which we have none. */
static int check_subs(const struct cg *cg, char *const *subs, struct err *e)
{
	STRV_FOREACH(s, subs) {
		const char *colon = strchr(*s, ':');
		int r = check_below(colon ? colon + 1 : *s, e);

		if (r < 0)
			return r;
		if (!colon)
			continue;
		if (cg->v1.n == 0)
			return err_set(e, -EOPNOTSUPP,
				       "cgroup v2 has no groups by controller");
		if (!cg_v1_has(&cg->v1, *s, (size_t)(colon - *s)))
			return err_set(
				e, -ENOENT,
				"cgroup '%s': the container has no group of that controller",
				*s);
	}
	return 0;
}

/* The path without a controller; v2 knows no other. On a hybrid host, words by
 * controller leave its group as it is. */
static int plain_sub(char *const *subs, char **ret, struct err *e)
{
	const char *found = NULL;
	autofree char *clean = NULL;

	STRV_FOREACH(s, subs) {
		if (!strchr(*s, ':') && !found)
			found = *s;
	}
	clean = path_clean(found && *found ? found : "/");
	if (!clean)
		return err_nomem(e);
	if (str_eq(clean, "/") || str_eq(clean, "."))
		*ret = strdup("");
	else
		*ret = str_printf("/%s", clean + (*clean == '/'));
	return *ret ? 0 : err_nomem(e);
}

int cg_open_sub(const struct cg *cg, char *const *subs, struct cg **ret,
		struct err *e)
{
	autofree char *below = NULL;
	autocg struct cg *sub = NULL;
	int r;

	r = check_subs(cg, subs, e);
	if (r == 0)
		r = new_below(cg, &sub, e);
	if (r == 0 && cg->fd >= 0) {
		r = plain_sub(subs, &below, e);
		if (r == 0)
			r = open_below(cg, sub, below, e);
	}
	if (r == 0)
		r = cg_v1_sub(&cg->v1, subs, &sub->v1, e);
	if (r < 0)
		return r;
	*ret = steal_ptr(sub);
	return 0;
}

static int open_v2_of(const struct cg *cg, const struct cg_host *host,
		      const char *membership, struct cg *sub, struct err *e)
{
	autofree char *own = NULL, *path = NULL;
	int r;

	r = cg_host_v2_path(membership, &own, e);
	if (r < 0)
		return r;
	path = own && host->v2 ? str_printf("%s%s", host->v2, own) : NULL;
	if (!path || !path_below(path, cg->path))
		return err_set(e, -ENOENT, "the process is not in cgroup '%s'",
			       cg->path);
	return open_below(cg, sub, path + strlen(cg->path), e);
}

int cg_open_of(const struct cg *cg, pid_t pid, struct cg **ret, struct err *e)
{
	_cleanup_(cg_host_done) struct cg_host host = { 0 };
	autofree char *membership = NULL;
	autocg struct cg *sub = NULL;
	int r;

	r = new_below(cg, &sub, e);
	if (r == 0)
		r = cg_host_find(&host, e);
	if (r == 0)
		r = cg_host_membership(pid, &membership, e);
	if (r == 0 && cg->fd >= 0)
		r = open_v2_of(cg, &host, membership, sub, e);
	if (r == 0)
		r = cg_v1_of(&cg->v1, &host.v1, membership, &sub->v1, e);
	if (r < 0)
		return r;
	*ret = steal_ptr(sub);
	return 0;
}

bool cg_is_filled(const struct cg *cg)
{
	char text[256];

	return cg->fd >= 0 && fd_read_small_at(cg->fd, "cgroup.subtree_control",
					       text, sizeof(text)) > 0;
}

/* --- processes ------------------------------------------------------------*/

static int no_group(const struct cg *cg, struct err *e)
{
	return err_set(e, -EOPNOTSUPP,
		       cg->driver == CG_DRIVER_DISABLED
			       ? "cgroups are disabled for this environment"
			       : "the environment has no cgroup");
}

int cg_pids(struct cg *cg, pid_t **ret, size_t *ret_n, struct err *e)
{
	struct cg_procs p = { 0 };
	int r;

	if (cg->fd < 0 && cg->v1.n == 0)
		return no_group(cg, e);
	if (cg->fd < 0)
		return cg_v1_pids(&cg->v1, ret, ret_n, e);
	r = cg_procs_list(cg->fd, &p, e);
	if (r < 0)
		return r;
	*ret = p.v;
	*ret_n = p.n;
	return 0;
}

int cg_signal_all(struct cg *cg, int sig, struct err *e)
{
	_cleanup_(cg_procs_done) struct cg_procs p = { 0 };
	int r;

	if (sig == SIGKILL)
		return cg_kill(cg, e);
	r = cg_pids(cg, &p.v, &p.n, e);
	if (r == 0)
		r = cg_procs_signal(&p, sig, e);
	return r < 0 ? r : 0;
}

int cg_kill(struct cg *cg, struct err *e)
{
	if (cg->fd >= 0)
		return cg_v2_kill(cg->fd, e);
	return cg->v1.n > 0 ? cg_v1_kill(&cg->v1, e) : no_group(cg, e);
}

int cg_let_die(struct cg *cg, struct err *e)
{
	return cg->fd >= 0 ? 0 : cg_v1_let_die(&cg->v1, e);
}

int cg_wait_empty(struct cg *cg, int timeout_ms, struct err *e)
{
	if (cg->fd >= 0)
		return cg_v2_wait_empty(cg->fd, timeout_ms, e);
	return cg->v1.n > 0 ? cg_v1_wait_empty(&cg->v1, timeout_ms, e)
			    : no_group(cg, e);
}

static int freeze(struct cg *cg, bool on, int timeout_ms, struct err *e)
{
	if (cg->fd >= 0)
		return cg_v2_freeze(cg->fd, on, timeout_ms, e);
	return cg->v1.n > 0 ? cg_v1_freeze(&cg->v1, on, timeout_ms, e)
			    : no_group(cg, e);
}

int cg_freeze(struct cg *cg, int timeout_ms, struct err *e)
{
	return freeze(cg, true, timeout_ms, e);
}

int cg_thaw(struct cg *cg, int timeout_ms, struct err *e)
{
	return freeze(cg, false, timeout_ms, e);
}

int cg_frozen(struct cg *cg, bool *ret, struct err *e)
{
	if (cg->fd >= 0)
		return cg_v2_frozen(cg->fd, ret, e);
	*ret = false;
	return cg->v1.n > 0 ? cg_v1_frozen(&cg->v1, ret, e) : 0;
}

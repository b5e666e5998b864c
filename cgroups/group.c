/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "cgroups/events.h"
#include "cgroups/place.h"
#include "cgroups/priv.h"
#include "cgroups/procs.h"
#include "cgroups/v2.h"

int cg_new(int driver, struct cg **ret, struct err *e)
{
	struct cg *cg = calloc(1, sizeof(*cg));

	if (!cg)
		return err_nomem(e);
	cg->driver = driver;
	cg->fd = -1;
	cg->log = -1;
	cg->unit.holder_fd = -1;
	*ret = cg;
	return 0;
}

void cg_free(struct cg *cg)
{
	if (!cg)
		return;
	auto_close_(&cg->fd);
	auto_close_(&cg->log);
	free(cg->mount);
	free(cg->path);
	free(cg->below);
	cg_v1_done(&cg->v1);
	cg_unit_done(&cg->unit);
	free(cg);
}

/* --- removing -------------------------------------------------------------*/

static bool exists(const struct cg *cg)
{
	if (cg->path && access(cg->path, F_OK) == 0)
		return true;
	for (size_t i = 0; i < cg->v1.n; i++) {
		if (access(cg->v1.v[i].path, F_OK) == 0)
			return true;
	}
	return false;
}

/* Stopping a unit kills what is in it; that is not what delete means. */
static int stop_unit(struct cg *cg, int timeout_ms, struct err *e)
{
	int r;

	if (!cg->unit.name || !exists(cg))
		return 0;
	cg_unit_release(&cg->unit);
	r = cg_wait_empty(cg, timeout_ms, e);
	if (r == -ETIMEDOUT)
		return err_set(e, -EBUSY, "unit '%s' still holds processes",
			       cg->unit.name);
	if (r < 0)
		return r;
	return cg_systemd_stop(&cg->unit, MAX_OF(timeout_ms, 5000), e);
}

int cg_delete(struct cg *cg, int timeout_ms, struct err *e)
{
	int r, r1;

	r = stop_unit(cg, timeout_ms, e);
	if (r < 0)
		return r;
	if (cg->path)
		r = cg_v2_remove(cg->path, timeout_ms, e);
	r1 = cg_v1_remove(&cg->v1, timeout_ms, r < 0 ? NULL : e);
	return r < 0 ? r : r1;
}

/* --- remembering ----------------------------------------------------------*/

int cg_paths_add(struct cg_paths *p, const char *controllers, const char *path,
		 struct err *e)
{
	struct cg_hierarchy *v = reallocarray(p->hierarchies.v,
					      p->hierarchies.n + 1, sizeof(*v));

	if (!v)
		return err_nomem(e);
	p->hierarchies.v = v;
	v = &v[p->hierarchies.n++];
	*v = (struct cg_hierarchy){ strdup(controllers), strdup(path) };
	return v->controllers && v->path ? 0 : err_nomem(e);
}

static int save(const struct cg *cg, struct cg_paths *p, struct err *e)
{
	int r = 0;

	if (cg->path)
		r = cg_paths_add(p, "", cg->path, e);
	for (size_t i = 0; i < cg->v1.n && r == 0; i++)
		r = cg_paths_add(p, cg->v1.v[i].names, cg->v1.v[i].path, e);
	if (r == 0 && cg->unit.name) {
		p->user_manager = cg->unit.user;
		p->unit = strdup(cg->unit.name);
		r = p->unit ? 0 : err_nomem(e);
	}
	return r;
}

int cg_save(const struct cg *cg, struct cg_paths *ret, struct err *e)
{
	struct cg_paths p = { .driver = cg->driver };
	int r = save(cg, &p, e);

	if (r < 0) {
		json_free(&cg_paths_table, &p);
		return r;
	}
	*ret = p;
	return 0;
}

static int load_one(struct cg *cg, const struct cg_hierarchy *h, struct err *e)
{
	if (h->controllers[0])
		return cg_v1_open(&cg->v1, h->controllers, h->path, e);
	free(cg->path);
	cg->path = strdup(h->path);
	if (!cg->path)
		return err_nomem(e);
	auto_close_(&cg->fd);
	cg->fd = -1;
	return cg_v2_open(cg->path, &cg->fd, e);
}

static int load(struct cg *cg, const struct cg_paths *paths, struct err *e)
{
	size_t found = 0;

	cg->unit.user = cg->foreign = paths->user_manager;
	if (paths->unit) {
		cg->unit.name = strdup(paths->unit);
		if (!cg->unit.name)
			return err_nomem(e);
	}
	for (size_t i = 0; i < paths->hierarchies.n; i++) {
		int r = load_one(cg, &paths->hierarchies.v[i], e);

		if (r < 0 && r != -ENOENT)
			return r;
		found += r == 0;
	}
	if (found == 0 && paths->hierarchies.n > 0)
		return err_set(e, -ENOENT, "cgroup '%s' is gone",
			       paths->hierarchies.v[0].path);
	return 0;
}

int cg_load(const struct cg_paths *paths, struct cg **ret, struct err *e)
{
	struct cg *cg;
	int r;

	r = cg_new(paths->driver, &cg, e);
	if (r < 0)
		return r;
	r = load(cg, paths, e);
	if (r < 0) {
		cg_free(cg);
		return r;
	}
	*ret = cg;
	return 0;
}

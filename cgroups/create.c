/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cgroups/folder.h"
#include "cgroups/limits.h"
#include "cgroups/place.h"
#include "cgroups/priv.h"
#include "cgroups/v2.h"

struct making {
	const struct cg_config *config;
	const struct cg_limits *limits;
	uint32_t needs; /* controllers of the limits */
	struct cg_host host;
	struct cg_place place;
	char *membership; /* /proc/self/cgroup, when the path is relative */
};

static void making_done(struct making *m)
{
	cg_host_done(&m->host);
	cg_place_done(&m->place);
	free(m->membership);
}

/*
 * Where a relative path begins in the v2 tree: at our own group, unless
 * controllers are needed below it. It holds us, so it cannot hand them down,
 * the real root excepted; then beside it.
 */
static int base_of_relative(const struct making *m, char **ret, struct err *e)
{
	uint32_t needs = m->needs | (m->config->account ? CG_CTL_ACCOUNT : 0);
	char *own = NULL, *slash;
	int r;

	r = cg_host_v2_path(m->membership, &own, e);
	if (r < 0)
		return r;
	if (!own)
		return err_set(
			e, -ENOENT,
			"our own cgroup lies outside of our cgroup namespace; give an absolute path");
	slash = strrchr(own, '/');
	if ((needs & ~m->host.v1.controllers) && slash && slash[1])
		*slash = '\0';
	if (str_eq(own, "/"))
		own[0] = '\0';
	*ret = own;
	return 0;
}

static int v2_path(struct cg *cg, const struct making *m, struct err *e)
{
	autofree char *base = NULL;

	if (m->place.relative) {
		int r = base_of_relative(m, &base, e);

		if (r < 0)
			return r;
	}
	cg->path = str_printf("%s%s%s%s", cg->mount, base ? base : "",
			      m->place.relative ? "/" : "", m->place.path);
	return cg->path ? 0 : err_nomem(e);
}

static int make_v2(struct cg *cg, const struct making *m, struct err *e)
{
	bool shared = m->config->envelope || cg->unit.name;
	int r;

	r = cg_v2_make(cg->mount, cg->path, shared, &cg->fd, &cg->made, e);
	if (r == 0 && !m->config->envelope)
		r = cg_v2_check_thawed(cg->mount, cg->path, e);
	return r;
}

static struct cg_v1_place v1_place(const struct cg *cg, const struct making *m)
{
	return (struct cg_v1_place){
		.path = m->place.path,
		.relative = m->place.relative,
		.membership = m->membership,
		.shared = m->config->envelope || cg->unit.name,
		.may_be_frozen = m->config->envelope,
	};
}

/*
 * What no limit needs: a group wherever the host has one, for what runs inside
 * (a Java machine that finds no cpuset takes itself for alone). A unit's
 * processes are where systemd looks for them: it ends a scope that is empty
 * there. As far as we may: a user's manager gives him groups of v2 alone.
 */
static int make_v1_more(struct cg *cg, const struct making *m,
			const struct cg_v1_place *place, struct err *e)
{
	uint32_t mask = 0;
	int r;

	if (m->config->account)
		mask = m->host.v1.controllers;
	/* A group starts with no real time to give. */
	if (m->config->realtime)
		mask &= ~cg_v1_host_with(&m->host.v1, CG_CTL_CPU);
	if (cg->unit.name)
		mask |= CG_BIT(CG_CTL_SYSTEMD) & m->host.v1.controllers;
	if (!mask)
		return 0;
	r = cg_v1_make(&cg->v1, &m->host.v1, mask, place, e);
	if ((r != -EACCES && r != -EPERM && r != -EROFS) || cg->fd < 0)
		return r;
	log_debug("cgroup: left out: %s", err_text(e));
	return 0;
}

static int make_v1(struct cg *cg, const struct making *m, struct err *e)
{
	const struct cg_v1_place place = v1_place(cg, m);
	uint32_t mask = m->needs & m->host.v1.controllers;
	int r = 0;

	/* Without a v2 group this is where processes are steered. */
	if (cg->fd < 0)
		mask |= CG_V1_STEER;
	if (mask)
		r = cg_v1_make(&cg->v1, &m->host.v1, mask, &place, e);
	return r < 0 ? r : make_v1_more(cg, m, &place, e);
}

/* Finds out where the group is to be. */
static int locate(struct cg *cg, struct making *m, struct err *e)
{
	int r = 0;

	if (!m->host.v2 && m->host.v1.n == 0)
		return err_set(e, -EOPNOTSUPP,
			       "this host has no cgroups mounted");
	if (m->place.relative)
		r = cg_host_membership(0, &m->membership, e);
	if (r < 0 || !m->host.v2)
		return r;
	cg->mount = strdup(m->host.v2);
	return cg->mount ? v2_path(cg, m, e) : err_nomem(e);
}

static int make_groups(struct cg *cg, struct making *m, struct err *e)
{
	int r = locate(cg, m, e);

	if (r == 0 && cg->path)
		r = make_v2(cg, m, e);
	return r < 0 ? r : make_v1(cg, m, e);
}

/* systemd makes the group, and tells where. */
static int make_unit(struct cg *cg, struct making *m, struct err *e)
{
	int r;

	r = cg_systemd_start(m->config, &m->place, m->limits, &cg->unit,
			     &m->place.path, e);
	if (r < 0)
		return r;
	cg->foreign = cg->unit.user;
	if (cg->unit.found)
		r = cg_systemd_set(&cg->unit, m->limits, e);
	return r < 0 ? r : make_groups(cg, m, e);
}

static int give_away(struct cg *cg, const struct cg_config *config,
		     struct err *e)
{
	uid_t uid = config->owner_uid.set ? config->owner_uid.v : (uid_t)-1;
	gid_t gid = config->owner_gid.set ? config->owner_gid.v : (gid_t)-1;
	int r = 0;

	if (!config->owner_uid.set && !config->owner_gid.set)
		return 0;
	if (cg->fd >= 0)
		r = cg_v2_chown(cg->fd, uid, gid, e);
	return r < 0 ? r : cg_v1_chown(&cg->v1, uid, gid, e);
}

/* As with runc and crun a group has whatever the host has: what runs inside,
 * systemd or a runtime of its own, may need more than limits it. A hybrid host
 * gives what it does not hold with v1, which is next to nothing. */
static uint32_t handed_down(const struct cg_host *host)
{
	return host->v1.controllers ? CG_CTL_ACCOUNT & ~host->v1.controllers
				    : UINT32_MAX;
}

/* Once the group is there. */
static int furnish(struct cg *cg, const struct cg_config *config,
		   const struct cg_limits *limits, const struct cg_host *host,
		   struct err *e)
{
	int r;

	if (config->account && cg->fd >= 0)
		cg_v2_enable_some(cg->mount, cg->path, handed_down(host));
	r = cg_write_limits(cg, host, limits, false, e);
	return r < 0 ? r : give_away(cg, config, e);
}

static int make_somewhere(struct cg *cg, struct making *m, struct err *e)
{
	int r;

	r = cg_host_find(&m->host, e);
	if (r < 0)
		return r;
	return cg->driver == CG_DRIVER_SYSTEMD ? make_unit(cg, m, e)
					       : make_groups(cg, m, e);
}

static int make(struct cg *cg, struct making *m, bool two_steps, struct err *e)
{
	int r;

	r = cg_place_parse(cg->driver, m->config->path, m->config->name,
			   &m->place, e);
	if (r < 0)
		return r;
	if (cg->driver == CG_DRIVER_DISABLED && cg_limits_any(m->limits))
		return err_set(e, -EOPNOTSUPP,
			       "cgroups are disabled, so no limit can be set");
	if (cg->driver == CG_DRIVER_DISABLED)
		return 0;
	r = make_somewhere(cg, m, e);
	if (r < 0)
		return r;
	/* v1 groups are joined after the clone, and a process that is in one
	 * already takes its memory with it; a unit has its limits. */
	cg->unfinished = two_steps && !cg->unit.name && m->host.v1.n == 0;
	return cg->unfinished ? 0
			      : furnish(cg, m->config, m->limits, &m->host, e);
}

/* Takes back what cg_create() made; what it found stays. */
static void unmake(struct cg *cg)
{
	struct err e = { 0 };
	int r = 0;

	cg_unit_release(&cg->unit);
	if (cg->unit.name && !cg->unit.found)
		r = cg_systemd_stop(&cg->unit, CG_SYSTEMD_TIMEOUT_MS, &e);
	if (r == 0 && cg->made)
		r = cg_v2_remove(cg->path, 1000, &e);
	if (r < 0)
		log_debug("undo of a cgroup: %s", err_text(&e));
	cg_v1_unmake(&cg->v1);
}

static int create(const struct cg_config *config,
		  const struct cg_limits *limits, bool two_steps,
		  struct cg **ret, struct err *e)
{
	_cleanup_(making_done) struct making m = {
		.config = config,
		.limits = limits,
		.needs = cg_limits_controllers(limits),
	};
	struct cg *cg;
	int r;

	r = cg_new(config->driver, &cg, e);
	if (r < 0)
		return r;
	r = make(cg, &m, two_steps, e);
	if (r < 0) {
		unmake(cg);
		cg_free(cg);
		return r;
	}
	*ret = cg;
	return 0;
}

int cg_create(const struct cg_config *config, const struct cg_limits *limits,
	      struct cg **ret, struct err *e)
{
	return create(config, limits, false, ret, e);
}

int cg_begin(const struct cg_config *config, const struct cg_limits *limits,
	     struct cg **ret, struct err *e)
{
	return create(config, limits, true, ret, e);
}

int cg_finish(struct cg *cg, const struct cg_config *config,
	      const struct cg_limits *limits, struct err *e)
{
	static const struct cg_host v2_alone;

	if (!cg->unfinished)
		return 0;
	cg->unfinished = false;
	return furnish(cg, config, limits, &v2_alone, e);
}

/* --- finding --------------------------------------------------------------*/

static int find_groups(struct cg *cg, struct making *m, struct err *e)
{
	struct cg_v1_place place;
	int r;

	r = locate(cg, m, e);
	if (r == 0 && cg->path && (cg->unit.name || cg_folder_ours(cg->path)))
		r = cg_v2_open(cg->path, &cg->fd, e);
	if (r < 0 && r != -ENOENT)
		return r;
	place = v1_place(cg, m);
	r = cg_v1_find(&cg->v1, &m->host.v1, &place, e);
	if (r == 0 && cg->fd < 0 && cg->v1.n == 0)
		return err_set(e, -ENOENT, "the cgroup is not there");
	return r;
}

static int find(struct cg *cg, struct making *m, struct err *e)
{
	int r;

	if (cg->driver == CG_DRIVER_DISABLED)
		return err_set(e, -ENOENT, "cgroups are disabled");
	r = cg_place_parse(cg->driver, m->config->path, m->config->name,
			   &m->place, e);
	if (r == 0 && cg->driver == CG_DRIVER_SYSTEMD) {
		r = cg_systemd_find(m->config, &m->place, &cg->unit,
				    &m->place.path, e);
		cg->foreign = cg->unit.user;
	}
	if (r == 0)
		r = cg_host_find(&m->host, e);
	return r < 0 ? r : find_groups(cg, m, e);
}

int cg_find(const struct cg_config *config, const struct cg_limits *limits,
	    struct cg **ret, struct err *e)
{
	_cleanup_(making_done) struct making m = {
		.config = config,
		.limits = limits,
		.needs = cg_limits_controllers(limits),
	};
	autocg struct cg *cg = NULL;
	int r;

	r = cg_new(config->driver, &cg, e);
	if (r == 0)
		r = find(cg, &m, e);
	if (r < 0)
		return r;
	*ret = steal_ptr(cg);
	return 0;
}

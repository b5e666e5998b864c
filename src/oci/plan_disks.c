/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

/*
 * Disks of a micro-VM. The kernel of a guest has no use for a number of the
 * host's: what a container would have as a node of the host's device, a guest
 * has as a disk of its own, with a node of that name.
 */

#define NAME_MAX_ 64

static int add(struct plan *p, const struct plan_disk *made, struct err *e)
{
	struct plan_disk *v;

	if (p->disks.n == PLAN_DISKS_MAX)
		return err_set(e, -E2BIG, "more than %d disks", PLAN_DISKS_MAX);
	v = reallocarray(p->disks.v, p->disks.n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	p->disks.v = v;
	v[p->disks.n++] = *made;
	return 0;
}

/* --- by annotation ---------------------------------------------------------*/

static bool is_name(const char *name)
{
	size_t n = strlen(name);

	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			return false;
	return n > 0 && n <= NAME_MAX_ && name[0] != '.';
}

/* How many in a second: at least one. */
static int take_rate(const char *word, int (*parse)(const char *s, uint64_t *v),
		     uint64_t *rate, struct err *e)
{
	const char *value = strchr(word, '=') + 1;

	if (*rate != 0)
		return err_set(e, -EINVAL, "'%.64s' is a second rate", word);
	if (parse(value, rate) < 0 || *rate == 0)
		return err_set(e, -EINVAL, "'%.64s' is not a rate", word);
	return 0;
}

/* Words behind the path, the last one first; a path may have colons. */
static int take_words(struct plan_disk *d, char *path, struct err *e)
{
	int r = 0;

	for (char *at; r == 0 && (at = strrchr(path, ':')); *at = '\0') {
		const char *word = at + 1;

		if (str_eq(word, "ro"))
			d->readonly = true;
		else if (str_starts(word, "bps="))
			r = take_rate(word, str_to_bytes, &d->bps, e);
		else if (str_starts(word, "iops="))
			r = take_rate(word, str_to_u64, &d->iops, e);
		else
			break;
	}
	return r;
}

int plan_take_disk(struct plan *p, const char *name, const char *text,
		   struct err *e)
{
	struct plan_disk d = { .mode = 0660 };
	autofree char *path = strdup(text), *source = NULL, *node = NULL;
	int r;

	if (!is_name(name))
		return err_set(e, -EINVAL, "'%.64s' is not a name in /dev",
			       name);
	node = str_printf("/dev/%s", name);
	if (!path || !node)
		return err_nomem(e);
	r = take_words(&d, path, e);
	if (r == 0)
		r = plan_copy_path(path, &source, e);
	if (r < 0)
		return r;
	d.path = node;
	d.source = source;
	r = add(p, &d, e);
	if (r == 0)
		node = source = NULL;
	return r;
}

/* --- of linux.devices ------------------------------------------------------*/

int plan_disk_of_device(struct plan *p, struct ns_device *n, struct err *e)
{
	struct plan_disk d = {
		.path = n->path,
		.major = (uint32_t)n->major,
		.minor = (uint32_t)n->minor,
		.mode = n->mode,
		.uid = n->uid,
		.gid = n->gid,
	};
	int r = add(p, &d, e);

	if (r == 0)
		n->path = NULL;
	return r;
}

static bool is_about(const struct cg_device_rule *r, const struct plan_disk *d)
{
	return r->type != CG_DEVICE_CHAR &&
	       (!r->major.set || r->major.v == d->major) &&
	       (!r->minor.set || r->minor.v == d->minor);
}

/* As the kernel would judge: the last rule that matches, for each access. */
static bool allowed(const struct cg_device_rules *rules,
		    const struct plan_disk *d, uint32_t access)
{
	for (size_t i = rules->n; i-- > 0;)
		if (is_about(&rules->v[i], d) && (rules->v[i].access & access))
			return rules->v[i].allow;
	return false;
}

static int judge(const struct plan *p, struct plan_disk *d, struct err *e)
{
	const struct cg_device_rules *rules = &p->limits.devices;

	/* By annotation, or nobody filters: see plan_add_device_rules(). */
	if (d->source || rules->n == 0)
		return 0;
	d->readonly = !allowed(rules, d, CG_DEVICE_WRITE);
	if (allowed(rules, d, CG_DEVICE_READ))
		return 0;
	return err_set(
		e, -EACCES,
		"linux: devices: no rule of linux.resources.devices lets '%s' be read",
		d->path);
}

/* --- both ------------------------------------------------------------------*/

static int check_path(const struct plan *p, size_t i, struct err *e)
{
	const char *path = p->disks.v[i].path;
	bool twice = false;

	for (size_t k = 0; k < p->devices.n; k++)
		twice |= str_eq(p->devices.v[k].path, path);
	for (size_t k = 0; k < i; k++)
		twice |= str_eq(p->disks.v[k].path, path);
	return twice ? err_set(e, -EINVAL,
			       "linux: devices: duplicate path '%.256s'", path)
		     : 0;
}

int plan_add_disks(struct plan_draft *d, struct err *e)
{
	struct plan *p = d->plan;
	int r = 0;

	/* A configuration may serve both; a container does not need them. */
	if (p->isolation != PLAN_VM) {
		for (size_t i = 0; i < p->disks.n; i++)
			json_free(&plan_disk_table, &p->disks.v[i]);
		p->disks.n = 0;
		return 0;
	}
	if (p->disks.n > 0 && !p->own_dev)
		return err_set(
			e, -EINVAL,
			"disks: /dev is bound from the host: there is no place for their nodes");
	for (size_t i = 0; i < p->disks.n && r == 0; i++) {
		r = check_path(p, i, e);
		if (r == 0)
			r = judge(p, &p->disks.v[i], e);
	}
	return r;
}

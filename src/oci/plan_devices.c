/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

/* What dev_t holds. */
#define MAJOR_MAX 0xfffU
#define MINOR_MAX 0xfffffU

/* --- nodes -----------------------------------------------------------------*/

static int check_number(const char *what, int64_t v, uint32_t max,
			struct err *e)
{
	if (v >= 0 && v <= max)
		return 0;
	return err_set(e, -EINVAL, "%s: %lld is not in 0..%u", what,
		       (long long)v, max);
}

static int set_numbers(const struct spec_device *s, struct ns_device *n,
		       struct err *e)
{
	int r;

	if (strlen(s->type) != 1 || !strchr("cbup", *s->type))
		return err_set(e, -EINVAL,
			       "type: '%.64s' is not one of c, b, u, p",
			       s->type);
	n->type = *s->type == 'u' ? 'c' : *s->type; /* unbuffered character */
	if (n->type == 'p')
		return 0;
	r = check_number("major", s->major, MAJOR_MAX, e);
	if (r < 0)
		return r;
	n->major = s->major;
	n->minor = s->minor;
	return check_number("minor", s->minor, MINOR_MAX, e);
}

/* Docker puts the whole st_mode there. */
#define MODE_BITS 07777U

static int set_device(const struct spec_device *s, struct ns_device *n,
		      struct err *e)
{
	int r;

	r = plan_copy_path(s->path, &n->path, e);
	if (r < 0)
		return err_wrap(e, r, "path");
	if (str_eq(n->path, "/"))
		return err_set(e, -EINVAL, "path: '/' is no device");
	n->mode = s->file_mode.set ? s->file_mode.v & MODE_BITS : 0666;
	n->uid = s->uid.v;
	n->gid = s->gid.v;
	return set_numbers(s, n, e);
}

/* The container's devpts and terminal are there, whatever the host's are. */
static bool is_ours(const char *path)
{
	return str_eq(path, "/dev/ptmx") || str_eq(path, "/dev/console");
}

/* All defaults come first, so that only they can be meant to be replaced. */
static struct ns_device *find_default(struct plan *p, const char *path)
{
	for (size_t i = 0; i < n_ns_device_defaults; i++)
		if (str_eq(p->devices.v[i].path, path))
			return &p->devices.v[i];
	return NULL;
}

static int add_device(struct plan *p, const struct spec_device *s,
		      struct err *e)
{
	struct ns_device n = { 0 }, *same;
	int r;

	r = set_device(s, &n, e);
	if (r == 0 && n.type == 'b' && p->isolation == PLAN_VM)
		r = plan_disk_of_device(p, &n, e);
	if (r < 0 || !n.path || is_ours(n.path)) {
		free(n.path);
		return r;
	}
	same = find_default(p, n.path);
	if (!same)
		same = &p->devices.v[p->devices.n++];
	free(same->path);
	*same = n;
	return 0;
}

static int add_defaults(struct plan *p, struct err *e)
{
	for (size_t i = 0; i < n_ns_device_defaults; i++) {
		struct ns_device *n = &p->devices.v[i];

		*n = ns_device_defaults[i];
		n->path = strdup(n->path);
		p->devices.n = i + 1;
		if (!n->path)
			return err_nomem(e);
	}
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	const struct ns_device *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

/* The same path twice: which of the two was meant? */
static int check_duplicates(const struct plan *p, struct err *e)
{
	autofree const struct ns_device **sorted = NULL;
	size_t n = p->devices.n;

	sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++)
		sorted[i] = &p->devices.v[i];
	qsort(sorted, n, sizeof(*sorted), compare_paths);
	for (size_t i = 1; i < n; i++)
		if (str_eq(sorted[i - 1]->path, sorted[i]->path))
			return err_set(e, -EINVAL, "duplicate path '%.256s'",
				       sorted[i]->path);
	return 0;
}

int plan_add_devices(struct plan_draft *d, struct err *e)
{
	struct plan *p = d->plan;
	size_t n = d->os->devices.n;
	int r;

	if (!p->own_dev) {
		if (n > 0)
			log_debug(
				"linux: devices: /dev is the host's, none are made");
		return 0;
	}
	p->devices.v = calloc(n + n_ns_device_defaults, sizeof(*p->devices.v));
	if (!p->devices.v)
		return err_nomem(e);
	r = add_defaults(p, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = add_device(p, &d->os->devices.v[i], e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	return check_duplicates(p, e);
}

/* --- who may use which -----------------------------------------------------*/

static const struct {
	const char *name; /* of config.json, and long ones that runc knows */
	int type;
} rule_types[] = {
	{ "a", CG_DEVICE_ALL },
	{ "c", CG_DEVICE_CHAR },
	{ "u", CG_DEVICE_CHAR },
	{ "b", CG_DEVICE_BLOCK },
};

static int set_type(const char *name, struct cg_device_rule *r, struct err *e)
{
	if (!name || *name == '\0')
		return 0; /* CG_DEVICE_ALL */
	for (size_t i = 0; i < ARRAY_SIZE(rule_types); i++) {
		if (!str_eq(name, rule_types[i].name))
			continue;
		r->type = rule_types[i].type;
		return 0;
	}
	return err_set(e, -EINVAL, "type: '%.64s' is not one of a, c, b", name);
}

static int set_number(const char *what, const struct opt_i64 *s, uint32_t max,
		      struct opt_u32 *to, struct err *e)
{
	if (!s->set || s->v == -1)
		return 0;
	to->set = true;
	to->v = (uint32_t)s->v;
	return check_number(what, s->v, max, e);
}

static int set_rule(const struct spec_device_rule *s, struct cg_device_rule *to,
		    struct err *e)
{
	int r;

	to->allow = s->allow;
	to->access = CG_DEVICE_ANY;
	r = set_type(s->type, to, e);
	if (r == 0)
		r = set_number("major", &s->major, MAJOR_MAX, &to->major, e);
	if (r == 0)
		r = set_number("minor", &s->minor, MINOR_MAX, &to->minor, e);
	if (r < 0 || !s->access || *s->access == '\0')
		return r;
	if (cg_device_access_parse(s->access, &to->access) < 0)
		return err_set(e, -EINVAL,
			       "access: '%.64s' is more than r, w and m",
			       s->access);
	return 0;
}

int plan_device_rules(const struct spec_resources *s,
		      struct cg_device_rules *ret, struct err *e)
{
	size_t n = s->devices.n;
	int r;

	if (n == 0)
		return 0;
	ret->v = calloc(n, sizeof(*ret->v));
	if (!ret->v)
		return err_nomem(e);
	ret->n = n;
	for (size_t i = 0; i < n; i++) {
		r = set_rule(&s->devices.v[i], &ret->v[i], e);
		if (r < 0)
			return err_wrap(e, r, "devices: [%zu]", i);
	}
	return 0;
}

/*
 * What every container may use, as with runc: making nodes of any kind (to use
 * them is another matter), the default devices, its own terminals.
 */
#define ANY                                                                    \
	{                                                                      \
		.set = false                                                   \
	}
#define NUMBER(n)                                                              \
	{                                                                      \
		.set = true, .v = (n)                                          \
	}
/* clang-format off */
static const struct cg_device_rule default_rules[] = {
	{ true, CG_DEVICE_CHAR,  ANY,         ANY,       CG_DEVICE_MKNOD },
	{ true, CG_DEVICE_BLOCK, ANY,         ANY,       CG_DEVICE_MKNOD },
	{ true, CG_DEVICE_CHAR,  NUMBER(1),   NUMBER(3), CG_DEVICE_ANY }, /* null */
	{ true, CG_DEVICE_CHAR,  NUMBER(1),   NUMBER(8), CG_DEVICE_ANY }, /* random */
	{ true, CG_DEVICE_CHAR,  NUMBER(1),   NUMBER(7), CG_DEVICE_ANY }, /* full */
	{ true, CG_DEVICE_CHAR,  NUMBER(5),   NUMBER(0), CG_DEVICE_ANY }, /* tty */
	{ true, CG_DEVICE_CHAR,  NUMBER(1),   NUMBER(5), CG_DEVICE_ANY }, /* zero */
	{ true, CG_DEVICE_CHAR,  NUMBER(1),   NUMBER(9), CG_DEVICE_ANY }, /* urandom */
	{ true, CG_DEVICE_CHAR,  NUMBER(136), ANY,       CG_DEVICE_ANY }, /* pts */
	{ true, CG_DEVICE_CHAR,  NUMBER(5),   NUMBER(2), CG_DEVICE_ANY }, /* ptmx */
};
/* clang-format on */

/* Behind those of the configuration: without them no program runs. */
int plan_default_rules(struct cg_device_rules *rules, struct err *e)
{
	struct cg_device_rule *v;

	v = reallocarray(rules->v, rules->n + ARRAY_SIZE(default_rules),
			 sizeof(*v));
	if (!v)
		return err_nomem(e);
	(void)memcpy(v + rules->n, default_rules, sizeof(default_rules));
	rules->v = v;
	rules->n += ARRAY_SIZE(default_rules);
	return 0;
}

int plan_add_device_rules(struct plan_draft *d, struct err *e)
{
	struct cg_device_rules *rules = &d->plan->limits.devices;

	/* Only root of the host may load the filter; and where it cannot,
	 * nobody can make a node that is worth filtering. */
	if (d->ctx->rootless || d->ctx->cgroup_driver == CG_DRIVER_DISABLED) {
		free(rules->v);
		*rules = (struct cg_device_rules){ 0 };
		return 0;
	}
	return plan_default_rules(rules, e);
}

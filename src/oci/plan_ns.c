/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "namespaces/sysctl.h"
#include "src/oci/plan_parts.h"

#define NAME_MAX_UTS 64

/* --- namespaces ------------------------------------------------------------*/

static int find_kind(const char *name)
{
	for (int i = 0; i < NS_KIND_N_; i++)
		if (str_eq(name, ns_info[i].name))
			return i;
	return -EINVAL;
}

static int add_namespace(struct plan *p, const struct spec_namespace *s,
			 struct err *e)
{
	struct ns_namespace *n;
	int kind;

	kind = find_kind(s->type);
	if (kind < 0)
		return err_set(e, -EINVAL, "type: unknown namespace '%.64s'",
			       s->type);
	if (plan_owns(p, (enum ns_kind)kind))
		return err_set(e, -EINVAL, "duplicate '%s'", s->type);
	n = &p->namespaces.v[p->namespaces.n++];
	n->kind = kind;
	if (!s->path || *s->path == '\0')
		return 0;
	if (*s->path != '/')
		return err_set(e, -EINVAL,
			       "path: '%.256s' is not an absolute path",
			       s->path);
	return plan_copy(s->path, &n->path, e);
}

/* What cannot work whatever else the configuration says. */
static int check_namespaces(const struct plan_draft *d, struct err *e)
{
	const struct plan *p = d->plan;

	if (!plan_owns(p, NS_MNT) && plan_owns(p, NS_USER))
		return err_set(
			e, -EINVAL,
			"no 'mount': the 'user' namespace has no rights over the host's mounts");
	/* In a user namespace of its caller's (podman), uid is 0. */
	if (d->ctx->rootless && d->ctx->uid != 0 && !plan_owns(p, NS_USER))
		return err_set(e, -EPERM,
			       "no 'user': needed when not started by root");
	return 0;
}

int plan_add_namespaces(struct plan_draft *d, struct err *e)
{
	struct plan *p = d->plan;
	size_t n = d->os->namespaces.n;
	int r;

	/* More than there are kinds must repeat one. */
	p->namespaces.v = calloc(MIN_OF(n, (size_t)NS_KIND_N_) + 1,
				 sizeof(*p->namespaces.v));
	if (!p->namespaces.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		r = add_namespace(p, &d->os->namespaces.v[i], e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	p->loopback_up = plan_makes(p, NS_NET);
	return check_namespaces(d, e);
}

/* --- mappings --------------------------------------------------------------*/

static int set_ids(const struct ns_idmaps *from, struct ns_idmaps *to,
		   const char *what, struct err *e)
{
	if (from->n == 0)
		return err_set(e, -EINVAL,
			       "%s: missing for the new user namespace", what);
	return plan_copy_ids(from, to, what, e);
}

int plan_add_id_maps(struct plan_draft *d, struct err *e)
{
	const struct spec_linux *os = d->os;
	bool any = os->uid_mappings.n > 0 || os->gid_mappings.n > 0;
	int r;

	if (!plan_owns(d->plan, NS_USER)) {
		if (!any)
			return 0;
		return err_set(
			e, -EINVAL, "%s: there is no user namespace to map for",
			os->uid_mappings.n > 0 ? "uidMappings" : "gidMappings");
	}
	/* Podman describes the namespace that it joins, for runtimes that
	 * want some mapping whenever there is a user namespace. */
	if (!plan_makes(d->plan, NS_USER)) {
		if (any)
			log_debug(
				"uidMappings, gidMappings: those of the existing user namespace count");
		return 0;
	}
	r = set_ids(&os->uid_mappings, &d->plan->map.uids, "uidMappings", e);
	if (r < 0)
		return r;
	return set_ids(&os->gid_mappings, &d->plan->map.gids, "gidMappings", e);
}

/* --- time ------------------------------------------------------------------*/

static int check_offset(const struct ns_time_offset *o, struct err *e)
{
	if (!str_eq(o->clock, "monotonic") && !str_eq(o->clock, "boottime"))
		return err_set(e, -EINVAL,
			       "'%.64s' is not one of monotonic, boottime",
			       o->clock);
	if (o->nanosecs >= 1000000000)
		return err_set(e, -EINVAL,
			       "%s: nanosecs: %u is not less than a second",
			       o->clock, o->nanosecs);
	return 0;
}

/*
 * run.oci.timens_offset: a line as /proc/self/timens_offsets takes it, CLOCK
 * SECONDS NANOSECONDS, where the clock may be a number.
 */
static int parse_offset(const char *line, struct ns_time_offset *o,
			struct err *e)
{
	autostrv char **word = NULL;

	if (strv_split(line, ' ', &word) < 0)
		return err_nomem(e);
	if (strv_len(word) != 3 || str_to_i64(word[1], &o->secs) < 0 ||
	    str_to_u32(word[2], &o->nanosecs) < 0)
		return err_set(e, -EINVAL,
			       "'%.64s' is not CLOCK SECONDS NANOSECONDS",
			       line);
	if (str_eq(word[0], "1"))
		return plan_copy("monotonic", &o->clock, e);
	if (str_eq(word[0], "7"))
		return plan_copy("boottime", &o->clock, e);
	return plan_copy(word[0], &o->clock, e);
}

static int add_annotated_offset(struct plan_draft *d, struct err *e)
{
	struct ns_time_offset *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return err_nomem(e);
	d->plan->time_offsets.v = o;
	d->plan->time_offsets.n = 1;
	r = parse_offset(d->time_offset, o, e);
	if (r == 0)
		r = check_offset(o, e);
	if (r == 0 && !plan_makes(d->plan, NS_TIME))
		r = err_set(e, -EINVAL,
			    "only a new time namespace can have it");
	return r < 0 ? err_wrap(e, r, "run.oci.timens_offset") : 0;
}

int plan_add_time_offsets(struct plan_draft *d, struct err *e)
{
	size_t n = d->os->time_offsets.n;
	struct ns_time_offset *v;
	int r;

	if (n == 0)
		return d->time_offset ? add_annotated_offset(d, e) : 0;
	if (d->time_offset)
		return err_set(
			e, -EINVAL,
			"annotation run.oci.timens_offset says another one");
	if (!plan_makes(d->plan, NS_TIME))
		return err_set(e, -EINVAL,
			       "only a new time namespace can have them");
	for (size_t i = 0; i < n; i++) {
		r = check_offset(&d->os->time_offsets.v[i], e);
		if (r < 0)
			return r;
	}
	v = calloc(n, sizeof(*v));
	if (!v)
		return err_nomem(e);
	d->plan->time_offsets.v = v;
	for (size_t i = 0; i < n; i++) {
		const struct ns_time_offset *o = &d->os->time_offsets.v[i];

		v[i].secs = o->secs;
		v[i].nanosecs = o->nanosecs;
		d->plan->time_offsets.n = i + 1;
		r = plan_copy(o->clock, &v[i].clock, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- names -----------------------------------------------------------------*/

static int add_name(const struct plan_draft *d, const char *from, char **to,
		    struct err *e)
{
	if (!from || *from == '\0')
		return 0;
	if (!plan_owns(d->plan, NS_UTS))
		return err_set(e, -EINVAL,
			       "needs a uts namespace, or it is the host's");
	if (strlen(from) > NAME_MAX_UTS)
		return err_set(e, -EINVAL, "longer than %d bytes",
			       NAME_MAX_UTS);
	return plan_copy(from, to, e);
}

int plan_add_names(struct plan_draft *d, struct err *e)
{
	int r;

	r = add_name(d, d->spec->hostname, &d->plan->hostname, e);
	if (r < 0)
		return err_wrap(e, r, "hostname");
	r = add_name(d, d->spec->domainname, &d->plan->domainname, e);
	return r < 0 ? err_wrap(e, r, "domainname") : 0;
}

/* --- kernel parameters -----------------------------------------------------*/

static unsigned int owned(const struct plan *p)
{
	unsigned int own = 0;

	for (size_t i = 0; i < p->namespaces.n; i++)
		own |= 1U << p->namespaces.v[i].kind;
	return own;
}

/* Two keys that say the same thing, perhaps differently. Of a host's name only
 * one is allowed anyway. */
static int check_twin(const struct plan *p, const char *key, struct err *e)
{
	if (p->domainname && str_eq(key, "kernel.domainname"))
		return err_set(e, -EINVAL, "%s: contradicts domainname", key);
	return 0;
}

int plan_add_sysctls(struct plan_draft *d, struct err *e)
{
	const struct json_map *map = &d->os->sysctl;
	unsigned int own = owned(d->plan);
	struct plan_sysctl *v;
	int r;

	if (map->n == 0)
		return 0;
	v = calloc(map->n, sizeof(*v));
	if (!v)
		return err_nomem(e);
	d->plan->sysctls.v = v;
	for (size_t i = 0; i < map->n; i++) {
		r = ns_sysctl_check(map->keys[i], own, e);
		if (r < 0)
			return r;
		r = check_twin(d->plan, map->keys[i], e);
		if (r < 0)
			return r;
		d->plan->sysctls.n = i + 1;
		v[i].key = strdup(map->keys[i]);
		v[i].value = strdup(map->values[i]);
		if (!v[i].key || !v[i].value)
			return err_nomem(e);
	}
	return 0;
}

/* --- network devices -------------------------------------------------------*/

/* As the kernel has it, and without %, which would be a pattern to it. */
static int check_device_name(const char *name, struct err *e)
{
	if (*name == '\0' || strlen(name) >= IFNAMSIZ || str_eq(name, ".") ||
	    str_eq(name, ".."))
		return err_set(e, -EINVAL,
			       "'%.64s' cannot be a network device's name",
			       name);
	for (const char *c = name; *c; c++)
		if (*c == '/' || *c == ':' || *c == '%' ||
		    isspace((unsigned char)*c))
			return err_set(
				e, -EINVAL,
				"'%.64s' cannot be a network device's name",
				name);
	return 0;
}

static int add_net_device(struct plan *p, const struct spec_net_device *s,
			  struct err *e)
{
	const char *inside = s->name && *s->name ? s->name : s->key;
	struct plan_net_device *n = &p->net_devices.v[p->net_devices.n];
	int r;

	r = check_device_name(s->key, e);
	if (r < 0)
		return r;
	r = check_device_name(inside, e);
	if (r < 0)
		return err_wrap(e, r, "%s: name", s->key);
	if (str_eq(inside, "lo"))
		return err_set(e, -EINVAL,
			       "%s: name: 'lo' is the namespace's own", s->key);
	for (size_t i = 0; i < p->net_devices.n; i++)
		if (str_eq(p->net_devices.v[i].name_inside, inside))
			return err_set(e, -EINVAL, "%s: name: duplicate '%s'",
				       s->key, inside);
	p->net_devices.n++;
	r = plan_copy(s->key, &n->name, e);
	return r < 0 ? r : plan_copy(inside, &n->name_inside, e);
}

/* A network namespace with this many takes minutes to build; and their names
 * are compared with each other. */
#define NET_DEVICES_MAX 256

int plan_add_net_devices(struct plan_draft *d, struct err *e)
{
	size_t n = d->os->net_devices.n;
	int r;

	if (n == 0)
		return 0;
	if (!plan_owns(d->plan, NS_NET))
		return err_set(e, -EINVAL,
			       "needs a network namespace to move them to");
	if (d->ctx->rootless)
		return err_set(e, -EPERM,
			       "only root of the host can move its devices");
	if (n > NET_DEVICES_MAX)
		return err_set(e, -EINVAL, "more than %d", NET_DEVICES_MAX);
	d->plan->net_devices.v = calloc(n, sizeof(*d->plan->net_devices.v));
	if (!d->plan->net_devices.v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		r = add_net_device(d->plan, &d->os->net_devices.v[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

/* --- options ---------------------------------------------------------------*/

/* Words that are not ours, for the file system: "a,b=c". */
struct data {
	char *text;
	size_t len;
};

static size_t total_length(char *const *words)
{
	size_t n = 1;

	STRV_FOREACH(w, words)
		n += strlen(*w) + 1;
	return n;
}

static void append(struct data *data, const char *word)
{
	size_t n = strlen(word);

	if (data->len > 0)
		data->text[data->len++] = ',';
	(void)memcpy(data->text + data->len, word, n + 1);
	data->len += n;
}

static int add_options(struct ns_mount *m, char *const *options, struct err *e)
{
	struct data data = { 0 };
	int r;

	if (!options || !*options)
		return 0;
	m->data = data.text = calloc(1, total_length(options));
	if (!data.text)
		return err_nomem(e);
	for (size_t i = 0; options[i]; i++) {
		r = ns_mount_option(m, options[i], e);
		if (r < 0)
			return err_wrap(e, r, "options: [%zu]", i);
		if (r == 0 && *options[i])
			append(&data, options[i]);
	}
	if (data.len > 0)
		return 0;
	free(m->data);
	m->data = NULL;
	return 0;
}

/* There is no file system to take them: a misspelt "ro" must not be lost. */
static int check_data(const struct ns_mount *m, struct err *e)
{
	if (!m->data || !(m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND)))
		return 0;
	return err_set(e, -EINVAL,
		       "options: '%.128s' is nothing that a bind mount knows",
		       m->data);
}

/* --- where to --------------------------------------------------------------*/

/*
 * Files of /proc that may be covered, as runc has them (lxcfs does). All else
 * below it may not: a /proc/self/attr of somebody's making would make us
 * write labels to nowhere.
 */
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/net/dev",
	"/proc/slabinfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/sys/crypto/fips_enabled",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/uptime",
};

static int check_target(const char *target, struct err *e)
{
	if (!str_starts(target, "/proc/"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
		if (str_eq(target, proc_files[i]))
			return 0;
	return err_set(
		e, -EPERM,
		"destination: '%.256s' lies inside /proc, where mounts are not allowed",
		target);
}

/* The specification lets a relative one mean "below /"; one that begins as the
 * root's own path does is in the root, as runc has it. */
static int set_target(const struct ns_root *root, struct ns_mount *m,
		      const char *destination, struct err *e)
{
	autofree char *path = NULL, *clean = NULL;
	const char *target;

	if (*destination == '\0')
		return err_set(e, -EINVAL, "destination: empty");
	path = path_join("/", destination);
	clean = path ? path_clean(path) : NULL;
	if (!clean)
		return err_nomem(e);
	target = clean;
	if (root->path && path_below(clean, root->path))
		target += strlen(root->path);
	m->target = strdup(*target ? target : "/");
	if (!m->target)
		return err_nomem(e);
	return check_target(m->target, e);
}

/* What is mounted on "/" is the root from then on, which needs one of ours. */
static int check_root(const struct plan_draft *d, const struct ns_mount *m,
		      struct err *e)
{
	if (!str_eq(m->target, "/"))
		return 0;
	if (m->flags & NS_MOUNT_REMOUNT)
		return err_set(e, -EINVAL,
			       "destination: '/' is changed by root.readonly");
	if (d->plan->root.shared)
		return err_set(
			e, -EINVAL,
			"destination: '/' without a new mount namespace would cover what is others'");
	return 0;
}

/* --- what ------------------------------------------------------------------*/

static int set_source(const struct plan_draft *d, struct ns_mount *m,
		      const struct spec_mount *s, struct err *e)
{
	int r;

	if (!(m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND)))
		return plan_copy(s->source, &m->source, e);
	r = plan_bundle_path(d, s->source, &m->source, e);
	return r < 0 ? err_wrap(e, r, "source") : 0;
}

static int set_type(struct ns_mount *m, const struct spec_mount *s,
		    struct err *e)
{
	/* Of a bind, "none" or the name of anything else says nothing. */
	if (str_eq(s->type, "bind") && !(m->flags & NS_MOUNT_RBIND))
		m->flags |= NS_MOUNT_BIND;
	if (m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND))
		return 0;
	if (!s->type || *s->type == '\0')
		return err_set(
			e, -EINVAL,
			"type: missing, and no option makes it a bind mount");
	if (str_eq(s->type, "cgroup") || str_eq(s->type, "cgroup2"))
		m->flags |= NS_MOUNT_CGROUP;
	return plan_copy(s->type, &m->fstype, e);
}

/* --- whose -----------------------------------------------------------------*/

static int set_mappings(struct ns_mount *m, const struct spec_mount *s,
			struct err *e)
{
	int r;

	if (s->uid_mappings.n == 0 && s->gid_mappings.n == 0)
		return 0;
	if (s->uid_mappings.n == 0 || s->gid_mappings.n == 0)
		return err_set(
			e, -EINVAL, "%s: missing beside %s",
			s->uid_mappings.n ? "gidMappings" : "uidMappings",
			s->uid_mappings.n ? "uidMappings" : "gidMappings");
	if (!(m->flags & (NS_MOUNT_IDMAP | NS_MOUNT_IDMAP_REC)))
		m->flags |= NS_MOUNT_IDMAP;
	r = plan_copy_ids(&s->uid_mappings, &m->uids, "uidMappings", e);
	if (r < 0)
		return r;
	return plan_copy_ids(&s->gid_mappings, &m->gids, "gidMappings", e);
}

static int check_idmap(const struct plan_draft *d, const struct ns_mount *m,
		       struct err *e)
{
	if (!(m->flags & (NS_MOUNT_IDMAP | NS_MOUNT_IDMAP_REC)))
		return 0;
	if (!(m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND)))
		return err_set(e, -EINVAL,
			       "only bind mounts can have their ids mapped");
	if (d->ctx->rootless)
		return err_set(e, -EPERM,
			       "only root of the host can map a mount's ids");
	if (m->uids.n == 0 && !plan_owns(d->plan, NS_USER))
		return err_set(
			e, -EINVAL,
			"options: idmap: neither mappings nor a user namespace");
	return 0;
}

/* --- owners by option ------------------------------------------------------*/

static int check_owner(const struct ns_idmaps *ids, const char *option,
		       const char *number, size_t len, struct err *e)
{
	char text[16] = "";
	uint32_t id, host;

	/* What is no number is the file system's to refuse. */
	if (len >= sizeof(text))
		return 0;
	(void)memcpy(text, number, len);
	if (str_to_u32(text, &id) < 0 || ns_idmap_host(ids, id, &host) == 0)
		return 0;
	return err_set(e, -EINVAL, "options: %s%u has no mapping", option, id);
}

static int check_word(const struct ns_map *map, const char *word, size_t len,
		      struct err *e)
{
	if (str_starts(word, "uid="))
		return check_owner(&map->uids, "uid=", word + 4, len - 4, e);
	if (str_starts(word, "gid="))
		return check_owner(&map->gids, "gid=", word + 4, len - 4, e);
	return 0;
}

/* In a new user namespace the kernel says EINVAL to a devpts with gid=5, and
 * nothing more, when there is no group 5. */
static int check_owners(const struct plan *p, const struct ns_mount *m,
			struct err *e)
{
	const char *word = m->data;
	int r = 0;

	if (!word || !plan_makes(p, NS_USER) ||
	    (!str_eq(m->fstype, "tmpfs") && !str_eq(m->fstype, "devpts")))
		return 0;
	while (*word && r == 0) {
		size_t len = strcspn(word, ",");

		r = check_word(&p->map, word, len, e);
		word += len;
		word += *word == ',';
	}
	return r;
}

/* --- all of them -----------------------------------------------------------*/

static int add_mount(struct plan_draft *d, struct ns_mount *m,
		     const struct spec_mount *s, struct err *e)
{
	int r;

	r = set_target(&d->plan->root, m, s->destination, e);
	if (r == 0)
		r = add_options(m, s->options, e);
	if (r == 0)
		r = set_type(m, s, e);
	if (r == 0)
		r = check_data(m, e);
	if (r == 0)
		r = check_root(d, m, e);
	if (r == 0)
		r = check_owners(d->plan, m, e);
	if (r == 0)
		r = set_source(d, m, s, e);
	if (r == 0)
		r = set_mappings(m, s, e);
	if (r == 0)
		r = ns_mount_idmap_resolve(m, &d->plan->map, e);
	if (r == 0)
		r = check_idmap(d, m, e);
	return r == 0 ? ns_mount_check(m, e) : r;
}

/* A folder of the host on /dev has its own nodes, which are not ours. */
static bool binds_dev(const struct ns_mount *m)
{
	return (m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND)) &&
	       str_eq(m->target, "/dev");
}

static int add_mounts(struct plan_draft *d, const struct spec_mounts *s,
		      struct err *e)
{
	struct plan *p = d->plan;
	int r;

	if (s->n == 0)
		return 0;
	p->mounts.v = calloc(s->n, sizeof(*p->mounts.v));
	if (!p->mounts.v)
		return err_nomem(e);
	for (size_t i = 0; i < s->n; i++) {
		p->mounts.n = i + 1;
		r = add_mount(d, &p->mounts.v[i], &s->v[i], e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	return 0;
}

int plan_add_mounts(struct plan_draft *d, struct err *e)
{
	struct plan *p = d->plan;
	int r;

	p->own_dev = true;
	r = add_mounts(d, &d->spec->mounts, e);
	for (size_t i = 0; r == 0 && i < p->mounts.n; i++)
		if (binds_dev(&p->mounts.v[i]))
			p->own_dev = false;
	return r;
}

/* --- the socket of sd_notify(3) --------------------------------------------*/

int plan_add_notify(struct plan_draft *d, struct err *e)
{
	struct plan_mounts one = { 0 };
	struct ns_mount *m;
	int r;

	if (!d->ctx->notify_dir)
		return 0;
	if (d->plan->isolation == PLAN_VM) {
		log_warning(
			"NOTIFY_SOCKET: a micro-VM cannot tell that it is ready");
		return 0;
	}
	one.v = m = calloc(1, sizeof(*m));
	if (!m)
		return err_nomem(e);
	one.n = 1;
	m->flags = NS_MOUNT_BIND;
	m->set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		 MOUNT_ATTR_NOEXEC;
	r = plan_copy(d->ctx->notify_dir, &m->source, e);
	if (r == 0)
		r = plan_copy(PLAN_NOTIFY_DIR, &m->target, e);
	if (r == 0)
		r = plan_mounts_add(d->plan, &one, e);
	plan_mounts_done(&one);
	d->plan->notify = r == 0;
	return r;
}

/* --- of an environment that exists -----------------------------------------*/

/* Its groups and its root are mounted while it is made, or not at all. */
static int check_later(const struct plan_mounts *m, struct err *e)
{
	const char *const later =
		"can only be mounted when the container is created";

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].flags & NS_MOUNT_CGROUP)
			return err_set(e, -EOPNOTSUPP, "[%zu]: type: '%s' %s",
				       i, m->v[i].fstype, later);
		if (str_eq(m->v[i].target, "/"))
			return err_set(e, -EOPNOTSUPP,
				       "[%zu]: destination: '/' %s", i, later);
	}
	return 0;
}

int plan_make_mounts(const struct spec_mounts *s,
		     const struct plan_context *ctx, const struct plan *base,
		     struct plan_mounts *ret, struct err *e)
{
	struct plan p = *base;
	struct plan_draft d = { .ctx = ctx, .plan = &p };
	int r;

	p.mounts = (struct plan_mounts){ 0 };
	r = add_mounts(&d, s, e);
	if (r == 0)
		r = check_later(&p.mounts, e);
	if (r < 0) {
		plan_mounts_done(&p.mounts);
		return err_wrap(e, r, "mounts");
	}
	*ret = p.mounts;
	return 0;
}

int plan_make_targets(const struct spec_mounts *s, const struct ns_root *root,
		      struct plan_mounts *ret, struct err *e)
{
	struct plan_mounts m = { 0 };
	int r = 0;

	m.v = calloc(s->n + 1, sizeof(*m.v));
	if (!m.v)
		return err_nomem(e);
	for (size_t i = 0; i < s->n && r == 0; i++) {
		m.n = i + 1;
		r = set_target(root, &m.v[i], s->v[i].destination, e);
		if (r == 0 && str_eq(m.v[i].target, "/"))
			r = err_set(
				e, -EINVAL,
				"destination: '/' is what all others are in");
		if (r < 0)
			r = err_wrap(e, r, "mounts: [%zu]", i);
	}
	if (r < 0)
		plan_mounts_done(&m);
	else
		*ret = m;
	return r;
}

void plan_mounts_done(struct plan_mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		json_free(&ns_mount_table, &m->v[i]);
	free(m->v);
	*m = (struct plan_mounts){ 0 };
}

int plan_mounts_add(struct plan *p, struct plan_mounts *more, struct err *e)
{
	struct plan_mounts *m = &p->mounts;
	struct ns_mount *v;

	v = reallocarray(m->v, m->n + more->n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	m->v = v;
	for (size_t i = 0; i < more->n; i++)
		v[m->n++] = more->v[i];
	free(more->v);
	*more = (struct plan_mounts){ 0 };
	return 0;
}

static void remove_last(struct plan_mounts *m, const char *target)
{
	size_t i = m->n;

	while (i > 0 && !str_eq(m->v[i - 1].target, target))
		i--;
	if (i == 0)
		return;
	json_free(&ns_mount_table, &m->v[i - 1]);
	(void)memmove(&m->v[i - 1], &m->v[i], (m->n - i) * sizeof(*m->v));
	m->n--;
}

void plan_mounts_remove(struct plan *p, const struct plan_mounts *gone)
{
	for (size_t i = 0; i < gone->n; i++)
		remove_last(&p->mounts, gone->v[i].target);
}

bool plan_mount_is_external(const struct plan *p, const struct ns_mount *m)
{
	if (m->flags & NS_MOUNT_REMOUNT)
		return false;
	if (m->flags & NS_MOUNT_CGROUP)
		return !plan_owns(p, NS_CGROUP);
	return m->flags & (NS_MOUNT_BIND | NS_MOUNT_RBIND);
}

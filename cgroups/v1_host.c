/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v1.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

/* --- what is mounted ------------------------------------------------------*/

static enum cg_ctl find(const char *word, size_t len)
{
	if (len == strlen("blkio") && memcmp(word, "blkio", len) == 0)
		return CG_CTL_IO;
	return cg_ctl_find(word, len);
}

/* "rw,cpu,cpuacct" -> bits; words that are no controllers are options. */
uint32_t cg_v1_list_controllers(const char *list)
{
	uint32_t mask = 0;

	while (*list) {
		size_t len = strcspn(list, ",");
		enum cg_ctl ctl = find(list, len);

		if (ctl != CG_CTL_N_ && ctl != CG_CTL_CORE)
			mask |= CG_BIT(ctl);
		list += len + (list[len] == ',');
	}
	return mask;
}

/* What of the mount options names the hierarchy. */
static char *names_of(const char *options)
{
	autostrv char **words = NULL;
	autofree char *names = strdup("");

	if (strv_split(options, ',', &words) < 0)
		return NULL;
	STRV_FOREACH(w, words) {
		char *longer;

		if (!str_starts(*w, "name=") &&
		    find(*w, strlen(*w)) == CG_CTL_N_)
			continue;
		if (!names)
			return NULL;
		longer = str_printf("%s%s%s", names, *names ? "," : "", *w);
		free(names);
		names = longer;
	}
	return steal_ptr(names);
}

static bool known(const struct cg_v1_host *h, const char *names)
{
	for (size_t i = 0; i < h->n; i++) {
		if (str_eq(h->v[i].names, names))
			return true;
	}
	return false;
}

int cg_v1_host_add(struct cg_v1_host *h, const char *root, const char *point,
		   const char *options, struct err *e)
{
	autofree char *names = names_of(options);
	struct cg_v1_mount *v,
		m = { .controllers = cg_v1_list_controllers(options) };

	if (!names)
		return err_nomem(e);
	if (!*names || known(h, names))
		return 0;
	v = reallocarray(h->v, h->n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	h->v = v;
	m.names = steal_ptr(names);
	m.point = strdup(point);
	m.root = strdup(root);
	v[h->n++] = m;
	h->controllers |= m.controllers;
	return m.point && m.root ? 0 : err_nomem(e);
}

uint32_t cg_v1_host_with(const struct cg_v1_host *h, enum cg_ctl ctl)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->v[i].controllers & CG_BIT(ctl))
			return h->v[i].controllers;
	}
	return 0;
}

void cg_v1_host_done(struct cg_v1_host *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->v[i].names);
		free(h->v[i].point);
		free(h->v[i].root);
	}
	free(h->v);
	*h = (struct cg_v1_host){ 0 };
}

/* --- paths ----------------------------------------------------------------*/

static char *member_path(const char *membership, const char *names)
{
	for (const char *line = membership; line && *line;) {
		const char *list = strchr(line, ':');
		const char *end = strchrnul(line, '\n');
		const char *path = list ? strchr(list + 1, ':') : NULL;
		size_t len = path ? (size_t)(path - list - 1) : 0;

		if (path && path < end && len == strlen(names) &&
		    memcmp(list + 1, names, len) == 0)
			return strndup(path + 1, (size_t)(end - path - 1));
		line = *end ? end + 1 : end;
	}
	return NULL;
}

/* Where a path of the hierarchy is seen; the mount may show a part of it. */
static char *seen_at(const struct cg_v1_mount *m, const char *path)
{
	if (!str_eq(m->root, "/") && path_below(path, m->root))
		path += strlen(m->root);
	return str_printf("%s%s%s", m->point, *path == '/' ? "" : "/", path);
}

int cg_v1_group_path(const struct cg_v1_mount *m,
		     const struct cg_v1_place *place, char **ret, struct err *e)
{
	autofree char *own = NULL, *base = NULL;

	if (!place->relative) {
		*ret = str_printf("%s%s", m->point, place->path);
		return *ret ? 0 : err_nomem(e);
	}
	own = member_path(place->membership, m->names);
	if (!own)
		return err_set(e, -ENOENT,
			       "own cgroup in hierarchy '%s' is unknown",
			       m->names);
	base = seen_at(m, own);
	*ret = base ? path_join(base, place->path) : NULL;
	return *ret ? 0 : err_nomem(e);
}

char *cg_v1_member_path(const struct cg_v1_mount *m, const char *membership)
{
	autofree char *own = member_path(membership, m->names);

	return own ? seen_at(m, own) : NULL;
}

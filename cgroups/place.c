/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"

#define UNIT_MAX 255 /* systemd's UNIT_NAME_MAX */

static bool has_control(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	}
	return false;
}

static int check_parts(const char *path, struct err *e)
{
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len > 255)
			return err_set(
				e, -ENAMETOOLONG,
				"cgroup path '%s': a part is longer than 255",
				path);
		p += len + (p[len] == '/');
	}
	return 0;
}

static int parse_fs(const char *path, struct cg_place *ret, struct err *e)
{
	autofree char *clean = NULL;

	if (has_control(path))
		return err_set(e, -EINVAL,
			       "cgroup path holds control characters");
	clean = path_clean(path);
	if (!clean)
		return err_nomem(e);
	if (str_eq(clean, "/") || str_eq(clean, "."))
		return err_set(e, -EINVAL,
			       "cgroup path '%s' names no group of its own",
			       path);
	if (strlen(clean) > 3000)
		return err_set(e, -ENAMETOOLONG, "cgroup path is too long");
	ret->relative = clean[0] != '/';
	ret->path = steal_ptr(clean);
	return check_parts(ret->path, e);
}

/* What systemd allows in the name of a unit. */
static bool unit_word(const char *s)
{
	for (; *s; s++) {
		if (!(*s >= '0' && *s <= '9') && !(*s >= 'a' && *s <= 'z') &&
		    !(*s >= 'A' && *s <= 'Z') && !strchr(":-_.\\@", *s))
			return false;
	}
	return true;
}

static int parse_slice(const char *slice, struct cg_place *ret, struct err *e)
{
	if (slice[0] == '\0')
		return 0;
	if (!str_ends(slice, ".slice") || !unit_word(slice) ||
	    strlen(slice) > UNIT_MAX || str_eq(slice, ".slice"))
		return err_set(e, -EINVAL,
			       "cgroup path: '%s' is no name of a slice",
			       slice);
	ret->slice = strdup(slice);
	return ret->slice ? 0 : err_nomem(e);
}

static int parse_unit(const char *prefix, const char *name,
		      struct cg_place *ret, struct err *e)
{
	ret->unit_is_slice = str_ends(name, ".slice");
	if (ret->unit_is_slice)
		ret->unit = strdup(name);
	else if (prefix[0])
		ret->unit = str_printf("%s-%s.scope", prefix, name);
	else
		ret->unit = str_printf("%s.scope", name);
	if (!ret->unit)
		return err_nomem(e);
	if (name[0] == '\0' || str_eq(name, ".slice") ||
	    str_eq(name, "-.slice") || !unit_word(ret->unit))
		return err_set(e, -EINVAL,
			       "cgroup path: '%s' is no name of a unit",
			       ret->unit);
	if (strlen(ret->unit) > UNIT_MAX)
		return err_set(e, -ENAMETOOLONG,
			       "cgroup path: the unit's name is longer than %d",
			       UNIT_MAX);
	return 0;
}

static int parse_systemd(const char *path, struct cg_place *ret, struct err *e)
{
	autostrv char **part = NULL;
	int r;

	if (strv_split(path, ':', &part) < 0)
		return err_nomem(e);
	if (strv_len(part) != 3)
		return err_set(
			e, -EINVAL,
			"cgroup path '%s': with systemd it has the form slice:prefix:name",
			path);
	r = parse_slice(part[0], ret, e);
	if (r == 0)
		r = parse_unit(part[1], part[2], ret, e);
	return r;
}

static int parse(int driver, const char *path, struct cg_place *ret,
		 struct err *e)
{
	switch (driver) {
	case CG_DRIVER_CGROUPFS:
		return parse_fs(path, ret, e);
	case CG_DRIVER_SYSTEMD:
		return parse_systemd(path, ret, e);
	case CG_DRIVER_DISABLED:
		return 0;
	default:
		return err_set(e, -EINVAL, "no such cgroup driver");
	}
}

/* An id as the name of a unit: what systemd does not allow becomes "\x2b". */
static char *unit_path_of(const char *name)
{
	autofree char *out = malloc(strlen(name) * 4 + sizeof(":moat:"));
	char *to = out;

	if (!out)
		return NULL;
	to += snprintf(to, sizeof(":moat:"), ":moat:");
	for (; *name; name++) {
		char one[2] = { *name, '\0' };

		if (*name != ':' && *name != '\\' && unit_word(one))
			*to++ = *name;
		else
			to += snprintf(to, 5, "\\x%02x", (unsigned char)*name);
	}
	*to = '\0';
	return steal_ptr(out);
}

static int default_path(int driver, const char *name, char **ret, struct err *e)
{
	if (!name || !*name)
		return err_set(e, -EINVAL, "a cgroup needs a path or a name");
	*ret = driver == CG_DRIVER_SYSTEMD ? unit_path_of(name) : strdup(name);
	return *ret ? 0 : err_nomem(e);
}

int cg_place_parse(int driver, const char *path, const char *name,
		   struct cg_place *ret, struct err *e)
{
	_cleanup_(cg_place_done) struct cg_place p = { 0 };
	autofree char *made = NULL;
	int r;

	if (!path || !*path) {
		r = default_path(driver, name, &made, e);
		if (r < 0)
			return r;
		path = made;
	}
	r = parse(driver, path, &p, e);
	if (r < 0)
		return r;
	*ret = p;
	p = (struct cg_place){ 0 };
	return 0;
}

void cg_place_done(struct cg_place *p)
{
	free(p->path);
	free(p->slice);
	free(p->unit);
	*p = (struct cg_place){ 0 };
}

int cg_path_check(int driver, const char *path, struct err *e)
{
	_cleanup_(cg_place_done) struct cg_place p = { 0 };

	return cg_place_parse(driver, path, "x", &p, e);
}

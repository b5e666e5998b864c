/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v1_devices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/devices.h"
#include "cgroups/v1.h"

#define LIST_MAX (1U << 20)
#define TEXT_MAX 64

void cg_v1_list_done(struct cg_v1_list *l)
{
	free(l->v);
	*l = (struct cg_v1_list){ 0 };
}

static bool same(const struct opt_u32 *a, const struct opt_u32 *b)
{
	return a->set == b->set && (!a->set || a->v == b->v);
}

static bool same_device(const struct cg_device_rule *a,
			const struct cg_device_rule *b)
{
	return a->type == b->type && same(&a->major, &b->major) &&
	       same(&a->minor, &b->minor);
}

/* Every number of b is one of a. */
static bool covers(const struct opt_u32 *a, const struct opt_u32 *b)
{
	return !a->set || same(a, b);
}

static bool overlaps(const struct opt_u32 *a, const struct opt_u32 *b)
{
	return !a->set || !b->set || a->v == b->v;
}

static struct cg_device_rule *find(const struct cg_v1_list *l,
				   const struct cg_device_rule *rule)
{
	for (size_t i = 0; i < l->n; i++) {
		if (same_device(&l->v[i], rule))
			return &l->v[i];
	}
	return NULL;
}

static int add(struct cg_v1_list *l, const struct cg_device_rule *rule,
	       struct err *e)
{
	struct cg_device_rule *v = find(l, rule);

	if (v) {
		v->access |= rule->access;
		return 0;
	}
	v = reallocarray(l->v, l->n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	l->v = v;
	v[l->n++] = *rule;
	return 0;
}

static void text_of(const struct cg_device_rule *r, char ret[TEXT_MAX])
{
	char major[16] = "*", minor[16] = "*";

	if (r->major.set)
		(void)snprintf(major, sizeof(major), "%" PRIu32, r->major.v);
	if (r->minor.set)
		(void)snprintf(minor, sizeof(minor), "%" PRIu32, r->minor.v);
	(void)snprintf(ret, TEXT_MAX, "%s %s:%s %s%s%s",
		       cg_device_type_names[r->type], major, minor,
		       r->access & CG_DEVICE_READ ? "r" : "",
		       r->access & CG_DEVICE_WRITE ? "w" : "",
		       r->access & CG_DEVICE_MKNOD ? "m" : "");
}

/* Takes the rule's accesses from the exceptions that lie within it. */
static int subtract(struct cg_v1_list *l, const struct cg_device_rule *rule,
		    struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		struct cg_device_rule *v = &l->v[i];
		char a[TEXT_MAX], b[TEXT_MAX];

		if (v->type != rule->type ||
		    !overlaps(&v->major, &rule->major) ||
		    !overlaps(&v->minor, &rule->minor) ||
		    !(v->access & rule->access))
			continue;
		if (!covers(&rule->major, &v->major) ||
		    !covers(&rule->minor, &v->minor)) {
			text_of(rule, a);
			text_of(v, b);
			return err_set(
				e, -EOPNOTSUPP,
				"devices: cgroup v1 cannot take '%s' out of '%s'",
				a, b);
		}
		v->access &= ~rule->access;
	}
	return 0;
}

static int take_one(struct cg_v1_list *l, const struct cg_device_rule *rule,
		    struct err *e)
{
	/* An exception is what differs from the default. */
	return rule->allow != l->allow ? add(l, rule, e) : subtract(l, rule, e);
}

static int take(struct cg_v1_list *l, const struct cg_device_rule *rule,
		struct err *e)
{
	struct cg_device_rule one = *rule;
	int r;

	if (cg_device_rule_all(rule)) {
		l->allow = rule->allow;
		l->n = 0;
		return 0;
	}
	if (rule->type != CG_DEVICE_ALL)
		return take_one(l, rule, e);
	one.type = CG_DEVICE_CHAR;
	r = take_one(l, &one, e);
	if (r < 0)
		return r;
	one.type = CG_DEVICE_BLOCK;
	return take_one(l, &one, e);
}

int cg_v1_list_make(const struct cg_device_rule *rules, size_t n,
		    struct cg_v1_list *ret, struct err *e)
{
	_cleanup_(cg_v1_list_done) struct cg_v1_list l = { 0 };
	int r;

	r = cg_devices_check(rules, n, e);
	for (size_t i = 0; i < n && r == 0; i++)
		r = take(&l, &rules[i], e);
	if (r < 0)
		return r;
	*ret = l;
	l = (struct cg_v1_list){ 0 };
	return 0;
}

static bool parse_number(const char *s, struct opt_u32 *ret)
{
	*ret = (struct opt_u32){ 0 };
	if (str_eq(s, "*"))
		return true;
	ret->set = true;
	return str_to_u32(s, &ret->v) == 0;
}

/* "c 1:3 rwm" */
static bool parse_line(char *line, struct cg_device_rule *ret)
{
	char *save = NULL;
	const char *type = strtok_r(line, " ", &save);
	const char *major = strtok_r(NULL, ":", &save);
	const char *minor = strtok_r(NULL, " ", &save);
	const char *access = strtok_r(NULL, " ", &save);

	*ret = (struct cg_device_rule){ .allow = true };
	if (!type || !access)
		return false;
	while (ret->type <= CG_DEVICE_BLOCK &&
	       !str_eq(type, cg_device_type_names[ret->type]))
		ret->type++;
	return ret->type <= CG_DEVICE_BLOCK &&
	       parse_number(major, &ret->major) &&
	       parse_number(minor, &ret->minor) &&
	       cg_device_access_parse(access, &ret->access) == 0;
}

int cg_v1_list_parse(const char *text, struct cg_v1_list *ret, struct err *e)
{
	_cleanup_(cg_v1_list_done) struct cg_v1_list l = { 0 };
	autofree char *copy = strdup(text);
	char *save = NULL;

	if (!copy)
		return err_nomem(e);
	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct cg_device_rule rule;
		int r;

		if (!parse_line(line, &rule))
			return err_set(e, -EPROTO,
				       "'devices.list' is not understood");
		r = take(&l, &rule, e);
		if (r < 0)
			return r;
	}
	*ret = l;
	l = (struct cg_v1_list){ 0 };
	return 0;
}

static int write_rule(int fd, bool allow, const struct cg_device_rule *rule,
		      uint32_t access, struct err *e)
{
	struct cg_device_rule one = *rule;
	char text[TEXT_MAX];
	int r;

	if (!access)
		return 0;
	one.access = access;
	text_of(&one, text);
	r = fd_write_small_at(fd, allow ? "devices.allow" : "devices.deny",
			      text, e);
	return r < 0 ? err_wrap(e, r, "devices: '%s'", text) : 0;
}

/* What from has and to has not (more: the other way round). */
static int write_differences(int fd, const struct cg_v1_list *from,
			     const struct cg_v1_list *to, bool allow,
			     struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < from->n && r == 0; i++) {
		const struct cg_device_rule *other = find(to, &from->v[i]);
		uint32_t has = other ? other->access : 0;

		r = write_rule(fd, allow, &from->v[i], from->v[i].access & ~has,
			       e);
	}
	return r;
}

/*
 * From one list to the other. What both allow stays allowed all the time: a
 * process that opens /dev/null meanwhile must not notice.
 */
static int change(int fd, const struct cg_v1_list *from,
		  const struct cg_v1_list *to, struct err *e)
{
	static const struct cg_v1_list nothing;
	int r;

	/* With "allow" as the default the kernel does not tell its
	 * exceptions: begin from a known state. */
	if (from->allow || to->allow) {
		r = fd_write_small_at(
			fd, to->allow ? "devices.allow" : "devices.deny", "a",
			e);
		if (r < 0)
			return r;
		from = &nothing;
	}
	r = write_differences(fd, to, from, !to->allow, e);
	if (r < 0)
		return r;
	return write_differences(fd, from, to, to->allow, e);
}

int cg_v1_devices(int fd, const struct cg_device_rule *rules, size_t n,
		  struct err *e)
{
	_cleanup_(cg_v1_list_done) struct cg_v1_list old = { 0 },
						     wanted = { 0 };
	autofree char *text = NULL;
	int r;

	r = cg_v1_list_make(rules, n, &wanted, e);
	if (r < 0)
		return r;
	r = fd_read_file_at(fd, "devices.list", LIST_MAX, &text, NULL, e);
	if (r == 0)
		r = cg_v1_list_parse(text, &old, e);
	if (r < 0)
		return r;
	r = change(fd, &old, &wanted, e);
	if (r < 0 && change(fd, &wanted, &old, NULL) < 0)
		return err_wrap(e, r, "devices are left half changed");
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "src/oci/plan_parts.h"

/*
 * A name that is there twice: getenv(3) takes the first, setenv(3) of those
 * who wrote the list would have kept the last. The last is what was meant; and
 * the program gets one.
 */

struct variable {
	const char *text;
	size_t name; /* its length */
	size_t at;
};

static int check_variable(const char *text, struct variable *v, struct err *e)
{
	const char *eq = strchr(text, '=');

	if (!eq)
		return err_set(e, -EINVAL, "'%.128s' has no '='", text);
	if (eq == text)
		return err_set(e, -EINVAL, "'%.128s' has no name", text);
	v->text = text;
	v->name = (size_t)(eq - text);
	return 0;
}

/* By name, then by place. */
static int compare(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	int r;

	r = memcmp(x->text, y->text, MIN_OF(x->name, y->name));
	if (r != 0)
		return r;
	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

static bool same_name(const struct variable *x, const struct variable *y)
{
	return x->name == y->name && memcmp(x->text, y->text, x->name) == 0;
}

/* Marks in keep what no later one overrides. */
static int find_last(char *const *env, size_t n, const char **keep,
		     struct err *e)
{
	autofree struct variable *v = NULL;
	int r;

	v = calloc(n, sizeof(*v));
	if (!v)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		v[i].at = i;
		r = check_variable(env[i], &v[i], e);
		if (r < 0)
			return err_wrap(e, r, "[%zu]", i);
	}
	qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || !same_name(&v[i], &v[i + 1]))
			keep[v[i].at] = v[i].text;
	return 0;
}

int plan_env(char *const *env, char ***ret, struct err *e)
{
	autofree const char **keep = NULL;
	autostrv char **list = NULL;
	size_t n = strv_len(env), used = 0;
	int r;

	keep = calloc(n + 1, sizeof(*keep));
	list = calloc(n + 1, sizeof(*list));
	if (!keep || !list)
		return err_nomem(e);
	r = n > 0 ? find_last(env, n, keep, e) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (!keep[i])
			continue;
		list[used] = strdup(keep[i]);
		if (!list[used++])
			return err_nomem(e);
	}
	*ret = steal_ptr(list);
	return 0;
}

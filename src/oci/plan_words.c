/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

int plan_check_absolute(const char *path, struct err *e)
{
	if (!path || *path == '\0')
		return err_set(e, -EINVAL, "empty, not an absolute path");
	if (*path != '/')
		return err_set(e, -EINVAL, "'%.256s' is not an absolute path",
			       path);
	return 0;
}

size_t plan_count(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

static int replace(char **to, char *text, struct err *e)
{
	if (!text)
		return err_nomem(e);
	free(*to);
	*to = text;
	return 0;
}

int plan_copy(const char *from, char **to, struct err *e)
{
	if (!from || *from == '\0')
		return 0;
	return replace(to, strdup(from), e);
}

int plan_copy_list(char *const *from, char ***to, struct err *e)
{
	char **list;

	if (!from)
		return 0;
	list = strv_copy(from);
	if (!list)
		return err_nomem(e);
	strv_free(*to);
	*to = list;
	return 0;
}

int plan_copy_path(const char *from, char **to, struct err *e)
{
	int r;

	r = plan_check_absolute(from, e);
	if (r < 0)
		return r;
	return replace(to, path_clean(from), e);
}

int plan_bundle_path(const struct plan_draft *d, const char *from, char **to,
		     struct err *e)
{
	autofree char *path = NULL;

	if (!from || *from == '\0')
		return err_set(e, -EINVAL, "empty, not a path");
	path = path_join(d->ctx->bundle, from);
	if (!path)
		return err_nomem(e);
	return replace(to, path_clean(path), e);
}

int plan_copy_ids(const struct ns_idmaps *from, struct ns_idmaps *to,
		  const char *what, struct err *e)
{
	int r;

	r = ns_idmap_check(from, "id", e);
	if (r < 0)
		return err_wrap(e, r, "%s", what);
	to->v = reallocarray(NULL, from->n, sizeof(*from->v));
	if (!to->v)
		return err_nomem(e);
	(void)memcpy(to->v, from->v, from->n * sizeof(*from->v));
	to->n = from->n;
	return 0;
}

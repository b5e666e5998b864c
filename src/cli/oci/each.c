/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>
#include <regex.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

static int each_match(const struct rt_context *ctx, const regex_t *re,
		      int (*fn)(void *arg, const char *id, struct err *e),
		      void *arg, struct err *e)
{
	autostrv char **ids = NULL;
	int r, last;

	last = rt_list(ctx, &ids, e);
	STRV_FOREACH(id, ids) {
		struct err why = { 0 };

		if (regexec(re, *id, 0, NULL, 0) != 0)
			continue;
		r = fn(arg, *id, &why);
		if (r >= 0)
			continue;
		if (last < 0)
			log_warning("%s", err_text(e));
		*e = why;
		last = r;
	}
	return last;
}

int oci_each(const struct rt_context *ctx, const char *pattern,
	     int (*fn)(void *arg, const char *id, struct err *e), void *arg,
	     struct err *e)
{
	regex_t re;
	int r;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return err_set(e, -EINVAL, "'%s' is not a regular expression",
			       pattern);
	r = each_match(ctx, &re, fn, arg, e);
	regfree(&re);
	return r;
}

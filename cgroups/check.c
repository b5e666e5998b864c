/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define LIST_MAX 65536 /* bytes of a list file */
#define CPU_MAX	 65535U

/* Lists may be long ("0,2,4,..."), so they are compared range by range. */
struct search {
	const char *in;
	uint64_t first, last; /* the range that is looked for */
	int64_t missing;
};

static int cover(void *arg, uint64_t first, uint64_t last)
{
	struct search *s = arg;

	/* Kernel lists ascend: what lies before this range is missing. */
	if (s->missing < 0 && s->first <= s->last && first <= s->first &&
	    last >= s->first)
		s->first = last + 1;
	return 0;
}

static int look_for(void *arg, uint64_t first, uint64_t last)
{
	struct search *s = arg;

	if (s->missing >= 0)
		return 0;
	s->first = first;
	s->last = last;
	if (*s->in && str_each_range(s->in, CPU_MAX, cover, s) < 0)
		return -EINVAL;
	if (s->first <= s->last)
		s->missing = (int64_t)s->first;
	return 0;
}

int64_t cg_list_missing(const char *a, const char *b)
{
	struct search s = { .in = b, .missing = -1 };

	if (*a && str_each_range(a, CPU_MAX, look_for, &s) < 0)
		return -EINVAL;
	return s.missing;
}

static int check_list(const struct cg_setting *s, const char *file,
		      const char *what, struct err *e)
{
	autofree char *text = NULL;
	int64_t missing;
	int r;

	r = fd_read_file_at(s->dirfd, file, LIST_MAX, &text, NULL, e);
	if (r < 0)
		return err_wrap(e, r, "%s", s->file);
	text[strcspn(text, "\n")] = '\0';
	missing = cg_list_missing(s->value, text);
	if (missing == -1)
		return 0;
	if (missing < 0)
		return err_set(e, -EINVAL, "%s: '%s' is no list of %ss",
			       s->file, s->value, what);
	return err_set(e, -EINVAL,
		       "%s: '%s': %s %" PRId64
		       " does not exist here (there are '%s')",
		       s->file, s->value, what, missing, text);
}

int cg_check_cpus(const struct cg_setting *s, struct err *e)
{
	return check_list(s, "cpuset.cpus.effective", "CPU", e);
}

int cg_check_mems(const struct cg_setting *s, struct err *e)
{
	return check_list(s, "cpuset.mems.effective", "memory node", e);
}

int cg_check_partition(const struct cg_setting *s, struct err *e)
{
	char now[256];
	ssize_t n = fd_read_small_at(s->dirfd, s->file, now, sizeof(now));

	if (n < 0)
		return err_set(e, (int)n, "read '%s'", s->file);
	/* "root invalid (Cpu list in cpuset.cpus not exclusive)" */
	if (!str_eq(now, s->value))
		return err_set(e, -EINVAL, "%s: the kernel makes '%s' of '%s'",
			       s->file, now, s->value);
	return 0;
}

/* Kernels since 6.1 accept a limit of kernel memory and forget it. */
int cg_check_taken(const struct cg_setting *s, struct err *e)
{
	int64_t wanted, now;
	char text[32];
	ssize_t n = fd_read_small_at(s->dirfd, s->file, text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)n, "read '%s'", s->file);
	if (str_to_i64(s->value, &wanted) < 0 || wanted < 0)
		return 0;
	/* It is cut to whole pages. */
	if (str_to_i64(text, &now) < 0 || now > wanted)
		return err_set(
			e, -EOPNOTSUPP,
			"%s: this kernel takes no notice of such a limit any more",
			s->file);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/check.h"

/* --- cpu ------------------------------------------------------------------*/

bool cg_cpu_weight_asked(const struct cg_limits *l)
{
	return l->cpu_shares.set || l->cpu_weight.set;
}

int cg_cpu_weight_check(const struct cg_limits *l, struct err *e)
{
	if (l->cpu_shares.set && l->cpu_weight.set)
		return err_set(e, -EINVAL,
			       "cpu: shares and a weight exclude each other");
	if (l->cpu_weight.set &&
	    (l->cpu_weight.v < 1 || l->cpu_weight.v > 10000))
		return err_set(e, -ERANGE,
			       "cpu_weight: %" PRIu64 " is not within 1..10000",
			       l->cpu_weight.v);
	if (l->cpu_shares.set &&
	    (l->cpu_shares.v < 2 || l->cpu_shares.v > 262144))
		return err_set(e, -ERANGE,
			       "cpu_shares: %" PRIu64
			       " is not within 2..262144",
			       l->cpu_shares.v);
	return 0;
}

static int add_cpu_weight(const struct cg_limits *l, int dirfd,
			  struct cg_set *set, struct err *e)
{
	int r = cg_cpu_weight_check(l, e);

	if (r < 0)
		return r;
	(void)cg_set_add(set, dirfd, CG_CTL_CPU, "cpu.weight", "%" PRIu64,
			 l->cpu_shares.set
				 ? cg_shares_to_weight(l->cpu_shares.v)
				 : l->cpu_weight.v);
	return 0;
}

bool cg_cpu_idle_asked(const struct cg_limits *l)
{
	return l->cpu_idle.set;
}

int cg_cpu_idle_keep(const char *file, int dirfd, struct cg_set *set,
		     struct err *e)
{
	struct cg_setting *s =
		cg_set_add(set, dirfd, CG_CTL_CPU, file, "%s", "");

	if (!s)
		return err_nomem(e);
	s->keep = true;
	return 0;
}

static int keep_weight(const struct cg_limits *l, int dirfd, struct cg_set *set,
		       struct err *e)
{
	return cg_cpu_idle_keep("cpu.weight", dirfd, set, e);
}

static bool cpu_max_asked(const struct cg_limits *l)
{
	return l->cpu_quota_us.set || l->cpu_period_us.set;
}

/* What is in force, for those who change the quota alone or the period alone:
 * "max 100000". *ret_period: in buf. */
static int read_bandwidth(int dirfd, char *buf, size_t size,
			  const char **ret_period, struct err *e)
{
	ssize_t n = fd_read_small_at(dirfd, "cpu.max", buf, size);
	char *space;

	if (n == -ENOENT)
		(void)snprintf(buf, size, "max");
	else if (n < 0)
		return err_set(e, (int)n, "read 'cpu.max': %s",
			       strerrordesc_np((int)-n));
	space = strchrnul(buf, ' ');
	*ret_period = *space ? space + 1 : space;
	*space = '\0';
	return 0;
}

/* Always both, if they are known: systemd resets the period when it hears that
 * there is no quota any more. */
static int add_cpu_max(const struct cg_limits *l, int dirfd, struct cg_set *set,
		       struct err *e)
{
	char now[64], number[CG_NUMBER_MAX], longer[CG_NUMBER_MAX];
	const char *quota = now, *period;
	int r;

	r = read_bandwidth(dirfd, now, sizeof(now), &period, e);
	if (r == 0 && l->cpu_quota_us.set) {
		quota = number;
		r = cg_number("cpu_quota_us", l->cpu_quota_us.v, "max", number,
			      e);
	}
	if (r < 0)
		return r;
	if (l->cpu_period_us.set) {
		period = longer;
		(void)snprintf(longer, sizeof(longer), "%" PRIu64,
			       l->cpu_period_us.v);
	}
	(void)cg_set_add(set, dirfd, CG_CTL_CPU, "cpu.max", "%s%s%s", quota,
			 *period ? " " : "", period);
	return 0;
}

/* --- memory ---------------------------------------------------------------*/

bool cg_swap_asked(const struct cg_limits *l)
{
	return l->memory_swap_total.set || l->memory_swap_max.set;
}

int cg_swap_check(const struct cg_limits *l, struct err *e)
{
	if (l->memory_swap_total.set && l->memory_swap_max.set)
		return err_set(
			e, -EINVAL,
			"memory: a limit of swap alone and one with memory exclude each other");
	return 0;
}

static int read_memory_max(int dirfd, int64_t *ret, struct err *e)
{
	char buf[32];
	ssize_t n = fd_read_small_at(dirfd, "memory.max", buf, sizeof(buf));

	*ret = -1;
	if (n == -ENOENT || (n > 0 && str_eq(buf, "max")))
		return 0;
	if (n < 0 || str_to_i64(buf, ret) < 0)
		return err_set(e, n < 0 ? (int)n : -EIO, "read 'memory.max'");
	return 0;
}

/* The OCI's limit is of memory and swap together, v2's of swap alone. */
static int swap_alone(const struct cg_limits *l, int dirfd, int64_t *ret,
		      struct err *e)
{
	int64_t total = l->memory_swap_total.v, memory = l->memory_max.v;
	int r;

	*ret = total;
	if (total < 0)
		return 0;
	if (!l->memory_max.set) {
		r = read_memory_max(dirfd, &memory, e);
		if (r < 0)
			return r;
	}
	if (memory < 0)
		return err_set(
			e, -EINVAL,
			"memory_swap_total: a limit of memory and swap together needs one of memory");
	if (total < memory)
		return err_set(e, -EINVAL,
			       "memory_swap_total: %" PRId64
			       " is below the memory limit of %" PRId64,
			       total, memory);
	*ret = total - memory;
	return 0;
}

bool cg_host_swaps(void)
{
	autofree char *text = NULL;
	size_t len;

	/* One line of headings, then one per swap area. */
	if (fd_read_file_at(AT_FDCWD, "/proc/swaps", 1 << 20, &text, &len,
			    NULL) < 0)
		return true;
	return text[strcspn(text, "\n")] == '\n' &&
	       text[strcspn(text, "\n") + 1] != '\0';
}

static int add_swap(const struct cg_limits *l, int dirfd, struct cg_set *set,
		    struct err *e)
{
	int64_t v = l->memory_swap_max.v;
	char text[CG_NUMBER_MAX];
	struct cg_setting *s;
	int r = cg_swap_check(l, e);

	if (r == 0 && l->memory_swap_total.set)
		r = swap_alone(l, dirfd, &v, e);
	if (r < 0)
		return r;
	r = cg_number("memory_swap_max", v, "max", text, e);
	if (r < 0)
		return r;
	s = cg_set_add(set, dirfd, CG_CTL_MEMORY, "memory.swap.max", "%s",
		       text);
	/* A kernel that does not count swap has no such file. No limit is
	 * what it gives anyway; and so is no swap, where there is none. */
	if (s)
		s->optional = v < 0 || !cg_host_swaps();
	return 0;
}

/* --- hugetlb, rdma, misc, unified -----------------------------------------*/

/* A word that becomes part of a file's name or of a line. */
bool cg_plain_word(const char *s)
{
	return s && *s && strlen(s) < 40 && !strpbrk(s, "/ \t\n=") &&
	       s[0] != '.';
}

bool cg_hugetlb_asked(const struct cg_limits *l)
{
	return l->hugetlb.n > 0;
}

/* The same number into the file for pages in use and that for reserved ones,
 * which are counted apart: a process that reserves and faults later must meet
 * the limit at mmap(), not by SIGBUS. */
static void add_pages(const char *size, const char *suffix, const char *text,
		      int dirfd, struct cg_set *set)
{
	static const char *const reserved[] = { "", "rsvd." };

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		struct cg_setting *s;
		char file[64];

		(void)snprintf(file, sizeof(file), "hugetlb.%s.%s%s", size,
			       reserved[i], suffix);
		s = cg_set_add(set, dirfd, CG_CTL_HUGETLB, file, "%s", text);
		if (s)
			s->optional = i > 0;
	}
}

int cg_hugetlb_add(const struct cg_limits *l, const char *suffix,
		   const char *none, int dirfd, struct cg_set *set,
		   struct err *e)
{
	for (size_t i = 0; i < l->hugetlb.n; i++) {
		const struct cg_hugetlb *h = &l->hugetlb.v[i];
		char text[CG_NUMBER_MAX];
		int r;

		if (!cg_plain_word(h->page_size))
			return err_set(e, -EINVAL,
				       "hugetlb: '%s' is no page size",
				       h->page_size ? h->page_size : "");
		r = cg_number("hugetlb", h->max, none, text, e);
		if (r < 0)
			return r;
		add_pages(h->page_size, suffix, text, dirfd, set);
	}
	return 0;
}

static int add_hugetlb(const struct cg_limits *l, int dirfd, struct cg_set *set,
		       struct err *e)
{
	return cg_hugetlb_add(l, "max", "max", dirfd, set, e);
}

bool cg_rdma_asked(const struct cg_limits *l)
{
	return l->rdma.n > 0;
}

static int add_rdma_one(const struct cg_rdma *d, int dirfd, struct cg_set *set,
			struct err *e)
{
	char handles[40] = "", objects[40] = "";

	if (!cg_plain_word(d->device))
		return err_set(e, -EINVAL, "rdma: '%s' is no device",
			       d->device ? d->device : "");
	if (!d->handles.set && !d->objects.set)
		return 0;
	if (d->handles.set)
		(void)snprintf(handles, sizeof(handles), " hca_handle=%" PRIu32,
			       d->handles.v);
	if (d->objects.set)
		(void)snprintf(objects, sizeof(objects), " hca_object=%" PRIu32,
			       d->objects.v);
	cg_setting_keyed(cg_set_add(set, dirfd, CG_CTL_RDMA, "rdma.max",
				    "%s%s%s", d->device, handles, objects),
			 "hca_handle=max hca_object=max");
	return 0;
}

int cg_rdma_add(const struct cg_limits *l, int dirfd, struct cg_set *set,
		struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->rdma.n && r == 0; i++)
		r = add_rdma_one(&l->rdma.v[i], dirfd, set, e);
	return r;
}

bool cg_misc_asked(const struct cg_limits *l)
{
	return l->misc.n > 0;
}

int cg_misc_add(const struct cg_limits *l, int dirfd, struct cg_set *set,
		struct err *e)
{
	for (size_t i = 0; i < l->misc.n; i++) {
		const struct cg_misc *m = &l->misc.v[i];
		char text[CG_NUMBER_MAX];
		int r;

		if (!cg_plain_word(m->resource))
			return err_set(e, -EINVAL, "misc: '%s' is no resource",
				       m->resource ? m->resource : "");
		r = cg_number("misc", m->max, "max", text, e);
		if (r < 0)
			return r;
		cg_setting_keyed(cg_set_add(set, dirfd, CG_CTL_MISC, "misc.max",
					    "%s %s", m->resource, text),
				 "max");
	}
	return 0;
}

bool cg_net_prio_asked(const struct cg_limits *l)
{
	return l->net_prio.n > 0;
}

/* --- the tables -----------------------------------------------------------*/

/* clang-format off */
static const struct cg_limit limits[] = {
	/*           controller       member                  file                     range */
	CG_LIMIT_U64(CG_CTL_CPU,      cpu_burst_us,           "cpu.max.burst",         0, UINT64_MAX),
	CG_LIMIT_I64(CG_CTL_CPU,      cpu_idle,               "cpu.idle",              1),
	CG_LIMIT_I64(CG_CTL_CPU,      cpu_rt_runtime_us,      NULL,                    0),
	CG_LIMIT_U64(CG_CTL_CPU,      cpu_rt_period_us,       NULL,                    0, 0),

	CG_LIMIT_TEXT(CG_CTL_CPUSET,  cpuset_cpus,            "cpuset.cpus",           .check = cg_check_cpus),
	CG_LIMIT_TEXT(CG_CTL_CPUSET,  cpuset_mems,            "cpuset.mems",           .check = cg_check_mems),
	CG_LIMIT_TEXT(CG_CTL_CPUSET,  cpuset_partition,       "cpuset.cpus.partition", .check = cg_check_partition),

	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_max,             "memory.max"),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_high,            "memory.high"),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_low,             "memory.low"),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_min,             "memory.min"),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_swap_high,       "memory.swap.high"),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_zswap_max,       "memory.zswap.max"),
	CG_LIMIT_BOOL(CG_CTL_MEMORY,  memory_zswap_writeback, "memory.zswap.writeback"),
	CG_LIMIT_BOOL(CG_CTL_MEMORY,  memory_oom_group,       "memory.oom.group"),
	CG_LIMIT_V1(CG_CTL_MEMORY,    memory_kernel,          NULL),
	CG_LIMIT_V1(CG_CTL_MEMORY,    memory_kernel_tcp,      NULL),
	CG_LIMIT_U64(CG_CTL_MEMORY,   memory_swappiness,      NULL,                    0, 0),
	CG_LIMIT_BOOL(CG_CTL_MEMORY,  memory_no_oom_kill,     NULL),

	CG_LIMIT_U32(CG_CTL_IO,       io_blkio_leaf_weight,   NULL,                    0, 0),
	CG_LIMIT_MAX(CG_CTL_PIDS,     pids_max,               "pids.max"),
	CG_LIMIT_U32(CG_CTL_NET_CLS,  net_cls_classid,        NULL,                    0, 0),
};

static const struct cg_limit_group groups[] = {
	{ "cpu_weight",      CG_CTL_CPU,      cg_cpu_weight_asked, add_cpu_weight },
	{ "cpu_idle",        CG_CTL_CPU,      cg_cpu_idle_asked, keep_weight },
	{ "cpu_quota_us",    CG_CTL_CPU,      cpu_max_asked,    add_cpu_max },
	{ "memory_swap_max", CG_CTL_MEMORY,   cg_swap_asked,    add_swap },
	{ "io_weight",       CG_CTL_IO,       cg_io_weight_asked,  cg_io_add_weight },
	{ "io_devices",      CG_CTL_IO,       cg_io_devices_asked, cg_io_add_devices },
	{ "hugetlb",         CG_CTL_HUGETLB,  cg_hugetlb_asked, add_hugetlb },
	{ "rdma",            CG_CTL_RDMA,     cg_rdma_asked,    cg_rdma_add },
	{ "misc",            CG_CTL_MISC,     cg_misc_asked,    cg_misc_add },
	{ "net_prio",        CG_CTL_NET_PRIO, cg_net_prio_asked, NULL },
};
/* clang-format on */

const struct cg_limit_tables cg_limits_v2 = {
	.limits = limits,
	.n_limits = ARRAY_SIZE(limits),
	.groups = groups,
	.n_groups = ARRAY_SIZE(groups),
	.lacks =
		"exists with cgroup v1 only, and no v1 hierarchy here holds controller",
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v1.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/check.h"

/* --- cpu ------------------------------------------------------------------*/

static int add_shares(const struct cg_limits *l, int dirfd, struct cg_set *set,
		      struct err *e)
{
	uint64_t shares = l->cpu_shares.v;
	int r = cg_cpu_weight_check(l, e);

	if (r < 0)
		return r;
	/* The kernel's own scale, the other way. */
	if (l->cpu_weight.set)
		shares = (l->cpu_weight.v * 1024 + 50) / 100;
	(void)cg_set_add(set, dirfd, CG_CTL_CPU, "cpu.shares", "%" PRIu64,
			 shares);
	return 0;
}

static int keep_shares(const struct cg_limits *l, int dirfd, struct cg_set *set,
		       struct err *e)
{
	return cg_cpu_idle_keep("cpu.shares", dirfd, set, e);
}

static int read_time(int dirfd, const char *file, int64_t *ret, struct err *e)
{
	char text[32];
	ssize_t n = fd_read_small_at(dirfd, file, text, sizeof(text));

	if (n < 0 || str_to_i64(text, ret) < 0)
		return err_set(e, n < 0 ? (int)n : -EIO, "read '%s'", file);
	return 0;
}

int cg_v1_bandwidth(int dirfd, struct cg_limits *ret, struct err *e)
{
	int64_t quota = 0, period = 0;
	int r;

	r = read_time(dirfd, "cpu.cfs_quota_us", &quota, e);
	if (r == 0)
		r = read_time(dirfd, "cpu.cfs_period_us", &period, e);
	if (r < 0)
		return r;
	ret->cpu_quota_us = (struct opt_i64){ true, quota };
	ret->cpu_period_us = (struct opt_u64){ true, (uint64_t)period };
	return 0;
}

static bool bandwidth_asked(const struct cg_limits *l)
{
	return l->cpu_quota_us.set || l->cpu_period_us.set;
}

/* Always both, if they are known: systemd resets the period when it hears that
 * there is no quota any more. */
static int add_bandwidth(const struct cg_limits *l, int dirfd,
			 struct cg_set *set, struct err *e)
{
	struct cg_limits now = { 0 };
	char quota[CG_NUMBER_MAX];
	int r;

	if (cg_v1_bandwidth(dirfd, &now, NULL) < 0)
		now = (struct cg_limits){ 0 };
	if (l->cpu_quota_us.set)
		now.cpu_quota_us = l->cpu_quota_us;
	if (l->cpu_period_us.set)
		now.cpu_period_us = l->cpu_period_us;
	r = cg_number("cpu_quota_us", now.cpu_quota_us.v, "-1", quota, e);
	if (r < 0)
		return r;
	if (now.cpu_quota_us.set)
		(void)cg_set_add(set, dirfd, CG_CTL_CPU, "cpu.cfs_quota_us",
				 "%s", quota);
	if (now.cpu_period_us.set)
		(void)cg_set_add(set, dirfd, CG_CTL_CPU, "cpu.cfs_period_us",
				 "%" PRIu64, now.cpu_period_us.v);
	return 0;
}

/* --- memory ---------------------------------------------------------------*/

static int read_limit(int dirfd, int64_t *ret, struct err *e)
{
	char buf[32];
	ssize_t n = fd_read_small_at(dirfd, "memory.limit_in_bytes", buf,
				     sizeof(buf));

	if (n < 0 || str_to_i64(buf, ret) < 0)
		return err_set(e, n < 0 ? (int)n : -EIO,
			       "read 'memory.limit_in_bytes'");
	return 0;
}

/* v1 limits memory and swap together; a limit of swap alone is added up. */
static int swap_total(const struct cg_limits *l, int dirfd, int64_t *ret,
		      struct err *e)
{
	int64_t memory = l->memory_max.v;
	int r;

	if (!l->memory_max.set) {
		r = read_limit(dirfd, &memory, e);
		if (r < 0)
			return r;
	}
	if (l->memory_swap_max.v < 0) {
		*ret = l->memory_swap_max.v;
		return 0;
	}
	if (memory < 0 ||
	    __builtin_add_overflow(memory, l->memory_swap_max.v, ret))
		return err_set(
			e, -EINVAL,
			"memory_swap_max: with cgroup v1 a limit of swap needs one of memory");
	return 0;
}

static int add_swap(const struct cg_limits *l, int dirfd, struct cg_set *set,
		    struct err *e)
{
	int64_t total = l->memory_swap_total.v;
	char text[CG_NUMBER_MAX];
	struct cg_setting *s;
	int r = cg_swap_check(l, e);

	if (r == 0 && l->memory_swap_max.set)
		r = swap_total(l, dirfd, &total, e);
	if (r == 0)
		r = cg_number("memory_swap_total", total, "-1", text, e);
	if (r < 0)
		return r;
	s = cg_set_add(set, dirfd, CG_CTL_MEMORY, "memory.memsw.limit_in_bytes",
		       "%s", text);
	if (s)
		s->optional = total < 0 || !cg_host_swaps();
	return 0;
}

static bool no_oom_kill_asked(const struct cg_limits *l)
{
	return l->memory_no_oom_kill.set;
}

static int add_no_oom_kill(const struct cg_limits *l, int dirfd,
			   struct cg_set *set, struct err *e)
{
	struct cg_setting *s;

	s = cg_set_add(set, dirfd, CG_CTL_MEMORY, "memory.oom_control", "%d",
		       l->memory_no_oom_kill.v);
	if (!s)
		return err_nomem(e);
	s->word = "oom_kill_disable";
	return 0;
}

/* --- io -------------------------------------------------------------------*/

#define EITHER_FILE   "blkio.weight or blkio.bfq.weight (neither CFQ nor BFQ)"
#define EITHER_DEVICE "blkio.weight_device or blkio.bfq.weight_device"

static int one_scale(const struct opt_u32 *own, const struct opt_u32 *blkio,
		     uint32_t *ret, struct err *e)
{
	if (own->set && blkio->set)
		return err_set(e, -EINVAL,
			       "io: a weight is given on two scales");
	if (own->set && (own->v < 1 || own->v > 10000))
		return err_set(e, -ERANGE,
			       "io: weight %" PRIu32 " is not within 1..10000",
			       own->v);
	*ret = own->set ? 10 + (own->v - 1) * 990 / 9999 : blkio->v;
	if (*ret < 10 || *ret > 1000)
		return err_set(e, -ERANGE,
			       "io: weight %" PRIu32 " is not within 10..1000",
			       *ret);
	return 0;
}

static void add_either(struct cg_set *set, int dirfd, const char *file,
		       const char *choice, const char *value, bool keyed)
{
	struct cg_setting *s =
		cg_set_add(set, dirfd, CG_CTL_IO, file, "%s", value);

	if (!s)
		return;
	s->one_of = choice;
	if (keyed)
		cg_setting_keyed(s, "0");
}

static int add_io_weight(const struct cg_limits *l, int dirfd,
			 struct cg_set *set, struct err *e)
{
	char text[CG_NUMBER_MAX];
	uint32_t weight;
	int r;

	r = one_scale(&l->io_weight, &l->io_blkio_weight, &weight, e);
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%" PRIu32, weight);
	add_either(set, dirfd, "blkio.weight", EITHER_FILE, text, false);
	add_either(set, dirfd, "blkio.bfq.weight", EITHER_FILE, text, false);
	return 0;
}

/* clang-format off */
static const struct {
	const char *file;
	size_t offset;
} rates[] = {
	{ "blkio.throttle.read_bps_device",   offsetof(struct cg_io_device, read_bps) },
	{ "blkio.throttle.write_bps_device",  offsetof(struct cg_io_device, write_bps) },
	{ "blkio.throttle.read_iops_device",  offsetof(struct cg_io_device, read_iops) },
	{ "blkio.throttle.write_iops_device", offsetof(struct cg_io_device, write_iops) },
};
/* clang-format on */

static void add_rates(const struct cg_io_device *d, const char *dev, int dirfd,
		      struct cg_set *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		const void *p = (const char *)d + rates[i].offset;
		const struct opt_u64 *v = p;

		if (v->set)
			cg_setting_keyed(cg_set_add(set, dirfd, CG_CTL_IO,
						    rates[i].file,
						    "%s %" PRIu64, dev, v->v),
					 "0");
	}
}

static int add_device(const struct cg_io_device *d, int dirfd,
		      struct cg_set *set, struct err *e)
{
	char dev[32], text[64];
	uint32_t weight;
	int r;

	if (d->latency_us.set)
		return err_set(
			e, -EOPNOTSUPP,
			"io: a latency target exists with cgroup v2 only, and controller 'io' is held by a v1 hierarchy here");
	(void)snprintf(dev, sizeof(dev), "%" PRIu32 ":%" PRIu32, d->major,
		       d->minor);
	add_rates(d, dev, dirfd, set);
	if (d->blkio_leaf_weight.set)
		cg_setting_keyed(cg_set_add(set, dirfd, CG_CTL_IO,
					    "blkio.leaf_weight_device",
					    "%s %" PRIu32, dev,
					    d->blkio_leaf_weight.v),
				 "0");
	if (!d->weight.set && !d->blkio_weight.set)
		return 0;
	r = one_scale(&d->weight, &d->blkio_weight, &weight, e);
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%s %" PRIu32, dev, weight);
	add_either(set, dirfd, "blkio.weight_device", EITHER_DEVICE, text,
		   true);
	add_either(set, dirfd, "blkio.bfq.weight_device", EITHER_DEVICE, text,
		   true);
	return 0;
}

static int add_io_devices(const struct cg_limits *l, int dirfd,
			  struct cg_set *set, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->io_devices.n && r == 0; i++)
		r = add_device(&l->io_devices.v[i], dirfd, set, e);
	return r;
}

/* --- hugetlb, net ---------------------------------------------------------*/

static int add_hugetlb(const struct cg_limits *l, int dirfd, struct cg_set *set,
		       struct err *e)
{
	return cg_hugetlb_add(l, "limit_in_bytes", "-1", dirfd, set, e);
}

static int add_net_prio(const struct cg_limits *l, int dirfd,
			struct cg_set *set, struct err *e)
{
	for (size_t i = 0; i < l->net_prio.n; i++) {
		const struct cg_net_prio *p = &l->net_prio.v[i];

		if (!cg_plain_word(p->interface))
			return err_set(e, -EINVAL,
				       "net_prio: '%s' is no interface",
				       p->interface ? p->interface : "");
		cg_setting_keyed(cg_set_add(set, dirfd, CG_CTL_NET_PRIO,
					    "net_prio.ifpriomap", "%s %" PRIu32,
					    p->interface, p->priority),
				 "0");
	}
	return 0;
}

/* --- the tables -----------------------------------------------------------*/

/* clang-format off */
static const struct cg_limit limits[] = {
	/*           controller       member                  file                           range */
	CG_LIMIT_U64(CG_CTL_CPU,      cpu_burst_us,           "cpu.cfs_burst_us",            0, UINT64_MAX),
	CG_LIMIT_I64(CG_CTL_CPU,      cpu_idle,               "cpu.idle",                    1),
	CG_LIMIT_V1(CG_CTL_CPU,       cpu_rt_runtime_us,      "cpu.rt_runtime_us"),
	CG_LIMIT_U64(CG_CTL_CPU,      cpu_rt_period_us,       "cpu.rt_period_us",            0, UINT64_MAX),

	CG_LIMIT_TEXT(CG_CTL_CPUSET,  cpuset_cpus,            "cpuset.cpus",                 .check = NULL),
	CG_LIMIT_TEXT(CG_CTL_CPUSET,  cpuset_mems,            "cpuset.mems",                 .check = NULL),
	CG_LIMIT_TEXT(CG_CTL_CPUSET,  cpuset_partition,       NULL,                          .check = NULL),

	CG_LIMIT_V1(CG_CTL_MEMORY,    memory_max,             "memory.limit_in_bytes"),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_high,            NULL),
	CG_LIMIT_V1(CG_CTL_MEMORY,    memory_low,             "memory.soft_limit_in_bytes"),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_min,             NULL),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_swap_high,       NULL),
	CG_LIMIT_MAX(CG_CTL_MEMORY,   memory_zswap_max,       NULL),
	CG_LIMIT_BOOL(CG_CTL_MEMORY,  memory_zswap_writeback, NULL),
	CG_LIMIT_BOOL(CG_CTL_MEMORY,  memory_oom_group,       NULL),
	CG_LIMIT_V1(CG_CTL_MEMORY,    memory_kernel,          "memory.kmem.limit_in_bytes",     .check = cg_check_taken),
	CG_LIMIT_V1(CG_CTL_MEMORY,    memory_kernel_tcp,      "memory.kmem.tcp.limit_in_bytes", .check = cg_check_taken),
	CG_LIMIT_U64(CG_CTL_MEMORY,   memory_swappiness,      "memory.swappiness",           0, 100),

	CG_LIMIT_U32(CG_CTL_IO,       io_blkio_leaf_weight,   "blkio.leaf_weight",           10, 1000),
	CG_LIMIT_MAX(CG_CTL_PIDS,     pids_max,               "pids.max"),
	CG_LIMIT_U32(CG_CTL_NET_CLS,  net_cls_classid,        "net_cls.classid",             0, UINT32_MAX),
};

static const struct cg_limit_group groups[] = {
	{ "cpu_weight",         CG_CTL_CPU,      cg_cpu_weight_asked, add_shares },
	{ "cpu_idle",           CG_CTL_CPU,      cg_cpu_idle_asked,   keep_shares },
	{ "cpu_quota_us",       CG_CTL_CPU,      bandwidth_asked,     add_bandwidth },
	{ "memory_swap_max",    CG_CTL_MEMORY,   cg_swap_asked,       add_swap },
	{ "memory_no_oom_kill", CG_CTL_MEMORY,   no_oom_kill_asked,   add_no_oom_kill },
	{ "io_weight",          CG_CTL_IO,       cg_io_weight_asked,  add_io_weight },
	{ "io_devices",         CG_CTL_IO,       cg_io_devices_asked, add_io_devices },
	{ "hugetlb",            CG_CTL_HUGETLB,  cg_hugetlb_asked,    add_hugetlb },
	{ "rdma",               CG_CTL_RDMA,     cg_rdma_asked,       cg_rdma_add },
	{ "misc",               CG_CTL_MISC,     cg_misc_asked,       cg_misc_add },
	{ "net_prio",           CG_CTL_NET_PRIO, cg_net_prio_asked,   add_net_prio },
};
/* clang-format on */

const struct cg_limit_tables cg_limits_v1 = {
	.limits = limits,
	.n_limits = ARRAY_SIZE(limits),
	.groups = groups,
	.n_groups = ARRAY_SIZE(groups),
	.lacks =
		"exists with cgroup v2 only, and a v1 hierarchy of this host holds controller",
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/limits.h"
#include "cgroups/set.h"
#include "cgroups/v1.h"
#include "tests/unit/scratch.h"

/* The file's text; plain files keep what was behind a shorter write, so they
 * are made empty before each test. */
static const char *get(const struct scratch *g, const char *file)
{
	static char text[256];

	if (fd_read_small_at(g->fd, file, text, sizeof(text)) < 0)
		return NULL;
	return text;
}

/* Makes the files that the settings name, unless they are listed as absent. */
static void make_files(const struct scratch *g, const struct cg_set *set,
		       const char *absent)
{
	for (size_t i = 0; i < set->n; i++) {
		if (!str_eq(set->v[i].file, absent))
			(void)scratch_write(g, set->v[i].file, "");
	}
}

static const struct cg_set_how plainly;

/* Adds all that is asked for by a table and writes it. */
static int apply(const struct cg_limit_tables *t, const struct cg_limits *l,
		 const struct scratch *g, const char *absent, struct err *e)
{
	_cleanup_(cg_set_done) struct cg_set set = { 0 };
	uint32_t needs = cg_limits_controllers(l);
	int r = 0;

	for (unsigned int i = 0; i < CG_CTL_CORE && r == 0; i++) {
		if (needs & CG_BIT(i))
			r = cg_limits_add(t, (enum cg_ctl)i, l, g->fd, &set, e);
	}
	if (r == 0)
		r = cg_limits_add_unified(l, 0, g->fd, &set, e);
	make_files(g, &set, absent);
	return r < 0 ? r : cg_set_write(&set, &plainly, e);
}

#define SET(x)                                                                 \
	{                                                                      \
		.set = true, .v = (x)                                          \
	}

static struct cg_io_device sda_all[] = { {
	.major = 8,
	.read_bps = SET(1000),
	.write_bps = SET(0),
	.read_iops = SET(7),
	.weight = SET(200),
	.latency_us = SET(75000),
} };
static struct cg_io_device sda_v1[] = { {
	.major = 8,
	.minor = 1,
	.write_bps = SET(4096),
	.blkio_weight = SET(500),
} };
static struct cg_hugetlb huge[] = { { (char *)"2MB", 4 << 20 } };
static struct cg_rdma mlx[] = { {
	.device = (char *)"mlx4_0",
	.handles = SET(2),
} };
static struct cg_misc sev[] = { { (char *)"sev", -1 } };
static struct cg_net_prio eth[] = { { (char *)"eth0", 5 } };
static char *unified_keys[] = { (char *)"memory.high", NULL };
static char *unified_values[] = { (char *)"max", NULL };
static char *lines_keys[] = { (char *)"io.max", NULL };
static char *lines_values[] = { (char *)"8:0 riops=3\n8:1 riops=5\n", NULL };

struct row {
	struct cg_limits limits;
	const char *file, *text;
};

/* clang-format off */
static const struct row v2_rows[] = {
	{ { .cpu_shares = SET(1024) },        "cpu.weight", "100" },
	{ { .cpu_weight = SET(77) },          "cpu.weight", "77" },
	{ { .cpu_quota_us = SET(50000) },     "cpu.max", "50000" },
	{ { .cpu_quota_us = SET(-1), .cpu_period_us = SET(20000) }, "cpu.max", "max 20000" },
	{ { .cpu_quota_us = SET(5), .cpu_period_us = SET(6) },      "cpu.max", "5 6" },
	{ { .cpu_burst_us = SET(10) },        "cpu.max.burst", "10" },
	{ { .cpu_idle = SET(1) },             "cpu.idle", "1" },
	{ { .memory_max = SET(0) },           "memory.max", "0" },
	{ { .memory_max = SET(-1) },          "memory.max", "max" },
	{ { .memory_high = SET(4096) },       "memory.high", "4096" },
	{ { .memory_low = SET(1) },           "memory.low", "1" },
	{ { .memory_min = SET(2) },           "memory.min", "2" },
	{ { .memory_swap_max = SET(3) },      "memory.swap.max", "3" },
	{ { .memory_swap_total = SET(-1) },   "memory.swap.max", "max" },
	{ { .memory_swap_total = SET(100), .memory_max = SET(60) }, "memory.swap.max", "40" },
	{ { .memory_swap_high = SET(9) },     "memory.swap.high", "9" },
	{ { .memory_zswap_max = SET(8) },     "memory.zswap.max", "8" },
	{ { .memory_zswap_writeback = { true, false } }, "memory.zswap.writeback", "0" },
	{ { .memory_oom_group = { true, true } },        "memory.oom.group", "1" },
	{ { .io_weight = SET(300) },          "io.weight", "default 300" },
	{ { .io_blkio_weight = SET(1000) },   "io.weight", "default 10000" },
	{ { .io_blkio_weight = SET(1000) },   "io.bfq.weight", "default 1000" },
	{ { .io_devices = { sda_all, 1 } },   "io.max", "8:0 rbps=1000 wbps=max riops=7" },
	{ { .io_devices = { sda_all, 1 } },   "io.latency", "8:0 target=75000" },
	{ { .io_devices = { sda_all, 1 } },   "io.weight", "8:0 200" },
	{ { .pids_max = SET(-1) },            "pids.max", "max" },
	{ { .pids_max = SET(0) },             "pids.max", "0" },
	{ { .hugetlb = { huge, 1 } },         "hugetlb.2MB.max", "4194304" },
	{ { .hugetlb = { huge, 1 } },         "hugetlb.2MB.rsvd.max", "4194304" },
	{ { .rdma = { mlx, 1 } },             "rdma.max", "mlx4_0 hca_handle=2" },
	{ { .misc = { sev, 1 } },             "misc.max", "sev max" },
	{ { .unified = { unified_keys, unified_values, 1 } }, "memory.high", "max" },
	{ { .unified = { lines_keys, lines_values, 1 } },     "io.max", "8:1 riops=5" },
};

static const struct row v1_rows[] = {
	{ { .cpu_shares = SET(1024) },        "cpu.shares", "1024" },
	{ { .cpu_weight = SET(100) },         "cpu.shares", "1024" },
	{ { .cpu_quota_us = SET(-1) },        "cpu.cfs_quota_us", "-1" },
	{ { .cpu_period_us = SET(20000) },    "cpu.cfs_period_us", "20000" },
	{ { .cpu_rt_runtime_us = SET(950) },  "cpu.rt_runtime_us", "950" },
	{ { .cpu_rt_period_us = SET(1000) },  "cpu.rt_period_us", "1000" },
	{ { .cpuset_cpus = (char *)"0-1" },   "cpuset.cpus", "0-1" },
	{ { .memory_max = SET(-1) },          "memory.limit_in_bytes", "-1" },
	{ { .memory_low = SET(4096) },        "memory.soft_limit_in_bytes", "4096" },
	{ { .memory_swap_total = SET(99) },   "memory.memsw.limit_in_bytes", "99" },
	{ { .memory_swap_max = SET(9), .memory_max = SET(90) }, "memory.memsw.limit_in_bytes", "99" },
	{ { .memory_kernel = SET(5) },        "memory.kmem.limit_in_bytes", "5" },
	{ { .memory_kernel_tcp = SET(6) },    "memory.kmem.tcp.limit_in_bytes", "6" },
	{ { .memory_swappiness = SET(60) },   "memory.swappiness", "60" },
	{ { .memory_no_oom_kill = { true, true } }, "memory.oom_control", "1" },
	{ { .io_weight = SET(10000) },        "blkio.weight", "1000" },
	{ { .io_blkio_leaf_weight = SET(10) }, "blkio.leaf_weight", "10" },
	{ { .io_devices = { sda_v1, 1 } },    "blkio.throttle.write_bps_device", "8:1 4096" },
	{ { .io_devices = { sda_v1, 1 } },    "blkio.weight_device", "8:1 500" },
	{ { .pids_max = SET(42) },            "pids.max", "42" },
	{ { .hugetlb = { huge, 1 } },         "hugetlb.2MB.limit_in_bytes", "4194304" },
	{ { .net_cls_classid = SET(0x100001) }, "net_cls.classid", "1048577" },
	{ { .net_prio = { eth, 1 } },         "net_prio.ifpriomap", "eth0 5" },
};
/* clang-format on */

static void each_row(const struct cg_limit_tables *t, const struct row *rows,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
		struct err e = { 0 };

		REQUIRE(scratch_init(&g));
		if (!CHECK_OK(apply(t, &rows[i].limits, &g, NULL, &e), &e) ||
		    !CHECK_STR(get(&g, rows[i].file), rows[i].text))
			tap_note("row %zu: %s", i, rows[i].file);
	}
}

TEST(each_member_is_written_to_its_v2_file)
{
	each_row(&cg_limits_v2, v2_rows, ARRAY_SIZE(v2_rows));
}

TEST(each_member_is_written_to_its_v1_file)
{
	each_row(&cg_limits_v1, v1_rows, ARRAY_SIZE(v1_rows));
}

struct refusal {
	struct cg_limits limits;
	int code;
	const char *part;
};

static struct cg_hugetlb bad_size[] = { { (char *)"../x", 1 } };
static struct cg_rdma bad_rdma[] = { { .device = (char *)"a b",
				       .handles = SET(1) } };
static struct cg_io_device leaf[] = { { .blkio_leaf_weight = SET(10) } };
static char *bad_unified[] = { (char *)"../memory.max", NULL };
static char *procs_unified[] = { (char *)"cgroup.procs", NULL };
static char *odd_unified[] = { (char *)"nothing.max", NULL };

/* clang-format off */
static const struct refusal v2_refusals[] = {
	{ { .memory_max = SET(-2) },            -ERANGE, "memory_max: -2 is negative" },
	{ { .pids_max = SET(INT64_MIN) },       -ERANGE, "pids_max" },
	{ { .cpu_quota_us = SET(-7) },          -ERANGE, "cpu_quota_us" },
	{ { .cpu_idle = SET(2) },               -ERANGE, "cpu_idle: 2 is not within 0..1" },
	{ { .cpu_idle = SET(-1) },              -ERANGE, "cpu_idle: -1 is negative" },
	{ { .cpu_weight = SET(0) },             -ERANGE, "1..10000" },
	{ { .cpu_weight = SET(10001) },         -ERANGE, "1..10000" },
	{ { .cpu_shares = SET(1) }, -ERANGE, "cpu_shares" },
	{ { .cpu_shares = SET(262145) }, -ERANGE, "cpu_shares" },
	{ { .cpu_weight = SET(1), .cpu_shares = SET(2) }, -EINVAL, "exclude" },
	{ { .io_weight = SET(0) },              -ERANGE, "1..10000" },
	{ { .io_blkio_weight = SET(9) },        -ERANGE, "10..1000" },
	{ { .io_weight = SET(1), .io_blkio_weight = SET(10) }, -EINVAL, "two scales" },
	{ { .memory_swap_total = SET(5) },      -EINVAL, "needs one of memory" },
	{ { .memory_swap_total = SET(5), .memory_max = SET(6) }, -EINVAL, "below the memory limit" },
	{ { .memory_swap_total = SET(5), .memory_swap_max = SET(6), .memory_max = SET(1) }, -EINVAL, "exclude" },
	{ { .hugetlb = { bad_size, 1 } },       -EINVAL, "page size" },
	{ { .rdma = { bad_rdma, 1 } },          -EINVAL, "no device" },
	{ { .io_devices = { leaf, 1 } },        -EOPNOTSUPP, "v1 only" },
	{ { .memory_swappiness = SET(1) },      -EOPNOTSUPP, "'memory'" },
	{ { .memory_no_oom_kill = { true, true } }, -EOPNOTSUPP, "v1" },
	{ { .cpu_rt_runtime_us = SET(1) },      -EOPNOTSUPP, "'cpu'" },
	{ { .net_cls_classid = SET(1) },        -EOPNOTSUPP, "'net_cls'" },
	{ { .net_prio = { eth, 1 } },           -EOPNOTSUPP, "'net_prio'" },
	{ { .unified = { bad_unified, unified_values, 1 } },   -EINVAL, "no file name" },
	{ { .unified = { procs_unified, unified_values, 1 } }, -EINVAL, "no limit" },
	{ { .unified = { odd_unified, unified_values, 1 } },   -EOPNOTSUPP, "no controller" },
};

static const struct refusal v1_refusals[] = {
	{ { .memory_high = SET(1) },            -EOPNOTSUPP, "v2 only" },
	{ { .memory_oom_group = { true, true } }, -EOPNOTSUPP, "'memory'" },
	{ { .cpuset_partition = (char *)"root" }, -EOPNOTSUPP, "'cpuset'" },
	{ { .io_devices = { sda_all, 1 } },     -EOPNOTSUPP, "latency" },
	{ { .memory_swappiness = SET(101) },    -ERANGE, "0..100" },
	{ { .io_blkio_weight = SET(1001) },     -ERANGE, "10..1000" },
};
/* clang-format on */

static void each_refusal(const struct cg_limit_tables *t,
			 const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
		struct err e = { 0 };
		int r;

		REQUIRE(scratch_init(&g));
		r = apply(t, &rows[i].limits, &g, NULL, &e);
		if (!CHECK_INT(r, rows[i].code) ||
		    !CHECK_HAS(e.text, rows[i].part))
			tap_note("row %zu: %s", i, e.text);
	}
}

TEST(what_v2_cannot_do_is_refused_with_a_sentence)
{
	each_refusal(&cg_limits_v2, v2_refusals, ARRAY_SIZE(v2_refusals));
}

TEST(what_v1_cannot_do_is_refused_with_a_sentence)
{
	each_refusal(&cg_limits_v1, v1_refusals, ARRAY_SIZE(v1_refusals));
}

TEST(a_missing_file_names_file_and_controller)
{
	const struct cg_limits l = { .memory_max = SET(1) };
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&g));
	CHECK_INT(apply(&cg_limits_v2, &l, &g, "memory.max", &e), -EOPNOTSUPP);
	CHECK_HAS(e.text, "memory.max");
	CHECK_HAS(e.text, "'memory'");
}

/* --- the tables as such ---------------------------------------------------*/

/* Limits that ask for this member alone. */
static void ask_for(const struct cg_limit *row, struct cg_limits *l)
{
	static char text[] = "0";
	void *p = (char *)l + row->offset;

	if (row->format == CG_FORMAT_TEXT)
		*(char **)p = text;
	else
		*(bool *)p = true;
}

/* Otherwise a member would be passed over on some hosts. */
TEST(whatever_a_table_knows_is_known_to_be_needed)
{
	const struct cg_limit_tables *t[] = { &cg_limits_v2, &cg_limits_v1 };

	for (size_t i = 0; i < t[0]->n_limits + t[1]->n_limits; i++) {
		const struct cg_limit *row =
			i < t[0]->n_limits ? &t[0]->limits[i]
					   : &t[1]->limits[i - t[0]->n_limits];
		struct cg_limits l = { 0 };

		ask_for(row, &l);
		if (!CHECK_INT(cg_limits_controllers(&l), CG_BIT(row->ctl)))
			tap_note("%s", row->member);
	}
}

/* Of each member, by name, the other version has a row or a group. */
static bool answers(const struct cg_limit_tables *t, const struct cg_limit *row)
{
	struct cg_limits l = { 0 };
	bool found = false;

	ask_for(row, &l);
	for (size_t i = 0; i < t->n_limits; i++)
		found = found || t->limits[i].offset == row->offset;
	for (size_t i = 0; i < t->n_groups; i++)
		found = found || t->groups[i].asked(&l);
	return found;
}

static void answers_all(const struct cg_limit_tables *t,
			const struct cg_limit_tables *of)
{
	for (size_t i = 0; i < of->n_limits; i++) {
		if (!CHECK(answers(t, &of->limits[i])))
			tap_note("%s", of->limits[i].member);
	}
}

TEST(each_table_answers_for_the_members_of_the_other)
{
	answers_all(&cg_limits_v2, &cg_limits_v1);
	answers_all(&cg_limits_v1, &cg_limits_v2);
}

TEST(shares_keep_their_proportions_as_weights)
{
	CHECK_INT(cg_shares_to_weight(1024), 100);
	CHECK_INT(cg_shares_to_weight(2048), 200);
	CHECK_INT(cg_shares_to_weight(512), 50);
	CHECK_INT(cg_shares_to_weight(2), 1);
	CHECK_INT(cg_shares_to_weight(0), 1);
	CHECK_INT(cg_shares_to_weight(262144), 10000);
	CHECK_INT(cg_shares_to_weight(UINT64_MAX), 10000);
}

TEST(the_ends_of_both_io_scales_meet)
{
	CHECK_INT(cg_blkio_to_io_weight(10), 1);
	CHECK_INT(cg_blkio_to_io_weight(1000), 10000);
	CHECK(cg_blkio_to_io_weight(500) > 4900);
	CHECK(cg_blkio_to_io_weight(500) < 5000);
}

TEST(nothing_asked_for_needs_no_controller)
{
	const struct cg_limits none = { 0 };
	const struct cg_limits zero = { .pids_max = SET(0) };

	CHECK_INT(cg_limits_controllers(&none), 0);
	CHECK(!cg_limits_any(&none));
	CHECK_INT(cg_limits_controllers(&zero), CG_BIT(CG_CTL_PIDS));
}

TEST(limits_survive_json)
{
	static const char text[] =
		"{\"cpuShares\":512,\"memoryMax\":-1,"
		"\"ioDevices\":[{\"major\":8,\"minor\":0,\"readBps\":0}],"
		"\"pidsMax\":0,"
		"\"hugetlb\":[{\"pageSize\":\"2MB\",\"max\":0}],"
		"\"unified\":{\"memory.high\":\"5\"},"
		"\"devices\":[{\"allow\":false,\"type\":\"a\",\"access\":7}]}";
	struct cg_limits l = { 0 };
	autofree char *out = NULL;
	struct err e = { 0 };

	REQUIRE_OK(json_read(text, strlen(text), &cg_limits_table, &l, "t", &e),
		   &e);
	CHECK(l.pids_max.set && l.io_devices.v[0].read_bps.set);
	CHECK_OK(json_write(&cg_limits_table, &l, false, &out, NULL, &e), &e);
	CHECK_STR(out, text);
	cg_limits_done(&l);
}

static const struct tap_test tests[] = {
	TAP(each_member_is_written_to_its_v2_file),
	TAP(each_member_is_written_to_its_v1_file),
	TAP(what_v2_cannot_do_is_refused_with_a_sentence),
	TAP(what_v1_cannot_do_is_refused_with_a_sentence),
	TAP(a_missing_file_names_file_and_controller),
	TAP(whatever_a_table_knows_is_known_to_be_needed),
	TAP(each_table_answers_for_the_members_of_the_other),
	TAP(shares_keep_their_proportions_as_weights),
	TAP(the_ends_of_both_io_scales_meet),
	TAP(nothing_asked_for_needs_no_controller),
	TAP(limits_survive_json),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

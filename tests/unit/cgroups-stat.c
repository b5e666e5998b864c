/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cgroups/stat.h"
#include "cgroups/v1.h"
#include "tests/unit/scratch.h"

/* Files as kernels write them, in a folder that stands for a group. */
static const struct {
	const char *file, *text;
} v2_files[] = {
	{ "cpu.stat", "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\n"
		      "nr_periods 7\nnr_throttled 2\nthrottled_usec 900\n"
		      "nr_bursts 1\nburst_usec 50\n" },
	{ "memory.current", "4096\n" },
	{ "memory.peak", "8192\n" },
	{ "memory.max", "max\n" },
	{ "memory.swap.current", "100\n" },
	{ "memory.swap.max", "1000\n" },
	{ "memory.stat", "anon 11\nfile 12\nkernel 13\nanon_thp 99\n"
			 "pgfault 14\npgmajfault 15\n" },
	{ "memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\n"
			   "oom_group_kill 6\n" },
	{ "pids.current", "9\n" },
	{ "pids.max", "max\n" },
	{ "io.stat",
	  "8:16 8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"
	  "253:1 rbytes=70 cost.usage=3 wbytes=80\nnonsense\n" },
	{ "cpu.pressure", "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\n" },
	{ "memory.pressure",
	  "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"
	  "full avg10=99.99 avg60=0.00 avg300=0.00 total=2\n" },
	{ "cpuset.cpus.effective", "0-2,5\n" },
};

TEST(v2_files_become_numbers)
{
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	struct err e = { 0 };

	REQUIRE(scratch_init(&g));
	for (size_t i = 0; i < ARRAY_SIZE(v2_files); i++)
		REQUIRE(scratch_write(&g, v2_files[i].file, v2_files[i].text));
	REQUIRE_OK(cg_v2_stat(g.fd, &s, &e), &e);
	CHECK_INT(s.cpu_usage_us.v, 5000);
	CHECK_INT(s.cpu_throttled.v, 2);
	CHECK_INT(s.cpu_burst_us.v, 50);
	CHECK_INT(s.memory_current.v, 4096);
	CHECK_INT(s.memory_peak.v, 8192);
	CHECK(s.memory_max.set && s.memory_max.v == CG_NO_LIMIT);
	CHECK_INT(s.swap_max.v, 1000);
	CHECK_INT(s.memory_anon.v, 11);
	CHECK_INT(s.memory_major_faults.v, 15);
	CHECK_INT(s.memory_raw.n, 6);
	CHECK_STR(s.memory_raw.v[3].name, "anon_thp");
	CHECK_INT(s.memory_oom_kills.v, 5);
	CHECK(!s.swap_peak.set);
	CHECK_INT(s.pids_current.v, 9);
	CHECK_INT(s.io.n, 3);
	CHECK_INT(s.io.v[1].write_bytes, 2);
	CHECK_INT(s.io.v[0].read_bytes, 0);
	CHECK_INT(s.io.v[2].read_bytes, 70);
	CHECK(s.cpu_pressure.set && s.cpu_pressure.some.avg10 > 1.49);
	CHECK_INT(s.cpu_pressure.some.total_us, 77);
	CHECK(s.memory_pressure.full.avg10 > 99.98);
	CHECK(!s.io_pressure.set);
	CHECK_STR(s.cpuset_cpus, "0-2,5");
}

TEST(what_is_not_there_is_not_set)
{
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	struct err e = { 0 };

	REQUIRE(scratch_init(&g));
	REQUIRE(scratch_write(&g, "memory.current", "many\n"));
	REQUIRE(scratch_write(&g, "cpu.stat", "usage_usec\nuser_usec x\n"));
	REQUIRE(scratch_write(&g, "cpu.pressure", "some avg10=x\n"));
	REQUIRE_OK(cg_v2_stat(g.fd, &s, &e), &e);
	CHECK(!s.memory_current.set);
	CHECK(!s.cpu_usage_us.set);
	CHECK(!s.cpu_pressure.set);
	CHECK_INT(s.io.n, 0);
}

static const struct {
	const char *file, *text;
} v1_files[] = {
	{ "cpu.stat", "nr_periods 7\nnr_throttled 2\nthrottled_time 9000\n" },
	{ "cpuacct.usage", "5000000\n" },
	{ "cpuacct.usage_user", "3000000\n" },
	{ "cpuacct.usage_sys", "2000000\n" },
	{ "cpuacct.usage_percpu", "1 2 3 \n" },
	{ "cpuacct.usage_percpu_user", "0 1 2 \n" },
	{ "cpuacct.usage_percpu_sys", "1 1 \n" },
	{ "memory.kmem.max_usage_in_bytes", "77\n" },
	{ "memory.kmem.limit_in_bytes", "9223372036854771712\n" },
	{ "memory.usage_in_bytes", "4096\n" },
	{ "memory.max_usage_in_bytes", "8192\n" },
	{ "memory.limit_in_bytes", "9223372036854771712\n" },
	{ "memory.failcnt", "3\n" },
	{ "memory.memsw.usage_in_bytes", "5096\n" },
	{ "memory.stat", "cache 1\ntotal_rss 11\ntotal_cache 12\n" },
	{ "memory.oom_control", "oom_kill_disable 0\noom_kill 5\n" },
	{ "pids.current", "9\n" },
	{ "blkio.throttle.io_service_bytes_recursive",
	  "8:0 Read 100\n8:0 Write 200\n8:0 Sync 300\n8:0 Total 300\n"
	  "Total 300\n" },
	{ "blkio.throttle.io_serviced_recursive", "8:0 Read 1\n" },
	{ "cpuset.effective_cpus", "0-1\n" },
};

TEST(v1_files_become_the_same_numbers)
{
	_cleanup_(scratch_done) struct scratch g = SCRATCH_INIT;
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	struct cg_v1_group group = { .controllers = UINT32_MAX };
	const struct cg_v1 v1 = { .v = &group, .n = 1 };
	struct err e = { 0 };

	REQUIRE(scratch_init(&g));
	group.fd = g.fd;
	for (size_t i = 0; i < ARRAY_SIZE(v1_files); i++)
		REQUIRE(scratch_write(&g, v1_files[i].file, v1_files[i].text));
	REQUIRE_OK(cg_v1_stat(&v1, &s, &e), &e);
	CHECK_INT(s.cpu_usage_us.v, 5000);
	CHECK_INT(s.cpu_throttled_us.v, 9);
	CHECK_INT(s.cpu_all_ns.n, 3);
	CHECK_INT(s.cpu_all_user_ns.v[2], 2);
	CHECK_INT(s.cpu_all_system_ns.n, 2);
	CHECK_INT(s.memory_kernel_peak.v, 77);
	CHECK(s.memory_kernel_max.v == CG_NO_LIMIT);
	CHECK(s.memory_max.v == CG_NO_LIMIT);
	CHECK_INT(s.memory_max_events.v, 3);
	CHECK_INT(s.swap_current.v, 1000);
	CHECK_INT(s.memory_anon.v, 11);
	CHECK_INT(s.memory_oom_kills.v, 5);
	CHECK_INT(s.io.n, 1);
	CHECK_INT(s.io.v[0].write_bytes, 200);
	CHECK_INT(s.io.v[0].reads, 1);
	CHECK_STR(s.cpuset_cpus, "0-1");
}

static struct cg_io_stat disk = { .major = 8, .read_bytes = 4096, .reads = 1 };
static struct cg_raw_stat raw = { "anon", 11 };
static struct cg_hugetlb_stat huge = { "2MB", 1, 2, 3, 4 };
static uint64_t per_cpu[] = { 10, 20 };

#define SET(x)                                                                 \
	{                                                                      \
		.set = true, .v = (x)                                          \
	}

TEST(numbers_are_written_as_runc_writes_them)
{
	const struct cg_stat s = {
		.cpu_usage_us = SET(5),
		.cpu_user_us = SET(3),
		.cpu_throttled_us = SET(1),
		.cpu_all_ns = { per_cpu, 2 },
		.cpu_all_system_ns = { per_cpu, 1 },
		.cpuset_cpus = (char *)"0-1,4",
		.memory_current = SET(100),
		.memory_max = SET(CG_NO_LIMIT),
		.swap_current = SET(20),
		.swap_max = SET(1000),
		.memory_kernel_peak = SET(6),
		.memory_kernel_tcp_max = SET(7),
		.memory_raw = { &raw, 1 },
		.memory_oom_kills = SET(2),
		.io = { &disk, 1 },
		.pids_current = SET(3),
		.pids_max = SET(CG_NO_LIMIT),
		.hugetlb = { &huge, 1 },
	};
	static const char want[] =
		"{\"cpu\":{\"usage\":{\"total\":5000,\"percpu\":[10,20],"
		"\"percpu_kernel\":[10],\"kernel\":0,\"user\":3000},\"throttling\":"
		"{\"throttledTime\":1000}},\"cpuset\":{\"cpus\":[0,1,4],"
		"\"cpu_exclusive\":0,\"mem_hardwall\":0,\"mem_exclusive\":0,"
		"\"memory_migrate\":0,\"memory_spread_page\":0,"
		"\"memory_spread_slab\":0,\"memory_pressure\":0,"
		"\"sched_load_balance\":0,\"sched_relax_domain_level\":0},"
		"\"memory\":{\"usage\":{\"limit\":18446744073709551615,"
		"\"usage\":100,\"failcnt\":0},\"swap\":"
		"{\"limit\":18446744073709551615,\"usage\":120,\"failcnt\":0},"
		"\"kernel\":{\"limit\":0,\"max\":6,\"failcnt\":0},"
		"\"kernelTCP\":{\"limit\":7,\"failcnt\":0},"
		"\"raw\":{\"anon\":11},\"event_count\":{\"oom_kill\":2}},"
		"\"pids\":{\"current\":3},\"blkio\":"
		"{\"ioServiceBytesRecursive\":["
		"{\"major\":8,\"op\":\"Read\",\"value\":4096},"
		"{\"major\":8,\"op\":\"Write\"},{\"major\":8,\"op\":"
		"\"Discard\"}],\"ioServicedRecursive\":["
		"{\"major\":8,\"op\":\"Read\",\"value\":1},"
		"{\"major\":8,\"op\":\"Write\"},"
		"{\"major\":8,\"op\":\"Discard\"}]},"
		"\"hugetlb\":{\"2MB\":{\"usage\":1,\"max\":2,\"failcnt\":4}}}";
	_cleanup_(json_out_done) struct json_out o = { 0 };
	autofree char *text = NULL;
	struct err e = { 0 };

	json_out_begin(&o, '{');
	cg_stat_write(&s, &o);
	json_out_end(&o, '}');
	REQUIRE_OK(json_out_take(&o, &text, NULL, &e), &e);
	CHECK_STR(text, want);
}

static const struct tap_test tests[] = {
	TAP(v2_files_become_numbers),
	TAP(what_is_not_there_is_not_set),
	TAP(v1_files_become_the_same_numbers),
	TAP(numbers_are_written_as_runc_writes_them),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

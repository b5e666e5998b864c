/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

/* How plans and state files spell the structs of cg.h. */

const char *const cg_driver_names[] = {
	[CG_DRIVER_CGROUPFS] = "cgroupfs",
	[CG_DRIVER_SYSTEMD] = "systemd",
	[CG_DRIVER_DISABLED] = "disabled",
	[CG_DRIVER_N_] = NULL,
};

const char *const cg_device_type_names[] = {
	[CG_DEVICE_ALL] = "a",
	[CG_DEVICE_CHAR] = "c",
	[CG_DEVICE_BLOCK] = "b",
	NULL,
};

/* clang-format off */
static const struct json_field config_fields[] = {
	JSON_ENUM(struct cg_config, driver, "driver", cg_driver_names, .always = true),
	JSON_STR(struct cg_config, path, "path"),
	JSON_STR(struct cg_config, name, "name"),
	JSON_BOOL(struct cg_config, envelope, "envelope"),
	JSON_BOOL(struct cg_config, account, "account"),
	JSON_BOOL(struct cg_config, realtime, "realtime"),
	JSON_OPT_U32(struct cg_config, owner_uid, "ownerUid"),
	JSON_OPT_U32(struct cg_config, owner_gid, "ownerGid"),
	JSON_MAP(struct cg_config, properties, "properties"),
	JSON_OPT_BOOL(struct cg_config, user_manager, "userManager"),
};
const struct json_table cg_config_table =
	JSON_TABLE(struct cg_config, config_fields);

static const struct json_field device_rule_fields[] = {
	JSON_BOOL(struct cg_device_rule, allow, "allow", .always = true),
	JSON_ENUM(struct cg_device_rule, type, "type", cg_device_type_names, .always = true),
	JSON_OPT_U32(struct cg_device_rule, major, "major"),
	JSON_OPT_U32(struct cg_device_rule, minor, "minor"),
	JSON_U32(struct cg_device_rule, access, "access", .always = true),
};
const struct json_table cg_device_rule_table =
	JSON_TABLE(struct cg_device_rule, device_rule_fields);

static const struct json_field io_device_fields[] = {
	JSON_U32(struct cg_io_device, major, "major", .always = true),
	JSON_U32(struct cg_io_device, minor, "minor", .always = true),
	JSON_OPT_U32(struct cg_io_device, blkio_weight, "blkioWeight"),
	JSON_OPT_U32(struct cg_io_device, blkio_leaf_weight, "blkioLeafWeight"),
	JSON_OPT_U32(struct cg_io_device, weight, "weight"),
	JSON_OPT_U64(struct cg_io_device, read_bps, "readBps"),
	JSON_OPT_U64(struct cg_io_device, write_bps, "writeBps"),
	JSON_OPT_U64(struct cg_io_device, read_iops, "readIops"),
	JSON_OPT_U64(struct cg_io_device, write_iops, "writeIops"),
	JSON_OPT_U64(struct cg_io_device, latency_us, "latencyUs"),
};
const struct json_table cg_io_device_table =
	JSON_TABLE(struct cg_io_device, io_device_fields);

static const struct json_field hugetlb_fields[] = {
	JSON_STR(struct cg_hugetlb, page_size, "pageSize", .required = true),
	JSON_I64(struct cg_hugetlb, max, "max", .required = true, .always = true),
};
const struct json_table cg_hugetlb_table =
	JSON_TABLE(struct cg_hugetlb, hugetlb_fields);

static const struct json_field rdma_fields[] = {
	JSON_STR(struct cg_rdma, device, "device", .required = true),
	JSON_OPT_U32(struct cg_rdma, handles, "handles"),
	JSON_OPT_U32(struct cg_rdma, objects, "objects"),
};
const struct json_table cg_rdma_table =
	JSON_TABLE(struct cg_rdma, rdma_fields);

static const struct json_field misc_fields[] = {
	JSON_STR(struct cg_misc, resource, "resource", .required = true),
	JSON_I64(struct cg_misc, max, "max", .required = true, .always = true),
};
const struct json_table cg_misc_table =
	JSON_TABLE(struct cg_misc, misc_fields);

static const struct json_field net_prio_fields[] = {
	JSON_STR(struct cg_net_prio, interface, "interface", .required = true),
	JSON_U32(struct cg_net_prio, priority, "priority", .required = true, .always = true),
};
const struct json_table cg_net_prio_table =
	JSON_TABLE(struct cg_net_prio, net_prio_fields);

static const struct json_field limits_fields[] = {
	JSON_OPT_U64(struct cg_limits, cpu_shares, "cpuShares"),
	JSON_OPT_U64(struct cg_limits, cpu_weight, "cpuWeight"),
	JSON_OPT_I64(struct cg_limits, cpu_quota_us, "cpuQuotaUs"),
	JSON_OPT_U64(struct cg_limits, cpu_period_us, "cpuPeriodUs"),
	JSON_OPT_U64(struct cg_limits, cpu_burst_us, "cpuBurstUs"),
	JSON_OPT_I64(struct cg_limits, cpu_idle, "cpuIdle"),
	JSON_OPT_I64(struct cg_limits, cpu_rt_runtime_us, "cpuRtRuntimeUs"),
	JSON_OPT_U64(struct cg_limits, cpu_rt_period_us, "cpuRtPeriodUs"),
	JSON_STR(struct cg_limits, cpuset_cpus, "cpusetCpus"),
	JSON_STR(struct cg_limits, cpuset_mems, "cpusetMems"),
	JSON_STR(struct cg_limits, cpuset_partition, "cpusetPartition"),
	JSON_OPT_I64(struct cg_limits, memory_max, "memoryMax"),
	JSON_OPT_I64(struct cg_limits, memory_high, "memoryHigh"),
	JSON_OPT_I64(struct cg_limits, memory_low, "memoryLow"),
	JSON_OPT_I64(struct cg_limits, memory_min, "memoryMin"),
	JSON_OPT_I64(struct cg_limits, memory_swap_total, "memorySwapTotal"),
	JSON_OPT_I64(struct cg_limits, memory_swap_max, "memorySwapMax"),
	JSON_OPT_I64(struct cg_limits, memory_swap_high, "memorySwapHigh"),
	JSON_OPT_I64(struct cg_limits, memory_zswap_max, "memoryZswapMax"),
	JSON_OPT_BOOL(struct cg_limits, memory_zswap_writeback, "memoryZswapWriteback"),
	JSON_OPT_BOOL(struct cg_limits, memory_oom_group, "memoryOomGroup"),
	JSON_OPT_I64(struct cg_limits, memory_kernel, "memoryKernel"),
	JSON_OPT_I64(struct cg_limits, memory_kernel_tcp, "memoryKernelTcp"),
	JSON_OPT_U64(struct cg_limits, memory_swappiness, "memorySwappiness"),
	JSON_OPT_BOOL(struct cg_limits, memory_no_oom_kill, "memoryNoOomKill"),
	JSON_BOOL(struct cg_limits, memory_check_usage, "memoryCheckUsage"),
	JSON_OPT_U32(struct cg_limits, io_blkio_weight, "ioBlkioWeight"),
	JSON_OPT_U32(struct cg_limits, io_blkio_leaf_weight, "ioBlkioLeafWeight"),
	JSON_OPT_U32(struct cg_limits, io_weight, "ioWeight"),
	JSON_VEC(struct cg_limits, io_devices, "ioDevices", struct cg_io_device, cg_io_device_table),
	JSON_OPT_I64(struct cg_limits, pids_max, "pidsMax"),
	JSON_VEC(struct cg_limits, hugetlb, "hugetlb", struct cg_hugetlb, cg_hugetlb_table),
	JSON_VEC(struct cg_limits, rdma, "rdma", struct cg_rdma, cg_rdma_table),
	JSON_VEC(struct cg_limits, misc, "misc", struct cg_misc, cg_misc_table),
	JSON_OPT_U32(struct cg_limits, net_cls_classid, "netClsClassid"),
	JSON_VEC(struct cg_limits, net_prio, "netPrio", struct cg_net_prio, cg_net_prio_table),
	JSON_MAP(struct cg_limits, unified, "unified"),
	JSON_VEC(struct cg_limits, devices, "devices", struct cg_device_rule, cg_device_rule_table),
};
const struct json_table cg_limits_table =
	JSON_TABLE(struct cg_limits, limits_fields);

static const struct json_field hierarchy_fields[] = {
	JSON_STR(struct cg_hierarchy, controllers, "controllers", .required = true, .always = true),
	JSON_STR(struct cg_hierarchy, path, "path", .required = true),
};
const struct json_table cg_hierarchy_table =
	JSON_TABLE(struct cg_hierarchy, hierarchy_fields);

static const struct json_field paths_fields[] = {
	JSON_ENUM(struct cg_paths, driver, "driver", cg_driver_names, .always = true),
	JSON_VEC(struct cg_paths, hierarchies, "hierarchies", struct cg_hierarchy, cg_hierarchy_table),
	JSON_STR(struct cg_paths, unit, "unit"),
	JSON_BOOL(struct cg_paths, user_manager, "userManager"),
};
const struct json_table cg_paths_table =
	JSON_TABLE(struct cg_paths, paths_fields);
/* clang-format on */

void cg_limits_done(struct cg_limits *l)
{
	json_free(&cg_limits_table, l);
}

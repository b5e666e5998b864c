/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/spec.h"

static const struct json_field device_rule_fields[] = {
	JSON_BOOL(struct spec_device_rule, allow, "allow", .required = true),
	JSON_STR(struct spec_device_rule, type, "type"),
	JSON_OPT_I64(struct spec_device_rule, major, "major"),
	JSON_OPT_I64(struct spec_device_rule, minor, "minor"),
	JSON_STR(struct spec_device_rule, access, "access"),
};
static const struct json_table device_rule_table =
	JSON_TABLE(struct spec_device_rule, device_rule_fields);

static const struct json_field memory_fields[] = {
	JSON_OPT_I64(struct spec_memory, limit, "limit"),
	JSON_OPT_I64(struct spec_memory, reservation, "reservation"),
	JSON_OPT_I64(struct spec_memory, swap, "swap"),
	JSON_OPT_I64(struct spec_memory, kernel, "kernel"),
	JSON_OPT_I64(struct spec_memory, kernel_tcp, "kernelTCP"),
	JSON_OPT_U64(struct spec_memory, swappiness, "swappiness"),
	JSON_OPT_BOOL(struct spec_memory, disable_oom_killer,
		      "disableOOMKiller"),
	JSON_OPT_BOOL(struct spec_memory, use_hierarchy, "useHierarchy"),
	JSON_OPT_BOOL(struct spec_memory, check_before_update,
		      "checkBeforeUpdate"),
};
static const struct json_table memory_table =
	JSON_TABLE(struct spec_memory, memory_fields);

static const struct json_field cpu_fields[] = {
	JSON_OPT_U64(struct spec_cpu, shares, "shares"),
	JSON_OPT_I64(struct spec_cpu, quota, "quota"),
	JSON_OPT_U64(struct spec_cpu, burst, "burst"),
	JSON_OPT_U64(struct spec_cpu, period, "period"),
	JSON_OPT_I64(struct spec_cpu, realtime_runtime, "realtimeRuntime"),
	JSON_OPT_U64(struct spec_cpu, realtime_period, "realtimePeriod"),
	JSON_STR(struct spec_cpu, cpus, "cpus"),
	JSON_STR(struct spec_cpu, mems, "mems"),
	JSON_OPT_I64(struct spec_cpu, idle, "idle"),
};
static const struct json_table cpu_table =
	JSON_TABLE(struct spec_cpu, cpu_fields);

static const struct json_field pids_fields[] = {
	JSON_OPT_I64(struct spec_pids, limit, "limit"),
};
static const struct json_table pids_table =
	JSON_TABLE(struct spec_pids, pids_fields);

static const struct json_field weight_device_fields[] = {
	JSON_I64(struct spec_weight_device, major, "major", .required = true),
	JSON_I64(struct spec_weight_device, minor, "minor", .required = true),
	JSON_OPT_U32(struct spec_weight_device, weight, "weight"),
	JSON_OPT_U32(struct spec_weight_device, leaf_weight, "leafWeight"),
};
static const struct json_table weight_device_table =
	JSON_TABLE(struct spec_weight_device, weight_device_fields);

static const struct json_field throttle_fields[] = {
	JSON_I64(struct spec_throttle_device, major, "major", .required = true),
	JSON_I64(struct spec_throttle_device, minor, "minor", .required = true),
	JSON_U64(struct spec_throttle_device, rate, "rate"),
};
static const struct json_table throttle_table =
	JSON_TABLE(struct spec_throttle_device, throttle_fields);

#define THROTTLE(member, name)                                                 \
	JSON_VEC(struct spec_block_io, member, name,                           \
		 struct spec_throttle_device, throttle_table)

static const struct json_field block_io_fields[] = {
	JSON_OPT_U32(struct spec_block_io, weight, "weight"),
	JSON_OPT_U32(struct spec_block_io, leaf_weight, "leafWeight"),
	JSON_VEC(struct spec_block_io, weight_device, "weightDevice",
		 struct spec_weight_device, weight_device_table),
	THROTTLE(read_bps, "throttleReadBpsDevice"),
	THROTTLE(write_bps, "throttleWriteBpsDevice"),
	THROTTLE(read_iops, "throttleReadIOPSDevice"),
	THROTTLE(write_iops, "throttleWriteIOPSDevice"),
};
static const struct json_table block_io_table =
	JSON_TABLE(struct spec_block_io, block_io_fields);

static const struct json_field hugepage_fields[] = {
	JSON_STR(struct spec_hugepage, page_size, "pageSize", .required = true),
	JSON_U64(struct spec_hugepage, limit, "limit", .required = true),
};
static const struct json_table hugepage_table =
	JSON_TABLE(struct spec_hugepage, hugepage_fields);

static const struct json_field net_priority_fields[] = {
	JSON_STR(struct spec_net_priority, name, "name", .required = true),
	JSON_U32(struct spec_net_priority, priority, "priority",
		 .required = true),
};
static const struct json_table net_priority_table =
	JSON_TABLE(struct spec_net_priority, net_priority_fields);

static const struct json_field network_fields[] = {
	JSON_OPT_U32(struct spec_network, class_id, "classID"),
	JSON_VEC(struct spec_network, priorities, "priorities",
		 struct spec_net_priority, net_priority_table),
};
static const struct json_table network_table =
	JSON_TABLE(struct spec_network, network_fields);

static const struct json_field rdma_fields[] = {
	JSON_OPT_U32(struct spec_rdma, hca_handles, "hcaHandles"),
	JSON_OPT_U32(struct spec_rdma, hca_objects, "hcaObjects"),
};
static const struct json_table rdma_table =
	JSON_TABLE(struct spec_rdma, rdma_fields);

static const struct json_field resources_fields[] = {
	JSON_VEC(struct spec_resources, devices, "devices",
		 struct spec_device_rule, device_rule_table),
	JSON_PTR(struct spec_resources, memory, "memory", struct spec_memory,
		 memory_table),
	JSON_PTR(struct spec_resources, cpu, "cpu", struct spec_cpu, cpu_table),
	JSON_PTR(struct spec_resources, pids, "pids", struct spec_pids,
		 pids_table),
	JSON_PTR(struct spec_resources, block_io, "blockIO",
		 struct spec_block_io, block_io_table),
	JSON_VEC(struct spec_resources, hugepage_limits, "hugepageLimits",
		 struct spec_hugepage, hugepage_table),
	JSON_PTR(struct spec_resources, network, "network", struct spec_network,
		 network_table),
	JSON_DICT(struct spec_resources, rdma, "rdma", struct spec_rdma,
		  rdma_table),
	JSON_MAP(struct spec_resources, unified, "unified"),
};
const struct json_table spec_resources_table =
	JSON_TABLE(struct spec_resources, resources_fields);

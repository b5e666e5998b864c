/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/spec.h"

/* --- seccomp ---------------------------------------------------------------*/

static const struct json_field seccomp_arg_fields[] = {
	JSON_U32(struct ns_seccomp_arg, index, "index", .required = true),
	JSON_U64(struct ns_seccomp_arg, value, "value", .required = true),
	JSON_U64(struct ns_seccomp_arg, value_two, "valueTwo"),
	JSON_STR(struct ns_seccomp_arg, op, "op", .required = true),
};
static const struct json_table seccomp_arg_table =
	JSON_TABLE(struct ns_seccomp_arg, seccomp_arg_fields);

static const struct json_field seccomp_rule_fields[] = {
	JSON_STRV(struct ns_seccomp_rule, names, "names", .required = true),
	JSON_STR(struct ns_seccomp_rule, action, "action", .required = true),
	JSON_OPT_U32(struct ns_seccomp_rule, errno_ret, "errnoRet"),
	JSON_VEC(struct ns_seccomp_rule, args, "args", struct ns_seccomp_arg,
		 seccomp_arg_table),
};
static const struct json_table seccomp_rule_table =
	JSON_TABLE(struct ns_seccomp_rule, seccomp_rule_fields);

static const struct json_field seccomp_fields[] = {
	JSON_STR(struct ns_seccomp, default_action, "defaultAction",
		 .required = true),
	JSON_OPT_U32(struct ns_seccomp, default_errno_ret, "defaultErrnoRet"),
	JSON_STRV(struct ns_seccomp, architectures, "architectures"),
	JSON_STRV(struct ns_seccomp, flags, "flags"),
	JSON_STR(struct ns_seccomp, listener_path, "listenerPath"),
	JSON_STR(struct ns_seccomp, listener_metadata, "listenerMetadata"),
	JSON_VEC(struct ns_seccomp, rules, "syscalls", struct ns_seccomp_rule,
		 seccomp_rule_table),
};
static const struct json_table seccomp_table =
	JSON_TABLE(struct ns_seccomp, seccomp_fields);

/* --- namespaces, devices and the smaller ones ------------------------------*/

static const struct json_field idmap_fields[] = {
	JSON_U32(struct ns_idmap, container_id, "containerID",
		 .required = true),
	JSON_U32(struct ns_idmap, host_id, "hostID", .required = true),
	JSON_U32(struct ns_idmap, size, "size", .required = true),
};
const struct json_table spec_idmap_table =
	JSON_TABLE(struct ns_idmap, idmap_fields);

static const struct json_field time_offset_fields[] = {
	JSON_I64(struct ns_time_offset, secs, "secs"),
	JSON_U32(struct ns_time_offset, nanosecs, "nanosecs"),
};
static const struct json_table time_offset_table =
	JSON_TABLE(struct ns_time_offset, time_offset_fields);

static const struct json_field namespace_fields[] = {
	JSON_STR(struct spec_namespace, type, "type", .required = true),
	JSON_STR(struct spec_namespace, path, "path"),
};
static const struct json_table namespace_table =
	JSON_TABLE(struct spec_namespace, namespace_fields);

static const struct json_field device_fields[] = {
	JSON_STR(struct spec_device, path, "path", .required = true),
	JSON_STR(struct spec_device, type, "type", .required = true),
	JSON_I64(struct spec_device, major, "major"),
	JSON_I64(struct spec_device, minor, "minor"),
	JSON_OPT_U32(struct spec_device, file_mode, "fileMode"),
	JSON_OPT_U32(struct spec_device, uid, "uid"),
	JSON_OPT_U32(struct spec_device, gid, "gid"),
};
static const struct json_table device_table =
	JSON_TABLE(struct spec_device, device_fields);

static const struct json_field net_device_fields[] = {
	JSON_STR(struct spec_net_device, name, "name"),
};
static const struct json_table net_device_table =
	JSON_TABLE(struct spec_net_device, net_device_fields);

static const struct json_field rdt_fields[] = {
	JSON_STR(struct spec_rdt, clos_id, "closID"),
	JSON_STRV(struct spec_rdt, schemata, "schemata"),
	JSON_STR(struct spec_rdt, l3_cache_schema, "l3CacheSchema"),
	JSON_STR(struct spec_rdt, mem_bw_schema, "memBwSchema"),
	JSON_BOOL(struct spec_rdt, enable_monitoring, "enableMonitoring"),
	JSON_BOOL(struct spec_rdt, enable_cmt, "enableCMT"),
	JSON_BOOL(struct spec_rdt, enable_mbm, "enableMBM"),
};
static const struct json_table rdt_table =
	JSON_TABLE(struct spec_rdt, rdt_fields);

static const struct json_field memory_policy_fields[] = {
	JSON_STR(struct ns_memory_policy, mode, "mode", .required = true),
	JSON_STR(struct ns_memory_policy, nodes, "nodes"),
	JSON_STRV(struct ns_memory_policy, flags, "flags"),
};
static const struct json_table memory_policy_table =
	JSON_TABLE(struct ns_memory_policy, memory_policy_fields);

static const struct json_field personality_fields[] = {
	JSON_STR(struct ns_personality, domain, "domain", .required = true),
	JSON_STRV(struct ns_personality, flags, "flags"),
};
static const struct json_table personality_table =
	JSON_TABLE(struct ns_personality, personality_fields);

/* --- linux -----------------------------------------------------------------*/

static const struct json_field linux_fields[] = {
	JSON_VEC(struct spec_linux, uid_mappings, "uidMappings",
		 struct ns_idmap, spec_idmap_table),
	JSON_VEC(struct spec_linux, gid_mappings, "gidMappings",
		 struct ns_idmap, spec_idmap_table),
	JSON_DICT(struct spec_linux, time_offsets, "timeOffsets",
		  struct ns_time_offset, time_offset_table),
	JSON_MAP(struct spec_linux, sysctl, "sysctl"),
	JSON_PTR(struct spec_linux, resources, "resources",
		 struct spec_resources, spec_resources_table),
	JSON_STR(struct spec_linux, cgroups_path, "cgroupsPath"),
	JSON_VEC(struct spec_linux, namespaces, "namespaces",
		 struct spec_namespace, namespace_table),
	JSON_VEC(struct spec_linux, devices, "devices", struct spec_device,
		 device_table),
	JSON_DICT(struct spec_linux, net_devices, "netDevices",
		  struct spec_net_device, net_device_table),
	JSON_PTR(struct spec_linux, seccomp, "seccomp", struct ns_seccomp,
		 seccomp_table),
	JSON_STR(struct spec_linux, rootfs_propagation, "rootfsPropagation"),
	JSON_STRV(struct spec_linux, masked_paths, "maskedPaths"),
	JSON_STRV(struct spec_linux, readonly_paths, "readonlyPaths"),
	JSON_STR(struct spec_linux, mount_label, "mountLabel"),
	JSON_PTR(struct spec_linux, intel_rdt, "intelRdt", struct spec_rdt,
		 rdt_table),
	JSON_PTR(struct spec_linux, memory_policy, "memoryPolicy",
		 struct ns_memory_policy, memory_policy_table),
	JSON_PTR(struct spec_linux, personality, "personality",
		 struct ns_personality, personality_table),
};
const struct json_table spec_linux_table =
	JSON_TABLE(struct spec_linux, linux_fields);

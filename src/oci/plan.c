/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/plan.h"

#include "base/str.h"

/* --- names -----------------------------------------------------------------*/

const char *const plan_isolation_names[] = {
	[PLAN_CONTAINER] = "container",
	[PLAN_VM] = "vm",
	NULL,
};

const char *const plan_hook_names[] = {
	[PLAN_HOOK_PRESTART] = "prestart",
	[PLAN_HOOK_CREATE_RUNTIME] = "createRuntime",
	[PLAN_HOOK_CREATE_CONTAINER] = "createContainer",
	[PLAN_HOOK_START_CONTAINER] = "startContainer",
	[PLAN_HOOK_POSTSTART] = "poststart",
	[PLAN_HOOK_POSTSTOP] = "poststop",
	[PLAN_HOOK_N_] = NULL,
};

/* --- process ---------------------------------------------------------------*/

static const struct json_field process_fields[] = {
	JSON_STRV(struct plan_process, args, "args"),
	JSON_STRV(struct plan_process, env, "env"),
	JSON_STR(struct plan_process, cwd, "cwd"),
	JSON_BOOL(struct plan_process, terminal, "terminal"),
	JSON_BOOL(struct plan_process, crlf, "crlf"),
	JSON_U32(struct plan_process, rows, "rows"),
	JSON_U32(struct plan_process, cols, "cols"),
	JSON_OBJ(struct plan_process, user, "user", struct ns_user,
		 ns_user_table),
	JSON_OBJ(struct plan_process, caps, "capabilities", struct ns_caps,
		 ns_caps_table),
	JSON_BOOL(struct plan_process, no_new_privs, "noNewPrivileges"),
	JSON_VEC(struct plan_process, rlimits, "rlimits", struct ns_rlimit,
		 ns_rlimit_table),
	JSON_OPT_I64(struct plan_process, oom_score_adj, "oomScoreAdj"),
	JSON_PTR(struct plan_process, sched, "scheduler", struct ns_sched,
		 ns_sched_table),
	JSON_PTR(struct plan_process, io_priority, "ioPriority",
		 struct ns_io_priority, ns_io_priority_table),
	JSON_STR(struct plan_process, apparmor, "apparmorProfile"),
	JSON_STR(struct plan_process, selinux, "selinuxLabel"),
	JSON_STR(struct plan_process, cpus_initial, "cpusInitial"),
	JSON_STR(struct plan_process, cpus_final, "cpusFinal"),
};
const struct json_table plan_process_table =
	JSON_TABLE(struct plan_process, process_fields);

/* --- hooks -----------------------------------------------------------------*/

static const struct json_field hook_fields[] = {
	JSON_STR(struct plan_hook, path, "path"),
	JSON_STRV(struct plan_hook, args, "args"),
	JSON_STRV(struct plan_hook, env, "env", .always = true),
	JSON_BOOL(struct plan_hook, inherits, "inherits"),
	JSON_OPT_I64(struct plan_hook, timeout, "timeout"),
};
const struct json_table plan_hook_table =
	JSON_TABLE(struct plan_hook, hook_fields);

/* --- the smaller ones ------------------------------------------------------*/

static const struct json_field disk_fields[] = {
	JSON_STR(struct plan_disk, path, "path", .required = true),
	JSON_STR(struct plan_disk, source, "source"),
	JSON_U32(struct plan_disk, major, "major"),
	JSON_U32(struct plan_disk, minor, "minor"),
	JSON_BOOL(struct plan_disk, readonly, "readonly"),
	JSON_U64(struct plan_disk, bps, "bps"),
	JSON_U64(struct plan_disk, iops, "iops"),
	JSON_U32(struct plan_disk, mode, "mode", .always = true),
	JSON_U32(struct plan_disk, uid, "uid"),
	JSON_U32(struct plan_disk, gid, "gid"),
};
const struct json_table plan_disk_table =
	JSON_TABLE(struct plan_disk, disk_fields);

static const struct json_field net_device_fields[] = {
	JSON_STR(struct plan_net_device, name, "name"),
	JSON_STR(struct plan_net_device, name_inside, "nameInside"),
};
const struct json_table plan_net_device_table =
	JSON_TABLE(struct plan_net_device, net_device_fields);

static const struct json_field sysctl_fields[] = {
	JSON_STR(struct plan_sysctl, key, "key"),
	JSON_STR(struct plan_sysctl, value, "value", .always = true),
};
const struct json_table plan_sysctl_table =
	JSON_TABLE(struct plan_sysctl, sysctl_fields);

static const struct json_field rdt_fields[] = {
	JSON_STR(struct plan_rdt, clos_id, "closID"),
	JSON_STRV(struct plan_rdt, schemata, "schemata"),
	JSON_BOOL(struct plan_rdt, monitoring, "monitoring"),
};
const struct json_table plan_rdt_table =
	JSON_TABLE(struct plan_rdt, rdt_fields);

const char *const plan_huge_names[] = {
	[PLAN_HUGE_ADVISE] = "advise",
	[PLAN_HUGE_NEVER] = "never",
	[PLAN_HUGE_RESERVE] = "reserve",
	NULL,
};

static const struct json_field vm_fields[] = {
	JSON_STR(struct plan_vm, kernel, "kernel"),
	JSON_STR(struct plan_vm, initrd, "initrd"),
	JSON_STR(struct plan_vm, cmdline, "cmdline"),
	JSON_STR(struct plan_vm, backend, "backend"),
	JSON_U32(struct plan_vm, vcpus, "vcpus"),
	JSON_U32V(struct plan_vm, pin, "pin"),
	JSON_ENUM(struct plan_vm, huge, "huge", plan_huge_names),
	JSON_BOOL(struct plan_vm, ksm, "ksm"),
	JSON_U64(struct plan_vm, memory, "memory"),
	JSON_U64(struct plan_vm, overhead, "overhead"),
	JSON_U32(struct plan_vm, timeout_ms, "timeoutMs"),
	JSON_BOOL(struct plan_vm, network, "network"),
};
const struct json_table plan_vm_table = JSON_TABLE(struct plan_vm, vm_fields);

/* --- the whole -------------------------------------------------------------*/

static const struct json_field map_fields[] = {
	JSON_VEC(struct ns_map, uids, "uids", struct ns_idmap, ns_idmap_table),
	JSON_VEC(struct ns_map, gids, "gids", struct ns_idmap, ns_idmap_table),
};
static const struct json_table map_table =
	JSON_TABLE(struct ns_map, map_fields);

#define HOOKS(kind, name)                                                      \
	JSON_VEC(struct plan, hooks[kind], name, struct plan_hook,             \
		 plan_hook_table)

static const struct json_field plan_fields[] = {
	JSON_STR(struct plan, version, "ociVersion"),
	JSON_ENUM(struct plan, isolation, "isolation", plan_isolation_names,
		  .always = true),
	JSON_VEC(struct plan, namespaces, "namespaces", struct ns_namespace,
		 ns_namespace_table),
	JSON_OBJ(struct plan, map, "map", struct ns_map, map_table),
	JSON_DICT(struct plan, time_offsets, "timeOffsets",
		  struct ns_time_offset, ns_time_offset_table),
	JSON_OBJ(struct plan, cgroup, "cgroup", struct cg_config,
		 cg_config_table),
	JSON_OBJ(struct plan, limits, "limits", struct cg_limits,
		 cg_limits_table),
	JSON_PTR(struct plan, rdt, "rdt", struct plan_rdt, plan_rdt_table),
	JSON_OBJ(struct plan, root, "root", struct ns_root, ns_root_table),
	JSON_VEC(struct plan, mounts, "mounts", struct ns_mount,
		 ns_mount_table),
	JSON_BOOL(struct plan, notify, "notify"),
	JSON_BOOL(struct plan, own_dev, "ownDev"),
	JSON_VEC(struct plan, devices, "devices", struct ns_device,
		 ns_device_table),
	JSON_VEC(struct plan, disks, "disks", struct plan_disk, plan_disk_table,
		 .max = PLAN_DISKS_MAX),
	JSON_STRV(struct plan, masked, "masked"),
	JSON_STRV(struct plan, readonly, "readonly"),
	JSON_STR(struct plan, hostname, "hostname"),
	JSON_STR(struct plan, domainname, "domainname"),
	JSON_STR(struct plan, mount_label, "mountLabel"),
	JSON_VEC(struct plan, net_devices, "netDevices", struct plan_net_device,
		 plan_net_device_table),
	JSON_BOOL(struct plan, loopback_up, "loopbackUp"),
	JSON_VEC(struct plan, sysctls, "sysctls", struct plan_sysctl,
		 plan_sysctl_table),
	JSON_PTR(struct plan, personality, "personality", struct ns_personality,
		 ns_personality_table),
	JSON_PTR(struct plan, memory_policy, "memoryPolicy",
		 struct ns_memory_policy, ns_memory_policy_table),
	JSON_PTR(struct plan, seccomp, "seccomp", struct ns_seccomp,
		 ns_seccomp_table),
	JSON_OBJ(struct plan, process, "process", struct plan_process,
		 plan_process_table),
	HOOKS(PLAN_HOOK_PRESTART, "prestart"),
	HOOKS(PLAN_HOOK_CREATE_RUNTIME, "createRuntime"),
	HOOKS(PLAN_HOOK_CREATE_CONTAINER, "createContainer"),
	HOOKS(PLAN_HOOK_START_CONTAINER, "startContainer"),
	HOOKS(PLAN_HOOK_POSTSTART, "poststart"),
	HOOKS(PLAN_HOOK_POSTSTOP, "poststop"),
	JSON_STR(struct plan, hooks_stdout, "hooksStdout"),
	JSON_STR(struct plan, hooks_stderr, "hooksStderr"),
	JSON_STR(struct plan, pidfd_receiver, "pidfdReceiver"),
	JSON_OBJ(struct plan, vm, "vm", struct plan_vm, plan_vm_table),
	JSON_MAP(struct plan, annotations, "annotations"),
};
const struct json_table plan_table = JSON_TABLE(struct plan, plan_fields);

void plan_done(struct plan *plan)
{
	json_free(&plan_table, plan);
}

void plan_process_done(struct plan_process *p)
{
	json_free(&plan_process_table, p);
}

/* --- questions -------------------------------------------------------------*/

static const struct ns_namespace *find(const struct plan *plan,
				       enum ns_kind kind)
{
	for (size_t i = 0; i < plan->namespaces.n; i++)
		if (plan->namespaces.v[i].kind == (int)kind)
			return &plan->namespaces.v[i];
	return NULL;
}

const char *plan_namespace(const struct plan *plan, enum ns_kind kind)
{
	const struct ns_namespace *n = find(plan, kind);

	if (!n)
		return NULL;
	return n->path ? n->path : "";
}

bool plan_owns(const struct plan *plan, enum ns_kind kind)
{
	return find(plan, kind);
}

bool plan_makes(const struct plan *plan, enum ns_kind kind)
{
	const struct ns_namespace *n = find(plan, kind);

	return n && !n->path;
}

bool plan_covers_root(const struct plan *plan)
{
	for (size_t i = 0; i < plan->mounts.n; i++)
		if (str_eq(plan->mounts.v[i].target, "/"))
			return true;
	return false;
}

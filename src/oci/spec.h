/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config.json of the OCI runtime specification 1.3, as written: one struct per
 * object, one member per key, types only. Where an object is just what a
 * sibling takes (a seccomp profile, an rlimit), the sibling's struct is used,
 * with the OCI's keys.
 *
 *	struct spec spec = { 0 };
 *	r = spec_read(bundle_fd, "config.json", &spec, e);
 *	r = plan_make(&spec, &context, &plan, e);
 *	spec_done(&spec);
 *
 * Reading refuses what is not JSON, what has the wrong type or a number out of
 * range, and versions other than 1.x. What the values mean, and whether they
 * fit each other, is judged by plan_make() alone; nobody else reads a spec.
 *
 * Absent strings, lists and objects are NULL; absent numbers that need it are
 * struct opt_*. Objects of other platforms are kept only as "there was one".
 */
#include "base/json.h"
#include "namespaces/clone.h"
#include "namespaces/idmap.h"
#include "namespaces/rlimit.h"
#include "namespaces/sched.h"
#include "namespaces/seccomp.h"

/* The specification that is written here; what is read may be any 1.x. */
#define SPEC_VERSION "1.3.0"

/* --- process ---------------------------------------------------------------*/

struct spec_box {
	uint32_t height, width;
};

struct spec_user {
	uint32_t uid, gid;
	struct opt_u32 umask;
	struct json_u32v additional_gids;
};

struct spec_capabilities {
	char **bounding;
	char **effective;
	char **inheritable;
	char **permitted;
	char **ambient;
};

struct spec_affinity {
	char *initial;
	char *final;
};

struct spec_process {
	bool terminal;
	struct spec_box *console_size;
	struct spec_user user;
	char **args;
	char **env;
	char *cwd;
	struct spec_capabilities *capabilities;
	JSON_VEC_OF(struct ns_rlimit) rlimits;
	bool no_new_privileges;
	char *apparmor_profile;
	struct opt_i64 oom_score_adj;
	struct ns_sched *scheduler;
	char *selinux_label;
	struct ns_io_priority *io_priority;
	struct spec_affinity *exec_cpu_affinity;
};
extern const struct json_table spec_process_table;

/* --- root, mounts, hooks ---------------------------------------------------*/

struct spec_root {
	char *path;
	bool readonly;
};

struct spec_mount {
	char *destination;
	char *source;
	char *type;
	char **options;
	struct ns_idmaps uid_mappings;
	struct ns_idmaps gid_mappings;
};

struct spec_mounts JSON_VEC_NAMED_(struct spec_mount);

struct spec_hook {
	char *path;
	char **args;
	char **env;
	struct opt_i64 timeout; /* seconds */
};

struct spec_hook_list JSON_VEC_NAMED_(struct spec_hook);

struct spec_hooks {
	struct spec_hook_list prestart;
	struct spec_hook_list create_runtime;
	struct spec_hook_list create_container;
	struct spec_hook_list start_container;
	struct spec_hook_list poststart;
	struct spec_hook_list poststop;
};

/* --- linux -----------------------------------------------------------------*/

struct spec_namespace {
	char *type;
	char *path;
};

struct spec_device {
	char *path;
	char *type;
	int64_t major, minor;
	struct opt_u32 file_mode;
	struct opt_u32 uid, gid;
};

struct spec_net_device {
	char *key; /* its name on the host */
	char *name;
};

struct spec_rdt {
	char *clos_id;
	char **schemata;
	char *l3_cache_schema;
	char *mem_bw_schema;
	bool enable_monitoring;
	bool enable_cmt; /* of 1.0: monitoring, as are both */
	bool enable_mbm;
};

struct spec_linux {
	struct ns_idmaps uid_mappings;
	struct ns_idmaps gid_mappings;
	JSON_VEC_OF(struct ns_time_offset) time_offsets;
	struct json_map sysctl;
	struct spec_resources *resources;
	char *cgroups_path;
	JSON_VEC_OF(struct spec_namespace) namespaces;
	JSON_VEC_OF(struct spec_device) devices;
	JSON_VEC_OF(struct spec_net_device) net_devices;
	struct ns_seccomp *seccomp;
	char *rootfs_propagation;
	char **masked_paths;
	char **readonly_paths;
	char *mount_label;
	struct spec_rdt *intel_rdt;
	struct ns_memory_policy *memory_policy;
	struct ns_personality *personality;
};

/* --- linux.resources -------------------------------------------------------*/

struct spec_device_rule {
	bool allow;
	char *type;
	struct opt_i64 major, minor; /* -1: any, as absent */
	char *access;
};

struct spec_memory {
	struct opt_i64 limit;
	struct opt_i64 reservation;
	struct opt_i64 swap; /* memory and swap together */
	struct opt_i64 kernel;
	struct opt_i64 kernel_tcp;
	struct opt_u64 swappiness;
	struct opt_bool disable_oom_killer;
	struct opt_bool use_hierarchy;
	struct opt_bool check_before_update;
};

struct spec_cpu {
	struct opt_u64 shares;
	struct opt_i64 quota;
	struct opt_u64 burst;
	struct opt_u64 period;
	struct opt_i64 realtime_runtime;
	struct opt_u64 realtime_period;
	char *cpus;
	char *mems;
	struct opt_i64 idle;
};

struct spec_pids {
	struct opt_i64 limit;
};

struct spec_weight_device {
	int64_t major, minor;
	struct opt_u32 weight;
	struct opt_u32 leaf_weight;
};

struct spec_throttle_device {
	int64_t major, minor;
	uint64_t rate;
};

struct spec_throttle_list JSON_VEC_NAMED_(struct spec_throttle_device);

struct spec_block_io {
	struct opt_u32 weight;
	struct opt_u32 leaf_weight;
	JSON_VEC_OF(struct spec_weight_device) weight_device;
	struct spec_throttle_list read_bps;
	struct spec_throttle_list write_bps;
	struct spec_throttle_list read_iops;
	struct spec_throttle_list write_iops;
};

struct spec_hugepage {
	char *page_size;
	uint64_t limit;
};

struct spec_net_priority {
	char *name;
	uint32_t priority;
};

struct spec_network {
	struct opt_u32 class_id;
	JSON_VEC_OF(struct spec_net_priority) priorities;
};

struct spec_rdma {
	char *key; /* device */
	struct opt_u32 hca_handles;
	struct opt_u32 hca_objects;
};

/* Also what `update --resources` reads on its own. */
struct spec_resources {
	JSON_VEC_OF(struct spec_device_rule) devices;
	struct spec_memory *memory;
	struct spec_cpu *cpu;
	struct spec_pids *pids;
	struct spec_block_io *block_io;
	JSON_VEC_OF(struct spec_hugepage) hugepage_limits;
	struct spec_network *network;
	JSON_VEC_OF(struct spec_rdma) rdma;
	struct json_map unified;
};
extern const struct json_table spec_resources_table;

/* --- vm --------------------------------------------------------------------*/

struct spec_vm_hypervisor {
	char *path;
	char **parameters;
};

struct spec_vm_kernel {
	char *path;
	char **parameters;
	char *initrd;
};

struct spec_vm_image {
	char *path;
	char *format;
};

struct spec_vm_iomem {
	struct opt_u64 first_gfn;
	uint64_t first_mfn;
	uint64_t nr_mfns;
};

struct spec_vm_hardware {
	char *device_tree;
	struct opt_u32 vcpus;
	struct opt_u64 memory;
	char **dtdevs;
	JSON_VEC_OF(struct spec_vm_iomem) iomems;
	struct json_u32v irqs;
};

struct spec_vm {
	struct spec_vm_hypervisor *hypervisor;
	struct spec_vm_kernel *kernel;
	struct spec_vm_image *image;
	struct spec_vm_hardware *hw_config;
};

/* --- the whole -------------------------------------------------------------*/

struct spec {
	char *version; /* ociVersion */
	struct spec_process *process;
	struct spec_root *root;
	char *hostname;
	char *domainname;
	struct spec_mounts mounts;
	struct spec_hooks *hooks;
	struct json_map annotations;
	struct spec_linux *os; /* "linux"; that word is a macro of gcc */
	struct spec_vm *vm;
	/* Of other platforms: text that nobody uses. */
	char *windows, *solaris, *zos, *freebsd;
};
extern const struct json_table spec_table;

/* Of their parts; for spec.c. */
extern const struct json_table spec_idmap_table;
extern const struct json_table spec_linux_table;

/* Reads dirfd/path, named by path in messages. -EINVAL for a version that is
 * not 1.x. On failure *ret holds nothing. */
MUST_CHECK int spec_read(int dirfd, const char *path, struct spec *ret,
			 struct err *e);
/* The same from a text in memory. */
MUST_CHECK int spec_parse(const char *text, size_t len, const char *name,
			  struct spec *ret, struct err *e);
void spec_done(struct spec *s);

/* A process.json of exec. */
MUST_CHECK int spec_process_read(int dirfd, const char *path,
				 struct spec_process *ret, struct err *e);
void spec_process_done(struct spec_process *p);

/* resources alone; path "-" is stdin. */
MUST_CHECK int spec_resources_read(int dirfd, const char *path,
				   struct spec_resources *ret, struct err *e);
void spec_resources_done(struct spec_resources *r);

/* Mounts alone, as `mounts` takes them: a list, or an object that has one by
 * the name "mounts", as a config.json is. */
MUST_CHECK int spec_mounts_read(int dirfd, const char *path,
				struct spec_mounts *ret, struct err *e);
void spec_mounts_done(struct spec_mounts *m);

/* For whom and where the configuration that `spec` writes is to run. */
struct spec_default {
	bool rootless; /* it needs no rights, and maps these to 0: */
	uint32_t uid, gid;
	bool cgroup_namespace;
	bool host_network; /* no network of its own; so the host's /sys */
};

/* runc's default. The caller frees *ret. */
MUST_CHECK int spec_default(const struct spec_default *d, char **ret,
			    struct err *e);

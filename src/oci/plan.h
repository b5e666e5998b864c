/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The plan: every decision about an environment, made once, before anything is
 * done. It is composed of the structs of the layers below, in the order in
 * which they will be used, and has a JSON table like everything else:
 *
 *	moat-oci plan		prints it
 *	<state>/plan.json	keeps it, for exec, update and delete
 *	the wire		carries it to the guest of a micro-VM
 *
 * plan_make() is pure: it reads its arguments, calls only the check functions
 * of the layers below, and makes no system call. Whoever executes a plan may
 * branch on the machine (has this kernel clone3?), never on the configuration.
 */
#include "base/json.h"
#include "cgroups/cg.h"
#include "namespaces/caps.h"
#include "namespaces/clone.h"
#include "namespaces/mount.h"
#include "namespaces/rlimit.h"
#include "namespaces/rootfs.h"
#include "namespaces/sched.h"
#include "namespaces/seccomp.h"

struct spec;
struct spec_mounts;
struct spec_process;
struct spec_resources;

enum plan_isolation {
	PLAN_CONTAINER,
	PLAN_VM,
};
extern const char *const plan_isolation_names[];

/* One program to be executed inside: the init's, and that of each exec. */
struct plan_process {
	char **args;
	char **env;
	char *cwd;
	bool terminal;
	bool crlf;	     /* lines end in \r\n: see rt_crlf() */
	uint32_t rows, cols; /* 0: the caller's terminal decides */
	struct ns_user user;
	struct ns_caps caps;
	bool no_new_privs;
	JSON_VEC_OF(struct ns_rlimit) rlimits;
	struct opt_i64 oom_score_adj;
	struct ns_sched *sched; /* NULL: as inherited */
	struct ns_io_priority *io_priority;
	char *apparmor;
	char *selinux;
	char *cpus_initial; /* execCPUAffinity, exec only */
	char *cpus_final;
};
extern const struct json_table plan_process_table;

struct plan_hook {
	char *path;
	char **args;
	char **env;
	bool inherits; /* no env was named: hooks_run() has one for it */
	struct opt_i64 timeout; /* seconds */
};
extern const struct json_table plan_hook_table;

enum plan_hook_kind {
	PLAN_HOOK_PRESTART,	    /* runtime namespace, before the pivot */
	PLAN_HOOK_CREATE_RUNTIME,   /* the same, after prestart */
	PLAN_HOOK_CREATE_CONTAINER, /* container's mounts, before the pivot */
	PLAN_HOOK_START_CONTAINER,  /* in the container, before the program */
	PLAN_HOOK_POSTSTART,	    /* runtime namespace, after the program */
	PLAN_HOOK_POSTSTOP,	    /* runtime namespace, after delete */
	PLAN_HOOK_N_,
};
extern const char *const plan_hook_names[];

struct plan_hooks JSON_VEC_NAMED_(struct plan_hook);

struct plan_mounts JSON_VEC_NAMED_(struct ns_mount);

/* Where a program finds who waits for it to be ready. */
#define PLAN_NOTIFY_SOCKET PLAN_NOTIFY_DIR "/" PLAN_NOTIFY_NAME
#define PLAN_NOTIFY_DIR	   "/run/notify"
#define PLAN_NOTIFY_NAME   "notify.sock"

struct plan_net_device {
	char *name; /* on the host */
	char *name_inside;
};
extern const struct json_table plan_net_device_table;

struct plan_sysctl {
	char *key;
	char *value;
};
extern const struct json_table plan_sysctl_table;

struct plan_rdt {
	char *clos_id;
	char **schemata; /* lines for the schemata file, in order */
	bool monitoring;
};
extern const struct json_table plan_rdt_table;

/* A disk of a micro-VM: a block device, or a raw file, of the host. */
struct plan_disk {
	char *path;   /* of its node, inside */
	char *source; /* on the host; NULL: the device of this number */
	uint32_t major, minor;
	bool readonly;
	uint64_t bps, iops;	 /* bytes, requests in a second; 0: no limit */
	uint32_t mode, uid, gid; /* of the node */
};
extern const struct json_table plan_disk_table;
#define PLAN_DISKS_MAX 7

/* Which pages of the host a guest's memory is made of. */
enum plan_huge {
	PLAN_HUGE_ADVISE, /* transparent ones where the host has them */
	PLAN_HUGE_NEVER,
	PLAN_HUGE_RESERVE, /* hugetlbfs ones, or an error */
};

/* What a micro-VM needs besides; from vm.* of config.json and annotations. */
struct plan_vm {
	char *kernel;	/* file, or NULL: the newest installed */
	char *initrd;	/* NULL: ours */
	char *cmdline;	/* appended to ours */
	char *backend;	/* "auto", "kvm", "qemu" */
	uint32_t vcpus; /* from the CPU limit */
	/* Host CPUs: vCPU i stays on pin[i % n]. Empty: wherever. */
	struct json_u32v pin;
	int huge;	     /* enum plan_huge */
	bool ksm;	     /* the host may merge equal pages of guests */
	uint64_t memory;     /* guest RAM in bytes, from the memory limit */
	uint64_t overhead;   /* what the cgroup gets on top of it */
	uint32_t timeout_ms; /* for the agent to report */
	bool network; /* its namespace may have links: they are the guest's */
};
extern const char *const plan_huge_names[];
extern const struct json_table plan_vm_table;

struct plan {
	char *version; /* ociVersion */
	int isolation; /* enum plan_isolation */

	/* Where it lives. */
	JSON_VEC_OF(struct ns_namespace) namespaces;
	struct ns_map map; /* of a new user namespace; empty: none is new */
	JSON_VEC_OF(struct ns_time_offset) time_offsets;
	struct cg_config cgroup;
	struct cg_limits limits; /* device rules, with the defaults, too */
	struct plan_rdt *rdt;

	/* What it sees. */
	struct ns_root root;
	struct plan_mounts mounts;
	bool notify; /* the last of them has the socket of sd_notify(3) */
	/* /dev is the container's: devices and the usual links are made in
	 * it. Not so when a folder of the host is bound there. */
	bool own_dev;
	JSON_VEC_OF(struct ns_device) devices; /* with defaults */
	JSON_VEC_OF(struct plan_disk) disks;   /* of a micro-VM alone */
	char **masked;
	char **readonly;
	char *hostname;
	char *domainname;
	char *mount_label;
	JSON_VEC_OF(struct plan_net_device) net_devices;
	bool loopback_up; /* it has a network namespace of its own, new */
	JSON_VEC_OF(struct plan_sysctl) sysctls;

	/* What runs in it. */
	struct ns_personality *personality;
	struct ns_memory_policy *memory_policy;
	struct ns_seccomp *seccomp;
	struct plan_process process;
	struct plan_hooks hooks[PLAN_HOOK_N_];
	/* Files of the host that hooks write to; NULL: errors are told. */
	char *hooks_stdout, *hooks_stderr;
	char *pidfd_receiver; /* socket for the pidfd of the init */

	struct plan_vm vm;
	struct json_map annotations;
};
extern const struct json_table plan_table;

/* What of the machine and the caller a decision may depend on. */
struct plan_context {
	const char *id;
	const char *bundle; /* absolute and clean */
	bool rootless;	    /* we are not root of the host */
	uint32_t uid, gid;  /* ours */
	int cgroup_driver;  /* what the command line asked for */
	bool isolation_vm;  /* started as moat-oci-vm */
	bool no_pivot;
	const char *notify_dir; /* has the socket of sd_notify(3); or NULL */
	bool v2_only;		/* cgroup2 on /sys/fs/cgroup: for type cgroup */
	unsigned int n_cpus;	/* online; bounds vCPUs */
	uint64_t host_memory;
};

/*
 * On failure *ret is empty and e names the JSON path: "linux: resources: ...".
 * Warnings (a capability nobody knows, one that cannot be had) are logged, as
 * the specification wants it.
 */
MUST_CHECK int plan_make(const struct spec *s, const struct plan_context *ctx,
			 struct plan *ret, struct err *e);

/*
 * The program of an exec, from a process.json, or from base alone when s is
 * NULL. What s leaves out comes from base, the way of runc: capabilities,
 * rlimits, labels, scheduler, I/O priority, affinity; never its arguments.
 */
MUST_CHECK int plan_make_process(const struct spec_process *s,
				 const struct plan *base,
				 struct plan_process *ret, struct err *e);

/* What exec's command line says; NULL and unset: nothing. */
struct plan_exec {
	char *const *args; /* instead of what is there, as is all but ... */
	char *const *env;  /* ... these: added */
	struct json_u32v groups;
	char *const *caps;
	const char *cwd;
	struct opt_u32 uid, gid;
	struct opt_bool terminal;
	bool no_new_privs;
	const char *apparmor;
	const char *selinux;
};

/* Puts it on top of what plan_make_process() made. On failure *p is as it
 * was, or has part of it; it remains the caller's. */
MUST_CHECK int plan_apply_exec(struct plan_process *p, const struct plan *base,
			       const struct plan_exec *x, struct err *e);

/* resources of `update`; device rules, where there are any, with those that
 * every container has behind them. */
MUST_CHECK int plan_make_limits(const struct spec_resources *s,
				struct cg_limits *ret, struct err *e);

/* A maximum of -1 alone takes that of memory and swap together away, too: it
 * cannot be without the first. */
void plan_unbind_swap(struct cg_limits *l);

/* Mounts for an environment that exists, whose plan is base. */
MUST_CHECK int plan_make_mounts(const struct spec_mounts *s,
				const struct plan_context *ctx,
				const struct plan *base,
				struct plan_mounts *ret, struct err *e);
/* The same with their targets alone, for taking them away. */
MUST_CHECK int plan_make_targets(const struct spec_mounts *s,
				 const struct ns_root *root,
				 struct plan_mounts *ret, struct err *e);
void plan_mounts_done(struct plan_mounts *m);
/* Changes a plan as its environment was changed: adds what `more` has, which
 * is empty then; or takes away, for each target, the last mount there. */
MUST_CHECK int plan_mounts_add(struct plan *p, struct plan_mounts *more,
			       struct err *e);
/* It shows something of the host, which a checkpoint does not have. */
bool plan_mount_is_external(const struct plan *p, const struct ns_mount *m);
void plan_mounts_remove(struct plan *p, const struct plan_mounts *gone);

void plan_done(struct plan *plan);
void plan_process_done(struct plan_process *p);

/* The path of a namespace, "" for a new one, NULL for the caller's own. */
const char *plan_namespace(const struct plan *plan, enum ns_kind kind);
/* A new one or one by path: not the host's. */
bool plan_owns(const struct plan *plan, enum ns_kind kind);
/* New: it is ours to set up. */
bool plan_makes(const struct plan *plan, enum ns_kind kind);
/* One of its mounts is the root. */
bool plan_covers_root(const struct plan *plan);

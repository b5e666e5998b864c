/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control groups: one per environment, whatever the host's layout.
 *
 *	r = cg_create(&plan.cgroup, &plan.limits, &cg, e);
 *	cg_join_prepare(cg);
 *	ns_clone(... .cgroup_fd = cg_clone_fd(cg) ...);
 *	r = cg_join_self(cg, e);		in the child
 *	r = cg_join(cg, pid, e);		always; mostly does nothing
 *	r = cg_save(cg, &state.cgroup, e);
 *	...					another process, later:
 *	r = cg_load(&state.cgroup, &cg, e);
 *	r = cg_kill(cg, e);
 *	r = cg_delete(cg, 10000, e);
 *
 * A caller never asks which version the host has. Every controller is driven
 * in the hierarchy that holds it: v2 where it can be had, else v1. A limit
 * that no hierarchy can enforce is an error that names the controller; no
 * limit is dropped silently. What is not asked for is not written, and on
 * hybrid hosts no v1 group is made for a controller nobody limits.
 *
 * Two drivers: cgroupfs makes the folders itself; systemd asks systemd for a
 * scope (or slice) by D-Bus and hands it the limits as unit properties, so
 * that a daemon-reload does not undo them.
 *
 * Codes worth a caller's branch:
 *	-EACCES, -EPERM, -EROFS	no right to make groups here: a rootless
 *				caller without limits may go on with
 *				CG_DRIVER_DISABLED
 *	-EOPNOTSUPP		the host has no controller for a limit
 *	-EBUSY			the group holds processes that are not ours
 *	-ETIMEDOUT		freezing, deleting, or systemd took too long
 *	-ENOENT			cg_load(): no group is left
 */
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_out.h"

/* --- where ----------------------------------------------------------------*/

enum cg_driver {
	CG_DRIVER_CGROUPFS,
	CG_DRIVER_SYSTEMD,
	CG_DRIVER_DISABLED, /* no group; any limit is refused */
	CG_DRIVER_N_,
};
extern const char *const cg_driver_names[]; /* cgroupfs systemd disabled */

/*
 * path as linux.cgroupsPath has it.
 * cgroupfs:	"/a/b" lies below the hierarchy's root. "a/b" lies below the
 *		caller's own group; on v2, where a group that holds processes
 *		cannot hand controllers to its children, and limits or
 *		accounting need some, beside the caller's own group instead.
 *		NULL: as "<name>".
 * systemd:	"slice:prefix:name" is the scope <prefix>-<name>.scope in that
 *		slice; an empty slice is system.slice, or user.slice with a
 *		user manager; an empty prefix leaves <name>.scope; a name that
 *		ends in .slice is a slice of its own. NULL: ":moat:<name>".
 */
struct cg_config {
	int driver; /* enum cg_driver */
	char *path;
	char *name; /* the environment's id */

	/* A group for groups (a tenant): it may exist already, holds no
	 * process itself and bounds what lies below. */
	bool envelope;
	/* Have cpu, memory, io and pids counted even when nothing limits
	 * them, and what else the host has, as far as it allows; else only
	 * limits get controllers. */
	bool account;
	/* Somebody is to be scheduled in real time: where v1 gives that out
	 * group by group, the cpu of account stays the caller's. */
	bool realtime;

	/* Delegation: chown to this user what cgroups(7) says to delegate. */
	struct opt_u32 owner_uid;
	struct opt_u32 owner_gid;

	/* systemd only. Name -> value in GVariant text, as in the annotations
	 * org.systemd.property.<Name>. */
	struct json_map properties;
	/* Talk to the user's manager; not set: when we are not root. */
	struct opt_bool user_manager;
};
extern const struct json_table cg_config_table;

/* Checks the form alone, for plan_make(). name may be NULL. */
MUST_CHECK int cg_path_check(int driver, const char *path, struct err *e);

/* --- limits ---------------------------------------------------------------*/

/* The bits of cg_device_rule.access. */
#define CG_DEVICE_READ	0x2U /* as the kernel numbers them */
#define CG_DEVICE_WRITE 0x4U
#define CG_DEVICE_MKNOD 0x1U
#define CG_DEVICE_ANY	0x7U

enum cg_device_type {
	CG_DEVICE_ALL,
	CG_DEVICE_CHAR,
	CG_DEVICE_BLOCK,
};
extern const char *const cg_device_type_names[]; /* a c b */

struct cg_device_rule {
	bool allow;
	int type;	      /* enum cg_device_type */
	struct opt_u32 major; /* not set: any */
	struct opt_u32 minor;
	uint32_t access; /* CG_DEVICE_ */
};
extern const struct json_table cg_device_rule_table;

struct cg_device_rules {
	struct cg_device_rule *v;
	size_t n;
};

/* "rwm" -> bits; -EINVAL. */
MUST_CHECK int cg_device_access_parse(const char *text, uint32_t *ret);

/* What is asked of one block device. The same device may stand in several. */
struct cg_io_device {
	uint32_t major, minor;
	struct opt_u32 blkio_weight;	  /* 10..1000, the OCI's scale */
	struct opt_u32 blkio_leaf_weight; /* v1 only */
	struct opt_u32 weight;		  /* 1..10000, io.weight's own */
	struct opt_u64 read_bps;	  /* 0: unlimited, in all four */
	struct opt_u64 write_bps;
	struct opt_u64 read_iops;
	struct opt_u64 write_iops;
	struct opt_u64 latency_us; /* io.latency; 0: none */
};
extern const struct json_table cg_io_device_table;

struct cg_io_devices {
	struct cg_io_device *v;
	size_t n;
};

struct cg_hugetlb {
	char *page_size; /* "2MB", "1GB": as the files are named */
	int64_t max;	 /* bytes; -1: unlimited */
};
extern const struct json_table cg_hugetlb_table;

struct cg_hugetlbs {
	struct cg_hugetlb *v;
	size_t n;
};

struct cg_rdma {
	char *device;
	struct opt_u32 handles;
	struct opt_u32 objects;
};
extern const struct json_table cg_rdma_table;

struct cg_rdmas {
	struct cg_rdma *v;
	size_t n;
};

struct cg_misc {
	char *resource;
	int64_t max; /* -1: unlimited */
};
extern const struct json_table cg_misc_table;

struct cg_miscs {
	struct cg_misc *v;
	size_t n;
};

struct cg_net_prio {
	char *interface;
	uint32_t priority;
};
extern const struct json_table cg_net_prio_table;

struct cg_net_prios {
	struct cg_net_prio *v;
	size_t n;
};

/*
 * Limits are taken literally: a 0 is 0, not "unset"; -1 is "no limit" where
 * the type is signed. Where the OCI and the kernel scale differently there is
 * a member for each, and asking for both is refused.
 */
struct cg_limits {
	/* cpu */
	struct opt_u64 cpu_shares; /* OCI, 2..262144; on v2 a weight of
				      shares * 100 / 1024 */
	struct opt_u64 cpu_weight; /* 1..10000 */
	struct opt_i64 cpu_quota_us;
	struct opt_u64 cpu_period_us;
	struct opt_u64 cpu_burst_us;
	struct opt_i64 cpu_idle;	  /* 0 or 1 */
	struct opt_i64 cpu_rt_runtime_us; /* v1 only */
	struct opt_u64 cpu_rt_period_us;  /* v1 only */

	/* cpuset: lists as "0-3,7" */
	char *cpuset_cpus;
	char *cpuset_mems;
	char *cpuset_partition; /* v2: member, root, isolated */

	/* memory, in bytes */
	struct opt_i64 memory_max;
	struct opt_i64 memory_high; /* v2 only, as are min and swap_high */
	struct opt_i64 memory_low;  /* v1: soft limit */
	struct opt_i64 memory_min;
	struct opt_i64 memory_swap_total; /* OCI: memory and swap together */
	struct opt_i64 memory_swap_max;	  /* swap alone */
	struct opt_i64 memory_swap_high;
	struct opt_i64 memory_zswap_max;
	struct opt_bool memory_zswap_writeback;
	struct opt_bool memory_oom_group;
	struct opt_i64 memory_kernel; /* v1 only, as is the rest */
	struct opt_i64 memory_kernel_tcp;
	struct opt_u64 memory_swappiness; /* 0..100 */
	struct opt_bool memory_no_oom_kill;
	/* Refuse a maximum below what is in use now, instead of killing. */
	bool memory_check_usage;

	/* io */
	struct opt_u32 io_blkio_weight;	     /* 10..1000, the OCI's scale */
	struct opt_u32 io_blkio_leaf_weight; /* v1 only */
	struct opt_u32 io_weight;	     /* 1..10000 */
	struct cg_io_devices io_devices;

	struct opt_i64 pids_max;
	struct cg_hugetlbs hugetlb;
	struct cg_rdmas rdma;
	struct cg_miscs misc;

	/* v1 only */
	struct opt_u32 net_cls_classid;
	struct cg_net_prios net_prio;

	/* v2: file name -> text, written as it stands, after all others */
	struct json_map unified;

	/* Default deny, the last rule that matches wins, for each of read,
	 * write and mknod on its own. No rules: devices are not touched. */
	struct cg_device_rules devices;
};
extern const struct json_table cg_limits_table;

void cg_limits_done(struct cg_limits *l);
/* Something is asked for. */
bool cg_limits_any(const struct cg_limits *l);

/*
 * OCI shares as a v2 weight: by the kernel's own scale, where 1024 shares and
 * weight 100 are the same load weight of the scheduler; systemd converts in the
 * same way. So 1024 against 3072 is a third on every host, and a group of v1
 * beside one of v2 has what it would have had. runc since 1.3 and crun since
 * 1.23 bend the scale (10^((log2(s)^2 + 125 log2(s)) / 612 - 7 / 34)), so that
 * 2 and 262144 meet the ends of the weights; they agree with us at 1024, and
 * make 1 : 2.4 of 1 : 3. What is beyond the weights' ends here, above 102400
 * shares or below 10, nobody but the extremes notices.
 */
uint64_t cg_shares_to_weight(uint64_t shares);
/* blkio.weight (10..1000) as io.weight (1..10000). */
uint64_t cg_blkio_to_io_weight(uint64_t weight);

/* --- a group --------------------------------------------------------------*/

struct cg;

/*
 * Makes the group, enables the controllers that the limits need on the way
 * down, applies the limits. A group that exists is taken when it is empty, else
 * -EBUSY; so is one that is frozen, or lies below a frozen one. On failure
 * what was made is removed again.
 */
MUST_CHECK int cg_create(const struct cg_config *config,
			 const struct cg_limits *limits, struct cg **ret,
			 struct err *e);
/*
 * The same in two steps, for a launcher in a hurry: the group, into which a
 * process is cloned, and its limits, while that process works on its mounts.
 * Nothing of the container's own may run before cg_finish(). Where limits must
 * be there first (v1, systemd), cg_begin() does it all. When cg_finish() fails
 * the group stays, to be deleted with what is in it.
 */
MUST_CHECK int cg_begin(const struct cg_config *config,
			const struct cg_limits *limits, struct cg **ret,
			struct err *e);
MUST_CHECK int cg_finish(struct cg *cg, const struct cg_config *config,
			 const struct cg_limits *limits, struct err *e);

/*
 * The group that cg_create() would make, when it is there and ours: for
 * cleaning up after a create that was killed. Opens it, makes and changes
 * nothing. Processes in it may be another's. -ENOENT.
 */
MUST_CHECK int cg_find(const struct cg_config *config,
		       const struct cg_limits *limits, struct cg **ret,
		       struct err *e);
/* The handle alone; the group stays. */
void cg_free(struct cg *cg);

DEFINE_CLEANUP(struct cg *, cg_free);
#define autocg _cleanup_(auto_cg_free)

/* For CLONE_INTO_CGROUP; -1 when there is no v2 group or we may not clone
 * into it. Stays the handle's. */
int cg_clone_fd(const struct cg *cg);

/*
 * Puts a process where clone did not put it: v1 hierarchies, or everything
 * when cg_clone_fd() gave -1. Costs nothing when there is nothing to do.
 *
 * A process that is moved by another one waits for an RCU grace period (15 ms),
 * one with a single thread that moves itself does not. After cg_join_prepare(),
 * before the clone, the child calls cg_join_self() before anything else, and
 * cg_join() leaves the v1 groups to it.
 */
void cg_join_prepare(struct cg *cg);
MUST_CHECK int cg_join_self(const struct cg *cg, struct err *e);
MUST_CHECK int cg_join(struct cg *cg, pid_t pid, struct err *e);
/* cg_join() will move the process: it should not run before that. */
bool cg_must_join(const struct cg *cg);
/* Everywhere: for a process that was not cloned into cg_clone_fd(). */
MUST_CHECK int cg_move(struct cg *cg, pid_t pid, struct err *e);

/*
 * Groups below cg, for exec: subs is a strv of "path" or, on v1,
 * "controller[,controller]:path"; NULL: cg itself. They must exist.
 */
MUST_CHECK int cg_open_sub(const struct cg *cg, char *const *subs,
			   struct cg **ret, struct err *e);
/* It hands down controllers to groups below it, as an init system has it do:
 * nobody can join it any more. */
bool cg_is_filled(const struct cg *cg);
/* The group at or below cg that pid is in: where exec goes then. */
MUST_CHECK int cg_open_of(const struct cg *cg, pid_t pid, struct cg **ret,
			  struct err *e);

/*
 * Changes the limits that are set, all or none: a value that the kernel
 * refuses puts back those written before, and e names file and value. It may
 * put the group into v1 hierarchies that nothing has needed before.
 */
MUST_CHECK int cg_apply(struct cg *cg, const struct cg_limits *limits,
			struct err *e);
/* Of the group and all below it. */
MUST_CHECK int cg_pids(struct cg *cg, pid_t **ret, size_t *ret_n,
		       struct err *e);
MUST_CHECK int cg_signal_all(struct cg *cg, int sig, struct err *e);
/* SIGKILL to all, frozen ones and those being forked included. */
MUST_CHECK int cg_kill(struct cg *cg, struct err *e);
/* After a SIGKILL to some of it: on v1 frozen processes do not even die, so the
 * group is thawed there. */
MUST_CHECK int cg_let_die(struct cg *cg, struct err *e);
/* Until no process is left. */
MUST_CHECK int cg_wait_empty(struct cg *cg, int timeout_ms, struct err *e);

/* They return when it is so. A freeze that times out is undone. */
MUST_CHECK int cg_freeze(struct cg *cg, int timeout_ms, struct err *e);
MUST_CHECK int cg_thaw(struct cg *cg, int timeout_ms, struct err *e);
/* By itself, or by a group above it. */
MUST_CHECK int cg_frozen(struct cg *cg, bool *ret, struct err *e);

/* Removes the group with those below it, retrying for timeout_ms while the
 * kernel finishes with the dead. Already gone is success; processes left are
 * -EBUSY. */
MUST_CHECK int cg_delete(struct cg *cg, int timeout_ms, struct err *e);

/* Host path of the v2 group, NULL when there is none. */
const char *cg_path(const struct cg *cg);

/* --- remembered in state.json ---------------------------------------------*/

struct cg_hierarchy {
	char *controllers; /* "cpu,cpuacct"; "" for v2 */
	char *path;	   /* of the group, on the host */
};
extern const struct json_table cg_hierarchy_table;

struct cg_paths {
	int driver; /* enum cg_driver */
	JSON_VEC_OF(struct cg_hierarchy) hierarchies;
	char *unit; /* systemd: the scope or slice */
	bool user_manager;
};
extern const struct json_table cg_paths_table;

MUST_CHECK int cg_save(const struct cg *cg, struct cg_paths *ret,
		       struct err *e);
/*
 * Gives 1 when cg_apply() will put the group into more hierarchies, and what
 * cg_save() will say then: who writes that down before finds all of the group,
 * whatever becomes of us.
 */
MUST_CHECK int cg_foresee(struct cg *cg, const struct cg_limits *limits,
			  struct cg_paths *ret, struct err *e);

MUST_CHECK int cg_load(const struct cg_paths *paths, struct cg **ret,
		       struct err *e);

/* --- numbers --------------------------------------------------------------*/

struct cg_pressure_line {
	double avg10, avg60, avg300; /* per cent */
	uint64_t total_us;
};

struct cg_pressure {
	bool set; /* the kernel counts it */
	struct cg_pressure_line some, full;
};

struct cg_io_stat {
	uint32_t major, minor;
	uint64_t read_bytes, write_bytes, discard_bytes;
	uint64_t reads, writes, discards;
};

struct cg_hugetlb_stat {
	char page_size[16];
	uint64_t current, peak, max, failures;
};

struct cg_raw_stat {
	char name[32];
	uint64_t value;
};

#define CG_NO_LIMIT UINT64_MAX /* in limits and maxima below */

/* Not set: the host does not count it for this group. */
/* A number for each CPU; v1 only. */
struct cg_cpu_stat {
	uint64_t *v;
	size_t n;
};

struct cg_stat {
	struct opt_u64 cpu_usage_us, cpu_user_us, cpu_system_us;
	struct opt_u64 cpu_periods, cpu_throttled, cpu_throttled_us;
	struct opt_u64 cpu_bursts, cpu_burst_us;
	struct cg_cpu_stat cpu_all_ns, cpu_all_user_ns, cpu_all_system_ns;
	struct cg_pressure cpu_pressure;
	char *cpuset_cpus, *cpuset_mems; /* effective lists */

	struct opt_u64 memory_current, memory_peak, memory_max;
	struct opt_u64 memory_anon, memory_file, memory_kernel;
	struct opt_u64 memory_faults, memory_major_faults;
	struct opt_u64 memory_kernel_peak, memory_kernel_max; /* v1 only */
	struct opt_u64 memory_kernel_tcp, memory_kernel_tcp_max;
	struct opt_u64 swap_current, swap_peak, swap_max;
	/* memory.events; max is how often the maximum was met */
	struct opt_u64 memory_low_events, memory_high_events;
	struct opt_u64 memory_max_events, memory_oom_events;
	struct opt_u64 memory_oom_kills, memory_oom_group_kills;
	JSON_VEC_OF(struct cg_raw_stat) memory_raw; /* memory.stat */
	struct cg_pressure memory_pressure;

	JSON_VEC_OF(struct cg_io_stat) io;
	struct cg_pressure io_pressure;

	struct opt_u64 pids_current, pids_max;
	JSON_VEC_OF(struct cg_hugetlb_stat) hugetlb;
};

MUST_CHECK int cg_stat_read(struct cg *cg, struct cg_stat *ret, struct err *e);
void cg_stat_done(struct cg_stat *s);

/*
 * The members cpu, cpuset, memory, pids, blkio, hugetlb of "data" as runc's
 * `events --stats` has them; the caller opens and closes the object:
 *	{"type":"stats","id":"x","data":{ ... }}
 */
void cg_stat_write(const struct cg_stat *s, struct json_out *o);

/* --- out of memory --------------------------------------------------------*/

/*
 * A descriptor that becomes readable when a process of the group may have
 * been killed for memory, or the last one went; cg_oom_read() takes the event
 * and gives how many were killed so far; once more when the last process has
 * gone, for that event may come late or not at all. -EOPNOTSUPP without a
 * memory controller (on hybrid hosts: without a limit or account). -ENODEV: the
 * group is gone, as systemd's are as soon as they are empty, and who may not
 * read the kernel's log does not learn what was counted last.
 */
MUST_CHECK int cg_oom_open(struct cg *cg, struct err *e);
MUST_CHECK int cg_oom_read(struct cg *cg, int fd, uint64_t *ret_kills,
			   struct err *e);

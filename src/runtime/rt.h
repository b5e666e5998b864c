/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The verbs of an environment's life: what moat-oci's commands and moat's
 * engine call. Each opens what it needs by id, does one thing, and leaves the
 * state true.
 *
 *	rt_create   config.json -> environment whose program waits
 *	rt_start    the program runs
 *	rt_run	    both, in the foreground, with its exit status
 *	rt_exec	    another program in it
 *	rt_kill rt_pause rt_resume rt_update rt_state rt_ps rt_stat
 *	rt_mounts_add rt_mounts_remove
 *	rt_delete   also the undo of a create that failed or was killed
 *
 * No verb prints, and none but those with a foreground program touches the
 * caller's stdio.
 */
#include <errno.h>
#include <sys/types.h>

#include "base/json.h"
#include "cgroups/cg.h"
#include "src/oci/plan.h"
#include "src/oci/state.h"

/* The codes of a program that could not be executed, apart from every other
 * file that may be missing: shells end with 127 and 126 then. */
#define RT_NOT_FOUND	  (-ENOPKG)
#define RT_NOT_EXECUTABLE (-ENOEXEC)

struct rt_context {
	const char *root;  /* where states live: /run/moat/oci ... */
	int cgroup_driver; /* enum cg_driver, as asked for */
	/* Who waits for the program to be ready: what NOTIFY_SOCKET of
	 * sd_notify(3) says; or NULL. */
	const char *notify_socket;
	bool rootless;
	bool isolation_vm; /* moat-oci-vm */
};

struct rt_io {
	const char *console_socket; /* path, or NULL */
	const char *pid_file;
	const char *pidfd_socket;
	uint32_t preserve_fds; /* after those of listen_fds, from 3 on */
	uint32_t listen_fds;   /* announced as LISTEN_FDS */
	bool detach;
};

struct rt_create {
	const char *id;
	const char *bundle; /* folder; "." when NULL */
	const char *config; /* file; config.json in the bundle when NULL */
	struct rt_io io;
	bool no_pivot;
	bool no_new_keyring;
	bool no_subreaper;
	bool keep;
};

MUST_CHECK int rt_create(const struct rt_context *ctx,
			 const struct rt_create *c, struct err *e);
MUST_CHECK int rt_start(const struct rt_context *ctx, const char *id,
			struct err *e);
/* The plan as JSON text, pretty; nothing is done. */
MUST_CHECK int rt_plan(const struct rt_context *ctx, const struct rt_create *c,
		       char **ret, struct err *e);
/* The program's exit status (0..255), or a negative errno when it never ran. */
MUST_CHECK int rt_run(const struct rt_context *ctx, const struct rt_create *c,
		      struct err *e);

/* What a command line changes in the container's own process. */
struct rt_exec_words {
	char *const *args;
	char *const *env; /* added */
	const char *cwd;
	const char *user;    /* "uid[:gid]" */
	char *const *groups; /* additional ones, added */
	char *const *caps;   /* added; neither inheritable nor ambient */
	const char *apparmor;
	const char *selinux;
	bool tty;
	bool no_new_privs;
};

struct rt_exec {
	const char *id;
	const char *process_file; /* process.json; else words */
	struct rt_exec_words words;
	char *const *cgroups; /* --cgroup, as cg_open_sub() has them; or NULL */
	bool ignore_paused;
	struct rt_io io;
};
MUST_CHECK int rt_exec(const struct rt_context *ctx, const struct rt_exec *x,
		       struct err *e);

struct rt_kill {
	const char *id;
	int signal;
	bool all;
};
MUST_CHECK int rt_kill(const struct rt_context *ctx, const struct rt_kill *k,
		       struct err *e);

/* force: kill first, and an id without a (whole) state is fine. */
MUST_CHECK int rt_delete(const struct rt_context *ctx, const char *id,
			 bool force, struct err *e);

/* The state with its status brought up to date; state_done() releases it. */
MUST_CHECK int rt_state(const struct rt_context *ctx, const char *id,
			struct state *ret, struct err *e);
/* All ids below ctx->root, sorted; what cannot be read is left out. */
MUST_CHECK int rt_list(const struct rt_context *ctx, char ***ret,
		       struct err *e);

MUST_CHECK int rt_pause(const struct rt_context *ctx, const char *id,
			struct err *e);
MUST_CHECK int rt_resume(const struct rt_context *ctx, const char *id,
			 struct err *e);
/* Mounts, from a file as spec_mounts_read() takes it, added to a container or
 * taken from it: all, or none. */
MUST_CHECK int rt_mounts_add(const struct rt_context *ctx, const char *id,
			     const char *file, struct err *e);
MUST_CHECK int rt_mounts_remove(const struct rt_context *ctx, const char *id,
				const char *file, struct err *e);
MUST_CHECK int rt_update(const struct rt_context *ctx, const char *id,
			 const struct cg_limits *limits, struct err *e);
/* Checkpoint and restore, by the program criu. */
struct rt_criu {
	const char *image_path;	 /* "checkpoint" when NULL */
	const char *work_path;	 /* logs; the image path when NULL */
	const char *parent_path; /* of the dump before, from the image path */
	const char *page_server; /* "address:port" */
	const char *lsm_profile;
	const char *lsm_mount_context;
	char *const *empty_ns;
	struct opt_i64 status_fd;
	int cgroups_mode; /* index of rt_criu_cgroup_modes */
	int network_lock; /* index of rt_criu_network_locks */
	bool leave_running;
	bool pre_dump;
	bool tcp_established;
	bool tcp_skip_in_flight;
	bool tcp_close;
	bool ext_unix_sk;
	bool shell_job;
	bool file_locks;
	bool link_remap;
	bool lazy_pages;
	bool auto_dedup;
};
extern const char *const rt_criu_cgroup_modes[];
extern const char *const rt_criu_network_locks[];
/* The container is gone afterwards, unless it is left running. */
MUST_CHECK int rt_checkpoint(const struct rt_context *ctx, const char *id,
			     const struct rt_criu *c, struct err *e);
/* As rt_run(), of the programs in the image. */
MUST_CHECK int rt_restore(const struct rt_context *ctx,
			  const struct rt_create *create,
			  const struct rt_criu *c, struct err *e);

/* Lines for the schemata of its class of intelRdt. */
MUST_CHECK int rt_update_rdt(const struct rt_context *ctx, const char *id,
			     char *const *schemata, struct err *e);
/* The member "intel_rdt" of events; empty without intelRdt. */
void rt_rdt_write(const struct rt_context *ctx, const char *id,
		  struct json_out *o);
/* Host pids; the caller frees. */
MUST_CHECK int rt_ps(const struct rt_context *ctx, const char *id, pid_t **ret,
		     size_t *ret_n, struct err *e);
MUST_CHECK int rt_stat(const struct rt_context *ctx, const char *id,
		       struct cg_stat *ret, struct err *e);

/* Until the container's init has ended. */
struct rt_watch {
	uint64_t interval_ms;
	int (*on_stat)(void *arg, const struct cg_stat *s, struct err *e);
	int (*on_oom)(void *arg, struct err *e);
	void *arg;
};
MUST_CHECK int rt_watch(const struct rt_context *ctx, const char *id,
			const struct rt_watch *w, struct err *e);

/*
 * The binary we run must not be reachable from inside (CVE-2019-5736): makes
 * sure that /proc/self/exe is on a read-only mount of its own, or a sealed
 * copy, executing ourselves once more when it is not. Returns 0 when it is.
 */
MUST_CHECK int rt_protect_self(char *const *argv, struct err *e);

/* cgroup2 is what is mounted on /sys/fs/cgroup. */
bool rt_v2_only(void);

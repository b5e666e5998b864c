/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Environments by name, for people: what `moat` does on top of the runtime.
 *
 * An environment is a bundle in the store, made from what the user asked for;
 * from there on it takes the way of every bundle: config.json, spec, plan,
 * execution.
 *
 *	<store>/environments/<id>/config.json
 *	<store>/environments/<id>/rootfs	mount point of its root
 *	<store>/environments/<id>/scratch	what it has written
 *	<state>/environments/<id>		its state, see src/oci/state.h
 */
#include "base/json.h"

struct eng_context {
	const char *store; /* /var/lib/moat */
	const char *state; /* /run/moat */
	bool rootless;
};

enum eng_network {
	ENG_NETWORK_NONE, /* a namespace of its own, with "lo" alone */
	ENG_NETWORK_HOST,
};
extern const char *const eng_network_names[];

struct eng_run {
	const char *image;
	char *const *args;
	const char *name; /* NULL: one is made up */
	bool remove;	  /* when the program has ended */
	bool interactive; /* it reads our stdin, else nothing */
	bool tty;
	int isolation; /* enum plan_isolation */
	struct opt_u64 cpu_shares;
	struct opt_u64 cpus; /* billionths */
	struct opt_i64 memory;
	struct opt_i64 pids;
	const char *hostname;
	char *const *env; /* "NAME=value", or "NAME": ours */
	const char *workdir;
	const char *user;     /* name or number, ":" group */
	int network;	      /* enum eng_network */
	const char *kernel;   /* of a micro-VM */
	bool readonly;	      /* its root */
	char *const *volumes; /* "source:/target[:ro]" */
	char *const *cap_add; /* names, or "all" */
	char *const *cap_drop;
	char *const *annotations; /* KEY=VALUE */
};

/* The exit status of the program (0..255), or a negative errno; of those,
 * RT_NOT_FOUND and RT_NOT_EXECUTABLE are the program's fault. */
MUST_CHECK int eng_run(const struct eng_context *ctx, const struct eng_run *run,
		       struct err *e);

struct eng_info {
	char *id;
	char *command;
	char *status;
	char *created;
	int32_t pid;
	int isolation;
};

struct eng_list JSON_VEC_NAMED_(struct eng_info);

/* all: those that have ended, too. */
MUST_CHECK int eng_ps(const struct eng_context *ctx, bool all,
		      struct eng_list *ret, struct err *e);
void eng_list_done(struct eng_list *l);

/* State, scratch and bundle; force: a running one is killed. */
MUST_CHECK int eng_remove(const struct eng_context *ctx, const char *id,
			  bool force, struct err *e);

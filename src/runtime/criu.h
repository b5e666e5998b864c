/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A criu of our own for one piece of work: "criu swrk", which hears what to do
 * from a socket, asks back while it does it, and ends. Private to src/runtime.
 */
#include <signal.h>

#include "cgroups/cg.h"
#include "src/runtime/criu_msg.h"
#include "src/runtime/rt.h"

struct criu_dirs {
	char *images, *work; /* absolute; work is images when none is given */
	int images_fd, work_fd;
};

#define CRIU_DIRS_INIT                                                         \
	{                                                                      \
		.images_fd = -1, .work_fd = -1                                 \
	}

struct criu_job {
	enum criu_type type;
	struct criu_msg *opts; /* restore: cgroups are added */
	const struct criu_dirs *dirs;
	const char *log_file;

	/* It asks back: script names a moment, pid is the init's. fd comes with
	 * "orphan-pts-master" and is the callee's; else -1. NULL: all is fine.
	 */
	int (*on_script)(void *arg, const char *script, int pid, int fd,
			 struct err *e);
	void *arg;
	int stop; /* readable: give up, -ECANCELED; or -1 */

	/* Restore: where criu lives, and so what it restores. */
	struct cg *cgroup;
	const char *root; /* becomes a mount, in a mount namespace of criu's */
	int images_tree;  /* in there over the images; or -1 */
	const int *fds;	  /* it inherits them by their numbers */
	size_t n_fds;
	const sigset_t *old_mask;
	pid_t restored; /* its answer; our child */
};
MUST_CHECK int criu_run(struct criu_job *job, struct err *e);

/* --- what dump and restore have in common (criu_opts.c) --------------------*/

/* make: they are made where missing. */
MUST_CHECK int criu_dirs_open(struct criu_dirs *d, const struct rt_criu *c,
			      bool make, struct err *e);
void criu_dirs_close(struct criu_dirs *d);

MUST_CHECK int criu_put_common(struct criu_msg *m, const struct rt_criu *c,
			       const struct criu_dirs *d, const char *log,
			       const struct plan *p, struct err *e);

/* Where the cgroups of a restored container are: with the process of criu's. */
MUST_CHECK int criu_put_cgroups(struct criu_msg *m, pid_t criu, struct err *e);

/* What a restore must know of a dump, and criu does not write down. */
struct criu_notes {
	char **stdio;		/* what init's first descriptors were */
	struct json_map points; /* of external mounts: as the configuration has
				   them -> as they are, where links differ */
};
extern const struct json_table criu_notes_table;
#define CRIU_NOTES_FILE "descriptors.json"

/* The name by which criu knows an external mount. */
const char *criu_point(const struct criu_notes *n, const char *target);

/* Namespaces that were given by path, and are found again by these keys. */
const char *criu_external_key(enum ns_kind kind);

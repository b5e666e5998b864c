/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is remembered about an environment, in a folder of its own:
 *
 *	<root>/<id>/state.json	this struct
 *	<root>/<id>/plan.json	the plan it was made from
 *	<root>/<id>/start	the FIFO on which its program waits, and
 *	<root>/<id>/result	the one on which it says why it did not start
 *
 * Whoever changes something holds a lock on the folder itself.
 *
 * The folder is the name: mkdir takes it, and a create that was killed in the
 * middle leaves a folder that "delete --force" removes. state.json appears by
 * rename, whole. Its status is not trusted but derived: an init that is gone,
 * or whose start time differs, is stopped whatever the file says.
 */
#include <sys/types.h>

#include "base/json.h"
#include "cgroups/cg.h"

enum state_status {
	STATE_CREATING,
	STATE_CREATED,
	STATE_RUNNING,
	STATE_PAUSED,
	STATE_STOPPED,
};
extern const char *const state_status_names[];

struct state {
	char *version; /* ociVersion of the state's format */
	char *id;
	int status;  /* enum state_status */
	int32_t pid; /* init, in our pid namespace; 0 when there is none */
	uint64_t start_time;
	char *bundle;
	char *rootfs;
	char *created; /* RFC 3339, UTC, nanoseconds */
	char *owner;   /* name or number of the user who created it */
	int isolation; /* enum plan_isolation */
	struct cg_paths cgroup;
	struct json_map annotations;
	char **external_namespaces; /* by name; for exec and delete */
	int32_t vm_pid;		    /* monitor process of a micro-VM, or 0 */
};
extern const struct json_table state_table; /* as kept in state.json */
/* The OCI's words alone: ociVersion id status pid bundle annotations; what
 * hooks get on stdin. */
extern const struct json_table state_oci_table;
/* With rootfs, created and owner, as `state` and `list` of runc print it. */
extern const struct json_table state_shown_table;

/* [A-Za-z0-9_.+-]{1,1024}, neither "." nor "..". */
MUST_CHECK int state_check_id(const char *id, struct err *e);

/* The folder <root>/<id>: made (fails with -EEXIST when taken) or opened.
 * Gives its descriptor. */
MUST_CHECK int state_reserve(const char *root, const char *id, struct err *e);
MUST_CHECK int state_open(const char *root, const char *id, struct err *e);

/* sync = false: it is state, gone with a reboot. */
MUST_CHECK int state_write(int dirfd, const struct state *s, struct err *e);
MUST_CHECK int state_read(int dirfd, struct state *ret, struct err *e);
void state_done(struct state *s);
MUST_CHECK int state_remove(const char *root, const char *id, struct err *e);

/* The JSON text that hooks read, with the status given. */
MUST_CHECK int state_for_hooks(const struct state *s, enum state_status status,
			       char **ret, struct err *e);
/* That text for a hook inside the container, where its process has another
 * pid. */
MUST_CHECK int state_for_hooks_inside(const char *text, pid_t pid,
				      enum state_status status, char **ret,
				      struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Shares of caches and of memory bandwidth, as resctrl gives them out: a class
 * is a folder with a file "schemata", and a process belongs to the class in
 * whose "tasks" it is. A group below mon_groups counts what its processes use.
 *
 * A class that has a name was made by somebody for several containers: one
 * that is there already must say what is asked for, and stays when the
 * container goes. Without a name it is the container's own.
 */
#include <sys/types.h>

#include "base/err.h"
#include "base/json_out.h"

/* Bytes of a file "schemata". */
#define CG_RDT_SCHEMATA_MAX 16384

struct cg_rdt {
	const char *root;      /* a tree to work on; NULL: the host's */
	const char *class;     /* NULL: the container's own; "/": the root's */
	const char *name;      /* the container's */
	char *const *schemata; /* lines; NULL: as the class has it */
	bool monitoring;
};

/* What would be made for this container alone is not there yet. */
MUST_CHECK int cg_rdt_check(const struct cg_rdt *r, struct err *e);
MUST_CHECK int cg_rdt_create(const struct cg_rdt *r, struct err *e);
MUST_CHECK int cg_rdt_join(const struct cg_rdt *r, pid_t pid, struct err *e);
/* Writes the lines to the class, whosever it is. */
MUST_CHECK int cg_rdt_update(const struct cg_rdt *r, struct err *e);
/* What is the container's alone; what is gone is fine. */
MUST_CHECK int cg_rdt_delete(const struct cg_rdt *r, struct err *e);
/* Folders, for reading; -EOPNOTSUPP where no resctrl is mounted. */
MUST_CHECK int cg_rdt_open_root(const struct cg_rdt *r, struct err *e);
MUST_CHECK int cg_rdt_open_class(const struct cg_rdt *r, int root,
				 struct err *e);
/* The object "intel_rdt" of runc's `events --stats`; what cannot be read is
 * left out. r NULL: it is empty. */
void cg_rdt_write(const struct cg_rdt *r, struct json_out *o);

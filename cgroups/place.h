/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* linux.cgroupsPath, taken apart and checked; see cg_config in cg.h. */
#include "cgroups/cg.h"

struct cg_place {
	/* cgroupfs: clean; "/a/b" or, relative, "a/b" */
	char *path;
	bool relative;

	/* systemd: slice may be NULL, the unit is "x.scope" or "x.slice" */
	char *slice;
	char *unit;
	bool unit_is_slice;
};

MUST_CHECK int cg_place_parse(int driver, const char *path, const char *name,
			      struct cg_place *ret, struct err *e);
void cg_place_done(struct cg_place *p);

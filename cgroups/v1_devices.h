/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * v1 keeps devices as a default and a list of exceptions. A rule that cuts a
 * piece out of an exception ("deny c 1:3" after "allow c 1:*") cannot be said
 * there, and is refused rather than half applied. systemd's own list is of the
 * same kind, but that its default is always "nothing".
 */
#include "cgroups/cg.h"

struct cg_v1_list {
	bool allow;		  /* everything, except what is listed */
	struct cg_device_rule *v; /* type is never CG_DEVICE_ALL */
	size_t n;
};

MUST_CHECK int cg_v1_list_make(const struct cg_device_rule *rules, size_t n,
			       struct cg_v1_list *ret, struct err *e);
/* The text of a devices.list file. */
MUST_CHECK int cg_v1_list_parse(const char *text, struct cg_v1_list *ret,
				struct err *e);
void cg_v1_list_done(struct cg_v1_list *l);

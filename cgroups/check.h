/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Values that cgroup v2 takes without a word and does not use: CPUs and nodes
 * that are not there or not ours, a partition that stays invalid. Looked at
 * after the write, where the kernel says what came of it.
 */
#include "cgroups/set.h"

int cg_check_cpus(const struct cg_setting *s, struct err *e);
int cg_check_mems(const struct cg_setting *s, struct err *e);
int cg_check_partition(const struct cg_setting *s, struct err *e);

/* The first number of list a that list b lacks; -1 when there is none,
 * -EINVAL (below -1) when a or b is no list. */
int64_t cg_list_missing(const char *a, const char *b);
/* What was written is a number of bytes, and in force. */
MUST_CHECK int cg_check_taken(const struct cg_setting *s, struct err *e);

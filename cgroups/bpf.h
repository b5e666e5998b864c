/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The few calls of bpf(2) that a device program needs. */
#include <linux/bpf.h>

#include "base/err.h"

/* Loads a BPF_PROG_TYPE_CGROUP_DEVICE program; gives its descriptor. */
MUST_CHECK int cg_bpf_load(const struct bpf_insn *insns, size_t n,
			   const char *name, struct err *e);

/*
 * Puts prog in the place of the one of the same name that is attached to the
 * group, in one step, or beside others (systemd's) when there is none: the
 * kernel asks all of them. A program with the same instructions stays. name
 * NULL: there is none to replace.
 */
MUST_CHECK int cg_bpf_attach(int group, int prog, const char *name,
			     struct err *e);

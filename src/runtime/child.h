/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The child's half of a launch: from the clone to execve.
 */
#include "base/util.h"
#include "src/runtime/launch_state.h"

/* Runs in the cloned process; l is a copy of the parent's. */
NORETURN void rt_child(struct launch *l);

/* The exit status of a child that never became its program; the sentence went
 * through the sync socket. */
#define RT_CHILD_FAILED 125

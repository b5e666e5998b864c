/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From the kernel's first process to an agent that can be spoken to: modules,
 * a root of our own, the usual mounts, the stream to the host. And the end of
 * the machine, which is the only way the agent ends: a PID 1 that exits is a
 * kernel panic.
 */
#include "base/err.h"

/* Everything but the stream. What went wrong and can be lived with stands in
 * trouble, for HELLO. */
MUST_CHECK int agent_boot(struct err *trouble, struct err *e);

/*
 * The stream to the host: vsock where the kernel and the monitor have it, else
 * the virtio-console port of our name. Waits until the host has its end.
 */
MUST_CHECK int agent_connect(struct err *e);

/* What is in memory goes to the host's files, then the power goes off. */
NORETURN void agent_power_off(void);

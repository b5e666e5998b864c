/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Values in GVariant's text form, as the annotations org.systemd.property.*
 * have them: true, 5, uint64 5, byte 0x1f, 'text', "text", ['a', 'b'],
 * @as [], (1, 'x'). A plain number is an int32, as GVariant has it.
 */
#include "cgroups/dbus.h"

/* Appends the value as a D-Bus variant: its signature, then itself. */
MUST_CHECK int cg_gvariant_put(struct cg_dbus_out *m, const char *text,
			       struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to entry.c, which is half assembler: cmd_entry is where the program
 * begins, and calls this with the block that the kernel put on the stack. */
#include <stdint.h>

void cmd_entry_protect(uintptr_t *block);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The caller's stdio and a container's terminal, joined for as long as the
 * program runs: bytes both ways, raw mode, window size, end of input.
 *
 * Input is buffered, output is not: a program that does not read its terminal
 * must not stop its own output, but a reader of ours that does not read may
 * stop the program. An input that ends becomes the terminal's end-of-file
 * character, so that "echo ls | ... -t sh" ends.
 */
#include "base/loop.h"

struct console;

/* master stays the caller's and becomes non-blocking. */
MUST_CHECK int console_new(struct loop *l, int master, struct console **ret,
			   struct err *e);
/* The caller's window was resized. */
void console_resize(struct console *c);
/* What the terminal still holds goes to stdout; then the caller's terminal is
 * as it was. */
void console_free(struct console *c);

DEFINE_CLEANUP(struct console *, console_free);

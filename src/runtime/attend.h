/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Staying with a program until it ends: its signals, its terminal, its status.
 * For `run` and `exec` in the foreground. Private to src/runtime.
 *
 *	_cleanup_(attend_done) struct attend a = { 0 };
 *	r = attend_begin(&a, e);	before the clone: no signal is lost
 *	l.old_mask = attend_mask(&a);
 *	...
 *	status = attend_wait(&a, &l, e);
 */
#include "base/loop.h"
#include "src/runtime/launch.h"

struct console;

struct attend {
	struct loop *loop;
	struct console *console;
	const struct launch *launch;
	int status;
	int stop; /* readable: a signal that ends us as long as nothing runs */
};

MUST_CHECK int attend_begin(struct attend *a, struct err *e);
const sigset_t *attend_mask(const struct attend *a);
/* The program's exit status, 0..255. The process is reaped. */
MUST_CHECK int attend_wait(struct attend *a, struct launch *l, struct err *e);
/* What a launch that failed with r ends with: r, or the status of a program
 * that the signal had killed, when it was called off by one. */
MUST_CHECK int attend_stopped(const struct attend *a, int r);
void attend_done(struct attend *a);

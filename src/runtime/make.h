/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An environment in the making, from config.json to a process that is ready
 * to become its program. Private to src/runtime: create.c and run.c drive it.
 *
 *	make_plan	read and decide; nothing has been done yet
 *	make_reserve	the id is ours
 *	make_execute	groups, processes, hooks
 *	make_announce	state, console, pid file
 *
 * A step that fails is undone by env_erase(), the end of "delete": what a
 * failed create and what a killed one leave is removed by the same code.
 */
#include "src/oci/plan.h"
#include "src/oci/state.h"
#include "src/runtime/launch.h"
#include "src/runtime/notify.h"
#include "src/runtime/rt.h"
#include "src/runtime/vm.h"

struct make {
	const struct rt_context *ctx;
	const struct rt_create *args;
	bool waits; /* create: until "start"; run: for our word */
	char *bundle;
	char *notify_dir; /* on the host; NULL: nobody waits for it */
	struct plan plan;
	struct state state;
	int dir;
	struct cg *cgroup;
	struct rt_vm *vm; /* NULL: a container */
	struct launch launch;
	struct notify notify;
};

#define MAKE_INIT                                                              \
	{                                                                      \
		.dir = -1, .launch = LAUNCH_INIT, .notify = NOTIFY_INIT        \
	}

MUST_CHECK int make_plan(struct make *m, struct err *e);
MUST_CHECK int make_reserve(struct make *m, struct err *e);
MUST_CHECK int make_execute(struct make *m, struct err *e);
/* Parts of make_execute(), for a restore: groups; its init, once there is one;
 * the limits that wait for it. */
MUST_CHECK int make_group(struct make *m, struct err *e);
MUST_CHECK int make_note_init(struct make *m, struct err *e);
MUST_CHECK int make_limit(struct make *m, struct err *e);
MUST_CHECK int make_announce(struct make *m, struct err *e);
/* Others may work on it now. */
void make_unlock(struct make *m);
void make_done(struct make *m);
/* Kills, erases, releases the lock, runs the poststop hooks. */
void make_undo(struct make *m);

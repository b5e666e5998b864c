/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Starting one process by a plan: the parent's half. The child's half is
 * child.c; what they say to each other is drawn in sync.h.
 *
 *	_cleanup_(rt_launch_done) struct launch l = LAUNCH_INIT;
 *	l.plan = &plan; l.process = &plan.process; ...
 *	r = rt_launch_prepare(&l, e);	what needs our own namespaces
 *	r = rt_launch_clone(&l, e);	the child exists, in its cgroup
 *	r = rt_launch_build(&l, e);	its world stands; hooks may run
 *	r = rt_launch_listen(&l, e);	the listener of its profile
 *	r = rt_launch_finish(&l, e);	identity, seccomp: ready to execute
 *	r = rt_launch_go(&l, e);	it executes
 *
 * The same code starts a container's init, a program in a running container
 * (exec: .init_pidfd) and, in a micro-VM's guest, both. Whoever calls kills and
 * reaps l.pid when a step fails; rt_launch_done() releases the rest.
 */
#include "src/runtime/launch_state.h"

MUST_CHECK int rt_launch_prepare(struct launch *l, struct err *e);
/* Sources of l->plan's mounts; part of prepare, but not for exec. */
MUST_CHECK int rt_launch_open_mounts(struct launch *l, struct err *e);
MUST_CHECK int rt_launch_clone(struct launch *l, struct err *e);
/* Until the child's mounts stand. When rt_launch_has_hooks(), the caller then
 * runs the hooks of that moment and calls rt_launch_hooked(). */
MUST_CHECK int rt_launch_build(struct launch *l, struct err *e);
MUST_CHECK int rt_launch_hooked(struct launch *l, const char *state,
				struct err *e);
/* Takes l->listener, where the profile has one: for the caller to hand on
 * before the child does more, which may be what its agent is asked for. */
MUST_CHECK int rt_launch_listen(struct launch *l, struct err *e);
MUST_CHECK int rt_launch_finish(struct launch *l, struct err *e);
/* Not with a start FIFO: then "start" says it. */
MUST_CHECK int rt_launch_go(struct launch *l, struct err *e);
/* netDevices: to the container that was cloned, and back when its making
 * fails. */
MUST_CHECK int rt_devices_move(struct launch *l, struct err *e);
void rt_devices_return(struct launch *l);
/* Kills and reaps a child that must not live. */
void rt_launch_abort(struct launch *l);

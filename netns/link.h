/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links of a network namespace. */
#include "base/err.h"

/* Brings "lo" up in the caller's network namespace. */
MUST_CHECK int net_loopback_up(struct err *e);

/*
 * Moves a link from one network namespace to another, both given by descriptor,
 * and brings it up there. Its lasting addresses of global scope come along; by
 * itself the kernel would forget them. When it fails the link is where it was.
 * We stay where we are.
 */
struct net_move {
	int from, to;
	const char *name;
	const char *name_there;
};
MUST_CHECK int net_link_move(const struct net_move *move, struct err *e);

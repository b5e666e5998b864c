/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The systemd driver: transient scopes, and slices for envelopes.
 *
 * A scope exists only around a process. So that the group is there before the
 * container's first process, and that can be cloned right into it, a holder
 * is forked: a process that does nothing, is what the scope is started with,
 * and goes as soon as somebody else is in. If we die, it goes too, and systemd
 * removes the scope.
 *
 * Limits go to systemd as properties, or a daemon-reload would write its own
 * ideas over ours; and they are written to the files as well, where the kernel
 * judges them one by one and systemd's roundings do not matter.
 */
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/cg.h"
#include "cgroups/dbus_link.h"
#include "cgroups/place.h"

#define CG_SYSTEMD_TIMEOUT_MS 30000

struct cg_unit {
	char *name; /* NULL: not systemd's */
	bool found; /* it was running before */
	bool user;  /* of the user's manager */
	pid_t holder;
	int holder_fd; /* closing it ends the holder */
};

/* Starts the unit. *ret_group: its group as the manager's host sees it,
 * "/system.slice/x.scope". */
MUST_CHECK int cg_systemd_start(const struct cg_config *config,
				const struct cg_place *place,
				const struct cg_limits *limits,
				struct cg_unit *unit, char **ret_group,
				struct err *e);
/* The same for one that runs already; -ENOENT. */
MUST_CHECK int cg_systemd_find(const struct cg_config *config,
			       const struct cg_place *place,
			       struct cg_unit *unit, char **ret_group,
			       struct err *e);
/* The limits as properties of the running unit, until it stops. */
MUST_CHECK int cg_systemd_set(const struct cg_unit *unit,
			      const struct cg_limits *limits, struct err *e);
/* For a process that we have no right to move ourselves. below: the group in
 * the unit, "/a/b", NULL for the unit's own. */
MUST_CHECK int cg_systemd_attach(const struct cg_unit *unit, const char *below,
				 pid_t pid, struct err *e);
/* Stops it and forgets its failure; not there is fine. */
MUST_CHECK int cg_systemd_stop(const struct cg_unit *unit, int timeout_ms,
			       struct err *e);

/* --- systemd_holder.c -----------------------------------------------------*/

MUST_CHECK int cg_unit_hold(struct cg_unit *unit, struct err *e);
/* The holder may go. */
void cg_unit_release(struct cg_unit *unit);
void cg_unit_done(struct cg_unit *unit);

/* --- systemd_props.c ------------------------------------------------------*/

/* Appends the limits to an open a(sv). new_scope: what only a new one takes.
 * version: of systemd, 0 when cg_systemd_ages() said that it does not matter.
 */
MUST_CHECK int cg_systemd_limits(struct cg_dbus_out *m,
				 const struct cg_limits *l, bool new_scope,
				 unsigned int version, struct err *e);
/* Something is asked for that only a newer systemd knows. */
bool cg_systemd_ages(const struct cg_limits *l);
/* One property from an annotation; "xSec" in seconds becomes "xUSec". */
MUST_CHECK int cg_systemd_property(struct cg_dbus_out *m, const char *name,
				   const char *text, struct err *e);
void cg_systemd_put_str(struct cg_dbus_out *m, const char *name, const char *v);
void cg_systemd_put_bool(struct cg_dbus_out *m, const char *name, bool v);

/* systemd_devices.c */
MUST_CHECK int cg_systemd_put_devices(struct cg_dbus_out *m,
				      const struct cg_device_rules *rules,
				      struct err *e);

/* "0-3,8" as the bit mask systemd reads, *ret the caller's. */
MUST_CHECK int cg_systemd_mask(const char *list, uint8_t **ret, size_t *ret_n);

/* --- systemd_link.c -------------------------------------------------------*/

/* Connects to the system's or the user's manager; a sentence when there is
 * none or it does not answer. */
MUST_CHECK int cg_systemd_connect(struct cg_dbus_link *l, bool user,
				  int timeout_ms, struct err *e);
void cg_systemd_call(const struct cg_dbus_link *l, struct cg_dbus_out *m,
		     const char *method, const char *signature);

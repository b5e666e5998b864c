/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * User and group mappings of a user namespace, and of idmapped mounts.
 *
 * Written directly where we may, else by newuidmap(1) and newgidmap(1), which
 * check /etc/subuid and /etc/subgid; a single own id needs neither.
 */
#include <sys/types.h>

#include "base/json.h"

struct ns_idmap {
	uint32_t container_id; /* first id inside */
	uint32_t host_id;      /* first id outside */
	uint32_t size;
};
extern const struct json_table ns_idmap_table;

struct ns_idmaps JSON_VEC_NAMED_(struct ns_idmap);

struct ns_map {
	struct ns_idmaps uids, gids;
};

/* Ranges do not overlap, wrap or exceed the kernel's 340 lines. */
MUST_CHECK int ns_idmap_check(const struct ns_idmaps *m, const char *what,
			      struct err *e);
/* The id outside for one inside; -ENOENT when it has none. */
MUST_CHECK int ns_idmap_host(const struct ns_idmaps *m, uint32_t container_id,
			     uint32_t *ret);

/* uid_map, setgroups and gid_map of a process that has just been cloned. */
MUST_CHECK int ns_idmap_write(pid_t pid, const struct ns_map *map,
			      struct err *e);

/* A user namespace with these mappings, for mount_setattr(MOUNT_ATTR_IDMAP);
 * the process that held it is gone when this returns. */
MUST_CHECK int ns_idmap_userns(const struct ns_map *map, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "namespaces/idmap.h"
#include "src/agent/agent.h"
#include "src/oci/plan_split.h"

/*
 * The plan's disks, as this kernel knows them: found by their serial number,
 * for the order in which it has found them is its own. Each becomes a device of
 * the environment, which its group may use.
 */
#define DISKS "/sys/block"

/* A driver may look for its devices behind our back. */
#define TRIES	 5000
#define PAUSE_NS 1000000

static int read_number(int dir, const char *name, struct ns_device *ret)
{
	char path[300], text[32];
	unsigned int major, minor;
	char *colon;

	(void)snprintf(path, sizeof(path), "%s/dev", name);
	if (fd_read_small_at(dir, path, text, sizeof(text)) < 0)
		return -ENODEV;
	colon = strchr(text, ':');
	if (!colon)
		return -ENODEV;
	*colon = '\0';
	if (str_to_u32(text, &major) < 0 || str_to_u32(colon + 1, &minor) < 0)
		return -ENODEV;
	ret->major = major;
	ret->minor = minor;
	return 0;
}

static bool has_serial(int dir, const char *name, const char *serial)
{
	char path[300], text[32];

	(void)snprintf(path, sizeof(path), "%s/serial", name);
	return fd_read_small_at(dir, path, text, sizeof(text)) >= 0 &&
	       str_eq(text, serial);
}

static int look_for(const char *serial, struct ns_device *ret)
{
	autoclosedir DIR *dir = opendir(DISKS);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (has_serial(dirfd(dir), d->d_name, serial))
			return read_number(dirfd(dir), d->d_name, ret);
	return -ENODEV;
}

static int await_disk(size_t i, struct ns_device *ret, struct err *e)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	char serial[32];

	(void)snprintf(serial, sizeof(serial), PLAN_DISK_SERIAL, i);
	for (int try = 0; try < TRIES; try++) {
		if (look_for(serial, ret) == 0)
			return 0;
		/* allow nanosleep: nothing tells that a driver has looked */
		(void)nanosleep(&pause, NULL);
	}
	return err_set(e, -ENODEV, "this kernel does not see it");
}

/* Where a user namespace, which can make none, looks for a node to bind; its
 * owner is one of the environment's users. */
static int make_node(const struct plan *p, const struct ns_device *n,
		     struct err *e)
{
	dev_t number = makedev((unsigned int)n->major, (unsigned int)n->minor);
	uint32_t uid = n->uid, gid = n->gid;
	char path[64];
	int r = 0;

	if (!plan_makes(p, NS_USER))
		return 0;
	r = ns_idmap_host(&p->map.uids, n->uid, &uid);
	if (r == 0)
		r = ns_idmap_host(&p->map.gids, n->gid, &gid);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/dev/block/%u:%u", major(number),
		       minor(number));
	if ((mkdir("/dev/block", 0755) < 0 && errno != EEXIST) ||
	    (mknod(path, S_IFBLK | 0600, number) < 0 && errno != EEXIST) ||
	    chown(path, uid, gid) < 0 || chmod(path, n->mode & 0777) < 0)
		return err_errno(e, "make '%s'", path);
	return 0;
}

/* Takes over n->path. */
static int add_device(struct plan *p, const struct ns_device *n, struct err *e)
{
	struct ns_device *v =
		reallocarray(p->devices.v, p->devices.n + 1, sizeof(*v));

	if (!v) {
		free(n->path);
		return err_nomem(e);
	}
	p->devices.v = v;
	v[p->devices.n++] = *n;
	return 0;
}

/* The last rule counts. Without any, nobody filters. */
static int add_rule(struct plan *p, const struct ns_device *n, bool readonly,
		    struct err *e)
{
	struct cg_device_rules *rules = &p->limits.devices;
	struct cg_device_rule *v;

	if (rules->n == 0)
		return 0;
	v = reallocarray(rules->v, rules->n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	rules->v = v;
	v[rules->n++] = (struct cg_device_rule){
		.allow = true,
		.type = CG_DEVICE_BLOCK,
		.major = { .set = true, .v = (uint32_t)n->major },
		.minor = { .set = true, .v = (uint32_t)n->minor },
		.access = CG_DEVICE_READ | CG_DEVICE_MKNOD |
			  (readonly ? 0 : CG_DEVICE_WRITE),
	};
	return 0;
}

static int add_disk(struct plan *p, size_t i, struct err *e)
{
	struct plan_disk *d = &p->disks.v[i];
	struct ns_device n = {
		.type = 'b',
		.mode = d->mode,
		.uid = d->uid,
		.gid = d->gid,
	};
	int r = await_disk(i, &n, e);

	if (r == 0)
		r = make_node(p, &n, e);
	if (r == 0)
		r = add_rule(p, &n, d->readonly, e);
	if (r < 0)
		return r;
	n.path = steal_ptr(d->path);
	return add_device(p, &n, e);
}

int agent_add_disks(struct plan *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < p->disks.n && r == 0; i++) {
		r = add_disk(p, i, e);
		if (r < 0)
			return err_wrap(e, r, "disk %zu", i);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The change of identity. Each step needs a right that a later one takes:
 *
 *	bounding set	needs CAP_SETPCAP, so before it is dropped
 *	keep caps	or the change of uid clears what is permitted
 *	groups, gid	need CAP_SETGID, so before uid and sets
 *	uid		clears the effective set, with or without keep caps
 *	three sets	permitted last allowed what is effective, inheritable
 *	ambient		must be permitted and inheritable
 *
 * By raw system calls: they change this thread, and there is only one; libc's
 * would stop to ask others.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces/caps.h"

/* clang-format off */
static const struct json_field user_fields[] = {
	JSON_U32(struct ns_user, uid,       "uid", .required = true, .always = true),
	JSON_U32(struct ns_user, gid,       "gid", .required = true, .always = true),
	JSON_U32V(struct ns_user, groups,   "additionalGids"),
	JSON_BOOL(struct ns_user, keep_groups, "keepGroups"),
	JSON_OPT_U32(struct ns_user, umask, "umask"),
};
/* clang-format on */

const struct json_table ns_user_table = JSON_TABLE(struct ns_user, user_fields);

static const char *name_of(unsigned int cap)
{
	const char *name = ns_cap_name(cap);

	return name ? name : "unknown to us";
}

static int drop_bounding(uint64_t keep, struct err *e)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		int have;

		if ((keep >> cap) & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		have = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (have < 0) /* the kernel's last one is behind us */
			break;
		/* What is gone already needs no right to be dropped. */
		if (have == 0)
			continue;
		return err_set(
			e, -EPERM,
			"drop capability '%s' for good: needs CAP_SETPCAP",
			name_of(cap));
	}
	return 0;
}

static int set_groups(const struct ns_user *u, struct err *e)
{
	if (u->keep_groups)
		return 0;
	if (syscall(SYS_setgroups, u->groups.n, u->groups.v) == 0)
		return 0;
	/* A user namespace with one mapped id forbids it altogether. */
	if (errno == EPERM && u->groups.n == 0)
		return 0;
	if (errno == EPERM)
		return err_set(
			e, -EPERM,
			"set additional groups: the user namespace forbids it");
	if (errno == EINVAL)
		return err_set(
			e, -EINVAL,
			"set additional groups: one is not mapped in the user namespace");
	return err_errno(e, "set additional groups");
}

static int set_ids(const struct ns_user *u, struct err *e)
{
	int r = set_groups(u, e);

	if (r < 0)
		return r;
	if (syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0)
		return errno == EINVAL
			       ? err_set(e, -EINVAL,
					 "gid %" PRIu32
					 " is not mapped in the user namespace",
					 u->gid)
			       : err_errno(e, "become gid %" PRIu32, u->gid);
	if (syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0)
		return errno == EINVAL
			       ? err_set(e, -EINVAL,
					 "uid %" PRIu32
					 " is not mapped in the user namespace",
					 u->uid)
			       : err_errno(e, "become uid %" PRIu32, u->uid);
	return 0;
}

/* The first one asked for that we do not have ourselves. */
static int capset_refused(const struct ns_caps *c, struct err *e)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t have;

	if (syscall(SYS_capget, &header, data) < 0)
		return err_errno(e, "set capabilities");
	have = data[0].permitted | (uint64_t)data[1].permitted << 32;
	for (unsigned int cap = 0; cap < 64; cap++)
		if ((c->permitted & ~have) >> cap & 1)
			return err_set(
				e, -EPERM,
				"set capabilities: '%s' is not ours to give",
				name_of(cap));
	return err_set(
		e, -EPERM,
		"set capabilities: what is effective or inheritable must be permitted");
}

static int set_sets(const struct ns_caps *c, struct err *e)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(c->effective >> (32 * i));
		data[i].permitted = (uint32_t)(c->permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(c->inheritable >> (32 * i));
	}
	if (syscall(SYS_capset, &header, data) == 0)
		return 0;
	return errno == EPERM ? capset_refused(c, e)
			      : err_errno(e, "set capabilities");
}

static int set_ambient(const struct ns_caps *c, struct err *e)
{
	/* Whoever started us may have left some. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_errno(e, "clear ambient capabilities");
	for (unsigned int cap = 0; cap < 64 && c->ambient >> cap; cap++) {
		if (!((c->ambient >> cap) & 1))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_errno(e, "raise ambient capability '%s'",
					 ns_cap_name(cap) ? ns_cap_name(cap)
							  : "?");
	}
	return 0;
}

int ns_user_become(const struct ns_user *u, const struct ns_caps *c,
		   struct err *e)
{
	int r;

	if (c->set) {
		r = drop_bounding(c->bounding, e);
		if (r < 0)
			return r;
		if (u->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
			return err_errno(e, "keep capabilities");
	}

	r = set_ids(u, e);
	if (r < 0)
		return r;
	if (c->set) {
		r = set_sets(c, e);
		if (r >= 0)
			r = set_ambient(c, e);
	}
	(void)umask(u->umask.set ? u->umask.v & 0777 : 0022);
	return r;
}

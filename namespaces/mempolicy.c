/* SPDX-License-Identifier: Apache-2.0 */
/* Memory policy and personality. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "namespaces/bits.h"
#include "namespaces/sched.h"

/* MAX_NUMNODES of every architecture is at most this. */
#define MAX_NODES 1024

/* Newer than the headers of Debian 12. */
#define WEIGHTED_INTERLEAVE 6

/* clang-format off */
static const struct json_field memory_policy_fields[] = {
	JSON_STR(struct ns_memory_policy, mode,   "mode", .required = true),
	JSON_STR(struct ns_memory_policy, nodes,  "nodes"),
	JSON_STRV(struct ns_memory_policy, flags, "flags"),
};

static const struct json_field personality_fields[] = {
	JSON_STR(struct ns_personality, domain, "domain", .required = true),
	JSON_STRV(struct ns_personality, flags, "flags"),
};

enum nodes {
	NODES_NONE,   /* must not be given */
	NODES_MAY,
	NODES_MUST,
};

static const struct mode {
	const char *name;
	int value;
	enum nodes nodes;
} modes[] = {
	{ "MPOL_BIND",                MPOL_BIND,           NODES_MUST },
	{ "MPOL_DEFAULT",             MPOL_DEFAULT,        NODES_NONE },
	{ "MPOL_INTERLEAVE",          MPOL_INTERLEAVE,     NODES_MUST },
	{ "MPOL_LOCAL",               MPOL_LOCAL,          NODES_NONE },
	{ "MPOL_PREFERRED",           MPOL_PREFERRED,      NODES_MAY },
	{ "MPOL_PREFERRED_MANY",      MPOL_PREFERRED_MANY, NODES_MUST },
	{ "MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE, NODES_MUST },
};

const char *const ns_memory_policy_modes[] = {
	"MPOL_BIND", "MPOL_DEFAULT", "MPOL_INTERLEAVE", "MPOL_LOCAL",
	"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
	NULL,
};

struct flag {
	const char *name;
	unsigned long value;
};

static const struct flag memory_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES",   MPOL_F_STATIC_NODES },
	{ NULL, 0 },
};

const char *const ns_memory_policy_flags[] = {
	"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
	"MPOL_F_STATIC_NODES", NULL,
};

static const struct flag domains[] = {
	{ "LINUX",   PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
	{ NULL, 0 },
};

/* The specification names none yet; these are the kernel's. */
static const struct flag personality_flags[] = {
	{ "ADDR_COMPAT_LAYOUT", ADDR_COMPAT_LAYOUT },
	{ "ADDR_LIMIT_32BIT",   ADDR_LIMIT_32BIT },
	{ "ADDR_LIMIT_3GB",     ADDR_LIMIT_3GB },
	{ "ADDR_NO_RANDOMIZE",  ADDR_NO_RANDOMIZE },
	{ "MMAP_PAGE_ZERO",     MMAP_PAGE_ZERO },
	{ "READ_IMPLIES_EXEC",  READ_IMPLIES_EXEC },
	{ "SHORT_INODE",        SHORT_INODE },
	{ "STICKY_TIMEOUTS",    STICKY_TIMEOUTS },
	{ "UNAME26",            UNAME26 },
	{ "WHOLE_SECONDS",      WHOLE_SECONDS },
	{ NULL, 0 },
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(modes) + 1 == ARRAY_SIZE(ns_memory_policy_modes),
	       "every mode has its name in the list");

const struct json_table ns_memory_policy_table =
	JSON_TABLE(struct ns_memory_policy, memory_policy_fields);
const struct json_table ns_personality_table =
	JSON_TABLE(struct ns_personality, personality_fields);

static int find(const struct flag *list, const char *name, unsigned long *ret)
{
	for (; list->name; list++) {
		if (!str_eq(list->name, name))
			continue;
		*ret |= list->value;
		return 0;
	}
	return -EINVAL;
}

/* A policy with its words resolved. */
struct policy {
	const struct mode *mode;
	unsigned long flags;
	uint64_t nodes[MAX_NODES / 64];
};

static int resolve_mode(const struct ns_memory_policy *p, struct policy *ret,
			struct err *e)
{
	ret->mode = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (str_eq(modes[i].name, p->mode))
			ret->mode = &modes[i];
	if (!ret->mode)
		return err_set(e, -EINVAL, "unknown memory policy '%s'",
			       p->mode ? p->mode : "");
	return 0;
}

static int resolve_nodes(const struct ns_memory_policy *p, struct policy *ret,
			 struct err *e)
{
	bool given = p->nodes && *p->nodes;

	(void)memset(ret->nodes, 0, sizeof(ret->nodes));
	if (given && ret->mode->nodes == NODES_NONE)
		return err_set(e, -EINVAL, "%s takes no nodes", p->mode);
	if (!given && ret->mode->nodes == NODES_MUST)
		return err_set(e, -EINVAL, "%s needs nodes", p->mode);
	if (given && ns_bits_parse(p->nodes, ret->nodes, MAX_NODES) < 0)
		return err_set(e, -EINVAL, "'%s' is not a list of nodes",
			       p->nodes);
	return 0;
}

/* As sanitize_mpol_flags() and mpol_new() of the kernel have it. */
static int check_flags(const struct ns_memory_policy *p, const struct policy *v,
		       struct err *e)
{
	const unsigned long both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;

	if ((v->flags & both) == both)
		return err_set(
			e, -EINVAL,
			"MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
	if ((v->flags & both) && (!p->nodes || !*p->nodes))
		return err_set(e, -EINVAL, "%s without nodes takes no flags",
			       p->mode);
	if ((v->flags & MPOL_F_NUMA_BALANCING) && v->mode->value != MPOL_BIND &&
	    v->mode->value != MPOL_PREFERRED_MANY)
		return err_set(
			e, -EINVAL,
			"MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY only");
	return 0;
}

static int resolve(const struct ns_memory_policy *p, struct policy *ret,
		   struct err *e)
{
	int r = resolve_mode(p, ret, e);

	if (r >= 0)
		r = resolve_nodes(p, ret, e);
	if (r < 0)
		return r;
	ret->flags = 0;
	STRV_FOREACH(name, p->flags)
		if (find(memory_flags, *name, &ret->flags) < 0)
			return err_set(e, -EINVAL,
				       "unknown memory policy flag '%s'",
				       *name);
	return check_flags(p, ret, e);
}

int ns_memory_policy_check(const struct ns_memory_policy *p, struct err *e)
{
	struct policy v;

	return resolve(p, &v, e);
}

int ns_memory_policy_set(const struct ns_memory_policy *p, struct err *e)
{
	struct policy v;
	int r = resolve(p, &v, e);
	bool given = p->nodes && *p->nodes;

	if (r < 0)
		return r;
	/* One more than there are bits: the kernel takes one off. */
	if (syscall(SYS_set_mempolicy, v.mode->value | (int)v.flags,
		    given ? v.nodes : NULL, given ? MAX_NODES + 1 : 0) == 0)
		return 0;
	if (errno == ENOSYS)
		return err_set(e, -ENOSYS, "set %s: the kernel has no NUMA",
			       p->mode);
	if (errno == EINVAL)
		return err_set(
			e, -EINVAL,
			"set %s: the kernel does not know it, or none of the nodes '%s' is there for us",
			p->mode, given ? p->nodes : "");
	return err_errno(e, "set %s", p->mode);
}

static int resolve_personality(const struct ns_personality *p,
			       unsigned long *ret, struct err *e)
{
	*ret = 0;
	if (find(domains, p->domain, ret) < 0)
		return err_set(e, -EINVAL, "unknown personality '%s'",
			       p->domain ? p->domain : "");
	STRV_FOREACH(name, p->flags)
		if (find(personality_flags, *name, ret) < 0)
			return err_set(e, -EINVAL,
				       "unknown personality flag '%s'", *name);
	return 0;
}

int ns_personality_check(const struct ns_personality *p, struct err *e)
{
	unsigned long persona;

	return resolve_personality(p, &persona, e);
}

int ns_personality_set(const struct ns_personality *p, struct err *e)
{
	unsigned long persona;
	int r = resolve_personality(p, &persona, e);

	if (r < 0)
		return r;
	if (personality(persona) < 0)
		return err_errno(e, "set personality '%s'", p->domain);
	return 0;
}

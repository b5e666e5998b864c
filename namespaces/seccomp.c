/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "namespaces/seccomp_priv.h"

/* Newer than some headers: Linux 5.7 and 5.19. */
#define FLAG_TSYNC_ESRCH	((uint32_t)1 << 4)
#define FLAG_WAIT_KILLABLE_RECV ((uint32_t)1 << 5)

#define MAX_ARGS  6
#define MAX_ERRNO 4095

/* clang-format off */
static const struct json_field arg_fields[] = {
	JSON_U32(struct ns_seccomp_arg, index,     "index", .required = true, .always = true),
	JSON_U64(struct ns_seccomp_arg, value,     "value", .required = true, .always = true),
	JSON_U64(struct ns_seccomp_arg, value_two, "valueTwo"),
	JSON_STR(struct ns_seccomp_arg, op,        "op", .required = true),
};
static const struct json_table arg_table =
	JSON_TABLE(struct ns_seccomp_arg, arg_fields);

static const struct json_field rule_fields[] = {
	JSON_STRV(struct ns_seccomp_rule, names,        "names", .required = true),
	JSON_STR(struct ns_seccomp_rule, action,        "action", .required = true),
	JSON_OPT_U32(struct ns_seccomp_rule, errno_ret, "errnoRet"),
	JSON_VEC(struct ns_seccomp_rule, args,          "args", struct ns_seccomp_arg, arg_table),
};
static const struct json_table rule_table =
	JSON_TABLE(struct ns_seccomp_rule, rule_fields);

static const struct json_field seccomp_fields[] = {
	JSON_STR(struct ns_seccomp, default_action,        "defaultAction", .required = true),
	JSON_OPT_U32(struct ns_seccomp, default_errno_ret, "defaultErrnoRet"),
	JSON_STRV(struct ns_seccomp, architectures,        "architectures"),
	JSON_STRV(struct ns_seccomp, flags,                "flags"),
	JSON_STR(struct ns_seccomp, listener_path,         "listenerPath"),
	JSON_STR(struct ns_seccomp, listener_metadata,     "listenerMetadata"),
	JSON_BOOL(struct ns_seccomp, strict,               "strict"),
	JSON_VEC(struct ns_seccomp, rules,                 "syscalls", struct ns_seccomp_rule, rule_table),
};

static const struct {
	const char *name;
	enum ns_action action;
} actions[] = {
	{ "SCMP_ACT_ALLOW",        NS_ACT_ALLOW },
	{ "SCMP_ACT_ERRNO",        NS_ACT_ERRNO },
	{ "SCMP_ACT_KILL",         NS_ACT_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", NS_ACT_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD",  NS_ACT_KILL_THREAD },
	{ "SCMP_ACT_LOG",          NS_ACT_LOG },
	{ "SCMP_ACT_NOTIFY",       NS_ACT_NOTIFY },
	{ "SCMP_ACT_TRACE",        NS_ACT_TRACE },
	{ "SCMP_ACT_TRAP",         NS_ACT_TRAP },
};

const char *const ns_seccomp_actions[] = {
	"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
	"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
	"SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", NULL,
};

/* In the order of enum ns_op. */
const char *const ns_seccomp_operators[] = {
	"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE",
	"SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", NULL,
};

static const struct {
	const char *name;
	uint32_t flag;
} flags[] = {
	{ "SECCOMP_FILTER_FLAG_LOG",                SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW",         SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_TSYNC",              SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", FLAG_WAIT_KILLABLE_RECV },
};

const char *const ns_seccomp_flags_known[] = {
	"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	NULL,
};
/* clang-format on */

const struct json_table ns_seccomp_table =
	JSON_TABLE(struct ns_seccomp, seccomp_fields);

static int index_of(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (str_eq(names[i], name))
			return i;
	return -EINVAL;
}

int ns_seccomp_action(const char *name, enum ns_action *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!str_eq(actions[i].name, name))
			continue;
		*ret = actions[i].action;
		return 0;
	}
	return -EINVAL;
}

int ns_seccomp_op(const char *name, enum ns_op *ret)
{
	int i = index_of(ns_seccomp_operators, name);

	if (i < 0)
		return i;
	*ret = (enum ns_op)i;
	return 0;
}

/* --- checking -------------------------------------------------------------*/

static int check_action(const char *name, const struct opt_u32 *code,
			enum ns_action *ret, struct err *e)
{
	if (ns_seccomp_action(name, ret) < 0)
		return err_set(e, -EINVAL, "unknown action '%s'",
			       name ? name : "");
	if (!code->set)
		return 0;
	if (*ret != NS_ACT_ERRNO && *ret != NS_ACT_TRACE)
		return err_set(e, -EINVAL, "'%s' takes no errno", name);
	if (code->v > (*ret == NS_ACT_ERRNO ? MAX_ERRNO : UINT16_MAX))
		return err_set(e, -EINVAL, "errno %u is too large", code->v);
	return 0;
}

static int check_arg(const struct ns_seccomp_arg *a, struct err *e)
{
	enum ns_op op;

	if (a->index >= MAX_ARGS)
		return err_set(e, -EINVAL, "argument %u: system calls have six",
			       a->index);
	if (ns_seccomp_op(a->op, &op) < 0)
		return err_set(e, -EINVAL, "unknown operator '%s'",
			       a->op ? a->op : "");
	return 0;
}

static int check_rule(const struct ns_seccomp *s,
		      const struct ns_seccomp_rule *rule, struct err *e)
{
	enum ns_action action = NS_ACT_ALLOW;
	int r = check_action(rule->action, &rule->errno_ret, &action, e);

	if (r < 0)
		return r;
	if (strv_len(rule->names) == 0)
		return err_set(e, -EINVAL, "no names");
	for (size_t i = 0; i < rule->args.n && r >= 0; i++)
		r = check_arg(&rule->args.v[i], e);
	if (r < 0 || action != NS_ACT_NOTIFY)
		return r;

	/* The runtime itself has to write to hand the listener over. */
	if (strv_has(rule->names, "write"))
		return err_set(e, -EINVAL,
			       "SCMP_ACT_NOTIFY cannot be used for 'write'");
	if (!s->listener_path || !*s->listener_path)
		return err_set(e, -EINVAL,
			       "SCMP_ACT_NOTIFY needs a listenerPath");
	return 0;
}

static int check_words(const struct ns_seccomp *s, struct err *e)
{
	STRV_FOREACH(arch, s->architectures)
		if (index_of(ns_seccomp_archs, *arch) < 0)
			return err_set(e, -EINVAL, "unknown architecture '%s'",
				       *arch);
	STRV_FOREACH(flag, s->flags)
		if (index_of(ns_seccomp_flags_known, *flag) < 0)
			return err_set(e, -EINVAL, "unknown flag '%s'", *flag);
	if (s->listener_metadata && !s->listener_path)
		return err_set(e, -EINVAL,
			       "listenerMetadata without a listenerPath");
	return 0;
}

int ns_seccomp_check(const struct ns_seccomp *s, struct err *e)
{
	enum ns_action action = NS_ACT_ALLOW;
	int r;

	r = check_action(s->default_action, &s->default_errno_ret, &action, e);
	if (r < 0)
		return err_wrap(e, r, "defaultAction");
	if (action == NS_ACT_NOTIFY)
		return err_set(e, -EINVAL,
			       "SCMP_ACT_NOTIFY cannot be the default action");
	r = check_words(s, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->rules.n; i++) {
		r = check_rule(s, &s->rules.v[i], e);
		if (r < 0)
			return err_wrap(e, r, "syscalls: [%zu]", i);
	}
	return 0;
}

/* --- compiling ------------------------------------------------------------*/

static bool wants_listener(const struct ns_seccomp *s)
{
	enum ns_action action;

	for (size_t i = 0; i < s->rules.n; i++)
		if (ns_seccomp_action(s->rules.v[i].action, &action) == 0 &&
		    action == NS_ACT_NOTIFY)
			return true;
	return false;
}

static uint32_t flag_value(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (strcmp(flags[i].name, name) == 0)
			return flags[i].flag;
	return 0;
}

/* Absent flags are not none: runc then spares the mitigation that makes every
 * program slow, and so do we. */
static uint32_t flags_of(const struct ns_seccomp *s, bool notify)
{
	uint32_t v = s->flags ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	STRV_FOREACH(name, s->flags)
		v |= flag_value(*name);
	if (!notify)
		return v & ~FLAG_WAIT_KILLABLE_RECV; /* nobody to wait for */
	/* A thread id and a descriptor cannot both be the answer. */
	if (v & SECCOMP_FILTER_FLAG_TSYNC)
		v |= FLAG_TSYNC_ESRCH;
	return v | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

int ns_seccomp_compile(const struct ns_seccomp *s, int cachefd,
		       struct ns_seccomp_program *ret, struct err *e)
{
	char key[NS_SECCOMP_KEY];
	struct ns_bpf bpf = { 0 };
	int r = -ENOENT;

	if (cachefd >= 0) {
		ns_seccomp_key(s, key);
		r = ns_seccomp_cache_read(cachefd, key, &bpf);
	}
	if (r < 0) {
		r = ns_seccomp_build(s, &bpf, e);
		if (r < 0)
			return r;
		/* What was warned of is warned of again. */
		if (cachefd >= 0 && r == 0)
			ns_seccomp_cache_write(cachefd, key, &bpf);
	}
	ret->bpf.v = (uint8_t *)bpf.v;
	ret->bpf.n = bpf.n * sizeof(*bpf.v);
	ret->notify = wants_listener(s);
	ret->flags = flags_of(s, ret->notify);
	return 0;
}

void ns_seccomp_program_done(struct ns_seccomp_program *p)
{
	free(p->bpf.v);
	(void)memset(p, 0, sizeof(*p));
}

/* --- loading --------------------------------------------------------------*/

/* clang-format off */
static const struct {
	int code;
	const char *why;
} failures[] = {
	{ EACCES, "needs no_new_privs or CAP_SYS_ADMIN" },
	{ EBUSY,  "a filter around us listens for notifications already" },
	{ EINVAL, "the kernel does not know a flag, or refuses the program" },
	{ ENOSYS, "the kernel has no seccomp filters" },
};
/* clang-format on */

static int load_failed(struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (failures[i].code == errno)
			return err_set(e, -errno, "load seccomp filter: %s",
				       failures[i].why);
	return err_errno(e, "load seccomp filter");
}

int ns_seccomp_load(const struct ns_seccomp_program *p, int *ret_listener,
		    struct err *e)
{
	struct sock_fprog prog = {
		.len = (unsigned short)(p->bpf.n / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(void *)p->bpf.v,
	};
	long fd;

	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->flags, &prog);
	if (fd < 0)
		return load_failed(e);
	*ret_listener = p->notify ? (int)fd : -1;
	return 0;
}

/* Asked with a program that cannot be read: EFAULT means that all before it
 * was fine. */
static bool is_supported(uint32_t flag)
{
	if (flag == FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 &&
	       errno == EFAULT;
}

int ns_seccomp_flags_supported(char ***ret)
{
	autostrv char **list = NULL;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && r >= 0; i++)
		if (is_supported(flags[i].flag))
			r = strv_add(&list, flags[i].name);
	if (r < 0)
		return r;
	*ret = steal_ptr(list);
	return 0;
}

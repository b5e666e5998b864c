/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "src/oci/plan_parts.h"

/*
 * What the specification has no key for is said by annotations "moat.*". One
 * that we do not know is refused: a misspelt isolation must not end as none.
 * Those of crun, "run.oci.*", which podman sets too, mean what they mean
 * there; one that we do not have is warned of, for crun ignores what it does
 * not know.
 */

#define PREFIX	    "moat."
#define CRUN_PREFIX "run.oci."

static int take_isolation(struct plan_draft *d, const char *v, struct err *e)
{
	for (int i = 0; plan_isolation_names[i]; i++) {
		if (!str_eq(v, plan_isolation_names[i]))
			continue;
		d->plan->isolation = i;
		d->isolation_said = true;
		return 0;
	}
	return err_set(e, -EINVAL, "'%.64s' is not one of container, vm", v);
}

#define LAYERS_MAX 500 /* of an overlay */

static int take_layers(struct plan_draft *d, const char *v, struct err *e)
{
	struct ns_root *root = &d->plan->root;
	int r;

	if (*v == '\0')
		return err_set(e, -EINVAL, "empty");
	if (plan_count(v, ':') >= LAYERS_MAX)
		return err_set(e, -EINVAL, "more than %d layers", LAYERS_MAX);
	if (strv_split(v, ':', &root->layers) < 0)
		return err_nomem(e);
	for (char **p = root->layers; *p; p++) {
		r = plan_copy_path(*p, p, e);
		if (r < 0)
			return err_wrap(e, r, "[%td]", p - root->layers);
	}
	return 0;
}

static int take_scratch(struct plan_draft *d, const char *v, struct err *e)
{
	return plan_copy_path(v, &d->plan->root.scratch, e);
}

static int take_bytes(const char *v, uint64_t *ret, struct err *e)
{
	if (str_to_bytes(v, ret) == 0 && *ret > 0)
		return 0;
	return err_set(e, -EINVAL, "'%.64s' is not a size like 512m or 2g", v);
}

static int take_scratch_size(struct plan_draft *d, const char *v, struct err *e)
{
	return take_bytes(v, &d->plan->root.scratch_size, e);
}

static int take_kernel(struct plan_draft *d, const char *v, struct err *e)
{
	return plan_copy_path(v, &d->plan->vm.kernel, e);
}

static int take_backend(struct plan_draft *d, const char *v, struct err *e)
{
	static const char *const backends[] = { "auto", "kvm", "qemu" };

	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (str_eq(v, backends[i]))
			return plan_copy(v, &d->plan->vm.backend, e);
	return err_set(e, -EINVAL, "'%.64s' is not one of auto, kvm, qemu", v);
}

static int take_vcpus(struct plan_draft *d, const char *v, struct err *e)
{
	if (str_to_u32(v, &d->vm_vcpus.v) < 0 || d->vm_vcpus.v == 0)
		return err_set(e, -EINVAL, "'%.64s' is not a number of vCPUs",
			       v);
	d->vm_vcpus.set = true;
	return 0;
}

static int take_memory(struct plan_draft *d, const char *v, struct err *e)
{
	d->vm_memory.set = true;
	return take_bytes(v, &d->vm_memory.v, e);
}

#define CPUS_MAX 1024 /* as many as the C library has a mask for */

static int add_cpus(void *arg, uint64_t first, uint64_t last)
{
	struct json_u32v *list = arg;
	uint32_t *grown;

	if (list->n + (last - first) >= CPUS_MAX)
		return -E2BIG;
	grown = realloc(list->v,
			(list->n + (last - first) + 1) * sizeof(*list->v));
	if (!grown)
		return -ENOMEM;
	list->v = grown;
	for (uint64_t cpu = first; cpu <= last; cpu++)
		list->v[list->n++] = (uint32_t)cpu;
	return 0;
}

static int take_pin(struct plan_draft *d, const char *v, struct err *e)
{
	int r = str_each_range(v, CPUS_MAX - 1, add_cpus, &d->plan->vm.pin);

	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0 || d->plan->vm.pin.n == 0)
		return err_set(e, -EINVAL,
			       "'%.64s' is not a list of CPUs like 0-3,6", v);
	return 0;
}

static int take_huge(struct plan_draft *d, const char *v, struct err *e)
{
	for (int i = 0; plan_huge_names[i]; i++) {
		if (!str_eq(v, plan_huge_names[i]))
			continue;
		d->plan->vm.huge = i;
		return 0;
	}
	return err_set(e, -EINVAL,
		       "'%.64s' is not one of advise, never, reserve", v);
}

static int take_ksm(struct plan_draft *d, const char *v, struct err *e)
{
	if (!str_eq(v, "true") && !str_eq(v, "false"))
		return err_set(e, -EINVAL, "'%.64s' is not true or false", v);
	d->plan->vm.ksm = str_eq(v, "true");
	return 0;
}

static int take_cmdline(struct plan_draft *d, const char *v, struct err *e)
{
	if (strpbrk(v, "\n\r"))
		return err_set(e, -EINVAL, "a line break");
	return plan_copy(v, &d->plan->vm.cmdline, e);
}

static int take_timeout(struct plan_draft *d, const char *v, struct err *e)
{
	uint64_t nano;

	if (str_to_nano(v, &nano) < 0 || nano < 1000000 ||
	    nano / 1000000 > INT32_MAX)
		return err_set(e, -EINVAL, "'%.64s' is not a time in seconds",
			       v);
	d->plan->vm.timeout_ms = (uint32_t)(nano / 1000000);
	return 0;
}

/* --- those of crun ---------------------------------------------------------*/

static bool is_on(const char *v)
{
	return !str_eq(v, "0");
}

static int take_keep_groups(struct plan_draft *d, const char *v, struct err *e)
{
	d->plan->process.user.keep_groups = is_on(v);
	return 0;
}

static int take_hooks_stdout(struct plan_draft *d, const char *v, struct err *e)
{
	return plan_copy_path(v, &d->plan->hooks_stdout, e);
}

static int take_hooks_stderr(struct plan_draft *d, const char *v, struct err *e)
{
	return plan_copy_path(v, &d->plan->hooks_stderr, e);
}

static int take_strict_seccomp(struct plan_draft *d, const char *v,
			       struct err *e)
{
	d->seccomp_strict = is_on(v);
	return 0;
}

static int take_receiver(struct plan_draft *d, const char *v, struct err *e)
{
	d->seccomp_receiver = v;
	return plan_check_absolute(v, e);
}

static int take_pidfd_receiver(struct plan_draft *d, const char *v,
			       struct err *e)
{
	return plan_copy_path(v, &d->plan->pidfd_receiver, e);
}

static int take_time_offset(struct plan_draft *d, const char *v, struct err *e)
{
	d->time_offset = v;
	return 0;
}

/* A filter that is not loaded would be less isolation than was asked for. */
static int take_bpf_data(struct plan_draft *d, const char *v, struct err *e)
{
	return err_set(e, -EOPNOTSUPP, "only linux.seccomp is a filter");
}

/* Its own annotation has the last word on isolation. */
static int take_handler(struct plan_draft *d, const char *v, struct err *e)
{
	if (!str_eq(v, "krun"))
		return err_set(e, -EOPNOTSUPP, "'%.64s' is not krun", v);
	if (!d->isolation_said)
		d->plan->isolation = PLAN_VM;
	return 0;
}

/* The scope is the container's group, which is what an empty one asks for. */
static int take_subgroup(struct plan_draft *d, const char *v, struct err *e)
{
	if (*v)
		log_warning("annotation '" CRUN_PREFIX
			    "systemd.subgroup': no group is made in the scope");
	return 0;
}

/* --- all --------------------------------------------------------------------*/

static const struct key {
	const char *name;
	int (*take)(struct plan_draft *d, const char *value, struct err *e);
} keys[] = {
	{ PREFIX "isolation", take_isolation },
	{ PREFIX "rootfs.layers", take_layers },
	{ PREFIX "rootfs.scratch", take_scratch },
	{ PREFIX "rootfs.scratch-size", take_scratch_size },
	{ PREFIX "vm.kernel", take_kernel },
	{ PREFIX "vm.backend", take_backend },
	{ PREFIX "vm.vcpus", take_vcpus },
	{ PREFIX "vm.memory", take_memory },
	{ PREFIX "vm.pin", take_pin },
	{ PREFIX "vm.huge-pages", take_huge },
	{ PREFIX "vm.ksm", take_ksm },
	{ PREFIX "vm.cmdline", take_cmdline },
	{ PREFIX "vm.timeout", take_timeout },
	{ CRUN_PREFIX "handler", take_handler },
	{ CRUN_PREFIX "hooks.stderr", take_hooks_stderr },
	{ CRUN_PREFIX "hooks.stdout", take_hooks_stdout },
	{ CRUN_PREFIX "keep_original_groups", take_keep_groups },
	{ CRUN_PREFIX "pidfd_receiver", take_pidfd_receiver },
	{ CRUN_PREFIX "seccomp.receiver", take_receiver },
	{ CRUN_PREFIX "seccomp_bpf_data", take_bpf_data },
	{ CRUN_PREFIX "seccomp_fail_unknown_syscall", take_strict_seccomp },
	{ CRUN_PREFIX "systemd.subgroup", take_subgroup },
	{ CRUN_PREFIX "timens_offset", take_time_offset },
};

#define DISK PREFIX "vm.disk."

static int take(struct plan_draft *d, const char *key, const char *value,
		struct err *e)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!str_eq(key, keys[i].name))
			continue;
		r = keys[i].take(d, value, e);
		return r < 0 ? err_wrap(e, r, "%s", key) : 0;
	}
	if (str_starts(key, DISK)) {
		r = plan_take_disk(d->plan, key + strlen(DISK), value, e);
		return r < 0 ? err_wrap(e, r, "%.128s", key) : 0;
	}
	if (str_starts(key, PREFIX))
		return err_set(e, -EINVAL,
			       "'%.128s' is not an annotation of moat", key);
	log_warning("annotation '%.128s' is not known and has no effect", key);
	return 0;
}

static int copy_map(const struct json_map *from, struct json_map *to,
		    struct err *e)
{
	int r;

	r = plan_copy_list(from->keys, &to->keys, e);
	if (r < 0)
		return r;
	to->n = from->n;
	return plan_copy_list(from->values, &to->values, e);
}

int plan_add_annotations(struct plan_draft *d, struct err *e)
{
	const struct json_map *a = &d->spec->annotations;
	int r;

	/* Whoever describes a virtual machine wants one, and less isolation
	 * than was asked for must be asked for by name. */
	if (d->ctx->isolation_vm || d->spec->vm)
		d->plan->isolation = PLAN_VM;
	for (size_t i = 0; i < a->n; i++) {
		if (!a->keys[i][0])
			return err_set(e, -EINVAL, "an empty key");
		if (!str_starts(a->keys[i], PREFIX) &&
		    !str_starts(a->keys[i], CRUN_PREFIX))
			continue;
		r = take(d, a->keys[i], a->values[i], e);
		if (r < 0)
			return r;
	}
	return copy_map(a, &d->plan->annotations, e);
}

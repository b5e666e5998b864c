/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "src/oci/plan_parts.h"

/*
 * A micro-VM gets as much as a container would: vCPUs from the CPU limit, RAM
 * from the memory limit. Who says it outright, in an annotation or in hwConfig,
 * is taken at his word, within what the host has.
 */

#define MIB		(1024 * (uint64_t)1024)
#define MEMORY_DEFAULT	(512 * MIB)
#define MEMORY_MIN	(128 * MIB) /* a distribution's kernel and the agent */
#define MEMORY_ALIGN	(2 * MIB)
#define TIMEOUT_DEFAULT 60000

/* The monitor itself, the shares' caches; tables by the size of the guest. QEMU
 * is the largest: 64 MiB of translated code (microvm/qemu_args.c), as much of
 * its own, virtiofsd. With 64 in all its guest, full, had it killed. */
#define OVERHEAD_FIXED (192 * MIB)
#define OVERHEAD_SHARE 128

/* --- keys of vm ------------------------------------------------------------*/

static int refuse(const char *what, const char *why, struct err *e)
{
	return err_set(e, -EOPNOTSUPP, "%s: %s", what, why);
}

static int check_hardware(const struct spec_vm_hardware *hw, struct err *e)
{
	if (hw->device_tree)
		return refuse("hwConfig: deviceTree",
			      "this machine describes itself by ACPI", e);
	if (hw->dtdevs && hw->dtdevs[0])
		return refuse("hwConfig: dtdevs",
			      "no device of the host is handed through", e);
	if (hw->iomems.n > 0)
		return refuse("hwConfig: iomems",
			      "no device of the host is handed through", e);
	if (hw->irqs.n > 0)
		return refuse("hwConfig: irqs",
			      "no device of the host is handed through", e);
	return 0;
}

static int check_keys(const struct spec_vm *s, struct err *e)
{
	if (s->hypervisor)
		return refuse(
			"hypervisor",
			"moat has its own; annotation moat.vm.backend chooses",
			e);
	if (s->image)
		return refuse(
			"image",
			"the guest's system is moat's own, the container's root comes from root",
			e);
	return s->hw_config ? check_hardware(s->hw_config, e) : 0;
}

static int set_kernel(const struct spec_vm_kernel *s, struct plan_vm *vm,
		      struct err *e)
{
	int r;

	/* The annotation is the later word: of a person, not of a template. */
	if (!vm->kernel) {
		r = plan_copy_path(s->path, &vm->kernel, e);
		if (r < 0)
			return err_wrap(e, r, "path");
	}
	if (s->initrd) {
		r = plan_copy_path(s->initrd, &vm->initrd, e);
		if (r < 0)
			return err_wrap(e, r, "initrd");
	}
	return 0;
}

static char *put(char *at, const char *word)
{
	size_t n = strlen(word);

	(void)memcpy(at, word, n);
	at[n] = ' ';
	return at + n + 1;
}

/* Parameters of the configuration, then those of the annotation. */
static int set_cmdline(char *const *parameters, struct plan_vm *vm,
		       struct err *e)
{
	size_t n = vm->cmdline ? strlen(vm->cmdline) + 1 : 0;
	char *text, *at;

	if (!parameters || !*parameters)
		return 0;
	for (size_t i = 0; parameters[i]; i++) {
		if (strpbrk(parameters[i], "\n\r"))
			return err_set(e, -EINVAL,
				       "parameters: [%zu]: a line break", i);
		n += strlen(parameters[i]) + 1;
	}
	at = text = malloc(n);
	if (!text)
		return err_nomem(e);
	STRV_FOREACH(p, parameters)
		at = put(at, *p);
	if (vm->cmdline)
		at = put(at, vm->cmdline);
	at[-1] = '\0';
	free(vm->cmdline);
	vm->cmdline = text;
	return 0;
}

/* --- sizes -----------------------------------------------------------------*/

static int count_range(void *arg, uint64_t first, uint64_t last)
{
	*(uint64_t *)arg += last - first + 1;
	return 0;
}

/* The CPUs a container could use at once. */
static uint32_t usable_cpus(const struct plan_draft *d)
{
	const struct cg_limits *l = &d->plan->limits;
	uint64_t n = d->ctx->n_cpus > 0 ? d->ctx->n_cpus : 1, set = 0;

	if (l->cpuset_cpus &&
	    str_each_range(l->cpuset_cpus, UINT32_MAX, count_range, &set) == 0)
		n = MIN_OF(n, MAX_OF(set, (uint64_t)1));
	return (uint32_t)n;
}

/* The kernel's own period when none is given. */
#define PERIOD_DEFAULT 100000

static uint32_t vcpus_from_limits(const struct plan_draft *d)
{
	const struct cg_limits *l = &d->plan->limits;
	uint64_t period = PERIOD_DEFAULT, quota, n;

	if (!l->cpu_quota_us.set || l->cpu_quota_us.v <= 0)
		return usable_cpus(d);
	quota = (uint64_t)l->cpu_quota_us.v;
	if (l->cpu_period_us.set)
		period = l->cpu_period_us.v;
	n = quota / period + (quota % period != 0);
	return (uint32_t)MIN_OF(n, (uint64_t)usable_cpus(d));
}

static int set_vcpus(const struct plan_draft *d, const struct opt_u32 *asked,
		     struct err *e)
{
	struct plan_vm *vm = &d->plan->vm;

	if (!asked->set) {
		vm->vcpus = vcpus_from_limits(d);
		return 0;
	}
	if (asked->v == 0 || asked->v > d->ctx->n_cpus)
		return err_set(e, -EINVAL,
			       "vcpus: %u is not in 1..%u, what the host has",
			       asked->v, d->ctx->n_cpus);
	vm->vcpus = asked->v;
	return 0;
}

struct cpu_search {
	uint32_t cpu;
	bool found;
};

static int search_range(void *arg, uint64_t first, uint64_t last)
{
	struct cpu_search *s = arg;

	s->found |= s->cpu >= first && s->cpu <= last;
	return 0;
}

/* Its cgroup would not let it run there. */
static int check_pin(const struct plan_draft *d, struct err *e)
{
	const char *set = d->plan->limits.cpuset_cpus;
	const struct json_u32v *pin = &d->plan->vm.pin;

	for (size_t i = 0; set && i < pin->n; i++) {
		struct cpu_search s = { .cpu = pin->v[i] };

		if (str_each_range(set, UINT32_MAX, search_range, &s) == 0 &&
		    !s.found)
			return err_set(
				e, -EINVAL,
				"moat.vm.pin: CPU %u is not in the cpuset '%s'",
				s.cpu, set);
	}
	return 0;
}

static uint64_t memory_from_limits(const struct plan_draft *d)
{
	const struct opt_i64 *max = &d->plan->limits.memory_max;

	if (!max->set || max->v < 0)
		return MIN_OF(MEMORY_DEFAULT, d->ctx->host_memory);
	return MIN_OF((uint64_t)max->v, d->ctx->host_memory);
}

static int set_memory(const struct plan_draft *d, const struct opt_u64 *asked,
		      struct err *e)
{
	struct plan_vm *vm = &d->plan->vm;
	uint64_t n = asked->set ? asked->v : memory_from_limits(d);

	if (asked->set && (n < MEMORY_MIN || n > d->ctx->host_memory))
		return err_set(
			e, -EINVAL,
			"memory: %llu is not in %llu..%llu, what the host has",
			(unsigned long long)n, (unsigned long long)MEMORY_MIN,
			(unsigned long long)d->ctx->host_memory);
	/* A smaller limit still holds inside, for the program. */
	n = MAX_OF(n, MEMORY_MIN);
	vm->memory = (n + MEMORY_ALIGN - 1) / MEMORY_ALIGN * MEMORY_ALIGN;
	vm->overhead = OVERHEAD_FIXED + vm->memory / OVERHEAD_SHARE;
	return 0;
}

static int set_sizes(struct plan_draft *d, struct err *e)
{
	const struct spec_vm *s = d->spec->vm;
	const struct spec_vm_hardware *hw = s ? s->hw_config : NULL;
	int r;

	if (!d->vm_vcpus.set && hw)
		d->vm_vcpus = hw->vcpus;
	if (!d->vm_memory.set && hw)
		d->vm_memory = hw->memory;
	r = set_vcpus(d, &d->vm_vcpus, e);
	if (r == 0)
		r = check_pin(d, e);
	return r < 0 ? r : set_memory(d, &d->vm_memory, e);
}

/* --- all of it -------------------------------------------------------------*/

/* What a guest with a kernel of its own cannot take from the host. */
static int check_fits(const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->namespaces.n; i++) {
		const struct ns_namespace *n = &p->namespaces.v[i];

		if (n->path && n->kind != NS_NET && n->kind != NS_MNT)
			return err_set(
				e, -EINVAL,
				"a micro-VM cannot join a '%s' namespace of the host",
				ns_info[n->kind].name);
	}
	return 0;
}

static int set_from_spec(struct plan_draft *d, struct err *e)
{
	const struct spec_vm *s = d->spec->vm;
	int r;

	if (!s)
		return 0;
	r = check_keys(s, e);
	if (r < 0 || !s->kernel)
		return r;
	r = set_kernel(s->kernel, &d->plan->vm, e);
	if (r == 0)
		r = set_cmdline(s->kernel->parameters, &d->plan->vm, e);
	return r < 0 ? err_wrap(e, r, "kernel") : 0;
}

static void forget(struct plan_vm *vm)
{
	json_free(&plan_vm_table, vm);
}

int plan_add_vm(struct plan_draft *d, struct err *e)
{
	struct plan_vm *vm = &d->plan->vm;
	int r;

	/* A configuration may serve both; a container does not need it. */
	if (d->plan->isolation != PLAN_VM) {
		forget(vm);
		return 0;
	}
	r = set_from_spec(d, e);
	if (r == 0)
		r = check_fits(d->plan, e);
	if (r == 0)
		r = set_sizes(d, e);
	if (r == 0 && !vm->backend)
		r = plan_copy("auto", &vm->backend, e);
	if (vm->timeout_ms == 0)
		vm->timeout_ms = TIMEOUT_DEFAULT;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/plan.h"

#include <errno.h>
#include <string.h>

#include "src/oci/plan_parts.h"

/* In this order: a part may use what stands above it. */
static const struct part {
	const char *path; /* begins its messages; NULL: it says it itself */
	int (*add)(struct plan_draft *d, struct err *e);
} parts[] = {
	{ "annotations", plan_add_annotations }, /* isolation: all else */
	{ "linux: namespaces", plan_add_namespaces },
	{ "linux", plan_add_id_maps },
	{ "linux: timeOffsets", plan_add_time_offsets },
	{ NULL, plan_add_names },
	{ "root", plan_add_root },
	{ "linux: rootfsPropagation", plan_add_propagation },
	{ "linux: mountLabel", plan_add_mount_label },
	{ "mounts", plan_add_mounts },
	{ NULL, plan_add_notify },		/* on top of the others */
	{ "linux: devices", plan_add_devices }, /* unless /dev is mounted */
	{ "linux: maskedPaths", plan_add_masked },
	{ "linux: readonlyPaths", plan_add_readonly },
	{ "linux: sysctl", plan_add_sysctls }, /* names: no second one */
	{ "linux: netDevices", plan_add_net_devices },
	{ "linux: resources", plan_add_limits },
	{ "linux: resources: devices", plan_add_device_rules },
	{ NULL, plan_add_disks },  /* rules: who may write */
	{ NULL, plan_add_cgroup }, /* mounts: who may write to it */
	{ "linux: intelRdt", plan_add_rdt },
	{ "linux: memoryPolicy", plan_add_memory_policy },
	{ "linux: personality", plan_add_personality },
	{ "linux: seccomp", plan_add_seccomp },
	{ "process", plan_add_process }, /* mappings: users exist */
	{ "hooks", plan_add_hooks },
	{ "vm", plan_add_vm }, /* limits: its size */
};

static int add_parts(struct plan_draft *d, struct err *e)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		r = parts[i].add(d, e);
		if (r < 0)
			return parts[i].path
				       ? err_wrap(e, r, "%s", parts[i].path)
				       : r;
	}
	return 0;
}

int plan_make(const struct spec *s, const struct plan_context *ctx,
	      struct plan *ret, struct err *e)
{
	static const struct spec_linux nothing;
	struct plan_draft d = {
		.spec = s,
		.os = s->os ? s->os : &nothing,
		.ctx = ctx,
		.plan = ret,
	};
	int r;

	*ret = (struct plan){ 0 };
	r = plan_copy(s->version, &ret->version, e);
	if (r == 0)
		r = add_parts(&d, e);
	if (r < 0)
		plan_done(ret);
	return r;
}

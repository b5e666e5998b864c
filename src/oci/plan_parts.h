/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * plan_make() in parts: each reads one or a few keys of the configuration,
 * judges them, and fills its members of the plan. plan_make.c has them as a
 * table, in the order in which they need each other, with the JSON path that
 * their messages begin with.
 */
#include "src/oci/plan.h"
#include "src/oci/spec.h"

struct plan_draft {
	const struct spec *spec;
	const struct spec_linux *os; /* never NULL: empty when absent */
	const struct plan_context *ctx;
	struct plan *plan;

	/* From annotations, until the parts that want them. */
	struct opt_u32 vm_vcpus;
	struct opt_u64 vm_memory;
	bool isolation_said;
	bool seccomp_strict;
	const char *seccomp_receiver; /* when listenerPath names none */
	const char *time_offset;      /* a line for timens_offsets */
};

/* plan_annotations.c */
MUST_CHECK int plan_add_annotations(struct plan_draft *d, struct err *e);

/* plan_ns.c */
MUST_CHECK int plan_add_namespaces(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_id_maps(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_time_offsets(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_names(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_sysctls(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_net_devices(struct plan_draft *d, struct err *e);

/* plan_root.c */
MUST_CHECK int plan_add_root(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_propagation(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_masked(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_readonly(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_mount_label(struct plan_draft *d, struct err *e);

/* plan_mounts.c */
MUST_CHECK int plan_add_mounts(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_notify(struct plan_draft *d, struct err *e);

/* plan_devices.c */
MUST_CHECK int plan_add_devices(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_device_rules(struct plan_draft *d, struct err *e);

/* plan_disks.c */
/* An annotation's: name is that of its node, text "PATH[:ro]". */
MUST_CHECK int plan_take_disk(struct plan *p, const char *name,
			      const char *text, struct err *e);
/* A block device; its path becomes the plan's. */
MUST_CHECK int plan_disk_of_device(struct plan *p, struct ns_device *n,
				   struct err *e);
MUST_CHECK int plan_add_disks(struct plan_draft *d, struct err *e);

/* plan_limits.c, plan_io.c */
MUST_CHECK int plan_add_limits(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_block_io(const struct spec_block_io *s, struct cg_limits *l,
			     struct err *e);
MUST_CHECK int plan_device_rules(const struct spec_resources *s,
				 struct cg_device_rules *ret, struct err *e);

/* plan_devices.c */
MUST_CHECK int plan_default_rules(struct cg_device_rules *rules, struct err *e);

/* plan_cgroup.c */
MUST_CHECK int plan_add_cgroup(struct plan_draft *d, struct err *e);

/* plan_kernel.c */
MUST_CHECK int plan_add_rdt(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_memory_policy(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_personality(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_add_seccomp(struct plan_draft *d, struct err *e);

/* plan_process.c, plan_caps.c, plan_env.c */
MUST_CHECK int plan_add_process(struct plan_draft *d, struct err *e);
MUST_CHECK int plan_caps(const struct spec_capabilities *s, struct ns_caps *ret,
			 struct err *e);
/* Drops what the kernel would refuse, with a warning. */
void plan_caps_fit(struct ns_caps *c);
/* A copy with each name once, the last value winning. */
MUST_CHECK int plan_env(char *const *env, char ***ret, struct err *e);

/* plan_hooks.c */
MUST_CHECK int plan_add_hooks(struct plan_draft *d, struct err *e);

/* plan_vm.c */
MUST_CHECK int plan_add_vm(struct plan_draft *d, struct err *e);

/* plan_split_limits.c: the whole's limits become those of one half. */
void plan_host_limits(const struct plan_vm *vm, struct cg_limits *l);
void plan_guest_limits(struct cg_limits *l);

/* --- words they share (plan_words.c) ---------------------------------------*/

/* "what must be an absolute path, not '...'" */
MUST_CHECK int plan_check_absolute(const char *path, struct err *e);
/* How often c is in text. */
size_t plan_count(const char *text, char c);
/* Replaces *to by a copy; a NULL or empty from leaves NULL. */
MUST_CHECK int plan_copy(const char *from, char **to, struct err *e);
MUST_CHECK int plan_copy_list(char *const *from, char ***to, struct err *e);
/* A clean copy of an absolute path. */
MUST_CHECK int plan_copy_path(const char *from, char **to, struct err *e);
/* The same, a relative one below the bundle. */
MUST_CHECK int plan_bundle_path(const struct plan_draft *d, const char *from,
				char **to, struct err *e);
/* Checked mappings, at least one; what: their key. */
MUST_CHECK int plan_copy_ids(const struct ns_idmaps *from, struct ns_idmaps *to,
			     const char *what, struct err *e);

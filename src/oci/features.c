/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/features.h"

#include "base/cleanup.h"
#include "base/json_out.h"
#include "base/str.h"
#include "namespaces/caps.h"
#include "namespaces/clone.h"
#include "namespaces/mount.h"
#include "namespaces/sched.h"
#include "namespaces/seccomp.h"
#include "src/oci/plan.h"
#include "src/oci/spec.h"

/* Who may set these on a container may do more than the rest of its
 * configuration lets him; a name that ends in "." stands for all below it. */
static const char *const unsafe_annotations[] = {
	"moat.", "org.criu.config", "org.systemd.property.", "run.oci.", NULL,
};

static void open_key(struct json_out *o, const char *key, char bracket)
{
	json_out_key(o, key);
	json_out_begin(o, bracket);
}

static void put_list(struct json_out *o, const char *key,
		     const char *const *list)
{
	open_key(o, key, '[');
	for (size_t i = 0; list[i]; i++)
		json_out_str(o, list[i]);
	json_out_end(o, ']');
}

static void put_str(struct json_out *o, const char *key, const char *value)
{
	json_out_key(o, key);
	json_out_str(o, value);
}

static void put_true(struct json_out *o, const char *key)
{
	json_out_key(o, key);
	json_out_bool(o, true);
}

/* {"enabled":true} */
static void put_enabled(struct json_out *o, const char *key)
{
	open_key(o, key, '{');
	put_true(o, "enabled");
	json_out_end(o, '}');
}

static void put_mount_options(struct json_out *o)
{
	open_key(o, "mountOptions", '[');
	for (size_t i = 0; i < n_ns_mount_option_names; i++)
		json_out_str(o, ns_mount_option_names[i]);
	json_out_end(o, ']');
}

static void put_capabilities(struct json_out *o)
{
	const char *name;

	open_key(o, "capabilities", '[');
	for (unsigned int i = 0; (name = ns_cap_name(i)); i++)
		json_out_str(o, name);
	json_out_end(o, ']');
}

static void put_cgroup(struct json_out *o)
{
	static const char *const have[] = { "v1", "v2", "systemd",
					    "systemdUser", "rdma" };

	open_key(o, "cgroup", '{');
	for (size_t i = 0; i < ARRAY_SIZE(have); i++)
		put_true(o, have[i]);
	json_out_end(o, '}');
}

static void put_seccomp(struct json_out *o, const char *const *supported)
{
	open_key(o, "seccomp", '{');
	put_true(o, "enabled");
	put_list(o, "actions", ns_seccomp_actions);
	put_list(o, "operators", ns_seccomp_operators);
	put_list(o, "archs", ns_seccomp_archs);
	put_list(o, "knownFlags", ns_seccomp_flags_known);
	put_list(o, "supportedFlags", supported);
	json_out_end(o, '}');
}

static void put_kernel(struct json_out *o)
{
	open_key(o, "intelRdt", '{');
	put_true(o, "enabled");
	put_true(o, "schemata");
	put_true(o, "monitoring");
	json_out_end(o, '}');
	open_key(o, "memoryPolicy", '{');
	put_list(o, "modes", ns_memory_policy_modes);
	put_list(o, "flags", ns_memory_policy_flags);
	json_out_end(o, '}');
	open_key(o, "mountExtensions", '{');
	put_enabled(o, "idmap");
	json_out_end(o, '}');
	put_enabled(o, "netDevices");
}

static void put_linux(struct json_out *o, const char *const *seccomp_flags)
{
	open_key(o, "linux", '{');
	put_list(o, "namespaces", ns_kind_names);
	put_capabilities(o);
	put_cgroup(o);
	put_seccomp(o, seccomp_flags);
	put_enabled(o, "apparmor");
	put_enabled(o, "selinux");
	put_kernel(o);
	json_out_end(o, '}');
}

static void put_annotations(struct json_out *o)
{
	open_key(o, "annotations", '{');
	put_str(o, "moat.version", PACKAGE_VERSION);
	put_str(o, "moat.checkpoint.enabled", "true");
	/* The word of runc's that the specification shows, and crun has. */
	put_str(o, "org.opencontainers.runc.checkpoint.enabled", "true");
	json_out_end(o, '}');
	put_list(o, "potentiallyUnsafeConfigAnnotations", unsafe_annotations);
}

int features_write(char **ret, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { .pretty = true };
	autostrv char **flags = NULL;

	if (ns_seccomp_flags_supported(&flags) < 0)
		return err_nomem(e);
	json_out_begin(&o, '{');
	put_str(&o, "ociVersionMin", "1.0.0");
	put_str(&o, "ociVersionMax", SPEC_VERSION);
	put_list(&o, "hooks", plan_hook_names);
	put_mount_options(&o);
	put_linux(&o, (const char *const *)flags);
	put_annotations(&o);
	json_out_end(&o, '}');
	return json_out_take(&o, ret, NULL, e);
}

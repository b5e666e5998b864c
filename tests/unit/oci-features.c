/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "namespaces/seccomp.h"
#include "src/oci/features.h"
#include "tests/unit/tap.h"

/* The document as a reader of the specification's features.md has it. */

struct enabled {
	bool enabled;
};
static const struct json_field enabled_fields[] = {
	JSON_BOOL(struct enabled, enabled, "enabled", .required = true),
};
static const struct json_table enabled_table =
	JSON_TABLE(struct enabled, enabled_fields, .strict = true);

struct cgroup {
	bool v1, v2, systemd, systemd_user, rdma;
};
static const struct json_field cgroup_fields[] = {
	JSON_BOOL(struct cgroup, v1, "v1"),
	JSON_BOOL(struct cgroup, v2, "v2"),
	JSON_BOOL(struct cgroup, systemd, "systemd"),
	JSON_BOOL(struct cgroup, systemd_user, "systemdUser"),
	JSON_BOOL(struct cgroup, rdma, "rdma"),
};
static const struct json_table cgroup_table =
	JSON_TABLE(struct cgroup, cgroup_fields, .strict = true);

struct seccomp {
	bool enabled;
	char **actions, **operators, **archs, **known, **supported;
};
static const struct json_field seccomp_fields[] = {
	JSON_BOOL(struct seccomp, enabled, "enabled"),
	JSON_STRV(struct seccomp, actions, "actions"),
	JSON_STRV(struct seccomp, operators, "operators"),
	JSON_STRV(struct seccomp, archs, "archs"),
	JSON_STRV(struct seccomp, known, "knownFlags"),
	JSON_STRV(struct seccomp, supported, "supportedFlags"),
};
static const struct json_table seccomp_table =
	JSON_TABLE(struct seccomp, seccomp_fields, .strict = true);

struct rdt {
	bool enabled, schemata, monitoring;
};
static const struct json_field rdt_fields[] = {
	JSON_BOOL(struct rdt, enabled, "enabled"),
	JSON_BOOL(struct rdt, schemata, "schemata"),
	JSON_BOOL(struct rdt, monitoring, "monitoring"),
};
static const struct json_table rdt_table =
	JSON_TABLE(struct rdt, rdt_fields, .strict = true);

struct policy {
	char **modes, **flags;
};
static const struct json_field policy_fields[] = {
	JSON_STRV(struct policy, modes, "modes"),
	JSON_STRV(struct policy, flags, "flags"),
};
static const struct json_table policy_table =
	JSON_TABLE(struct policy, policy_fields, .strict = true);

struct extensions {
	struct enabled idmap;
};
static const struct json_field extensions_fields[] = {
	JSON_OBJ(struct extensions, idmap, "idmap", struct enabled,
		 enabled_table),
};
static const struct json_table extensions_table =
	JSON_TABLE(struct extensions, extensions_fields, .strict = true);

struct linux_features {
	char **namespaces, **capabilities;
	struct cgroup cgroup;
	struct seccomp seccomp;
	struct enabled apparmor, selinux;
	struct rdt rdt;
	struct policy policy;
	struct extensions extensions;
	struct enabled net_devices;
};
static const struct json_field linux_fields[] = {
	JSON_STRV(struct linux_features, namespaces, "namespaces"),
	JSON_STRV(struct linux_features, capabilities, "capabilities"),
	JSON_OBJ(struct linux_features, cgroup, "cgroup", struct cgroup,
		 cgroup_table),
	JSON_OBJ(struct linux_features, seccomp, "seccomp", struct seccomp,
		 seccomp_table),
	JSON_OBJ(struct linux_features, apparmor, "apparmor", struct enabled,
		 enabled_table),
	JSON_OBJ(struct linux_features, selinux, "selinux", struct enabled,
		 enabled_table),
	JSON_OBJ(struct linux_features, rdt, "intelRdt", struct rdt, rdt_table),
	JSON_OBJ(struct linux_features, policy, "memoryPolicy", struct policy,
		 policy_table),
	JSON_OBJ(struct linux_features, extensions, "mountExtensions",
		 struct extensions, extensions_table),
	JSON_OBJ(struct linux_features, net_devices, "netDevices",
		 struct enabled, enabled_table),
};
static const struct json_table linux_table =
	JSON_TABLE(struct linux_features, linux_fields, .strict = true);

struct features {
	char *min, *max;
	char **hooks, **mount_options;
	struct linux_features os;
	struct json_map annotations;
	char **unsafe;
};
static const struct json_field features_fields[] = {
	JSON_STR(struct features, min, "ociVersionMin", .required = true),
	JSON_STR(struct features, max, "ociVersionMax", .required = true),
	JSON_STRV(struct features, hooks, "hooks"),
	JSON_STRV(struct features, mount_options, "mountOptions"),
	JSON_OBJ(struct features, os, "linux", struct linux_features,
		 linux_table),
	JSON_MAP(struct features, annotations, "annotations"),
	JSON_STRV(struct features, unsafe,
		  "potentiallyUnsafeConfigAnnotations"),
};
static const struct json_table features_table =
	JSON_TABLE(struct features, features_fields, .strict = true);

static void features_done(struct features *f)
{
	json_free(&features_table, f);
}

#define READ(f)                                                                \
	_cleanup_(features_done) struct features f = { 0 };                    \
	autofree char *text = NULL;                                            \
	struct err e = { 0 };                                                  \
	REQUIRE_OK(features_write(&text, &e), &e);                             \
	REQUIRE_OK(                                                            \
		json_read(text, strlen(text), &features_table, &f, "f", &e),   \
		&e)

TEST(the_document_has_the_specifications_shape)
{
	READ(f);

	(void)CHECK_STR(f.min, "1.0.0");
	(void)CHECK_STR(f.max, "1.3.0");
	(void)CHECK_INT(strv_len(f.hooks), 6);
	(void)CHECK_INT(strv_len(f.os.namespaces), 8);
	(void)CHECK(f.os.cgroup.v1 && f.os.cgroup.v2 && f.os.cgroup.rdma);
	(void)CHECK(f.os.cgroup.systemd && f.os.cgroup.systemd_user);
	(void)CHECK(f.os.apparmor.enabled && f.os.selinux.enabled);
	(void)CHECK(f.os.extensions.idmap.enabled && f.os.net_devices.enabled);
	(void)CHECK(f.os.rdt.enabled && f.os.rdt.schemata);
	(void)CHECK(strv_has(f.unsafe, "moat."));
	(void)CHECK(strv_has(f.unsafe, "org.criu.config"));
	(void)CHECK(strv_has(f.annotations.keys, "moat.checkpoint.enabled"));
	(void)CHECK(strv_has(f.annotations.keys,
			     "org.opencontainers.runc.checkpoint.enabled"));
}

TEST(what_callers_look_for_is_named)
{
	/* clang-format off */
	static const char *const options[] = {
		"bind", "rbind", "ro", "rro", "nosuid", "rnosuid", "noexec",
		"rprivate", "shared", "relatime", "rstrictatime", "idmap",
		"ridmap", "tmpcopyup", "nosymfollow",
	};
	/* clang-format on */
	READ(f);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!CHECK(strv_has(f.mount_options, options[i])))
			tap_note("option '%s'", options[i]);
	(void)CHECK(strv_has(f.os.capabilities, "CAP_SYS_ADMIN"));
	(void)CHECK(strv_has(f.os.capabilities, "CAP_BPF"));
	(void)CHECK(strv_has(f.os.policy.modes, "MPOL_BIND"));
	(void)CHECK(strv_has(f.os.policy.flags, "MPOL_F_STATIC_NODES"));
}

TEST(seccomp_is_told_as_it_is)
{
	READ(f);

	(void)CHECK(f.os.seccomp.enabled);
	(void)CHECK(strv_has(f.os.seccomp.actions, "SCMP_ACT_NOTIFY"));
	(void)CHECK(strv_has(f.os.seccomp.operators, "SCMP_CMP_MASKED_EQ"));
	(void)CHECK(strv_has(f.os.seccomp.archs, "SCMP_ARCH_X86_64"));
	STRV_FOREACH(flag, f.os.seccomp.supported)
		(void)CHECK(strv_has(f.os.seccomp.known, *flag));
}

static const struct tap_test tests[] = {
	TAP(the_document_has_the_specifications_shape),
	TAP(what_callers_look_for_is_named),
	TAP(seccomp_is_told_as_it_is),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

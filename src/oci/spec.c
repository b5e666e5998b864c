/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/spec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* --- process ---------------------------------------------------------------*/

static const struct json_field box_fields[] = {
	JSON_U32(struct spec_box, height, "height", .required = true),
	JSON_U32(struct spec_box, width, "width", .required = true),
};
static const struct json_table box_table =
	JSON_TABLE(struct spec_box, box_fields);

static const struct json_field user_fields[] = {
	JSON_U32(struct spec_user, uid, "uid"),
	JSON_U32(struct spec_user, gid, "gid"),
	JSON_OPT_U32(struct spec_user, umask, "umask"),
	JSON_U32V(struct spec_user, additional_gids, "additionalGids"),
};
static const struct json_table user_table =
	JSON_TABLE(struct spec_user, user_fields);

static const struct json_field capabilities_fields[] = {
	JSON_STRV(struct spec_capabilities, bounding, "bounding"),
	JSON_STRV(struct spec_capabilities, effective, "effective"),
	JSON_STRV(struct spec_capabilities, inheritable, "inheritable"),
	JSON_STRV(struct spec_capabilities, permitted, "permitted"),
	JSON_STRV(struct spec_capabilities, ambient, "ambient"),
};
static const struct json_table capabilities_table =
	JSON_TABLE(struct spec_capabilities, capabilities_fields);

static const struct json_field rlimit_fields[] = {
	JSON_STR(struct ns_rlimit, type, "type", .required = true),
	JSON_U64(struct ns_rlimit, soft, "soft", .required = true),
	JSON_U64(struct ns_rlimit, hard, "hard", .required = true),
};
static const struct json_table rlimit_table =
	JSON_TABLE(struct ns_rlimit, rlimit_fields);

static const struct json_field scheduler_fields[] = {
	JSON_STR(struct ns_sched, policy, "policy", .required = true),
	JSON_I32(struct ns_sched, nice, "nice"),
	JSON_I32(struct ns_sched, priority, "priority"),
	JSON_STRV(struct ns_sched, flags, "flags"),
	JSON_U64(struct ns_sched, runtime, "runtime"),
	JSON_U64(struct ns_sched, deadline, "deadline"),
	JSON_U64(struct ns_sched, period, "period"),
};
static const struct json_table scheduler_table =
	JSON_TABLE(struct ns_sched, scheduler_fields);

static const struct json_field io_priority_fields[] = {
	JSON_STR(struct ns_io_priority, class, "class", .required = true),
	JSON_I32(struct ns_io_priority, priority, "priority"),
};
static const struct json_table io_priority_table =
	JSON_TABLE(struct ns_io_priority, io_priority_fields);

static const struct json_field affinity_fields[] = {
	JSON_STR(struct spec_affinity, initial, "initial"),
	JSON_STR(struct spec_affinity, final, "final"),
};
static const struct json_table affinity_table =
	JSON_TABLE(struct spec_affinity, affinity_fields);

static const struct json_field process_fields[] = {
	JSON_BOOL(struct spec_process, terminal, "terminal"),
	JSON_PTR(struct spec_process, console_size, "consoleSize",
		 struct spec_box, box_table),
	JSON_OBJ(struct spec_process, user, "user", struct spec_user,
		 user_table),
	JSON_STRV(struct spec_process, args, "args"),
	JSON_STRV(struct spec_process, env, "env"),
	JSON_STR(struct spec_process, cwd, "cwd"),
	JSON_PTR(struct spec_process, capabilities, "capabilities",
		 struct spec_capabilities, capabilities_table),
	JSON_VEC(struct spec_process, rlimits, "rlimits", struct ns_rlimit,
		 rlimit_table),
	JSON_BOOL(struct spec_process, no_new_privileges, "noNewPrivileges"),
	JSON_STR(struct spec_process, apparmor_profile, "apparmorProfile"),
	JSON_OPT_I64(struct spec_process, oom_score_adj, "oomScoreAdj"),
	JSON_PTR(struct spec_process, scheduler, "scheduler", struct ns_sched,
		 scheduler_table),
	JSON_STR(struct spec_process, selinux_label, "selinuxLabel"),
	JSON_PTR(struct spec_process, io_priority, "ioPriority",
		 struct ns_io_priority, io_priority_table),
	JSON_PTR(struct spec_process, exec_cpu_affinity, "execCPUAffinity",
		 struct spec_affinity, affinity_table),
};
const struct json_table spec_process_table =
	JSON_TABLE(struct spec_process, process_fields);

/* --- root, mounts, hooks ---------------------------------------------------*/

static const struct json_field root_fields[] = {
	JSON_STR(struct spec_root, path, "path", .required = true),
	JSON_BOOL(struct spec_root, readonly, "readonly"),
};
static const struct json_table root_table =
	JSON_TABLE(struct spec_root, root_fields);

static const struct json_field mount_fields[] = {
	JSON_STR(struct spec_mount, destination, "destination",
		 .required = true),
	JSON_STR(struct spec_mount, source, "source"),
	JSON_STR(struct spec_mount, type, "type"),
	JSON_STRV(struct spec_mount, options, "options"),
	JSON_VEC(struct spec_mount, uid_mappings, "uidMappings",
		 struct ns_idmap, spec_idmap_table),
	JSON_VEC(struct spec_mount, gid_mappings, "gidMappings",
		 struct ns_idmap, spec_idmap_table),
};
static const struct json_table mount_table =
	JSON_TABLE(struct spec_mount, mount_fields);

static const struct json_field hook_fields[] = {
	JSON_STR(struct spec_hook, path, "path", .required = true),
	JSON_STRV(struct spec_hook, args, "args"),
	JSON_STRV(struct spec_hook, env, "env"),
	JSON_OPT_I64(struct spec_hook, timeout, "timeout"),
};
static const struct json_table hook_table =
	JSON_TABLE(struct spec_hook, hook_fields);

#define HOOKS(member, name)                                                    \
	JSON_VEC(struct spec_hooks, member, name, struct spec_hook, hook_table)

static const struct json_field hooks_fields[] = {
	HOOKS(prestart, "prestart"),
	HOOKS(create_runtime, "createRuntime"),
	HOOKS(create_container, "createContainer"),
	HOOKS(start_container, "startContainer"),
	HOOKS(poststart, "poststart"),
	HOOKS(poststop, "poststop"),
};
static const struct json_table hooks_table =
	JSON_TABLE(struct spec_hooks, hooks_fields);

/* --- vm --------------------------------------------------------------------*/

static const struct json_field hypervisor_fields[] = {
	JSON_STR(struct spec_vm_hypervisor, path, "path", .required = true),
	JSON_STRV(struct spec_vm_hypervisor, parameters, "parameters"),
};
static const struct json_table hypervisor_table =
	JSON_TABLE(struct spec_vm_hypervisor, hypervisor_fields);

static const struct json_field kernel_fields[] = {
	JSON_STR(struct spec_vm_kernel, path, "path", .required = true),
	JSON_STRV(struct spec_vm_kernel, parameters, "parameters"),
	JSON_STR(struct spec_vm_kernel, initrd, "initrd"),
};
static const struct json_table kernel_table =
	JSON_TABLE(struct spec_vm_kernel, kernel_fields);

static const struct json_field image_fields[] = {
	JSON_STR(struct spec_vm_image, path, "path", .required = true),
	JSON_STR(struct spec_vm_image, format, "format", .required = true),
};
static const struct json_table image_table =
	JSON_TABLE(struct spec_vm_image, image_fields);

static const struct json_field iomem_fields[] = {
	JSON_OPT_U64(struct spec_vm_iomem, first_gfn, "firstGFN"),
	JSON_U64(struct spec_vm_iomem, first_mfn, "firstMFN", .required = true),
	JSON_U64(struct spec_vm_iomem, nr_mfns, "nrMFNs", .required = true),
};
static const struct json_table iomem_table =
	JSON_TABLE(struct spec_vm_iomem, iomem_fields);

static const struct json_field hardware_fields[] = {
	JSON_STR(struct spec_vm_hardware, device_tree, "deviceTree"),
	JSON_OPT_U32(struct spec_vm_hardware, vcpus, "vcpus"),
	JSON_OPT_U64(struct spec_vm_hardware, memory, "memory"),
	JSON_STRV(struct spec_vm_hardware, dtdevs, "dtdevs"),
	JSON_VEC(struct spec_vm_hardware, iomems, "iomems",
		 struct spec_vm_iomem, iomem_table),
	JSON_U32V(struct spec_vm_hardware, irqs, "irqs"),
};
static const struct json_table hardware_table =
	JSON_TABLE(struct spec_vm_hardware, hardware_fields);

static const struct json_field vm_fields[] = {
	JSON_PTR(struct spec_vm, hypervisor, "hypervisor",
		 struct spec_vm_hypervisor, hypervisor_table),
	JSON_PTR(struct spec_vm, kernel, "kernel", struct spec_vm_kernel,
		 kernel_table),
	JSON_PTR(struct spec_vm, image, "image", struct spec_vm_image,
		 image_table),
	JSON_PTR(struct spec_vm, hw_config, "hwConfig", struct spec_vm_hardware,
		 hardware_table),
};
static const struct json_table vm_table = JSON_TABLE(struct spec_vm, vm_fields);

/* --- the whole -------------------------------------------------------------*/

static const struct json_field spec_fields[] = {
	JSON_STR(struct spec, version, "ociVersion", .required = true),
	JSON_PTR(struct spec, process, "process", struct spec_process,
		 spec_process_table),
	JSON_PTR(struct spec, root, "root", struct spec_root, root_table),
	JSON_STR(struct spec, hostname, "hostname"),
	JSON_STR(struct spec, domainname, "domainname"),
	JSON_VEC(struct spec, mounts, "mounts", struct spec_mount, mount_table),
	JSON_PTR(struct spec, hooks, "hooks", struct spec_hooks, hooks_table),
	JSON_MAP(struct spec, annotations, "annotations"),
	JSON_PTR(struct spec, os, "linux", struct spec_linux, spec_linux_table),
	JSON_PTR(struct spec, vm, "vm", struct spec_vm, vm_table),
	JSON_RAW(struct spec, windows, "windows"),
	JSON_RAW(struct spec, solaris, "solaris"),
	JSON_RAW(struct spec, zos, "zos"),
	JSON_RAW(struct spec, freebsd, "freebsd"),
};
const struct json_table spec_table = JSON_TABLE(struct spec, spec_fields);

/*
 * "1.", a minor and a patch, and whatever a pre-release or a build appends.
 * Minor versions only add, and unknown keys are skipped, so each 1.x is ours.
 */
static bool version_known(const char *v)
{
	static const char digits[] = "0123456789";
	size_t minor, patch;

	if (!str_starts(v, "1."))
		return false;
	v += 2;
	minor = strspn(v, digits);
	if (minor == 0 || v[minor] != '.')
		return false;
	v += minor + 1;
	patch = strspn(v, digits);
	v += patch;
	return patch > 0 && (*v == '\0' || *v == '-' || *v == '+');
}

static int check_version(const char *name, struct spec *s, struct err *e)
{
	if (version_known(s->version))
		return 0;
	return err_set(e, -EINVAL,
		       "%s: ociVersion: '%.64s' is not a version 1.x of the "
		       "specification",
		       name, s->version);
}

/* They describe the same container for other systems. */
static void log_foreign(const struct spec *s, const char *name)
{
	const struct {
		const char *key, *text;
	} foreign[] = {
		{ "windows", s->windows },
		{ "solaris", s->solaris },
		{ "zos", s->zos },
		{ "freebsd", s->freebsd },
	};

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (foreign[i].text)
			log_debug("%s: %s: not for this system, ignored", name,
				  foreign[i].key);
}

int spec_parse(const char *text, size_t len, const char *name, struct spec *ret,
	       struct err *e)
{
	int r;

	r = json_read(text, len, &spec_table, ret, name, e);
	if (r < 0)
		return r;
	r = check_version(name, ret, e);
	if (r < 0) {
		spec_done(ret);
		return r;
	}
	log_foreign(ret, name);
	return 0;
}

int spec_read(int dirfd, const char *path, struct spec *ret, struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	int r;

	r = fd_read_given_at(dirfd, path, JSON_MAX_SIZE, &text, &len, e);
	if (r < 0)
		return r;
	return spec_parse(text, len, path, ret, e);
}

void spec_done(struct spec *s)
{
	json_free(&spec_table, s);
}

int spec_process_read(int dirfd, const char *path, struct spec_process *ret,
		      struct err *e)
{
	return json_read_given_at(dirfd, path, &spec_process_table, ret, e);
}

void spec_process_done(struct spec_process *p)
{
	json_free(&spec_process_table, p);
}

int spec_resources_read(int dirfd, const char *path, struct spec_resources *ret,
			struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	int r;

	if (!str_eq(path, "-"))
		return json_read_given_at(dirfd, path, &spec_resources_table,
					  ret, e);
	r = fd_read_all(STDIN_FILENO, JSON_MAX_SIZE, &text, &len, e);
	if (r < 0)
		return err_wrap(e, r, "standard input");
	return json_read(text, len, &spec_resources_table, ret,
			 "standard input", e);
}

void spec_resources_done(struct spec_resources *r)
{
	json_free(&spec_resources_table, r);
}

/* --- mounts alone ----------------------------------------------------------*/

struct mounts_file {
	struct spec_mounts mounts;
};

static const struct json_field mounts_file_fields[] = {
	JSON_VEC(struct mounts_file, mounts, "mounts", struct spec_mount,
		 mount_table, .required = true),
};
static const struct json_table mounts_file_table =
	JSON_TABLE(struct mounts_file, mounts_file_fields);

/* {"mounts": what the text has}; only a whole value may come between. */
static int as_object(const char *text, size_t len, char **ret, struct err *e)
{
	autofree char *list = NULL;
	int r;

	r = json_reformat(text, len, false, &list, e);
	if (r < 0)
		return r;
	*ret = str_printf("{\"mounts\":%s}", list);
	return *ret ? 0 : err_nomem(e);
}

int spec_mounts_read(int dirfd, const char *path, struct spec_mounts *ret,
		     struct err *e)
{
	autofree char *text = NULL, *object = NULL;
	struct mounts_file file = { 0 };
	const char *given;
	size_t len;
	int r;

	r = fd_read_given_at(dirfd, path, JSON_MAX_SIZE, &text, &len, e);
	if (r < 0)
		return r;
	given = text;
	if (text[strspn(text, " \t\r\n")] == '[') {
		r = as_object(text, len, &object, e);
		if (r < 0)
			return err_wrap(e, r, "%s", path);
		given = object;
		len = strlen(object);
	}
	r = json_read(given, len, &mounts_file_table, &file, path, e);
	if (r < 0)
		return r;
	*ret = file.mounts;
	return 0;
}

void spec_mounts_done(struct spec_mounts *m)
{
	struct mounts_file file = { .mounts = *m };

	json_free(&mounts_file_table, &file);
	*m = (struct spec_mounts){ 0 };
}

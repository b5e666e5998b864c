/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_out.h"
#include "base/str.h"
#include "src/oci/spec.h"

/*
 * What `spec` writes: runc's default, for it is what people edit by heart.
 * Ambient capabilities are not in it: without inheritable ones, which runc
 * has taken out, no kernel gives them.
 */

#define LIST_MAX 8

static const char *const args[] = { "sh", NULL };
static const char *const env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
	NULL,
};
static const char *const caps[] = {
	"CAP_AUDIT_WRITE",
	"CAP_KILL",
	"CAP_NET_BIND_SERVICE",
	NULL,
};

enum {
	ALWAYS,
	ROOT,	   /* only when root makes it */
	ROOTLESS,  /* only when not */
	CGROUP_NS, /* where there is to be one */
	OWN_NET,   /* where it has a network of its own */
	HOST_NET,  /* where not */
};

/* clang-format off */
static const struct {
	int when;
	const char *destination, *type, *source;
	const char *options[LIST_MAX];
} mounts[] = {
	{ ALWAYS, "/proc", "proc", "proc", { NULL } },
	{ ALWAYS, "/dev", "tmpfs", "tmpfs",
	  { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ ROOT, "/dev/pts", "devpts", "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
	    "gid=5" } },
	/* The group tty has no mapping there. */
	{ ROOTLESS, "/dev/pts", "devpts", "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" } },
	{ ALWAYS, "/dev/shm", "tmpfs", "shm",
	  { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ ALWAYS, "/dev/mqueue", "mqueue", "mqueue",
	  { "nosuid", "noexec", "nodev" } },
	{ OWN_NET, "/sys", "sysfs", "sysfs",
	  { "nosuid", "noexec", "nodev", "ro" } },
	/* A sysfs needs a network namespace of one's own. */
	{ HOST_NET, "/sys", "none", "/sys",
	  { "rbind", "nosuid", "noexec", "nodev", "ro" } },
	{ ALWAYS, "/sys/fs/cgroup", "cgroup", "cgroup",
	  { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

static const struct {
	int when;
	const char *type;
} namespaces[] = {
	{ ALWAYS, "pid" },
	{ OWN_NET, "network" },
	{ ALWAYS, "ipc" },
	{ ALWAYS, "uts" },
	{ ALWAYS, "mount" },
	{ CGROUP_NS, "cgroup" },
	{ ROOTLESS, "user" },
};

static const char *const masked[] = {
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug", "/sys/firmware", "/proc/scsi", NULL,
};
static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	"/proc/sysrq-trigger", NULL,
};
/* clang-format on */

static bool wanted(int when, const struct spec_default *d)
{
	switch (when) {
	case ROOT:
		return !d->rootless;
	case ROOTLESS:
		return d->rootless;
	case CGROUP_NS:
		return d->cgroup_namespace;
	case OWN_NET:
		return !d->host_network;
	case HOST_NET:
		return d->host_network;
	default:
		return true;
	}
}

static void put_str(struct json_out *o, const char *key, const char *value)
{
	json_out_key(o, key);
	json_out_str(o, value);
}

static void put_u64(struct json_out *o, const char *key, uint64_t value)
{
	json_out_key(o, key);
	json_out_u64(o, value);
}

static void put_bool(struct json_out *o, const char *key, bool value)
{
	json_out_key(o, key);
	json_out_bool(o, value);
}

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

static void put_process(struct json_out *o)
{
	open_key(o, "process", '{');
	put_bool(o, "terminal", true);
	open_key(o, "user", '{');
	put_u64(o, "uid", 0);
	put_u64(o, "gid", 0);
	json_out_end(o, '}');
	put_list(o, "args", args);
	put_list(o, "env", env);
	put_str(o, "cwd", "/");
	open_key(o, "capabilities", '{');
	put_list(o, "bounding", caps);
	put_list(o, "effective", caps);
	put_list(o, "permitted", caps);
	json_out_end(o, '}');
	open_key(o, "rlimits", '[');
	json_out_begin(o, '{');
	put_str(o, "type", "RLIMIT_NOFILE");
	put_u64(o, "hard", 1024);
	put_u64(o, "soft", 1024);
	json_out_end(o, '}');
	json_out_end(o, ']');
	put_bool(o, "noNewPrivileges", true);
	json_out_end(o, '}');
}

static void put_mounts(struct json_out *o, const struct spec_default *d)
{
	open_key(o, "mounts", '[');
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (!wanted(mounts[i].when, d))
			continue;
		json_out_begin(o, '{');
		put_str(o, "destination", mounts[i].destination);
		put_str(o, "type", mounts[i].type);
		put_str(o, "source", mounts[i].source);
		if (mounts[i].options[0])
			put_list(o, "options", mounts[i].options);
		json_out_end(o, '}');
	}
	json_out_end(o, ']');
}

static void put_mapping(struct json_out *o, const char *key, uint32_t id)
{
	open_key(o, key, '[');
	json_out_begin(o, '{');
	put_u64(o, "containerID", 0);
	put_u64(o, "hostID", id);
	put_u64(o, "size", 1);
	json_out_end(o, '}');
	json_out_end(o, ']');
}

static void put_devices(struct json_out *o)
{
	open_key(o, "resources", '{');
	open_key(o, "devices", '[');
	json_out_begin(o, '{');
	put_bool(o, "allow", false);
	put_str(o, "access", "rwm");
	json_out_end(o, '}');
	json_out_end(o, ']');
	json_out_end(o, '}');
}

static void put_namespaces(struct json_out *o, const struct spec_default *d)
{
	open_key(o, "namespaces", '[');
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (!wanted(namespaces[i].when, d))
			continue;
		json_out_begin(o, '{');
		put_str(o, "type", namespaces[i].type);
		json_out_end(o, '}');
	}
	json_out_end(o, ']');
}

static void put_linux(struct json_out *o, const struct spec_default *d)
{
	open_key(o, "linux", '{');
	if (d->rootless) {
		put_mapping(o, "uidMappings", d->uid);
		put_mapping(o, "gidMappings", d->gid);
	} else {
		put_devices(o);
	}
	put_namespaces(o, d);
	put_list(o, "maskedPaths", masked);
	put_list(o, "readonlyPaths", readonly);
	json_out_end(o, '}');
}

int spec_default(const struct spec_default *d, char **ret, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { .pretty = true };

	json_out_begin(&o, '{');
	put_str(&o, "ociVersion", SPEC_VERSION);
	put_process(&o);
	open_key(&o, "root", '{');
	put_str(&o, "path", "rootfs");
	put_bool(&o, "readonly", true);
	json_out_end(&o, '}');
	put_str(&o, "hostname", "moat");
	put_mounts(&o, d);
	put_linux(&o, d);
	json_out_end(&o, '}');
	return json_out_take(&o, ret, NULL, e);
}

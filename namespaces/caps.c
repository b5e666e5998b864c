/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

/* By number; checked against the kernel's list when compiling. */
/* clang-format off */
static const char *const names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

static const struct json_field caps_fields[] = {
	JSON_BOOL(struct ns_caps, set,         "set"),
	JSON_U64(struct ns_caps, bounding,     "bounding"),
	JSON_U64(struct ns_caps, effective,    "effective"),
	JSON_U64(struct ns_caps, inheritable,  "inheritable"),
	JSON_U64(struct ns_caps, permitted,    "permitted"),
	JSON_U64(struct ns_caps, ambient,      "ambient"),
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(names) == CAP_LAST_CAP + 1,
	       "the kernel's headers know other capabilities than we do");

const struct json_table ns_caps_table = JSON_TABLE(struct ns_caps, caps_fields);

int ns_cap_parse(const char *name, unsigned int *ret)
{
	const char *bare = name;

	if (strncasecmp(name, "CAP_", 4) == 0)
		bare += 4;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(names[i] + 4, bare) != 0)
			continue;
		*ret = i;
		return 0;
	}
	return -EINVAL;
}

const char *ns_cap_name(unsigned int cap)
{
	return cap < ARRAY_SIZE(names) ? names[cap] : NULL;
}

/* EINVAL for what the kernel does not know; nothing else can go wrong. */
static bool is_known(unsigned int cap)
{
	return prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
}

uint64_t ns_caps_known(void)
{
	unsigned int first = CAP_CHECKPOINT_RESTORE, last = 63;

	/* Nearly always there are exactly those we have names for. */
	if (is_known(first) && !is_known(first + 1))
		return ((uint64_t)1 << (first + 1)) - 1;
	first = 0;
	while (first < last) {
		unsigned int middle = (first + last + 1) / 2;

		if (is_known(middle))
			first = middle;
		else
			last = middle - 1;
	}
	return first == 63 ? UINT64_MAX : ((uint64_t)1 << (first + 1)) - 1;
}

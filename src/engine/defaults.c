/* SPDX-License-Identifier: Apache-2.0 */
#include "src/engine/config.h"

/* What a program that was written for root needs, and no more than the other
 * engines give. */
const char *const eng_default_caps[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",	 "CAP_FSETID",
	"CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",	 "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID",	       "CAP_SYS_CHROOT", NULL,
};

const char *const eng_default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"container=moat",
	NULL,
};

/*
 * System calls with no use in a container and a history of, or room for,
 * holes in the kernel. What capabilities guard already stands here as well
 * where a user namespace of the container's own making would give them back;
 * whoever is given the capability itself is given its calls.
 */
/* clang-format off */
const struct eng_denied_call eng_denied_calls[] = {
	/* other kernels and modules */
	{ "kexec_load",		"CAP_SYS_BOOT" },
	{ "kexec_file_load",	"CAP_SYS_BOOT" },
	{ "init_module",	"CAP_SYS_MODULE" },
	{ "finit_module",	"CAP_SYS_MODULE" },
	{ "delete_module",	"CAP_SYS_MODULE" },
	{ "create_module",	NULL },
	{ "query_module",	NULL },
	{ "get_kernel_syms",	NULL },
	/* the machine */
	{ "reboot",		"CAP_SYS_BOOT" },
	{ "swapon",		"CAP_SYS_ADMIN" },
	{ "swapoff",		"CAP_SYS_ADMIN" },
	{ "iopl",		"CAP_SYS_RAWIO" },
	{ "ioperm",		"CAP_SYS_RAWIO" },
	{ "acct",		"CAP_SYS_PACCT" },
	{ "quotactl",		"CAP_SYS_ADMIN" },
	{ "quotactl_fd",	"CAP_SYS_ADMIN" },
	{ "settimeofday",	"CAP_SYS_TIME" },
	{ "clock_settime",	"CAP_SYS_TIME" },
	{ "clock_settime64",	"CAP_SYS_TIME" },
	{ "adjtimex",		"CAP_SYS_TIME" },
	{ "clock_adjtime",	"CAP_SYS_TIME" },
	{ "clock_adjtime64",	"CAP_SYS_TIME" },
	{ "syslog",		"CAP_SYSLOG" },
	{ "vhangup",		"CAP_SYS_TTY_CONFIG" },
	{ "nfsservctl",		NULL },
	{ "_sysctl",		NULL },
	{ "uselib",		NULL },
	{ "ustat",		NULL },
	{ "sysfs",		NULL },
	{ "lookup_dcookie",	"CAP_SYS_ADMIN" },
	/* programs inside the kernel, and views into it */
	{ "bpf",		"CAP_BPF" },
	{ "perf_event_open",	"CAP_PERFMON" },
	{ "userfaultfd",	NULL },
	{ "io_uring_setup",	NULL },
	{ "io_uring_enter",	NULL },
	{ "io_uring_register",	NULL },
	{ "kcmp",		"CAP_SYS_PTRACE" },
	{ "fanotify_init",	"CAP_SYS_ADMIN" },
	/* keys are not divided by namespaces */
	{ "add_key",		NULL },
	{ "request_key",	NULL },
	{ "keyctl",		NULL },
	/* files by handle: past every mount */
	{ "open_by_handle_at",	"CAP_DAC_READ_SEARCH" },
	{ "name_to_handle_at",	"CAP_DAC_READ_SEARCH" },
	/* mounts */
	{ "mount",		"CAP_SYS_ADMIN" },
	{ "mount_setattr",	"CAP_SYS_ADMIN" },
	{ "move_mount",		"CAP_SYS_ADMIN" },
	{ "open_tree",		"CAP_SYS_ADMIN" },
	{ "fsopen",		"CAP_SYS_ADMIN" },
	{ "fsconfig",		"CAP_SYS_ADMIN" },
	{ "fsmount",		"CAP_SYS_ADMIN" },
	{ "fspick",		"CAP_SYS_ADMIN" },
	{ "umount",		"CAP_SYS_ADMIN" },
	{ "umount2",		"CAP_SYS_ADMIN" },
	{ "pivot_root",		"CAP_SYS_ADMIN" },
	/* memory of others, and where it lies */
	{ "process_vm_writev",	"CAP_SYS_PTRACE" },
	{ "move_pages",		"CAP_SYS_NICE" },
	{ "migrate_pages",	"CAP_SYS_NICE" },
	{ "mbind",		"CAP_SYS_NICE" },
	{ "set_mempolicy",	"CAP_SYS_NICE" },
	{ "set_mempolicy_home_node", "CAP_SYS_NICE" },
	{ "vm86",		NULL },
	{ "vm86old",		NULL },
	{ NULL,			NULL },
};
/* clang-format on */

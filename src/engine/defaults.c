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
 * where a user namespace of the container's own making would give them back.
 */
const char *const eng_denied_calls[] = {
	/* other kernels and modules */
	"kexec_load",
	"kexec_file_load",
	"init_module",
	"finit_module",
	"delete_module",
	"create_module",
	"query_module",
	"get_kernel_syms",
	/* the machine */
	"reboot",
	"swapon",
	"swapoff",
	"iopl",
	"ioperm",
	"acct",
	"quotactl",
	"quotactl_fd",
	"settimeofday",
	"clock_settime",
	"clock_settime64",
	"adjtimex",
	"clock_adjtime",
	"clock_adjtime64",
	"syslog",
	"vhangup",
	"nfsservctl",
	"_sysctl",
	"uselib",
	"ustat",
	"sysfs",
	"lookup_dcookie",
	/* programs inside the kernel, and views into it */
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"kcmp",
	"fanotify_init",
	/* keys are not divided by namespaces */
	"add_key",
	"request_key",
	"keyctl",
	/* files by handle: past every mount */
	"open_by_handle_at",
	"name_to_handle_at",
	/* mounts */
	"mount",
	"mount_setattr",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"umount",
	"umount2",
	"pivot_root",
	/* memory of others, and where it lies */
	"process_vm_writev",
	"move_pages",
	"migrate_pages",
	"mbind",
	"set_mempolicy",
	"set_mempolicy_home_node",
	"vm86",
	"vm86old",
	NULL,
};

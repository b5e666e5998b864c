/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a micro-VM is made of (struct vm_config) and how it ended (struct
 * vm_end): what crosses the border between the runtime and moat-vmm, as JSON
 * by the tables below.
 *
 * Everything outside comes in as open descriptors by number: the monitor
 * opens nothing itself but /dev/kvm, and not even that when it is given.
 * Descriptors in a config stay the caller's. -1 is "none".
 */
#include "base/json.h"

#define VM_MAX_VCPUS   64
#define VM_MAX_DEVICES 19 /* interrupts 5 to 23 */

enum vm_huge {
	VM_HUGE_NEVER,	 /* small pages */
	VM_HUGE_ADVISE,	 /* transparent ones where the host has them */
	VM_HUGE_RESERVE, /* hugetlbfs pages of 2 MiB, or an error */
};

struct vm_memory {
	uint64_t bytes; /* multiple of 4096, at least 16 MiB */
	int huge;	/* enum vm_huge: "never", "advise", "reserve" */
	bool ksm;	/* let the host merge equal pages */
	bool populate;	/* take all of it now, not at first touch */
};

/* Bytes and operations per second with a burst of one second's worth; 0 is
 * no limit. */
struct vm_rate {
	uint64_t bytes;
	uint64_t ops;
};

/* virtio-blk: a raw file or a block device, /dev/vda and so on in order. */
struct vm_disk {
	int32_t fd;
	bool readonly;
	char *id; /* at most 20 bytes; the guest's serial number */
	struct vm_rate rate;
};

/* virtio-net: a tap with IFF_NO_PI | IFF_VNET_HDR, or such a queue of one. */
struct vm_nic {
	int32_t fd;
	char *mac; /* "02:00:00:00:00:01" */
	uint32_t mtu;
};

/* virtio-fs: a folder that the guest mounts by its tag. */
struct vm_share {
	char *tag; /* at most 35 bytes */
	int32_t dir_fd;
	bool readonly;
};

/* A port of the virtio-console: a stream socket or a pair of pipe ends. */
struct vm_port {
	char *name;	/* as in /sys/class/virtio-ports/X/name */
	int32_t fd;	/* both ways; or host to guest when out_fd is set */
	int32_t out_fd; /* guest to host */
};

/*
 * virtio-vsock. The guest reaches the host at CID 2:
 *	ports	a connection of the guest to this port becomes this connected
 *		stream socket. There is one such connection; when it ends, the
 *		socket is shut down
 *	dir_fd	a connection to any other port connects to the UNIX socket
 *		"vsock_PORT" in this directory, which becomes the process's
 *		working directory: there is no connectat()
 * The host reaches the guest by connecting to the listening UNIX socket
 * listen_fd and writing "CONNECT <port>\n"; the answer is "OK <port>\n" once
 * the guest has accepted, or the end of the connection.
 */
struct vm_vsock_port {
	uint32_t port;
	int32_t fd;
};

struct vm_vsock {
	uint32_t cid; /* 3 or more */
	int32_t listen_fd;
	int32_t dir_fd;
	JSON_VEC_OF(struct vm_vsock_port) ports;
};

struct vm_config {
	uint32_t vcpus;
	/* Host CPUs; vCPU i runs on cpus[i % n]. Empty: wherever. */
	struct json_u32v cpus;
	struct vm_memory memory;

	int32_t kvm_fd;		     /* /dev/kvm; -1: opened here */
	int32_t kernel_fd;	     /* ELF vmlinux, or bzImage */
	struct json_u32v initrd_fds; /* concatenated, each at a page's start */
	char *cmdline;

	int32_t serial_fd; /* what ttyS0 says; it is kept in a ring as well */
	int32_t serial_in_fd;

	struct vm_vsock *vsock;
	JSON_VEC_OF(struct vm_port) ports; /* virtio-console when not empty */
	JSON_VEC_OF(struct vm_disk) disks;
	JSON_VEC_OF(struct vm_nic) nics;
	JSON_VEC_OF(struct vm_share) shares;
	bool rng;
	bool balloon; /* free page reporting, and a size that can be asked for
		       */

	/* For moat-vmm; see control.h and below. */
	int32_t control_fd;
	int32_t report_fd;
	bool jail;
};

extern const struct json_table vm_config_table;

/* Every descriptor in a config, without doubles; -E2BIG: more than max. */
MUST_CHECK int vm_config_fds(const struct vm_config *c, int *ret, size_t max);
#define VM_CONFIG_FDS_MAX 192

/* A config with every descriptor -1 and one vCPU, to be filled in C. */
#define VM_CONFIG_INIT                                                         \
	{                                                                      \
		.vcpus = 1, .memory.huge = VM_HUGE_ADVISE, .kvm_fd = -1,       \
		.kernel_fd = -1, .serial_fd = -1, .serial_in_fd = -1,          \
		.control_fd = -1, .report_fd = -1                              \
	}

/* Refuses what no machine can be made of, naming the member. */
MUST_CHECK int vm_config_check(const struct vm_config *c, struct err *e);

/* How a guest can end. moat-vmm's exit status is VM_STATUS(how). */
enum vm_how {
	VM_END_NONE,	 /* still running */
	VM_END_POWEROFF, /* ACPI S5: it shut down */
	VM_END_RESET,	 /* it asked for a restart; a panic does, too */
	VM_END_CRASH,	 /* triple fault */
	VM_END_STOPPED,	 /* vm_stop() */
	VM_END_FAILED,	 /* KVM or the monitor gave up; text says why */
	VM_END_N_,
};

/* 0 for a shut down guest; 64 + how otherwise. 1 is left to errors before
 * the guest has run, 2 to wrong use. */
#define VM_STATUS(how) ((how) == VM_END_POWEROFF ? 0 : 64 + (int)(how))

#define VM_END_CONSOLE 4096

struct vm_end {
	int how;       /* enum vm_how */
	char *text;    /* a sentence about it */
	char *console; /* the last lines of ttyS0, at most VM_END_CONSOLE */
};

extern const struct json_table vm_end_table;
void vm_end_done(struct vm_end *end);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What differs from one processor architecture to the next; implemented by
 * the files of one subfolder (x86/). Addresses and interrupts of devices are
 * its business, too.
 */
#include "microvm/boot.h"
#include "microvm/bus.h"

struct gmem;
struct kvm;

/* Where the machine's fixed parts are. */
#define ARCH_VIRTIO_BASE 0xd0000000ULL
#define ARCH_VIRTIO_SIZE 0x1000ULL
#define ARCH_VIRTIO_GSI	 5U
#define ARCH_SERIAL_PORT 0x3f8U
#define ARCH_SERIAL_GSI	 4U

/* Between memory and interrupt controllers. */
MUST_CHECK int arch_prepare(const struct kvm *k, struct err *e);

/* Features and fixed registers of vCPU index of n. */
MUST_CHECK int arch_prepare_vcpu(const struct kvm *k, int vcpu_fd,
				 unsigned int index, unsigned int n,
				 struct err *e);

/* Lets vCPU 0 begin where the image wants to be entered. */
MUST_CHECK int arch_enter(const struct gmem *m, int vcpu_fd,
			  const struct boot_entry *entry, struct err *e);

/* Tells the guest what it runs on (ACPI). *ret is where it starts. */
MUST_CHECK int arch_describe(const struct gmem *m, unsigned int n_vcpus,
			     unsigned int n_devices, uint64_t *ret,
			     struct err *e);

/* The ports by which a guest ends itself. end is called on a vCPU thread. */
struct arch_power {
	void (*end)(void *arg, int how, const char *text);
	void *arg;
};

MUST_CHECK int arch_add_power(struct bus *pio, struct arch_power *p,
			      struct err *e);

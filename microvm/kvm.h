/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * /dev/kvm: its calls with sentences for errors, and the order they are made
 * in, which matters:
 *
 *	kvm_open	   capabilities that everything else relies on
 *	kvm_add_memory	   before kvm_add_irqchip(): afterwards each call waits
 *			   for all vCPUs' interrupt routing, 4-7 ms
 *	kvm_add_irqchip	   before vCPUs, which get their local APIC from it
 *	kvm_new_vcpu
 */
#include <linux/kvm.h>

#include "base/err.h"

struct gmem;

struct kvm {
	int fd; /* /dev/kvm */
	bool own_fd;
	int vm; /* the machine */
	size_t run_size;
};

/* clang-format off */
#define KVM_INIT { .fd = -1, .vm = -1 }
/* clang-format on */

/* fd: /dev/kvm when somebody opened it already, else -1. */
MUST_CHECK int kvm_open(struct kvm *k, int fd, struct err *e);
void kvm_close(struct kvm *k);

MUST_CHECK int kvm_add_memory(const struct kvm *k, const struct gmem *m,
			      struct err *e);
MUST_CHECK int kvm_add_irqchip(const struct kvm *k, struct err *e);

/* An eventfd raises interrupt gsi. */
MUST_CHECK int kvm_irqfd(const struct kvm *k, int event_fd, uint32_t gsi,
			 struct err *e);
/* A 4-byte write of value at addr signals an eventfd. */
MUST_CHECK int kvm_ioeventfd(const struct kvm *k, int event_fd, uint64_t addr,
			     uint32_t value, struct err *e);

/* *ret_run has k->run_size bytes, to be unmapped. */
MUST_CHECK int kvm_new_vcpu(const struct kvm *k, unsigned int index,
			    struct kvm_run **ret_run, struct err *e);

/* The value KVM_CHECK_EXTENSION gives; 0: not there. */
int kvm_has(const struct kvm *k, long capability);

/* What a KVM_EXIT_ is called in messages. */
const char *kvm_exit_name(uint32_t reason);

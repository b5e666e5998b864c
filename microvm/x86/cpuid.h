/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the guest's CPUID instruction says: what this KVM supports, less what
 * a guest has no use for, with the machine's own topology: one package, a
 * core per vCPU, no threads.
 */
#include "base/err.h"

struct kvm;

MUST_CHECK int x86_set_cpuid(const struct kvm *k, int vcpu_fd,
			     unsigned int index, unsigned int n, struct err *e);

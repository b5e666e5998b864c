/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One virtual processor: a thread that runs guest code and answers its exits
 * by table. It touches buses and the gate, never a device's state.
 *
 * Somebody who wants its attention sets immediate_exit and sends it a signal:
 * the signal ends a KVM_RUN under way, the flag one about to begin.
 */
#include <pthread.h>

#include "base/err.h"

struct bus;
struct gate;
struct kvm;
struct kvm_run;

/* What all vCPUs of a machine share. */
struct vcpu_shared {
	const struct kvm *kvm;
	const struct bus *mmio, *pio;
	struct gate *gate;
	/* The guest is at its end: how, and a sentence. Any thread. */
	void (*end)(void *arg, int how, const char *text);
	/* At the start of each thread: the jail. May be NULL. */
	int (*confine)(void *arg, struct err *e);
	void *arg;
};

struct vcpu {
	const struct vcpu_shared *shared;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	uint64_t exits; /* atomic */
	pthread_t thread;
	bool started;
};

MUST_CHECK int vcpu_init(struct vcpu *v, const struct vcpu_shared *shared,
			 unsigned int index, struct err *e);
/* Only when its thread has ended, or never began. */
void vcpu_done(struct vcpu *v);

/* host_cpu < 0: wherever the scheduler likes. */
MUST_CHECK int vcpu_start(struct vcpu *v, int host_cpu, struct err *e);
/* Brings it out of the guest, to the gate. */
void vcpu_kick(struct vcpu *v);
/* Waits for the thread's end; the gate must have been ended. */
void vcpu_join(struct vcpu *v);

/* The signal that kicks; its handler is set by vcpu_prepare_signal(), once
 * per process. */
MUST_CHECK int vcpu_prepare_signal(struct err *e);

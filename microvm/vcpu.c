/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/vcpu.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "microvm/bus.h"
#include "microvm/gate.h"
#include "microvm/kvm.h"
#include "microvm/vm_config.h"

#define KICK_SIGNAL SIGUSR1

/* Deepest: a bus write to a device that logs. */
#define STACK_SIZE (128U << 10)

typedef void (*exit_fn)(struct vcpu *v);

static void end(struct vcpu *v, int how, const char *text)
{
	v->shared->end(v->shared->arg, how, text);
}

static void on_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t len = run->io.size;

	/* One exit may stand for a whole "rep outsb". */
	for (uint32_t i = 0; i < run->io.count; i++, data += len)
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(v->shared->pio, run->io.port, data, len);
		else
			bus_read(v->shared->pio, run->io.port, data, len);
}

static void on_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	if (run->mmio.is_write)
		bus_write(v->shared->mmio, run->mmio.phys_addr, run->mmio.data,
			  run->mmio.len);
	else
		bus_read(v->shared->mmio, run->mmio.phys_addr, run->mmio.data,
			 run->mmio.len);
}

static void on_nothing(struct vcpu *v)
{
}

static void on_shutdown(struct vcpu *v)
{
	end(v, VM_END_CRASH, "the guest's processor gave up (triple fault)");
}

static void on_system_event(struct vcpu *v)
{
	static const struct {
		int how;
		const char *text;
	} events[] = {
		[KVM_SYSTEM_EVENT_SHUTDOWN] = { VM_END_POWEROFF,
						"the guest has shut down" },
		[KVM_SYSTEM_EVENT_RESET] = { VM_END_RESET,
					     "the guest asked for a restart" },
		[KVM_SYSTEM_EVENT_CRASH] = { VM_END_CRASH,
					     "the guest reported a crash" },
	};
	uint32_t type = v->run->system_event.type;

	if (type < ARRAY_SIZE(events) && events[type].text)
		end(v, events[type].how, events[type].text);
}

static void on_internal_error(struct vcpu *v)
{
	const struct kvm_run *run = v->run;
	char text[256], code[64] = "";
	size_t n = 0;

	/* With an instruction KVM could not emulate come its bytes. */
	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION &&
	    run->emulation_failure.ndata >= 3 &&
	    (run->emulation_failure.flags &
	     KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		for (size_t i = 0; i < run->emulation_failure.insn_size; i++)
			n += (size_t)snprintf(
				code + n, sizeof(code) - n, " %02x",
				run->emulation_failure.insn_bytes[i]);
	(void)snprintf(text, sizeof(text),
		       "KVM could not go on (internal error %u)%s%s",
		       run->internal.suberror,
		       n ? ": it cannot emulate the instruction" : "", code);
	end(v, VM_END_FAILED, text);
}

static void on_fail_entry(struct vcpu *v)
{
	char text[160];

	(void)snprintf(text, sizeof(text),
		       "the processor refused the guest's state (reason %#llx)",
		       (unsigned long long)v->run->fail_entry
			       .hardware_entry_failure_reason);
	end(v, VM_END_FAILED, text);
}

static void on_other(struct vcpu *v)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "KVM stopped with exit %u (%s)",
		       v->run->exit_reason, kvm_exit_name(v->run->exit_reason));
	end(v, VM_END_FAILED, text);
}

static const exit_fn exits[] = {
	[KVM_EXIT_IO] = on_io,
	[KVM_EXIT_MMIO] = on_mmio,
	[KVM_EXIT_INTR] = on_nothing,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = on_nothing,
	[KVM_EXIT_SHUTDOWN] = on_shutdown,
	[KVM_EXIT_SYSTEM_EVENT] = on_system_event,
	[KVM_EXIT_INTERNAL_ERROR] = on_internal_error,
	[KVM_EXIT_FAIL_ENTRY] = on_fail_entry,
};

static void answer(struct vcpu *v)
{
	uint32_t reason = v->run->exit_reason;

	(void)__atomic_fetch_add(&v->exits, 1, __ATOMIC_RELAXED);
	if (reason < ARRAY_SIZE(exits) && exits[reason])
		exits[reason](v);
	else
		on_other(v);
}

static void set_immediate_exit(struct vcpu *v, uint8_t on)
{
	__atomic_store_n(&v->run->immediate_exit, on, __ATOMIC_SEQ_CST);
}

/*
 * An access that was answered is only finished by the next KVM_RUN. Before
 * the machine stands still, that is done without running guest code.
 */
static void finish_access(struct vcpu *v)
{
	set_immediate_exit(v, 1);
	while (ioctl(v->fd, KVM_RUN, 0) == 0)
		answer(v); /* a string instruction had more to say */
}

/*
 * The flag is cleared before the gate is looked at once more: a kick that
 * comes later sets it anew, one that came earlier has closed the gate first.
 */
static bool pass_gate(struct vcpu *v)
{
	bool on = true;

	while (on && gate_busy(v->shared->gate)) {
		finish_access(v);
		on = gate_pass(v->shared->gate);
		set_immediate_exit(v, 0);
	}
	return on;
}

static void run(struct vcpu *v)
{
	char text[160];

	while (pass_gate(v)) {
		if (ioctl(v->fd, KVM_RUN, 0) == 0) {
			answer(v);
			continue;
		}
		/* EAGAIN: another vCPU has just woken this one up. */
		if (errno == EINTR || errno == EAGAIN) {
			set_immediate_exit(v, 0);
			continue;
		}
		(void)snprintf(text, sizeof(text), "run vCPU %u: %s", v->index,
			       strerrordesc_np(errno));
		end(v, VM_END_FAILED, text);
	}
}

static void *thread_main(void *arg)
{
	struct vcpu *v = arg;
	struct err e = { 0 };

	if (v->shared->confine && v->shared->confine(v->shared->arg, &e) < 0)
		end(v, VM_END_FAILED, err_text(&e));
	run(v);
	gate_leave(v->shared->gate);
	return NULL;
}

static void on_kick_signal(int sig)
{
	/* Its arrival is all that matters: KVM_RUN ends with EINTR. */
}

int vcpu_prepare_signal(struct err *e)
{
	struct sigaction sa = { .sa_handler = on_kick_signal };

	if (sigaction(KICK_SIGNAL, &sa, NULL) < 0)
		return err_errno(e, "set the signal that stops vCPUs");
	return 0;
}

int vcpu_init(struct vcpu *v, const struct vcpu_shared *shared,
	      unsigned int index, struct err *e)
{
	*v = (struct vcpu){ .shared = shared, .index = index, .fd = -1 };
	v->fd = kvm_new_vcpu(shared->kvm, index, &v->run, e);
	return v->fd < 0 ? v->fd : 0;
}

void vcpu_done(struct vcpu *v)
{
	if (v->run)
		(void)munmap(v->run, v->shared->kvm->run_size);
	if (v->fd >= 0)
		(void)close(v->fd);
	*v = (struct vcpu){ .fd = -1 };
}

/* All signals but the kick stay with the device thread. */
static int start_blocked(struct vcpu *v, const pthread_attr_t *attr)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)sigdelset(&all, KICK_SIGNAL);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&v->thread, attr, thread_main, v);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int vcpu_start(struct vcpu *v, int host_cpu, struct err *e)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int r;

	(void)pthread_attr_init(&attr);
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0 && host_cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((size_t)host_cpu, &set);
		r = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	gate_arrive(v->shared->gate);
	if (r == 0)
		r = start_blocked(v, &attr);
	(void)pthread_attr_destroy(&attr);
	if (r != 0) {
		gate_leave(v->shared->gate);
		if (host_cpu >= 0)
			return err_set(
				e, -r,
				"start the thread of vCPU %u on its host CPU %d: %s",
				v->index, host_cpu, strerrordesc_np(r));
		return err_set(e, -r, "start the thread of vCPU %u: %s",
			       v->index, strerrordesc_np(r));
	}
	v->started = true;
	return 0;
}

void vcpu_kick(struct vcpu *v)
{
	if (!v->started)
		return;
	set_immediate_exit(v, 1);
	(void)pthread_kill(v->thread, KICK_SIGNAL);
}

void vcpu_join(struct vcpu *v)
{
	if (!v->started)
		return;
	(void)pthread_join(v->thread, NULL);
	v->started = false;
}

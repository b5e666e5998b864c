/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "microvm/arch.h"
#include "microvm/boot.h"
#include "microvm/bus.h"
#include "microvm/gate.h"
#include "microvm/gmem.h"
#include "microvm/jail.h"
#include "microvm/kvm.h"
#include "microvm/mmio.h"
#include "microvm/serial.h"
#include "microvm/vcpu.h"

struct vm {
	const struct vm_config *config;
	struct loop *loop;
	struct gate gate;
	struct kvm kvm;
	struct gmem mem;
	struct bus mmio, pio;
	struct arch_power power;
	struct serial *serial;
	struct mmio *dev[VM_MAX_DEVICES];
	unsigned int n_devs;
	struct vcpu_shared shared;
	struct vcpu vcpu[VM_MAX_VCPUS];
	unsigned int n_vcpus; /* that exist */
	bool paused;
	bool stop; /* atomic: somebody called vm_stop() */

	pthread_mutex_t end_lock;
	int how; /* enum vm_how: the first one counts */
	char text[256];
};

/* The guest is at its end. From any thread, so without allocation: the jail
 * lets vCPU threads have no new memory. */
static void end(void *arg, int how, const char *text)
{
	struct vm *vm = arg;

	(void)pthread_mutex_lock(&vm->end_lock);
	if (vm->how == VM_END_NONE) {
		vm->how = how;
		(void)snprintf(vm->text, sizeof(vm->text), "%s", text);
	}
	(void)pthread_mutex_unlock(&vm->end_lock);
	gate_end(&vm->gate);
}

static int on_gate(void *arg, int fd, uint32_t events, struct err *e)
{
	struct vm *vm = arg;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	gate_serve(&vm->gate);
	if (__atomic_load_n(&vm->stop, __ATOMIC_SEQ_CST))
		end(vm, VM_END_STOPPED, "the micro-VM was stopped");
	if (vm->gate.ended)
		loop_quit(vm->loop, 0);
	return 0;
}

/* --- making one, in the order in which things depend on each other */

static int make_base(struct vm *vm, struct err *e)
{
	int r = loop_new(&vm->loop, e);

	if (r == 0)
		r = gate_init(&vm->gate, e);
	if (r == 0)
		r = loop_add_fd(vm->loop, vm->gate.event_fd, EPOLLIN, on_gate,
				vm, NULL, e);
	return r;
}

static int make_machine(struct vm *vm, struct err *e)
{
	const struct vm_config *c = vm->config;
	int r = kvm_open(&vm->kvm, c->kvm_fd, e);

	if (r == 0)
		r = gmem_init(&vm->mem, &c->memory, e);
	if (r == 0)
		r = kvm_add_memory(&vm->kvm, &vm->mem, e);
	if (r == 0)
		r = arch_prepare(&vm->kvm, e);
	if (r == 0)
		r = kvm_add_irqchip(&vm->kvm, e);
	return r;
}

static int make_legacy(struct vm *vm, struct err *e)
{
	struct serial_config sc = {
		.loop = vm->loop,
		.out_fd = vm->config->serial_fd,
		.in_fd = vm->config->serial_in_fd,
	};
	int r = serial_new(&sc, &vm->serial, e);

	if (r == 0)
		r = bus_add(&vm->pio, ARCH_SERIAL_PORT, 8, &serial_bus_ops,
			    vm->serial, e);
	if (r == 0)
		r = kvm_irqfd(&vm->kvm, serial_irq_fd(vm->serial),
			      ARCH_SERIAL_GSI, e);
	vm->power = (struct arch_power){ .end = end, .arg = vm };
	if (r == 0)
		r = arch_add_power(&vm->pio, &vm->power, e);
	return r;
}

static int connect_device(struct vm *vm, unsigned int i, struct err *e)
{
	uint64_t base = ARCH_VIRTIO_BASE + i * ARCH_VIRTIO_SIZE;
	const struct mmio *m = vm->dev[i];
	int r;

	r = bus_add(&vm->mmio, base, MMIO_SIZE, &mmio_bus_ops, vm->dev[i], e);
	if (r == 0)
		r = kvm_irqfd(&vm->kvm, mmio_irq_fd(m), ARCH_VIRTIO_GSI + i, e);
	for (unsigned int q = 0; q < mmio_dev(m)->n_queues && r == 0; q++)
		r = kvm_ioeventfd(&vm->kvm, mmio_kick_fd(m, q),
				  base + MMIO_NOTIFY, q, e);
	return r;
}

static int make_devices(struct vm *vm, struct err *e)
{
	struct virtio_dev *devs[VM_MAX_DEVICES];
	unsigned int n = 0;
	int r = virtio_make_all(vm->config, devs, &n, e);

	for (unsigned int i = 0; i < n; i++) {
		if (r < 0) {
			virtio_free(devs[i]);
			continue;
		}
		devs[i]->mem = &vm->mem;
		devs[i]->loop = vm->loop;
		r = mmio_new(devs[i], &vm->gate, &vm->dev[i], e);
		if (r < 0)
			continue;
		vm->n_devs++;
		r = connect_device(vm, i, e);
	}
	return r;
}

static int make_vcpus(struct vm *vm, struct err *e)
{
	unsigned int n = vm->config->vcpus;
	int r = 0;

	vm->shared = (struct vcpu_shared){
		.kvm = &vm->kvm,
		.mmio = &vm->mmio,
		.pio = &vm->pio,
		.gate = &vm->gate,
		.end = end,
		.arg = vm,
	};
	for (unsigned int i = 0; i < n && r == 0; i++) {
		r = vcpu_init(&vm->vcpu[i], &vm->shared, i, e);
		if (r < 0)
			break;
		vm->n_vcpus++;
		r = arch_prepare_vcpu(&vm->kvm, vm->vcpu[i].fd, i, n, e);
	}
	return r;
}

static int make_guest(struct vm *vm, struct err *e)
{
	const struct vm_config *c = vm->config;
	struct boot_config boot = {
		.mem = &vm->mem,
		.kernel_fd = c->kernel_fd,
		.initrd_fds = &c->initrd_fds,
		.cmdline = c->cmdline,
	};
	struct boot_entry entry;
	int r;

	r = arch_describe(&vm->mem, vm->n_vcpus, vm->n_devs, &boot.acpi, e);
	if (r == 0)
		r = boot_load(&boot, &entry, e);
	if (r == 0)
		r = arch_enter(&vm->mem, vm->vcpu[0].fd, &entry, e);
	return r;
}

static int (*const makers[])(struct vm *vm, struct err *e) = {
	make_base,    make_machine, make_legacy,
	make_devices, make_vcpus,   make_guest,
};

int vm_create(const struct vm_config *config, struct vm **ret, struct err *e)
{
	struct vm *vm;
	int r = vm_config_check(config, e);

	if (r < 0)
		return r;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return err_nomem(e);
	vm->config = config;
	vm->kvm = (struct kvm)KVM_INIT;
	vm->gate.event_fd = -1;
	(void)pthread_mutex_init(&vm->end_lock, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(makers) && r == 0; i++)
		r = makers[i](vm, e);
	if (r < 0) {
		vm_free(vm);
		return r;
	}
	*ret = vm;
	return 0;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		vcpu_done(&vm->vcpu[i]);
	for (unsigned int i = 0; i < vm->n_devs; i++)
		mmio_free(vm->dev[i]);
	serial_free(vm->serial);
	loop_free(vm->loop);
	kvm_close(&vm->kvm);
	gmem_done(&vm->mem);
	gate_done(&vm->gate);
	(void)pthread_mutex_destroy(&vm->end_lock);
	free(vm);
}

/* --- running it */

static void kick_all(void *arg)
{
	struct vm *vm = arg;

	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		vcpu_kick(&vm->vcpu[i]);
}

static int start_threads(struct vm *vm, struct err *e)
{
	const struct json_u32v *cpus = &vm->config->cpus;
	int r = vcpu_prepare_signal(e);

	/* Nobody enters the guest before all is in place. */
	gate_close(&vm->gate, kick_all, vm);
	for (unsigned int i = 0; i < vm->n_vcpus && r == 0; i++)
		r = vcpu_start(&vm->vcpu[i],
			       cpus->n ? (int)cpus->v[i % cpus->n] : -1, e);
	return r;
}

static void stop_threads(struct vm *vm)
{
	gate_end(&vm->gate);
	kick_all(vm);
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		vcpu_join(&vm->vcpu[i]);
}

static int confine_vcpu(void *arg, struct err *e)
{
	return jail_filter(JAIL_VCPU, e);
}

static int start_devices(struct vm *vm, struct err *e)
{
	int r = 0;

	for (unsigned int i = 0; i < vm->n_devs && r == 0; i++)
		r = virtio_start(mmio_dev(vm->dev[i]), vm->config->jail, e);
	return r;
}

static unsigned int jail_flags(const struct vm_config *c)
{
	unsigned int flags = 0;

	if (c->vsock && c->vsock->dir_fd >= 0)
		flags |= JAIL_KEEP_CWD;
	if (c->shares.n > 0)
		flags |= JAIL_FOR_SHARES;
	return flags;
}

static int start(struct vm *vm, struct err *e)
{
	const struct vm_config *c = vm->config;
	int r = 0;

	if (c->jail) {
		vm->shared.confine = confine_vcpu;
		r = jail_enter(jail_flags(c), e);
	}
	if (r == 0)
		r = start_devices(vm, e);
	if (r == 0)
		r = start_threads(vm, e);
	/* The last: its filter forbids to start threads. */
	if (r == 0 && c->jail)
		r = jail_filter(JAIL_DEVICE, e);
	return r;
}

int vm_run(struct vm *vm, struct vm_end *ret, struct err *e)
{
	int r = start(vm, e);

	if (r == 0) {
		gate_open(&vm->gate);
		r = loop_run(vm->loop, e);
	}
	stop_threads(vm);
	serial_flush(vm->serial);
	if (r < 0)
		return r;
	*ret = (struct vm_end){
		.how = vm->how,
		.text = strdup(vm->text),
		.console = serial_text(vm->serial, VM_END_CONSOLE),
	};
	if (ret->text && ret->console)
		return 0;
	vm_end_done(ret);
	return err_nomem(e);
}

int vm_pause(struct vm *vm, struct err *e)
{
	if (vm->paused)
		return err_set(e, -EALREADY, "the micro-VM is paused already");
	gate_close(&vm->gate, kick_all, vm);
	vm->paused = true;
	return 0;
}

int vm_resume(struct vm *vm, struct err *e)
{
	if (!vm->paused)
		return err_set(e, -EALREADY, "the micro-VM is not paused");
	vm->paused = false;
	gate_open(&vm->gate);
	return 0;
}

void vm_stop(struct vm *vm)
{
	__atomic_store_n(&vm->stop, true, __ATOMIC_SEQ_CST);
	gate_wake(&vm->gate);
}

struct loop *vm_loop(struct vm *vm)
{
	return vm->loop;
}

char *vm_console_text(struct vm *vm)
{
	return serial_text(vm->serial, VM_END_CONSOLE);
}

int vm_set_balloon(struct vm *vm, uint64_t bytes, struct err *e)
{
	struct virtio_balloon_sizes sizes;

	for (unsigned int i = 0; i < vm->n_devs; i++)
		if (virtio_balloon_stat(mmio_dev(vm->dev[i]), &sizes))
			return virtio_balloon_set(mmio_dev(vm->dev[i]), bytes,
						  e);
	return err_set(e, -EOPNOTSUPP, "this micro-VM has no balloon");
}

void vm_stat(struct vm *vm, struct vm_stat *ret)
{
	struct virtio_balloon_sizes sizes = { 0 };

	*ret = (struct vm_stat){ .paused = vm->paused };
	for (unsigned int i = 0; i < vm->n_devs; i++)
		if (virtio_balloon_stat(mmio_dev(vm->dev[i]), &sizes))
			break;
	ret->balloon_bytes = sizes.given_up;
	ret->reported_bytes = sizes.reported;
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		ret->exits +=
			__atomic_load_n(&vm->vcpu[i].exits, __ATOMIC_RELAXED);
}

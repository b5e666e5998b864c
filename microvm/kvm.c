/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/gmem.h"

/* Since 2007; nothing else was ever shipped. */
#define API_VERSION 12

static const struct {
	long id;
	const char *name;
} needed[] = {
	{ KVM_CAP_USER_MEMORY, "user memory" },
	{ KVM_CAP_IRQCHIP, "interrupt controllers" },
	{ KVM_CAP_IRQFD, "irqfd" },
	{ KVM_CAP_IOEVENTFD, "ioeventfd" },
	{ KVM_CAP_MP_STATE, "processor states" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
};

int kvm_has(const struct kvm *k, long capability)
{
	int r = ioctl(k->vm >= 0 ? k->vm : k->fd, KVM_CHECK_EXTENSION,
		      capability);

	return r > 0 ? r : 0;
}

static int open_device(struct err *e)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return err_set(
			e, -ENODEV,
			"no /dev/kvm: virtualization is off in the firmware, or its module is not loaded (modprobe kvm_intel or kvm_amd)");
	if (errno == EACCES || errno == EPERM)
		return err_set(
			e, -EACCES,
			"no permission to use /dev/kvm: join its group (usually 'kvm')");
	return err_errno(e, "open '/dev/kvm'");
}

static int check(const struct kvm *k, struct err *e)
{
	int version = ioctl(k->fd, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return err_errno(e, "ask for KVM's version");
	if (version != API_VERSION)
		return err_set(e, -ENOTSUP, "KVM speaks version %d, not %d",
			       version, API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!kvm_has(k, needed[i].id))
			return err_set(e, -ENOTSUP, "this KVM has no %s",
				       needed[i].name);
	return 0;
}

static int new_machine(struct kvm *k, struct err *e)
{
	int size = ioctl(k->fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)sizeof(struct kvm_run))
		return err_set(e, -ENOTSUP, "KVM's run area has %d bytes",
			       size);
	k->run_size = (size_t)size;
	/* A signal may interrupt it half-way: it is slow. */
	do
		k->vm = ioctl(k->fd, KVM_CREATE_VM, 0);
	while (k->vm < 0 && errno == EINTR);
	if (k->vm < 0)
		return err_errno(e, "make a machine");
	return 0;
}

int kvm_open(struct kvm *k, int fd, struct err *e)
{
	int r;

	*k = (struct kvm)KVM_INIT;
	k->own_fd = fd < 0;
	k->fd = fd >= 0 ? fd : open_device(e);
	if (k->fd < 0)
		return k->fd;
	r = check(k, e);
	if (r == 0)
		r = new_machine(k, e);
	if (r < 0) {
		kvm_close(k);
		return err_wrap(e, r, "KVM");
	}
	return 0;
}

void kvm_close(struct kvm *k)
{
	if (k->vm >= 0)
		(void)close(k->vm);
	if (k->own_fd && k->fd >= 0)
		(void)close(k->fd);
	*k = (struct kvm)KVM_INIT;
}

int kvm_add_memory(const struct kvm *k, const struct gmem *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->region[i];
		struct kvm_userspace_memory_region region = {
			.slot = (uint32_t)i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->size,
			.userspace_addr = (uint64_t)(uintptr_t)r->host,
		};

		if (ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
			return err_errno(e, "KVM: give the guest memory");
	}
	return 0;
}

int kvm_add_irqchip(const struct kvm *k, struct err *e)
{
	if (ioctl(k->vm, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_errno(e, "KVM: make interrupt controllers");
	return 0;
}

int kvm_irqfd(const struct kvm *k, int event_fd, uint32_t gsi, struct err *e)
{
	struct kvm_irqfd irq = { .fd = (uint32_t)event_fd, .gsi = gsi };

	if (ioctl(k->vm, KVM_IRQFD, &irq) < 0)
		return err_errno(e, "KVM: connect interrupt %u", gsi);
	return 0;
}

int kvm_ioeventfd(const struct kvm *k, int event_fd, uint64_t addr,
		  uint32_t value, struct err *e)
{
	struct kvm_ioeventfd io = {
		.datamatch = value,
		.addr = addr,
		.len = 4,
		.fd = event_fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(k->vm, KVM_IOEVENTFD, &io) < 0)
		return err_errno(e, "KVM: connect the doorbell at %#llx",
				 (unsigned long long)addr);
	return 0;
}

int kvm_new_vcpu(const struct kvm *k, unsigned int index,
		 struct kvm_run **ret_run, struct err *e)
{
	autoclose int fd = ioctl(k->vm, KVM_CREATE_VCPU, (unsigned long)index);
	void *run;

	if (fd < 0)
		return err_errno(e, "KVM: make vCPU %u", index);
	run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	if (run == MAP_FAILED)
		return err_errno(e, "KVM: map the run area of vCPU %u", index);
	*ret_run = run;
	return steal_fd(&fd);
}

/* clang-format off */
#define NAME(n) [KVM_EXIT_##n] = #n
static const char *const exit_names[] = {
	NAME(UNKNOWN), NAME(EXCEPTION), NAME(IO), NAME(HYPERCALL), NAME(DEBUG),
	NAME(HLT), NAME(MMIO), NAME(IRQ_WINDOW_OPEN), NAME(SHUTDOWN),
	NAME(FAIL_ENTRY), NAME(INTR), NAME(SET_TPR), NAME(TPR_ACCESS),
	NAME(NMI), NAME(INTERNAL_ERROR), NAME(SYSTEM_EVENT),
	NAME(IOAPIC_EOI), NAME(HYPERV), NAME(X86_RDMSR), NAME(X86_WRMSR),
};
/* clang-format on */

const char *kvm_exit_name(uint32_t reason)
{
	if (reason < ARRAY_SIZE(exit_names) && exit_names[reason])
		return exit_names[reason];
	return "unknown";
}

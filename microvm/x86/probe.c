/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "microvm/vm.h"

/*
 * Can this KVM boot an operating system? It is asked to run a guest that does
 * what every kernel does: takes an exception, and compares 16 bytes. A KVM
 * that runs guest kernels on the processor does not even notice. One that
 * emulates them instruction by instruction (kvm-pvm) knows neither, and would
 * take minutes to get to the point where Linux misses them.
 */
#define ENTRY	0x200000U
#define IDT	(ENTRY + 0x100U)
#define HANDLER (ENTRY + 0x180U)
#define IDTR	(ENTRY + 0x190U)
#define SCRATCH (ENTRY + 0x1000U) /* 16 bytes, aligned so */
#define STACK	(ENTRY + 0x3000U)
#define SIZE	0x1a0U
#define GATES	4U
#define VERDICT "y"

#define U16(v) (uint8_t)((v)&0xff), (uint8_t)((v) >> 8 & 0xff)
#define U32(v) U16((v)&0xffff), U16((v) >> 16)

/* clang-format off */
static const uint8_t code[] = {
	0xbc, U32(STACK),			/* mov esp, STACK */
	0x0f, 0x01, 0x1c, 0x25, U32(IDTR),	/* lidt [IDTR] */
	0xcc,					/* int3 */
	0x48, 0x0f, 0xc7, 0x0c, 0x25, U32(SCRATCH), /* cmpxchg16b [SCRATCH] */
	0x66, 0xba, U16(0x3f8),			/* mov dx, 0x3f8 */
	0xb0, VERDICT[0],			/* mov al, VERDICT */
	0xee,					/* out dx, al */
	0x66, 0xba, U16(0x600),			/* mov dx, 0x600 */
	0xb0, 0x34,				/* mov al, 0x34: power off */
	0xee,					/* out dx, al */
	0xf4, 0xeb, 0xfd,			/* hlt; jmp to it */
};
/* Selector 0x10 is the code segment; 0x8e: present, interrupt gate. */
static const uint8_t gate[16] = {
	U16(HANDLER & 0xffff), U16(0x10), 0, 0x8e, U16(HANDLER >> 16),
};
static const uint8_t handler[] = { 0x48, 0xcf }; /* iretq */
static const uint8_t idtr[10] = { U16(GATES * 16 - 1), U32(IDT) };
/* clang-format on */

/* After this long even an emulator has got through, on a busy host. */
#define LIMIT_MS 10000

static void build(uint8_t image[SIZE])
{
	memset(image, 0, SIZE);
	memcpy(image, code, sizeof(code));
	for (size_t i = 0; i < GATES; i++)
		memcpy(image + (IDT - ENTRY) + i * sizeof(gate), gate,
		       sizeof(gate));
	memcpy(image + (HANDLER - ENTRY), handler, sizeof(handler));
	memcpy(image + (IDTR - ENTRY), idtr, sizeof(idtr));
}

static int make_kernel(struct err *e)
{
	autoclose int fd = memfd_create("probe", MFD_CLOEXEC);
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p;
		uint8_t image[SIZE];
	} f = {
		.h = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				     ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_entry = ENTRY,
			.e_phoff = sizeof(f.h),
			.e_phentsize = sizeof(f.p),
			.e_phnum = 1,
		},
		.p = {
			.p_type = PT_LOAD,
			.p_offset = sizeof(f.h) + sizeof(f.p),
			.p_paddr = ENTRY,
			.p_filesz = SIZE,
			.p_memsz = SIZE,
		},
	};

	build(f.image);
	if (fd < 0 || write(fd, &f, sizeof(f)) != (ssize_t)sizeof(f))
		return err_errno(e, "make a probe");
	return steal_fd(&fd);
}

static int on_limit(void *arg, struct err *e)
{
	vm_stop(arg);
	return 0;
}

static int judge(const struct vm_end *end, struct err *e)
{
	if (end->how == VM_END_POWEROFF && end->console &&
	    strcmp(end->console, VERDICT) == 0)
		return 0;
	if (end->how == VM_END_STOPPED)
		return err_set(
			e, -ENOTSUP,
			"this KVM cannot boot a Linux kernel: it is too slow");
	log_debug("KVM: %s", end->text ? end->text : "it gave no reason");
	return err_set(
		e, -ENOTSUP,
		"this KVM cannot boot a Linux kernel: it emulates kernel code and lacks basic instructions (kvm-pvm does so)");
}

int vm_kvm_usable(int kvm_fd, struct err *e)
{
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };
	autoclose int kernel = -1;
	struct vm *vm = NULL;
	int r;

	kernel = make_kernel(e);
	if (kernel < 0)
		return kernel;
	c.kvm_fd = kvm_fd;
	c.kernel_fd = kernel;
	c.memory.bytes = 16U << 20;
	r = vm_create(&c, &vm, e);
	if (r < 0)
		return r;
	r = loop_add_timer(vm_loop(vm), LIMIT_MS, 0, on_limit, vm, NULL, e);
	if (r == 0)
		r = vm_run(vm, &end, e);
	if (r == 0)
		r = judge(&end, e);
	vm_end_done(&end);
	vm_free(vm);
	return r;
}

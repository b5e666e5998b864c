/* SPDX-License-Identifier: Apache-2.0 */

/* Whole machines with toy guests, on the /dev/kvm that is here. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/str.h"
#include "tests/unit/microvm-toy.h"

/* A guest that hangs ends the test instead of the day. */
#define LIMIT_MS 20000

#define NEED_KVM()                                                             \
	do {                                                                   \
		if (access("/dev/kvm", R_OK | W_OK) < 0)                       \
			SKIP("/dev/kvm: %s", strerror(errno));                 \
	} while (0)

static int on_limit(void *arg, struct err *e)
{
	vm_stop(arg);
	return 0;
}

/* Runs the machine of c, with a memory that will do. */
static void run_vm(struct vm_config *c, struct vm_end *ret)
{
	struct vm *vm = NULL;
	struct err e = { 0 };

	if (c->memory.bytes == 0)
		c->memory.bytes = 32U << 20;
	if (!CHECK_OK(vm_create(c, &vm, &e), &e))
		return;
	if (CHECK_OK(loop_add_timer(vm_loop(vm), LIMIT_MS, 0, on_limit, vm,
				    NULL, &e),
		     &e))
		(void)CHECK_OK(vm_run(vm, ret, &e), &e);
	vm_free(vm);
}

/* Runs code as a machine of c, whose kernel_fd is filled in here. */
static void run_toy(struct vm_config *c, const void *code, size_t len,
		    struct vm_end *ret)
{
	autoclose int kernel = toy_kernel(code, len);

	c->kernel_fd = kernel;
	run_vm(c, ret);
}

#define RUN_TOY(c, code, ret) run_toy(c, code, sizeof(code), ret)

TEST(a_guest_speaks_on_the_serial_line_and_powers_off)
{
	static const uint8_t code[] = {
		TOY_OUT8(0x3f8, 'h'),
		TOY_OUT8(0x3f8, 'i'),
		TOY_POWEROFF,
	};
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };

	NEED_KVM();
	RUN_TOY(&c, code, &end);
	CHECK_INT(end.how, VM_END_POWEROFF);
	CHECK_STR(end.console, "hi");
	vm_end_done(&end);
}

TEST(a_reset_is_told_from_a_power_off)
{
	static const uint8_t by_keyboard[] = { TOY_OUT8(0x64, 0xfe), TOY_HANG };
	static const uint8_t by_acpi[] = { TOY_OUT8(0x604, 0x42), TOY_HANG };
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };

	NEED_KVM();
	RUN_TOY(&c, by_keyboard, &end);
	CHECK_INT(end.how, VM_END_RESET);
	vm_end_done(&end);
	RUN_TOY(&c, by_acpi, &end);
	CHECK_INT(end.how, VM_END_RESET);
	vm_end_done(&end);
}

TEST(a_triple_fault_is_a_crash)
{
	/* ud2 without an interrupt table: no handler, no handler for that */
	static const uint8_t code[] = { 0x0f, 0x0b };
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };

	NEED_KVM();
	RUN_TOY(&c, code, &end);
	CHECK_INT(end.how, VM_END_CRASH);
	vm_end_done(&end);
}

TEST(what_nobody_claims_reads_as_ones)
{
	static const uint8_t code[] = {
		0xbb,	       TOY_32(0xdf000000), /* mov ebx, 0xdf000000 */
		0x8a,	       0x03,		   /* mov al, [rbx] */
		0x66,	       0xba,
		TOY_16(0x3f8), /* mov dx, 0x3f8 */
		0xee,	       /* out dx, al */
		0x66,	       0xba,
		TOY_16(0x100), /* mov dx, 0x100 */
		0xec,	       /* in al, dx */
		0x66,	       0xba,
		TOY_16(0x3f8), /* mov dx, 0x3f8 */
		0xee,	       /* out dx, al */
		TOY_POWEROFF,
	};
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };

	NEED_KVM();
	RUN_TOY(&c, code, &end);
	CHECK_INT(end.how, VM_END_POWEROFF);
	CHECK_STR(end.console, "\xff\xff");
	vm_end_done(&end);
}

TEST(a_virtio_device_answers_at_its_place)
{
	/* mov ebx, 0xd0000000; mov eax, [rbx]; out all four bytes */
	static const uint8_t code[] = {
		0xbb,	       TOY_32(0xd0000000),
		0x8b,	       0x03,
		0x66,	       0xba,
		TOY_16(0x3f8), 0xee, /* out */
		0xc1,	       0xe8,
		0x08,	       0xee, /* shr 8 */
		0xc1,	       0xe8,
		0x08,	       0xee, /* shr 8 */
		0xc1,	       0xe8,
		0x08,	       0xee,
		TOY_POWEROFF,
	};
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };

	NEED_KVM();
	c.rng = true;
	RUN_TOY(&c, code, &end);
	CHECK_STR(end.console, "virt");
	vm_end_done(&end);
}

TEST(memory_above_the_hole_is_there)
{
	/* mov rbx, 4 GiB is beyond the toy's page tables: look at the memory
	 * map in boot_params instead. Entry 4, its address's upper half. */
	static const uint8_t code[] = {
		0xbb,	       TOY_32(0x7000 + 0x2d0 + 4 * 20 + 4),
		0x8b,	       0x03,
		0x04,	       '0', /* add al, '0' */
		0x66,	       0xba,
		TOY_16(0x3f8), 0xee,
		TOY_POWEROFF,
	};
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };

	NEED_KVM();
	c.memory.bytes = 4ULL << 30;
	RUN_TOY(&c, code, &end);
	CHECK_STR(end.console, "1");
	vm_end_done(&end);
}

/* Stops it at once, from another thread's point of view: before it runs. */
TEST(a_guest_that_never_ends_can_be_stopped)
{
	static const uint8_t code[] = { TOY_HANG };
	autoclose int kernel = toy_kernel(code, sizeof(code));
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };
	struct err e = { 0 };
	struct vm *vm = NULL;

	NEED_KVM();
	c.kernel_fd = kernel;
	c.memory.bytes = 32U << 20;
	REQUIRE_OK(vm_create(&c, &vm, &e), &e);
	vm_stop(vm);
	CHECK_OK(vm_run(vm, &end, &e), &e);
	CHECK_INT(end.how, VM_END_STOPPED);
	vm_end_done(&end);
	vm_free(vm);
}

/* mov dx, 0x3f8; out dx, al */
#define SAY 0x66, 0xba, TOY_16(0x3f8), 0xee

/*
 * What the start info of PVH says: its magic number, the command line, the
 * ACPI tables and the memory map, each as far as a letter tells. The first
 * instructions differ between 32 and 64 bits.
 */
TEST(a_kernel_with_a_pvh_entry_alone_starts_there_in_32_bits)
{
	/* clang-format off */
	static const uint8_t code[] = {
		0x31, 0xc0,		/* xor eax, eax */
		0x40,			/* inc eax; in 64 bits a prefix */
		0x04, '0', SAY,		/* add al, '0' */
		0x8b, 0x03, SAY,	/* mov eax, [ebx]: 0x336ec578 */
		0xc1, 0xe8, 16, SAY,	/* shr eax, 16 */
		0xc1, 0xe8, 8, SAY,
		0x8b, 0x43, 24,		/* mov eax, [ebx + 24]: cmdline */
		0x8a, 0x00, SAY,	/* mov al, [eax] */
		0x8b, 0x43, 32,		/* RSDP */
		0x8a, 0x00, SAY,
		0x8b, 0x43, 12,		/* modules: one, */
		0x04, '0', SAY,
		0x8b, 0x43, 16,		/* the list, */
		0x8b, 0x00,		/* mov eax, [eax]: its address, */
		0x8a, 0x00, SAY,	/* its first byte */
		0x8b, 0x43, 48,		/* entries of the memory map */
		0x04, '0', SAY,
		TOY_POWEROFF,
	};
	/* clang-format on */
	autoclose int kernel = toy_pvh_kernel(code, sizeof(code));
	autoclose int initrd = memfd_create("initrd", MFD_CLOEXEC);
	uint32_t fd = (uint32_t)initrd;
	char cmdline[] = "cmdline";
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };

	NEED_KVM();
	REQUIRE(write(initrd, "i", 1) == 1);
	c.kernel_fd = kernel;
	c.initrd_fds = (struct json_u32v){ &fd, 1 };
	c.cmdline = cmdline;
	run_vm(&c, &end);
	CHECK_INT(end.how, VM_END_POWEROFF);
	CHECK_STR(end.console, "1xn3cR1i4");
	vm_end_done(&end);
}

/* Looks at the machine while its guest runs, once, from outside. */
struct look {
	struct vm *vm;
	void (*look)(void);
};

static int on_look(void *arg, struct err *e)
{
	const struct look *l = arg;

	l->look();
	vm_stop(l->vm);
	return 0;
}

static void look_at(struct vm_config *c, void (*fn)(void))
{
	static const uint8_t code[] = { TOY_HANG };
	autoclose int kernel = toy_kernel(code, sizeof(code));
	struct look l = { .look = fn };
	struct vm_end end = { 0 };
	struct err e = { 0 };

	c->kernel_fd = kernel;
	if (c->memory.bytes == 0)
		c->memory.bytes = 32U << 20;
	REQUIRE_OK(vm_create(c, &l.vm, &e), &e);
	if (CHECK_OK(loop_add_timer(vm_loop(l.vm), 1, 0, on_look, &l, NULL, &e),
		     &e))
		(void)CHECK_OK(vm_run(l.vm, &end, &e), &e);
	CHECK_INT(end.how, VM_END_STOPPED);
	vm_end_done(&end);
	vm_free(l.vm);
}

/* All threads but ours are vCPUs: how many may run on CPU 0 alone? */
static void two_are_on_cpu_0(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *d;
	int n = 0;

	REQUIRE(dir);
	while ((d = readdir(dir))) {
		cpu_set_t set;
		int tid;

		if (str_to_int(d->d_name, &tid) < 0 || tid == getpid() ||
		    sched_getaffinity(tid, sizeof(set), &set) < 0)
			continue;
		if (CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set))
			n++;
	}
	(void)closedir(dir);
	CHECK_INT(n, 2);
}

TEST(a_vcpu_stays_on_the_cpu_that_it_was_given)
{
	uint32_t cpu = 0;
	struct vm_config c = VM_CONFIG_INIT;
	cpu_set_t mine;

	NEED_KVM();
	REQUIRE(sched_getaffinity(0, sizeof(mine), &mine) == 0);
	if (!CPU_ISSET(0, &mine) || CPU_COUNT(&mine) < 2)
		SKIP("two CPUs");
	c.cpus = (struct json_u32v){ &cpu, 1 };
	c.vcpus = 2;
	look_at(&c, two_are_on_cpu_0);
}

TEST(a_cpu_that_is_not_there_is_an_error)
{
	static const uint8_t code[] = { TOY_POWEROFF };
	autoclose int kernel = toy_kernel(code, sizeof(code));
	uint32_t cpu = 1023;
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };
	struct err e = { 0 };
	struct vm *vm = NULL;

	NEED_KVM();
	c.kernel_fd = kernel;
	c.memory.bytes = 32U << 20;
	c.cpus = (struct json_u32v){ &cpu, 1 };
	REQUIRE_OK(vm_create(&c, &vm, &e), &e);
	CHECK(vm_run(vm, &end, &e) < 0);
	CHECK_STR(
		e.text,
		"start the thread of vCPU 0 on its host CPU 1023: Invalid argument");
	vm_free(vm);
}

/* The flags of the mapping that is as long as the guest's memory, from
 * smaps; "" when there is none. */
static void memory_flags(size_t kib, char ret[128])
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool found = false;
	size_t size;

	ret[0] = '\0';
	REQUIRE(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %zu kB", &size) == 1)
			found = size == kib;
		if (found && sscanf(line, "VmFlags: %127[^\n]", ret) == 1)
			break;
	}
	(void)fclose(f);
}

/* An odd size, so that nothing else has it. */
#define ODD_MEMORY (46U << 20)

static void equal_pages_may_be_merged(void)
{
	char flags[128];

	memory_flags(ODD_MEMORY >> 10, flags);
	CHECK(strstr(flags, "mg"));
	CHECK(strstr(flags, "hg"));
	CHECK(strstr(flags, "dd"));
}

static void pages_are_small(void)
{
	char flags[128];

	memory_flags(ODD_MEMORY >> 10, flags);
	CHECK(strstr(flags, "nh"));
	CHECK(!strstr(flags, "mg"));
}

TEST(memory_is_advised_as_asked_for)
{
	struct vm_config c = VM_CONFIG_INIT;

	NEED_KVM();
	if (access("/sys/kernel/mm/ksm", F_OK) < 0 ||
	    access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0)
		SKIP("a kernel without KSM or transparent huge pages");
	/* The kernel's image would cut the mapping in two: the toy's one page
	 * is copied, not mapped. */
	c.memory.bytes = ODD_MEMORY;
	c.memory.ksm = true;
	look_at(&c, equal_pages_may_be_merged);
	c.memory.ksm = false;
	c.memory.huge = VM_HUGE_NEVER;
	look_at(&c, pages_are_small);
}

TEST(huge_pages_that_there_are_not_enough_of_are_an_error_at_once)
{
	static const uint8_t code[] = { TOY_POWEROFF };
	autoclose int kernel = toy_kernel(code, sizeof(code));
	struct vm_config c = VM_CONFIG_INIT;
	struct err e = { 0 };
	struct vm *vm = NULL;

	NEED_KVM();
	if (access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) < 0)
		SKIP("a kernel without huge pages of 2 MiB");
	c.kernel_fd = kernel;
	c.memory.bytes = 1ULL << 39; /* nobody has set aside as much */
	c.memory.huge = VM_HUGE_RESERVE;
	CHECK(vm_create(&c, &vm, &e) == -ENOMEM);
	CHECK_STR(
		e.text,
		"map 549755813888 bytes of guest memory in huge pages: Cannot allocate memory");
}

struct pausing {
	struct vm *vm;
	int ticks;
	uint64_t before, after;
};

static uint64_t exits(struct vm *vm)
{
	struct vm_stat s;

	vm_stat(vm, &s);
	return s.exits;
}

/* Pauses at the first tick, looks at the fourth whether anything ran, and
 * ends when the guest has gone on. */
static int on_tick(void *arg, struct err *e)
{
	struct pausing *p = arg;
	int r = 0;

	p->ticks++;
	if (p->ticks == 1) {
		r = vm_pause(p->vm, e);
		p->before = exits(p->vm);
	} else if (p->ticks == 4) {
		p->after = exits(p->vm);
		r = vm_resume(p->vm, e);
	} else if (p->ticks > 4 && exits(p->vm) > p->after) {
		vm_stop(p->vm);
	}
	return r;
}

TEST(a_paused_guest_stands_still_and_goes_on)
{
	/* It says x for ever. */
	static const uint8_t code[] = {
		0x66, 0xba, TOY_16(0x3f8), 0xb0, 'x', 0xee, 0xeb, 0xfd,
	};
	autoclose int kernel = toy_kernel(code, sizeof(code));
	struct vm_config c = VM_CONFIG_INIT;
	struct pausing p = { 0 };
	struct vm_end end = { 0 };
	struct err e = { 0 };

	NEED_KVM();
	c.kernel_fd = kernel;
	c.vcpus = 2;
	c.memory.bytes = 32U << 20;
	REQUIRE_OK(vm_create(&c, &p.vm, &e), &e);
	CHECK_OK(loop_add_timer(vm_loop(p.vm), 1, 1, on_tick, &p, NULL, &e),
		 &e);
	CHECK_OK(vm_run(p.vm, &end, &e), &e);
	CHECK_INT(end.how, VM_END_STOPPED);
	CHECK(p.after == p.before);
	vm_end_done(&end);
	vm_free(p.vm);
}

TEST(this_kvm_is_usable_or_says_in_a_sentence_why_not)
{
	struct err e = { 0 };
	int r = vm_kvm_usable(-1, &e);

	if (r == 0)
		return;
	CHECK(r == -ENODEV || r == -EACCES || r == -ENOTSUP);
	CHECK(strstr(e.text, "kvm") || strstr(e.text, "KVM"));
}

static const struct tap_test tests[] = {
	TAP(a_guest_speaks_on_the_serial_line_and_powers_off),
	TAP(a_reset_is_told_from_a_power_off),
	TAP(a_triple_fault_is_a_crash),
	TAP(what_nobody_claims_reads_as_ones),
	TAP(a_virtio_device_answers_at_its_place),
	TAP(memory_above_the_hole_is_there),
	TAP(a_guest_that_never_ends_can_be_stopped),
	TAP(a_kernel_with_a_pvh_entry_alone_starts_there_in_32_bits),
	TAP(a_vcpu_stays_on_the_cpu_that_it_was_given),
	TAP(a_cpu_that_is_not_there_is_an_error),
	TAP(memory_is_advised_as_asked_for),
	TAP(huge_pages_that_there_are_not_enough_of_are_an_error_at_once),
	TAP(a_paused_guest_stands_still_and_goes_on),
	TAP(this_kvm_is_usable_or_says_in_a_sentence_why_not),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

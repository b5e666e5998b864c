/* SPDX-License-Identifier: Apache-2.0 */

/* Whole machines with toy guests, on the /dev/kvm that is here. */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/loop.h"
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

/* Runs code as a machine of c, whose kernel_fd is filled in here. */
static void run_toy(struct vm_config *c, const void *code, size_t len,
		    struct vm_end *ret)
{
	autoclose int kernel = toy_kernel(code, len);
	struct vm *vm = NULL;
	struct err e = { 0 };

	c->kernel_fd = kernel;
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
	TAP(a_paused_guest_stands_still_and_goes_on),
	TAP(this_kvm_is_usable_or_says_in_a_sentence_why_not),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

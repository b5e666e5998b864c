/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/arch.h"
#include "microvm/vm_config.h"
#include "microvm/x86/layout.h"

/*
 * How a guest ends itself: ACPI's sleep and reset registers, and the reset
 * line of the keyboard controller, which works without ACPI ("reboot=k").
 */
#define SLEEP_MASK     0x3c /* enable, and the type */
#define SLEEP_S5       0x34 /* enabled, type 5 as in the DSDT's _S5 */
#define KEYBOARD_PORT  0x64U
#define KEYBOARD_RESET 0xfe
/* The system control port: Linux looks for the reason of an NMI there. */
#define CONTROL_PORT 0x61U

static void end(const struct arch_power *p, int how, const char *text)
{
	p->end(p->arg, how, text);
}

static void sleep_write(void *dev, uint64_t offset, const uint8_t *data,
			uint32_t len)
{
	if (offset == 0 && (data[0] & SLEEP_MASK) == SLEEP_S5)
		end(dev, VM_END_POWEROFF, "the guest has shut down");
	if (offset == X86_PORT_RESET - X86_PORT_SLEEP &&
	    data[0] == X86_RESET_VALUE)
		end(dev, VM_END_RESET, "the guest asked for a restart");
}

static void zero_read(void *dev, uint64_t offset, uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		data[i] = 0;
}

static void keyboard_write(void *dev, uint64_t offset, const uint8_t *data,
			   uint32_t len)
{
	if (data[0] == KEYBOARD_RESET)
		end(dev, VM_END_RESET, "the guest asked for a restart");
}

static const struct bus_ops sleep_ops = {
	.name = "power",
	.read = zero_read,
	.write = sleep_write,
};

/* An idle controller: nothing to fetch, ready for a command. */
static const struct bus_ops keyboard_ops = {
	.name = "keyboard",
	.read = zero_read,
	.write = keyboard_write,
};

static const struct bus_ops control_ops = {
	.name = "control",
	.read = zero_read,
};

static const struct {
	uint64_t port, len;
	const struct bus_ops *ops;
} ports[] = {
	{ X86_PORT_SLEEP, X86_PORT_RESET - X86_PORT_SLEEP + 1, &sleep_ops },
	{ KEYBOARD_PORT, 1, &keyboard_ops },
	{ CONTROL_PORT, 1, &control_ops },
};

int arch_add_power(struct bus *pio, struct arch_power *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ports) && r == 0; i++)
		r = bus_add(pio, ports[i].port, ports[i].len, ports[i].ops, p,
			    e);
	return r;
}

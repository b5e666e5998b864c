/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A program that lives for milliseconds spends a good part of them in page
 * faults, the more so below a hypervisor that takes part in each: 10 us there,
 * where a page that comes along with others costs a fraction. So what will be
 * touched anyway is asked for at once.
 *
 *	code	from the page cache; after a fork the child has none of it
 *	stack	after a fork, each page becomes a private copy
 *	data	what relocations write to
 *
 * madvise() refuses all of them before Linux 5.14: they are an advantage, never a
 * need. The symbols are the linker's; hidden, they are found without a
 * relocation, so that src/cli/entry.c can use them before there are any.
 */
#include <stddef.h>
#include <stdint.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

struct prefault {
	uintptr_t at;
	size_t len;
};

#pragma GCC visibility push(hidden)
extern const char prefault_code_start_[] __asm__("__executable_start");
extern const char prefault_code_end_[] __asm__("etext");
extern const char prefault_data_start_[] __asm__("__init_array_start");
extern const char prefault_data_end_[] __asm__("edata");
#pragma GCC visibility pop

static inline struct prefault prefault_between(const char *from, const char *to)
{
	const uintptr_t page = 4096;
	uintptr_t at = (uintptr_t)from & ~(page - 1);

	return (struct prefault){ at, (uintptr_t)to - at };
}

static inline struct prefault prefault_code(void)
{
	return prefault_between(prefault_code_start_, prefault_code_end_);
}

/* Where the caller's frames are, and those of what it will call. */
static inline struct prefault prefault_stack(void)
{
	const char *here = __builtin_frame_address(0);

	return prefault_between(here - 16384, here + 4096);
}

static inline struct prefault prefault_data(void)
{
	return prefault_between(prefault_data_start_, prefault_data_end_);
}

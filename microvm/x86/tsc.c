/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include <x86intrin.h>

#include "microvm/qemu_priv.h"

#define NANOSECONDS 1000000000ULL
#define SAMPLE_NS   4000000

struct sample {
	uint64_t ticks, ns;
};

/* Both at about the same time: the closest of a few pairs. */
static struct sample take(void)
{
	struct sample best = { 0 };
	uint64_t width = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t before = __rdtsc(), after;
		struct timespec t;

		(void)clock_gettime(CLOCK_MONOTONIC_RAW, &t);
		after = __rdtsc();
		if (after - before >= width)
			continue;
		width = after - before;
		best = (struct sample){
			.ticks = before + width / 2,
			.ns = (uint64_t)t.tv_sec * NANOSECONDS +
			      (uint64_t)t.tv_nsec,
		};
	}
	return best;
}

uint64_t vm_tsc_khz(void)
{
	const struct timespec pause = { .tv_nsec = SAMPLE_NS };
	struct sample a = take(), b;

	/* allow nanosleep: time itself is what is measured */
	(void)nanosleep(&pause, NULL);
	b = take();
	if (b.ns <= a.ns || b.ticks <= a.ticks)
		return 0;
	return (b.ticks - a.ticks) * (NANOSECONDS / 1000) / (b.ns - a.ns);
}

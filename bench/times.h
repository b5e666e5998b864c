/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Times in ms, taken and put in order. */
#include <stdlib.h>
#include <time.h>

static inline double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static inline int by_value_(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline void times_sort(double *ms, size_t n)
{
	qsort(ms, n, sizeof(*ms), by_value_);
}

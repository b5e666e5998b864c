/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/stat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

/* clang-format off */
static const struct cg_stat_field fields[] = {
	CG_STAT("cpu.stat", "usage_usec",     cpu_usage_us),
	CG_STAT("cpu.stat", "user_usec",      cpu_user_us),
	CG_STAT("cpu.stat", "system_usec",    cpu_system_us),
	CG_STAT("cpu.stat", "nr_periods",     cpu_periods),
	CG_STAT("cpu.stat", "nr_throttled",   cpu_throttled),
	CG_STAT("cpu.stat", "throttled_usec", cpu_throttled_us),
	CG_STAT("cpu.stat", "nr_bursts",      cpu_bursts),
	CG_STAT("cpu.stat", "burst_usec",     cpu_burst_us),

	CG_STAT("memory.current",      NULL, memory_current),
	CG_STAT("memory.peak",         NULL, memory_peak),
	CG_STAT("memory.max",          NULL, memory_max),
	CG_STAT("memory.swap.current", NULL, swap_current),
	CG_STAT("memory.swap.peak",    NULL, swap_peak),
	CG_STAT("memory.swap.max",     NULL, swap_max),

	CG_STAT("memory.stat", "anon",       memory_anon),
	CG_STAT("memory.stat", "file",       memory_file),
	CG_STAT("memory.stat", "kernel",     memory_kernel),
	CG_STAT("memory.stat", "pgfault",    memory_faults),
	CG_STAT("memory.stat", "pgmajfault", memory_major_faults),

	CG_STAT("memory.events", "low",            memory_low_events),
	CG_STAT("memory.events", "high",           memory_high_events),
	CG_STAT("memory.events", "max",            memory_max_events),
	CG_STAT("memory.events", "oom",            memory_oom_events),
	CG_STAT("memory.events", "oom_kill",       memory_oom_kills),
	CG_STAT("memory.events", "oom_group_kill", memory_oom_group_kills),

	CG_STAT("pids.current", NULL, pids_current),
	CG_STAT("pids.max",     NULL, pids_max),
};

static const struct {
	const char *file;
	size_t offset;
} pressures[] = {
	{ "cpu.pressure",    offsetof(struct cg_stat, cpu_pressure) },
	{ "memory.pressure", offsetof(struct cg_stat, memory_pressure) },
	{ "io.pressure",     offsetof(struct cg_stat, io_pressure) },
};

static const struct {
	const char *key;
	size_t offset;
} io_keys[] = {
	{ "rbytes", offsetof(struct cg_io_stat, read_bytes) },
	{ "wbytes", offsetof(struct cg_io_stat, write_bytes) },
	{ "dbytes", offsetof(struct cg_io_stat, discard_bytes) },
	{ "rios",   offsetof(struct cg_io_stat, reads) },
	{ "wios",   offsetof(struct cg_io_stat, writes) },
	{ "dios",   offsetof(struct cg_io_stat, discards) },
};
/* clang-format on */

static void io_word(struct cg_io_stat *io, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return;
	*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(io_keys); i++) {
		void *p = (char *)io + io_keys[i].offset;

		if (str_eq(word, io_keys[i].key) && str_to_u64(value, p) < 0)
			return;
	}
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". Some kernels put
 * devices without traffic in front of it on the same line. */
static int io_line(struct cg_stat *s, char *line, struct err *e)
{
	struct cg_io_stat *io = NULL;
	char *save = NULL;
	int r = 0;

	for (char *word = strtok_r(line, " ", &save); word && r == 0;
	     word = strtok_r(NULL, " ", &save)) {
		if (!strchr(word, '='))
			r = cg_stat_device(s, word, &io, e);
		else if (io)
			io_word(io, word);
	}
	return r;
}

static int io_stat(int fd, struct cg_stat *s, struct err *e)
{
	autofree char *text = NULL;
	char *save = NULL;
	int r;

	r = fd_read_file_at(fd, "io.stat", 4U << 20, &text, NULL, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_wrap(e, r, "statistics");
	for (char *line = strtok_r(text, "\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\n", &save))
		r = io_line(s, line, e);
	return r;
}

struct huge {
	int fd;
	struct cg_stat *s;
};

/* "max 3" */
static uint64_t failures(int fd, const char *file)
{
	char text[64];
	uint64_t n = 0;

	if (fd_read_small_at(fd, file, text, sizeof(text)) < 0 ||
	    !str_starts(text, "max ") ||
	    str_to_u64(text + strlen("max "), &n) < 0)
		return 0;
	return n;
}

static int hugetlb_size(void *arg, const char *size, struct err *e)
{
	const struct huge *h = arg;
	struct cg_hugetlb_stat one = { .current = UINT64_MAX }, *v;
	char file[64];
	int r;

	(void)snprintf(one.page_size, sizeof(one.page_size), "%s", size);
	(void)snprintf(file, sizeof(file), "hugetlb.%s.current", size);
	r = cg_stat_file(h->fd, file, &one.current, e);
	if (r < 0 || one.current == UINT64_MAX)
		return r;
	(void)snprintf(file, sizeof(file), "hugetlb.%s.max", size);
	r = cg_stat_file(h->fd, file, &one.max, e);
	if (r < 0)
		return r;
	(void)snprintf(file, sizeof(file), "hugetlb.%s.events", size);
	one.failures = failures(h->fd, file);
	v = reallocarray(h->s->hugetlb.v, h->s->hugetlb.n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	h->s->hugetlb.v = v;
	v[h->s->hugetlb.n++] = one;
	return 0;
}

int cg_v2_stat(int fd, struct cg_stat *s, struct err *e)
{
	struct huge huge = { .fd = fd, .s = s };
	int r;

	r = cg_stat_fields(fd, fields, ARRAY_SIZE(fields), s, e);
	if (r == 0)
		r = cg_stat_raw(fd, "memory.stat", s, e);
	for (size_t i = 0; i < ARRAY_SIZE(pressures) && r == 0; i++) {
		void *p = (char *)s + pressures[i].offset;

		r = cg_stat_pressure(fd, pressures[i].file, p, e);
	}
	if (r == 0)
		r = io_stat(fd, s, e);
	if (r == 0)
		r = cg_stat_page_sizes(hugetlb_size, &huge, e);
	if (r == 0)
		r = cg_stat_text(fd, "cpuset.cpus.effective", &s->cpuset_cpus,
				 e);
	if (r == 0)
		r = cg_stat_text(fd, "cpuset.mems.effective", &s->cpuset_mems,
				 e);
	return r;
}

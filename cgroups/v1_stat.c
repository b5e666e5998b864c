/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/v1.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/stat.h"

/* What v1 says instead of "max": the largest multiple of a page. */
#define NO_LIMIT (UINT64_C(0x7fffffffffffffff) & ~UINT64_C(0xfff))

/* clang-format off */
static const struct cg_stat_field cpu_fields[] = {
	CG_STAT("cpu.stat", "nr_periods",     cpu_periods),
	CG_STAT("cpu.stat", "nr_throttled",   cpu_throttled),
	CG_STAT("cpu.stat", "throttled_time", cpu_throttled_us, .divide = 1000),
	CG_STAT("cpu.stat", "nr_bursts",      cpu_bursts),
	CG_STAT("cpu.stat", "burst_time",     cpu_burst_us,     .divide = 1000),
};

static const struct cg_stat_field cpuacct_fields[] = {
	CG_STAT("cpuacct.usage",      NULL, cpu_usage_us,  .divide = 1000),
	CG_STAT("cpuacct.usage_user", NULL, cpu_user_us,   .divide = 1000),
	CG_STAT("cpuacct.usage_sys",  NULL, cpu_system_us, .divide = 1000),
};

static const struct cg_stat_field memory_fields[] = {
	CG_STAT("memory.usage_in_bytes",           NULL, memory_current),
	CG_STAT("memory.max_usage_in_bytes",       NULL, memory_peak),
	CG_STAT("memory.limit_in_bytes",           NULL, memory_max),
	CG_STAT("memory.failcnt",                  NULL, memory_max_events),
	CG_STAT("memory.memsw.usage_in_bytes",     NULL, swap_current),
	CG_STAT("memory.memsw.max_usage_in_bytes", NULL, swap_peak),
	CG_STAT("memory.memsw.limit_in_bytes",     NULL, swap_max),
	CG_STAT("memory.kmem.usage_in_bytes",      NULL, memory_kernel),
	CG_STAT("memory.kmem.max_usage_in_bytes",  NULL, memory_kernel_peak),
	CG_STAT("memory.kmem.limit_in_bytes",      NULL, memory_kernel_max),
	CG_STAT("memory.kmem.tcp.usage_in_bytes",  NULL, memory_kernel_tcp),
	CG_STAT("memory.kmem.tcp.limit_in_bytes",  NULL, memory_kernel_tcp_max),
	CG_STAT("memory.stat", "total_rss",        memory_anon),
	CG_STAT("memory.stat", "total_cache",      memory_file),
	CG_STAT("memory.stat", "total_pgfault",    memory_faults),
	CG_STAT("memory.stat", "total_pgmajfault", memory_major_faults),
	CG_STAT("memory.oom_control", "oom_kill",  memory_oom_kills),
};

static const struct cg_stat_field pids_fields[] = {
	CG_STAT("pids.current", NULL, pids_current),
	CG_STAT("pids.max",     NULL, pids_max),
};

static const struct {
	const char *op;
	size_t bytes, count;
} io_ops[] = {
	{ "Read",    offsetof(struct cg_io_stat, read_bytes),    offsetof(struct cg_io_stat, reads) },
	{ "Write",   offsetof(struct cg_io_stat, write_bytes),   offsetof(struct cg_io_stat, writes) },
	{ "Discard", offsetof(struct cg_io_stat, discard_bytes), offsetof(struct cg_io_stat, discards) },
};
/* clang-format on */

static void no_limit(struct opt_u64 *v)
{
	if (v->set && v->v >= NO_LIMIT)
		v->v = CG_NO_LIMIT;
}

/* v1 counts swap together with memory; the struct has it alone. */
static void swap_alone(struct cg_stat *s)
{
	no_limit(&s->memory_max);
	no_limit(&s->swap_max);
	no_limit(&s->memory_kernel_max);
	no_limit(&s->memory_kernel_tcp_max);
	if (s->swap_current.set)
		s->swap_current.v -=
			MIN_OF(s->swap_current.v, s->memory_current.v);
	if (s->swap_peak.set)
		s->swap_peak.v -= MIN_OF(s->swap_peak.v, s->memory_peak.v);
	if (s->swap_max.set && s->swap_max.v != CG_NO_LIMIT)
		s->swap_max.v -= MIN_OF(s->swap_max.v, s->memory_max.v);
}

static int per_cpu(int fd, const char *file, struct cg_cpu_stat *ret,
		   struct err *e)
{
	autofree char *text = NULL;
	char *save = NULL;
	int r;

	r = cg_stat_text(fd, file, &text, e);
	if (r < 0 || !text)
		return r;
	for (char *word = strtok_r(text, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		uint64_t *v = reallocarray(ret->v, ret->n + 1, sizeof(*v));

		if (!v)
			return err_nomem(e);
		ret->v = v;
		if (str_to_u64(word, &v[ret->n]) == 0)
			ret->n++;
	}
	return 0;
}

/* "8:0 Read 4096"; other operations, and the totals, are sums of these. */
static int io_line(struct cg_stat *s, char *line, bool bytes, struct err *e)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);
	const char *op = word ? strtok_r(NULL, " ", &save) : NULL;
	const char *number = op ? strtok_r(NULL, " ", &save) : NULL;
	struct cg_io_stat *io = NULL;
	uint64_t value;
	int r = 0;

	if (!number || str_to_u64(number, &value) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(io_ops) && r == 0; i++) {
		void *p;

		if (!str_eq(op, io_ops[i].op))
			continue;
		r = cg_stat_device(s, word, &io, e);
		if (r < 0 || !io)
			break;
		p = (char *)io + (bytes ? io_ops[i].bytes : io_ops[i].count);
		*(uint64_t *)p = value;
	}
	return r;
}

static int io_file(int fd, const char *file, bool bytes, struct cg_stat *s,
		   struct err *e)
{
	autofree char *text = NULL;
	char *save = NULL;
	int r;

	r = fd_read_file_at(fd, file, 4U << 20, &text, NULL, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (char *line = strtok_r(text, "\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\n", &save))
		r = io_line(s, line, bytes, e);
	return r;
}

/* BFQ keeps its own books; what throttling counts is seen by all. */
static int io_stat(int fd, struct cg_stat *s, struct err *e)
{
	int r;

	r = io_file(fd, "blkio.throttle.io_service_bytes_recursive", true, s,
		    e);
	if (r == 0)
		r = io_file(fd, "blkio.throttle.io_serviced_recursive", false,
			    s, e);
	return r;
}

struct huge {
	int fd;
	struct cg_stat *s;
};

static int hugetlb_size(void *arg, const char *size, struct err *e)
{
	const struct huge *h = arg;
	struct cg_hugetlb_stat one = { .current = UINT64_MAX }, *v;
	struct {
		const char *file;
		uint64_t *to;
	} files[] = {
		{ "usage_in_bytes", &one.current },
		{ "max_usage_in_bytes", &one.peak },
		{ "limit_in_bytes", &one.max },
		{ "failcnt", &one.failures },
	};

	(void)snprintf(one.page_size, sizeof(one.page_size), "%s", size);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char file[64];
		int r;

		(void)snprintf(file, sizeof(file), "hugetlb.%s.%s", size,
			       files[i].file);
		r = cg_stat_file(h->fd, file, files[i].to, e);
		if (r < 0)
			return r;
	}
	if (one.current == UINT64_MAX)
		return 0;
	v = reallocarray(h->s->hugetlb.v, h->s->hugetlb.n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	h->s->hugetlb.v = v;
	v[h->s->hugetlb.n++] = one;
	return 0;
}

static int stat_cpu(int fd, struct cg_stat *s, struct err *e)
{
	return cg_stat_fields(fd, cpu_fields, ARRAY_SIZE(cpu_fields), s, e);
}

static int stat_cpuacct(int fd, struct cg_stat *s, struct err *e)
{
	int r = cg_stat_fields(fd, cpuacct_fields, ARRAY_SIZE(cpuacct_fields),
			       s, e);

	if (r == 0)
		r = per_cpu(fd, "cpuacct.usage_percpu", &s->cpu_all_ns, e);
	if (r == 0)
		r = per_cpu(fd, "cpuacct.usage_percpu_user",
			    &s->cpu_all_user_ns, e);
	if (r == 0)
		r = per_cpu(fd, "cpuacct.usage_percpu_sys",
			    &s->cpu_all_system_ns, e);
	return r;
}

static int stat_memory(int fd, struct cg_stat *s, struct err *e)
{
	int r = cg_stat_fields(fd, memory_fields, ARRAY_SIZE(memory_fields), s,
			       e);

	if (r == 0)
		r = cg_stat_raw(fd, "memory.stat", s, e);
	swap_alone(s);
	return r;
}

static int stat_pids(int fd, struct cg_stat *s, struct err *e)
{
	return cg_stat_fields(fd, pids_fields, ARRAY_SIZE(pids_fields), s, e);
}

static int stat_hugetlb(int fd, struct cg_stat *s, struct err *e)
{
	struct huge huge = { .fd = fd, .s = s };

	return cg_stat_page_sizes(hugetlb_size, &huge, e);
}

static int stat_cpuset(int fd, struct cg_stat *s, struct err *e)
{
	int r = cg_stat_text(fd, "cpuset.effective_cpus", &s->cpuset_cpus, e);

	return r < 0 ? r
		     : cg_stat_text(fd, "cpuset.effective_mems",
				    &s->cpuset_mems, e);
}

static const struct {
	enum cg_ctl ctl;
	int (*read)(int fd, struct cg_stat *s, struct err *e);
} readers[] = {
	{ CG_CTL_CPU, stat_cpu },	{ CG_CTL_CPUACCT, stat_cpuacct },
	{ CG_CTL_MEMORY, stat_memory }, { CG_CTL_IO, io_stat },
	{ CG_CTL_PIDS, stat_pids },	{ CG_CTL_HUGETLB, stat_hugetlb },
	{ CG_CTL_CPUSET, stat_cpuset },
};

int cg_v1_stat(const struct cg_v1 *v1, struct cg_stat *s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(readers) && r == 0; i++) {
		int fd = cg_v1_fd(v1, readers[i].ctl);

		if (fd >= 0)
			r = readers[i].read(fd, s, e);
	}
	return r;
}

/* How long the kernel may take from the event to the kill. */
#define KILL_WAIT_MS 1000

/* "oom_kill_disable 0\nunder_oom 1\noom_kill 3" */
static int read_kills(int fd, uint64_t *ret, bool *ret_off, struct err *e)
{
	char text[128];
	const char *kills;
	ssize_t n =
		fd_read_small_at(fd, "memory.oom_control", text, sizeof(text));

	if (n == -ENOENT || n == -ENODEV)
		return err_set(e, -ENODEV, "the cgroup is gone");
	if (n < 0)
		return err_set(e, (int)n, "read 'memory.oom_control'");
	*ret_off = str_starts(text, "oom_kill_disable 1");
	kills = strstr(text, "\noom_kill ");
	if (!kills || str_to_u64(kills + strlen("\noom_kill "), ret) < 0)
		return err_set(e, -EOPNOTSUPP,
			       "this kernel does not count kills");
	return 0;
}

int cg_v1_oom_kills(const struct cg_v1 *v1, const uint64_t *seen, uint64_t *ret,
		    struct err *e)
{
	int fd = cg_v1_fd(v1, CG_CTL_MEMORY);

	/* The event comes before the kill. */
	for (int i = 0; i < KILL_WAIT_MS; i++) {
		bool off = false;
		int r = read_kills(fd, ret, &off, e);

		if (r < 0 || off || !seen || *ret > *seen)
			return r;
		(void)poll(NULL, 0, 1);
	}
	return 0;
}

int cg_v1_oom_open(const struct cg_v1 *v1, struct err *e)
{
	int dir = cg_v1_fd(v1, CG_CTL_MEMORY), r;
	autoclose int control = -1, event = -1;
	char text[32];

	control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	if (control < 0)
		return err_errno(e, "open 'memory.oom_control'");
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return err_errno(e, "make an eventfd");
	(void)snprintf(text, sizeof(text), "%d %d", event, control);
	r = fd_write_small_at(dir, "cgroup.event_control", text, e);
	return r < 0 ? r : steal_fd(&event);
}

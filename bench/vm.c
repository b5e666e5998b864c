/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a machine takes: our monitor and QEMU's microvm, in turn in one
 * run, with the same kernel, initramfs and memory.
 *
 *	bench/vm [RUNS]
 *
 *	first write	from before the monitor is forked and executed to the
 *			first byte on the serial line, by a toy guest; and what
 *			the monitor has in memory besides the guest's
 *	agent		to the first byte of the guest's agent, by the newest
 *			installed kernel, or the file that KERNEL names
 *
 * Nothing is judged; quote ratios. bench/README.md has more.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "bench/times.h"
#include "microvm/backend.h"
#include "microvm/initramfs.h"

#define RUNS_DEFAULT 20
#define RUNS_MAX     1000
#define MEMORY	     (128ULL << 20)
#define TIMEOUT_MS   120000

static const struct vm_backend *const targets[] = {
	&vm_backend_kvm,
	&vm_backend_qemu,
};

struct sample {
	double ms[RUNS_MAX];
	size_t n;
	long rss_kb; /* besides the guest's memory, the largest */
	long guest_kb;
	bool failed;
};

/* What boots, opened once. */
struct guest {
	int kernel;
	int initramfs;	    /* -1: none */
	unsigned int needs; /* what it was made for */
	bool agent;	    /* it is the agent that speaks */
};

/* --- the toy --------------------------------------------------------------*/

/*
 * A kernel of one write, entered by PVH, which is all that QEMU takes in an
 * ELF file: mov dx, 0x3f8; mov al, 'x'; out dx, al; then it halts.
 */
static int toy_open(struct err *e)
{
	static const uint8_t code[] = { 0x66, 0xba, 0xf8, 0x03, 0xb0, 'x',
					0xee, 0xfa, 0xf4, 0xeb, 0xfd };
	autoclose int fd = memfd_create("toy", MFD_CLOEXEC);
	const uint64_t at = 0x1000000;
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p[2];
		uint32_t note[5];
		uint8_t code[sizeof(code)];
	} f = {
		.h.e_ident = ELFMAG,
		.h.e_type = ET_EXEC,
		.h.e_machine = EM_X86_64,
		.h.e_version = EV_CURRENT,
		/* Nowhere: the 64-bit entry would do, but not for QEMU. */
		.h.e_entry = 0xffffffff80000000ULL,
		.h.e_phoff = sizeof(f.h),
		.h.e_ehsize = sizeof(f.h),
		.h.e_phentsize = sizeof(f.p[0]),
		.h.e_phnum = ARRAY_SIZE(f.p),
		.p[0].p_type = PT_LOAD,
		.p[0].p_offset = offsetof(typeof(f), code),
		.p[0].p_vaddr = at,
		.p[0].p_paddr = at,
		.p[0].p_filesz = sizeof(code),
		.p[0].p_memsz = sizeof(code),
		.p[1].p_type = PT_NOTE,
		.p[1].p_offset = offsetof(typeof(f), note),
		.p[1].p_filesz = sizeof(f.note),
		.p[1].p_align = 4,
		.note = { 4, 4, 18, 0x6e6558, (uint32_t)at }, /* "Xen" */
	};

	f.h.e_ident[EI_CLASS] = ELFCLASS64;
	f.h.e_ident[EI_DATA] = ELFDATA2LSB;
	f.h.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(f.code, code, sizeof(code));
	if (fd < 0 || write(fd, &f, sizeof(f)) != sizeof(f))
		return err_errno(e, "make a toy kernel");
	return steal_fd(&fd);
}

/* --- a kernel and its initramfs -------------------------------------------*/

static int agent_open(struct err *e)
{
	const char *dir = getenv("MOAT_LIBEXECDIR");
	autofree char *path = str_printf("%s/moat-guest", dir ? dir : "");
	int fd;

	if (!path)
		return err_nomem(e);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", path) : fd;
}

/* One for both: it can speak by vsock and by console, on either. */
static int linux_open(struct guest *ret, struct err *e)
{
	_cleanup_(vm_kernel_done) struct vm_kernel k = VM_KERNEL_INIT;
	struct vm_places places = { .cache = "/var/tmp/moat-bench" };
	autoclose int agent = agent_open(e);
	struct vm_initramfs c = {
		.places = &places,
		.kernel = &k,
		.agent = agent,
		.bus = { VM_NEED_MMIO },
		.needs = VM_NEED_CONSOLE | VM_NEED_VSOCK,
	};
	int r;

	if (agent < 0)
		return agent;
	r = vm_kernel_find(&places, getenv("KERNEL"), &k, e);
	if (r == 0)
		r = vm_kernel_unpack(&places, &k, e);
	if (r < 0)
		return r;
	ret->initramfs = vm_initramfs_open(&c, &ret->needs, e);
	if (ret->initramfs < 0)
		return ret->initramfs;
	(void)printf("kernel %s\n", k.version);
	ret->kernel = k.vmlinux;
	k.vmlinux = -1;
	ret->agent = true;
	return 0;
}

/* --- measuring ------------------------------------------------------------*/

/* Neighbouring mappings are one block, up to a guard page: a kernel is mapped
 * into the guest's memory, and cuts it into pieces. The largest block is the
 * guest's. */
struct block {
	unsigned long end;
	long size_kb, rss_kb;
};

struct memory {
	struct block here, guest;
	long all_kb;
};

static void read_line(struct memory *m, const char *line)
{
	struct block *b = &m->here;
	unsigned long start, end;
	char rights[5];
	long rss;

	if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3) {
		if (start != b->end)
			*b = (struct block){ 0 };
		b->end = rights[0] == 'r' ? end : 0;
		b->size_kb += (long)((end - start) >> 10);
	} else if (sscanf(line, "Rss: %ld kB", &rss) == 1) {
		b->rss_kb += rss;
		m->all_kb += rss;
		if (b->size_kb >= m->guest.size_kb)
			m->guest = *b;
	}
}

static void measure_memory(pid_t pid, struct sample *s)
{
	autofree char *path = str_printf("/proc/%d/smaps", (int)pid);
	autofclose FILE *f = path ? fopen(path, "re") : NULL;
	struct memory m = { 0 };
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		read_line(&m, line);
	s->rss_kb = MAX_OF(s->rss_kb, m.all_kb - m.guest.rss_kb);
	s->guest_kb = MAX_OF(s->guest_kb, m.guest.rss_kb);
}

struct ends {
	int ours, theirs;
};

static int make_pair(struct ends *ret, struct err *e)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return err_errno(e, "make a socket pair");
	*ret = (struct ends){ fd[0], fd[1] };
	return 0;
}

static void close_pair(const struct ends *p)
{
	(void)close(p->ours);
	(void)close(p->theirs);
}

/* The first byte, or an error when none comes. The console is read, too, for
 * a guest must not wait for us. */
static int await_byte(int fd, int console, struct err *e)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN },
			      { .fd = console, .events = POLLIN } };
	char text[4096];

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), TIMEOUT_MS) <= 0)
			return err_set(e, -ETIMEDOUT, "the guest is silent");
		if (p[0].revents)
			return read(fd, text, 1) == 1
				       ? 0
				       : err_set(e, -EIO, "the guest is gone");
		if (read(console, text, sizeof(text)) <= 0)
			p[1].fd = -1;
	}
}

static int boot(const struct vm_backend *b, const struct guest *g,
		const struct ends *serial, const struct ends *agent,
		struct sample *s, struct err *e)
{
	struct vm_monitor m = VM_MONITOR_INIT;
	struct vm_config c = VM_CONFIG_INIT;
	uint32_t initrd = (uint32_t)g->initramfs;
	char cmdline[] = VM_KERNEL_WORDS;
	double start;
	int r = 0;

	c.memory.bytes = MEMORY;
	c.kernel_fd = g->kernel;
	c.serial_fd = serial->theirs;
	c.cmdline = cmdline;
	if (g->initramfs >= 0)
		c.initrd_fds = (struct json_u32v){ &initrd, 1 };
	if (g->agent)
		r = vm_agent_stream(b, &c, agent->theirs, e);
	if (r < 0)
		return r;
	start = now_ms();
	r = b->start(&c, g->needs, &m, e);
	if (r == 0)
		r = g->agent ? await_byte(agent->ours, serial->ours, e)
			     : await_byte(serial->ours, -1, e);
	s->ms[s->n] = now_ms() - start;
	if (r == 0)
		measure_memory(m.child[0].pid, s);
	vm_monitor_stop(&m);
	return r;
}

static int measure(const struct vm_backend *b, const struct guest *g,
		   struct sample *s, struct err *e)
{
	struct ends serial = { -1, -1 }, agent = { -1, -1 };
	int r = make_pair(&serial, e);

	if (r < 0)
		return r;
	r = make_pair(&agent, e);
	if (r == 0) {
		r = boot(b, g, &serial, &agent, s, e);
		close_pair(&agent);
	}
	close_pair(&serial);
	return r;
}

/* Ratios are to the first line that is there. */
static void report(const char *name, struct sample *s)
{
	double first = 0;

	(void)printf("\n%-14s %9s %9s %9s %9s %9s\n", name, "min ms", "median",
		     "ratio", "own KiB", "guest KiB");
	for (size_t t = 0; t < ARRAY_SIZE(targets); t++) {
		double median;

		times_sort(s[t].ms, s[t].n);
		median = s[t].n ? s[t].ms[s[t].n / 2] : 0;
		if (first <= 0)
			first = median;
		if (s[t].failed)
			(void)printf("  %-12s failed\n", targets[t]->name);
		else
			(void)printf("  %-12s %9.2f %9.2f %9.2f %9ld %9ld\n",
				     targets[t]->name, s[t].ms[0], median,
				     median / first, s[t].rss_kb,
				     s[t].guest_kb);
	}
}

static void run_once(const struct vm_backend *b, const struct guest *g,
		     bool counts, struct sample *s)
{
	struct err e = { 0 };

	if (s->failed)
		return;
	if (measure(b, g, s, &e) < 0) {
		s->failed = true;
		(void)fprintf(stderr, "bench: %s: %s\n", b->name, err_text(&e));
	} else if (counts) {
		s->n++;
	}
}

/* One round of every target, so that what disturbs the machine disturbs all;
 * the first one warms the caches. */
static int run_case(const char *name, const struct guest *g, size_t runs,
		    struct err *e)
{
	struct sample *s = calloc(ARRAY_SIZE(targets), sizeof(*s));

	if (!s)
		return err_nomem(e);
	for (size_t n = 0; n <= runs; n++)
		for (size_t t = 0; t < ARRAY_SIZE(targets); t++)
			run_once(targets[t], g, n > 0, &s[t]);
	report(name, s);
	free(s);
	return 0;
}

int main(int argc, char **argv)
{
	struct guest toy = { .initramfs = -1, .needs = VM_NEED_MMIO };
	struct guest real = { .initramfs = -1 };
	uint32_t runs = RUNS_DEFAULT;
	struct err e = { 0 };
	int r;

	if (argc > 2 || (argc == 2 && str_to_u32(argv[1], &runs) < 0) ||
	    runs == 0 || runs >= RUNS_MAX) {
		(void)fprintf(stderr, "usage: %s [RUNS]\n", argv[0]);
		return 2;
	}
	toy.kernel = toy_open(&e);
	r = toy.kernel < 0 ? toy.kernel
			   : run_case("first write", &toy, runs, &e);
	if (r == 0)
		r = linux_open(&real, &e);
	if (r == 0)
		r = run_case("agent", &real, runs, &e);
	if (r < 0)
		(void)fprintf(stderr, "bench: %s\n", err_text(&e));
	return r < 0;
}

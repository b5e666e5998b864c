/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a container takes: moat-oci, crun and runc, in turn in one run, with
 * the kernel's own floor beside them where there is one.
 *
 *	bench/start [--json] [RUNS]
 *
 * Measured in two views, each in a mount namespace of its own: in one
 * /sys/fs/cgroup is cgroup v2, in the other the v2 tree of a hybrid host is
 * hidden, which crun refuses. Nothing is judged; quote ratios, for machines
 * differ and are not quiet. bench/README.md has more.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "bench/bundle.h"
#include "bench/times.h"

#define RUNS_DEFAULT 50
#define RUNS_MAX     1000
#define STEPS_MAX    3 /* lines of a case */
#define WORDS_MAX    8
#define BUSYBOX	     "/bin/busybox"

enum view {
	VIEW_V2,
	VIEW_V1,
	VIEW_N_
};

static const char *const view_names[VIEW_N_] = { "cgroup v2", "cgroup v1" };

struct target {
	const char *name;
	const char *path;	     /* NULL: beside this program */
	const char *option[VIEW_N_]; /* that it needs there; is told */
	bool is_floor;
};

/* A case: command lines that are measured together, between others that are
 * not. ID, ROOTFS and GROUP are replaced. */
struct bench_case {
	const char *name;
	bool sleeps;
	bool floor;
	const char *before[WORDS_MAX];
	const char *measured[STEPS_MAX][WORDS_MAX];
	const char *after[WORDS_MAX];
};

/* clang-format off */
static const struct bench_case cases[] = {
	{ .name = "run true", .floor = true,
	  .measured = { { "run", "ID" } } },
	{ .name = "create start delete", .sleeps = true,
	  .measured = { { "create", "ID" }, { "start", "ID" }, { "delete", "--force", "ID" } } },
	{ .name = "exec true", .sleeps = true,
	  .before = { "run", "--detach", "ID" },
	  .measured = { { "exec", "ID", "/bin/true" } },
	  .after = { "delete", "--force", "ID" } },
};

static const struct target targets[] = {
	{ .name = "floor", .is_floor = true },
	{ .name = "moat-oci" },
	/* It raises RLIMIT_MEMLOCK for a BPF program, also where it may not. */
	{ .name = "crun", .path = "/usr/bin/crun", .option = { [VIEW_V2] = "--cgroup-manager=disabled" } },
	{ .name = "runc", .path = "/usr/sbin/runc" },
};
/* clang-format on */

struct sample {
	double ms[RUNS_MAX];
	size_t n;
	long rss_kb;
	bool failed;
};

/* What the words of a case stand for, for one target. */
struct line {
	const struct target *target;
	const struct bench_bundle *bundle;
	enum view view;
	char id[32];
	char group[64];
};

static const char *word(const struct line *l, const char *w)
{
	if (str_eq(w, "ID"))
		return l->id;
	return w;
}

NORETURN static void execute(const struct line *l, const char *const *words)
{
	const char *argv[WORDS_MAX + 3] = { l->target->path };
	const char *option = l->target->option[l->view];
	int n = 1, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (l->target->is_floor) {
		argv[n++] = l->bundle->rootfs;
		argv[n++] = l->group;
	} else {
		if (option)
			argv[n++] = option;
		for (int i = 0; words[i]; i++)
			argv[n++] = word(l, words[i]);
	}
	/* meant for the program: its stdio */
	if (chdir(l->bundle->dir) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(126);
	(void)execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* 0, or -1 when the program failed. */
static int run_line(const struct line *l, const char *const *words, long *rss)
{
	struct rusage ru;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		execute(l, words);
	if (pid < 0 || wait4(pid, &status, 0, &ru) < 0)
		return -1;
	if (rss && ru.ru_maxrss > *rss)
		*rss = ru.ru_maxrss;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* The measured lines of a case, once. Milliseconds, or -1. */
static double measure(const struct line *l, const struct bench_case *c,
		      long *rss)
{
	double start = now_ms();
	int r = 0;

	for (int i = 0; i < STEPS_MAX && c->measured[i][0] && r == 0; i++)
		r = run_line(l, c->measured[i], rss);
	return r == 0 ? now_ms() - start : -1;
}

static double median(const struct sample *s)
{
	return s->n == 0 ? 0 : s->ms[s->n / 2];
}

static void report_line(const struct target *t, enum view view,
			const struct sample *s, double first)
{
	if (s->failed)
		(void)printf("  %-20s failed\n", t->name);
	else if (s->n > 0)
		(void)printf("  %-20s %9.2f %9.2f %9.2f %9ld %s\n", t->name,
			     s->ms[0], median(s), median(s) / first, s->rss_kb,
			     t->option[view] ? t->option[view] : "");
}

/* One object a line: what a program reads, and what is kept. */
static void report_json(const struct bench_case *c, const struct target *t,
			enum view view, const struct sample *s)
{
	if (!s->failed && s->n == 0)
		return;
	(void)printf(
		"{\"case\":\"%s\",\"view\":\"%s\",\"target\":\"%s\",\"option\":\"%s\",\"runs\":%zu,\"failed\":%s,\"minMs\":%.3f,\"medianMs\":%.3f,\"peakKiB\":%ld}\n",
		c->name, view_names[view], t->name,
		t->option[view] ? t->option[view] : "", s->n,
		s->failed ? "true" : "false", s->n ? s->ms[0] : 0, median(s),
		s->rss_kb);
}

/* Ratios are to the first line that is there. */
static void report(const struct bench_case *c, enum view view, bool json,
		   struct sample *s)
{
	double first = 0;

	if (!json)
		(void)printf("\n%-22s %9s %9s %9s %9s   (%s)\n", c->name,
			     "min ms", "median", "ratio", "peak KiB",
			     view_names[view]);
	for (size_t t = 0; t < ARRAY_SIZE(targets); t++) {
		times_sort(s[t].ms, s[t].n);
		if (first <= 0)
			first = median(&s[t]);
		if (json)
			report_json(c, &targets[t], view, &s[t]);
		else
			report_line(&targets[t], view, &s[t], first);
	}
}

struct bench {
	enum view view;
	bool json;
	size_t runs;
	const char *paths[ARRAY_SIZE(targets)];
};

/* The line of a target: an id for each round, or one for all of them. */
static struct line line_of(const struct bench *b, const struct bench_case *c,
			   const struct bench_bundle *bundle,
			   struct target *target, size_t t, size_t round)
{
	struct line l = { .target = target, .bundle = bundle, .view = b->view };

	*target = targets[t];
	target->path = b->paths[t];
	(void)snprintf(l.id, sizeof(l.id), "bench-%d-%zu-%zu", getpid(),
		       c->before[0] ? 0 : round, t);
	(void)snprintf(l.group, sizeof(l.group), "/sys/fs/cgroup/%s", l.id);
	return l;
}

/* The floor is a process in a cgroup v2 that runs `true`, nothing else. */
static bool takes_part(const struct bench *b, const struct bench_case *c,
		       const struct sample *s, size_t t)
{
	if (targets[t].is_floor && (!c->floor || b->view != VIEW_V2))
		return false;
	return b->paths[t] && !s[t].failed;
}

/* One round of every target, so that what disturbs the machine disturbs all. */
static void round_of(const struct bench *b, const struct bench_case *c,
		     const struct bench_bundle *bundle, size_t n,
		     struct sample *s)
{
	for (size_t t = 0; t < ARRAY_SIZE(targets); t++) {
		struct target there;
		struct line l = line_of(b, c, bundle, &there, t, n);
		double ms = -1;

		if (!takes_part(b, c, s, t))
			continue;
		if (n > 0 || !c->before[0] ||
		    run_line(&l, c->before, NULL) == 0)
			ms = measure(&l, c, &s[t].rss_kb);
		if (ms < 0)
			s[t].failed = true;
		else if (n > 0) /* the first one warms the caches */
			s[t].ms[s[t].n++] = ms;
		if (c->after[0] && (n == b->runs || s[t].failed))
			(void)run_line(&l, c->after, NULL);
	}
}

static int run_case(const struct bench *b, const struct bench_case *c,
		    struct err *e)
{
	struct bench_bundle bundle = { 0 };
	struct sample *s;
	int r;

	s = calloc(ARRAY_SIZE(targets), sizeof(*s));
	if (!s)
		return err_nomem(e);
	r = bench_bundle_make(&bundle, BUSYBOX, c->sleeps, e);
	for (size_t n = 0; n <= b->runs && r >= 0; n++)
		round_of(b, c, &bundle, n, s);
	if (r >= 0)
		report(c, b->view, b->json, s);
	bench_bundle_remove(&bundle);
	free(s);
	return r;
}

/* Nobody else sees these mounts, and they end with us. */
static int see(enum view view, struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(e, "make a mount namespace");
	/* Where states are kept: in memory, as on nearly every host. */
	if (mount("none", "/run", "tmpfs", 0, "mode=755") < 0)
		return err_errno(e, "mount a tmpfs on /run");
	if (view == VIEW_V2 &&
	    mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
		return err_errno(e, "mount cgroup v2 on /sys/fs/cgroup");
	if (view == VIEW_V1 &&
	    mount("none", "/sys/fs/cgroup/unified", "tmpfs", 0, NULL) < 0)
		return err_errno(e, "hide /sys/fs/cgroup/unified");
	return 0;
}

/* A host without v1 hierarchies has no such view. */
static bool has_view(enum view view)
{
	return view == VIEW_V2 || access("/sys/fs/cgroup/memory", F_OK) == 0;
}

static int run_view(const struct bench *b, struct err *e)
{
	int r = see(b->view, e);

	for (size_t i = 0; i < ARRAY_SIZE(cases) && r >= 0; i++)
		r = run_case(b, &cases[i], e);
	return r;
}

/* In a process of its own, for the view is a namespace. */
static int fork_view(const struct bench *b)
{
	struct err e = { 0 };
	int status, r;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		r = run_view(b, &e);
		if (r < 0)
			(void)fprintf(stderr, "bench: %s\n", err_text(&e));
		(void)fflush(stdout);
		_exit(r < 0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0
									 : -1;
}

static void find_programs(const char *self, char (*mine)[512],
			  const char *paths[])
{
	const char *slash = strrchr(self, '/');
	int dir = slash ? (int)(slash - self) : 1;

	(void)snprintf(mine[0], sizeof(mine[0]), "%.*s/floor", dir,
		       slash ? self : ".");
	(void)snprintf(mine[1], sizeof(mine[1]), "%.*s/../moat-oci", dir,
		       slash ? self : ".");
	for (size_t t = 0; t < ARRAY_SIZE(targets); t++) {
		const char *path = targets[t].path ? targets[t].path : mine[t];

		paths[t] = access(path, X_OK) == 0 ? path : NULL;
		if (!paths[t])
			(void)fprintf(stderr, "bench: no '%s'\n", path);
	}
}

int main(int argc, char **argv)
{
	struct bench b = { .json = argc > 1 && str_eq(argv[1], "--json") };
	uint32_t runs = RUNS_DEFAULT;
	char mine[2][512], *self;
	int at = b.json ? 2 : 1, r = 0;

	if (argc > at + 1 || (argc == at + 1 && str_to_u32(argv[at], &runs)) ||
	    runs == 0 || runs >= RUNS_MAX) {
		(void)fprintf(stderr, "usage: %s [--json] [RUNS]\n", argv[0]);
		return 2;
	}
	b.runs = runs;
	self = realpath(argv[0], NULL);
	find_programs(self ? self : argv[0], mine, b.paths);
	free(self);
	for (int v = 0; v < VIEW_N_ && r == 0; v++) {
		b.view = (enum view)v;
		if (has_view(b.view))
			r = fork_view(&b);
	}
	return r < 0;
}

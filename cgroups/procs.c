/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/procs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/tree.h"

#define PROCS_MAX (64U << 20) /* bytes of a cgroup.procs file */

/* A fork bomb that outruns so many rounds of SIGKILL is not being killed. */
#define KILL_ROUNDS 1000

void cg_procs_done(struct cg_procs *p)
{
	free(p->v);
	*p = (struct cg_procs){ 0 };
}

static int compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static int add_text(struct cg_procs *p, char *text, struct err *e)
{
	size_t room = p->n + count_lines(text) + 1;
	char *save = NULL;
	pid_t *v = reallocarray(p->v, room, sizeof(*v));

	if (!v)
		return err_nomem(e);
	p->v = v;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		int pid;

		/* 0: a process outside of our pid namespace */
		if (str_to_int(line, &pid) == 0 && pid > 0)
			p->v[p->n++] = pid;
	}
	return 0;
}

static int add_group(void *arg, int fd, struct err *e)
{
	autofree char *text = NULL;
	int r;

	r = fd_read_file_at(fd, "cgroup.procs", PROCS_MAX, &text, NULL, e);
	/* Threaded groups do not answer: the domain above lists them. */
	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	return add_text(arg, text, e);
}

static void sort_unique(struct cg_procs *p)
{
	size_t n = 0;

	if (p->n == 0)
		return;
	qsort(p->v, p->n, sizeof(*p->v), compare);
	for (size_t i = 0; i < p->n; i++) {
		if (n == 0 || p->v[i] != p->v[n - 1])
			p->v[n++] = p->v[i];
	}
	p->n = n;
}

int cg_procs_list(int fd, struct cg_procs *ret, struct err *e)
{
	_cleanup_(cg_procs_done) struct cg_procs p = { 0 };
	int r;

	r = cg_tree_walk(fd, add_group, &p, e);
	if (r < 0)
		return r;
	sort_unique(&p);
	*ret = p;
	p = (struct cg_procs){ 0 };
	return 0;
}

int cg_procs_signal(const struct cg_procs *p, int sig, struct err *e)
{
	int n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (kill(p->v[i], sig) == 0)
			n++;
		else if (errno != ESRCH)
			return err_errno(e, "signal process %d", p->v[i]);
	}
	return n;
}

static bool contains(const struct cg_procs *p, pid_t pid)
{
	return p->n > 0 &&
	       bsearch(&pid, p->v, p->n, sizeof(*p->v), compare) != NULL;
}

/* Those of now that were not there before. */
static size_t count_new(const struct cg_procs *now,
			const struct cg_procs *before)
{
	size_t n = 0;

	for (size_t i = 0; i < now->n; i++)
		n += !contains(before, now->v[i]);
	return n;
}

int cg_procs_kill(int fd, struct err *e)
{
	_cleanup_(cg_procs_done) struct cg_procs before = { 0 };

	for (int i = 0; i < KILL_ROUNDS; i++) {
		struct cg_procs now = { 0 };
		size_t n_new;
		int r;

		r = cg_procs_list(fd, &now, e);
		if (r < 0)
			return r;
		n_new = count_new(&now, &before);
		cg_procs_done(&before);
		before = now;
		if (n_new == 0)
			return 0;
		r = cg_procs_signal(&now, SIGKILL, e);
		if (r < 0)
			return r;
	}
	return err_set(e, -EAGAIN,
		       "processes appear faster than they are killed");
}

uint64_t cg_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t cg_deadline(int timeout_ms)
{
	if (timeout_ms < 0)
		return UINT64_MAX;
	return cg_now_ms() + (uint64_t)timeout_ms;
}

int cg_left_ms(uint64_t deadline)
{
	uint64_t now = cg_now_ms();

	if (deadline == UINT64_MAX)
		return -1;
	return deadline > now ? (int)(deadline - now) : 0;
}

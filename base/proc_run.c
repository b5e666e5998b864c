/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define OUTPUT_MAX (1U << 20)
#define TAIL_MAX   512 /* so much of its last words is kept */

enum {
	OUT,
	ERR,
	END,
	STOP,
	N_WATCHED
};

struct helper {
	const struct proc_run *run;
	pid_t pid;
	int stdin_fd; /* -1: /dev/null */
	int pipe[2];  /* our ends of its stdout (-1: not ours) and stderr */
	int theirs[2];
	int pidfd;
	char *output;
	size_t output_len, output_size;
	char tail[TAIL_MAX + 1];
	size_t tail_len;
};

static void helper_done(struct helper *h)
{
	int fds[] = { h->stdin_fd,    h->pipe[OUT],   h->pipe[ERR],
		      h->theirs[OUT], h->theirs[ERR], h->pidfd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(h->output);
}

/* --- starting ----------------------------------------------------------- */

/*
 * A file in memory, not a pipe: it needs nobody who feeds it, and a helper that
 * does not read to the end costs no SIGPIPE.
 */
static int make_input(struct helper *h)
{
	int r;

	if (!h->run->input)
		return 0;
	h->stdin_fd = memfd_create("input", MFD_CLOEXEC);
	if (h->stdin_fd < 0)
		return -errno;
	r = fd_write_all(h->stdin_fd, h->run->input, h->run->input_len);
	if (r < 0)
		return r;
	return lseek(h->stdin_fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int make_pipe(struct helper *h, int which)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	h->pipe[which] = ends[0];
	h->theirs[which] = ends[1];
	return fd_set_nonblock(ends[0], true);
}

static int make_pipes(struct helper *h)
{
	int r = make_input(h);

	if (r == 0)
		r = make_pipe(h, ERR);
	if (r == 0 && h->run->ret_output)
		r = make_pipe(h, OUT);
	return r;
}

/* What its stdout is: a file of the caller's, a pipe to us, its stderr, ours.
 */
static int stdout_of(const struct helper *h)
{
	if (h->run->output_fd > 0)
		return h->run->output_fd;
	if (h->run->ret_output)
		return h->theirs[OUT];
	return h->run->quiet ? h->theirs[ERR] : STDOUT_FILENO;
}

static int stderr_of(const struct helper *h)
{
	return h->run->error_fd > 0 ? h->run->error_fd : h->theirs[ERR];
}

/* The functions give 0 or a positive errno; the first one counts. */
static int add_actions(const struct helper *h, posix_spawn_file_actions_t *a)
{
	int r = 0;

	if (h->run->dirfd > 0)
		r = posix_spawn_file_actions_addfchdir_np(a, h->run->dirfd);
	if (r == 0 && h->stdin_fd >= 0)
		r = posix_spawn_file_actions_adddup2(a, h->stdin_fd, 0);
	else if (r == 0)
		r = posix_spawn_file_actions_addopen(a, 0, "/dev/null",
						     O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(a, stdout_of(h), 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(a, stderr_of(h), 2);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(a, 3);
	return r;
}

/* Signals as a program expects them: none blocked, none ignored, whatever a
 * loop, or those who started us, have done. */
static int add_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(
			attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return r;
}

static int spawn(struct helper *h)
{
	char *const *env = h->run->env ? h->run->env : environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	r = add_actions(h, &actions);
	if (r == 0)
		r = add_attributes(&attr);
	if (r == 0)
		r = posix_spawnp(&h->pid, h->run->path, &actions, &attr,
				 h->run->argv, env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int start(struct helper *h, struct err *e)
{
	int r = make_pipes(h);

	if (r == 0)
		r = spawn(h);
	if (r < 0)
		return err_code(e, r, "start '%s'", h->run->path);
	for (int i = OUT; i <= ERR; i++)
		if (h->theirs[i] >= 0)
			(void)close(steal_fd(&h->theirs[i]));
	return 0;
}

/* --- listening ---------------------------------------------------------- */

static int keep_output(struct helper *h, const char *p, size_t n)
{
	size_t size = h->output_size ? h->output_size : 4096;
	char *more;

	if (h->output_len + n > OUTPUT_MAX)
		return -EFBIG;
	while (h->output_len + n >= size)
		size *= 2;
	if (size != h->output_size) {
		more = realloc(h->output, size);
		if (!more)
			return -ENOMEM;
		h->output = more;
		h->output_size = size;
	}
	(void)memcpy(h->output + h->output_len, p, n);
	h->output_len += n;
	return 0;
}

static void keep_tail(struct helper *h, const char *p, size_t n)
{
	size_t keep;

	if (!h->run->quiet)
		(void)!write(STDERR_FILENO, p, n);
	if (n > TAIL_MAX) {
		p += n - TAIL_MAX;
		n = TAIL_MAX;
	}
	keep = MIN_OF(h->tail_len, (size_t)TAIL_MAX - n);
	(void)memmove(h->tail, h->tail + h->tail_len - keep, keep);
	(void)memcpy(h->tail + keep, p, n);
	h->tail_len = keep + n;
}

/* Reads what is there; closes at the end. */
static int drain(struct helper *h, int which)
{
	char buf[4096];
	ssize_t n;
	int r = 0;

	while (r == 0 && h->pipe[which] >= 0) {
		n = TEMP_FAILURE_RETRY(read(h->pipe[which], buf, sizeof(buf)));
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			(void)close(steal_fd(&h->pipe[which]));
		else if (which == OUT)
			r = keep_output(h, buf, (size_t)n);
		else
			keep_tail(h, buf, (size_t)n);
	}
	return r;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * Until the process has ended, not until its pipes are closed: what it left
 * running in the background may hold those for ever.
 */
static int listen_until(struct helper *h, int64_t end)
{
	struct pollfd p[N_WATCHED] = {
		[OUT] = { .events = POLLIN },
		[ERR] = { .events = POLLIN },
		[END] = { .fd = h->pidfd, .events = POLLIN },
		[STOP] = { .fd = h->run->stop_fd > 0 ? h->run->stop_fd : -1,
			   .events = POLLIN },
	};
	int r = 0, left = -1;

	while (r == 0 && !p[END].revents) {
		p[OUT].fd = h->pipe[OUT];
		p[ERR].fd = h->pipe[ERR];
		if (end)
			left = (int)MAX_OF(end - now_ms(), (int64_t)0);
		r = poll(p, N_WATCHED, left);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0)
			return -ETIMEDOUT;
		if (p[STOP].revents)
			return -ECANCELED;
		r = drain(h, OUT);
		if (r == 0)
			r = drain(h, ERR);
	}
	return r;
}

/* --- the end ------------------------------------------------------------ */

/* Its last words as one line; hostile bytes do not reach a terminal. */
static const char *last_words(struct helper *h)
{
	char *p = h->tail;

	while (h->tail_len > 0 && p[h->tail_len - 1] == '\n')
		h->tail_len--;
	p[h->tail_len] = '\0';
	for (; *p; p++)
		if (*p == '\n')
			*p = ';';
		else if (*p == '\t')
			*p = ' ';
	str_make_printable(h->tail, h->tail_len);
	return h->tail;
}

static int judge(struct helper *h, int status, struct err *e)
{
	const char *words = last_words(h), *path = h->run->path;
	const char *colon = *words ? ": " : "";

	if (WIFSIGNALED(status))
		return err_set(e, -EINTR, "'%s' was killed by signal %d%s%s",
			       path, WTERMSIG(status), colon, words);
	if (WEXITSTATUS(status) != 0)
		(void)err_set(e, -ECHILD, "'%s' ended with status %d%s%s", path,
			      WEXITSTATUS(status), colon, words);
	return WEXITSTATUS(status);
}

static int follow(struct helper *h, int *ret_status)
{
	int timeout = h->run->timeout_ms, r;

	h->pidfd = proc_pidfd_open(h->pid, NULL);
	r = h->pidfd < 0
		    ? h->pidfd
		    : listen_until(h, timeout > 0 ? now_ms() + timeout : 0);
	if (r < 0)
		(void)kill(h->pid, SIGKILL);
	if (TEMP_FAILURE_RETRY(waitpid(h->pid, ret_status, 0)) < 0)
		return -errno;
	return r;
}

int proc_run(const struct proc_run *run, struct err *e)
{
	_cleanup_(helper_done) struct helper h = {
		.run = run,
		.stdin_fd = -1,
		.pipe = { -1, -1 },
		.theirs = { -1, -1 },
		.pidfd = -1,
	};
	int r, status = 0;

	r = start(&h, e);
	if (r < 0)
		return r;
	r = follow(&h, &status);
	if (r == -ETIMEDOUT)
		return err_set(e, r, "'%s' took longer than %d ms", run->path,
			       run->timeout_ms);
	if (r == -EFBIG)
		return err_set(e, r, "'%s' wrote more than %u bytes", run->path,
			       OUTPUT_MAX);
	if (r < 0)
		return err_code(e, r, "run '%s'", run->path);
	r = judge(&h, status, e);
	if (r >= 0 && run->ret_output) {
		if (!h.output)
			h.output = calloc(1, 1);
		if (!h.output)
			return err_nomem(e);
		h.output[h.output_len] = '\0';
		*run->ret_output = steal_ptr(h.output);
	}
	return r;
}

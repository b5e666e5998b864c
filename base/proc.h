/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Processes: pidfds, start times (a pid alone names nobody for long), helper
 * programs with input, time limit and the end of their stderr, and a procfs
 * that is known to be one.
 */
#include <sys/types.h>

#include "base/err.h"

/* Field 22 of /proc/PID/stat, in clock ticks since boot. */
MUST_CHECK int proc_start_time(pid_t pid, uint64_t *ret);
/* One letter, as in /proc/PID/stat: 'R', 'Z', ... */
MUST_CHECK int proc_state(pid_t pid, char *ret);
/* The process exists, is not a zombie and started then. */
bool proc_alive(pid_t pid, uint64_t start_time);

MUST_CHECK int proc_pidfd_open(pid_t pid, struct err *e);
MUST_CHECK int proc_pidfd_signal(int pidfd, int sig);
/* Waits until the process behind the pidfd has ended. timeout_ms < 0: for
 * ever. -ETIMEDOUT. Works for others' children too. */
MUST_CHECK int proc_pidfd_wait(int pidfd, int timeout_ms);

/* waitpid() status -> the status a shell would give: n, or 128 + signal. */
int proc_exit_status(int wait_status);
/* Waits for a child, EINTR is ours; gives the status as above. */
MUST_CHECK int proc_reap(pid_t pid, struct err *e);

/* A caller who ignores SIGCHLD has the kernel reap our children too, and we
 * would wait for them in vain. */
void proc_usual_sigchld(void);

/* "TERM", "SIGTERM", "15", "RTMIN+3" -> number; -EINVAL. */
MUST_CHECK int proc_signal_parse(const char *name, int *ret);

struct proc_run {
	const char *path;  /* absolute, or found through PATH when not */
	char *const *argv; /* argv[0] included */
	char *const *env;  /* NULL: ours */
	const void *input; /* for its stdin; NULL: /dev/null */
	size_t input_len;
	int dirfd;	   /* where it starts; <= 0: here */
	int timeout_ms;	   /* <= 0: none; then SIGKILL and -ETIMEDOUT */
	bool quiet;	   /* stdout and stderr to nowhere but the error */
	char **ret_output; /* not NULL: stdout, up to 1 MiB, the caller's */
	int output_fd;	   /* > 0: stdout goes there instead, however long */
	int stop_fd;	   /* > 0: readable means SIGKILL, and -ECANCELED */
	int error_fd;	   /* > 0: stderr goes there, and the error lacks it */
};

/*
 * Runs a program to its end. Gives its exit status (0..255); a program that
 * could not be started, was killed or took too long is an error that names
 * it. A status other than 0 sets e as well, with the last lines of its
 * stderr, so that the caller decides.
 */
MUST_CHECK int proc_run(const struct proc_run *run, struct err *e);

/*
 * A descriptor of a procfs that really is one: /proc may be a bind mount of
 * somebody's making. Everything below goes through openat2() with
 * RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH.
 */
MUST_CHECK int proc_open_fs(struct err *e);
MUST_CHECK int proc_open_file(int procfd, const char *path, int flags,
			      struct err *e);
MUST_CHECK int proc_write_file(int procfd, const char *path, const char *text,
			       struct err *e);
/* Our own mountinfo; a host may have very many mounts. */
MUST_CHECK int proc_read_mounts(char **ret, struct err *e);

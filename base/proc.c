/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* --- /proc/PID/stat ----------------------------------------------------- */

struct proc_stat {
	char state;
	uint64_t start_time;
};

/*
 * "PID (COMM) STATE ..." with COMM being anything, ") R 1" included: the last
 * bracket is the one. Behind it stand field 3, the state, and 22.
 */
static int parse_stat(char *text, struct proc_stat *ret)
{
	char *p = strrchr(text, ')');
	int field = 3;

	if (!p || p[1] != ' ' || !p[2])
		return -EPROTO;
	p += 2;
	ret->state = *p;
	for (; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EPROTO;
		p++;
	}
	p[strcspn(p, " ")] = '\0';
	return str_to_u64(p, &ret->start_time);
}

static int read_stat(pid_t pid, struct proc_stat *ret)
{
	char path[32], text[1024];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = fd_read_small_at(AT_FDCWD, path, text, sizeof(text));
	return n < 0 ? (int)n : parse_stat(text, ret);
}

int proc_start_time(pid_t pid, uint64_t *ret)
{
	struct proc_stat st = { 0 };
	int r = read_stat(pid, &st);

	if (r == 0)
		*ret = st.start_time;
	return r;
}

int proc_state(pid_t pid, char *ret)
{
	struct proc_stat st = { 0 };
	int r = read_stat(pid, &st);

	if (r == 0)
		*ret = st.state;
	return r;
}

bool proc_alive(pid_t pid, uint64_t start_time)
{
	struct proc_stat st = { 0 };

	return pid > 0 && read_stat(pid, &st) == 0 &&
	       st.start_time == start_time && st.state != 'Z' &&
	       st.state != 'X';
}

/* --- pidfds and ends ---------------------------------------------------- */

int proc_pidfd_open(pid_t pid, struct err *e)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? err_errno(e, "process %d", pid) : (int)fd;
}

int proc_pidfd_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno
								       : 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int proc_pidfd_wait(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
	int n, left = timeout_ms;

	while ((n = poll(&p, 1, left)) < 0 && errno == EINTR)
		if (timeout_ms > 0)
			left = (int)MAX_OF(end - now_ms(), (int64_t)0);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	return p.revents & POLLNVAL ? -EBADF : 0;
}

void proc_usual_sigchld(void)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	(void)sigaction(SIGCHLD, &usual, NULL);
}

int proc_exit_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

int proc_reap(pid_t pid, struct err *e)
{
	int status;

	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return err_errno(e, "wait for process %d", pid);
	return proc_exit_status(status);
}

/* --- names of signals --------------------------------------------------- */

static int realtime(const char *name)
{
	int n = 0;

	if (strcasecmp(name, "RTMIN") == 0)
		return SIGRTMIN;
	if (strcasecmp(name, "RTMAX") == 0)
		return SIGRTMAX;
	if (strncasecmp(name, "RTMIN+", 6) == 0 &&
	    str_to_int(name + 6, &n) == 0 && n >= 0 && n <= SIGRTMAX - SIGRTMIN)
		return SIGRTMIN + n;
	if (strncasecmp(name, "RTMAX-", 6) == 0 &&
	    str_to_int(name + 6, &n) == 0 && n >= 0 && n <= SIGRTMAX - SIGRTMIN)
		return SIGRTMAX - n;
	return -EINVAL;
}

static int named(const char *name)
{
	/* The second names; sigabbrev_np() knows the first ones. */
	static const struct {
		const char *name;
		int sig;
	} aliases[] = {
		{ "IO", SIGIO },
		{ "IOT", SIGIOT },
		{ "CLD", SIGCHLD },
	};

	for (int sig = 1; sig < SIGSYS + 1; sig++) {
		const char *abbrev = sigabbrev_np(sig);

		if (abbrev && strcasecmp(abbrev, name) == 0)
			return sig;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcasecmp(aliases[i].name, name) == 0)
			return aliases[i].sig;
	return realtime(name);
}

int proc_signal_parse(const char *name, int *ret)
{
	int sig;

	if (str_to_int(name, &sig) < 0) {
		if (strncasecmp(name, "SIG", 3) == 0)
			name += 3;
		sig = named(name);
	}
	if (sig < 1 || sig > SIGRTMAX)
		return -EINVAL;
	*ret = sig;
	return 0;
}

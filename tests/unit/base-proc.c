/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "tests/unit/tap.h"

/* A child that waits for its end; killed and reaped by end_child(). */
static pid_t start_child(void)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		for (;;)
			(void)pause();
	return pid;
}

static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* Until the child is a zombie, which it stays. */
static void await_zombie(pid_t pid)
{
	siginfo_t si;

	CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
}

TEST(a_process_is_its_pid_and_its_start)
{
	pid_t pid = start_child();
	uint64_t start = 0;
	char state = 0;

	CHECK_INT(proc_start_time(pid, &start), 0);
	CHECK(start > 0);
	CHECK(proc_alive(pid, start));
	CHECK(!proc_alive(pid, start + 1) && !proc_alive(pid, start - 1));
	CHECK(!proc_alive(0, start) && !proc_alive(-1, start));

	(void)kill(pid, SIGKILL);
	await_zombie(pid);
	CHECK_INT(proc_state(pid, &state), 0);
	CHECK_INT(state, 'Z');
	CHECK(!proc_alive(pid, start));
	(void)waitpid(pid, NULL, 0);
	CHECK_INT(proc_start_time(pid, &start), -ENOENT);
	CHECK_INT(proc_state(pid, &state), -ENOENT);
	CHECK(!proc_alive(pid, start));
}

/* The name is the process's own choice. */
TEST(a_name_with_brackets_does_not_deceive)
{
	static const char *const names[] = { "x) Z 1 (", "a b) R", ")", "((",
					     "\n) S 1" };
	uint64_t before = 0, now = 0;
	char old[16] = "", state = 0;

	REQUIRE(prctl(PR_GET_NAME, old) == 0);
	CHECK_INT(proc_start_time(getpid(), &before), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK(prctl(PR_SET_NAME, names[i]) == 0);
		CHECK_INT(proc_start_time(getpid(), &now), 0);
		CHECK_INT(now, before);
		CHECK_INT(proc_state(getpid(), &state), 0);
		CHECK_INT(state, 'R');
	}
	CHECK(prctl(PR_SET_NAME, old) == 0);
}

TEST(a_pidfd_signals_and_tells_the_end)
{
	pid_t pid = start_child();
	struct err e = { 0 };
	autoclose int fd = proc_pidfd_open(pid, &e);

	REQUIRE_OK(fd, &e);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_INT(proc_pidfd_wait(fd, 0), -ETIMEDOUT);
	CHECK_INT(proc_pidfd_wait(fd, 5), -ETIMEDOUT);
	CHECK_INT(proc_pidfd_signal(fd, 0), 0);
	CHECK_INT(proc_pidfd_signal(fd, SIGTERM), 0);
	CHECK_INT(proc_pidfd_wait(fd, -1), 0);
	CHECK_INT(proc_reap(pid, &e), 128 + SIGTERM);
	CHECK_INT(proc_pidfd_signal(fd, SIGTERM), -ESRCH);
	CHECK_INT(proc_pidfd_wait(fd, -1), 0);
	CHECK_INT(proc_pidfd_wait(-7, 0), -ETIMEDOUT); /* as poll(2) has it */
}

static void on_alarm(int sig)
{
}

/* Signals that end poll(2) early neither end the wait nor begin it anew. */
TEST(a_wait_goes_on_over_signals)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction act = { .sa_handler = on_alarm }, saved;
	autoclose int fd = proc_pidfd_open(getpid(), NULL);

	REQUIRE(fd >= 0 && sigaction(SIGALRM, &act, &saved) == 0 &&
		setitimer(ITIMER_REAL, &often, NULL) == 0);
	CHECK_INT(proc_pidfd_wait(fd, 20), -ETIMEDOUT);
	(void)setitimer(ITIMER_REAL, &never, NULL);
	(void)sigaction(SIGALRM, &saved, NULL);
}

TEST(a_process_there_is_not_has_no_pidfd)
{
	pid_t pid = start_child();
	struct err e = { 0 };
	char want[64];

	end_child(pid);
	(void)snprintf(want, sizeof(want), "process %d: No such process", pid);
	CHECK_INT(proc_pidfd_open(pid, &e), -ESRCH);
	CHECK_STR(e.text, want);
	CHECK_INT(proc_reap(pid, &e), -ECHILD);
}

TEST(ends_are_told_as_a_shell_tells_them)
{
	pid_t pid;

	CHECK_INT(proc_exit_status(0), 0);
	CHECK_INT(proc_exit_status(W_EXITCODE(37, 0)), 37);
	CHECK_INT(proc_exit_status(W_EXITCODE(255, 0)), 255);
	CHECK_INT(proc_exit_status(W_EXITCODE(0, SIGKILL)), 137);
	CHECK_INT(proc_exit_status(W_EXITCODE(0, SIGSEGV) | 0x80), 139);

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(42);
	CHECK_INT(proc_reap(pid, NULL), 42);
}

TEST(signals_have_names_and_numbers)
{
	static const struct {
		const char *name;
		int sig;
	} rows[] = {
		{ "TERM", SIGTERM },
		{ "SIGTERM", SIGTERM },
		{ "sigterm", SIGTERM },
		{ "kill", SIGKILL },
		{ "15", 15 },
		{ "9", 9 },
		{ "64", 64 },
		{ "1", 1 },
		{ "HUP", SIGHUP },
		{ "SIGIO", SIGIO },
		{ "POLL", SIGPOLL },
		{ "IOT", SIGABRT },
		{ "ABRT", SIGABRT },
		{ "CLD", SIGCHLD },
		{ "CHLD", SIGCHLD },
		{ "SYS", SIGSYS },
		{ "STKFLT", SIGSTKFLT },
		{ "WINCH", SIGWINCH },
	};
	int sig = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!CHECK_INT(proc_signal_parse(rows[i].name, &sig), 0) ||
		    !CHECK_INT(sig, rows[i].sig))
			tap_note("'%s'", rows[i].name);
	}
	CHECK(proc_signal_parse("RTMIN", &sig) == 0 && sig == SIGRTMIN);
	CHECK(proc_signal_parse("SIGRTMIN+3", &sig) == 0 &&
	      sig == SIGRTMIN + 3);
	CHECK(proc_signal_parse("RTMAX-2", &sig) == 0 && sig == SIGRTMAX - 2);
	CHECK(proc_signal_parse("rtmax", &sig) == 0 && sig == SIGRTMAX);
}

TEST(what_is_no_signal_is_refused)
{
	static const char *const bad[] = {
		"",	   "0",		  "65",	      "-1",	  "TERMS",
		"SIG",	   "SIGSIGHUP",	  "RTMIN+",   "RTMIN+31", "RTMIN-1",
		"RTMAX+1", "RTMAX-31",	  "RTMIN+-1", "15 ",	  " TERM",
		"SIG9",	   "99999999999",
	};
	int sig = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(proc_signal_parse(bad[i], &sig), -EINVAL))
			tap_note("'%s'", bad[i]);
	CHECK_INT(sig, 7);
}

/* --- procfs ------------------------------------------------------------- */

TEST(files_of_a_procfs_are_read_and_written)
{
	struct err e = { 0 };
	autoclose int fs = proc_open_fs(&e), fd = -1, again = -1;
	char path[64], text[32] = "";

	REQUIRE_OK(fs, &e);
	(void)snprintf(path, sizeof(path), "%d/comm", getpid());
	fd = proc_open_file(fs, path, O_RDONLY, &e);
	REQUIRE_OK(fd, &e);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(proc_write_file(fs, "self/comm", "renamed", &e), &e);
	CHECK_INT(read(fd, text, sizeof(text)), 8);
	CHECK_INT(strncmp(text, "renamed\n", 8), 0);
	again = proc_open_file(fs, "thread-self/comm", O_RDONLY, &e);
	CHECK_OK(again, &e);
	CHECK_OK(proc_write_file(fs, "self/comm", "base-proc", &e), &e);
}

TEST(a_procfs_leads_nowhere_else)
{
	static const struct {
		const char *path;
		int r;
	} rows[] = {
		{ "self/exe", -ELOOP },	   { "self/root/etc/passwd", -ELOOP },
		{ "self/fd/0", -ELOOP },   { "self", -ELOOP },
		{ "mounts", -ELOOP },	   { "../etc/passwd", -EXDEV },
		{ "/etc/passwd", -EXDEV }, { "self/../../etc", -EXDEV },
		{ "self/none", -ENOENT },  { "self/cwd/x", -ELOOP },
	};
	struct err e = { 0 };
	autoclose int fs = proc_open_fs(&e);

	REQUIRE_OK(fs, &e);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!CHECK_INT(proc_open_file(fs, rows[i].path, O_RDONLY, &e),
			       rows[i].r))
			tap_note("'%s'", rows[i].path);
	CHECK_INT(proc_write_file(fs, "self/none", "x", &e), -ENOENT);
	CHECK_STR(e.text, "open '/proc/self/none': No such file or directory");
	CHECK_INT(proc_write_file(fs, "self/oom_score_adj", "zzz", &e),
		  -EINVAL);
	CHECK_STR(e.text, "write '/proc/self/oom_score_adj': Invalid argument");
}

#define CHILD_SKIP 77

static void with_forged_proc(void)
{
	struct err e = { 0 };
	autoclose int fs = proc_open_fs(&e);

	/* a file of ours over a file of procfs */
	CHECK_INT(mount("/dev/null", "/proc/self/comm", NULL, MS_BIND, NULL),
		  0);
	CHECK_INT(proc_open_file(fs, "self/comm", O_RDONLY, &e), -EXDEV);
	/* a folder of procfs as the whole */
	CHECK_INT(mount("/proc/sys", "/proc", NULL, MS_BIND, NULL), 0);
	CHECK_INT(proc_open_fs(&e), -EPROTO);
	CHECK_STR(e.text, "'/proc' is not a procfs");
	/* something else altogether */
	CHECK_INT(mount("/dev", "/proc", NULL, MS_BIND | MS_REC, NULL), 0);
	CHECK_INT(proc_open_fs(&e), -EPROTO);
}

TEST(a_forged_procfs_is_noticed)
{
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if ((unshare(CLONE_NEWNS) < 0 &&
		     unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(CHILD_SKIP);
		with_forged_proc();
		_exit(tap_child_status());
	}
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WEXITSTATUS(status) == CHILD_SKIP)
		SKIP("no mount namespace to be had");
	CHECK_INT(status, 0);
}

static const struct tap_test tests[] = {
	TAP(a_process_is_its_pid_and_its_start),
	TAP(a_name_with_brackets_does_not_deceive),
	TAP(a_pidfd_signals_and_tells_the_end),
	TAP(a_wait_goes_on_over_signals),
	TAP(a_process_there_is_not_has_no_pidfd),
	TAP(ends_are_told_as_a_shell_tells_them),
	TAP(signals_have_names_and_numbers),
	TAP(what_is_no_signal_is_refused),
	TAP(files_of_a_procfs_are_read_and_written),
	TAP(a_procfs_leads_nowhere_else),
	TAP(a_forged_procfs_is_noticed),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

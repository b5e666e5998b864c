/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

/* sh -c script, with its output; gives what proc_run() gave. */
static int run_sh(const char *script, char **ret_output, struct err *e)
{
	const struct proc_run run = {
		.path = "sh",
		.argv = (char *[]){ (char[]){ "sh" }, (char[]){ "-c" },
				    (char *)script, NULL },
		.quiet = true,
		.ret_output = ret_output,
	};

	(void)memset(e, 0, sizeof(*e));
	return proc_run(&run, e);
}

TEST(output_and_status_come_back)
{
	autofree char *out = NULL, *none = NULL;
	struct err e;

	CHECK_INT(run_sh("echo a; echo b >&2; echo c", &out, &e), 0);
	CHECK_STR(out, "a\nc\n");
	CHECK_STR(e.text, "");
	CHECK_INT(run_sh("exit 37", &none, &e), 37);
	CHECK_STR(none, "");
	CHECK_STR(e.text, "'sh' ended with status 37");
}

TEST(the_last_words_are_in_the_error)
{
	autofree char *out = NULL;
	struct err e;

	CHECK_INT(run_sh("echo first >&2; printf 'last\\033[31m\\n\\n' >&2; "
			 "exit 1",
			 &out, &e),
		  1);
	CHECK_STR(e.text, "'sh' ended with status 1: first;last?[31m");
	CHECK_INT(run_sh("printf '\\302\\2330m\\233\\303\\244' >&2; exit 1",
			 NULL, &e),
		  1);
	CHECK_STR(e.text, "'sh' ended with status 1: ??0m?\xc3\xa4");
	CHECK_INT(run_sh("echo quiet; exit 2", NULL, &e), 2);
	CHECK_STR(e.text, "'sh' ended with status 2: quiet");
}

TEST(of_many_words_the_end_is_kept)
{
	struct err e;

	CHECK_INT(run_sh("i=0; while [ $i -lt 3000 ]; do echo line $i; "
			 "i=$((i+1)); done >&2; exit 1",
			 NULL, &e),
		  1);
	CHECK(str_ends(e.text, ";line 2998;line 2999"));
	CHECK(strlen(e.text) > 500 && strlen(e.text) < 560);
}

TEST(a_program_that_is_not_there_is_an_error)
{
	const struct proc_run run = {
		.path = "/no/such/program",
		.argv = (char *[]){ (char[]){ "x" }, NULL },
	};
	const struct proc_run folder = {
		.path = "/",
		.argv = (char *[]){ (char[]){ "x" }, NULL },
	};
	int before = open_fds();
	struct err e = { 0 };

	CHECK_INT(proc_run(&run, &e), -ENOENT);
	CHECK_STR(e.text,
		  "start '/no/such/program': No such file or directory");
	CHECK_INT(proc_run(&folder, &e), -EACCES);
	CHECK_INT(open_fds(), before);
}

TEST(a_killed_program_is_an_error)
{
	autofree char *out = NULL;
	struct err e;

	CHECK_INT(run_sh("echo why >&2; kill -9 $$", &out, &e), -EINTR);
	CHECK_STR(e.text, "'sh' was killed by signal 9: why");
	CHECK(!out);
}

TEST(too_long_is_an_error_and_the_program_is_gone)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	const struct proc_run run = {
		.path = "sh",
		.argv = (char *[]){ (char[]){ "sh" }, (char[]){ "-c" },
				    (char[]){ "echo $$ >pid; exec sleep 1000" },
				    NULL },
		.quiet = true,
		.timeout_ms = 300,
	};
	struct proc_run here = run;
	struct err e = { 0 };
	char text[32];
	int pid = 0;

	REQUIRE(scratch_init(&s));
	here.dirfd = s.fd;
	CHECK_INT(proc_run(&here, &e), -ETIMEDOUT);
	CHECK_STR(e.text, "'sh' took longer than 300 ms");
	/* On a busy machine it may not have come so far as to say its pid. */
	if (fd_read_small_at(s.fd, "pid", text, sizeof(text)) > 0) {
		CHECK_INT(str_to_int(text, &pid), 0);
		CHECK(kill(pid, 0) < 0 && errno == ESRCH);
	}
}

TEST(what_it_leaves_in_the_background_does_not_hold_us)
{
	autofree char *out = NULL;
	struct err e;
	int pid = 0;

	CHECK_INT(run_sh("sleep 1000 & echo $!", &out, &e), 0);
	REQUIRE(out && strchr(out, '\n'));
	*strchr(out, '\n') = '\0';
	REQUIRE(str_to_int(out, &pid) == 0 && pid > 0);
	CHECK_INT(kill(pid, SIGKILL), 0);
}

TEST(input_arrives_whole_and_need_not_be_read)
{
	const size_t len = 3 << 20;
	autofree char *input = malloc(len), *out = NULL;
	struct proc_run run = {
		.path = "cksum",
		.argv = (char *[]){ (char[]){ "cksum" }, NULL },
		.input = input,
		.input_len = len,
		.ret_output = &out,
	};
	struct err e = { 0 };

	REQUIRE(input);
	for (size_t i = 0; i < len; i++)
		input[i] = (char)(i * 31 + i / 257);
	CHECK_INT(proc_run(&run, &e), 0);
	CHECK(str_ends(out, " 3145728\n"));
	run.path = "true";
	free(steal_ptr(out));
	CHECK_INT(proc_run(&run, &e), 0);
}

TEST(without_input_there_is_dev_null)
{
	autofree char *out = NULL;
	struct err e;

	CHECK_INT(run_sh("readlink /proc/self/fd/0; cat", &out, &e), 0);
	CHECK_STR(out, "/dev/null\n");
}

TEST(too_much_output_is_refused)
{
	autofree char *out = NULL;
	struct err e;

	CHECK_INT(run_sh("head -c 1048576 /dev/zero", &out, &e), 0);
	free(steal_ptr(out));
	CHECK_INT(run_sh("cat /dev/zero", &out, &e), -EFBIG);
	CHECK_STR(e.text, "'sh' wrote more than 1048576 bytes");
	CHECK(!out);
}

TEST(output_may_go_to_a_file_of_the_callers)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autoclose int fd = -1;
	const char *script =
		"echo into the file; echo not >&2; pwd >&2; exit 3";
	struct proc_run run = {
		.path = "sh",
		.argv = (char *[]){ (char[]){ "sh" }, (char[]){ "-c" },
				    (char *)script, NULL },
		.quiet = true,
	};
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	fd = openat(s.fd, "out", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	run.output_fd = fd;
	run.dirfd = s.fd;
	CHECK_INT(proc_run(&run, &e), 3);
	CHECK(scratch_holds(&s, "out", "into the file"));
	CHECK_HAS(e.text, "status 3: not;");
	CHECK(str_ends(e.text, s.path));
}

/* stderr of ours is a file for a while. */
TEST(a_loud_program_is_heard)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autoclose int fd = -1, saved = fcntl(2, F_DUPFD_CLOEXEC, 3);
	struct proc_run run = {
		.path = "sh",
		.argv = (char *[]){ (char[]){ "sh" }, (char[]){ "-c" },
				    (char[]){ "echo loud >&2; exit 1" }, NULL },
	};
	struct err e = { 0 };

	REQUIRE(scratch_init(&s));
	fd = openat(s.fd, "err", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	(void)dup3(fd, 2, 0); /* inherited by nobody: proc_run() has a pipe */
	CHECK_INT(proc_run(&run, &e), 1);
	(void)dup3(saved, 2, 0); /* as before */
	CHECK(scratch_holds(&s, "err", "loud"));
	CHECK_STR(e.text, "'sh' ended with status 1: loud");
}

TEST(the_environment_is_the_one_given)
{
	autofree char *out = NULL;
	const struct proc_run run = {
		.path = "/usr/bin/env",
		.argv = (char *[]){ (char[]){ "env" }, NULL },
		.env = (char *[]){ (char[]){ "A=1" }, (char[]){ "B=2" }, NULL },
		.ret_output = &out,
	};
	struct err e = { 0 };

	CHECK_INT(proc_run(&run, &e), 0);
	CHECK_STR(out, "A=1\nB=2\n");
}

/* "SigBlk:\t<hex>" of a /proc/PID/status; without 32 and 33, which libc keeps
 * for itself. */
static uint64_t mask_in(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, 16) & ~0x180000000U
		    : UINT64_MAX;
}

TEST(signals_and_descriptors_are_as_a_program_expects)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, saved;
	/* allow F_DUPFD: a descriptor that is inherited unless closed */
	int fd = fcntl(0, F_DUPFD, 40);
	autofree char *out = NULL, *open = NULL;
	const struct proc_run run = {
		.path = "cat", /* not sh: that unblocks what it inherits */
		.argv = (char *[]){ (char[]){ "cat" },
				    (char[]){ "/proc/self/status" }, NULL },
		.ret_output = &out,
	};
	sigset_t all, old;
	struct err e = { 0 };

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	(void)sigaction(SIGPIPE, &ignore, &saved);
	CHECK_INT(proc_run(&run, &e), 0);
	CHECK_INT(run_sh("ls /proc/self/fd", &open, &e), 0);
	(void)sigaction(SIGPIPE, &saved, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	CHECK_INT(mask_in(out, "SigBlk:"), 0);
	CHECK_INT(mask_in(out, "SigIgn:"), 0);
	CHECK_STR(open, "0\n1\n2\n3\n");
	(void)close(fd);
}

TEST(nothing_is_left_open)
{
	int before = open_fds();
	autofree char *out = NULL;
	struct err e;

	CHECK_INT(run_sh("echo x; echo y >&2", &out, &e), 0);
	CHECK_INT(open_fds(), before);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static const struct tap_test tests[] = {
	TAP(output_and_status_come_back),
	TAP(the_last_words_are_in_the_error),
	TAP(of_many_words_the_end_is_kept),
	TAP(a_program_that_is_not_there_is_an_error),
	TAP(a_killed_program_is_an_error),
	TAP(too_long_is_an_error_and_the_program_is_gone),
	TAP(what_it_leaves_in_the_background_does_not_hold_us),
	TAP(input_arrives_whole_and_need_not_be_read),
	TAP(without_input_there_is_dev_null),
	TAP(too_much_output_is_refused),
	TAP(output_may_go_to_a_file_of_the_callers),
	TAP(a_loud_program_is_heard),
	TAP(the_environment_is_the_one_given),
	TAP(signals_and_descriptors_are_as_a_program_expects),
	TAP(nothing_is_left_open),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "base/loop.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

/* What a callback of these tests knows. */
struct seen {
	struct loop *l;
	struct loop_source *own, *other;
	int n, wanted; /* ends the loop after so many */
	uint32_t events;
	int signo;
	pid_t pid;
	int order;
};

static int count(struct seen *s)
{
	if (++s->n == s->wanted)
		loop_quit(s->l, s->n);
	return 0;
}

static int on_fd(void *arg, int fd, uint32_t events, struct err *e)
{
	struct seen *s = arg;
	uint64_t v;

	s->events = events;
	if (read(fd, &v, sizeof(v)) != sizeof(v))
		return err_errno(e, "read");
	return count(s);
}

static int on_ready(void *arg, int fd, uint32_t events, struct err *e)
{
	struct seen *s = arg;

	s->events = events;
	return count(s);
}

static int on_timer(void *arg, struct err *e)
{
	return count(arg);
}

static int on_signal(void *arg, const struct signalfd_siginfo *si,
		     struct err *e)
{
	struct seen *s = arg;

	s->signo = (int)si->ssi_signo;
	s->pid = (pid_t)si->ssi_pid;
	return count(s);
}

static int fail(void *arg, int fd, uint32_t events, struct err *e)
{
	return err_set(e, -EDOM, "callback failed");
}

#define LOOP                                                                   \
	autoloop struct loop *l = NULL;                                        \
	struct err e = { 0 };                                                  \
	REQUIRE_OK(loop_new(&l, &e), &e);                                      \
	REQUIRE(l)

static int event(uint64_t v)
{
	return eventfd((unsigned int)v, EFD_CLOEXEC | EFD_SEMAPHORE);
}

TEST(a_ready_descriptor_is_called_until_it_is_empty)
{
	struct seen s = { .wanted = 3 };
	autoclose int fd = event(3);
	LOOP;

	s.l = l;
	CHECK_OK(loop_add_fd(l, fd, EPOLLIN, on_fd, &s, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 3);
	CHECK_INT(s.events, EPOLLIN);
}

TEST(a_failing_callback_ends_the_loop_with_its_error)
{
	autoclose int fd = event(1);
	LOOP;

	CHECK_OK(loop_add_fd(l, fd, EPOLLIN, fail, NULL, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), -EDOM);
	CHECK_STR(e.text, "callback failed");
}

TEST(a_loop_may_run_again_after_it_was_left)
{
	struct seen s = { .wanted = 1 };
	autoclose int fd = event(2);
	LOOP;

	s.l = l;
	CHECK_OK(loop_add_fd(l, fd, EPOLLIN, on_fd, &s, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 1);
	s.wanted = 2;
	CHECK_INT(loop_run(l, &e), 2);
	loop_quit(l, 7);
	CHECK_INT(loop_run(l, &e), 7);
}

TEST(leaving_the_loop_drops_what_else_is_ready)
{
	struct seen a = { .wanted = 1 }, b = { .wanted = 1 };
	autoclose int x = event(1), y = event(1);
	LOOP;

	a.l = b.l = l;
	CHECK_OK(loop_add_fd(l, x, EPOLLIN, on_fd, &a, NULL, &e), &e);
	CHECK_OK(loop_add_fd(l, y, EPOLLIN, on_fd, &b, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 1);
	CHECK_INT(a.n + b.n, 1);
}

TEST(events_may_change)
{
	struct seen s = { .wanted = 1 };
	struct loop_source *src = NULL;
	autoclose int fd = event(1);
	LOOP;

	s.l = l;
	CHECK_OK(loop_add_fd(l, fd, 0, on_ready, &s, &src, &e), &e);
	CHECK_OK(loop_set_events(l, src, EPOLLOUT, &e), &e);
	CHECK_INT(loop_run(l, &e), 1);
	CHECK_INT(s.events, EPOLLOUT);
}

/* Both are ready; the first one that is called removes both. */
static int remove_both(void *arg, int fd, uint32_t events, struct err *e)
{
	struct seen *s = arg;

	s->n++;
	loop_remove(s->l, s->own);
	loop_remove(s->l, s->own); /* once more does no harm */
	loop_remove(s->l, s->other);
	return 0;
}

static int quit(void *arg, struct err *e)
{
	loop_quit(arg, 1);
	return 0;
}

TEST(sources_may_be_removed_from_within_callbacks)
{
	struct seen s = { .n = 0 };
	autoclose int x = event(1), y = event(1);
	LOOP;

	s.l = l;
	CHECK_OK(loop_add_fd(l, x, EPOLLIN, remove_both, &s, &s.own, &e), &e);
	CHECK_OK(loop_add_fd(l, y, EPOLLIN, remove_both, &s, &s.other, &e), &e);
	CHECK_OK(loop_add_timer(l, 1, 0, quit, l, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 1);
	CHECK_INT(s.n, 1);
	loop_remove(l, NULL);
}

TEST(a_removed_descriptor_stays_the_callers_and_may_come_back)
{
	struct seen s = { .wanted = 1 };
	struct loop_source *src = NULL;
	autoclose int fd = event(1);
	LOOP;

	s.l = l;
	CHECK_OK(loop_add_fd(l, fd, EPOLLIN, fail, NULL, &src, &e), &e);
	loop_remove(l, src);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK_OK(loop_add_fd(l, fd, EPOLLIN, on_fd, &s, NULL, &e), &e);
	CHECK_INT(loop_add_fd(l, fd, EPOLLIN, on_fd, &s, NULL, &e), -EEXIST);
	CHECK_INT(loop_run(l, &e), 1);
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

TEST(a_timer_comes_once_or_again_and_again)
{
	struct seen once = { .wanted = -1 }, often = { .wanted = 3 };
	LOOP;

	often.l = once.l = l;
	CHECK_OK(loop_add_timer(l, 0, 0, on_timer, &once, NULL, &e), &e);
	CHECK_OK(loop_add_timer(l, 1, 1, on_timer, &often, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 3);
	CHECK_INT(once.n, 1);
}

static int drain_file(void *arg, int fd, uint32_t events, struct err *e)
{
	struct seen *s = arg;
	char c;

	s->events = events;
	if (read(fd, &c, 1) == 1)
		s->n++;
	else
		loop_quit(s->l, s->n);
	return 0;
}

TEST(files_and_dev_null_are_always_ready)
{
	_cleanup_(scratch_done) struct scratch dir = SCRATCH_INIT;
	struct seen s = { .n = 0 };
	autoclose int file = -1, null = -1;
	struct loop_source *src = NULL;
	LOOP;

	REQUIRE(scratch_init(&dir) && scratch_write(&dir, "f", "12345"));
	file = openat(dir.fd, "f", O_RDONLY | O_CLOEXEC);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s.l = l;
	CHECK_OK(loop_add_fd(l, file, EPOLLIN, drain_file, &s, &src, &e), &e);
	CHECK_INT(loop_run(l, &e), 5);
	CHECK_INT(s.events, EPOLLIN);
	loop_remove(l, src);
	s.n = 0;
	CHECK_OK(loop_add_fd(l, null, EPOLLIN, drain_file, &s, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 0);
}

TEST(a_file_nobody_waits_for_does_not_spin_the_others_away)
{
	_cleanup_(scratch_done) struct scratch dir = SCRATCH_INIT;
	struct seen s = { .wanted = 2 }, f = { .wanted = -1 };
	struct loop_source *src = NULL;
	autoclose int file = -1, fd = event(2);
	LOOP;

	REQUIRE(scratch_init(&dir) && scratch_write(&dir, "f", "x"));
	file = openat(dir.fd, "f", O_RDONLY | O_CLOEXEC);
	s.l = f.l = l;
	CHECK_OK(loop_add_fd(l, file, EPOLLIN, on_ready, &f, &src, &e), &e);
	CHECK_OK(loop_set_events(l, src, 0, &e), &e);
	CHECK_OK(loop_add_fd(l, fd, EPOLLIN, on_fd, &s, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 2);
	CHECK_INT(f.n, 0);
}

TEST(a_file_that_removes_itself_is_gone)
{
	struct seen s = { .n = 0 };
	autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	LOOP;

	s.l = l;
	CHECK_OK(loop_add_fd(l, null, EPOLLIN, remove_both, &s, &s.own, &e),
		 &e);
	CHECK_OK(loop_add_timer(l, 1, 0, quit, l, NULL, &e), &e);
	CHECK_INT(loop_run(l, &e), 1);
	CHECK_INT(s.n, 1);
}

TEST(signals_are_blocked_and_read_by_their_handlers)
{
	struct seen usr = { .wanted = 1 }, hup = { .wanted = -1 };
	sigset_t now;
	LOOP;

	usr.l = hup.l = l;
	CHECK_OK(loop_add_signals(l, (int[]){ SIGUSR1, SIGTERM, 0 }, on_signal,
				  &usr, &e),
		 &e);
	CHECK_OK(loop_add_signals(l, (int[]){ SIGHUP, 0 }, on_signal, &hup, &e),
		 &e);
	(void)sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGHUP));
	CHECK(!sigismember(loop_old_mask(l), SIGUSR1));
	(void)raise(SIGHUP);
	(void)raise(SIGTERM);
	CHECK_INT(loop_run(l, &e), 1);
	CHECK_INT(usr.signo, SIGTERM);
	CHECK_INT(usr.pid, getpid());
	usr.wanted = 2;
	(void)raise(SIGUSR1);
	CHECK_INT(loop_run(l, &e), 2);
	CHECK_INT(usr.signo, SIGUSR1);
	CHECK_INT(hup.n, 1);
}

TEST(the_mask_comes_back_with_the_end_of_the_loop)
{
	struct seen s = { .n = 0 };
	sigset_t before, after;
	struct err e = { 0 };
	struct loop *l = NULL;

	(void)sigprocmask(SIG_BLOCK, NULL, &before);
	REQUIRE_OK(loop_new(&l, &e), &e);
	CHECK_OK(loop_add_signals(l, (int[]){ SIGUSR2, 0 }, on_signal, &s, &e),
		 &e);
	for (int sig = 1; sig < SIGRTMAX; sig++)
		CHECK_INT(sigismember(loop_old_mask(l), sig),
			  sigismember(&before, sig));
	loop_free(l);
	(void)sigprocmask(SIG_BLOCK, NULL, &after);
	CHECK_INT(sigismember(&after, SIGUSR2), 0);
}

TEST(a_signal_there_is_not_is_refused)
{
	LOOP;

	CHECK_INT(loop_add_signals(l, (int[]){ 1000, 0 }, on_signal, NULL, &e),
		  -EINVAL);
	CHECK_INT(loop_add_fd(l, -1, EPOLLIN, on_fd, NULL, NULL, &e), -EBADF);
	CHECK_STR(e.text, "watch descriptor -1: Bad file descriptor");
}

TEST(a_loop_leaves_no_descriptor_behind)
{
	struct seen s = { .n = 0 };
	int before = open_fds();
	struct err e = { 0 };
	struct loop *l = NULL;

	REQUIRE_OK(loop_new(&l, &e), &e);
	CHECK_OK(loop_add_timer(l, 9, 9, on_timer, &s, NULL, &e), &e);
	CHECK_OK(loop_add_signals(l, (int[]){ SIGUSR1, 0 }, on_signal, &s, &e),
		 &e);
	CHECK_OK(loop_add_signals(l, (int[]){ SIGUSR2, 0 }, on_signal, &s, &e),
		 &e);
	loop_free(l);
	loop_free(NULL);
	CHECK_INT(open_fds(), before);
}

static const struct tap_test tests[] = {
	TAP(a_ready_descriptor_is_called_until_it_is_empty),
	TAP(a_failing_callback_ends_the_loop_with_its_error),
	TAP(a_loop_may_run_again_after_it_was_left),
	TAP(leaving_the_loop_drops_what_else_is_ready),
	TAP(events_may_change),
	TAP(sources_may_be_removed_from_within_callbacks),
	TAP(a_removed_descriptor_stays_the_callers_and_may_come_back),
	TAP(a_timer_comes_once_or_again_and_again),
	TAP(files_and_dev_null_are_always_ready),
	TAP(a_file_nobody_waits_for_does_not_spin_the_others_away),
	TAP(a_file_that_removes_itself_is_gone),
	TAP(signals_are_blocked_and_read_by_their_handlers),
	TAP(the_mask_comes_back_with_the_end_of_the_loop),
	TAP(a_signal_there_is_not_is_refused),
	TAP(a_loop_leaves_no_descriptor_behind),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

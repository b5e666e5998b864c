/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

TEST(a_file_is_read_whole_and_ends_with_a_nul)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autofree char *text = NULL;
	struct err e = { 0 };
	size_t len = 0;

	REQUIRE(scratch_init(&s));
	REQUIRE(scratch_write(&s, "f", "some text\n"));
	REQUIRE_OK(fd_read_file_at(s.fd, "f", 10, &text, &len, &e), &e);
	CHECK_STR(text, "some text\n");
	CHECK_INT(len, 10);
}

TEST(an_empty_file_is_an_empty_text)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autofree char *text = NULL;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", ""));
	REQUIRE_OK(fd_read_file_at(s.fd, "f", 0, &text, NULL, &e), &e);
	CHECK_STR(text, "");
}

TEST(a_file_over_the_limit_is_refused)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };
	char *text = NULL;

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", "12345"));
	CHECK_INT(fd_read_file_at(s.fd, "f", 4, &text, NULL, &e), -EFBIG);
	CHECK_STR(e.text, "'f' has more than 4 bytes");
	CHECK_INT(fd_read_file_at(s.fd, "none", 4, &text, NULL, &e), -ENOENT);
	CHECK_STR(e.text, "open 'none': No such file or directory");
	CHECK(!text);
}

/* None of them may keep the reader waiting, and /dev/zero has no end. */
TEST(what_is_no_regular_file_is_refused_by_name)
{
	static const char *const names[] = { "fifo", "folder", "socket",
					     "/dev/zero", "/dev/tty" };
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };
	char *text = NULL;

	REQUIRE(scratch_init(&s));
	REQUIRE(mkfifoat(s.fd, "fifo", 0600) == 0);
	REQUIRE(mkdirat(s.fd, "folder", 0700) == 0);
	REQUIRE(mknodat(s.fd, "socket", S_IFSOCK | 0600, 0) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_INT(fd_read_file_at(s.fd, names[i], 99, &text, NULL, &e),
			  -EINVAL);
		CHECK_HAS(e.text, names[i]);
		CHECK_HAS(e.text, "' is not a regular file");
	}
	CHECK(!text);
}

TEST(a_pipe_that_was_given_is_read_to_its_end)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	autofree char *text = NULL, *none = NULL;
	autoclose int reader = -1, writer = -1;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && mkfifoat(s.fd, "fifo", 0600) == 0);
	CHECK_INT(fd_read_given_at(s.fd, "fifo", 99, &none, NULL, &e), -EINVAL);
	CHECK_STR(e.text, "nobody writes to the pipe 'fifo'");

	reader = openat(s.fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = openat(s.fd, "fifo", O_WRONLY | O_CLOEXEC);
	REQUIRE(reader >= 0 && writer >= 0);
	REQUIRE(fd_write_all(writer, "{}", 2) == 0);
	(void)close(steal_fd(&writer));
	CHECK_INT(fd_read_given_at(s.fd, "fifo", 99, &text, NULL, &e), 0);
	CHECK_STR(text, "{}");

	CHECK_INT(fd_read_given_at(AT_FDCWD, "/dev/zero", 99, &text, NULL, &e),
		  -EINVAL);
	CHECK_INT(fd_read_given_at(s.fd, ".", 99, &text, NULL, &e), -EINVAL);
}

TEST(kernel_files_that_say_size_0_are_read_to_their_end)
{
	autofree char *text = NULL;
	struct err e = { 0 };
	size_t len = 0;

	REQUIRE_OK(fd_read_file_at(AT_FDCWD, "/proc/self/status", 1 << 20,
				   &text, &len, &e),
		   &e);
	CHECK(len > 500);
	CHECK_HAS(text, "Name:\tbase-fd\n");
	CHECK_HAS(text, "nonvoluntary_ctxt_switches:");
}

struct feed {
	int fd;
	const char *text;
	size_t len;
};

static void *write_slowly(void *arg)
{
	struct feed *f = arg;

	/* Byte by byte: each read(2) on the other side is a short one. */
	for (size_t i = 0; i < f->len; i++)
		if (write(f->fd, f->text + i, 1) != 1)
			break;
	(void)close(f->fd);
	return NULL;
}

static bool start_feed(struct feed *f, pthread_t *thread, int *ret_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	*ret_fd = ends[0];
	f->fd = ends[1];
	return pthread_create(thread, NULL, write_slowly, f) == 0;
}

TEST(a_pipe_is_read_until_it_is_closed)
{
	struct feed f = { .len = 10000 };
	autofree char *sent = calloc(1, f.len + 1), *text = NULL;
	struct err e = { 0 };
	autoclose int fd = -1;
	pthread_t thread;
	size_t len = 0;

	REQUIRE(sent);
	(void)memset(sent, 'x', f.len);
	f.text = sent;
	REQUIRE(start_feed(&f, &thread, &fd));
	CHECK_OK(fd_read_all(fd, f.len, &text, &len, &e), &e);
	(void)pthread_join(thread, NULL);
	CHECK_INT(len, f.len);
	CHECK_STR(text, sent);
}

TEST(an_exact_read_notices_an_early_end)
{
	struct feed f = { .text = "12345", .len = 5 };
	autoclose int fd = -1;
	pthread_t thread;
	char buf[4] = "";

	REQUIRE(start_feed(&f, &thread, &fd));
	CHECK_INT(fd_read_exact(fd, buf, 4), 0);
	CHECK_INT(memcmp(buf, "1234", 4), 0);
	CHECK_INT(fd_read_exact(fd, buf, 4), -ENODATA);
	(void)pthread_join(thread, NULL);
	CHECK_INT(fd_read_exact(-1, buf, 1), -EBADF);
}

struct sink {
	int fd;
	size_t got;
};

static void *read_slowly(void *arg)
{
	struct sink *s = arg;
	char buf[1000];
	ssize_t n;

	while ((n = read(s->fd, buf, sizeof(buf))) > 0)
		s->got += (size_t)n;
	return NULL;
}

TEST(a_write_goes_on_until_all_is_written)
{
	const size_t len = 1 << 20; /* more than a pipe takes at once */
	autofree char *data = calloc(1, len);
	struct sink s = { .got = 0 };
	pthread_t thread;
	int ends[2];

	REQUIRE(data && pipe2(ends, O_CLOEXEC) == 0);
	s.fd = ends[0];
	REQUIRE(pthread_create(&thread, NULL, read_slowly, &s) == 0);
	CHECK_INT(fd_write_all(ends[1], data, len), 0);
	(void)close(ends[1]);
	(void)pthread_join(thread, NULL);
	(void)close(ends[0]);
	CHECK_INT(s.got, len);
	CHECK_INT(fd_write_all(-1, "x", 1), -EBADF);
}

TEST(a_small_file_loses_one_trailing_newline)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	char buf[8];

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", "abc\n\n"));
	CHECK_INT(fd_read_small_at(s.fd, "f", buf, sizeof(buf)), 4);
	CHECK_STR(buf, "abc\n");
	REQUIRE(scratch_write(&s, "f", ""));
	CHECK_INT(fd_read_small_at(s.fd, "f", buf, sizeof(buf)), 0);
	CHECK_STR(buf, "");
	CHECK_INT(fd_read_small_at(s.fd, "none", buf, sizeof(buf)), -ENOENT);
}

TEST(a_small_file_that_does_not_fit_is_never_cut)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	char buf[8];

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", "1234567"));
	CHECK_INT(fd_read_small_at(s.fd, "f", buf, 8), 7);
	CHECK_STR(buf, "1234567");
	CHECK_INT(fd_read_small_at(s.fd, "f", buf, 7), -EFBIG);
	CHECK_INT(fd_read_small_at(AT_FDCWD, "/dev/zero", buf, 8), -EFBIG);
}

TEST(a_small_write_needs_the_file_and_names_what_it_wrote)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", "old text"));
	CHECK_OK(fd_write_small_at(s.fd, "f", "new", &e), &e);
	CHECK(scratch_holds(&s, "f", "new text")); /* not truncated */
	CHECK_INT(fd_write_small_at(s.fd, "none", "x", &e), -ENOENT);
	CHECK(!scratch_has(&s, "none"));
	CHECK_INT(fd_write_small_at(AT_FDCWD, "/dev/full", "100\nrest", &e),
		  -ENOSPC);
	CHECK_STR(e.text,
		  "write '100' to '/dev/full': No space left on device");
}

static size_t count_entries(const struct scratch *s)
{
	autoclosedir DIR *dir = opendir(s->path);
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	return n - 2;
}

TEST(a_replaced_file_is_the_new_one_with_its_mode)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };
	struct stat st;

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", "a longer old one"));
	CHECK_OK(fd_replace_at(s.fd, "f", "new", 3, 0600, true, &e), &e);
	CHECK(scratch_holds(&s, "f", "new"));
	CHECK(fstatat(s.fd, "f", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
	CHECK_INT(count_entries(&s), 1);
}

TEST(replacing_works_in_folders_and_through_no_link)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && mkdirat(s.fd, "d", 0755) == 0);
	CHECK_OK(fd_replace_at(s.fd, "d/f", "x", 1, 0644, true, &e), &e);
	CHECK(scratch_holds(&s, "d/f", "x"));

	/* The link goes, what it named stays. */
	REQUIRE(symlinkat("d/f", s.fd, "link") == 0);
	CHECK_OK(fd_replace_at(s.fd, "link", "y", 1, 0644, false, &e), &e);
	CHECK(scratch_holds(&s, "link", "y") && scratch_holds(&s, "d/f", "x"));
}

TEST(a_failed_replacement_leaves_nothing_behind)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && mkdirat(s.fd, "f", 0755) == 0);
	CHECK_INT(fd_replace_at(s.fd, "f", "x", 1, 0644, false, &e), -EISDIR);
	CHECK_INT(count_entries(&s), 1);
	CHECK_INT(fd_replace_at(s.fd, "no/f", "x", 1, 0644, false, &e),
		  -ENOENT);
	CHECK_HAS(e.text, "'no/f'");
}

TEST(a_full_disk_leaves_the_old_file)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct sigaction ignore = { .sa_handler = SIG_IGN }, saved;
	struct rlimit old, small = { 4, 4 };
	struct err e = { 0 };

	REQUIRE(scratch_init(&s) && scratch_write(&s, "f", "old"));
	REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small.rlim_max = old.rlim_max;
	(void)sigaction(SIGXFSZ, &ignore, &saved);
	REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
	CHECK_INT(fd_replace_at(s.fd, "f", "12345", 5, 0644, true, &e), -EFBIG);
	(void)setrlimit(RLIMIT_FSIZE, &old);
	(void)sigaction(SIGXFSZ, &saved, NULL);
	CHECK_STR(e.text, "write 'f': File too large");
	CHECK(scratch_holds(&s, "f", "old"));
	CHECK_INT(count_entries(&s), 1);
}

TEST(names_left_by_a_crash_are_stepped_over)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	struct err e = { 0 };
	char stale[64];

	REQUIRE(scratch_init(&s));
	(void)snprintf(stale, sizeof(stale), ".f.%d.0", getpid());
	REQUIRE(symlinkat("/dev/null", s.fd, stale) == 0);
	CHECK_OK(fd_replace_at(s.fd, "f", "x", 1, 0644, false, &e), &e);
	CHECK(scratch_holds(&s, "f", "x") && scratch_has(&s, stale));
}

TEST(a_pipe_that_gives_too_much_is_refused)
{
	struct feed f = { .text = "12345", .len = 5 };
	struct err e = { 0 };
	autoclose int fd = -1;
	char *text = NULL;
	pthread_t thread;

	REQUIRE(start_feed(&f, &thread, &fd));
	(void)pthread_join(thread, NULL);
	CHECK_INT(fd_read_all(fd, 4, &text, NULL, &e), -EFBIG);
	CHECK_STR(e.text, "read: more than 4 bytes");
	CHECK_INT(fd_read_all(-1, 4, &text, NULL, &e), -EBADF);
	CHECK(!text);
}

static const struct tap_test tests[] = {
	TAP(a_file_is_read_whole_and_ends_with_a_nul),
	TAP(an_empty_file_is_an_empty_text),
	TAP(a_file_over_the_limit_is_refused),
	TAP(what_is_no_regular_file_is_refused_by_name),
	TAP(a_pipe_that_was_given_is_read_to_its_end),
	TAP(kernel_files_that_say_size_0_are_read_to_their_end),
	TAP(a_pipe_is_read_until_it_is_closed),
	TAP(an_exact_read_notices_an_early_end),
	TAP(a_write_goes_on_until_all_is_written),
	TAP(a_small_file_loses_one_trailing_newline),
	TAP(a_small_file_that_does_not_fit_is_never_cut),
	TAP(a_small_write_needs_the_file_and_names_what_it_wrote),
	TAP(a_replaced_file_is_the_new_one_with_its_mode),
	TAP(replacing_works_in_folders_and_through_no_link),
	TAP(a_failed_replacement_leaves_nothing_behind),
	TAP(a_full_disk_leaves_the_old_file),
	TAP(names_left_by_a_crash_are_stepped_over),
	TAP(a_pipe_that_gives_too_much_is_refused),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

/* What body says on stderr, to a pipe; in a child, for log is global. */
static void said_by(void (*body)(void), char buf[8192])
{
	int ends[2], status = -1;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	buf[0] = '\0';
	(void)fflush(stdout);
	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		(void)dup3(ends[1], 2, 0); /* inherited by nobody: no exec */
		body();
		_exit(tap_child_status());
	}
	(void)close(ends[1]);
	while ((got = read(ends[0], buf + n, 8191 - n)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
	(void)close(ends[0]);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
}

static void say_all(void)
{
	log_error("one %d", 1);
	log_warning("two");
	log_info("three");
	log_debug("four");
}

TEST(without_a_call_warnings_go_to_stderr_as_text)
{
	char said[8192];

	said_by(say_all, said);
	CHECK_STR(said, "moat: one 1\nmoat: warning: two\n");
	CHECK_INT(log_fd(), -1);
}

static void say_debug(void)
{
	const struct log_config c = { .program = "moat-oci",
				      .level = LOG_LEVEL_DEBUG };

	CHECK_OK(log_open(&c, NULL), NULL);
	say_all();
}

TEST(the_level_opens_the_rest_and_the_program_has_its_name)
{
	char said[8192];

	said_by(say_debug, said);
	CHECK_STR(said, "moat-oci: one 1\nmoat-oci: warning: two\n"
			"moat-oci: info: three\nmoat-oci: debug: four\n");
}

static int touched;

static const char *touch(void)
{
	touched++;
	return "x";
}

TEST(debug_arguments_are_not_even_looked_at)
{
	log_debug("%s", touch());
	CHECK_INT(touched, 0);
	CHECK(log_wants(LOG_LEVEL_WARNING) && !log_wants(LOG_LEVEL_INFO));
}

static void say_hostile(void)
{
	char text[9000];

	log_warning("a\nmoat: error: forged\x1b[31m\t\x7f");
	log_warning("title \xc2\x9d"
		    "0;forged\xc2\x9c raw \x9b"
		    "31m \xc3\xa4");
	(void)memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_warning("%s", text);
}

TEST(a_record_is_one_line_whatever_is_in_it)
{
	char said[8192], *second, *third;

	said_by(say_hostile, said);
	second = strchr(said, '\n');
	REQUIRE(second);
	*second++ = '\0';
	CHECK_STR(said, "moat: warning: a?moat: error: forged?[31m\t?");
	third = strchr(second, '\n');
	REQUIRE(third);
	*third++ = '\0';
	CHECK_STR(second,
		  "moat: warning: title ??0;forged?? raw ?31m \xc3\xa4");
	second = third;
	CHECK_INT(strlen(second), strlen("moat: warning: ") + 4095 + 1);
	CHECK(strchr(second, '\n') == second + strlen(second) - 1);
}

static void keep_errno(void)
{
	errno = EXDEV;
	log_error("x");
	CHECK_INT(errno, EXDEV);
	(void)close(2);
	errno = EXDEV;
	log_error("to nobody");
	CHECK_INT(errno, EXDEV);
}

TEST(logging_leaves_errno_alone)
{
	char said[8192];

	said_by(keep_errno, said);
	CHECK_STR(said, "moat: x\n");
}

/* The file a child has logged to, by these settings. */
static void logged(struct log_config c, const struct scratch *s,
		   char text[8192])
{
	autofree char *path = str_printf("%s/log", s->path);
	int status = -1;
	pid_t pid;

	c.path = path;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct err e = { 0 };

		CHECK_OK(log_open(&c, &e), &e);
		CHECK(log_fd() >= 0);
		CHECK_INT(fcntl(log_fd(), F_GETFD), FD_CLOEXEC);
		log_error("veth '%s'", "a\"b\\\n\xff");
		_exit(tap_child_status());
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	CHECK_OK(fd_read_small_at(s->fd, "log", text, 8192), NULL);
}

/* Replaces "2026-11-21T10:00:00Z", after a look at its form, by "T". */
static void cut_time(char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	char *z = strchr(text, 'Z'), *t = z ? z + 1 - 20 : NULL;

	REQUIRE(t && t >= text);
	for (int i = 0; i < 20; i++)
		CHECK(form[i] == 'd' ? t[i] >= '0' && t[i] <= '9'
				     : t[i] == form[i]);
	t[0] = 'T';
	(void)memmove(t + 1, t + 20, strlen(t + 20) + 1);
}

TEST(a_file_gets_text_with_the_time_appended)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	char text[8192];

	REQUIRE(scratch_init(&s) && scratch_write(&s, "log", "before\n"));
	logged((struct log_config){ .program = "p" }, &s, text);
	CHECK(str_starts(text, "before\n"));
	cut_time(text);
	CHECK_STR(text, "before\nT p: veth 'a\"b\\?\?'");
}

TEST(json_records_are_what_podman_reads)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	char text[8192];

	REQUIRE(scratch_init(&s));
	logged((struct log_config){ .format = LOG_FORMAT_JSON }, &s, text);
	cut_time(text);
	CHECK_STR(text, "{\"level\":\"error\",\"msg\":\"veth "
			"'a\\\"b\\\\\\n\xef\xbf\xbd'\",\"time\":\"T\"}");
}

TEST(the_time_is_the_right_one)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
	char text[8192], want[32];
	time_t now, then;
	struct tm tm;

	REQUIRE(scratch_init(&s));
	now = time(NULL);
	logged((struct log_config){ .format = LOG_FORMAT_TEXT }, &s, text);
	(void)memset(&tm, 0, sizeof(tm));
	REQUIRE(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm));
	then = timegm(&tm);
	CHECK(then >= now && then <= time(NULL));
	(void)strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	CHECK(str_starts(text, want));
}

TEST(a_log_that_cannot_be_opened_is_an_error)
{
	const struct log_config c = { .path = "/no/such/log" };
	struct err e = { 0 };

	CHECK_INT(log_open(&c, &e), -ENOENT);
	CHECK_STR(e.text, "open log '/no/such/log': No such file or directory");
	CHECK_INT(log_fd(), -1);
}

TEST(levels_have_names)
{
	enum log_level l = LOG_LEVEL_N_;

	CHECK(log_level_parse("error", &l) == 0 && l == LOG_LEVEL_ERROR);
	CHECK(log_level_parse("warning", &l) == 0 && l == LOG_LEVEL_WARNING);
	CHECK(log_level_parse("info", &l) == 0 && l == LOG_LEVEL_INFO);
	CHECK(log_level_parse("warn", &l) == 0 && l == LOG_LEVEL_WARNING);
	CHECK(log_level_parse("debug", &l) == 0 && l == LOG_LEVEL_DEBUG);
	CHECK_INT(log_level_parse("Debug", &l), -EINVAL);
	CHECK_INT(log_level_parse("", &l), -EINVAL);
}

static const struct tap_test tests[] = {
	TAP(without_a_call_warnings_go_to_stderr_as_text),
	TAP(the_level_opens_the_rest_and_the_program_has_its_name),
	TAP(debug_arguments_are_not_even_looked_at),
	TAP(a_record_is_one_line_whatever_is_in_it),
	TAP(logging_leaves_errno_alone),
	TAP(a_file_gets_text_with_the_time_appended),
	TAP(json_records_are_what_podman_reads),
	TAP(the_time_is_the_right_one),
	TAP(a_log_that_cannot_be_opened_is_an_error),
	TAP(levels_have_names),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

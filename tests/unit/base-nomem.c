/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "base/proc.h"
#include "base/str.h"
#include "tests/unit/json_all.h"
#include "tests/unit/nomem.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static int read_struct(struct err *e)
{
	struct all a = { 0 };
	int r = read_all(everything, &a, e);

	all_done(&a);
	return r;
}

static int read_escapes(struct err *e)
{
	static char text[3 * 6000 + 64];
	struct all a = { 0 };
	size_t n;
	int r;

	/* A string and keys that yajl has to keep in buffers of its own. */
	n = (size_t)snprintf(text, sizeof(text), "{\"\\u0061\":1,\"str\":\"");
	for (int i = 0; i < 3000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\\u0061");
	(void)snprintf(text + n, sizeof(text) - n, "\"}");
	r = read_all(text, &a, e);
	all_done(&a);
	return r;
}

static int reformat(struct err *e)
{
	autofree char *text = NULL;

	return json_reformat(everything, strlen(everything), true, &text, e);
}

TEST(reading_json_survives)
{
	CHECK(until_it_works(read_struct) > 20);
	CHECK(until_it_works(read_escapes) > 3);
	CHECK(until_it_works(reformat) > 1);
}

static struct all written;

static int write_struct(struct err *e)
{
	autofree char *text = NULL;

	return json_write(&all_table, &written, true, &text, NULL, e);
}

TEST(writing_json_survives)
{
	struct err e = { 0 };

	REQUIRE_OK(read_all(everything, &written, &e), &e);
	CHECK(until_it_works(write_struct) > 2);
	all_done(&written);
}

static int make_lists(struct err *e)
{
	autostrv char **v = NULL, **copy = NULL, **parts = NULL;
	int r = strv_add(&v, "a=b");

	if (r == 0)
		r = strv_add(&v, "c");
	if (r == 0)
		r = strv_split("a:b::c", ':', &parts);
	if (r == 0)
		copy = strv_copy(parts);
	return r == 0 && !copy ? -ENOMEM : r;
}

static int code_bytes(struct err *e)
{
	autofree char *text = str_base64("hello", 5);
	autofree void *back = NULL;
	size_t len;

	return text ? str_from_base64(text, &back, &len) : -ENOMEM;
}

static int clean_path(struct err *e)
{
	autofree char *clean = path_clean("/a/../b");
	autofree char *joined = clean ? path_join("/x", clean) : NULL;

	return joined ? 0 : -ENOMEM;
}

TEST(lists_and_texts_survive)
{
	CHECK(until_it_works(make_lists) > 7);
	CHECK_INT(until_it_works(code_bytes), 2);
	CHECK_INT(until_it_works(clean_path), 2);
}

static struct scratch dir = SCRATCH_INIT;

static int read_file(struct err *e)
{
	autofree char *text = NULL;

	return fd_read_file_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &text,
			       NULL, e);
}

static int make_place(struct err *e)
{
	autoclose int fd =
		path_make_in_root(dir.fd, "a/link/b/file", PATH_FILE, e);

	return fd < 0 ? fd : 0;
}

static int remove_place(struct err *e)
{
	return path_remove_tree(dir.fd, "a", e);
}

TEST(files_and_folders_survive)
{
	REQUIRE(scratch_init(&dir));
	CHECK(until_it_works(read_file) > 0);
	REQUIRE(mkdirat(dir.fd, "a", 0755) == 0 &&
		symlinkat("to/here", dir.fd, "a/link") == 0);
	CHECK(until_it_works(make_place) > 4);
	CHECK(scratch_has(&dir, "a/to/here/b/file"));
	CHECK(until_it_works(remove_place) > 2);
	scratch_done(&dir);
}

static int on_timer(void *arg, struct err *e)
{
	loop_quit(arg, 0);
	return 0;
}

static int on_fd(void *arg, int fd, uint32_t events, struct err *e)
{
	return 0;
}

static int on_signal(void *arg, const struct signalfd_siginfo *si,
		     struct err *e)
{
	return 0;
}

static int run_loop(struct err *e)
{
	autoloop struct loop *l = NULL;
	autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r = loop_new(&l, e);

	if (r == 0)
		r = loop_add_timer(l, 0, 0, on_timer, l, NULL, e);
	if (r == 0)
		r = loop_add_fd(l, fd, EPOLLIN, on_fd, l, NULL, e);
	if (r == 0)
		r = loop_add_signals(l, (int[]){ SIGUSR1, 0 }, on_signal, l, e);
	return r == 0 ? loop_run(l, e) : r;
}

static int run_program(struct err *e)
{
	autofree char *out = NULL;
	const struct proc_run run = {
		.path = "echo",
		.argv = (char *[]){ (char[]){ "echo" }, (char[]){ "x" }, NULL },
		.ret_output = &out,
	};

	return proc_run(&run, e);
}

TEST(loops_and_helper_programs_survive)
{
	CHECK_INT(until_it_works(run_loop), 4);
	CHECK(until_it_works(run_program) > 0);
}

static const struct tap_test tests[] = {
	TAP(reading_json_survives),
	TAP(writing_json_survives),
	TAP(lists_and_texts_survive),
	TAP(files_and_folders_survive),
	TAP(loops_and_helper_programs_survive),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}

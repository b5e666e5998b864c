/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/console.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "namespaces/tty.h"

#define END_OF_FILE 0x04 /* VEOF of a new terminal: control-D */

/* Watched until there is something: a pipe whose writer has gone is reported
 * again and again otherwise, while the terminal has not yet taken its last
 * words. */
#define ONE_INPUT (EPOLLIN | EPOLLONESHOT)

struct console {
	struct loop *loop;
	int master;
	struct loop_source *from_master, *from_stdin;
	bool raw;
	struct termios old;
	char in[4096]; /* read from stdin, not yet taken by the terminal */
	size_t in_len;
	bool in_ended;
	bool in_line; /* what came last does not end a line */
	bool polled;  /* stdin is something epoll can watch */
};

static int watch(struct console *c, struct err *e)
{
	uint32_t master = EPOLLIN;

	if (c->in_len > 0 || (!c->polled && !c->in_ended))
		master |= EPOLLOUT;
	return loop_set_events(c->loop, c->from_master, master, e);
}

/* Once more when the terminal has room; 0 bytes mean the end. */
static int fill(struct console *c, struct err *e)
{
	ssize_t n;

	n = TEMP_FAILURE_RETRY(read(STDIN_FILENO, c->in, sizeof(c->in)));
	if (n < 0 && errno == EAGAIN)
		return c->from_stdin ? loop_set_events(c->loop, c->from_stdin,
						       ONE_INPUT, e)
				     : 0;
	if (n <= 0) {
		/* Hung up or closed: the program sees the end of its input. In
		 * the middle of a line, the first one ends the line only. */
		c->in_ended = true;
		c->in[0] = c->in[1] = END_OF_FILE;
		n = c->in_line ? 2 : 1;
		loop_remove(c->loop, c->from_stdin);
		c->from_stdin = NULL;
	}
	c->in_len = (size_t)n;
	c->in_line = c->in[n - 1] != '\n';
	return 0;
}

static int drain_input(struct console *c, struct err *e)
{
	ssize_t n;

	if (c->in_len == 0 && !c->polled && !c->in_ended) {
		int r = fill(c, e);

		if (r < 0)
			return r;
	}
	n = TEMP_FAILURE_RETRY(write(c->master, c->in, c->in_len));
	if (n < 0)
		return errno == EAGAIN || errno == EIO
			       ? 0
			       : err_errno(e, "write to the terminal");
	memmove(c->in, c->in + n, c->in_len - (size_t)n);
	c->in_len -= (size_t)n;
	if (c->in_len == 0 && c->from_stdin)
		return loop_set_events(c->loop, c->from_stdin, ONE_INPUT, e);
	return 0;
}

/* 1: there may be more; 0: not now, or never again. */
static int copy_output(struct console *c)
{
	char buf[8192];
	ssize_t n;

	n = TEMP_FAILURE_RETRY(read(c->master, buf, sizeof(buf)));
	if (n <= 0)
		return 0;
	/* A caller that went away is told by SIGPIPE, or not at all. */
	return fd_write_all(STDOUT_FILENO, buf, (size_t)n) == 0;
}

static int on_master(void *arg, int fd, uint32_t events, struct err *e)
{
	struct console *c = arg;
	int r = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		if (!copy_output(c) && (events & (EPOLLHUP | EPOLLERR))) {
			/* No slave is open: the program has closed it, or
			 * ended, which SIGCHLD will tell. */
			loop_remove(c->loop, c->from_master);
			c->from_master = NULL;
			return 0;
		}
	}
	if (events & EPOLLOUT)
		r = drain_input(c, e);
	return r < 0 ? r : watch(c, e);
}

static int on_stdin(void *arg, int fd, uint32_t events, struct err *e)
{
	struct console *c = arg;
	int r;

	if (c->in_len > 0) /* a file is always ready */
		return 0;
	r = fill(c, e);
	if (r < 0 || !c->from_master)
		return r;
	return watch(c, e);
}

static int add_stdin(struct console *c, struct err *e)
{
	struct err why = { 0 };
	int r;

	r = loop_add_fd(c->loop, STDIN_FILENO, ONE_INPUT, on_stdin, c,
			&c->from_stdin, &why);
	c->polled = r >= 0;
	/* Files and /dev/null cannot be watched; they never block either. */
	if (r < 0 && r != -EPERM)
		return err_wrap(e, r, "watch stdin: %s", err_text(&why));
	return 0;
}

int console_new(struct loop *l, int master, struct console **ret, struct err *e)
{
	struct console *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_nomem(e);
	c->loop = l;
	c->master = master;
	console_resize(c);
	r = fd_set_nonblock(master, true);
	if (r < 0)
		r = err_set(e, r, "terminal: %s", strerrordesc_np(-r));
	if (r >= 0)
		r = loop_add_fd(l, master, EPOLLIN, on_master, c,
				&c->from_master, e);
	if (r >= 0)
		r = add_stdin(c, e);
	if (r >= 0)
		r = watch(c, e);
	if (r >= 0 && isatty(STDIN_FILENO)) {
		r = ns_tty_raw(STDIN_FILENO, &c->old, e);
		c->raw = r >= 0;
	}
	if (r < 0) {
		console_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void console_resize(struct console *c)
{
	struct winsize size;

	if (ns_tty_size(STDIN_FILENO, &size) == 0 ||
	    ns_tty_size(STDOUT_FILENO, &size) == 0)
		(void)!ns_tty_resize(c->master, &size);
}

void console_free(struct console *c)
{
	while (copy_output(c))
		;
	if (c->from_master)
		loop_remove(c->loop, c->from_master);
	if (c->from_stdin)
		loop_remove(c->loop, c->from_stdin);
	if (c->raw)
		ns_tty_restore(STDIN_FILENO, &c->old);
	free(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "src/oci/wire_body.h"
#include "src/runtime/vm_host.h"
#include "tests/unit/tap.h"

/*
 * The host's side of a micro-VM against guests of all kinds. Each is a script
 * that a child of ours plays instead of a machine.
 */
struct line {
	enum {
		STOP, /* and stay */
		SAY,
		AWAIT, /* frames until one of this type has come */
		DIE,   /* with status session */
	} what;
	enum wire_type type;
	uint16_t session;
	enum wire_stream_id stream;
	const char *body;
	size_t repeat;
};

#define SAYS(t, s, ...)                                                        \
	{                                                                      \
		.what = SAY, .type = WIRE_##t, .session = (s), __VA_ARGS__     \
	}
#define AWAITS(t)                                                              \
	{                                                                      \
		.what = AWAIT, .type = WIRE_##t                                \
	}
#define DIES(s)                                                                \
	{                                                                      \
		.what = DIE, .session = (s)                                    \
	}
#define HELLO	    SAYS(HELLO, 0, .body = "{\"version\":1}")
#define CREATED	    HELLO, AWAITS(CREATE), SAYS(DONE, 1)
#define STARTED	    CREATED, AWAITS(START), SAYS(DONE, 1)
#define EXITS(s, n) SAYS(EXITED, s, .body = "{\"status\":" #n "}")

static const struct line *script;
/* Where clients are, or -1; how long they wait, or 0. */
static int listener = -1;
static uint64_t patience_of_clients;

static void await(struct wire *w, int fd, enum wire_type type)
{
	struct wire_frame f;
	int r;

	for (;;) {
		while ((r = wire_next(w, &f, NULL)) > 0)
			if (f.type == type)
				return;
		r = fd_set_nonblock(fd, false);
		if (r < 0 || wire_read(w, NULL) < 0)
			_exit(1);
	}
}

NORETURN static void play(int fd)
{
	struct wire *w = NULL;

	/* An actor without a stage would hold the driver's pipe for ever. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (wire_new(fd, WIRE_GUEST, &w, NULL) < 0)
		_exit(1);
	for (const struct line *l = script; l->what != STOP; l++) {
		const char *body = l->body ? l->body : "";

		if (l->what == DIE)
			_exit(l->session);
		if (l->what == AWAIT)
			await(w, fd, l->type);
		for (size_t i = 0; l->what == SAY && i <= l->repeat; i++)
			if (wire_send_stream(w, l->type, l->session, l->stream,
					     body, strlen(body), NULL) < 0)
				_exit(1);
		if (fd_set_nonblock(fd, false) < 0 || wire_flush(w, NULL) < 0)
			_exit(1);
	}
	for (;;)
		(void)pause();
}

static int usable(struct err *e)
{
	return 0;
}

static int start(const struct vm_config *c, unsigned int needs,
		 struct vm_monitor *ret, struct err *e)
{
	static const char text[] = "boots\nKernel panic: no\n\33[2Jregisters\n";
	pid_t pid;

	if (write(c->serial_fd, text, sizeof(text) - 1) < 0)
		return err_errno(e, "write");
	pid = fork();
	if (pid == 0)
		play(c->ports.v[0].fd);
	*ret = (struct vm_monitor)VM_MONITOR_INIT;
	ret->child[0] = (struct vm_child){ pid, "actor" };
	ret->n_children = 1;
	return pid < 0 ? err_errno(e, "fork") : 0;
}

static const struct vm_backend stage = {
	.name = "stage",
	.agent = VM_NEED_CONSOLE,
	.usable = usable,
	.start = start,
};

/* What rt_step_machine() and rt_vm_serve() do, without a child of their own. */
static int attend(struct rt_host *h, int out, struct err *e)
{
	/* An input that never ends: what a guest may still say about it must
	 * not depend on who was faster. */
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	autoclose int writer = -1;
	int fds[] = { -1, out, fcntl(null, F_DUPFD_CLOEXEC, 3) };
	struct rt_host_session *s;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	fds[0] = ends[0];
	writer = ends[1];

	r = rt_host_session_new(h, RT_HOST_INIT, fds, &s, e);
	if (r == 0)
		r = rt_host_ask(h, WIRE_CREATE, RT_HOST_INIT, "{}", 2, e);
	if (r == 0)
		r = rt_host_session_start(s, e);
	if (r == 0)
		r = rt_host_ask(h, WIRE_START, RT_HOST_INIT, NULL, 0, e);
	if (r == 0)
		r = rt_host_session_run(s, e);
	if (r == 0 && listener >= 0)
		r = rt_host_listen(h, listener, e);
	while (r >= 0 && !h->over)
		r = loop_run(h->loop, e);
	return r < 0 ? r : h->status;
}

/* The program's status, or the error. */
static int run(const struct line *lines, int out, struct err *e)
{
	/* Only who says nothing is waited for in vain. */
	const unsigned int patience = lines->what == STOP ? 200 : 30000;
	struct rt_vm vm = {
		.backend = &stage,
		.host.vm = { .vcpus = 1,
			     .memory = 128 << 20,
			     .timeout_ms = patience },
		.kernel = -1,
		.initramfs = -1,
		.has_modules = true,
	};
	struct rt_host *h = NULL;
	int r;

	script = lines;
	r = rt_host_new(&vm, 0, &h, e);
	if (r < 0) {
		(void)close(out);
		return r;
	}
	if (patience_of_clients)
		h->patience_ms = patience_of_clients;
	r = attend(h, out, e);
	rt_host_free(h);
	return r;
}

static int nowhere(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

TEST(an_honest_guest_runs_a_program)
{
	static const struct line lines[] = {
		STARTED,
		SAYS(DATA, 1, .stream = WIRE_STDOUT, .body = "hi"),
		EXITS(1, 9472),
		SAYS(DATA, 1, .stream = WIRE_STDOUT, .body = " there"),
		SAYS(END, 1, .stream = WIRE_STDOUT),
		SAYS(END, 1, .stream = WIRE_STDERR),
		{ STOP },
	};
	struct err e = { 0 };
	char text[32] = "";
	int ends[2], r;

	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	r = run(lines, ends[1], &e);
	(void)CHECK_OK(r, &e);
	(void)CHECK_INT(r, 37 << 8);
	(void)CHECK_INT(read(ends[0], text, sizeof(text)), 8);
	(void)CHECK_STR(text, "hi there");
	(void)close(ends[0]);
}

/* clang-format off */
static const struct {
	const char *name;
	struct line lines[12];
	int code;
	const char *want;
} bad[] = {
	{ "says nothing", { { STOP } }, -ETIMEDOUT, "does not report" },
	{ "ends at once", { DIES(3) }, -EIO, "actor ended with status 3" },
	{ "powers off", { HELLO, DIES(0) }, -EIO, "ended by itself" },
	{ "greets in another version",
	  { SAYS(HELLO, 0, .body = "{\"version\":99}") }, -EPROTO, "version 99" },
	{ "greets with nonsense",
	  { SAYS(HELLO, 0, .body = "{\"version\":") }, -EPROTO, "hello" },
	{ "greets twice", { HELLO, AWAITS(CREATE), HELLO }, -EPROTO, "second" },
	{ "answers what nobody asked", { SAYS(DONE, 0) }, -EPROTO, "nobody asked" },
	{ "answers for another session",
	  { HELLO, AWAITS(CREATE), SAYS(DONE, 7) }, -EPROTO, "nobody asked" },
	{ "answers twice", { STARTED, SAYS(DONE, 1) }, -EPROTO, "nobody asked" },
	{ "fails to create",
	  { HELLO, AWAITS(CREATE),
	    SAYS(FAILED, 1, .body = "{\"code\":-2,\"text\":\"no such thing\"}") },
	  -ENOENT, "no such thing" },
	{ "fails with a success",
	  { HELLO, AWAITS(CREATE),
	    SAYS(FAILED, 1, .body = "{\"code\":5,\"text\":\"well\"}") },
	  -EREMOTEIO, "well" },
	{ "fails with a wild code",
	  { HELLO, AWAITS(CREATE),
	    SAYS(FAILED, 1, .body = "{\"code\":-2147483648,\"text\":\"x\"}") },
	  -EREMOTEIO, "x" },
	{ "writes before it was created",
	  { HELLO, AWAITS(CREATE), SAYS(DATA, 1, .stream = WIRE_STDOUT, .body = "x") },
	  -EPROTO, "for session 1" },
	{ "exits before it was created",
	  { HELLO, AWAITS(CREATE), EXITS(1, 0) }, -EPROTO, "session 1" },
	{ "exits in a session that is not", { STARTED, EXITS(2, 0) }, -EPROTO, "session 2" },
	{ "exits twice", { STARTED, EXITS(1, 0), EXITS(1, 0) }, -EPROTO, "twice" },
	{ "exits with nonsense",
	  { STARTED, SAYS(EXITED, 1, .body = "{}") }, -EPROTO, "status" },
	{ "writes to stdin",
	  { STARTED, SAYS(DATA, 1, .stream = WIRE_STDIN, .body = "x") },
	  -EPROTO, "source" },
	{ "writes behind the end",
	  { STARTED, SAYS(END, 1, .stream = WIRE_STDERR),
	    SAYS(DATA, 1, .stream = WIRE_STDERR, .body = "x") },
	  -EPROTO, "over" },
	{ "gives credit without end",
	  { STARTED, SAYS(CREDIT, 1, .stream = WIRE_STDIN, .body = "\377\377\377\377") },
	  -EPROTO, "credit" },
};
/* clang-format on */

TEST(guests_that_fail_or_cheat_are_told_apart)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = { 0 };

		if (!CHECK_INT(run(bad[i].lines, nowhere(), &e), bad[i].code) ||
		    !CHECK_HAS(e.text, bad[i].want))
			tap_note("when it %s: %s", bad[i].name, e.text);
	}
}

TEST(the_console_is_quoted_from_the_panic_on_and_harmless)
{
	static const struct line lines[] = { { STOP } };
	struct err e = { 0 };

	(void)CHECK(run(lines, nowhere(), &e) < 0);
	(void)CHECK_HAS(e.text, "said last: Kernel panic: no|[2Jregisters");
	(void)CHECK(!strchr(e.text, '\33') && !strstr(e.text, "boots"));
}

TEST(a_writer_without_credit_is_ended)
{
	static char chunk[WIRE_DATA_MAX];
	struct line lines[] = {
		STARTED,
		SAYS(DATA, 1, .stream = WIRE_STDOUT, .body = chunk,
		     .repeat = 64),
		{ STOP },
	};
	struct err e = { 0 };
	int ends[2];

	(void)memset(chunk, 'x', sizeof(chunk) - 1);
	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	/* Nobody reads the other end. */
	(void)CHECK_INT(run(lines, ends[1], &e), -EPROTO);
	(void)CHECK_HAS(e.text, "more data than credit");
	(void)close(ends[0]);
}

/* --- clients that go ------------------------------------------------------*/

#define ALL_ENDS(s)                                                            \
	SAYS(END, s, .stream = WIRE_STDOUT), SAYS(END, s, .stream = WIRE_STDERR)

static const struct line updated[] = {
	STARTED,     AWAITS(UPDATE), SAYS(DONE, 2),
	EXITS(1, 0), ALL_ENDS(1),    { STOP },
};
static const struct line not_updated[] = {
	STARTED,
	AWAITS(UPDATE),
	SAYS(FAILED, 2, .body = "{\"code\":-22,\"text\":\"no\"}"),
	EXITS(1, 0),
	ALL_ENDS(1),
	{ STOP },
};
/* The program is started, and killed then. */
static const struct line executed[] = {
	STARTED,       AWAITS(EXEC),   SAYS(DONE, 2), AWAITS(START),
	SAYS(DONE, 2), AWAITS(SIGNAL), EXITS(2, 9),   ALL_ENDS(2),
	EXITS(1, 0),   ALL_ENDS(1),    { STOP },
};
/* It lives on, whatever it is told: what was lent to it goes back. */
static const struct line immortal[] = {
	STARTED,       AWAITS(EXEC),   SAYS(DONE, 2),  AWAITS(START),
	SAYS(DONE, 2), AWAITS(SIGNAL), AWAITS(CLOSED), AWAITS(CLOSED),
	EXITS(1, 0),   ALL_ENDS(1),    { STOP },
};
static const struct line not_executed[] = {
	STARTED,
	AWAITS(EXEC),
	SAYS(FAILED, 2, .body = "{\"code\":-2,\"text\":\"none\"}"),
	EXITS(1, 0),
	ALL_ENDS(1),
	{ STOP },
};

static const struct {
	const struct line *lines;
	enum wire_type type;
	size_t n_fds;
} gone[] = {
	{ updated, WIRE_UPDATE, 0 }, { not_updated, WIRE_UPDATE, 0 },
	{ executed, WIRE_EXEC, 3 },  { not_executed, WIRE_EXEC, 3 },
	{ immortal, WIRE_EXEC, 3 },
};

/* Asks, before anybody has listened. */
static struct wire *ask_for(enum wire_type type, size_t n_fds)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fds[] = { nowhere(), nowhere(), nowhere() };
	struct wire *w = NULL;
	struct err e = { 0 };
	socklen_t len = sizeof(a);
	int fd;

	(void)snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "moat-test-%d",
		       (int)getpid());
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)CHECK(bind(listener, (struct sockaddr *)&a, len) == 0 &&
		    listen(listener, 5) == 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)CHECK(connect(fd, (struct sockaddr *)&a, len) == 0);
	(void)CHECK_OK(fd_send(fd, "x", 1, fds, n_fds, &e), &e);
	(void)CHECK_OK(wire_new(fd, WIRE_HOST, &w, &e), &e);
	(void)CHECK_OK(wire_send(w, type, 0, "{}", 2, &e), &e);
	(void)CHECK(wire_flush(w, &e) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	return w;
}

TEST(a_client_that_goes_before_its_answer_harms_nobody)
{
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		struct err e = { 0 };

		wire_free(ask_for(gone[i].type, gone[i].n_fds));
		if (!CHECK_INT(run(gone[i].lines, nowhere(), &e), 0))
			tap_note("row %zu: %s", i, e.text);
		(void)close(steal_fd(&listener));
	}
}

/* --- guests that do not answer --------------------------------------------*/

static const struct line silent[] = {
	STARTED, AWAITS(SIGNAL), EXITS(1, 7), ALL_ENDS(1), { STOP },
};
/* The answer comes when nobody waits for it any more. */
static const struct line late[] = {
	STARTED,       AWAITS(EXEC),  AWAITS(SIGNAL), SAYS(DONE, 2),
	AWAITS(START), SAYS(DONE, 2), AWAITS(SIGNAL), EXITS(2, 9),
	ALL_ENDS(2),   EXITS(1, 7),   ALL_ENDS(1),    { STOP },
};

/* Is told of the failure; then the guest's program may end. */
static pid_t impatient(struct wire *w)
{
	pid_t pid = fork();
	struct wire_frame f;
	int r;

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)!fd_set_nonblock(wire_fd(w), false);
	do {
		r = wire_read(w, NULL);
		if (r == 0)
			r = wire_next(w, &f, NULL);
	} while (r == 0);
	if (r < 0 || f.type != WIRE_FAILED ||
	    !memmem(f.body, f.len, "answer", 6))
		_exit(1);
	r = wire_send(w, WIRE_SIGNAL, 0, "{\"signal\":15}", 13, NULL);
	_exit(r < 0 || wire_flush(w, NULL) != 0);
}

TEST(who_asks_a_silent_guest_is_told_so)
{
	static const struct {
		const struct line *lines;
		enum wire_type type;
		size_t n_fds;
	} rows[] = {
		{ silent, WIRE_EXEC, 3 },
		{ silent, WIRE_UPDATE, 0 },
		{ late, WIRE_EXEC, 3 },
	};

	patience_of_clients = 100;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire *w = ask_for(rows[i].type, rows[i].n_fds);
		pid_t pid = impatient(w);
		struct err e = { 0 };

		wire_free(w);
		if (!CHECK_INT(run(rows[i].lines, nowhere(), &e), 7))
			tap_note("row %zu: %s", i, e.text);
		/* The host, which reaps whoever ends, may have been faster. */
		(void)!proc_reap(pid, NULL);
		(void)close(steal_fd(&listener));
	}
	patience_of_clients = 0;
}

static const struct tap_test tests[] = {
	TAP(an_honest_guest_runs_a_program),
	TAP(guests_that_fail_or_cheat_are_told_apart),
	TAP(the_console_is_quoted_from_the_panic_on_and_harmless),
	TAP(a_writer_without_credit_is_ended),
	TAP(a_client_that_goes_before_its_answer_harms_nobody),
	TAP(who_asks_a_silent_guest_is_told_so),
};

int main(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGPIPE, &ignore, NULL);
	/* Whoever waits for ever has failed. */
	(void)alarm(60);
	return tap_run(tests, ARRAY_SIZE(tests));
}

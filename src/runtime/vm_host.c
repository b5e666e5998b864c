/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/vm_host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/str.h"
#include "src/oci/wire_body.h"

/* Emulation is about ten times slower, and its boot four times. */
#define EMULATED_FACTOR 4
/* Between the end of the stream and that of the monitor, which says why. */
#define LAST_WORDS_MS 3000
#define WORDS_MAX     300
#define PANIC	      "Kernel panic"
/* For what the guest does by itself, such as its mounts; emulated or not. */
#define ASK_TIMEOUT_MS 120000

/* --- frames ---------------------------------------------------------------*/

static int on_hello(struct rt_host *h, const struct wire_frame *f,
		    struct err *e)
{
	struct wire_hello hello = { 0 };
	int r;

	if (h->greeted)
		return err_set(e, -EPROTO, "a second 'hello'");
	r = wire_parse(f, &wire_hello_table, &hello, e);
	if (r < 0)
		return r;
	if (hello.version != WIRE_VERSION)
		r = err_set(e, -EPROTO, "the agent speaks version %u, we %d",
			    hello.version, WIRE_VERSION);
	h->trouble = steal_ptr(hello.trouble);
	json_free(&wire_hello_table, &hello);
	h->greeted = true;
	loop_quit(h->loop, 0);
	return r;
}

/* What the guest says about a failure is text for a person, of its making. */
static int take_answer(struct rt_host *h, const struct wire_frame *f,
		       struct err *e)
{
	h->asking = false;
	h->answer = 0;
	loop_quit(h->loop, 0);
	if (f->type == WIRE_DONE)
		return 0;
	return wire_failed_take(f, &h->answer, &h->why, e);
}

static int on_answer(struct rt_host *h, const struct wire_frame *f,
		     struct err *e)
{
	struct rt_host_session *s;

	if (h->asking && h->asked == f->session)
		return take_answer(h, f, e);
	s = rt_host_session_find(h, f->session);
	if (!s)
		return err_set(e, -EPROTO, "an answer that nobody asked for");
	return rt_host_client_answer(s, f, e);
}

static int on_frame(void *arg, const struct wire_frame *f, struct err *e)
{
	struct rt_host *h = arg;

	if (f->type == WIRE_HELLO)
		return on_hello(h, f, e);
	if (f->type == WIRE_DONE || f->type == WIRE_FAILED)
		return on_answer(h, f, e);
	return rt_host_session_frame(h, f, e);
}

static int on_drained(void *arg, struct err *e)
{
	return rt_host_sessions_resume(arg, e);
}

static int too_late(void *arg, struct err *e)
{
	return err_set(e, -ENOTCONN, "the guest's agent has gone");
}

/* The monitor's own end comes with it, or before: that says more. */
static int on_closed(void *arg, int why, struct err *e)
{
	struct rt_host *h = arg;

	if (why == -EPROTO)
		return err_wrap(e, why, "the guest breaks the rules");
	if (h->ending) {
		loop_quit(h->loop, 0);
		return 0;
	}
	return loop_add_timer(h->loop, LAST_WORDS_MS, 0, too_late, h, NULL, e);
}

static const struct wire_handler handler = { on_frame, on_drained, on_closed };

/* --- the monitor ----------------------------------------------------------*/

static int report_end(const char *name, int status, struct err *e)
{
	if (WIFSIGNALED(status))
		return err_set(e, -EIO, "%s was killed by signal %d", name,
			       WTERMSIG(status));
	if (WEXITSTATUS(status) == 0)
		return err_set(e, -EIO, "the guest has ended by itself");
	return err_set(e, -EIO, "%s ended with status %d", name,
		       WEXITSTATUS(status));
}

/* A helper that ends well has lost its monitor, whose own end says more. */
static int on_child(void *arg, const struct signalfd_siginfo *si, struct err *e)
{
	struct rt_host *h = arg;
	bool is_monitor = false;
	const char *first = NULL;
	int status, how = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool monitor = pid == h->monitor.child[0].pid;
		const char *name = vm_monitor_ended(&h->monitor, pid);

		if (!name || (first && !monitor))
			continue;
		first = name;
		how = status;
		is_monitor = monitor;
	}
	if (!first)
		return 0;
	if (h->ending) {
		loop_quit(h->loop, 0);
		return 0;
	}
	if (!is_monitor && how == 0)
		return loop_add_timer(h->loop, LAST_WORDS_MS, 0, too_late, h,
				      NULL, e);
	return report_end(first, how, e);
}

static void keep_text(struct rt_host *h, const char *p, size_t n)
{
	size_t keep;

	if (n > sizeof(h->text)) {
		p += n - sizeof(h->text);
		n = sizeof(h->text);
	}
	keep = MIN_OF(h->text_len, sizeof(h->text) - n);
	(void)memmove(h->text, h->text + h->text_len - keep, keep);
	(void)memcpy(h->text + keep, p, n);
	h->text_len = keep + n;
}

static int on_console(void *arg, int fd, uint32_t events, struct err *e)
{
	struct rt_host *h = arg;
	char buf[2048];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0) {
		keep_text(h, buf, (size_t)n);
		log_debug("console: %.*s", (int)n, buf);
	} else if (n == 0) {
		loop_remove(h->loop, steal_ptr(h->console_source));
	}
	return 0;
}

/* The last lines as one, and as text that does nothing to a terminal. */
static void last_lines(const struct rt_host *h, char *ret, size_t size)
{
	const char *panic =
		memmem(h->text, h->text_len, PANIC, sizeof(PANIC) - 1);
	size_t start = h->text_len > size - 1 ? h->text_len - (size - 1) : 0;
	size_t n = 0;

	while (start > 0 && start < h->text_len && h->text[start - 1] != '\n')
		start++;
	/* What follows it is registers. */
	if (panic)
		start = (size_t)(panic - h->text);
	for (size_t i = start; i < h->text_len && n < size - 1; i++) {
		char c = h->text[i];

		if (c >= ' ' && c <= '~')
			ret[n++] = c;
		else if (c == '\n')
			ret[n++] = '|';
	}
	while (n > 0 && ret[n - 1] == '|')
		n--;
	ret[n] = '\0';
}

int rt_host_explain(struct rt_host *h, int r, struct err *e)
{
	char words[WORDS_MAX], lines[2 * WORDS_MAX], own[ERR_TEXT];

	if (!e)
		return r;
	vm_monitor_words(&h->monitor, words, sizeof(words));
	last_lines(h, lines, sizeof(lines));
	(void)snprintf(own, sizeof(own), "%.*s", (int)sizeof(own) / 4,
		       err_text(e));
	return err_set(e, r, "%s%s%s%s%s", own, words[0] ? "; monitor: " : "",
		       words, lines[0] ? "; the guest said last: " : "", lines);
}

/* --- starting -------------------------------------------------------------*/

static int make_pair(int *ret_ours, int *ret_theirs, struct err *e)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(e, "make a socket pair");
	*ret_ours = ends[0];
	*ret_theirs = ends[1];
	return 0;
}

static void config_done(struct vm_config *c)
{
	json_free(&vm_config_table, c);
}

static int add_initrd(struct vm_config *c, int fd, struct err *e)
{
	c->initrd_fds.v = calloc(1, sizeof(*c->initrd_fds.v));
	if (!c->initrd_fds.v)
		return err_nomem(e);
	c->initrd_fds.v[0] = (uint32_t)fd;
	c->initrd_fds.n = 1;
	return 0;
}

static int add_share(struct vm_config *c, int dir, struct err *e)
{
	c->shares.v = calloc(1, sizeof(*c->shares.v));
	if (!c->shares.v)
		return err_nomem(e);
	c->shares.n = 1;
	c->shares.v[0].dir_fd = dir;
	c->shares.v[0].tag = strdup("host");
	return c->shares.v[0].tag ? 0 : err_nomem(e);
}

static int fill_hardware(const struct plan_vm *p, struct vm_config *c,
			 struct err *e)
{
	static const int huge[] = {
		[PLAN_HUGE_ADVISE] = VM_HUGE_ADVISE,
		[PLAN_HUGE_NEVER] = VM_HUGE_NEVER,
		[PLAN_HUGE_RESERVE] = VM_HUGE_RESERVE,
	};

	c->vcpus = p->vcpus;
	c->memory.bytes = p->memory;
	c->memory.huge = huge[p->huge];
	c->memory.ksm = p->ksm;
	c->rng = true;
	/* What is reserved is not given back. */
	c->balloon = p->huge != PLAN_HUGE_RESERVE;
	if (p->pin.n == 0)
		return 0;
	c->cpus.v = calloc(p->pin.n, sizeof(*c->cpus.v));
	if (!c->cpus.v)
		return err_nomem(e);
	memcpy(c->cpus.v, p->pin.v, p->pin.n * sizeof(*c->cpus.v));
	c->cpus.n = p->pin.n;
	return 0;
}

static int fill_config(const struct rt_vm *vm, struct vm_config *c, int share,
		       struct err *e)
{
	const struct plan_vm *p = &vm->host.vm;
	int r;

	c->kernel_fd = vm->kernel;
	c->cmdline = str_printf(VM_KERNEL_WORDS "%s%s", p->cmdline ? " " : "",
				p->cmdline ? p->cmdline : "");
	if (!c->cmdline)
		return err_nomem(e);
	r = fill_hardware(p, c, e);
	if (r == 0)
		r = add_initrd(c, vm->initramfs, e);
	if (r == 0)
		r = rt_vm_add_disks(vm, c, e);
	if (r == 0)
		r = rt_vm_add_nics(vm, c, e);
	return r < 0 ? r : add_share(c, share, e);
}

static int start_monitor(struct rt_host *h, int share, struct err *e)
{
	_cleanup_(config_done) struct vm_config c = VM_CONFIG_INIT;
	autoclose int agent = -1, agent_end = -1, serial_end = -1;
	int r;

	r = make_pair(&agent, &agent_end, e);
	if (r == 0)
		r = make_pair(&h->console, &serial_end, e);
	if (r == 0)
		r = fill_config(h->vm, &c, share, e);
	if (r == 0)
		r = vm_agent_stream(h->vm->backend, &c, agent_end, e);
	if (r < 0)
		return r;
	c.serial_fd = serial_end;
	r = h->vm->backend->start(&c, h->vm->needs, &h->monitor, e);
	if (r == 0)
		r = wire_new(steal_fd(&agent), WIRE_HOST, &h->wire, e);
	return r;
}

static int attach(struct rt_host *h, struct err *e)
{
	int r;

	r = wire_attach(h->wire, h->loop, &handler, h, &h->link, e);
	if (r == 0)
		r = loop_add_fd(h->loop, h->console, EPOLLIN, on_console, h,
				&h->console_source, e);
	return r;
}

static int on_silence(void *arg, struct err *e)
{
	return err_set(e, -ETIMEDOUT, "the guest's agent does not report");
}

static int await_hello(struct rt_host *h, struct err *e)
{
	uint64_t timeout = h->vm->host.vm.timeout_ms;
	struct loop_source *timer = NULL;
	int r;

	if (h->monitor.emulated)
		timeout *= EMULATED_FACTOR;
	r = loop_add_timer(h->loop, timeout, 0, on_silence, h, &timer, e);
	if (r == 0)
		r = loop_run(h->loop, e);
	loop_remove(h->loop, timer);
	if (r == -ETIMEDOUT && !h->vm->has_modules)
		return err_wrap(
			e, r,
			"kernel '%s' has no folder of modules, so all that a guest needs must be built in",
			h->vm->kernel_path);
	return r;
}

static int boot(struct rt_host *h, int share, struct err *e)
{
	/* Before the first child there is. */
	static const int signals[] = { SIGCHLD, 0 };
	int r;

	r = loop_new(&h->loop, e);
	if (r == 0)
		r = loop_add_signals(h->loop, signals, on_child, h, e);
	if (r == 0)
		r = start_monitor(h, share, e);
	if (r == 0)
		r = attach(h, e);
	if (r == 0)
		r = await_hello(h, e);
	return r < 0 ? rt_host_explain(h, r, e) : 0;
}

DEFINE_CLEANUP(struct rt_host *, rt_host_free);

int rt_host_new(const struct rt_vm *vm, int share, struct rt_host **ret,
		struct err *e)
{
	_cleanup_(auto_rt_host_free) struct rt_host *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return err_nomem(e);
	h->vm = vm;
	h->console = -1;
	h->patience_ms = ASK_TIMEOUT_MS;
	h->monitor = (struct vm_monitor)VM_MONITOR_INIT;
	r = boot(h, share, e);
	if (r == 0)
		*ret = steal_ptr(h);
	return r;
}

void rt_host_free(struct rt_host *h)
{
	if (!h)
		return;
	while (h->sessions)
		rt_host_session_free(h->sessions);
	rt_host_clients_free(h);
	vm_monitor_stop(&h->monitor);
	wire_detach(h->link);
	wire_free(h->wire);
	if (h->console >= 0)
		(void)close(h->console);
	loop_free(h->loop);
	free(h->trouble);
	free(h);
}

/* --- asking ---------------------------------------------------------------*/

static int on_no_answer(void *arg, struct err *e)
{
	return err_set(e, -ETIMEDOUT, "the guest's agent does not answer");
}

static int await_answer(struct rt_host *h, uint16_t session, struct err *e)
{
	struct loop_source *timer = NULL;
	int r;

	h->asking = true;
	h->asked = session;
	h->why = (struct err){ 0 };
	r = loop_add_timer(h->loop, ASK_TIMEOUT_MS, 0, on_no_answer, h, &timer,
			   e);
	while (r >= 0 && h->asking) {
		r = loop_run(h->loop, e);
		/* POWEROFF is answered by the end as well. */
		if (h->ending)
			h->asking = false;
	}
	loop_remove(h->loop, timer);
	if (r < 0)
		return rt_host_explain(h, r, e);
	if (h->answer < 0 && e)
		*e = h->why;
	return h->answer;
}

int rt_host_ask(struct rt_host *h, enum wire_type type, uint16_t session,
		const void *body, size_t len, struct err *e)
{
	int r = wire_send(h->wire, type, session, body, len, e);

	return r < 0 ? r : await_answer(h, session, e);
}

int rt_host_ask_json(struct rt_host *h, enum wire_type type, uint16_t session,
		     const struct json_table *table, const void *obj,
		     struct err *e)
{
	int r = wire_send_json(h->wire, type, session, table, obj, e);

	return r < 0 ? r : await_answer(h, session, e);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * moat-vmm FD: one micro-VM. FD has a vm_config as JSON (vm.h); every other
 * descriptor that the config does not name is closed. How the guest ended
 * goes to report_fd as JSON, and into the exit status (VM_STATUS).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "microvm/control.h"
#include "microvm/vm.h"

#define MAX_CONFIG (1U << 20)

enum status {
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

static int read_config(const char *number, struct vm_config *ret, struct err *e)
{
	autoclose int fd = -1;
	autofree char *text = NULL;
	size_t len = 0;
	int n, r;

	r = str_to_int(number, &n);
	if (r < 0 || n < 3)
		return err_set(e, -EINVAL, "'%s' is no descriptor's number",
			       number);
	fd = n;
	r = fd_read_all(fd, MAX_CONFIG, &text, &len, e);
	if (r < 0)
		return err_wrap(e, r, "configuration");
	*ret = (struct vm_config){ 0 };
	return json_read(text, len, &vm_config_table, ret, "configuration", e);
}

/* Nothing of our starter's stays open but what the machine is made of. */
static int close_others(const struct vm_config *c, struct err *e)
{
	int keep[VM_CONFIG_FDS_MAX];
	int n = vm_config_fds(c, keep, ARRAY_SIZE(keep));

	if (n < 0)
		return err_set(e, n, "too many descriptors");
	for (int i = 0; i < n; i++)
		if (fcntl(keep[i], F_SETFD, FD_CLOEXEC) < 0)
			return err_errno(e, "descriptor %d", keep[i]);
	fd_close_from(3, keep, (size_t)n);
	return 0;
}

struct control {
	struct vm *vm;
	struct loop_source *source;
};

static int on_control(void *arg, int fd, uint32_t events, struct err *e)
{
	struct control *c = arg;
	int r = vm_serve_control(c->vm, fd, e);

	if (r != 0)
		return r < 0 ? r : 0;
	/* The runtime has gone; a socket at its end is readable for ever. */
	loop_remove(vm_loop(c->vm), c->source);
	return 0;
}

static int on_signal(void *arg, const struct signalfd_siginfo *si,
		     struct err *e)
{
	vm_stop(arg);
	return 0;
}

static int listen_to(struct control *control, const struct vm_config *c,
		     struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	struct vm *vm = control->vm;
	int r = loop_add_signals(vm_loop(vm), signals, on_signal, vm, e);

	if (r == 0 && c->control_fd >= 0)
		r = loop_add_fd(vm_loop(vm), c->control_fd, EPOLLIN, on_control,
				control, &control->source, e);
	return r;
}

static int run(const struct vm_config *c, struct vm_end *end, struct err *e)
{
	struct control control = { 0 };
	int r;

	r = close_others(c, e);
	if (r == 0)
		r = vm_create(c, &control.vm, e);
	if (r == 0)
		r = listen_to(&control, c, e);
	if (r == 0)
		r = vm_run(control.vm, end, e);
	/*
	 * Not freed: the kernel takes it apart when we are gone, which takes
	 * milliseconds, and whoever waits for the report need not wait for
	 * that.
	 */
	return r;
}

static void report(int fd, const struct vm_end *end)
{
	autofree char *text = NULL;
	struct err e = { 0 };
	size_t len = 0;
	int r;

	r = json_write(&vm_end_table, end, false, &text, &len, &e);
	if (r == 0)
		r = fd_write_all(fd, text, len);
	if (r < 0)
		log_warning("cannot report how the guest ended: %s",
			    strerrordesc_np(-r));
}

/* A reader that has gone is an error of write(), not our end. */
static int ignore_sigpipe(struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	return sigaction(SIGPIPE, &ignore, NULL) < 0
		       ? err_errno(e, "ignore SIGPIPE")
		       : 0;
}

int main(int argc, char **argv)
{
	struct log_config log = { .program = "moat-vmm",
				  .level = LOG_LEVEL_WARNING };
	struct vm_config c = VM_CONFIG_INIT;
	struct vm_end end = { 0 };
	struct err e = { 0 };
	int r;

	r = log_open(&log, &e);
	if (r == 0 && argc != 2)
		r = err_set(&e, -EINVAL, "usage: moat-vmm FD");
	if (r == 0)
		r = ignore_sigpipe(&e);
	if (r == 0)
		r = read_config(argv[1], &c, &e);
	if (r < 0) {
		log_error("%s", err_text(&e));
		_exit(STATUS_USAGE);
	}
	r = run(&c, &end, &e);
	if (r < 0) {
		log_error("%s", err_text(&e));
		end = (struct vm_end){ .how = VM_END_FAILED, .text = e.text };
	}
	if (c.report_fd >= 0)
		report(c.report_fd, &end);
	_exit(r < 0 ? STATUS_FAILED : VM_STATUS(end.how));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "microvm/vm.h"

static int on_pause(struct vm *vm, uint64_t arg, struct err *e)
{
	return vm_pause(vm, e);
}

static int on_resume(struct vm *vm, uint64_t arg, struct err *e)
{
	return vm_resume(vm, e);
}

static int on_stop(struct vm *vm, uint64_t arg, struct err *e)
{
	vm_stop(vm);
	return 0;
}

static int on_stat(struct vm *vm, uint64_t arg, struct err *e)
{
	return 0; /* every answer has it */
}

static int on_balloon(struct vm *vm, uint64_t arg, struct err *e)
{
	return vm_set_balloon(vm, arg, e);
}

static int (*const requests[])(struct vm *vm, uint64_t arg, struct err *e) = {
	[VM_PAUSE] = on_pause, [VM_RESUME] = on_resume,	  [VM_STOP] = on_stop,
	[VM_STAT] = on_stat,   [VM_BALLOON] = on_balloon,
};

static int serve(struct vm *vm, const struct vm_request *rq, struct err *e)
{
	if (rq->size != sizeof(*rq) || rq->what >= ARRAY_SIZE(requests))
		return err_set(e, -EOPNOTSUPP,
			       "the monitor knows no such request");
	return requests[rq->what](vm, rq->arg, e);
}

int vm_serve_control(struct vm *vm, int fd, struct err *e)
{
	struct vm_reply reply = { .size = sizeof(reply) };
	struct err why = { 0 };
	struct vm_request rq;
	ssize_t n;

	n = TEMP_FAILURE_RETRY(recv(fd, &rq, sizeof(rq), MSG_DONTWAIT));
	if (n < 0)
		return errno == EAGAIN ? 1 : err_errno(e, "control socket");
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(rq))
		rq = (struct vm_request){ .what = VM_REQUEST_N_ };
	reply.code = serve(vm, &rq, &why);
	vm_stat(vm, &reply.stat);
	(void)snprintf(reply.text, sizeof(reply.text), "%s",
		       reply.code < 0 ? err_text(&why) : "");
	/* One who does not read his answers does not need them. */
	if (send(fd, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return errno == EAGAIN ? 1 : 0;
	return 1;
}

int vm_control(int fd, enum vm_request_what what, uint64_t arg,
	       struct vm_stat *ret, struct err *e)
{
	struct vm_request rq = { .what = what, .size = sizeof(rq), .arg = arg };
	struct vm_reply reply;
	ssize_t n;

	if (send(fd, &rq, sizeof(rq), MSG_NOSIGNAL) != (ssize_t)sizeof(rq))
		return err_errno(e, "ask the micro-VM's monitor");
	n = TEMP_FAILURE_RETRY(recv(fd, &reply, sizeof(reply), 0));
	if (n < 0)
		return err_errno(e, "hear from the micro-VM's monitor");
	if (n == 0)
		return err_set(e, -ENOTCONN,
			       "the micro-VM's monitor has ended");
	if (n != (ssize_t)sizeof(reply) || reply.size != sizeof(reply))
		return err_set(e, -EPROTO,
			       "the micro-VM's monitor answered %zd bytes", n);
	reply.text[sizeof(reply.text) - 1] = '\0';
	if (reply.code < 0)
		return err_set(e, reply.code, "%s", reply.text);
	if (ret)
		*ret = reply.stat;
	return 0;
}

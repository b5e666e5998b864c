/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/qemu_priv.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

/*
 * QMP: a greeting, then a line of JSON per command, per answer and per event.
 * We say few things and wait for each answer.
 */
#define LINE_MAX_  4096
#define TIMEOUT_MS 30000

struct qmp_error {
	char *desc;
};

struct qmp_answer {
	char *result; /* "return" */
	char *event;
	struct qmp_error *error;
};

static const struct json_field error_fields[] = {
	JSON_STR(struct qmp_error, desc, "desc"),
};
static const struct json_table error_table =
	JSON_TABLE(struct qmp_error, error_fields);

static const struct json_field answer_fields[] = {
	JSON_RAW(struct qmp_answer, result, "return"),
	JSON_STR(struct qmp_answer, event, "event"),
	JSON_PTR(struct qmp_answer, error, "error", struct qmp_error,
		 error_table),
};
static const struct json_table answer_table =
	JSON_TABLE(struct qmp_answer, answer_fields);

static void answer_done(struct qmp_answer *a)
{
	json_free(&answer_table, a);
}

/* Byte by byte: lines are short and few, and nothing of the next is taken. */
static int read_line(int fd, char line[LINE_MAX_], size_t *ret_len,
		     struct err *e)
{
	size_t n = 0;

	while (n < LINE_MAX_) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int ready = poll(&p, 1, TIMEOUT_MS);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return err_set(e, -ETIMEDOUT, "qemu does not answer");
		if (read(fd, line + n, 1) != 1)
			return err_set(e, -ENOTCONN, "qemu has ended");
		if (line[n] == '\n') {
			*ret_len = n;
			return 0;
		}
		n++;
	}
	return err_set(e, -EPROTO, "qemu: a line over %d bytes", LINE_MAX_);
}

/* The answer to the last command; the greeting and events are passed over. */
static int await_answer(int fd, struct err *e)
{
	char line[LINE_MAX_];
	size_t len = 0;

	for (;;) {
		_cleanup_(answer_done) struct qmp_answer a = { 0 };
		int r = read_line(fd, line, &len, e);

		if (r == 0)
			r = json_read(line, len, &answer_table, &a, "qemu", e);
		if (r < 0)
			return r;
		if (a.error)
			return err_set(e, -EIO, "qemu: %s",
				       a.error->desc ? a.error->desc : "error");
		if (a.result)
			return 0;
	}
}

static int command(struct vm_monitor *m, const char *name, struct err *e)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\n", name);

	if (send(m->control, text, (size_t)n, MSG_NOSIGNAL) != n)
		return err_errno(e, "write to qemu");
	return await_answer(m->control, e);
}

/* Commands are heard once the greeting was answered; a second answer is an
 * error that says no more than this. */
static int speak(struct vm_monitor *m, const char *name, struct err *e)
{
	int r = command(m, "qmp_capabilities", e);

	if (r < 0 && r != -EIO)
		return r;
	return command(m, name, e);
}

int vm_qemu_pause(struct vm_monitor *m, struct err *e)
{
	return speak(m, "stop", e);
}

int vm_qemu_resume(struct vm_monitor *m, struct err *e)
{
	return speak(m, "cont", e);
}

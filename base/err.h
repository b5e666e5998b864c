/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An error is a negative errno and a sentence. It lives on the caller's stack,
 * owns nothing, survives fork and crosses a socket as bytes.
 *
 *	fd = open(path, O_RDONLY | O_CLOEXEC);
 *	if (fd < 0)
 *		return err_errno(e, "open '%s'", path);
 *	if (strlen(name) > 64)
 *		return err_set(e, -EINVAL, "hostname longer than 64");
 *	r = mount_at(root, m, e);
 *	if (r < 0)
 *		return err_wrap(e, r, "mount '%s'", m->target);
 *
 * err_errno  a system call failed: appends ": <errno's words>", gives -errno
 * err_set    we refuse: gives the code
 * err_code   a call gave a negative errno without a sentence: appends its words
 * err_wrap   passing on: puts "<what we were about>: " in front, gives r
 *
 * The sentence is lower case, without a full stop, names in '...'. Nobody
 * branches on the text. e may be NULL everywhere.
 */
#include <errno.h>

#include "base/util.h"

#define ERR_TEXT 1020

struct err {
	int code; /* negative errno, 0 when nothing went wrong */
	char text[ERR_TEXT];
};

int err_set_(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_errno_(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
int err_code_(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_wrap_(struct err *e, int r, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * Tells the compilers that the result is negative. Without it their analysers
 * follow paths on which a failed call counts as a success.
 */
static inline int err_known(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}

#define err_set(e, code, ...) err_known(err_set_(e, code, __VA_ARGS__))
#define err_errno(e, ...)     err_known(err_errno_(e, __VA_ARGS__))
#define err_code(e, r, ...)   err_known(err_code_(e, r, __VA_ARGS__))
#define err_wrap(e, r, ...)   err_known(err_wrap_(e, r, __VA_ARGS__))

/* Out of memory is an ordinary error. */
#define err_nomem(e) err_set(e, -ENOMEM, "out of memory")

/* The sentence, or the code's own words when there is none. Never NULL. */
const char *err_text(const struct err *e);

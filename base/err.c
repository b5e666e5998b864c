/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *words_of(int code)
{
	const char *words = strerrordesc_np(-code);

	return words ? words : "unknown error";
}

/*
 * All formatting goes through a second buffer: the arguments may be parts of
 * the very text that is being replaced.
 */
static void set(struct err *e, int code, const char *tail, const char *fmt,
		va_list ap)
{
	char text[ERR_TEXT] = "";
	size_t n;

	if (!e)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	if (tail)
		(void)snprintf(text + n, sizeof(text) - n, "%s%s",
			       n > 0 ? ": " : "", tail);
	(void)memcpy(e->text, text, sizeof(text));
	e->code = code;
}

int err_set_(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	assert(code < 0);
	va_start(ap, fmt);
	set(e, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int err_code_(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	assert(code < 0);
	va_start(ap, fmt);
	set(e, code, words_of(code), fmt, ap);
	va_end(ap);
	return code;
}

int err_errno_(struct err *e, const char *fmt, ...)
{
	/* A library that forgot errno must not turn a failure into 0. */
	int code = errno > 0 ? -errno : -EIO;
	va_list ap;

	va_start(ap, fmt);
	set(e, code, words_of(code), fmt, ap);
	va_end(ap);
	return code;
}

int err_wrap_(struct err *e, int r, const char *fmt, ...)
{
	va_list ap;

	assert(r < 0);
	va_start(ap, fmt);
	set(e, r, e && e->text[0] ? e->text : words_of(r), fmt, ap);
	va_end(ap);
	return r;
}

const char *err_text(const struct err *e)
{
	if (!e)
		return "unknown error";
	if (e->text[0])
		return e->text;
	return e->code < 0 ? words_of(e->code) : "no error";
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is said while going on. An error is returned or logged, never both;
 * libraries log at debug only; a warning says what we went on without.
 *
 * One sink per process, opened once, close-on-exec, inherited over fork: there
 * is no log protocol between parent and child. A record is one write(2), so
 * that lines of several processes never mix.
 *
 *	text:	2026-11-21T10:00:00Z moat-oci: warning: ...	(file)
 *		moat-oci: warning: ...				(stderr)
 *	journald, syslog: one message each, with its level, under an ID
 *	JSON:	{"level":"warning","msg":"...","time":"..."}
 */
#include "base/err.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_N_,
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

struct log_config {
	const char *program; /* static storage; put before each line of text */
	/* NULL: stderr; a file; "file:PATH", "journald:ID", "syslog:ID". */
	const char *path;
	enum log_format format;
	enum log_level level; /* what is more verbose than this is dropped */
};

/* Appends to path; creates it 0644. Without a call: stderr, text, warnings. */
MUST_CHECK int log_open(const struct log_config *config, struct err *e);

/* The descriptor of a log file, -1 for stderr: a caller that closes all
 * others keeps this one. */
int log_fd(void);

bool log_wants(enum log_level level);
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* -EINVAL when the name is none of error, warning (warn), info, debug. */
MUST_CHECK int log_level_parse(const char *name, enum log_level *ret);

#define log_error(...)	 log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_wants(LOG_LEVEL_DEBUG))                                \
			log_at(LOG_LEVEL_DEBUG, __VA_ARGS__);                  \
	} while (0)

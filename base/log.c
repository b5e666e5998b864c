/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"
#include "base/str.h"

/* One record; what is longer is cut. */
#define RECORD_MAX 4096

/* One of the two globals there are (the other is cli's). */
static struct {
	const char *program;
	int fd; /* 0: stderr */
	enum log_format format;
	enum log_level level;
} sink = { .program = "moat", .level = LOG_LEVEL_WARNING };

static const char *const level_names[LOG_LEVEL_N_] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

int log_open(const struct log_config *config, struct err *e)
{
	int fd = 0;

	if (config->path) {
		fd = open(config->path,
			  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
			  0644);
		if (fd < 0)
			return err_errno(e, "open log '%s'", config->path);
	}
	if (sink.fd > 0)
		(void)close(sink.fd);
	sink.fd = fd;
	sink.format = config->format;
	sink.level = config->level;
	if (config->program)
		sink.program = config->program;
	return 0;
}

int log_fd(void)
{
	return sink.fd > 0 ? sink.fd : -1;
}

bool log_wants(enum log_level level)
{
	return level <= sink.level;
}

static void write_json(int fd, const char *level, const char *time,
		       const char *text)
{
	_cleanup_(json_out_done) struct json_out o = { 0 };
	autofree char *line = NULL;
	size_t len;

	json_out_begin(&o, '{');
	json_out_key(&o, "level");
	json_out_str(&o, level);
	json_out_key(&o, "msg");
	json_out_str(&o, text);
	json_out_key(&o, "time");
	json_out_str(&o, time);
	json_out_end(&o, '}');
	if (json_out_take(&o, &line, &len, NULL) < 0)
		return;
	line[len] = '\n'; /* instead of the NUL: one write per record */
	(void)!fd_write_all(fd, line, len + 1);
}

/* A record is one line, whatever a name in it contains. */
static void write_text(int fd, const char *level, const char *time,
		       const char *text)
{
	char line[RECORD_MAX + 128];
	int n;

	n = snprintf(line, sizeof(line) - 1, "%s%s%s: %s%s%s", time,
		     *time ? " " : "", sink.program, level, *level ? ": " : "",
		     text);
	if (n < 0)
		return;
	n = MIN_OF(n, (int)sizeof(line) - 2);
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = line[i] == '\t' ? '\t' : '?';
	line[n] = '\n';
	(void)!fd_write_all(fd, line, (size_t)n + 1);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	int saved = errno, fd = sink.fd > 0 ? sink.fd : STDERR_FILENO;
	char text[RECORD_MAX] = "", time_text[STR_TIME_MAX] = "";
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	if (sink.fd > 0 || sink.format == LOG_FORMAT_JSON)
		str_time(time(NULL), time_text);
	/* Whoever reads the file may not be who waits for us. */
	if (sink.fd > 0 && level == LOG_LEVEL_ERROR)
		write_text(STDERR_FILENO, "", "", text);
	if (sink.format == LOG_FORMAT_JSON)
		write_json(fd, level_names[level], time_text, text);
	else
		/* That it is an error, its reader knows. */
		write_text(fd,
			   level == LOG_LEVEL_ERROR ? "" : level_names[level],
			   time_text, text);
	errno = saved;
}

int log_level_parse(const char *name, enum log_level *ret)
{
	static const struct {
		const char *name;
		enum log_level level;
	} words[] = {
		{ "error", LOG_LEVEL_ERROR },  { "warning", LOG_LEVEL_WARNING },
		{ "warn", LOG_LEVEL_WARNING }, { "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, name) == 0) {
			*ret = words[i].level;
			return 0;
		}
	return -EINVAL;
}

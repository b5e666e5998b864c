/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
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
	const struct log_daemon *daemon; /* fd is a socket of its; or NULL */
	char id[64];			 /* ours, there */
	int fd;				 /* 0: stderr */
	enum log_format format;
	enum log_level level;
} sink = { .program = "moat", .level = LOG_LEVEL_WARNING };

static const char *const level_names[LOG_LEVEL_N_] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* Who takes messages by datagrams, and how they are written. */
struct log_daemon {
	const char *prefix;
	const char *socket;
	int (*format)(char *buf, size_t size, int priority, const char *text);
};

/* As syslog(3) has them, which is what both want. */
static const int priorities[LOG_LEVEL_N_] = {
	[LOG_LEVEL_ERROR] = 3,
	[LOG_LEVEL_WARNING] = 4,
	[LOG_LEVEL_INFO] = 6,
	[LOG_LEVEL_DEBUG] = 7,
};

/* The facility "daemon". */
#define FACILITY (3 << 3)

static int format_journal(char *buf, size_t size, int priority,
			  const char *text)
{
	return snprintf(buf, size,
			"PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n",
			priority, sink.id, text);
}

static int format_syslog(char *buf, size_t size, int priority, const char *text)
{
	return snprintf(buf, size, "<%d>%s[%d]: %s", FACILITY | priority,
			sink.id, (int)getpid(), text);
}

static const struct log_daemon daemons[] = {
	{ "journald:", "/run/systemd/journal/socket", format_journal },
	{ "syslog:", "/dev/log", format_syslog },
};

static const struct log_daemon *find_daemon(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(daemons); i++)
		if (str_starts(path, daemons[i].prefix))
			return &daemons[i];
	return NULL;
}

static int open_daemon(const struct log_daemon *d, const char *path,
		       struct err *e)
{
	const char *id = path + strlen(d->prefix);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	autoclose int fd = -1;

	if (*id == '\0' || strlen(id) >= sizeof(sink.id) ||
	    strpbrk(id, "\n[]: "))
		return err_set(e, -EINVAL, "log '%s': no identifier", path);
	(void)strncpy(to.sun_path, d->socket, sizeof(to.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return err_errno(e, "log '%s': connect to '%s'", path,
				 d->socket);
	(void)strncpy(sink.id, id, sizeof(sink.id) - 1);
	return steal_fd(&fd);
}

static int open_file(const char *path, struct err *e)
{
	int fd;

	if (str_starts(path, "file:"))
		path += strlen("file:");
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
		  0644);
	return fd < 0 ? err_errno(e, "open log '%s'", path) : fd;
}

int log_open(const struct log_config *config, struct err *e)
{
	const struct log_daemon *daemon = NULL;
	int fd = 0;

	if (config->path) {
		daemon = find_daemon(config->path);
		fd = daemon ? open_daemon(daemon, config->path, e)
			    : open_file(config->path, e);
		if (fd < 0)
			return fd;
	}
	if (sink.fd > 0)
		(void)close(sink.fd);
	sink.fd = fd;
	sink.daemon = daemon;
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
	str_make_printable(line, (size_t)n);
	line[n] = '\n';
	(void)!fd_write_all(fd, line, (size_t)n + 1);
}

/* One line as well: what follows a line's end would be another field. A daemon
 * that is busy or gone is not waited for. */
static void write_daemon(int fd, enum log_level level, char *text)
{
	char buf[RECORD_MAX + 256];
	int n;

	str_make_printable(text, strlen(text));
	n = sink.daemon->format(buf, sizeof(buf), priorities[level], text);
	if (n > 0)
		(void)!send(fd, buf, MIN_OF((size_t)n, sizeof(buf) - 1),
			    MSG_NOSIGNAL | MSG_DONTWAIT);
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
	if (sink.daemon)
		write_daemon(fd, level, text);
	else if (sink.format == LOG_FORMAT_JSON)
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

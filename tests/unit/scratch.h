/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A folder of one test's own, gone when its variable is.
 *
 *	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;
 *
 *	REQUIRE(scratch_init(&s));
 *	fd = openat(s.fd, "file", O_RDONLY | O_CLOEXEC);
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "tests/unit/tap.h"

struct scratch {
	char path[128];
	int fd;
};

#define SCRATCH_INIT                                                           \
	{                                                                      \
		.fd = -1                                                       \
	}

static inline bool scratch_init(struct scratch *s)
{
	const char *dir = getenv("TMPDIR");

	(void)snprintf(s->path, sizeof(s->path), "%s/moat-unit-XXXXXX",
		       dir && *dir ? dir : "/tmp");
	if (!mkdtemp(s->path)) {
		s->path[0] = '\0';
		return false;
	}
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->fd >= 0;
}

static inline void scratch_done(struct scratch *s)
{
	struct err e = { 0 };

	if (s->fd >= 0)
		(void)close(s->fd);
	if (s->path[0] && path_remove_tree(AT_FDCWD, s->path, &e) < 0)
		(void)tap_fail_(__FILE__, __LINE__, "%s", e.text);
}

/* A small file with this text. */
static inline bool scratch_write(const struct scratch *s, const char *name,
				 const char *text)
{
	struct err e = { 0 };

	return CHECK_OK(
		fd_replace_at(s->fd, name, text, strlen(text), 0644, false, &e),
		&e);
}

/* What is in a file, compared with this text. */
static inline bool scratch_holds(const struct scratch *s, const char *name,
				 const char *text)
{
	char buf[4096];

	if (!CHECK_OK(fd_read_small_at(s->fd, name, buf, sizeof(buf)), NULL))
		return false;
	return CHECK_STR(buf, text);
}

static inline bool scratch_has(const struct scratch *s, const char *name)
{
	struct stat st;

	return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* How many descriptors are open: as many before as after leaks none. */
static inline int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		(void)closedir(dir);
	return n;
}

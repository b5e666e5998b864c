/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/str.h"

char *path_join(const char *a, const char *b)
{
	if (*b == '/' || !*a)
		return strdup(b);
	if (!*b)
		return strdup(a);
	return str_printf("%s%s%s", a, str_ends(a, "/") ? "" : "/", b);
}

/* Takes the last component off; start is where the first one begins. */
static char *drop_last(char *start, char *end)
{
	while (end > start && end[-1] != '/')
		end--;
	return end > start ? end - 1 : start;
}

/* The clean path so far, start .. end, and one more component of n bytes. */
static char *add_component(char *start, char *end, const char *name, size_t n)
{
	if (n == 1 && *name == '.')
		return end;
	if (n == 2 && memcmp(name, "..", 2) == 0)
		return drop_last(start, end);
	if (end > start)
		*end++ = '/';
	(void)memcpy(end, name, n);
	return end + n;
}

char *path_clean(const char *path)
{
	bool absolute = *path == '/';
	char *clean = malloc(strlen(path) + 2), *start, *end;

	if (!clean)
		return NULL;
	clean[0] = '/';
	start = end = clean + absolute;

	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");

		end = add_component(start, end, path, n);
		path += n;
	}
	if (end == clean)
		*end++ = '.';
	*end = '\0';
	return clean;
}

bool path_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n > 0 && dir[n - 1] == '/') /* "/" */
		return str_starts(path, dir);
	return str_starts(path, dir) && (path[n] == '/' || !path[n]);
}

/* The value of "\ooo" at s; -1: it is no such escape. */
static int octal(const char *s)
{
	if (s[0] != '\\' || s[1] < '0' || s[1] > '3' || s[2] < '0' ||
	    s[2] > '7' || s[3] < '0' || s[3] > '7')
		return -1;
	return (s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0');
}

void path_unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int c = octal(s);

		*to++ = c < 0 ? *s : (char)c;
		s += c < 0 ? 0 : 3;
	}
	*to = '\0';
}

/* mkdir(2), content with a folder that is there. */
static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* From the top down, each "/" being an end for a moment. */
static int make_each(char *path, mode_t mode)
{
	int r = -ENOENT; /* no component at all */

	for (char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
		char *end = p + strcspn(p, "/"), saved = *end;

		*end = '\0';
		r = make_dir(path, mode);
		*end = saved;
		if (r < 0)
			break;
		p = end;
	}
	return r;
}

int path_make_dirs(const char *path, mode_t mode, struct err *e)
{
	autofree char *copy = NULL;
	int r = make_dir(path, mode);

	if (r == -ENOENT) {
		copy = strdup(path);
		if (!copy)
			return err_nomem(e);
		r = make_each(copy, mode);
	}
	return r < 0 ? err_code(e, r, "make folder '%s'", path) : 0;
}

const char *path_of_fd(int fd, char buf[PATH_FD_MAX])
{
	(void)snprintf(buf, PATH_FD_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

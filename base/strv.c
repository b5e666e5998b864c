/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

void strv_free(char **v)
{
	if (!v)
		return;
	for (char **s = v; *s; s++)
		free(*s);
	free(v);
}

int strv_take(char ***v, char *s)
{
	size_t n = strv_len(*v);
	char **more;

	if (!s)
		return -ENOMEM;
	more = reallocarray(*v, n + 2, sizeof(*more));
	if (!more) {
		free(s);
		return -ENOMEM;
	}
	more[n] = s;
	more[n + 1] = NULL;
	*v = more;
	return 0;
}

int strv_add(char ***v, const char *s)
{
	return strv_take(v, strdup(s));
}

int strv_addf(char ***v, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return strv_take(v, n < 0 ? NULL : text);
}

/* A list of n empty places, NULL throughout. */
static char **make_list(size_t n)
{
	return calloc(n + 1, sizeof(char *));
}

char **strv_copy(char *const *v)
{
	size_t n = strv_len(v);
	autostrv char **copy = make_list(n);

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(v[i]);
		if (!copy[i])
			return NULL;
	}
	return steal_ptr(copy);
}

int strv_split(const char *s, char sep, char ***ret)
{
	size_t n = *s ? 1 : 0;
	autostrv char **parts = NULL;

	for (const char *p = s; *p; p++)
		n += *p == sep;
	parts = make_list(n);
	if (!parts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *end = strchrnul(s, sep);

		parts[i] = strndup(s, (size_t)(end - s));
		if (!parts[i])
			return -ENOMEM;
		s = end + 1;
	}
	*ret = steal_ptr(parts);
	return 0;
}

bool strv_has(char *const *v, const char *s)
{
	STRV_FOREACH(p, v)
		if (strcmp(*p, s) == 0)
			return true;
	return false;
}

/* The place of NAME in an environment, or NULL. */
static char *const *find_env(char *const *v, const char *name, size_t len)
{
	STRV_FOREACH(s, v)
		if (strncmp(*s, name, len) == 0 && (*s)[len] == '=')
			return s;
	return NULL;
}

const char *strv_env_get(char *const *v, const char *name)
{
	size_t len = strlen(name);
	char *const *s = find_env(v, name, len);

	return s ? *s + len + 1 : NULL;
}

int strv_env_set(char ***v, const char *name, const char *value)
{
	autofree char *text = str_printf("%s=%s", name, value);
	char *const *at = find_env(*v, name, strlen(name));
	char **place = *v;

	if (!text)
		return -ENOMEM;
	if (!at)
		return strv_take(v, steal_ptr(text));
	place += at - *v;
	free(*place);
	*place = steal_ptr(text);
	return 0;
}

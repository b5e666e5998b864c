/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define OLD_MAX (1U << 20)

static struct cg_setting *append(struct cg_set *set)
{
	struct cg_setting *v;

	v = reallocarray(set->v, set->n + 1, sizeof(*v));
	if (!v)
		return NULL;
	set->v = v;
	v = &set->v[set->n++];
	memset(v, 0, sizeof(*v));
	return v;
}

struct cg_setting *cg_set_add(struct cg_set *set, int dirfd, enum cg_ctl ctl,
			      const char *file, const char *fmt, ...)
{
	struct cg_setting *s = append(set);
	va_list ap;
	int n;

	if (!s) {
		set->error = -ENOMEM;
		return NULL;
	}
	s->ctl = ctl;
	s->dirfd = dirfd;
	n = snprintf(s->file, sizeof(s->file), "%s", file);
	if (n < 0 || (size_t)n >= sizeof(s->file))
		set->error = -ENAMETOOLONG;

	va_start(ap, fmt);
	if (vasprintf(&s->value, fmt, ap) < 0) {
		s->value = NULL;
		set->error = -ENOMEM;
	}
	va_end(ap);
	return s;
}

void cg_setting_keyed(struct cg_setting *s, const char *reset)
{
	if (!s || !s->value)
		return;
	s->key_len = strcspn(s->value, " ");
	s->reset = reset;
}

void cg_set_done(struct cg_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		free(set->v[i].value);
		free(set->v[i].old);
	}
	free(set->v);
	*set = (struct cg_set){ 0 };
}

/* The line of text that starts with the setting's key, or what removes it. */
static char *keyed_old(const struct cg_setting *s, const char *text)
{
	const char *line = text;

	while (*line) {
		size_t len = strcspn(line, "\n");

		if (len > s->key_len && line[s->key_len] == ' ' &&
		    memcmp(line, s->value, s->key_len) == 0)
			return strndup(line, len);
		line += len + (line[len] == '\n');
	}
	return str_printf("%.*s %s", (int)s->key_len, s->value, s->reset);
}

/* "oom_kill_disable 0\nunder_oom 0\n": the number behind the word. */
static char *word_old(const struct cg_setting *s, const char *text)
{
	const char *at = strstr(text, s->word);

	if (!at)
		return strdup(text);
	at += strlen(s->word);
	at += strspn(at, " ");
	return strndup(at, strcspn(at, "\n"));
}

static int remember(struct cg_setting *s, struct err *e)
{
	autofree char *text = NULL;
	int r;

	r = fd_read_file_at(s->dirfd, s->file, OLD_MAX, &text, NULL, e);
	if (r < 0)
		return err_wrap(e, r, "read the old value");
	if (s->key_len)
		s->old = keyed_old(s, text);
	else if (s->word)
		s->old = word_old(s, text);
	else
		s->old = steal_ptr(text);
	return s->old ? 0 : err_nomem(e);
}

/* -ENOENT: the file is not there. Others: what the kernel thinks of the value;
 * a write that fails with ENOENT itself is told apart. */
static int put(const struct cg_setting *s, const char *value)
{
	autoclose int fd = -1;
	size_t len = strlen(value);

	fd = openat(s->dirfd, s->file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* An empty list (cpuset.cpus) is written as an empty line: a write of
	 * no bytes never reaches the file. */
	if (len == 0) {
		value = "\n";
		len = 1;
	}
	if (write(fd, value, len) < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	return 0;
}

void cg_set_undo(struct cg_set *set)
{
	for (size_t i = set->n; i-- > 0;) {
		struct cg_setting *s = &set->v[i];

		if (!s->written || !s->old)
			continue;
		if (put(s, s->old) < 0)
			log_warning(
				"cgroup: '%s' could not be put back to '%s'",
				s->file, s->old);
		s->written = false;
	}
}

static int refused(const struct cg_setting *s, int r, struct err *e)
{
	if (r == -ENOENT)
		return err_set(
			e, -EOPNOTSUPP,
			"%s: this kernel's controller '%s' has no such file",
			s->file, cg_ctl_name(s->ctl));
	return err_set(e, r, "%s: the kernel refuses '%s': %s", s->file,
		       s->value, strerrordesc_np(-r));
}

/* What cannot be read (a trigger such as memory.reclaim) is not put back. */
static int remember_if_any(struct cg_setting *s, const struct cg_set_how *how,
			   struct err *e)
{
	int r;

	if (!how->undo || s->old)
		return 0;
	r = remember(s, e);
	if (r < 0 && r != -ENOENT && r != -EINVAL)
		return err_wrap(e, r, "%s", s->file);
	return 0;
}

/* *retry: refused, but perhaps not when the others are written. */
static int write_one(struct cg_setting *s, const struct cg_set_how *how,
		     bool *retry, struct err *e)
{
	int r;

	*retry = false;
	r = remember_if_any(s, how, e);
	if (r < 0)
		return r;
	s->written = s->keep;
	if (s->keep)
		return 0;
	r = put(s, s->value);
	if (r == -ENOENT && how->enable) {
		r = how->enable(how->arg, s->ctl, e);
		if (r < 0)
			return err_wrap(e, r, "%s", s->file);
		r = remember_if_any(s, how, e);
		if (r < 0)
			return r;
		r = put(s, s->value);
	}
	s->missing = r == -ENOENT && (s->optional || s->one_of);
	if (s->missing)
		return 0;
	if (r < 0) {
		*retry = r == -EINVAL || r == -EBUSY;
		return refused(s, r, e);
	}
	s->written = true;
	return 0;
}

/* Gives how many are still to be written. */
static int write_pass(struct cg_set *set, const struct cg_set_how *how,
		      struct err *e)
{
	int left = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct cg_setting *s = &set->v[i];
		bool retry;
		int r;

		if (s->written || s->missing)
			continue;
		r = write_one(s, how, &retry, e);
		if (r < 0 && !retry)
			return r;
		if (r < 0)
			left++;
	}
	return left;
}

/* The error of the first that is left, said again. */
static int stuck(struct cg_set *set, struct err *e)
{
	for (size_t i = 0; i < set->n; i++) {
		struct cg_setting *s = &set->v[i];
		int r;

		if (s->written || s->missing)
			continue;
		r = put(s, s->value);
		if (r < 0)
			return refused(s, r, e);
		s->written = true;
	}
	return 0;
}

/* Of the neighbours that start at i with the same word, was one written? */
static bool one_written(const struct cg_set *set, size_t i)
{
	const char *word = set->v[i].one_of;

	for (; i < set->n && str_eq(set->v[i].one_of, word); i++) {
		if (set->v[i].written)
			return true;
	}
	return false;
}

static bool starts_choice(const struct cg_set *set, size_t i)
{
	return set->v[i].one_of &&
	       (i == 0 || !str_eq(set->v[i - 1].one_of, set->v[i].one_of));
}

static int check_all(const struct cg_set *set, struct err *e)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct cg_setting *s = &set->v[i];
		int r = s->written && s->check ? s->check(s, e) : 0;

		if (r < 0)
			return r;
		if (starts_choice(set, i) && !one_written(set, i))
			return err_set(e, -EOPNOTSUPP, "this kernel has no %s",
				       s->one_of);
	}
	return 0;
}

static int write_all(struct cg_set *set, const struct cg_set_how *how,
		     struct err *e)
{
	int left = (int)set->n, before;

	do {
		before = left;
		left = write_pass(set, how, e);
	} while (left > 0 && left < before);
	if (left < 0)
		return left;
	if (left > 0) {
		int r = stuck(set, e);

		if (r < 0)
			return r;
	}
	return check_all(set, e);
}

int cg_set_write(struct cg_set *set, const struct cg_set_how *how,
		 struct err *e)
{
	int r;

	if (set->error < 0)
		return err_set(e, set->error, "cgroup settings: %s",
			       strerrordesc_np(-set->error));
	r = write_all(set, how, e);
	if (r < 0 && how->undo)
		cg_set_undo(set);
	return r;
}

int cg_set_again(struct cg_set *set, struct err *e)
{
	static const struct cg_set_how how;
	int r;

	for (size_t i = 0; i < set->n; i++)
		set->v[i].written =
			set->v[i].written && (!set->v[i].old || set->v[i].keep);
	r = write_all(set, &how, e);
	for (size_t i = 0; i < set->n; i++)
		set->v[i].written = set->v[i].written || set->v[i].old;
	return r;
}

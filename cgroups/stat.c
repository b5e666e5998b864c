/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/stat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/priv.h"

#define FILE_MAX (4U << 20)

/* Controller not enabled, kernel without the feature, PSI switched off, a
 * file for the root only: the number is not there, which is no error. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -EOPNOTSUPP || r == -ENODEV;
}

static int read_text(int dirfd, const char *file, char **ret, struct err *e)
{
	int r = fd_read_file_at(dirfd, file, FILE_MAX, ret, NULL, e);

	if (is_absent(r)) {
		*ret = NULL;
		return 0;
	}
	return r < 0 ? err_wrap(e, r, "statistics") : 0;
}

int cg_stat_number(const char *text, uint64_t *ret)
{
	if (str_eq(text, "max")) {
		*ret = CG_NO_LIMIT;
		return 0;
	}
	return str_to_u64(text, ret);
}

int cg_stat_file(int dirfd, const char *file, uint64_t *ret, struct err *e)
{
	char text[64];
	ssize_t n = fd_read_small_at(dirfd, file, text, sizeof(text));

	if (n < 0 && is_absent((int)n))
		return 0;
	if (n < 0 || cg_stat_number(text, ret) < 0)
		return err_set(e, n < 0 ? (int)n : -EPROTO,
			       "statistics: '%s' is no number", file);
	return 0;
}

/* The number behind "key " at the start of a line. */
static bool find_key(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, key, len) == 0 && line[len] == ' ') {
			char number[24];

			(void)snprintf(number, sizeof(number), "%.*s",
				       (int)(end - line - (ptrdiff_t)len - 1),
				       line + len + 1);
			return cg_stat_number(number, ret) == 0;
		}
		line = *end ? end + 1 : end;
	}
	return false;
}

static void set_field(struct cg_stat *s, const struct cg_stat_field *f,
		      const char *text)
{
	void *p = (char *)s + f->offset;
	struct opt_u64 *to = p;
	char number[24];
	uint64_t v;

	if (f->key) {
		if (!find_key(text, f->key, &v))
			return;
	} else {
		(void)snprintf(number, sizeof(number), "%.*s",
			       (int)strcspn(text, "\n"), text);
		if (cg_stat_number(number, &v) < 0)
			return;
	}
	*to = (struct opt_u64)OPT_OF(f->divide ? v / f->divide : v);
}

int cg_stat_fields(int dirfd, const struct cg_stat_field *fields, size_t n,
		   struct cg_stat *s, struct err *e)
{
	autofree char *text = NULL;
	const char *file = NULL;

	for (size_t i = 0; i < n; i++) {
		bool another = !str_eq(file, fields[i].file);
		int r;

		if (another)
			free(steal_ptr(text));
		r = another ? read_text(dirfd, fields[i].file, &text, e) : 0;
		if (r < 0)
			return r;
		file = fields[i].file;
		if (text)
			set_field(s, &fields[i], text);
	}
	return 0;
}

static int add_raw(struct cg_stat *s, const char *line, struct err *e)
{
	struct cg_raw_stat raw = { 0 }, *v;
	size_t len = strcspn(line, " ");

	if (len >= sizeof(raw.name) || line[len] != ' ' ||
	    str_to_u64(line + len + 1, &raw.value) < 0)
		return 0;
	memcpy(raw.name, line, len);
	v = reallocarray(s->memory_raw.v, s->memory_raw.n + 1, sizeof(*v));
	if (!v)
		return err_nomem(e);
	s->memory_raw.v = v;
	v[s->memory_raw.n++] = raw;
	return 0;
}

int cg_stat_raw(int dirfd, const char *file, struct cg_stat *s, struct err *e)
{
	autofree char *text = NULL;
	char *save = NULL;
	int r;

	r = read_text(dirfd, file, &text, e);
	if (r < 0 || !text)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\n", &save))
		r = add_raw(s, line, e);
	return r;
}

static bool percent(const char *text, const char *key, double *ret)
{
	const char *at = strstr(text, key);
	char number[24];
	uint64_t nano;

	if (!at)
		return false;
	at += strlen(key);
	(void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(at, " "),
		       at);
	if (str_to_nano(number, &nano) < 0)
		return false;
	*ret = (double)nano / 1e9;
	return true;
}

/* some avg10=0.00 avg60=0.00 avg300=0.00 total=0 */
static bool pressure_line(const char *text, const char *word,
			  struct cg_pressure_line *ret)
{
	autofree char *line = NULL;
	const char *at = strstr(text, word), *total;

	if (!at)
		return false;
	line = strndup(at, strcspn(at, "\n"));
	total = line ? strstr(line, "total=") : NULL;
	return total && percent(line, "avg10=", &ret->avg10) &&
	       percent(line, "avg60=", &ret->avg60) &&
	       percent(line, "avg300=", &ret->avg300) &&
	       str_to_u64(total + strlen("total="), &ret->total_us) == 0;
}

int cg_stat_pressure(int dirfd, const char *file, struct cg_pressure *ret,
		     struct err *e)
{
	autofree char *text = NULL;
	struct cg_pressure p = { 0 };
	int r;

	r = read_text(dirfd, file, &text, e);
	if (r < 0 || !text)
		return r;
	p.set = pressure_line(text, "some ", &p.some);
	/* cpu.pressure has no "full" before Linux 5.13. */
	(void)pressure_line(text, "full ", &p.full);
	*ret = p;
	return 0;
}

int cg_stat_text(int dirfd, const char *file, char **ret, struct err *e)
{
	char *text = NULL;
	int r = read_text(dirfd, file, &text, e);

	if (r < 0 || !text)
		return r;
	text[strcspn(text, "\n")] = '\0';
	free(*ret);
	*ret = text;
	return 0;
}

static struct cg_io_stat *device_entry(struct cg_stat *s, uint32_t major,
				       uint32_t minor)
{
	struct cg_io_stat *v;

	for (size_t i = 0; i < s->io.n; i++) {
		if (s->io.v[i].major == major && s->io.v[i].minor == minor)
			return &s->io.v[i];
	}
	v = reallocarray(s->io.v, s->io.n + 1, sizeof(*v));
	if (!v)
		return NULL;
	s->io.v = v;
	v[s->io.n] = (struct cg_io_stat){ .major = major, .minor = minor };
	return &v[s->io.n++];
}

int cg_stat_device(struct cg_stat *s, char *word, struct cg_io_stat **ret,
		   struct err *e)
{
	char *minor = strchr(word, ':');
	uint32_t major_no, minor_no;

	*ret = NULL;
	if (!minor)
		return 0;
	*minor++ = '\0';
	if (str_to_u32(word, &major_no) < 0 || str_to_u32(minor, &minor_no) < 0)
		return 0;
	*ret = device_entry(s, major_no, minor_no);
	return *ret ? 0 : err_nomem(e);
}

/* "hugepages-2048kB" -> "2MB" */
static bool page_size(const char *name, char *ret, size_t size)
{
	uint64_t kb;
	const char *unit = "KB";
	char number[24];
	int n;

	if (!str_starts(name, "hugepages-") || !str_ends(name, "kB"))
		return false;
	name += strlen("hugepages-");
	(void)snprintf(number, sizeof(number), "%.*s",
		       (int)strlen(name) - (int)strlen("kB"), name);
	if (str_to_u64(number, &kb) < 0)
		return false;
	if (kb >= 1 << 20) {
		kb >>= 20;
		unit = "GB";
	} else if (kb >= 1 << 10) {
		kb >>= 10;
		unit = "MB";
	}
	n = snprintf(ret, size, "%" PRIu64 "%s", kb, unit);
	return n > 0 && (size_t)n < size;
}

int cg_stat_page_sizes(int (*fn)(void *arg, const char *size, struct err *e),
		       void *arg, struct err *e)
{
	autoclosedir DIR *dir = opendir("/sys/kernel/mm/hugepages");
	const struct dirent *d;
	int r = 0;

	while (dir && r == 0 && (d = readdir(dir))) {
		char size[16];

		if (page_size(d->d_name, size, sizeof(size)))
			r = fn(arg, size, e);
	}
	return r;
}

void cg_stat_done(struct cg_stat *s)
{
	free(s->cpu_all_ns.v);
	free(s->cpu_all_user_ns.v);
	free(s->cpu_all_system_ns.v);
	free(s->cpuset_cpus);
	free(s->cpuset_mems);
	free(s->memory_raw.v);
	free(s->io.v);
	free(s->hugetlb.v);
	*s = (struct cg_stat){ 0 };
}

int cg_stat_read(struct cg *cg, struct cg_stat *ret, struct err *e)
{
	_cleanup_(cg_stat_done) struct cg_stat s = { 0 };
	int r = 0;

	if (cg->fd < 0 && cg->v1.n == 0)
		return err_set(e, -EOPNOTSUPP,
			       "without a cgroup nothing is counted");
	if (cg->fd >= 0)
		r = cg_v2_stat(cg->fd, &s, e);
	if (r == 0)
		r = cg_v1_stat(&cg->v1, &s, e);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct cg_stat){ 0 };
	return 0;
}

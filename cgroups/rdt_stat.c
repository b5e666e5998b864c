/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/rdt.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

/*
 * What resctrl tells of a class, and of what its processes, or those of a
 * monitoring group in it, use. As with runc a number that is 0 is left out, and
 * so is what this CPU does not have.
 */
#define CACHES_MAX 64

/* clang-format off */
static const struct resource {
	const char *folder, *key;
	const char *text;       /* a file that is no number */
	const char *numbers[4];
	const char *line;       /* of schemata, how it begins */
	const char *root_key, *class_key;
} resources[] = {
	{ "info/L3", "l3_cache_info", "cbm_mask",
	  { "min_cbm_bits", "num_closids" },
	  "L3:", "l3_cache_schema_root", "l3_cache_schema" },
	{ "info/MB", "mem_bw_info", NULL,
	  { "bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids" },
	  "MB:", "mem_bw_schema_root", "mem_bw_schema" },
};

/* Files of mon_data/mon_L3_*, an array of objects for each kind of counting. */
static const struct counters {
	const char *key;
	const char *files[2];
} counters[] = {
	{ "mbm_stats", { "mbm_total_bytes", "mbm_local_bytes" } },
	{ "cmt_stats", { "llc_occupancy" } },
};
/* clang-format on */

static int open_dir(int at, const char *path)
{
	return openat(at, path,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void text_if(struct json_out *o, const char *key, const char *text)
{
	if (!*text)
		return;
	json_out_key(o, key);
	json_out_str(o, text);
}

static void number_if(struct json_out *o, int dir, const char *file)
{
	char text[64];
	uint64_t n;

	if (fd_read_small_at(dir, file, text, sizeof(text)) < 0 ||
	    str_to_u64(text, &n) < 0 || n == 0)
		return;
	json_out_key(o, file);
	json_out_u64(o, n);
}

static void info_out(struct json_out *o, int root, const struct resource *s)
{
	autoclose int dir = open_dir(root, s->folder);
	char text[64];

	if (dir < 0)
		return;
	json_out_key(o, s->key);
	json_out_begin(o, '{');
	if (s->text && fd_read_small_at(dir, s->text, text, sizeof(text)) > 0)
		text_if(o, s->text, text);
	for (size_t i = 0; i < ARRAY_SIZE(s->numbers) && s->numbers[i]; i++)
		number_if(o, dir, s->numbers[i]);
	json_out_end(o, '}');
}

/* "    MB:0=100;1=50\n    L3:0=fffff": without the blanks. */
static void line_out(struct json_out *o, const char *key, int dir,
		     const char *begins)
{
	autofree char *text = NULL;
	struct err ignored = { 0 };
	char *save = NULL;

	if (fd_read_file_at(dir, "schemata", CG_RDT_SCHEMATA_MAX, &text, NULL,
			    &ignored) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " ");
		if (str_starts(line, begins)) {
			text_if(o, key, line);
			return;
		}
	}
}

/* --- what is counted --------------------------------------------------------*/

struct caches {
	char name[CACHES_MAX][32];
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void find_caches(int data, struct caches *ret)
{
	int fd = open_dir(data, ".");
	autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!dir && fd >= 0)
		(void)close(fd);
	while (dir && ret->n < CACHES_MAX && (d = readdir(dir)))
		if (str_starts(d->d_name, "mon_L3_"))
			(void)snprintf(ret->name[ret->n++],
				       sizeof(ret->name[0]), "%.31s",
				       d->d_name);
	qsort(ret->name, ret->n, sizeof(ret->name[0]), by_name);
}

static bool is_counted(int data, const struct caches *caches,
		       const struct counters *c)
{
	autofree char *file =
		caches->n ? str_printf("%s/%s", caches->name[0], c->files[0])
			  : NULL;

	return file && faccessat(data, file, F_OK, 0) == 0;
}

static void counters_out(struct json_out *o, int data,
			 const struct caches *caches, const struct counters *c)
{
	if (!is_counted(data, caches, c))
		return;
	json_out_key(o, c->key);
	json_out_begin(o, '[');
	for (size_t i = 0; i < caches->n; i++) {
		autoclose int dir = open_dir(data, caches->name[i]);

		json_out_begin(o, '{');
		for (size_t k = 0; k < ARRAY_SIZE(c->files) && c->files[k]; k++)
			number_if(o, dir, c->files[k]);
		json_out_end(o, '}');
	}
	json_out_end(o, ']');
}

static void counted_out(struct json_out *o, int class, const struct cg_rdt *r)
{
	autofree char *path =
		r->monitoring ? str_printf("mon_groups/%s/mon_data", r->name)
			      : str_printf("mon_data");
	autoclose int data = path ? open_dir(class, path) : -1;
	struct caches caches = { 0 };

	if (data < 0)
		return;
	find_caches(data, &caches);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		counters_out(o, data, &caches, &counters[i]);
}

/* --- all ----------------------------------------------------------------------*/

static void class_out(struct json_out *o, const struct cg_rdt *r)
{
	struct err ignored = { 0 };
	autoclose int root = cg_rdt_open_root(r, &ignored);
	autoclose int class =
		root < 0 ? -1 : cg_rdt_open_class(r, root, &ignored);

	if (class < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
		info_out(o, root, &resources[i]);
		line_out(o, resources[i].root_key, root, resources[i].line);
		line_out(o, resources[i].class_key, class, resources[i].line);
	}
	counted_out(o, class, r);
}

void cg_rdt_write(const struct cg_rdt *r, struct json_out *o)
{
	json_out_key(o, "intel_rdt");
	json_out_begin(o, '{');
	if (r)
		class_out(o, r);
	json_out_end(o, '}');
}

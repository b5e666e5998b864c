/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_priv.h"
#include "base/str.h"

static int copy_object(const struct json_table *t, const void *from, void *to);

static int copy_str(const struct json_field *f, const void *from, void *to)
{
	char *const *a = from;
	char **b = to;

	/* The key of a dict that its table has as a field too is there. */
	if (!*a || *b)
		return 0;
	*b = strdup(*a);
	return *b ? 0 : -ENOMEM;
}

static int copy_strv(const struct json_field *f, const void *from, void *to)
{
	char **const *a = from;
	char ***b = to;

	if (!*a)
		return 0;
	*b = strv_copy(*a);
	return *b ? 0 : -ENOMEM;
}

static int copy_map(const struct json_field *f, const void *from, void *to)
{
	const struct json_map *a = from;
	struct json_map *b = to;
	int r;

	r = copy_strv(f, &a->keys, &b->keys);
	if (r == 0)
		r = copy_strv(f, &a->values, &b->values);
	b->n = a->n;
	return r;
}

static int copy_u32v(const struct json_field *f, const void *from, void *to)
{
	const struct json_u32v *a = from;
	struct json_u32v *b = to;

	if (a->n == 0)
		return 0;
	b->v = reallocarray(NULL, a->n, sizeof(*a->v));
	if (!b->v)
		return -ENOMEM;
	(void)memcpy(b->v, a->v, a->n * sizeof(*a->v));
	b->n = a->n;
	return 0;
}

static int copy_bytes(const struct json_field *f, const void *from, void *to)
{
	const struct json_bytes *a = from;
	struct json_bytes *b = to;

	if (a->n == 0)
		return 0;
	b->v = malloc(a->n);
	if (!b->v)
		return -ENOMEM;
	(void)memcpy(b->v, a->v, a->n);
	b->n = a->n;
	return 0;
}

static int copy_obj(const struct json_field *f, const void *from, void *to)
{
	return copy_object(f->table, from, to);
}

static int copy_ptr(const struct json_field *f, const void *from, void *to)
{
	const void *a = *(const void *const *)from;
	void **b = to;

	if (!a)
		return 0;
	*b = calloc(1, f->table->size);
	return *b ? copy_object(f->table, a, *b) : -ENOMEM;
}

static int copy_vec(const struct json_field *f, const void *from, void *to)
{
	const struct json_any_vec *a = from;
	struct json_any_vec *b = to;
	size_t size = f->table->size;
	int r = 0;

	if (a->n == 0)
		return 0;
	b->v = calloc(a->n, size);
	if (!b->v)
		return -ENOMEM;
	b->n = a->n; /* what is not copied yet is zero, and may be freed */
	for (size_t i = 0; i < a->n && r == 0; i++) {
		if (f->type == JSON_T_DICT)
			r = copy_str(f, a->v + i * size, b->v + i * size);
		if (r == 0)
			r = copy_object(f->table, a->v + i * size,
					b->v + i * size);
	}
	return r;
}

/* Either a function or a number of bytes. */
static const struct {
	int (*copy)(const struct json_field *f, const void *from, void *to);
	size_t size;
} types[JSON_T_N_] = {
	[JSON_T_BOOL] = { .size = sizeof(bool) },
	[JSON_T_I32] = { .size = sizeof(int32_t) },
	[JSON_T_U32] = { .size = sizeof(uint32_t) },
	[JSON_T_I64] = { .size = sizeof(int64_t) },
	[JSON_T_U64] = { .size = sizeof(uint64_t) },
	[JSON_T_F64] = { .size = sizeof(double) },
	[JSON_T_OPT_BOOL] = { .size = sizeof(struct opt_bool) },
	[JSON_T_OPT_I64] = { .size = sizeof(struct opt_i64) },
	[JSON_T_OPT_U64] = { .size = sizeof(struct opt_u64) },
	[JSON_T_OPT_U32] = { .size = sizeof(struct opt_u32) },
	[JSON_T_ENUM] = { .size = sizeof(int) },
	[JSON_T_STR] = { .copy = copy_str },
	[JSON_T_RAW] = { .copy = copy_str },
	[JSON_T_STRV] = { .copy = copy_strv },
	[JSON_T_MAP] = { .copy = copy_map },
	[JSON_T_U32V] = { .copy = copy_u32v },
	[JSON_T_BYTES] = { .copy = copy_bytes },
	[JSON_T_OBJ] = { .copy = copy_obj },
	[JSON_T_PTR] = { .copy = copy_ptr },
	[JSON_T_VEC] = { .copy = copy_vec },
	[JSON_T_DICT] = { .copy = copy_vec },
};

static int copy_object(const struct json_table *t, const void *from, void *to)
{
	int r = 0;

	for (size_t i = 0; i < t->n_fields && r == 0; i++) {
		const struct json_field *f = &t->fields[i];
		const char *a = (const char *)from + f->offset;
		char *b = (char *)to + f->offset;

		if (types[f->type].copy)
			r = types[f->type].copy(f, a, b);
		else
			(void)memcpy(b, a, types[f->type].size);
	}
	return r;
}

int json_copy(const struct json_table *table, const void *from, void *to,
	      struct err *e)
{
	(void)memset(to, 0, table->size);
	if (copy_object(table, from, to) == 0)
		return 0;
	json_free(table, to);
	return err_nomem(e);
}

void *json_copy_new(const struct json_table *table, const void *from)
{
	void *to;

	to = malloc(table->size);
	if (!to)
		return NULL;
	if (json_copy(table, from, to, NULL) < 0) {
		free(to);
		return NULL;
	}
	return to;
}

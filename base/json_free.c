/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_priv.h"
#include "base/str.h"

static void apply_defaults(const struct json_table *table, char *obj)
{
	if (table->defaults)
		(void)memcpy(obj, table->defaults, table->size);
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct json_field *f = &table->fields[i];

		if (f->type == JSON_T_OBJ)
			apply_defaults(f->table, obj + f->offset);
	}
}

void json_init(const struct json_table *table, void *obj)
{
	(void)memset(obj, 0, table->size);
	apply_defaults(table, obj);
}

static void free_str(const struct json_field *f, void *at)
{
	free(*(char **)at);
}

static void free_strv(const struct json_field *f, void *at)
{
	strv_free(*(char ***)at);
}

static void free_map(const struct json_field *f, void *at)
{
	struct json_map *map = at;

	strv_free(map->keys);
	strv_free(map->values);
}

static void free_u32v(const struct json_field *f, void *at)
{
	free(((struct json_u32v *)at)->v);
}

static void free_bytes(const struct json_field *f, void *at)
{
	free(((struct json_bytes *)at)->v);
}

static void free_obj(const struct json_field *f, void *at)
{
	json_free(f->table, at);
}

static void free_ptr(const struct json_field *f, void *at)
{
	void *obj = ((struct json_any_ptr *)at)->p;

	if (obj)
		json_free(f->table, obj);
	free(obj);
}

static void free_vec(const struct json_field *f, void *at)
{
	struct json_any_vec *vec = at;

	for (size_t i = 0; i < vec->n; i++) {
		char *obj = vec->v + i * f->table->size;

		/* The key first: json_free() zeroes it, and leaves it alone
		 * unless the table has it as a field too. */
		if (f->type == JSON_T_DICT) {
			free(*(char **)(void *)obj);
			*(char **)(void *)obj = NULL;
		}
		json_free(f->table, obj);
	}
	free(vec->v);
}

/* Types that own nothing are not here. */
static void (*const release[JSON_T_N_])(const struct json_field *f,
					void *at) = {
	[JSON_T_STR] = free_str,     [JSON_T_STRV] = free_strv,
	[JSON_T_MAP] = free_map,     [JSON_T_U32V] = free_u32v,
	[JSON_T_BYTES] = free_bytes, [JSON_T_OBJ] = free_obj,
	[JSON_T_PTR] = free_ptr,     [JSON_T_VEC] = free_vec,
	[JSON_T_DICT] = free_vec,    [JSON_T_RAW] = free_str,
};

void json_free(const struct json_table *table, void *obj)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct json_field *f = &table->fields[i];

		if (release[f->type])
			release[f->type](f, (char *)obj + f->offset);
	}
	(void)memset(obj, 0, table->size);
}

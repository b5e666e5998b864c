/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_priv.h"
#include "base/str.h"

/* --- what may be left out ----------------------------------------------- */

/* The bytes of a member that are 0 when there is nothing to write. */
static const struct {
	size_t offset, size;
	bool is_value; /* and they are all of it */
} telling[JSON_T_N_] = {
	[JSON_T_BOOL] = { 0, sizeof(bool), true },
	[JSON_T_I32] = { 0, sizeof(int32_t), true },
	[JSON_T_U32] = { 0, sizeof(uint32_t), true },
	[JSON_T_I64] = { 0, sizeof(int64_t), true },
	[JSON_T_U64] = { 0, sizeof(uint64_t), true },
	[JSON_T_F64] = { 0, sizeof(double), true },
	[JSON_T_ENUM] = { 0, sizeof(int), true },
	[JSON_T_STR] = { 0, sizeof(char *), false },
	[JSON_T_RAW] = { 0, sizeof(char *), false },
	[JSON_T_PTR] = { 0, sizeof(void *), false },
	[JSON_T_OPT_BOOL] = { offsetof(struct opt_bool, set), 1, false },
	[JSON_T_OPT_I64] = { offsetof(struct opt_i64, set), 1, false },
	[JSON_T_OPT_U64] = { offsetof(struct opt_u64, set), 1, false },
	[JSON_T_OPT_U32] = { offsetof(struct opt_u32, set), 1, false },
	[JSON_T_BYTES] = { offsetof(struct json_bytes, v), sizeof(void *),
			   false },
	[JSON_T_MAP] = { offsetof(struct json_map, n), sizeof(size_t), false },
	[JSON_T_U32V] = { offsetof(struct json_u32v, n), sizeof(size_t),
			  false },
	[JSON_T_VEC] = { offsetof(struct json_any_vec, n), sizeof(size_t),
			 false },
	[JSON_T_DICT] = { offsetof(struct json_any_vec, n), sizeof(size_t),
			  false },
};

/* at may be NULL: what a table without defaults has as default. */
static bool is_zero(const struct json_field *f, const char *at)
{
	size_t size = telling[f->type].size;

	if (!at)
		return true;
	if (f->type == JSON_T_STRV)
		return strv_len(*(char *const *const *)(const void *)at) == 0;
	at += telling[f->type].offset;
	while (size > 0 && *at == 0) {
		at++;
		size--;
	}
	return size == 0;
}

static const char *defaults_of(const struct json_field *f, const char *outer)
{
	if (f->table->defaults)
		return f->table->defaults;
	return outer ? outer + f->offset : NULL;
}

static bool all_default(const struct json_table *table, const char *obj,
			const char *defaults);

static bool is_default(const struct json_field *f, const char *at,
		       const char *outer)
{
	const char *def = outer ? outer + f->offset : NULL;

	if (f->type == JSON_T_OBJ)
		return all_default(f->table, at, defaults_of(f, outer));
	if (def && telling[f->type].is_value)
		return memcmp(at, def, telling[f->type].size) == 0;
	return is_zero(f, at) && is_zero(f, def);
}

static bool all_default(const struct json_table *table, const char *obj,
			const char *defaults)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct json_field *f = &table->fields[i];

		if (!is_default(f, obj + f->offset, defaults))
			return false;
	}
	return true;
}

/* A number that equals its default is written all the same: people read it. */
static bool may_leave_out(const struct json_field *f, const char *at,
			  const char *outer)
{
	if (f->secret)
		return true;
	if (f->always || f->required)
		return false;
	if (f->type == JSON_T_OBJ)
		return is_default(f, at, outer);
	return is_zero(f, at) && is_zero(f, outer ? outer + f->offset : NULL);
}

/* --- a member, by its type ---------------------------------------------- */

static void write_bool(struct json_out *o, const struct json_field *f,
		       const void *at)
{
	json_out_bool(o, *(const bool *)at);
}

static void write_i32(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	json_out_i64(o, *(const int32_t *)at);
}

static void write_u32(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	json_out_u64(o, *(const uint32_t *)at);
}

static void write_i64(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	json_out_i64(o, *(const int64_t *)at);
}

static void write_u64(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	json_out_u64(o, *(const uint64_t *)at);
}

static void write_f64(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	json_out_f64(o, *(const double *)at);
}

static void write_str(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	json_out_str(o, *(char *const *)at);
}

static void write_raw(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	const char *json = *(char *const *)at;

	json_out_raw(o, json ? json : "null");
}

/* Numbers that are not set, yet have to be written. */
static void write_opt_bool(struct json_out *o, const struct json_field *f,
			   const void *at)
{
	const struct opt_bool *opt = at;

	json_out_raw(o, !opt->set ? "null" : opt->v ? "true" : "false");
}

static void write_opt_i64(struct json_out *o, const struct json_field *f,
			  const void *at)
{
	const struct opt_i64 *opt = at;

	if (opt->set)
		json_out_i64(o, opt->v);
	else
		json_out_null(o);
}

static void write_opt_u64(struct json_out *o, const struct json_field *f,
			  const void *at)
{
	const struct opt_u64 *opt = at;

	if (opt->set)
		json_out_u64(o, opt->v);
	else
		json_out_null(o);
}

static void write_opt_u32(struct json_out *o, const struct json_field *f,
			  const void *at)
{
	const struct opt_u32 *opt = at;

	if (opt->set)
		json_out_u64(o, opt->v);
	else
		json_out_null(o);
}

static void write_enum(struct json_out *o, const struct json_field *f,
		       const void *at)
{
	int v = *(const int *)at, n = 0;

	while (n < v && f->names[n])
		n++;
	if (n != v || !f->names[n])
		o->error = o->error ? o->error : -EINVAL;
	else
		json_out_str(o, f->names[n]);
}

static void write_strv(struct json_out *o, const struct json_field *f,
		       const void *at)
{
	json_out_begin(o, '[');
	STRV_FOREACH(s, *(char *const *const *)at)
		json_out_str(o, *s);
	json_out_end(o, ']');
}

static void write_map(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	const struct json_map *map = at;

	json_out_begin(o, '{');
	for (size_t i = 0; i < map->n; i++) {
		json_out_key(o, map->keys[i]);
		json_out_str(o, map->values[i]);
	}
	json_out_end(o, '}');
}

static void write_u32v(struct json_out *o, const struct json_field *f,
		       const void *at)
{
	const struct json_u32v *list = at;

	json_out_begin(o, '[');
	for (size_t i = 0; i < list->n; i++)
		json_out_u64(o, list->v[i]);
	json_out_end(o, ']');
}

static void write_bytes(struct json_out *o, const struct json_field *f,
			const void *at)
{
	const struct json_bytes *bytes = at;
	autofree char *text = str_base64(bytes->v, bytes->n);

	if (text)
		json_out_str(o, text);
	else
		o->error = o->error ? o->error : -ENOMEM;
}

static void write_ptr(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	const void *obj = ((const struct json_any_ptr *)at)->p;

	if (obj)
		json_out_obj(o, f->table, obj);
	else
		json_out_null(o);
}

static void write_vec(struct json_out *o, const struct json_field *f,
		      const void *at)
{
	const struct json_any_vec *vec = at;
	bool dict = f->type == JSON_T_DICT;

	json_out_begin(o, dict ? '{' : '[');
	for (size_t i = 0; i < vec->n; i++) {
		const void *obj = vec->v + i * f->table->size;

		if (dict)
			json_out_key(o, *(char *const *)obj);
		json_out_obj(o, f->table, obj);
	}
	json_out_end(o, dict ? '}' : ']');
}

/* All but OBJ, which needs to know its defaults. */
static void (*const writers[JSON_T_N_])(struct json_out *o,
					const struct json_field *f,
					const void *at) = {
	[JSON_T_BOOL] = write_bool,	  [JSON_T_I32] = write_i32,
	[JSON_T_U32] = write_u32,	  [JSON_T_I64] = write_i64,
	[JSON_T_U64] = write_u64,	  [JSON_T_F64] = write_f64,
	[JSON_T_STR] = write_str,	  [JSON_T_OPT_BOOL] = write_opt_bool,
	[JSON_T_OPT_I64] = write_opt_i64, [JSON_T_OPT_U64] = write_opt_u64,
	[JSON_T_OPT_U32] = write_opt_u32, [JSON_T_ENUM] = write_enum,
	[JSON_T_STRV] = write_strv,	  [JSON_T_MAP] = write_map,
	[JSON_T_U32V] = write_u32v,	  [JSON_T_BYTES] = write_bytes,
	[JSON_T_PTR] = write_ptr,	  [JSON_T_VEC] = write_vec,
	[JSON_T_DICT] = write_vec,	  [JSON_T_RAW] = write_raw,
};

static void write_obj(struct json_out *o, const struct json_table *table,
		      const char *obj, const char *defaults)
{
	json_out_begin(o, '{');
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct json_field *f = &table->fields[i];
		const char *at = obj + f->offset;

		if (may_leave_out(f, at, defaults))
			continue;
		json_out_key(o, f->name);
		if (f->type == JSON_T_OBJ)
			write_obj(o, f->table, at, defaults_of(f, defaults));
		else
			writers[f->type](o, f, at);
	}
	json_out_end(o, '}');
}

void json_out_obj(struct json_out *o, const struct json_table *table,
		  const void *obj)
{
	write_obj(o, table, obj, table->defaults);
}

int json_write(const struct json_table *table, const void *obj, bool pretty,
	       char **ret, size_t *ret_len, struct err *e)
{
	_cleanup_(json_out_done) struct json_out o = { .pretty = pretty };

	json_out_obj(&o, table, obj);
	return json_out_take(&o, ret, ret_len, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_priv.h"

/* Entries of a list whose field names no maximum. */
#define DEFAULT_MAX 65536

/* --- objects and lists -------------------------------------------------- */

int json_set_obj(struct json_reader *r, const struct json_field *f, void *at,
		 const struct json_value *v)
{
	if (v->event != JSON_E_MAP)
		return json_refuse(r, -EINVAL, "expected an object");
	return json_push(r, JSON_F_STRUCT, v, f, at);
}

int json_set_ptr(struct json_reader *r, const struct json_field *f, void *at,
		 const struct json_value *v)
{
	struct json_any_ptr *ptr = at;

	if (v->event != JSON_E_MAP)
		return json_refuse(r, -EINVAL, "expected an object");
	ptr->p = malloc(f->table->size);
	if (!ptr->p)
		return json_nomem(r);
	json_init(f->table, ptr->p);
	return json_push(r, JSON_F_STRUCT, v, f, ptr->p);
}

/*
 * Makes room for entry n and, behind it, for a NULL or a zero entry. Capacity
 * is not stored: it is the power of two above n, at least 4.
 */
static void *make_room(void *v, size_t n, size_t size)
{
	if (v && (n < 4 || (n & (n - 1)) != 0))
		return v;
	return reallocarray(v, MAX_OF(n * 2, (size_t)4) + 1, size);
}

int json_set_list(struct json_reader *r, const struct json_field *f, void *at,
		  const struct json_value *v)
{
	static const struct {
		enum json_event opens;
		enum json_frame_kind kind;
	} lists[JSON_T_N_] = {
		[JSON_T_VEC] = { JSON_E_ARRAY, JSON_F_VEC },
		[JSON_T_U32V] = { JSON_E_ARRAY, JSON_F_U32V },
		[JSON_T_DICT] = { JSON_E_MAP, JSON_F_DICT },
		[JSON_T_MAP] = { JSON_E_MAP, JSON_F_MAP },
	};

	if (v->event != lists[f->type].opens)
		return json_refuse(r, -EINVAL, "expected an %s",
				   lists[f->type].opens == JSON_E_MAP
					   ? "object"
					   : "array");
	return json_push(r, lists[f->type].kind, v, f, at);
}

/* An empty array is an empty list, not NULL: "args": [] was written. */
int json_set_strv(struct json_reader *r, const struct json_field *f, void *at,
		  const struct json_value *v)
{
	char **list;

	if (v->event != JSON_E_ARRAY)
		return json_refuse(r, -EINVAL, "expected an array of strings");
	list = make_room(NULL, 0, sizeof(*list));
	if (!list)
		return json_nomem(r);
	list[0] = NULL;
	*(char ***)at = list;
	return json_push(r, JSON_F_STRV, v, f, at);
}

static int check_room(struct json_reader *r, const struct json_frame *f)
{
	size_t max = f->field->max ? f->field->max : DEFAULT_MAX;

	if (f->n > max)
		return json_refuse(r, -E2BIG, "more than %zu entries", max);
	return 0;
}

/* Appends to a NULL-terminated list of n; takes over s. */
static int append(struct json_reader *r, char ***list, size_t n, char *s)
{
	char **more = make_room(*list, n, sizeof(*more));

	if (!more) {
		free(s);
		return json_nomem(r);
	}
	more[n] = s;
	more[n + 1] = NULL;
	*list = more;
	return 0;
}

int json_add_str(struct json_reader *r, struct json_frame *f,
		 const struct json_value *v)
{
	int error = check_room(r, f);
	char *text = NULL;

	if (error == 0)
		error = json_copy_str(r, v, &text);
	return error < 0 ? error : append(r, f->at, f->n - 1, text);
}

int json_add_pair(struct json_reader *r, struct json_frame *f,
		  const struct json_value *v)
{
	struct json_map *map = f->at;
	int error = check_room(r, f);
	char *value, *key;

	if (error == 0)
		error = json_copy_str(r, v, &value);
	if (error == 0)
		error = append(r, &map->values, map->n, value);
	if (error < 0)
		return error;
	key = strndup(json_key_text(r, f->key), f->key.len);
	if (!key)
		return json_nomem(r);
	error = append(r, &map->keys, map->n, key);
	if (error == 0)
		map->n++;
	return error;
}

int json_add_u32(struct json_reader *r, struct json_frame *f,
		 const struct json_value *v)
{
	struct json_u32v *list = f->at;
	int error = check_room(r, f);
	uint32_t *more;

	if (error < 0)
		return error;
	more = make_room(list->v, list->n, sizeof(*more));
	if (!more)
		return json_nomem(r);
	list->v = more;
	error = json_set_u32(r, f->field, &more[list->n], v);
	if (error == 0)
		list->n++;
	return error;
}

int json_add_struct(struct json_reader *r, struct json_frame *f,
		    const struct json_value *v)
{
	const struct json_table *table = f->field->table;
	struct json_any_vec *vec = f->at;
	int error = check_room(r, f);
	char *more, *key;

	if (error < 0)
		return error;
	if (v->event != JSON_E_MAP)
		return json_refuse(r, -EINVAL, "expected an object");
	more = make_room(vec->v, vec->n, table->size);
	if (!more)
		return json_nomem(r);
	vec->v = more;
	more += vec->n * table->size;
	json_init(table, more);
	vec->n++;
	if (f->kind == JSON_F_DICT) {
		key = strndup(json_key_text(r, f->key), f->key.len);
		if (!key)
			return json_nomem(r);
		*(char **)(void *)more = key;
	}
	return json_push(r, JSON_F_STRUCT, v, f->field, more);
}

/* --- anything, kept as it is -------------------------------------------- */

int json_add_raw(struct json_reader *r, const struct json_value *v)
{
	switch (v->event) {
	case JSON_E_NULL:
		json_out_null(&r->raw);
		break;
	case JSON_E_BOOL:
		json_out_bool(&r->raw, v->truth);
		break;
	case JSON_E_NUMBER:
		json_out_rawn(&r->raw, v->text, v->len);
		break;
	case JSON_E_STRING:
		json_out_strn(&r->raw, v->text, v->len);
		break;
	case JSON_E_MAP:
		json_out_begin(&r->raw, '{');
		break;
	case JSON_E_ARRAY:
		json_out_begin(&r->raw, '[');
		break;
	}
	return 0;
}

static int take_raw(struct json_reader *r, char **ret)
{
	/* The events are in order: only memory can fail. */
	if (json_out_take(&r->raw, ret, NULL, NULL) < 0)
		return json_nomem(r);
	return 0;
}

int json_end_raw(struct json_reader *r, struct json_frame *f)
{
	json_out_end(&r->raw, f->is_map ? '}' : ']');
	return f->at ? take_raw(r, f->at) : 0;
}

int json_set_raw(struct json_reader *r, const struct json_field *f, void *at,
		 const struct json_value *v)
{
	int error = json_add_raw(r, v);

	if (error < 0)
		return error;
	if (v->event == JSON_E_MAP || v->event == JSON_E_ARRAY)
		return json_push(r, JSON_F_RAW, v, f, at);
	return take_raw(r, at);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So much of a hostile key is shown. */
#define SHOWN_MAX 64

/* --- where we are ------------------------------------------------------- */

const char *json_key_text(const struct json_reader *r, struct json_key k)
{
	return k.at < r->len ? r->text + k.at
			     : r->keys.decoded + (k.at - r->len);
}

static size_t append_key(const struct json_reader *r,
			 const struct json_frame *f, char *buf, size_t size)
{
	int n;

	if (f->field && f->kind == JSON_F_STRUCT)
		n = snprintf(buf, size, "%s: ", f->field->name);
	else
		n = snprintf(buf, size, "%.*s: ",
			     (int)MIN_OF(f->key.len, (uint32_t)SHOWN_MAX),
			     json_key_text(r, f->key));
	return MIN_OF((size_t)n, size - 1);
}

/* "process: rlimits: [1]: ", the innermost last; cut when it gets long. */
static void write_path(const struct json_reader *r, char *buf, size_t size)
{
	size_t len = 0;

	*buf = '\0';
	for (unsigned int i = 0; i < r->depth && len + 1 < size; i++) {
		const struct json_frame *f = &r->frame[i];

		if (f->is_map && f->has_key)
			len += append_key(r, f, buf + len, size - len);
		else if (!f->is_map && f->n > 0)
			len += (size_t)snprintf(buf + len, size - len,
						"[%zu]: ", f->n - 1);
	}
}

int json_refuse_(struct json_reader *r, int code, const char *fmt, ...)
{
	char what[256], path[ERR_TEXT / 2];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	write_path(r, path, sizeof(path));
	r->error = err_set(r->e, code, "%s: %s%s", r->name, path, what);
	return r->error;
}

/* --- keys --------------------------------------------------------------- */

/* The array, with room for want entries; grows by doubling. NULL when out of
 * memory, and the array is as it was. */
static void *reserve(void *array, size_t *size, size_t want, size_t each)
{
	size_t more = *size ? *size * 2 : 64;

	if (want <= *size)
		return array;
	more = MAX_OF(more, want);
	array = reallocarray(array, more, each);
	if (array)
		*size = more;
	return array;
}

/* yajl hands out its own buffer for a key with escapes: that one is copied. */
static int locate_key(struct json_reader *r, const char *key, size_t len,
		      struct json_key *ret)
{
	struct json_keys *keys = &r->keys;
	bool inside = (uintptr_t)key >= (uintptr_t)r->text &&
		      (uintptr_t)key < (uintptr_t)r->text + r->len;

	char *decoded;

	ret->len = (uint32_t)len;
	if (inside) {
		ret->at = (uint32_t)(key - r->text);
		return 0;
	}
	/* One more, so that an empty key has a place as well. */
	decoded = reserve(keys->decoded, &keys->decoded_size,
			  keys->decoded_len + len + 1, 1);
	if (!decoded)
		return json_nomem(r);
	keys->decoded = decoded;
	(void)memcpy(decoded + keys->decoded_len, key, len);
	ret->at = (uint32_t)(r->len + keys->decoded_len);
	keys->decoded_len += len;
	return 0;
}

static int remember_key(struct json_reader *r, struct json_key k)
{
	struct json_keys *keys = &r->keys;
	struct json_key *v =
		reserve(keys->v, &keys->size, keys->n + 1, sizeof(*v));

	if (!v)
		return json_nomem(r);
	keys->v = v;
	v[keys->n++] = k;
	return 0;
}

static int compare_keys(const void *a, const void *b, void *reader)
{
	const struct json_reader *r = reader;
	const struct json_key *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(json_key_text(r, *x), json_key_text(r, *y), x->len);
}

/*
 * Two readers of one file must not disagree on which of two values counts.
 * Sorting, not hashing: nobody can choose keys that make it slow.
 */
static int check_keys(struct json_reader *r, struct json_frame *f)
{
	size_t n = r->keys.n - f->first;
	struct json_key *k = n > 0 ? r->keys.v + f->first : NULL;

	if (n > 1)
		qsort_r(k, n, sizeof(*k), compare_keys, r);
	for (size_t i = 1; i < n; i++) {
		if (compare_keys(&k[i - 1], &k[i], r) != 0)
			continue;
		f->has_key = false;
		return json_refuse(r, -EINVAL, "duplicate key '%.*s'",
				   (int)MIN_OF(k[i].len, (uint32_t)SHOWN_MAX),
				   json_key_text(r, k[i]));
	}
	r->keys.n = f->first;
	r->keys.decoded_len = f->first_decoded;
	return 0;
}

/* --- an object by its table --------------------------------------------- */

static bool test_bit(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *bits, size_t i)
{
	bits[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Most writers keep the order of the specification, as our tables do: the
 * search begins behind the last hit. */
static const struct json_field *find_field(const struct json_frame *f,
					   const char *key, size_t len)
{
	const struct json_table *t = f->table;
	size_t at = f->field ? (size_t)(f->field - t->fields) + 1 : 0;

	for (size_t i = 0; i < t->n_fields; i++, at++) {
		const struct json_field *field;

		if (at >= t->n_fields)
			at = 0;
		field = &t->fields[at];
		if (strncmp(field->name, key, len) == 0 && !field->name[len])
			return field;
	}
	return NULL;
}

static int struct_key(struct json_reader *r, struct json_frame *f,
		      const char *key, size_t len)
{
	const struct json_field *field = find_field(f, key, len);
	size_t i;

	f->field = field;
	if (!field) {
		if (f->table->strict)
			return json_refuse(r, -EINVAL, "unknown key");
		return remember_key(r, f->key);
	}
	i = (size_t)(field - f->table->fields);
	if (test_bit(f->seen, i)) {
		f->has_key = false;
		return json_refuse(r, -EINVAL, "duplicate key '%s'",
				   field->name);
	}
	set_bit(f->seen, i);
	return 0;
}

static int skip_value(struct json_reader *r, struct json_frame *f,
		      const struct json_value *v)
{
	if (v->event == JSON_E_MAP || v->event == JSON_E_ARRAY)
		return json_push(r, JSON_F_SKIP, v, NULL, NULL);
	return 0;
}

static int struct_value(struct json_reader *r, struct json_frame *f,
			const struct json_value *v)
{
	const struct json_field *field = f->field;

	if (!field)
		return skip_value(r, f, v);
	if (v->event == JSON_E_NULL)
		return 0; /* as if it were absent */
	set_bit(f->have, (size_t)(field - f->table->fields));
	return json_set(r, field, (char *)f->at + field->offset, v);
}

static int struct_end(struct json_reader *r, struct json_frame *f)
{
	for (size_t i = 0; i < f->table->n_fields; i++) {
		const struct json_field *field = &f->table->fields[i];

		if (!field->required || test_bit(f->have, i))
			continue;
		f->field = field;
		f->has_key = true;
		return json_refuse(r, -EINVAL, "is required");
	}
	return 0;
}

/* --- the others --------------------------------------------------------- */

static int any_key(struct json_reader *r, struct json_frame *f, const char *key,
		   size_t len)
{
	return remember_key(r, f->key);
}

static int raw_key(struct json_reader *r, struct json_frame *f, const char *key,
		   size_t len)
{
	json_out_keyn(&r->raw, key, len);
	return remember_key(r, f->key);
}

static int raw_value(struct json_reader *r, struct json_frame *f,
		     const struct json_value *v)
{
	int error = json_add_raw(r, v);

	if (error < 0 || (v->event != JSON_E_MAP && v->event != JSON_E_ARRAY))
		return error;
	return json_push(r, JSON_F_RAW, v, NULL, NULL);
}

static int no_end(struct json_reader *r, struct json_frame *f)
{
	return 0;
}

/* A key, a value, the end: what each kind of frame makes of them. */
static const struct {
	int (*key)(struct json_reader *r, struct json_frame *f, const char *key,
		   size_t len);
	int (*value)(struct json_reader *r, struct json_frame *f,
		     const struct json_value *v);
	int (*end)(struct json_reader *r, struct json_frame *f);
} kinds[JSON_F_N_] = {
	/* clang-format off */
	[JSON_F_STRUCT] = { struct_key, struct_value,    struct_end },
	[JSON_F_VEC]    = { NULL,       json_add_struct, no_end },
	[JSON_F_DICT]   = { any_key,    json_add_struct, no_end },
	[JSON_F_STRV]   = { NULL,       json_add_str,    no_end },
	[JSON_F_MAP]    = { any_key,    json_add_pair,   no_end },
	[JSON_F_U32V]   = { NULL,       json_add_u32,    no_end },
	[JSON_F_SKIP]   = { any_key,    skip_value,      no_end },
	[JSON_F_RAW]    = { raw_key,    raw_value,       json_end_raw },
	/* clang-format on */
};

int json_push(struct json_reader *r, enum json_frame_kind kind,
	      const struct json_value *v, const struct json_field *field,
	      void *at)
{
	struct json_frame *f = &r->frame[r->depth];

	if (r->depth == JSON_MAX_DEPTH)
		return json_refuse(r, -EINVAL, "nested deeper than %d",
				   JSON_MAX_DEPTH);
	*f = (struct json_frame){
		.kind = kind,
		.is_map = v->event == JSON_E_MAP,
		.field = field,
		.at = at,
		.first = r->keys.n,
		.first_decoded = r->keys.decoded_len,
	};
	if (kind == JSON_F_STRUCT) {
		assert(field->table->n_fields <= JSON_MAX_FIELDS);
		f->table = field->table;
		f->field = NULL;
	}
	r->depth++;
	return 0;
}

int json_on_value(struct json_reader *r, const struct json_value *v)
{
	struct json_frame *f;
	int error;

	if (r->depth == 0)
		return json_set(r, &r->root, r->obj, v);
	f = &r->frame[r->depth - 1];
	f->n++;
	error = kinds[f->kind].value(r, f, v);
	if (error == 0 && v->event < JSON_E_MAP)
		f->has_key = false;
	return error;
}

int json_on_key(struct json_reader *r, const char *key, size_t len)
{
	struct json_frame *f = &r->frame[r->depth - 1];
	int error = locate_key(r, key, len, &f->key);

	if (error < 0)
		return error;
	f->has_key = true;
	return kinds[f->kind].key(r, f, key, len);
}

int json_on_end(struct json_reader *r)
{
	struct json_frame *f = &r->frame[r->depth - 1];
	int error = f->is_map ? check_keys(r, f) : 0;

	if (error == 0)
		error = kinds[f->kind].end(r, f);
	r->depth--;
	if (r->depth > 0)
		r->frame[r->depth - 1].has_key = false;
	return error;
}

int json_refuse_next(struct json_reader *r, const char *what)
{
	if (r->depth > 0)
		r->frame[r->depth - 1].n++;
	return json_refuse(r, -EINVAL, "%s", what);
}

void json_reader_done(struct json_reader *r)
{
	free(r->keys.v);
	free(r->keys.decoded);
	json_out_done(&r->raw);
}

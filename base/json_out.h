/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Writing JSON: from the tables of base/json.h, or by hand where a table does
 * not fit (a list of rows, a map whose keys are data).
 *
 *	_cleanup_(json_out_done) struct json_out o = { .pretty = true };
 *	json_out_begin(&o, '{');
 *	json_out_key(&o, "id");
 *	json_out_str(&o, id);
 *	json_out_end(&o, '}');
 *	r = json_out_take(&o, &text, &len, e);
 *
 * Failures (memory, wrong nesting) are remembered and reported once, by
 * json_out_take(). Strings are escaped so that any UTF-8 text comes back the
 * same; bytes that are not UTF-8 become U+FFFD.
 */
#include "base/err.h"

struct json_table;

struct json_out {
	bool pretty;
	char *text;
	size_t len, size;
	int error;
	unsigned int depth;
	uint64_t objects; /* bit i: level i is an object */
	bool after_key, has_items;
};

void json_out_begin(struct json_out *o, char bracket); /* '{' or '[' */
void json_out_end(struct json_out *o, char bracket);
void json_out_key(struct json_out *o, const char *key);
void json_out_str(struct json_out *o, const char *s); /* NULL: null */
/* The same for texts that no NUL ends. */
void json_out_keyn(struct json_out *o, const char *key, size_t len);
void json_out_strn(struct json_out *o, const char *s, size_t len);
void json_out_rawn(struct json_out *o, const char *json, size_t len);
void json_out_u64(struct json_out *o, uint64_t v);
void json_out_i64(struct json_out *o, int64_t v);
void json_out_f64(struct json_out *o, double v);
void json_out_bool(struct json_out *o, bool v);
void json_out_null(struct json_out *o);
void json_out_raw(struct json_out *o, const char *json); /* valid JSON */
/*
 * A struct by its table. Left out is what reading would put there anyhow:
 * zero, false, NULL and empty lists, unless .always, .required or a default
 * says otherwise. An empty string is written, for it is not NULL.
 */
void json_out_obj(struct json_out *o, const struct json_table *table,
		  const void *obj);

MUST_CHECK int json_out_take(struct json_out *o, char **ret, size_t *ret_len,
			     struct err *e);
void json_out_done(struct json_out *o);

/* json_out_obj() alone, as a text. */
MUST_CHECK int json_write(const struct json_table *table, const void *obj,
			  bool pretty, char **ret, size_t *ret_len,
			  struct err *e);

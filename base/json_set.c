/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* --- numbers ------------------------------------------------------------ */

struct whole {
	bool negative;
	uint64_t v; /* without the sign */
};

/*
 * Digits alone: 1.0 and 1e3 are whole too, but a reader that takes them must
 * do exact decimal arithmetic, and none of those who write our files do that.
 */
static int parse_whole(const struct json_value *v, struct whole *ret)
{
	struct whole w = { .negative = v->text[0] == '-' };

	for (size_t i = w.negative; i < v->len; i++) {
		unsigned int digit = (unsigned int)(v->text[i] - '0');

		if (digit > 9)
			return -EINVAL;
		if (__builtin_mul_overflow(w.v, 10, &w.v) ||
		    __builtin_add_overflow(w.v, digit, &w.v))
			return -ERANGE;
	}
	*ret = w;
	return 0;
}

static int refuse_digits(struct json_reader *r, const struct json_value *v)
{
	return json_refuse(r, -EINVAL,
			   "expected a whole number in digits, not %.*s",
			   (int)MIN_OF(v->len, (size_t)32), v->text);
}

static int take_unsigned(struct json_reader *r, const struct json_value *v,
			 uint64_t max, uint64_t *ret)
{
	struct whole w;
	int error;

	if (v->event != JSON_E_NUMBER || v->text[0] == '-')
		return json_refuse(r, -EINVAL, "expected an unsigned number");
	error = parse_whole(v, &w);
	if (error == -EINVAL)
		return refuse_digits(r, v);
	if (error < 0 || w.v > max)
		return json_refuse(r, -ERANGE, "number over %" PRIu64, max);
	*ret = w.v;
	return 0;
}

static int take_signed(struct json_reader *r, const struct json_value *v,
		       int64_t min, int64_t max, int64_t *ret)
{
	struct whole w;
	int error;

	if (v->event != JSON_E_NUMBER)
		return json_refuse(r, -EINVAL, "expected a whole number");
	error = parse_whole(v, &w);
	if (error == -EINVAL)
		return refuse_digits(r, v);
	if (error < 0 || w.v > (uint64_t)max + w.negative)
		return json_refuse(r, -ERANGE,
				   "number not in %" PRId64 " .. %" PRId64, min,
				   max);
	*ret = w.negative ? (int64_t)(0 - w.v) : (int64_t)w.v;
	return 0;
}

static int set_i32(struct json_reader *r, const struct json_field *f, void *at,
		   const struct json_value *v)
{
	int64_t n;
	int error = take_signed(r, v, INT32_MIN, INT32_MAX, &n);

	if (error == 0)
		*(int32_t *)at = (int32_t)n;
	return error;
}

int json_set_u32(struct json_reader *r, const struct json_field *f, void *at,
		 const struct json_value *v)
{
	uint64_t n;
	int error = take_unsigned(r, v, UINT32_MAX, &n);

	if (error == 0)
		*(uint32_t *)at = (uint32_t)n;
	return error;
}

static int set_i64(struct json_reader *r, const struct json_field *f, void *at,
		   const struct json_value *v)
{
	return take_signed(r, v, INT64_MIN, INT64_MAX, at);
}

static int set_u64(struct json_reader *r, const struct json_field *f, void *at,
		   const struct json_value *v)
{
	return take_unsigned(r, v, UINT64_MAX, at);
}

static int set_f64(struct json_reader *r, const struct json_field *f, void *at,
		   const struct json_value *v)
{
	char text[400]; /* the longest that %f prints has some 320 */
	double d;

	if (v->event != JSON_E_NUMBER)
		return json_refuse(r, -EINVAL, "expected a number");
	if (v->len >= sizeof(text))
		return json_refuse(r, -ERANGE, "number with too many digits");
	(void)memcpy(text, v->text, v->len);
	text[v->len] = '\0';
	d = strtod(text, NULL);
	if (!__builtin_isfinite(d))
		return json_refuse(r, -ERANGE, "number out of range");
	*(double *)at = d;
	return 0;
}

static int set_bool(struct json_reader *r, const struct json_field *f, void *at,
		    const struct json_value *v)
{
	if (v->event != JSON_E_BOOL)
		return json_refuse(r, -EINVAL, "expected true or false");
	*(bool *)at = v->truth;
	return 0;
}

/* --- numbers that may be absent ----------------------------------------- */

static int set_opt_bool(struct json_reader *r, const struct json_field *f,
			void *at, const struct json_value *v)
{
	struct opt_bool *opt = at;
	int error = set_bool(r, f, &opt->v, v);

	opt->set = error == 0;
	return error;
}

static int set_opt_i64(struct json_reader *r, const struct json_field *f,
		       void *at, const struct json_value *v)
{
	struct opt_i64 *opt = at;
	int error = set_i64(r, f, &opt->v, v);

	opt->set = error == 0;
	return error;
}

static int set_opt_u64(struct json_reader *r, const struct json_field *f,
		       void *at, const struct json_value *v)
{
	struct opt_u64 *opt = at;
	int error = set_u64(r, f, &opt->v, v);

	opt->set = error == 0;
	return error;
}

static int set_opt_u32(struct json_reader *r, const struct json_field *f,
		       void *at, const struct json_value *v)
{
	struct opt_u32 *opt = at;
	int error = json_set_u32(r, f, &opt->v, v);

	opt->set = error == 0;
	return error;
}

/* --- texts -------------------------------------------------------------- */

int json_copy_str(struct json_reader *r, const struct json_value *v, char **ret)
{
	if (v->event != JSON_E_STRING)
		return json_refuse(r, -EINVAL, "expected a string");
	*ret = strndup(v->text, v->len);
	return *ret ? 0 : json_nomem(r);
}

static int set_str(struct json_reader *r, const struct json_field *f, void *at,
		   const struct json_value *v)
{
	char *text;
	int error = json_copy_str(r, v, &text);

	if (error < 0)
		return error;
	free(*(char **)at); /* a DICT's key that is a field as well */
	*(char **)at = text;
	return 0;
}

static int set_bytes(struct json_reader *r, const struct json_field *f,
		     void *at, const struct json_value *v)
{
	struct json_bytes *bytes = at;
	autofree char *text = NULL;
	void *data;
	int error = json_copy_str(r, v, &text);

	if (error < 0)
		return error;
	error = str_from_base64(text, &data, &bytes->n);
	if (error == -ENOMEM)
		return json_nomem(r);
	if (error < 0)
		return json_refuse(r, -EINVAL, "expected base64");
	bytes->v = data;
	return 0;
}

static int refuse_name(struct json_reader *r, const char *const *names)
{
	char list[160] = "";
	size_t len = 0;

	for (; *names && len + 1 < sizeof(list); names++)
		len += (size_t)snprintf(list + len, sizeof(list) - len,
					"%s'%s'", len > 0 ? ", " : "", *names);
	return json_refuse(r, -EINVAL, "expected one of %s", list);
}

static int set_enum(struct json_reader *r, const struct json_field *f, void *at,
		    const struct json_value *v)
{
	for (int i = 0; v->event == JSON_E_STRING && f->names[i]; i++)
		if (strncmp(f->names[i], v->text, v->len) == 0 &&
		    !f->names[i][v->len]) {
			*(int *)at = i;
			return 0;
		}
	return refuse_name(r, f->names);
}

int json_set(struct json_reader *r, const struct json_field *f, void *at,
	     const struct json_value *v)
{
	static int (*const set[JSON_T_N_])(struct json_reader * r,
					   const struct json_field *f, void *at,
					   const struct json_value *v) = {
		[JSON_T_BOOL] = set_bool,
		[JSON_T_I32] = set_i32,
		[JSON_T_U32] = json_set_u32,
		[JSON_T_I64] = set_i64,
		[JSON_T_U64] = set_u64,
		[JSON_T_F64] = set_f64,
		[JSON_T_STR] = set_str,
		[JSON_T_OPT_BOOL] = set_opt_bool,
		[JSON_T_OPT_I64] = set_opt_i64,
		[JSON_T_OPT_U64] = set_opt_u64,
		[JSON_T_OPT_U32] = set_opt_u32,
		[JSON_T_ENUM] = set_enum,
		[JSON_T_STRV] = json_set_strv,
		[JSON_T_MAP] = json_set_list,
		[JSON_T_U32V] = json_set_list,
		[JSON_T_BYTES] = set_bytes,
		[JSON_T_OBJ] = json_set_obj,
		[JSON_T_PTR] = json_set_ptr,
		[JSON_T_VEC] = json_set_list,
		[JSON_T_DICT] = json_set_list,
		[JSON_T_RAW] = json_set_raw,
	};

	return set[f->type](r, f, at, v);
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON into structs and back, by table. One table reads, checks, names the
 * culprit, frees (json.c) and writes (json_out.c): a field is spelt once.
 *
 *	struct user { uint32_t uid; char *name; };
 *	static const struct json_field user_fields[] = {
 *		JSON_U32(struct user, uid, "uid", .required = true),
 *		JSON_STR(struct user, name, "name"),
 *	};
 *	const struct json_table user_table =
 *		JSON_TABLE(struct user, user_fields);
 *
 *	r = json_read(text, len, &user_table, &user, "config.json", e);
 *	-> config.json: user: uid: expected an unsigned number
 *
 * Refused, each with its place: anything that is not one JSON value with
 * nothing behind it; NUL in strings and keys; invalid UTF-8; duplicate keys
 * (two readers of one file must not disagree); comments; numbers out of the
 * member's range or not whole; nesting over JSON_MAX_DEPTH; more than
 * JSON_MAX_SIZE bytes. Unknown keys are skipped, as the OCI asks, unless the
 * table is .strict; their values are checked like all others.
 *
 * Member types are checked when compiling: a wrong one does not build.
 */
#include "base/err.h"

#define JSON_MAX_DEPTH 64
#define JSON_MAX_SIZE  (16U << 20)

enum json_type {
	JSON_T_BOOL,
	JSON_T_I32,
	JSON_T_U32,
	JSON_T_I64,
	JSON_T_U64,
	JSON_T_F64,
	JSON_T_STR,
	JSON_T_OPT_BOOL, /* struct opt_bool and so on: absent or null: not set
			  */
	JSON_T_OPT_I64,
	JSON_T_OPT_U64,
	JSON_T_OPT_U32,
	JSON_T_ENUM,  /* int, by name; the names are a NULL-terminated list */
	JSON_T_STRV,  /* char **: an array of strings */
	JSON_T_MAP,   /* struct json_map: an object of strings */
	JSON_T_U32V,  /* struct json_u32v: an array of numbers */
	JSON_T_BYTES, /* struct json_bytes: base64 */
	JSON_T_OBJ,   /* an embedded struct */
	JSON_T_PTR,   /* a pointer to a struct, NULL when absent */
	JSON_T_VEC,   /* struct { T *v; size_t n; }: an array of structs */
	JSON_T_DICT,  /* the same from an object: the key goes into the first
			 member, which must be char * */
	JSON_T_RAW,   /* char *: any value, kept as compact JSON text */
	JSON_T_N_,
};

struct json_map {
	char **keys; /* NULL-terminated, as are the values */
	char **values;
	size_t n;
};

struct json_u32v {
	uint32_t *v;
	size_t n;
};

struct json_bytes {
	uint8_t *v;
	size_t n;
};

struct json_table;

struct json_field {
	const char *name;
	enum json_type type;
	size_t offset;
	const struct json_table *table; /* OBJ, PTR, VEC, DICT */
	const char *const *names;	/* ENUM */
	bool required;
	bool always; /* write even when zero, false, empty */
	bool secret; /* json_write() leaves it out */
	size_t max;  /* VEC, DICT, STRV, MAP, U32V: entries; 0: 65536 */
};

struct json_table {
	const struct json_field *fields;
	size_t n_fields;
	size_t size;	      /* of the struct */
	const void *defaults; /* copied before reading; no owned pointers */
	bool strict;	      /* unknown keys are errors */
};

/* The two members every JSON_T_VEC and JSON_T_DICT consists of. */
#define JSON_VEC_OF(T)                                                         \
	struct {                                                               \
		T *v;                                                          \
		size_t n;                                                      \
	}

/* The same with a tag, where it must be passed by name. */
#define JSON_VEC_NAMED_(T)                                                     \
	{                                                                      \
		T *v;                                                          \
		size_t n;                                                      \
	}

/* clang-format off */
#define JSON_CHECK_(S, m, T)                                                   \
	(0 * sizeof(char[__builtin_types_compatible_p(                         \
		__typeof__(((S *)0)->m), T) ? 1 : -1]))
#define JSON_FIELD_(S, m, T, n, t, ...)                                        \
	{ .name = (n), .type = (t),                                            \
	  .offset = offsetof(S, m) + JSON_CHECK_(S, m, T), __VA_ARGS__ }

#define JSON_BOOL(S, m, n, ...) JSON_FIELD_(S, m, bool, n, JSON_T_BOOL, __VA_ARGS__)
#define JSON_I32(S, m, n, ...)  JSON_FIELD_(S, m, int32_t, n, JSON_T_I32, __VA_ARGS__)
#define JSON_U32(S, m, n, ...)  JSON_FIELD_(S, m, uint32_t, n, JSON_T_U32, __VA_ARGS__)
#define JSON_I64(S, m, n, ...)  JSON_FIELD_(S, m, int64_t, n, JSON_T_I64, __VA_ARGS__)
#define JSON_U64(S, m, n, ...)  JSON_FIELD_(S, m, uint64_t, n, JSON_T_U64, __VA_ARGS__)
#define JSON_F64(S, m, n, ...)  JSON_FIELD_(S, m, double, n, JSON_T_F64, __VA_ARGS__)
#define JSON_STR(S, m, n, ...)  JSON_FIELD_(S, m, char *, n, JSON_T_STR, __VA_ARGS__)
#define JSON_RAW(S, m, n, ...)  JSON_FIELD_(S, m, char *, n, JSON_T_RAW, __VA_ARGS__)
#define JSON_STRV(S, m, n, ...) JSON_FIELD_(S, m, char **, n, JSON_T_STRV, __VA_ARGS__)
#define JSON_MAP(S, m, n, ...)  JSON_FIELD_(S, m, struct json_map, n, JSON_T_MAP, __VA_ARGS__)
#define JSON_U32V(S, m, n, ...) JSON_FIELD_(S, m, struct json_u32v, n, JSON_T_U32V, __VA_ARGS__)
#define JSON_BYTES(S, m, n, ...) JSON_FIELD_(S, m, struct json_bytes, n, JSON_T_BYTES, __VA_ARGS__)
#define JSON_OPT_BOOL(S, m, n, ...) JSON_FIELD_(S, m, struct opt_bool, n, JSON_T_OPT_BOOL, __VA_ARGS__)
#define JSON_OPT_I64(S, m, n, ...) JSON_FIELD_(S, m, struct opt_i64, n, JSON_T_OPT_I64, __VA_ARGS__)
#define JSON_OPT_U64(S, m, n, ...) JSON_FIELD_(S, m, struct opt_u64, n, JSON_T_OPT_U64, __VA_ARGS__)
#define JSON_OPT_U32(S, m, n, ...) JSON_FIELD_(S, m, struct opt_u32, n, JSON_T_OPT_U32, __VA_ARGS__)
/* The names stand in the order of the values, NULL at the end. */
#define JSON_ENUM(S, m, n, list, ...)                                          \
	JSON_FIELD_(S, m, int, n, JSON_T_ENUM, .names = (list), __VA_ARGS__)
#define JSON_OBJ(S, m, n, T, tab, ...)                                         \
	JSON_FIELD_(S, m, T, n, JSON_T_OBJ, .table = &(tab), __VA_ARGS__)
#define JSON_PTR(S, m, n, T, tab, ...)                                         \
	JSON_FIELD_(S, m, T *, n, JSON_T_PTR, .table = &(tab), __VA_ARGS__)
#define JSON_VEC(S, m, n, T, tab, ...)                                         \
	JSON_VEC_(S, m, T, n, JSON_T_VEC, .table = &(tab), __VA_ARGS__)
#define JSON_DICT(S, m, n, T, tab, ...)                                        \
	JSON_VEC_(S, m, T, n, JSON_T_DICT, .table = &(tab), __VA_ARGS__)
#define JSON_VEC_(S, m, T, nm, t, ...)                                         \
	{ .name = (nm), .type = (t),                                           \
	  .offset = offsetof(S, m) + JSON_CHECK_(S, m.v, T *) +                \
		    JSON_CHECK_(S, m.n, size_t), __VA_ARGS__ }

#define JSON_TABLE(S, f, ...)                                                  \
	{ .fields = (f), .n_fields = ARRAY_SIZE(f), .size = sizeof(S), __VA_ARGS__ }
/* clang-format on */

/*
 * Reads one object into obj, which must be zero or have been json_free()d.
 * On failure obj holds nothing. name starts the message: a file's name.
 */
MUST_CHECK int json_read(const char *text, size_t len,
			 const struct json_table *table, void *obj,
			 const char *name, struct err *e);

/* The same from a file, named in messages by its path. */
MUST_CHECK int json_read_file_at(int dirfd, const char *path,
				 const struct json_table *table, void *obj,
				 struct err *e);
/* From what a user names: fd_read_given_at(). */
MUST_CHECK int json_read_given_at(int dirfd, const char *path,
				  const struct json_table *table, void *obj,
				  struct err *e);

/* Releases what reading made and zeroes the struct. Every string is a block of
 * its own: a caller may steal one (and leave NULL), or put another there. */
void json_free(const struct json_table *table, void *obj);

/* A copy that owns all it has: of *from in *to, or (json_copy_new) in new
 * memory that json_free() empties and free() ends; NULL: out of memory. */
MUST_CHECK int json_copy(const struct json_table *table, const void *from,
			 void *to, struct err *e);
MUST_CHECK void *json_copy_new(const struct json_table *table,
			       const void *from);

/* Checks a text and gives it back compact, or indented by two (pretty). */
MUST_CHECK int json_reformat(const char *text, size_t len, bool pretty,
			     char **ret, struct err *e);
